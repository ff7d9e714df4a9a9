// Owns the fuzzing drill: bent requests of every API and version served, and bytes that are none, beside a client that behaves. The
// broker may refuse and hang up; it may not die, log a fault, keep what it took, or leave a connection between answer and end. What
// the requests did to it must survive kill -9 and a lost disk.

import type { Prng } from '../../src/base/prng.ts'
import {
  alterUserScramCredentialsRequest,
  scramCredentialDeletion,
} from '../../src/protocol/generated/alter-user-scram-credentials.ts'
import { apiVersionsRequest } from '../../src/protocol/generated/api-versions.ts'
import { deleteAclsFilter, deleteAclsRequest } from '../../src/protocol/generated/delete-acls.ts'
import { deleteGroupsRequest } from '../../src/protocol/generated/delete-groups.ts'
import { deleteTopicState, deleteTopicsRequest } from '../../src/protocol/generated/delete-topics.ts'
import { describeUserScramCredentialsRequest } from '../../src/protocol/generated/describe-user-scram-credentials.ts'
import { listGroupsRequest } from '../../src/protocol/generated/list-groups.ts'
import { metadataRequest } from '../../src/protocol/generated/metadata.ts'
import { ApiKey, ByteWriter, closeFrame, ErrorCode, openRequestFrame } from '../../src/protocol/index.ts'
import { waitUntil } from '../../localstack/index.ts'
import { type Broker, startBroker } from '../support/tools/broker.ts'
import { BentClient, type Outcome } from './support/bent-client.ts'
import { bent } from './support/mutation.ts'
import { type Ground, RequestCorpus } from './support/request-corpus.ts'
import { batchOf, createTopics, readPartition } from './support/requests.ts'
import { askOnce, Wire } from './support/wire.ts'
import { metric, quickSettings } from './support/world.ts'
import { Writer } from './support/writer.ts'

export interface FuzzReport {
  readonly breaches: readonly string[]
  readonly requests: number
  readonly apis: number
  readonly versions: number
  readonly outcomes: Readonly<Record<Outcome, number>>
  /** Key and version of those that never got an answer: their requests were cut down to nothing, or are dead. */
  readonly neverAnswered: readonly string[]
  readonly turnsOfTheGood: number
  /** Heap and buffers after a collection, once an interval. */
  readonly heldMiB: readonly number[]
}

export interface FuzzOrder {
  /** How long it goes on. */
  readonly seconds: number
  readonly prng: Prng
  readonly onInterval?: (line: string) => void
}

const settings = [
  ...quickSettings,
  '--groups-initial-rebalance-delay-ms',
  '0',
  '--acl-enabled',
  'true',
  '--acl-super-users',
  'User:ANONYMOUS',
]
const clients = 12
const framesPerConnection = 25
const intervalMs = 5_000
/** The machine is shared by many; a connection that is stuck stays so. */
const stuckMs = 30_000
/** Who may have to wait for records, members, a marker or a time-out is given this long, then hung up on. */
const patienceMs = 150
const MiB = 1024 ** 2
/** Garbage is no leak: the broker collects what it does not hold before that is read. Between the first quarter and the last. */
const growthMiBMax = 40
const collectSignal = 'SIGUSR2'
const collectsWhenAsked = ['--expose-gc', '--import', `data:text/javascript,process.on('${collectSignal}',()=>globalThis.gc())`]

const waiting: ReadonlySet<number> = new Set(
  // Produce may ask for no answer at all.
  [ApiKey.Produce, ApiKey.Fetch, ApiKey.JoinGroup, ApiKey.SyncGroup, ApiKey.CreateTopics, ApiKey.DeleteTopics],
)
/** Matches every kind of resource, pattern, operation and permission (Kafka's ANY). */
const anything = 1
const kept = 'kept'
const spokenOf = ['fuzz-a', 'fuzz-b', 'fuzz-c']

interface Served {
  readonly apiKey: number
  readonly minVersion: number
  readonly maxVersion: number
}

interface Case {
  readonly api: string
  readonly bytes: Buffer
  /** Silence is an answer to it. */
  readonly patient: boolean
  /** Where the next request on its connection begins, nobody knows. */
  readonly last: boolean
  readonly title: string
}

