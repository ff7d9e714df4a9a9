// Owns the claim that no request, however bent, does more than close its own connection: sound requests of every API and version
// served, with random bytes changed, over real groups.

import { connect } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { type Prng, seededPrng } from '../../../src/base/prng.ts'
import type { GroupCoordinator } from '../../../src/groups/index.ts'
import { apiVersionsRequest } from '../../../src/protocol/generated/api-versions.ts'
import { metadataRequest } from '../../../src/protocol/generated/metadata.ts'
import {
  apiCodecs,
  ApiKey,
  type ApiName,
  ByteReader,
  ByteWriter,
  closeFrame,
  openRequestFrame,
} from '../../../src/protocol/index.ts'
import { prefixedPattern } from '../../../src/broker/core/index.ts'
import { AclOperation, AclPermissionType, ResourceType } from '../../../src/protocol/generated/enums.ts'
import type { AclPolicy } from '../../../src/server/guard/decision.ts'
import { MemoryBroker } from './support/memory-broker.ts'
import { memoryGroups } from './support/memory-groups.ts'
import { type RunningFront, startFront } from './support/running-front.ts'

let running: RunningFront
let groups: GroupCoordinator

async function start(aclPolicy: AclPolicy | undefined): Promise<void> {
  const broker = new MemoryBroker()
  broker.add('t', 2)
  // Denied where rights are asked: what begins with t, whoever asks.
  const about = { patternType: prefixedPattern, principal: 'User:*', host: '*', operation: AclOperation.ALL }
  const denied = [ResourceType.TOPIC, ResourceType.GROUP].map((resourceType) => ({ ...about, resourceType, resourceName: 't' }))
  broker.acls.set.apply(
    denied.map((acl) => ({ ...acl, permission: AclPermissionType.DENY })),
    [],
  )
  groups = memoryGroups(broker)
  const settings = aclPolicy === undefined ? {} : { aclPolicy }
  running = await startFront({ broker, groups, settings, listener: { drainMs: 500 } })
}
afterEach(async () => {
  await Promise.all([groups.close(), running.stop()])
})

const superUsers: ReadonlySet<string> = new Set()

const nameOf = (key: number): ApiName => Object.entries(ApiKey).find(([, value]) => value === key)![0] as ApiName

/** Reads of random bytes that went well make requests far stranger than anybody would think of, and whole. */
function randomBody(prng: Prng, key: number, version: number): Uint8Array | undefined {
  const codec = apiCodecs.get(key)!
  for (let tries = 0; tries < 60; tries += 1) {
    const bytes = Uint8Array.from({ length: 4 + prng.below(150) }, () => {
      const kind = prng.below(10)
      if (kind < 5) return 0
      if (kind < 8) return 1 + prng.below(3)
      return kind === 8 ? 0x74 : prng.below(256)
    })
    const reader = new ByteReader(bytes)
    codec.readRequest(reader, version)
    if (reader.failure === undefined) return bytes.subarray(0, reader.position)
  }
  return undefined
}

function framed(key: number, version: number, body: Uint8Array): Buffer {
  const writer = new ByteWriter()
  const mark = openRequestFrame(writer, { apiKey: key, apiVersion: version, correlationId: 1, clientId: 'bent' })
  for (const byte of body) writer.int8((byte << 24) >> 24)
  closeFrame(writer, mark)
  return Buffer.from(writer.concat())
}

it.each<[string, AclPolicy | undefined]>([
  ['no ACLs asked', undefined],
  ['everything denied', { superUsers, allowIfNone: false }],
  ['some of it denied', { superUsers, allowIfNone: true }],
])(
  'requests that decode to nonsense are answered or close their connection, in every API and version: %s',
  async (_how, policy) => {
    await start(policy)
    const client = await running.client()
    const { apiKeys } = await client.ask(
      'ApiVersions',
      3,
      apiVersionsRequest({ clientSoftwareName: 'bent', clientSoftwareVersion: '1' }),
    )
    const prng = seededPrng(11)
    let whole = 0
    for (const { apiKey, minVersion, maxVersion } of apiKeys) {
      for (let version = minVersion; version <= maxVersion; version += 1) {
        const bodies = Array.from({ length: 12 }, () => randomBody(prng, apiKey, version)).filter((body) => body !== undefined)
        whole += bodies.length
        // A wait for members or records would hold up the rest of a connection, so each request has its own.
        await Promise.all(bodies.map((body) => sendAlone(framed(apiKey, version, body))))
        const faults = running.log.lines.filter(({ level }) => level === 'error')
        expect(faults, `${nameOf(apiKey)} v${version}`).toEqual([])
      }
    }
    expect(whole).toBeGreaterThan(800)
    expect((await client.ask('Metadata', 9, metadataRequest({ topics: [] }))).controllerId).toBe(7)
  },
)

/** Sends, and waits for an answer, the end, or a little while. */
function sendAlone(frame: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: running.port })
    socket.setTimeout(60)
    socket.on('error', () => undefined)
    const end = (): void => {
      socket.destroy()
      resolve()
    }
    socket.on('data', end).on('timeout', end).on('close', end)
    socket.write(frame)
  })
}
