// Owns an honest broker in memory: real topics and logs behind the interface the server asks, with switches for the world's slowness.
// It checks no batches; that is the real broker's business.

import { crc32cReference } from '../../../../src/base/crc32c.ts'
import { fail, type Outcome, succeed } from '../../../../src/base/outcome.ts'
import type {
  AclStore,
  ActiveProducer,
  AppendRequest,
  AppendResult,
  Broker,
  ConfigChange,
  ConfigEntry,
  EpochEnd,
  KafkaFailure,
  MarkerRequest,
  NewTopic,
  OffsetAndTimestamp,
  PartitionView,
  QuotaStore,
  ReadRequest,
  ReadResult,
  ResourceConfigStore,
  ScramUsers,
  TopicView,
} from '../../../../src/broker/api.ts'
import { allBrokersConfigEntries, brokerConfigEntries, brokerSynonyms } from '../../../../src/broker/config-view.ts'
import {
  Acls,
  allBrokers,
  brokerConfigInForce,
  type BrokerConfigLayers,
  ClientQuotas,
  ResourceConfigs,
  ScramCredentials,
} from '../../../../src/broker/core/index.ts'
import { faultOfNewName, partitionCountOf } from '../../../../src/broker/new-topic.ts'
import { leaderEpoch, nodeId, offset, type Offset, partitionIndex, type TopicId, topicId } from '../../../../src/model/ids.ts'
import {
  baseOffsetOf,
  encodeTransactionMarker,
  ErrorCode,
  lastOffsetOf,
  maxTimestampOf,
  recordCountOf,
  stampBaseOffset,
} from '../../../../src/protocol/index.ts'

export class MemoryPartition implements PartitionView {
  readonly topicId: TopicId
  readonly topicName: string
  readonly index
  leaderEpoch = leaderEpoch(3)
  logStartOffset = offset(0)
  localLogStartOffset = offset(0)
  archivedEndOffset = -1
  readonly batches: Uint8Array[] = []
  #end = 0
  /** While set, appends are admitted but not made durable; call what is collected to let them go on. */
  held: Array<() => void> | undefined = undefined
  /** While set, reads below this offset answer by a promise that the test resolves. */
  archivedBelow = 0
  archivedReads: Array<() => void> = []
  archivedReadsStarted = 0
  #durableEnd = 0
  readonly #listeners = new Set<{ readonly beyond: number; readonly callback: () => void }>()

  constructor(topic: { readonly id: TopicId; readonly name: string }, index: number) {
    this.topicId = topic.id
    this.topicName = topic.name
    this.index = partitionIndex(index)
  }

