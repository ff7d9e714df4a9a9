// Owns the broker of a standalone node: the live topics and partitions over the metadata machine, and carrying out changes of
// metadata through its log. Not the wire (src/server), not groups (src/groups), not how the state came to be (recovery).
//
// A change of metadata takes effect when it is in the bucket (design: metadata is always bucket-durable), then it is answered.

import { assertDefined } from '../base/assert.ts'
import type { OpError } from '../base/op-error.ts'
import { fail, type Outcome, succeed } from '../base/outcome.ts'
import { freshUuidText } from '../base/uuid-text.ts'
import { type GroupNumber, type LogIndex, metadataGroup, type NodeId, topicId, type TopicId } from '../model/ids.ts'
import type { CommitListener, ReplicatedLog } from '../model/replicated-log.ts'
import { ErrorCode } from '../protocol/index.ts'
import type {
  AclStore,
  Broker,
  ConfigChange,
  ConfigEntry,
  KafkaFailure,
  NewTopic,
  QuotaStore,
  ResourceConfigStore,
  ScramUsers,
  TopicView,
} from './api.ts'
import { allBrokersConfigEntries, brokerConfigEntries, brokerSynonyms, topicConfigEntries } from './config-view.ts'
import { brokerConfigInForce, type BrokerConfigLayers, topicDefaultsInForce } from './core/broker-configs.ts'
import type { ClusterChange, ClusterCommand, ClusterState, TopicRecord } from './core/cluster-state.ts'
import { allBrokers, type ConfiguredKind } from './core/resource-configs.ts'
import { kafkaFailure } from './failures.ts'
import { type Forgotten, PartitionState } from './core/partition-state.ts'
import type { TailBatch } from './core/tail-index.ts'
import { checkTopicConfigs, resolveTopicSettings } from './core/topic-settings.ts'
import { HotCache } from './hot-cache.ts'
import { type InternalTopic, isInternalTopic } from './internal-topics.ts'
import { MetadataLog } from './metadata-log.ts'
import { faultOfNewName, partitionCountOf } from './new-topic.ts'
import { Partition } from './partition/partition.ts'
import type { BrokerWorld } from './ports.ts'

/** Producer ids are given out in blocks, one metadata entry a block (as Kafka's controller does). */
const producerIdBlock = 1000
/** More partitions than this in one request is a slip of the finger. */
const partitionsPerTopicMax = 10_000

export interface BrokerSettings {
  readonly nodeId: NodeId
  readonly clusterId: string
  readonly numPartitions: number
  /** How many each has, or is to have. */
  readonly internalPartitions: Readonly<Record<InternalTopic, number>>
  readonly hotBytes: number
  /** Defaults of topic configs, by Kafka's names. */
  readonly topicDefaults: ReadonlyMap<string, string>
  /** The broker's own configs as clients may see them, by Kafka's names. */
  readonly brokerConfigs: ReadonlyMap<string, string>
}

/** A partition as recovery left it. */
export interface StartingPartition {
  readonly state: PartitionState
  readonly streamedIndex: number
  readonly tail: readonly TailBatch[]
}

export interface BrokerStart {
  readonly cluster: ClusterState
  readonly metadata: { readonly lastIndex: number; readonly streamedIndex: number }
  readonly partitions: ReadonlyMap<GroupNumber, StartingPartition>
}

export interface BrokerEvents {
  onForgotten(forgotten: Forgotten): void
  onTopicCreated(topic: TopicView): void
  onTopicDeleted(topic: TopicView): void
}

interface LiveTopic extends TopicView {
  readonly record: TopicRecord
  readonly partitions: readonly Partition[]
}