export async function fuzzDrill({ seconds, prng, onInterval }: FuzzOrder): Promise<FuzzReport> {
  const broker = await startBroker({ extra: settings, nodeArgs: collectsWhenAsked })
  const fuzz = new Fuzz(broker, prng)
  try {
    await fuzz.prepare()
    const endMs = performance.now() + seconds * 1_000
    while (performance.now() < endMs && fuzz.breaches.length === 0) {
      await fuzz.interval(Math.min(intervalMs, endMs - performance.now()))
      onInterval?.(fuzz.line())
    }
    if (fuzz.breaches.length === 0) await fuzz.afterwards()
    return fuzz.report()
  } finally {
    fuzz.close()
    await broker.stop()
  }
}

class Fuzz {
  readonly breaches: string[] = []
  readonly #broker: Broker
  readonly #prng: Prng
  readonly #corpus = new RequestCorpus()
  readonly #writer: Writer
  readonly #outcomes: Record<Outcome, number> = { answered: 0, closed: 0, silent: 0 }
  readonly #answered = new Set<string>()
  readonly #heldMiB: number[] = []
  #served: readonly Served[] = []
  #versions: ReadonlyArray<readonly [key: number, version: number]> = []
  #ground: Ground = { topics: [], topicIds: [], groups: [], transactionalIds: [], principals: [], batches: [] }
  #next = 0
  #turns = 0

  constructor(broker: Broker, prng: Prng) {
    this.#broker = broker
    this.#prng = prng
    this.#writer = new Writer(broker.kafkaPort, kept, 200)
  }