  get highWatermark() {
    return offset(this.#durableEnd)
  }

  get lastStableOffset() {
    return this.highWatermark
  }

  get logEndOffset() {
    return offset(this.#end)
  }

  get listenerCount(): number {
    return this.#listeners.size
  }

  appendMarker(marker: MarkerRequest, done: (result: AppendResult) => void): void {
    this.append({ records: encodeTransactionMarker({ ...marker, timestamp: 0 }, crc32cReference), acks: -1 }, done)
  }

  isInTransaction(): boolean {
    return false
  }

  startAt(before: Offset): Promise<void> {
    this.logStartOffset = before
    return Promise.resolve()
  }

  append(request: AppendRequest, done: (result: AppendResult) => void): void {
    const base = this.#end
    stampBaseOffset(request.records, 0, base)
    this.batches.push(request.records)
    this.#end += recordCountOf(request.records)
    const end = this.#end
    const finish = (): void => {
      this.#durableEnd = Math.max(this.#durableEnd, end)
      done({ kind: 'appended', baseOffset: offset(base), logAppendTimeMs: -1, logStartOffset: this.logStartOffset })
      for (const listener of [...this.#listeners]) {
        if (this.#durableEnd <= listener.beyond) continue
        this.#listeners.delete(listener)
        listener.callback()
      }
    }
    if (this.held === undefined) finish()
    else this.held.push(finish)
  }

  read(request: ReadRequest): ReadResult | Promise<ReadResult> {
    if (request.offset < this.logStartOffset || request.offset > this.#durableEnd) {
      const { highWatermark, logStartOffset } = this
      return { kind: 'error', errorCode: ErrorCode.OFFSET_OUT_OF_RANGE, highWatermark, logStartOffset }
    }
    if (request.offset >= this.archivedBelow) return this.#hot(request)
    this.archivedReadsStarted += 1
    return new Promise((resolve) => {
      this.archivedReads.push(() => {
        resolve(this.#hot(request))
      })
    })
  }

  #hot({ offset: from, maxBytes, minOneBatch }: ReadRequest): ReadResult {
    const batches: Uint8Array[] = []
    let bytes = 0
    for (const batch of this.batches) {
      if (lastOffsetOf(batch) < from || baseOffsetOf(batch) >= this.#durableEnd) continue
      if (bytes + batch.length > maxBytes && !(minOneBatch && batches.length === 0)) break
      batches.push(batch)
      bytes += batch.length
    }
    const { highWatermark, lastStableOffset, logStartOffset } = this
    return { kind: 'records', batches, bytes, aborted: [], highWatermark, lastStableOffset, logStartOffset }
  }

  offsetForTimestamp(timestampMs: number): Promise<OffsetAndTimestamp | undefined> {
    return Promise.resolve(this.#found(this.batches.find((batch) => maxTimestampOf(batch) >= timestampMs)))
  }

  offsetOfMaxTimestamp(): Promise<OffsetAndTimestamp | undefined> {
    return Promise.resolve(this.#found([...this.batches].sort((one, other) => maxTimestampOf(other) - maxTimestampOf(one))[0]))
  }

  #found(batch: Uint8Array | undefined): OffsetAndTimestamp | undefined {
    if (batch === undefined) return undefined
    return { offset: offset(baseOffsetOf(batch)), timestampMs: maxTimestampOf(batch), leaderEpoch: this.leaderEpoch }
  }

  get sizeBytes(): number {
    return this.batches.reduce((sum, batch) => sum + batch.length, 0)
  }

  deleteRecords(before: number): Promise<Outcome<Offset, KafkaFailure>> {
    const target = before === -1 ? this.#durableEnd : before
    if (target < 0 || target > this.#durableEnd)
      return Promise.resolve(fail({ errorCode: ErrorCode.OFFSET_OUT_OF_RANGE, message: null }))
    this.logStartOffset = offset(Math.max(this.logStartOffset, target))
    return Promise.resolve(succeed(this.logStartOffset))
  }

  endOfEpoch(epoch: number): EpochEnd | undefined {
    return epoch >= 0 && epoch <= this.leaderEpoch ? { leaderEpoch: epoch, endOffset: this.#end } : undefined
  }

  activeProducers(): Iterable<ActiveProducer> {
    const marks = { coordinatorEpoch: -1, transactionStartOffset: -1 }
    return [{ producerId: 5, producerEpoch: 1, lastSequence: 9, lastTimestampMs: 1000, ...marks }]
  }

  onReadableBeyond(beyond: number, callback: () => void): () => void {
    if (this.#durableEnd > beyond) {
      callback()
      return () => undefined
    }
    const listener = { beyond, callback }
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }
}

interface MemoryTopic extends TopicView {
  partitions: MemoryPartition[]
  configs: ReadonlyMap<string, string>
}

const typeCodes: Readonly<Record<string, number>> = { 'cleanup.policy': 7 }

const config = (name: string, value: string): ConfigEntry => ({
  name,
  value,
  readOnly: false,
  isDefault: true,
  source: 5,
  sensitive: name.includes('password'),
  type: typeCodes[name] ?? 2,
  documentation: `what ${name} does`,
  synonyms: [{ name: `log.${name}`, value, source: 5 }],
})

const partitionRules = {
  nodeId: nodeId(7),
  numPartitions: 1,
  internalPartitions: { __consumer_offsets: 50, __transaction_state: 50 },
  partitionsPerTopicMax: 10_000,
} as const

export class MemoryBroker implements Broker {
  readonly credentials = new ScramCredentials()
  readonly acls: AclStore = {
    set: new Acls(),
    alter: async (additions, removals) => {
      await this.creationGate
      this.acls.set.apply(additions, removals)
      return succeed(undefined)
    },
  }
  readonly quotas: QuotaStore = {
    set: new ClientQuotas(),
    alter: async (changes) => {
      await this.creationGate
      this.quotas.set.apply(changes)
      return succeed(undefined)
    },
  }
  readonly scram: ScramUsers = {
    of: (user) => this.credentials.of(user),
    users: () => this.credentials.users(),
    alter: async (changes) => {
      await this.creationGate
      this.credentials.apply(changes)
      return succeed(undefined)
    },
  }
  readonly clusterId = 'test-cluster'
  readonly nodeId = nodeId(7)
  serving = true
  /** Before a topic is there or altered, this is awaited. */
  creationGate: Promise<void> = Promise.resolve()
  readonly #byName = new Map<string, MemoryTopic>()
  #nextTopic = 1
  #nextProducerId = 100

  add(name: string, partitionCount = 1): MemoryTopic {
    const id = topicId(Buffer.from(`topic-${String(this.#nextTopic++).padStart(10, '0')}`).toString('base64url'))
    const topic: MemoryTopic = { name, id, internal: name.startsWith('__'), partitions: [], configs: new Map() }
    for (let index = 0; index < partitionCount; index += 1) topic.partitions.push(new MemoryPartition(topic, index))
    this.#byName.set(name, topic)
    return topic
  }

  topicByName(name: string): MemoryTopic | undefined {
    return this.#byName.get(name)
  }

  topicById(id: TopicId): MemoryTopic | undefined {
    return [...this.#byName.values()].find((topic) => topic.id === id)
  }

  topics(): Iterable<MemoryTopic> {
    return this.#byName.values()
  }

  async createTopic(topic: NewTopic): Promise<Outcome<TopicView, KafkaFailure>> {
    await this.creationGate
    const nameFault = faultOfNewName(topic.name, this.#byName)
    if (nameFault !== undefined) return fail(nameFault)
    const count = partitionCountOf(topic, partitionRules)
    if (!count.ok) return count
    const made = this.add(topic.name, count.value)
    if (topic.validateOnly) this.#byName.delete(topic.name)
    return succeed(made)
  }

  autoCreateTopic(name: string): Promise<Outcome<TopicView, KafkaFailure>> {
    const none = {
      name,
      partitionCount: -1,
      replicationFactor: -1,
      assignments: new Map(),
      configs: new Map(),
      validateOnly: false,
    }
    return this.createTopic(none)
  }

  deleteTopic(id: TopicId): Promise<Outcome<undefined, KafkaFailure>> {
    const topic = this.topicById(id)
    if (topic === undefined) return Promise.resolve(fail({ errorCode: ErrorCode.UNKNOWN_TOPIC_ID, message: null }))
    this.#byName.delete(topic.name)
    return Promise.resolve(succeed(undefined))
  }

  createPartitions(id: TopicId, totalCount: number, validateOnly: boolean): Promise<Outcome<undefined, KafkaFailure>> {
    const topic = this.topicById(id)!
    if (!validateOnly) {
      for (let index = topic.partitions.length; index < totalCount; index += 1)
        topic.partitions.push(new MemoryPartition(topic, index))
    }
    return Promise.resolve(succeed(undefined))
  }

  async alterTopicConfigs(id: TopicId, change: ConfigChange, validateOnly: boolean): Promise<Outcome<undefined, KafkaFailure>> {
    const topic = this.topicById(id)!
    const changed = change(topic.configs)
    if (!changed.ok) return changed
    await this.creationGate
    if (!validateOnly) topic.configs = changed.value
    return succeed(undefined)
  }

  freshProducerId(): Promise<Outcome<number, KafkaFailure>> {
    return Promise.resolve(succeed(this.#nextProducerId++))
  }

  describeTopicConfigs(): readonly ConfigEntry[] {
    return [config('cleanup.policy', 'delete'), config('retention.ms', '604800000'), config('some.password', 'secret')]
  }

  readonly #resources = new ResourceConfigs()
  readonly configs: ResourceConfigStore = {
    of: (kind, name) => this.#resources.of(kind, name),
    names: (kind) => this.#resources.names(kind),
    alter: async (type, name, change, validateOnly) => {
      const changed = change(this.#resources.of(type, name))
      if (!changed.ok) return changed
      await this.creationGate
      if (!validateOnly) this.#resources.apply({ type, name, configs: Object.fromEntries(changed.value) })
      return succeed(undefined)
    },
  }

  get #layers(): BrokerConfigLayers {
    const of = (name: string) => this.#resources.of('broker', name)
    return { own: of(String(this.nodeId)), all: of(allBrokers), fixed: new Map([['num.partitions', '2']]) }
  }

  describeBrokerConfigs(): readonly ConfigEntry[] {
    return brokerConfigEntries(this.#layers)
  }

  describeAllBrokersConfigs(): readonly ConfigEntry[] {
    return allBrokersConfigEntries(this.#layers.all)
  }

  brokerConfig(name: string): string | undefined {
    return brokerConfigInForce(this.#layers, name)
  }

  brokerConfigSynonyms(name: string): ConfigEntry['synonyms'] {
    return brokerSynonyms(name, this.#layers)
  }
}
