// Owns what the Kafka front (src/server) may ask of the broker: the interface between handlers and the state behind them. Not
// how any of it is done.

import type { Outcome } from '../base/outcome.ts'
import type { AclRecord, Acls } from './core/acls.ts'
import type { ClientQuotas, QuotaChange } from './core/client-quotas.ts'
import type { ConfiguredKind } from './core/resource-configs.ts'
import type { ScramChange, ScramCredentialsOfUser } from './core/scram-credentials.ts'
import type { LeaderEpoch, NodeId, Offset, PartitionIndex, TopicId } from '../model/ids.ts'

/** Kafka's own error, ready for an answer. */
export interface KafkaFailure {
  readonly errorCode: number
  readonly message: string | null
}

export interface TopicView {
  readonly name: string
  readonly id: TopicId
  /** `__consumer_offsets` and its like. */
  readonly internal: boolean
  /** Indexed by partition. */
  readonly partitions: readonly PartitionView[]
  /** Only what was set on the topic itself, by Kafka's config names. */
  readonly configs: ReadonlyMap<string, string>
}

/** A record of a refused batch, by its place in it, and what is wrong with it (KIP-467). */
export interface RecordError {
  readonly batchIndex: number
  readonly message: string
}

/** What an append was answered with. `done` is called exactly once, possibly before `append` returns. */
export type AppendResult =
  | { readonly kind: 'appended'; readonly baseOffset: Offset; readonly logAppendTimeMs: number; readonly logStartOffset: Offset }
  | {
      readonly kind: 'error'
      readonly errorCode: number
      readonly message: string | null
      /** Where single records are to blame; empty otherwise. */
      readonly recordErrors: readonly RecordError[]
      readonly logStartOffset: Offset
    }

export interface AppendRequest {
  /** One record batch as it came off the socket. Owned by the broker from here on: it is stamped in place and kept by reference. */
  readonly records: Uint8Array
  /** 0: `done` is called as soon as the batch is admitted; 1 and −1: when it is durable as the topic demands. */
  readonly acks: -1 | 0 | 1
  /** Written by a coordinator of this broker: it names the producer it writes for, and counts no sequence. */
  readonly byCoordinator?: boolean
}

/** Ends a producer's transaction on a partition (KIP-98). */
export interface MarkerRequest {
  readonly result: 'commit' | 'abort'
  readonly producerId: number
  readonly producerEpoch: number
  readonly coordinatorEpoch: number
}

export interface ReadRequest {
  readonly offset: Offset
  readonly maxBytes: number
  /** At least one batch is returned even if it is larger than `maxBytes`. */
  readonly minOneBatch: boolean
  /** Nothing beyond the last stable offset, and told which transactions were aborted (`read_committed`). */
  readonly committedOnly?: boolean
}

/** A transaction whose records a reader of committed ones leaves out, from `firstOffset` to its marker. */
export interface AbortedRange {
  readonly producerId: number
  readonly firstOffset: number
}

export type ReadResult =
  | {
      readonly kind: 'records'
      /** Whole batches, by reference; empty at the end of the log. The first may begin before `offset`. */
      readonly batches: readonly Uint8Array[]
      readonly bytes: number
      /** Of the batches, where `committedOnly` was asked for. */
      readonly aborted: readonly AbortedRange[]
      readonly highWatermark: Offset
      readonly lastStableOffset: Offset
      readonly logStartOffset: Offset
    }
  | { readonly kind: 'error'; readonly errorCode: number; readonly highWatermark: Offset; readonly logStartOffset: Offset }

export interface OffsetAndTimestamp {
  readonly offset: Offset
  readonly timestampMs: number
  readonly leaderEpoch: LeaderEpoch
}

/** Where the records of a leader epoch end (KIP-320). */
export interface EpochEnd {
  readonly leaderEpoch: number
  readonly endOffset: number
}

/** An idempotent producer as a partition remembers it. */
export interface ActiveProducer {
  readonly producerId: number
  readonly producerEpoch: number
  /** −1 after a marker that raised the epoch. */
  readonly lastSequence: number
  readonly lastTimestampMs: number
  /** Of the coordinator that ended its last transaction; −1: none did. */
  readonly coordinatorEpoch: number
  /** Where its open transaction begins; −1: none is open. */
  readonly transactionStartOffset: number
}

export interface PartitionView {
  readonly topicId: TopicId
  readonly topicName: string
  readonly index: PartitionIndex
  readonly leaderEpoch: LeaderEpoch
  readonly logStartOffset: Offset
  /** The first offset still outside tiered storage, Kafka's local log start. */
  readonly localLogStartOffset: Offset
  readonly highWatermark: Offset
  readonly lastStableOffset: Offset
  readonly logEndOffset: Offset
  /** The end of what is archived in segments, or −1 when nothing is (Kafka's LATEST_TIERED is this minus one). */
  readonly archivedEndOffset: number
  append(request: AppendRequest, done: (result: AppendResult) => void): void
  /** Appends the marker that ends a producer's transaction; `done` as of `append`. */
  appendMarker(marker: MarkerRequest, done: (result: AppendResult) => void): void
  /** Does the partition know an open transaction of this producer in this epoch? */
  isInTransaction(producerId: number, producerEpoch: number): boolean
  /** Answers at once from memory, or by a promise when the WAL file or the bucket has to be read. */
  read(request: ReadRequest): ReadResult | Promise<ReadResult>
  /** The first record at or after the timestamp; undefined when there is none. */
  offsetForTimestamp(timestampMs: number): Promise<OffsetAndTimestamp | undefined>
  offsetOfMaxTimestamp(): Promise<OffsetAndTimestamp | undefined>
  /**
   * Gives up every record below `before` (−1: all that are visible). Answers the log start once that is committed; refuses what lies
   * beyond the high watermark, and topics whose cleanup policy does not delete.
   */
  deleteRecords(before: number): Promise<Outcome<Offset, KafkaFailure>>
  /** As `deleteRecords`, whatever the cleanup policy says: for a coordinator that needs no more what lies before. OpError. */
  startAt(before: Offset): Promise<void>
  /** As Kafka's epoch cache answers it; undefined for an epoch that this log has not reached. */
  endOfEpoch(epoch: number): EpochEnd | undefined
  activeProducers(): Iterable<ActiveProducer>
  /** Bytes of all records, in whichever tier. */
  readonly sizeBytes: number
  /** Calls back once when the high watermark passes `offset`, or the partition goes away. Returns how to stop listening. */
  onReadableBeyond(offset: Offset, callback: () => void): () => void
}

