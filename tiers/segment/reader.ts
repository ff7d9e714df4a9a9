// Owns answering questions from one segment: batches from an offset on, the batch for a time. Not caching and checking
// (tiers/cache, archive.ts), nor the records inside a batch (the caller opens them).

import { assert } from '../../src/base/assert.ts'
import { batchHeaderBytes } from '../../src/protocol/index.ts'
import { type BlockCache, type CachedObject, ReadCursor } from '../cache/index.ts'
import type { BatchHeader } from './core/batch-scan.ts'
import { readBytesMax } from './core/limits.ts'
import { Pieces } from './core/pieces.ts'
import type { SegmentFacts } from './core/segment-facts.ts'
import type { SegmentIndex } from './core/segment-index.ts'
import { joinBytes } from './core/wire.ts'
import { segmentCorrupt } from './damage.ts'

/** One per sequential reader, across segments: lets the cache read ahead, and the next read begin without a search. */
export class SegmentCursor {
  readonly access = new ReadCursor()
  #key = ''
  #offset = -1
  #position = 0

  expect(key: string, offset: number, position: number): void {
    this.#key = key
    this.#offset = offset
    this.#position = position
  }

  positionOf(key: string, offset: number): number | undefined {
    return key === this.#key && offset === this.#offset ? this.#position : undefined
  }
}

export interface SegmentReadOptions {
  readonly offset: number
  /** Whole batches up to this, but always one; held to `readBytesMax`. */
  readonly maxBytes: number
  /** No batch that begins at or after this offset. */
  readonly endOffset?: number
  readonly cursor?: SegmentCursor
}

export interface SegmentRead {
  /** Each run is whole batches, back to back as stored. Views of the cache (one batch across two chunks is a copy): read only. */
  readonly runs: readonly Uint8Array[]
  /** Where the next read goes on: the end of the last batch, or the segment's end when nothing is left. */
  readonly nextOffset: number
  readonly bytes: number
}

export interface FoundBatch {
  readonly baseOffset: number
  readonly endOffset: number
  readonly maxTimestampMs: number
  /** The whole batch, contiguous. Not to be written to. */
  readonly batch: Uint8Array
}

interface Located {
  readonly header: BatchHeader
  readonly position: number
}

interface RunsFound {
  readonly runs: readonly Uint8Array[]
  readonly last: Located
}

/** All reads throw OpError of the store, or `corrupt` naming the object and the range. */
export class SegmentReader {
  readonly facts: SegmentFacts
  readonly #index: SegmentIndex
  readonly #cache: BlockCache
  readonly #object: CachedObject

  constructor(facts: SegmentFacts, index: SegmentIndex, source: { readonly cache: BlockCache; readonly object: CachedObject }) {
    this.facts = facts
    this.#index = index
    this.#cache = source.cache
    this.#object = source.object
  }

  /** The bytes [start, end) in which the batch with the offset begins, from the index alone. */
  locate(offset: number): { readonly start: number; readonly end: number } {
    return this.#index.extentOf(this.#index.runOf(offset))
  }

  /** Whole batches from the one that contains the offset (or the first after it, where compaction left a gap). */
  async read(options: SegmentReadOptions): Promise<SegmentRead> {
    const { offset, cursor } = options
    const nothing: SegmentRead = { runs: [], nextOffset: this.facts.endOffset, bytes: 0 }
    if (offset >= this.facts.endOffset) return nothing
    const maxBytes = Math.max(1, Math.min(options.maxBytes, readBytesMax))
    const known = cursor?.positionOf(this.facts.key, offset)
    const extent = known === undefined ? this.locate(offset) : { start: known, end: known }
    const end = Math.min(this.facts.dataBytes, extent.end + Math.max(maxBytes, batchHeaderBytes))
    let pieces = await this.#pieces(extent.start, end, cursor)
    const first = await this.#firstAfter(offset, pieces)
    if (first === undefined) return nothing
    if (first.header.baseOffset >= (options.endOffset ?? Infinity)) return { runs: [], nextOffset: offset, bytes: 0 }
    const firstEnd = first.position + first.header.sizeBytes
    if (firstEnd > pieces.end) pieces = await this.#pieces(first.position, firstEnd, cursor)
    const { runs, last } = this.#runsFrom(first, pieces, { maxBytes, endOffset: options.endOffset ?? Infinity })
    const runsEnd = last.position + last.header.sizeBytes
    const nextOffset = runsEnd === this.facts.dataBytes ? this.facts.endOffset : last.header.endOffset
    cursor?.expect(this.facts.key, nextOffset, runsEnd)
    return { runs, nextOffset, bytes: runsEnd - first.position }
  }