export class StandaloneBroker implements Broker, CommitListener {
  readonly clusterId: string
  readonly nodeId: NodeId
  serving = false
  readonly scram: ScramUsers
  readonly acls: AclStore
  readonly quotas: QuotaStore
  readonly configs: ResourceConfigStore
  readonly #settings: BrokerSettings
  readonly #world: BrokerWorld
  readonly #events: BrokerEvents
  readonly #cluster: ClusterState
  readonly #hot: HotCache
  readonly #byName = new Map<string, LiveTopic>()
  readonly #byId = new Map<TopicId, LiveTopic>()
  readonly #partitions = new Map<GroupNumber, Partition>()
  /** Who a group is, also after its topic was deleted: entries on their way to the bucket still name it. */
  readonly #identities = new Map<GroupNumber, { readonly topicId: TopicId; readonly partition: number }>()
  readonly #creating = new Map<string, Promise<Outcome<TopicView, KafkaFailure>>>()
  readonly #metadataLog: ReplicatedLog
  readonly #metadata: MetadataLog
  #producerIds: { next: number; end: number } = { next: 0, end: 0 }
  #topicDefaults: ReadonlyMap<string, string>
  #altering: Promise<void> = Promise.resolve()
  #allocating: Promise<Outcome<undefined, KafkaFailure>> | undefined

