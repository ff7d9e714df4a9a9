// Owns reading a partition's log from whichever tier holds the offset: memory, the WAL file, a WAL object, a segment. Not which
// offsets may be seen (partition.ts).

import { assert } from '../../base/assert.ts'
import { isOpError, OpError } from '../../base/op-error.ts'
import type { TakeMemory } from '../../base/scratch.ts'
import { baseOffsetOf, batchBytesOf, lastOffsetOf } from '../../protocol/index.ts'
import type { WalPosition } from '../../model/entry.ts'
import type { SegmentFacts } from '../../../tiers/segment/core/index.ts'
import type { Extent } from '../../../tiers/stream/core/index.ts'
import { firstEndingAfter, type PartitionState } from '../core/partition-state.ts'
import type { TailIndex } from '../core/tail-index.ts'
import type { Archive, ArchivedRun, LogNode } from '../ports.ts'

export interface ReadRange {
  readonly offset: number
  /** Nothing that begins at or after this offset. */
  readonly endOffset: number
  readonly maxBytes: number
  readonly minOneBatch: boolean
  /** Memory for what must be read from the WAL's files; fresh memory when absent. */
  readonly take?: TakeMemory | undefined
}

interface TimeStep {
  readonly batches: readonly Uint8Array[]
  /** Everything below was looked at. */
  readonly next: number
}

const nothing: ArchivedRun = { batches: [], bytes: 0 }

export class LogReader {
  readonly #state: PartitionState
  readonly #tail: TailIndex
  readonly #logs: LogNode
  readonly #archive: Archive

  constructor(parts: {
    readonly state: PartitionState
    readonly tail: TailIndex
    readonly logs: LogNode
    readonly archive: Archive
  }) {
    this.#state = parts.state
    this.#tail = parts.tail
    this.#logs = parts.logs
    this.#archive = parts.archive
  }

  read(range: ReadRange): ArchivedRun | Promise<ArchivedRun> {
    const first = this.#tail.firstOffset
    if (first !== undefined && range.offset >= first) return this.#readTail(range)
    return this.#readArchive(range)
  }

  #readTail(range: ReadRange): ArchivedRun | Promise<ArchivedRun> {
    const batches: Uint8Array[] = []
    let bytes = 0
    for (let place = this.#tail.find(range.offset); place < this.#tail.count; place += 1) {
      const length = this.#tail.lengthAt(place)
      if (this.#tail.endOffsetAt(place) > range.endOffset) break
      if (bytes + length > range.maxBytes && (bytes > 0 || !range.minOneBatch)) break
      const payload = this.#tail.payloadAt(place)
      if (payload === undefined) return bytes > 0 ? { batches, bytes } : this.#readWal(place, range)
      batches.push(payload)
      bytes += length
    }
    return { batches, bytes }
  }

