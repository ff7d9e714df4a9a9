// Owns what the coordinator needs from the broker: the log of `__consumer_offsets` and what topics there are.

import type { TopicId } from '../model/ids.ts'
import type { Producer } from './core/messages.ts'

export interface KeyedRecord {
  readonly key: Uint8Array
  /** Null: a tombstone. */
  readonly value: Uint8Array | null
}

/** A record of `__consumer_offsets` as it is read back from the log. */
export interface LoggedRecord extends KeyedRecord {
  readonly timestampMs: number
  /** Of the batch, if it is transactional: an offset then waits for the end-transaction marker. */
  readonly producerId?: number
}

/** The partitions of `__consumer_offsets`. */
export interface OffsetsLog {
  readonly partitionCount: number
  /**
   * Appends records as one batch, transactional if a producer is named. Resolves when committed under the topic's durability. Rejects
   * with OpError: then nothing of it is in the log nor will be, except for `fenced` and `closed`, after which the partition is stopped
   * and loaded anew before it is served again. The coordinator has one append of a partition on its way at a time, so their order is
   * the log's. The bytes are the log's from here on.
   */
  append(partition: number, records: readonly KeyedRecord[], producer?: Producer): Promise<void>
}

/** Which topics and partitions there are now. */
export interface GroupTopics {
  topicIdOf(name: string): TopicId | undefined
  nameOf(id: string): string | undefined
  partitionExists(name: string, partition: number): boolean
  partitionCountOf(name: string): number | undefined
  /** Of all topics a client's expression may match: not the internal ones. */
  names(): Iterable<string>
  /** Changes whenever topics come, go or grow; may change without. */
  version(): number
}

/** Who is asking, as DescribeGroups shows it. */
export interface ClientFacts {
  readonly clientId: string
  /** Kafka writes a slash before the address. */
  readonly clientHost: string
}
