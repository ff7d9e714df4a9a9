// Owns the claim that what guards answer can be written in every version: every request Kafka wrote of every API served, with nothing
// allowed, and with a coin for every right.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/base/node/system-clock.ts'
import { LogLevels } from '../../../src/base/log-levels.ts'
import { standardGroupSettings } from '../../../src/groups/index.ts'
import { silentLog } from '../../../src/base/log.ts'
import { type Prng, seededPrng } from '../../../src/base/prng.ts'
import { Acls } from '../../../src/broker/core/index.ts'
import type { GroupCoordinator } from '../../../src/groups/index.ts'
import { apiCodecs, ByteReader, ByteWriter } from '../../../src/protocol/index.ts'
import { ApiCounters } from '../../../src/server/front/api-counters.ts'
import { Call } from '../../../src/server/front/call.ts'
import { LastResponse, NoResponse, type ServedApi } from '../../../src/server/front/served-api.ts'
import { Access } from '../../../src/server/guard/access.ts'
import { servedApis } from '../../../src/server/handlers/registry.ts'
import { defaultLimits } from '../../../src/server/index.ts'
import { ClientThrottles } from '../../../src/server/quotas/client-throttles.ts'
import { OpenAuthentication } from '../../../src/server/security/authentication.ts'
import { anonymous } from '../../../src/server/security/principal.ts'
import { fromHex, goldenFiles, goldenLines } from '../../unit/src/protocol/vectors.ts'
import { MemoryTransactions } from '../../support/memory-transactions.ts'
import { MemoryBroker } from './support/memory-broker.ts'
import { memoryGroups } from './support/memory-groups.ts'
import { plainListener } from './support/running-front.ts'

interface Vector {
  readonly api: string
  readonly key: number
  readonly type: string
  readonly version: number
  readonly hex: string
}

const policy = { superUsers: new Set<string>(), allowIfNone: false }

class Coin extends Access {
  readonly #prng: Prng

  constructor(prng: Prng, topics: ConstructorParameters<typeof Access>[2]) {
    super({ acls: new Acls(), policy }, { principal: anonymous, host: 'h' }, topics)
    this.#prng = prng
  }

  override may(): boolean {
    return this.#prng.below(2) === 0
  }
}

describe('an API with a guard', () => {
  const broker = new MemoryBroker()
  broker.add('t', 2)
  let groups: GroupCoordinator
  let served: ReadonlyMap<number, ServedApi>
  const topics = {
    nameOf: (id: string) => [...broker.topics()].find((topic) => topic.id === id)?.name ?? (id.startsWith('A') ? undefined : 't'),
    exists: (name: string) => broker.topicByName(name) !== undefined,
    names: () => [...broker.topics()].map(({ name }) => name),
  }

  beforeAll(() => {
    groups = memoryGroups(broker)
    const { apis } = servedApis(
      {
        broker,
        groups,
        transactions: new MemoryTransactions(systemClock).coordinator,
        markers: { write: () => Promise.resolve('written') },
        clock: systemClock,
        prng: seededPrng(1),
        log: silentLog,
        logLevels: new LogLevels('INFO'),
        logDir: { path: '/somewhere', space: () => Promise.resolve({ totalBytes: 2, usableBytes: 1 }) },
        settings: {
          listeners: [plainListener],
          rack: null,
          autoCreateTopics: true,
          groups: standardGroupSettings,
          aclPolicy: policy,
        },
        limits: defaultLimits,
        throttles: new ClientThrottles(broker.quotas.set, defaultLimits.quotas, systemClock),
      },
      () => served.values(),
    )
    served = new Map(apis.map((api) => [api.entry.key, api]))
  })
  afterAll(() => groups.close())

  const connection = {
    id: 1,
    remoteHost: 'h',
    remoteAddress: 'h:1',
    localPort: 1,
    endpoint: { name: 'PLAINTEXT', protocol: 'PLAINTEXT' as const, advertised: () => ({ host: 'h', port: 1 }) },
    authentication: new OpenAuthentication(anonymous),
    answerRoomBytes: () => 1 << 20,
  }

  /** Runs it, writes what it answers, and reads that back. False when there is nothing to write. */
  async function isAnswered({ key, version, hex, api }: Vector, access: Access): Promise<boolean> {
    const reader = new ByteReader(fromHex(hex))
    const prepared = served.get(key)!.prepare(reader, version)
    expect(reader.failure).toBeUndefined()
    const header = { apiKey: key, apiVersion: version, correlationId: 1, clientId: 'c' }
    const call = new Call(header, { connection, access }, new ApiCounters(api))
    const running = Promise.resolve(prepared.run(call))
    call.hurry()
    const reply = await Promise.race([running, new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 200))])
    if (reply === undefined || reply instanceof NoResponse || reply instanceof LastResponse) return false
    const writer = new ByteWriter()
    reply(writer)
    const back = new ByteReader(writer.concat())
    apiCodecs.get(key)!.readResponse(back, version)
    expect(back.failure, `${api} v${version}`).toBeUndefined()
    expect(back.remaining, `${api} v${version}`).toBe(0)
    return true
  }

  it.each([
    ['refuses everything', () => [new Access({ acls: new Acls(), policy }, { principal: anonymous, host: 'h' }, topics)]],
    ['refuses some of it', () => Array.from({ length: 4 }, (_, seed) => new Coin(seededPrng(seed), topics))],
  ])(
    '%s in words of every version',
    async (_what, accesses) => {
      const versions = new Set<string>()
      for (const file of goldenFiles('messages')) {
        for (const vector of goldenLines<Vector>(file)) {
          const api = served.get(vector.key)
          const isServed = api !== undefined && vector.version >= api.versionMin && vector.version <= api.versionMax
          if (!isServed || vector.type !== 'request') continue
          for (const access of accesses()) if (await isAnswered(vector, access)) versions.add(`${vector.api} ${vector.version}`)
        }
      }
      const all = [...served.values()].reduce((sum, { entry, versionMax }) => sum + versionMax - entry.versionMin + 1, 0)
      expect(versions.size).toBeGreaterThan(all * 0.8)
    },
    120_000,
  )
})