  async prepare(): Promise<void> {
    const { kafkaPort } = this.#broker
    await createTopics(kafkaPort, [{ name: kept, partitions: 1, durability: 'bucket' }])
    const asked = apiVersionsRequest({ clientSoftwareName: 'fuzz', clientSoftwareVersion: '1' })
    const { apiKeys } = await askOnce(kafkaPort, 'ApiVersions', 3, asked)
    this.#served = apiKeys
    this.#versions = apiKeys.flatMap(({ apiKey, minVersion, maxVersion }) =>
      Array.from({ length: maxVersion - minVersion + 1 }, (_, at) => [apiKey, minVersion + at] as const),
    )
    const without = this.#versions.filter(([key, version]) => !this.#corpus.has(key, version))
    if (without.length > 0) throw new Error(`no golden request for ${without.map((one) => one.join('/')).join(' ')}`)
    await this.#newGround()
  }

  /** Bends requests for so long, then looks whether the broker is well, and takes away what the requests made. */
  async interval(forMs: number): Promise<void> {
    const endMs = performance.now() + forMs
    const lanes = Array.from({ length: clients }, async () => {
      while (performance.now() < endMs && this.breaches.length === 0) await this.#connection()
    })
    await this.#goodTurns(endMs)
    await Promise.all(lanes)
    await this.#cleanUp()
    await this.#look()
  }

  line(): string {
    const { answered, closed, silent } = this.#outcomes
    const megabytes = Math.round(this.#heldMiB.at(-1) ?? 0)
    return `${answered} answered, ${closed} closed, ${silent} given up; ${this.#turns} good turns, ${megabytes} MiB`
  }

  /** Nothing may be left over, and what is on the disk and in the bucket must be readable. */
  async afterwards(): Promise<void> {
    this.#writer.close()
    const settled = { timeoutMs: stuckMs, until: 'the broker to be done with all that was asked' }
    await waitUntil(async () => {
      const left = await Promise.all([
        metric(this.#broker, 'chronik_kafka_connections'),
        metric(this.#broker, 'chronik_kafka_buffered_bytes'),
      ])
      return left.every((value) => value === 0)
    }, settled).catch((cause: unknown) => this.breaches.push(String(cause)))
    const quarter = Math.max(1, this.#heldMiB.length >> 2)
    const median = (of: readonly number[]): number => [...of].sort((left, right) => left - right)[of.length >> 1]!
    const growth = median(this.#heldMiB.slice(-quarter)) - median(this.#heldMiB.slice(0, quarter))
    if (growth > growthMiBMax) this.breaches.push(`memory grew by ${Math.round(growth)} MiB`)
    await this.#broker.restart()
    await this.#compare('kill -9')
    await this.#broker.kill9()
    this.#broker.wipeDisk()
    await this.#broker.restart({ extra: [...settings, '--takeover'] })
    await this.#compare('a lost disk')
    await this.#look()
  }

  report(): FuzzReport {
    const { answered, closed, silent } = this.#outcomes
    return {
      breaches: this.breaches.slice(0, 20),
      requests: answered + closed + silent,
      apis: this.#served.length,
      versions: this.#versions.length,
      outcomes: this.#outcomes,
      neverAnswered: this.#versions.map(([key, version]) => `${key} v${version}`).filter((api) => !this.#answered.has(api)),
      turnsOfTheGood: this.#turns,
      heldMiB: this.#heldMiB.map(Math.round),
    }
  }

  close(): void {
    this.#writer.close()
  }

  async #connection(): Promise<void> {
    const address = `127.0.${this.#prng.below(4)}.${2 + this.#prng.below(250)}`
    let client: BentClient
    try {
      client = await BentClient.connect(this.#broker.kafkaPort, address)
    } catch (cause) {
      this.breaches.push(`no connection: ${String(cause)}`)
      return
    }
    let told = ''
    for (let left = framesPerConnection; left > 0 && !client.isClosed; left -= 1) {
      const { api, bytes, patient, last, title } = this.#case()
      told = `${title} ${bytes.toString('hex').slice(0, 4_000)}`
      const outcome = await client.send(bytes, patient ? patienceMs : stuckMs)
      this.#outcomes[outcome] += 1
      if (outcome === 'answered') this.#answered.add(api)
      if (outcome === 'silent' && !patient) this.breaches.push(`neither answered nor closed: ${told}`)
      if (outcome === 'silent' || last) break
    }
    if ((await client.end(stuckMs)) === 'silent') this.breaches.push(`not closed after its client had hung up: ${told}`)
  }

  /**
   * All versions in turn; of ten requests one is sound, one is a frame that lies about its length, one is no request at all, and four say
   * strange things in sound words.
   */
  #case(): Case {
    const [key, version] = this.#versions[this.#next % this.#versions.length]!
    this.#next += 1
    const kind = this.#prng.below(10)
    if (kind === 0) {
      const bytes = Buffer.from(Array.from({ length: 1 + this.#prng.below(300) }, () => this.#prng.below(256)))
      // A length that is none closes the connection; a small one may leave it waiting for the rest.
      return { api: 'none', bytes, patient: true, last: true, title: 'random bytes' }
    }
    const isBent = kind > 5
    const body = this.#corpus.body(key, version, this.#ground, this.#prng, kind === 1 || isBent ? 0 : 15)
    const frame = framed(key, version, isBent ? bent(body, this.#prng) : body)
    const api = `${key} v${version}`
    if (kind === 2) return { api, bytes: bent(frame, this.#prng), patient: true, last: true, title: `${api}, bent frame` }
    return { api, bytes: frame, patient: waiting.has(key), last: false, title: api }
  }

  /** Somebody who behaves is served all the while, and soon. */
  async #goodTurns(endMs: number): Promise<void> {
    const { kafkaPort } = this.#broker
    do {
      const startedMs = performance.now()
      try {
        const { errorCode, baseOffset } = await this.#writer.write()
        if (errorCode !== ErrorCode.NONE) this.breaches.push(`a sound write is answered with error ${errorCode}`)
        const wire = await Wire.connect(kafkaPort)
        const { records } = await readPartition(wire, kept, 0, baseOffset)
        wire.close()
        if (records.length !== 1) this.breaches.push(`${records.length} records where one was written`)
      } catch (cause) {
        this.breaches.push(`the client that behaves: ${String(cause)}`)
        return
      }
      this.#turns += 1
      const tookMs = performance.now() - startedMs
      if (tookMs > stuckMs) this.breaches.push(`the client that behaves waited ${Math.round(tookMs)} ms`)
    } while (performance.now() < endMs)
  }

  async #cleanUp(): Promise<void> {
    const { kafkaPort } = this.#broker
    const { topics } = await askOnce(kafkaPort, 'Metadata', 12, metadataRequest({ topics: null }))
    const made = topics.filter(({ name, isInternal }) => name !== kept && !isInternal)
    const names = made.map(({ name }) => deleteTopicState({ name }))
    if (names.length > 0) await askOnce(kafkaPort, 'DeleteTopics', 6, deleteTopicsRequest({ topics: names, timeoutMs: stuckMs }))
    const { groups } = await askOnce(kafkaPort, 'ListGroups', 4, listGroupsRequest())
    const groupsNames = groups.map(({ groupId }) => groupId)
    if (groupsNames.length > 0) await askOnce(kafkaPort, 'DeleteGroups', 2, deleteGroupsRequest({ groupsNames }))
    const all = { resourceTypeFilter: anything, patternTypeFilter: anything, operation: anything, permissionType: anything }
    await askOnce(kafkaPort, 'DeleteAcls', 3, deleteAclsRequest({ filters: [deleteAclsFilter(all)] }))
    const users = await askOnce(
      kafkaPort,
      'DescribeUserScramCredentials',
      0,
      describeUserScramCredentialsRequest({ users: null }),
    )
    const deletions = users.results.flatMap(({ user, credentialInfos }) =>
      credentialInfos.map(({ mechanism }) => scramCredentialDeletion({ name: user, mechanism })),
    )
    await askOnce(kafkaPort, 'AlterUserScramCredentials', 0, alterUserScramCredentialsRequest({ deletions }))
    await this.#newGround()
  }

  async #newGround(): Promise<void> {
    const { kafkaPort } = this.#broker
    await createTopics(
      kafkaPort,
      spokenOf.map((name) => ({ name, partitions: 2, durability: 'quorum' as const })),
    )
    const { topics } = await askOnce(kafkaPort, 'Metadata', 12, metadataRequest({ topics: null }))
    const batches = [-1, 5, 6].map((producerId) =>
      batchOf({
        values: [Buffer.from('one'), Buffer.from('two')],
        timestampMs: Date.now(),
        producerId,
        producerEpoch: producerId === -1 ? -1 : 0,
        baseSequence: producerId === -1 ? -1 : 0,
      }),
    )
    this.#ground = {
      topics: spokenOf,
      topicIds: topics.filter(({ name }) => name !== null && spokenOf.includes(name)).map(({ topicId }) => topicId),
      groups: ['group-a', 'group-b'],
      transactionalIds: ['tx-a', 'tx-b'],
      principals: ['User:a', 'User:ANONYMOUS', 'b'],
      batches,
    }
  }

  /** Is it alive, has it logged a fault, how much does it hold. */
  async #look(): Promise<void> {
    const faults = this.#broker
      .logs()
      .split('\n')
      .filter((line) => /"level":(50|60|"error"|"fatal")/.test(line))
    this.breaches.push(...faults)
    process.kill(this.#broker.pid(), collectSignal)
    const held = ['used', 'external'].map((kind) => metric(this.#broker, `chronik_process_heap_bytes{kind="${kind}"`))
    this.#heldMiB.push((await Promise.all(held)).reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0) / MiB)
  }

  async #compare(after: string): Promise<void> {
    const wire = await Wire.connect(this.#broker.kafkaPort)
    const { records } = await readPartition(wire, kept, 0)
    wire.close()
    this.breaches.push(...this.#writer.compare(records).map((wrong) => `after ${after}: ${wrong}`))
  }
}

function framed(apiKey: number, apiVersion: number, body: Uint8Array): Buffer {
  const writer = new ByteWriter()
  const mark = openRequestFrame(writer, { apiKey, apiVersion, correlationId: 1, clientId: 'fuzz' })
  const head = Buffer.from(writer.concat())
  closeFrame(writer, mark)
  const frame = Buffer.concat([head, body])
  frame.writeInt32BE(frame.length - 4, 0)
  return frame
}
