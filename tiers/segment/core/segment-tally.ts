// Owns what must be known of the batches when a segment is sealed: order, counts, times, index, checksums. Batches go in as runs
// and are not kept. Not the upload (writer.ts).

import { assert } from '../../../src/base/assert.ts'
import type { Crc32c } from '../../../src/base/crc32c.ts'
import { offset } from '../../../src/model/ids.ts'
import { type BatchHeader, scanBatches } from './batch-scan.ts'
import {
  encodeIndex,
  encodeTrailer,
  indexEntryBytes,
  isChunkSize,
  type SegmentTrailer,
  sectionBytes,
  trailerBytes,
} from './format.ts'
import { indexSectionBytesMax, segmentSizeBytesMax } from './limits.ts'
import { SegmentIndex, type SegmentIndexEntry } from './segment-index.ts'
import type { SegmentName } from './segment-name.ts'
import { viewOf } from './wire.ts'

export interface SegmentShape {
  readonly crc32c: Crc32c
  readonly chunkBytes: number
  readonly indexIntervalBytes: number
  /** Compacted data: batches ascend but need not follow each other without gaps. */
  readonly gapsAllowed: boolean
}

export interface SealedSegment {
  readonly trailer: SegmentTrailer
  /** Index, checksum table and trailer: what follows the data in the object. */
  readonly tail: readonly Uint8Array[]
}

export class SegmentTally {
  readonly #name: Omit<SegmentName, 'attempt'>
  readonly #shape: SegmentShape
  readonly #entries: SegmentIndexEntry[] = []
  readonly #chunkCrcs: number[] = []
  #chunkCrc = 0
  #chunkFill = 0
  #dataBytes = 0
  #endOffset: number
  #recordCount = 0
  #batchCount = 0
  #minTimestampMs = -1
  #maxTimestampMs = -1
  #offsetOfMaxTimestamp = -1

  constructor(name: Omit<SegmentName, 'attempt'>, shape: SegmentShape) {
    assert(isChunkSize(shape.chunkBytes), 'a checksum chunk is a power of two within its limits')
    assert(shape.indexIntervalBytes >= 1, 'an index interval is at least one byte')
    this.#name = name
    this.#shape = shape
    this.#endOffset = name.baseOffset
  }

  get dataBytes(): number {
    return this.#dataBytes
  }

  get batchCount(): number {
    return this.#batchCount
  }

  get endOffset(): number {
    return this.#endOffset
  }

  /** Takes a run of whole batches; a failure says why it does not belong here, and the segment cannot be sealed any more. */
  add(run: Uint8Array): string | undefined {
    const start = this.#dataBytes
    const failure = scanBatches(run, (header, at) => this.#addBatch(header, start + at))
    if (failure !== undefined) return failure
    this.#addChecksums(run)
    this.#dataBytes = start + run.length
    return this.#tailBytes() + this.#dataBytes > segmentSizeBytesMax ? 'the segment would exceed 4 GiB' : undefined
  }

  #addBatch(header: BatchHeader, position: number): string | undefined {
    const { baseOffset, endOffset, maxTimestampMs } = header
    if (baseOffset < this.#endOffset) return `the batch at ${baseOffset} comes after offset ${this.#endOffset} was reached`
    if (!this.#shape.gapsAllowed && baseOffset > this.#endOffset) return `offsets ${this.#endOffset} to ${baseOffset} are missing`
    const last = this.#entries.at(-1)
    if (last === undefined || position - last.position >= this.#shape.indexIntervalBytes) {
      this.#entries.push({ offset: baseOffset, position, ...timeOf(header) })
    } else if (maxTimestampMs > last.maxTimestampMs) {
      this.#entries[this.#entries.length - 1] = { ...last, ...timeOf(header) }
    }
    if (maxTimestampMs > this.#maxTimestampMs) {
      this.#maxTimestampMs = maxTimestampMs
      this.#offsetOfMaxTimestamp = baseOffset
    }
    const min = header.minTimestampMs
    if (min >= 0 && (this.#minTimestampMs < 0 || min < this.#minTimestampMs)) this.#minTimestampMs = min
    this.#endOffset = endOffset
    this.#recordCount += header.recordCount
    this.#batchCount += 1
    return undefined
  }

  #addChecksums(run: Uint8Array): void {
    const { chunkBytes, crc32c } = this.#shape
    for (let at = 0; at < run.length;) {
      const end = Math.min(run.length, at + chunkBytes - this.#chunkFill)
      this.#chunkCrc = crc32c(run.subarray(at, end), this.#chunkCrc)
      this.#chunkFill += end - at
      at = end
      if (this.#chunkFill < chunkBytes) continue
      this.#chunkCrcs.push(this.#chunkCrc)
      this.#chunkCrc = 0
      this.#chunkFill = 0
    }
  }

  #tailBytes(): number {
    return this.#entries.length * indexEntryBytes + (this.#chunkCrcs.length + 1) * 4 + trailerBytes
  }

  /** `endOffset` may lie beyond the last batch only where gaps are allowed. */
  seal(endOffset: number = this.#endOffset): SealedSegment | string {
    if (this.#batchCount === 0) return 'a segment holds at least one batch'
    if (endOffset < this.#endOffset) return `the segment should end at ${endOffset} and reaches ${this.#endOffset}`
    if (!this.#shape.gapsAllowed && endOffset > this.#endOffset) return `offsets ${this.#endOffset} to ${endOffset} are missing`
    if (this.#chunkFill > 0) this.#chunkCrcs.push(this.#chunkCrc)
    const index = this.#index()
    const { chunkBytes, gapsAllowed, crc32c } = this.#shape
    const counts = { recordCount: this.#recordCount, batchCount: this.#batchCount, dataBytes: this.#dataBytes }
    const unsigned = {
      ...this.#name,
      endOffset: offset(endOffset),
      ...counts,
      minTimestampMs: this.#minTimestampMs,
      maxTimestampMs: this.#maxTimestampMs,
      offsetOfMaxTimestamp: this.#offsetOfMaxTimestamp,
      indexEntryCount: index.entryCount,
      chunkBytes,
      gapsAllowed,
    }
    if (sectionBytes(unsigned) > indexSectionBytesMax) return 'the index would be too large: widen the interval'
    const section = encodeIndex(index)
    const indexCrc32c = crc32c(section)
    const trailer = encodeTrailer({ ...unsigned, indexCrc32c }, crc32c)
    return { trailer: { ...unsigned, indexCrc32c, trailerCrc32c: viewOf(trailer).getUint32(96) }, tail: [section, trailer] }
  }

  #index(): SegmentIndex {
    const extent = { baseOffset: this.#name.baseOffset, dataBytes: this.#dataBytes, chunkBytes: this.#shape.chunkBytes }
    const index = new SegmentIndex(extent, { entryCount: this.#entries.length, chunkCount: this.#chunkCrcs.length })
    this.#entries.forEach((entry, at) => index.set(at, entry))
    index.chunkCrcs.set(this.#chunkCrcs)
    return index
  }
}

function timeOf(header: BatchHeader): { readonly maxTimestampMs: number; readonly offsetOfMaxTimestamp: number } {
  const hasTime = header.maxTimestampMs >= 0
  return { maxTimestampMs: hasTime ? header.maxTimestampMs : -1, offsetOfMaxTimestamp: hasTime ? header.baseOffset : -1 }
}
