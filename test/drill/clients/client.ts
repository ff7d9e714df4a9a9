/** Owns what the drill asks of a Kafka client: send some loads, and read as a group. Not how a library does it. */
import type { DrillRecord, LoadOrder } from '../data/topic-set.ts'

export interface Batch {
  readonly load: LoadOrder
  readonly records: readonly DrillRecord[]
}

export interface ProducingClient {
  /** Resolves when every record is acknowledged by all. Batches of one load arrive in order and are stored in order. */
  produce(bootstrap: string, loads: readonly LoadOrder[], batches: Iterable<Batch>): Promise<void>
}

export interface GroupOrder {
  readonly bootstrap: string
  readonly group: string
  readonly topics: readonly string[]
  /** Leaves as soon as it has seen so many records. */
  readonly count: number
  /** Committed beside every offset. */
  readonly note: string
  readonly timeoutMs: number
}

export interface GroupOutcome {
  readonly seen: number
  /** The first and the last offset seen, by `topic-partition`. */
  readonly first: Readonly<Record<string, number>>
  readonly last: Readonly<Record<string, number>>
}

export interface ConsumingClient {
  consume(order: GroupOrder): Promise<GroupOutcome>
}