  /** The batch that contains the offset, or the first after it; undefined when none is left. */
  async batchAt(offset: number): Promise<FoundBatch | undefined> {
    const { start, end } = this.locate(offset)
    const pieces = await this.#pieces(start, Math.min(this.facts.dataBytes, end + batchHeaderBytes))
    const found = await this.#firstAfter(offset, pieces)
    return found === undefined ? undefined : this.#batch(found, pieces)
  }

  /**
   * The first batch at or after `fromOffset` whose largest timestamp is at or after the time: it may contain the first such
   * record. Should the header have promised more than its records hold, ask again from the batch's end.
   */
  async offsetForTimestamp(timestampMs: number, fromOffset: number = this.facts.baseOffset): Promise<FoundBatch | undefined> {
    let run = this.#index.runReaching(timestampMs, this.#index.runOf(fromOffset))
    while (run !== undefined) {
      const { start, end } = this.#index.extentOf(run)
      const pieces = await this.#pieces(start, end)
      for (let found = this.#at(start, pieces); found !== undefined; found = this.#after(found, pieces)) {
        const { header } = found
        if (header.maxTimestampMs >= timestampMs && header.endOffset > fromOffset) return this.#batch(found, pieces)
      }
      run = this.#index.runReaching(timestampMs, run + 1)
    }
    return undefined
  }

  /** The largest timestamp and the base offset of the first batch that has it; undefined when no batch has one. */
  maxTimestamp(): { readonly timestampMs: number; readonly offset: number } | undefined {
    const { maxTimestampMs, offsetOfMaxTimestamp } = this.facts
    return maxTimestampMs < 0 ? undefined : { timestampMs: maxTimestampMs, offset: offsetOfMaxTimestamp }
  }

  async #pieces(start: number, end: number, cursor?: SegmentCursor): Promise<Pieces> {
    return new Pieces(await this.#cache.read(this.#object, start, end, cursor?.access), start)
  }

  async #batch(found: Located, pieces: Pieces): Promise<FoundBatch> {
    const { header, position } = found
    const end = position + header.sizeBytes
    const whole = end <= pieces.end ? pieces : await this.#pieces(position, end)
    const { baseOffset, endOffset, maxTimestampMs } = header
    return { baseOffset, endOffset, maxTimestampMs, batch: joinBytes(whole.slice(position, end)) }
  }

  /** The first batch in or after the pieces that ends beyond the offset. */
  async #firstAfter(offset: number, pieces: Pieces): Promise<Located | undefined> {
    for (let found = this.#at(pieces.start, pieces); found !== undefined; found = this.#after(found, pieces)) {
      if (found.header.endOffset > offset) return found
      const next = found.position + found.header.sizeBytes
      // A run whose batches all end before the offset is followed by a gap, and then by the next run's first batch.
      if (next < this.facts.dataBytes && next + batchHeaderBytes > pieces.end) {
        return this.#firstAfter(offset, await this.#pieces(next, Math.min(this.facts.dataBytes, next + batchHeaderBytes)))
      }
    }
    return undefined
  }

  #runsFrom(first: Located, pieces: Pieces, bound: { readonly maxBytes: number; readonly endOffset: number }): RunsFound {
    const end = Math.min(pieces.end, first.position + bound.maxBytes)
    const runs: Uint8Array[] = []
    let runStart = first.position
    let last = first
    for (let next: Located | undefined = first; next !== undefined; next = this.#after(last, pieces)) {
      const nextEnd = next.position + next.header.sizeBytes
      const isWithin = nextEnd <= end && next.header.baseOffset < bound.endOffset
      if (next !== first && !isWithin) break
      last = next
      if (pieces.isOnePiece(next.position, nextEnd)) continue
      runs.push(...pieces.slice(runStart, next.position), joinBytes(pieces.slice(next.position, nextEnd)))
      runStart = nextEnd
    }
    runs.push(...pieces.slice(runStart, last.position + last.header.sizeBytes))
    return { runs, last }
  }

  #after(found: Located, pieces: Pieces): Located | undefined {
    return this.#at(found.position + found.header.sizeBytes, pieces)
  }

  /** The batch at a position; undefined when its header is not within the pieces. */
  #at(position: number, pieces: Pieces): Located | undefined {
    if (position + batchHeaderBytes > pieces.end) return undefined
    const header = pieces.header(position)
    const range = { start: position, end: position + batchHeaderBytes }
    if (!header.ok) throw segmentCorrupt(this.facts.key, range, header.failure)
    if (position + header.value.sizeBytes > this.facts.dataBytes) {
      throw segmentCorrupt(this.facts.key, range, 'a batch reaches beyond the data')
    }
    assert(position < this.facts.dataBytes, 'a batch lies in the data')
    return { header: header.value, position }
  }
}
