/** Owns what every client under test must offer to the scenarios, whatever language it is written in. */
import type { RecordTraits, SeenRecord, SentRecord } from './records.ts'

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

export interface ProduceOrder {
  readonly topic: string
  readonly compression: Compression
  readonly idempotent: boolean
  readonly records: readonly SentRecord[]
}

/** One member of a consumer group that reads everything it is given from the earliest offset on. */
export interface Member {
  /** Partitions it holds now. */
  assigned(): readonly number[]
  seen(): readonly SeenRecord[]
  /** Commits what it has seen and leaves the group. */
  leave(): Promise<void>
  /** Ends at once, without a word to the broker; for members that are processes. */
  die?(): Promise<void>
}

export interface Client {
  readonly name: string
  readonly compressions: readonly Compression[]
  readonly traits: RecordTraits
  readonly canBeIdempotent: boolean
  /** Resolves when every record is acknowledged by all replicas; records go to the partitions they name, in order. */
  produce(bootstrap: string, orders: readonly ProduceOrder[]): Promise<void>
  /** Reads exactly `count` records of a topic from its beginning, without a group. */
  consume(bootstrap: string, topic: string, count: number): Promise<readonly SeenRecord[]>
  /** Absent if the client has no groups. */
  join?(bootstrap: string, topic: string, group: string): Promise<Member>
}