export interface NewTopic {
  readonly name: string
  /** −1 asks for the broker's default. */
  readonly partitionCount: number
  /** −1 asks for the broker's default. Standalone knows only 1. */
  readonly replicationFactor: number
  /** Replica ids by partition; empty when the broker is to place them. */
  readonly assignments: ReadonlyMap<number, readonly number[]>
  readonly configs: ReadonlyMap<string, string | null>
  readonly validateOnly: boolean
}

/** The configs a topic is to have, from those set on it now; a failure refuses the change. */
export type ConfigChange = (own: ReadonlyMap<string, string>) => Outcome<ReadonlyMap<string, string>, KafkaFailure>

/** One config as DescribeConfigs shows it. */
export interface ConfigEntry {
  readonly name: string
  readonly value: string | null
  readonly readOnly: boolean
  readonly isDefault: boolean
  /** Kafka's ConfigSource code. */
  readonly source: number
  readonly sensitive: boolean
  /** Kafka's ConfigType code. */
  readonly type: number
  readonly documentation: string | null
  readonly synonyms: ReadonlyArray<{ readonly name: string; readonly value: string | null; readonly source: number }>
}

/** The users of SASL SCRAM, as the cluster's metadata has them. */
export interface ScramUsers {
  of(user: string): ScramCredentialsOfUser | undefined
  users(): Iterable<string>
  /** All of them at once, answered when they are in the bucket. */
  alter(changes: readonly ScramChange[]): Promise<Outcome<undefined, KafkaFailure>>
}

/** The ACLs of the cluster. */
export interface AclStore {
  /** For reading. */
  readonly set: Acls
  /** Answered when the change is in the bucket. */
  alter(additions: readonly AclRecord[], removals: readonly AclRecord[]): Promise<Outcome<undefined, KafkaFailure>>
}

/** The quotas of clients. */
export interface QuotaStore {
  /** For reading. */
  readonly set: ClientQuotas
  /** All of them at once, answered when they are in the bucket. */
  alter(changes: readonly QuotaChange[]): Promise<Outcome<undefined, KafkaFailure>>
}

/** Configs set while running, of what is no topic. Which names and values are good, the caller's change says. */
export interface ResourceConfigStore {
  /** What is set on the resource itself; of brokers, the empty name means all of them. */
  of(kind: ConfiguredKind, name: string): ReadonlyMap<string, string>
  /** Those that have any. */
  names(kind: ConfiguredKind): Iterable<string>
  /** Changes are made one after the other; answered when they are in the bucket and in force. */
  alter(
    kind: ConfiguredKind,
    name: string,
    change: ConfigChange,
    validateOnly: boolean,
  ): Promise<Outcome<undefined, KafkaFailure>>
}

export interface Broker {
  readonly clusterId: string
  readonly nodeId: NodeId
  /** The topic, or undefined. */
  topicByName(name: string): TopicView | undefined
  topicById(id: TopicId): TopicView | undefined
  topics(): Iterable<TopicView>
  createTopic(topic: NewTopic): Promise<Outcome<TopicView, KafkaFailure>>
  /** Creates it with the broker's defaults; joins a creation already under way. Internal topics get their own configs. */
  autoCreateTopic(name: string): Promise<Outcome<TopicView, KafkaFailure>>
  deleteTopic(id: TopicId): Promise<Outcome<undefined, KafkaFailure>>
  createPartitions(topic: TopicId, totalCount: number, validateOnly: boolean): Promise<Outcome<undefined, KafkaFailure>>
  /** Changes of one topic's configs are made one after the other, each from what the one before left. */
  alterTopicConfigs(topic: TopicId, change: ConfigChange, validateOnly: boolean): Promise<Outcome<undefined, KafkaFailure>>
  /** A producer id that nobody had. */
  freshProducerId(): Promise<Outcome<number, KafkaFailure>>
  describeTopicConfigs(topic: TopicView): readonly ConfigEntry[]
  describeBrokerConfigs(): readonly ConfigEntry[]
  /** What is set for all brokers. */
  describeAllBrokersConfigs(): readonly ConfigEntry[]
  /** By Kafka's name; undefined: its default. */
  brokerConfig(name: string): string | undefined
  /** Of its values, the strongest first. */
  brokerConfigSynonyms(name: string): ConfigEntry['synonyms']
  readonly configs: ResourceConfigStore
  readonly scram: ScramUsers
  readonly acls: AclStore
  readonly quotas: QuotaStore
  /** False until recovery has finished and after shutdown has begun. */
  readonly serving: boolean
}
