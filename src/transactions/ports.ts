// Owns what the transaction coordinator needs from the broker: the log of `__transaction_state`, markers in partitions, producer ids.

import type { TopicPartition } from './core/transaction.ts'

export interface KeyedRecord {
  readonly key: Uint8Array
  /** Null: a tombstone. */
  readonly value: Uint8Array | null
}

/** The partitions of `__transaction_state`. */
export interface TransactionLog {
  readonly partitionCount: number
  /**
   * Appends records as one batch and resolves with its first offset once that is committed under the topic's durability. Rejects with
   * OpError: then nothing of it is in the log nor will be, except for `closed`, after which the log is loaded anew before it is served.
   */
  append(partition: number, records: readonly KeyedRecord[]): Promise<number>
  /** Records before the offset are no longer needed: what they said was said again. OpError when that could not be stored. */
  trim(partition: number, before: number): Promise<void>
  /** Rises with every node that serves the partition: an older coordinator's markers are refused by it. */
  epochOf(partition: number): number
}

export interface Marker {
  readonly result: 'commit' | 'abort'
  readonly producerId: number
  readonly producerEpoch: number
  readonly coordinatorEpoch: number
}

/** Partitions in which transactions end. */
export interface MarkerSink {
  /**
   * Resolves once the marker is committed; `gone` when there is no such partition any more, `fenced` when the partition has seen a newer
   * epoch of the producer or the coordinator, so that this end is not for it any more. Rejects with OpError: worth another try.
   */
  write(at: TopicPartition, marker: Marker): Promise<'written' | 'gone' | 'fenced'>
}

export interface ProducerIds {
  /** An id that nobody had. OpError when none can be given out now. */
  allocate(): Promise<number>
}