  async #readWal(from: number, range: ReadRange): Promise<ArchivedRun> {
    const positions: WalPosition[] = []
    let bytes = 0
    for (let place = from; place < this.#tail.count && this.#tail.payloadAt(place) === undefined; place += 1) {
      const length = this.#tail.lengthAt(place)
      if (this.#tail.endOffsetAt(place) > range.endOffset) break
      if (bytes + length > range.maxBytes && (bytes > 0 || !range.minOneBatch)) break
      positions.push(this.#tail.batch(place).position)
      bytes += length
    }
    try {
      return { batches: await this.#logs.readMany(positions, range.take), bytes }
    } catch (error) {
      if (!isOpError(error, 'missing')) throw error
      // The file was released while we read: what it held is in the bucket.
      return this.#readArchive(range)
    }
  }

  async #readArchive(range: ReadRange): Promise<ArchivedRun> {
    for (let { offset } = range; offset < range.endOffset;) {
      const first = this.#tail.firstOffset
      // Only behind a hole: a tail whose file went while it was read sends its reader here.
      if (offset > range.offset && first !== undefined && offset >= first) return this.#readTail({ ...range, offset })
      const { segment, extent } = this.#pieceAt(offset)
      // As Kafka: the first batch is delivered even when it is larger than asked for; without that, only what fits.
      const run = await (segment === undefined
        ? this.#archive.readExtent(extent, offset, range.maxBytes)
        : this.#archive.readSegment(segment, offset, range.maxBytes))
      if (run.batches.length > 0) {
        const clipped = clip(run, range.endOffset)
        return !range.minOneBatch && clipped.bytes > range.maxBytes ? nothing : clipped
      }
      // A compacted segment may end with a hole.
      offset = (segment ?? extent).endOffset
    }
    return nothing
  }

  /** Where in the bucket the offset lies. A hole is damage: it is named, never read past. */
  #pieceAt(
    offset: number,
  ): { readonly segment: SegmentFacts; readonly extent?: never } | { readonly segment?: never; readonly extent: Extent } {
    const segment = firstEndingAfter(this.#state.segments, offset)
    if (segment !== undefined && segment.baseOffset <= offset) return { segment }
    const extent = firstEndingAfter(this.#state.extents, offset)
    if (extent !== undefined && extent.baseOffset <= offset) return { extent }
    throw new OpError('missing', {
      code: 'OFFSET_NOT_HELD',
      detail: `offset ${offset} of partition ${this.#state.topicId}-${this.#state.index} is in no tier; run 'chronik bucket verify'`,
    })
  }

  /**
   * The batches below `endOffset` that may hold a record at or after the timestamp, in offset order. The place of each is looked up
   * only when it is its turn: while one is awaited, others move from tier to tier.
   */
  async *batchesFrom(timestampMs: number, endOffset: number): AsyncGenerator<Uint8Array> {
    for (let at = this.#state.logStartOffset; at < endOffset;) {
      at = Math.max(at, this.#state.logStartOffset)
      const first = this.#tail.firstOffset
      const step = await (first !== undefined && at >= first
        ? this.#tailStep(at, timestampMs)
        : this.#archiveStep(at, timestampMs))
      assert(step.next > at, 'READ-1: a search by time moves on')
      yield* step.batches
      at = step.next
    }
  }

  async #tailStep(at: number, timestampMs: number): Promise<TimeStep> {
    let place = this.#tail.find(at)
    let next = at
    while (place < this.#tail.count && this.#tail.maxTimestampAt(place) < timestampMs) {
      next = this.#tail.endOffsetAt(place)
      place += 1
    }
    if (place >= this.#tail.count) return { batches: [], next: Math.max(next, this.#tail.endOffset ?? next) }
    const end = this.#tail.endOffsetAt(place)
    const payload = this.#tail.payloadAt(place)
    if (payload !== undefined) return { batches: [payload], next: end }
    try {
      return { batches: await this.#logs.readMany([this.#tail.batch(place).position]), next: end }
    } catch (error) {
      if (!isOpError(error, 'missing')) throw error
      return this.#archiveStep(next, timestampMs)
    }
  }

  async #archiveStep(at: number, timestampMs: number): Promise<TimeStep> {
    const { segment, extent } = this.#pieceAt(at)
    if (segment !== undefined) {
      const none = { batches: [], next: segment.endOffset }
      if (segment.maxTimestampMs < timestampMs) return none
      const found = await this.#archive.segmentBatchAt(segment, timestampMs, at)
      return found === undefined ? none : { batches: [found.batch], next: found.endOffset }
    }
    if (extent.maxTimestampMs < timestampMs) return { batches: [], next: extent.endOffset }
    const { batches } = await this.#archive.readExtent(extent, at, extent.length)
    return { batches, next: extent.endOffset }
  }

  /** The largest timestamp below `endOffset` as far as it is told apart; −1 when there is none. */
  maxTimestampMs(endOffset: number): number {
    let max = -1
    for (const segment of this.#state.segments) max = Math.max(max, segment.maxTimestampMs)
    for (const extent of this.#state.extents) if (extent.endOffset <= endOffset) max = Math.max(max, extent.maxTimestampMs)
    for (let place = 0; place < this.#tail.count && this.#tail.endOffsetAt(place) <= endOffset; place += 1) {
      max = Math.max(max, this.#tail.maxTimestampAt(place))
    }
    return max
  }
}

/** One past the last record of whole batches that lie back to back. */
export function endOffsetOfRun(run: Uint8Array): number {
  let last = 0
  for (let at = 0; at < run.length; at += batchBytesOf(run, at)) last = at
  return lastOffsetOf(run, last) + 1
}

/** Drops batches at the end that begin at or after `endOffset`; each piece of the run is whole batches, back to back. */
function clip(run: ArchivedRun, endOffset: number): ArchivedRun {
  const last = run.batches.at(-1)
  if (last === undefined || endOffsetOfRun(last) <= endOffset) return run
  const batches: Uint8Array[] = []
  let bytes = 0
  for (const piece of run.batches) {
    let end = 0
    while (end < piece.length && baseOffsetOf(piece, end) < endOffset) end += batchBytesOf(piece, end)
    if (end > 0) batches.push(end === piece.length ? piece : piece.subarray(0, end))
    bytes += end
    if (end < piece.length) break
  }
  return { batches, bytes }
}