  constructor(
    settings: BrokerSettings,
    parts: { readonly world: BrokerWorld; readonly events: BrokerEvents; readonly start: BrokerStart },
  ) {
    this.#settings = settings
    this.clusterId = settings.clusterId
    this.nodeId = settings.nodeId
    this.#world = parts.world
    this.#events = parts.events
    this.#cluster = parts.start.cluster
    this.#hot = new HotCache(settings.hotBytes)
    this.scram = {
      of: (user) => this.#cluster.scram.of(user),
      users: () => this.#cluster.scram.users(),
      alter: (changes) => this.#alter({ kind: 'alter-scram-credentials', changes }),
    }
    this.acls = {
      set: this.#cluster.acls,
      alter: (additions, removals) => this.#alter({ kind: 'alter-acls', additions, removals }),
    }
    this.quotas = {
      set: this.#cluster.quotas,
      alter: (changes) => this.#alter({ kind: 'alter-client-quotas', changes }),
    }
    this.configs = {
      of: (kind, name) => this.#cluster.configs.of(kind, name),
      names: (kind) => this.#cluster.configs.names(kind),
      alter: (kind, name, change, validateOnly) =>
        this.#inTurn(() => this.#alterResourceConfigs({ kind, name }, change, validateOnly)),
    }
    this.#topicDefaults = topicDefaultsInForce(this.#layers, settings.topicDefaults)
    this.#metadataLog = this.#world.logs.open(metadataGroup, parts.start.metadata, true)
    this.#metadata = new MetadataLog({
      log: this.#metadataLog,
      cluster: this.#cluster,
      appliedIndex: parts.start.metadata.lastIndex,
      onChange: (change) => {
        this.#live(change)
      },
    })
    for (const record of this.#cluster.topics()) this.#bring(record, parts.start.partitions)
  }

  // --- what there is

  topicByName(name: string): TopicView | undefined {
    return this.#byName.get(name)
  }

  topicById(id: TopicId): TopicView | undefined {
    return this.#byId.get(id)
  }

  topics(): Iterable<TopicView> {
    return this.#byName.values()
  }

  partitions(): Iterable<Partition> {
    return this.#partitions.values()
  }

  get partitionCount(): number {
    return this.#partitions.size
  }

  get hotBytes(): number {
    return this.#hot.bytes
  }

  partition(group: GroupNumber): Partition | undefined {
    return this.#partitions.get(group)
  }

  /** The group of a partition, for who keeps state by group. */
  groupOf(topic: string, partition: number): GroupNumber | undefined {
    return this.#byName.get(topic)?.record.groups[partition]
  }

  identityOf(group: GroupNumber): { readonly topicId: TopicId; readonly partition: number } | undefined {
    return this.#identities.get(group)
  }

  /** Changes with every change of topics. */
  get metadataVersion(): number {
    return this.#metadata.appliedIndex
  }

  /** The metadata machine after the last entry that is in the bucket. */
  metadataSnapshot(): { readonly appliedIndex: number; readonly bytes: Uint8Array } {
    return { appliedIndex: this.#metadata.appliedIndex, bytes: this.#cluster.snapshot() }
  }

  describeTopicConfigs(topic: TopicView): readonly ConfigEntry[] {
    return topicConfigEntries(topic.configs, this.#layers, this.#settings.topicDefaults)
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

  get #layers(): BrokerConfigLayers {
    const { configs } = this.#cluster
    const { nodeId, brokerConfigs: fixed } = this.#settings
    return { own: configs.of('broker', String(nodeId)), all: configs.of('broker', allBrokers), fixed }
  }

  // --- changes of metadata

  async createTopic(topic: NewTopic): Promise<Outcome<TopicView, KafkaFailure>> {
    const planned = this.#planTopic(topic)
    if (!planned.ok) return planned
    const { command } = planned.value
    if (topic.validateOnly) return succeed(planned.value.preview)
    const outcome = await this.#metadata.execute(command)
    if (!outcome.ok) return outcome
    return succeed(assertDefined(this.#byName.get(topic.name), 'a created topic is there'))
  }

  autoCreateTopic(name: string): Promise<Outcome<TopicView, KafkaFailure>> {
    const present = this.#byName.get(name)
    if (present !== undefined) return Promise.resolve(succeed(present))
    const underWay = this.#creating.get(name)
    if (underWay !== undefined) return underWay
    const internal = isInternalTopic(name)
    const creation = this.createTopic({
      name,
      partitionCount: -1,
      replicationFactor: -1,
      assignments: new Map(),
      configs: internal ? new Map([['cleanup.policy', 'compact']]) : new Map(),
      validateOnly: false,
    })
      .then((outcome) => {
        const made = this.#byName.get(name)
        return made === undefined ? outcome : succeed(made)
      })
      .finally(() => {
        this.#creating.delete(name)
      })
    this.#creating.set(name, creation)
    return creation
  }

  async deleteTopic(id: TopicId): Promise<Outcome<undefined, KafkaFailure>> {
    if (this.#byId.get(id)?.internal === true) {
      return fail(
        kafkaFailure(
          ErrorCode.INVALID_TOPIC_EXCEPTION,
          'Internal topics cannot be deleted: they hold the state of groups and transactions',
        ),
      )
    }
    const outcome = await this.#metadata.execute({ kind: 'delete-topic', id })
    return outcome.ok ? succeed(undefined) : outcome
  }

  async createPartitions(id: TopicId, totalCount: number, validateOnly: boolean): Promise<Outcome<undefined, KafkaFailure>> {
    const topic = this.#byId.get(id)
    if (topic === undefined) return fail(kafkaFailure(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
    if (topic.internal) {
      const why = 'Internal topics keep their number of partitions: groups and transactions are placed by it'
      return fail(kafkaFailure(ErrorCode.INVALID_TOPIC_EXCEPTION, why))
    }
    const has = topic.partitions.length
    if (totalCount <= has || totalCount > partitionsPerTopicMax) {
      const why =
        totalCount === has
          ? `Topic already has ${has} partition(s).`
          : totalCount < has
            ? `The topic ${topic.name} currently has ${has} partition(s); ${totalCount} would not be an increase.`
            : `At most ${partitionsPerTopicMax} partitions a topic, not ${totalCount}.`
      return fail(kafkaFailure(ErrorCode.INVALID_PARTITIONS, why))
    }
    if (validateOnly) return succeed(undefined)
    const outcome = await this.#metadata.execute({ kind: 'create-partitions', id, partitionCount: totalCount })
    return outcome.ok ? succeed(undefined) : outcome
  }

  alterTopicConfigs(id: TopicId, change: ConfigChange, validateOnly: boolean): Promise<Outcome<undefined, KafkaFailure>> {
    return this.#inTurn(() => this.#alterTopicConfigs(id, change, validateOnly))
  }

  /** Changes of configs are made from what the one before left. */
  #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const done = this.#altering.then(work)
    this.#altering = done.then(
      () => undefined,
      // Told to whoever asked.
      () => undefined,
    )
    return done
  }

  async #alterResourceConfigs(
    { kind, name }: { readonly kind: ConfiguredKind; readonly name: string },
    change: ConfigChange,
    validateOnly: boolean,
  ): Promise<Outcome<undefined, KafkaFailure>> {
    const own = this.#cluster.configs.of(kind, name)
    const wanted = change(own)
    if (!wanted.ok) return wanted
    if (validateOnly || sameConfigs(wanted.value, own)) return succeed(undefined)
    const configs = Object.fromEntries(wanted.value)
    const outcome = await this.#metadata.execute({ kind: 'alter-resource-configs', type: kind, name, configs })
    return outcome.ok ? succeed(undefined) : outcome
  }

  async #alterTopicConfigs(id: TopicId, change: ConfigChange, validateOnly: boolean): Promise<Outcome<undefined, KafkaFailure>> {
    const topic = this.#byId.get(id)
    if (topic === undefined) return fail(kafkaFailure(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
    const wanted = change(topic.configs)
    if (!wanted.ok) return wanted
    const configs = checkTopicConfigs(wanted.value)
    if (!configs.ok) return refused(ErrorCode.INVALID_CONFIG, configs.failure)
    if (validateOnly || sameConfigs(configs.value, topic.configs)) return succeed(undefined)
    const outcome = await this.#metadata.execute({ kind: 'alter-topic-configs', id, configs: Object.fromEntries(configs.value) })
    return outcome.ok ? succeed(undefined) : outcome
  }

  async freshProducerId(): Promise<Outcome<number, KafkaFailure>> {
    while (this.#producerIds.next >= this.#producerIds.end) {
      this.#allocating ??= this.#allocate().finally(() => {
        this.#allocating = undefined
      })
      const allocated = await this.#allocating
      if (!allocated.ok) return allocated
    }
    const producerId = this.#producerIds.next
    this.#producerIds.next += 1
    return succeed(producerId)
  }

  // --- told by the log

  onCommitted(group: GroupNumber, index: LogIndex): void {
    if (group !== metadataGroup) this.#partitions.get(group)?.onCommitted(index)
  }

  onStreamed(group: GroupNumber, index: LogIndex): void {
    if (group === metadataGroup) this.#metadata.onStreamed(index)
    else this.#partitions.get(group)?.onStreamed(index)
  }

  /** An orderly end begins: clients are sent elsewhere, what is under way goes on. */
  stop(): void {
    this.serving = false
  }

  /** The log goes on no more (the WAL died, another life began): everyone who waits is told, nothing is acknowledged from here on. */
  abandon(reason: OpError): void {
    this.serving = false
    this.#metadata.abandon(reason)
    for (const partition of this.#partitions.values()) partition.leave(ErrorCode.NOT_LEADER_OR_FOLLOWER)
  }

  // --- inside

  async #allocate(): Promise<Outcome<undefined, KafkaFailure>> {
    const outcome = await this.#metadata.execute({ kind: 'allocate-producer-ids', count: producerIdBlock })
    if (!outcome.ok) return outcome
    if (outcome.value.kind === 'producer-ids-allocated') {
      this.#producerIds = { next: outcome.value.first, end: outcome.value.first + outcome.value.count }
    }
    return succeed(undefined)
  }

  #planTopic(topic: NewTopic): Outcome<{ readonly command: ClusterCommand; readonly preview: TopicView }, KafkaFailure> {
    const nameFault = faultOfNewName(topic.name, this.#byName)
    if (nameFault !== undefined) return fail(nameFault)
    const counted = partitionCountOf(topic, { ...this.#settings, partitionsPerTopicMax })
    if (!counted.ok) return counted
    const configs = checkTopicConfigs(topic.configs)
    if (!configs.ok) return refused(ErrorCode.INVALID_CONFIG, configs.failure)
    const id = topicId(freshUuidText(this.#world.idSource))
    const internal = isInternalTopic(topic.name)
    const command = {
      kind: 'create-topic' as const,
      name: topic.name,
      id,
      internal,
      partitionCount: counted.value,
      configs: Object.fromEntries(configs.value),
    }
    // What validate-only answers with: a topic that is not there.
    const settings = resolveTopicSettings(configs.value, this.#topicDefaults)
    const partitions = Array.from({ length: counted.value }, (_, index) =>
      this.#preview(topic.name, new PartitionState(id, index), settings),
    )
    return succeed({ command, preview: { name: topic.name, id, internal, partitions, configs: configs.value } })
  }

  #preview(topicName: string, state: PartitionState, settings: Partition['settings']): Partition {
    return new Partition({
      topicName,
      state,
      log: this.#metadataLog,
      settings,
      world: this.#world,
      hot: this.#hot,
      onForgotten: () => undefined,
    })
  }

  async #alter(command: ClusterCommand): Promise<Outcome<undefined, KafkaFailure>> {
    const outcome = await this.#metadata.execute(command)
    return outcome.ok ? succeed(undefined) : outcome
  }

  /** A change was applied: the live topics follow. */
  #live(change: ClusterChange): void {
    switch (change.kind) {
      case 'topic-created':
        this.#events.onTopicCreated(this.#bring(change.topic, new Map()))
        return
      case 'partitions-created': {
        this.#bring(change.topic, new Map())
        return
      }
      case 'topic-deleted': {
        const topic = assertDefined(this.#byId.get(change.topic.id), 'a deleted topic was there')
        this.#byId.delete(topic.id)
        this.#byName.delete(topic.name)
        topic.record.groups.forEach((group) => {
          const partition = assertDefined(this.#partitions.get(group), 'a topic has its partitions')
          this.#partitions.delete(group)
          this.#world.logs.close(group)
          partition.leave(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
          this.#events.onForgotten({ segments: partition.state.segments, extents: partition.state.extents })
        })
        this.#events.onTopicDeleted(topic)
        return
      }
      case 'topic-configs-altered':
        this.#configure(this.#bring(change.topic, new Map()))
        return
      case 'resource-configs-altered':
        if (change.resource.type !== 'broker') return
        this.#topicDefaults = topicDefaultsInForce(this.#layers, this.#settings.topicDefaults)
        for (const topic of this.#byName.values()) this.#configure(topic)
        return
      case 'producer-ids-allocated':
      case 'scram-credentials-altered':
      case 'acls-altered':
      case 'client-quotas-altered':
        return
    }
  }

  #configure({ record, partitions }: LiveTopic): void {
    const settings = resolveTopicSettings(record.configs, this.#topicDefaults)
    record.groups.forEach((group, index) => {
      this.#world.logs.setUrgent(group, settings.durability === 'bucket')
      assertDefined(partitions[index], 'a topic has its partitions').configure(settings)
    })
  }

  #bring(record: TopicRecord, starting: ReadonlyMap<GroupNumber, StartingPartition>): LiveTopic {
    const settings = resolveTopicSettings(record.configs, this.#topicDefaults)
    const partitions = record.groups.map((group, index) => {
      return this.#partitions.get(group) ?? this.#open(record, { group, index, settings, starting: starting.get(group) })
    })
    const { name, id, internal, configs } = record
    const topic = { record, name, id, internal, partitions, configs }
    this.#byName.set(name, topic)
    this.#byId.set(id, topic)
    return topic
  }

  #open(
    record: TopicRecord,
    at: {
      readonly group: GroupNumber
      readonly index: number
      readonly settings: Partition['settings']
      readonly starting: StartingPartition | undefined
    },
  ): Partition {
    const { group, index, settings, starting } = at
    const state = starting?.state ?? new PartitionState(record.id, index)
    this.#identities.set(group, { topicId: record.id, partition: index })
    const start = { lastIndex: state.lastIndex, streamedIndex: starting?.streamedIndex ?? 0 }
    const log = this.#world.logs.open(group, start, settings.durability === 'bucket')
    const onForgotten = (forgotten: Forgotten): void => {
      this.#events.onForgotten(forgotten)
    }
    const partition = new Partition({
      topicName: record.name,
      state,
      log,
      settings,
      world: this.#world,
      hot: this.#hot,
      onForgotten,
    })
    for (const batch of starting?.tail ?? []) partition.recoverTail(batch)
    this.#partitions.set(group, partition)
    return partition
  }
}

const sameConfigs = (one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean =>
  one.size === other.size && [...one].every(([name, value]) => other.get(name) === value)

const refused = (errorCode: number, message: string): Outcome<never, KafkaFailure> => fail(kafkaFailure(errorCode, message))
