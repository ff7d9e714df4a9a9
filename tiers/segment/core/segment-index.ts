// Owns a segment's index in memory and the questions it answers: which run of batches holds an offset, which may hold a time, is
// a chunk sound. Not its bytes (format.ts).

import type { Crc32c } from '../../../src/base/crc32c.ts'

export interface SegmentIndexEntry {
  readonly offset: number
  readonly position: number
  readonly maxTimestampMs: number
  readonly offsetOfMaxTimestamp: number
}

export interface SegmentExtent {
  readonly baseOffset: number
  readonly dataBytes: number
  readonly chunkBytes: number
}

// What the object and its four arrays cost beside their contents.
const fixedBytes = 512

/** Columns, so that a large index is a few flat arrays and a search touches one of them. */
export class SegmentIndex {
  readonly baseOffset: number
  readonly dataBytes: number
  readonly chunkBytes: number
  readonly entryCount: number
  readonly offsets: Float64Array
  readonly positions: Uint32Array
  readonly maxTimestampsMs: Float64Array
  readonly offsetsOfMaxTimestamp: Float64Array
  readonly chunkCrcs: Uint32Array

  constructor(extent: SegmentExtent, counts: { readonly entryCount: number; readonly chunkCount: number }) {
    this.baseOffset = extent.baseOffset
    this.dataBytes = extent.dataBytes
    this.chunkBytes = extent.chunkBytes
    this.entryCount = counts.entryCount
    this.offsets = new Float64Array(counts.entryCount)
    this.positions = new Uint32Array(counts.entryCount)
    this.maxTimestampsMs = new Float64Array(counts.entryCount)
    this.offsetsOfMaxTimestamp = new Float64Array(counts.entryCount)
    this.chunkCrcs = new Uint32Array(counts.chunkCount)
  }

  get heldBytes(): number {
    return fixedBytes + this.entryCount * 28 + this.chunkCrcs.length * 4
  }

  set(entry: number, value: SegmentIndexEntry): void {
    this.offsets[entry] = value.offset
    this.positions[entry] = value.position
    this.maxTimestampsMs[entry] = value.maxTimestampMs
    this.offsetsOfMaxTimestamp[entry] = value.offsetOfMaxTimestamp
  }

  entry(entry: number): SegmentIndexEntry {
    return {
      offset: this.offsets[entry]!,
      position: this.positions[entry]!,
      maxTimestampMs: this.maxTimestampsMs[entry]!,
      offsetOfMaxTimestamp: this.offsetsOfMaxTimestamp[entry]!,
    }
  }

  /** The last run that begins at or before the offset; the first for an offset before all. */
  runOf(offset: number): number {
    let low = 0
    let high = this.entryCount - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.offsets[middle]! <= offset) low = middle
      else high = middle - 1
    }
    return low
  }

  /** The first run from `from` on that has a batch reaching the time; undefined when none has. */
  runReaching(timestampMs: number, from: number): number | undefined {
    for (let run = from; run < this.entryCount; run += 1) if (this.maxTimestampsMs[run]! >= timestampMs) return run
    return undefined
  }

  /** Where a run's bytes lie: [start, end). */
  extentOf(run: number): { readonly start: number; readonly end: number } {
    return { start: this.positions[run]!, end: run + 1 < this.entryCount ? this.positions[run + 1]! : this.dataBytes }
  }

  /**
   * The first checksum chunk in `bytes`, which begin at `start` in the object, that does not match. `start` is the beginning of
   * a chunk and `bytes` end with one, or beyond the data.
   */
  firstBadChunk(start: number, bytes: Uint8Array, crc32c: Crc32c): { readonly start: number; readonly end: number } | undefined {
    const dataEnd = Math.min(this.dataBytes, start + bytes.length)
    for (let at = start; at < dataEnd; at += this.chunkBytes) {
      const end = Math.min(dataEnd, at + this.chunkBytes)
      if (crc32c(bytes.subarray(at - start, end - start)) !== this.chunkCrcs[at / this.chunkBytes]) return { start: at, end }
    }
    return undefined
  }
}
