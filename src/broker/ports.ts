// Owns what the broker needs from below: the log's place in the WAL, archived data, and the means to open a batch.

import type { Crc32c } from '../base/crc32c.ts'
import type { Clock } from '../base/clock.ts'
import type { IdSource } from '../base/prng.ts'
import type { Log } from '../base/log.ts'
import type { TakeMemory } from '../base/scratch.ts'
import type { GroupNumber } from '../model/ids.ts'
import type { WalPosition } from '../model/entry.ts'
import type { ReplicatedLog } from '../model/replicated-log.ts'
import type { OpenedBatch, OpenOrder, RefusedBatch } from '../protocol/index.ts'
import type { SegmentFacts } from '../../tiers/segment/core/index.ts'
import type { Extent } from '../../tiers/stream/core/index.ts'

/** The replicator, seen from the broker. */
export interface LogNode {
  open(group: GroupNumber, start: { readonly lastIndex: number; readonly streamedIndex: number }, urgent: boolean): ReplicatedLog
  close(group: GroupNumber): void
  setUrgent(group: GroupNumber, urgent: boolean): void
  /** Where the entry proposed last stands in the WAL. Valid in the same turn only. */
  readonly positionOfLast: WalPosition
  /**
   * Payloads of entries, in the order asked; neighbours share one read, into memory from `take`. OpError `missing` when a file was
   * released meanwhile.
   */
  readMany(positions: readonly WalPosition[], take?: TakeMemory): Promise<Uint8Array[]>
  /** WAL files below this one are gone. */
  readonly oldestFile: number
  /** Calls back once this process may acknowledge (it has not been paused while another life began). */
  whenAllowed(acknowledge: () => void): void
}

export interface ArchivedRun {
  /** Whole batches; the first holds the offset asked for. Empty when there is none. */
  readonly batches: readonly Uint8Array[]
  readonly bytes: number
}

/** Batches that live in the bucket. Reads are cached, in large aligned chunks, one flight each. */
export interface Archive {
  readSegment(segment: SegmentFacts, offset: number, maxBytes: number): Promise<ArchivedRun>
  readExtent(extent: Extent, offset: number, maxBytes: number): Promise<ArchivedRun>
  /**
   * The first batch that ends after offset `from` and may hold a record at or after the timestamp; undefined when none can. A header
   * can promise more than its records hold: then ask again from `endOffset`.
   */
  segmentBatchAt(
    segment: SegmentFacts,
    timestampMs: number,
    from: number,
  ): Promise<{ readonly batch: Uint8Array; readonly endOffset: number } | undefined>
  /** Objects nobody refers to any more: dropped from the caches now. */
  forget(key: string): void
}

/** Opens a batch to find its first record at or after both a timestamp and an offset. */
export type FindByTimestamp = (
  batch: Uint8Array,
  timestampMs: number,
  startOffset: number,
) => { readonly offset: number; readonly timestampMs: number } | undefined

/**
 * Opens a batch off the event loop: judges its records, and packs them anew where that is asked for. The order's bytes stay the caller's
 * and are not written. OpError `closed` when the node ends before.
 */
export type OpenRecords = (order: OpenOrder) => Promise<OpenedBatch | RefusedBatch>

export interface BrokerWorld {
  readonly clock: Clock
  readonly log: Log
  readonly idSource: IdSource
  readonly crc32c: Crc32c
  readonly logs: LogNode
  readonly archive: Archive
  readonly findByTimestamp: FindByTimestamp
  readonly openRecords: OpenRecords
}
