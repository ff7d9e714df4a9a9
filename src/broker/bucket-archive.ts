// Owns reading batches that live in the bucket, from segments and from WAL objects, through the block cache. Not which object holds
// an offset (log-reader.ts).

import { assertDefined } from '../base/assert.ts'
import type { Crc32c } from '../base/crc32c.ts'
import { OpError } from '../base/op-error.ts'
import { batchBytesOf, batchHeaderBytes, computeCrc, crcOf, lastOffsetOf } from '../protocol/index.ts'
import type { BlockCache } from '../../tiers/cache/index.ts'
import { type SegmentArchive, SegmentCursor, type SegmentFacts } from '../../tiers/segment/index.ts'
import type { Extent } from '../../tiers/stream/core/index.ts'
import type { Archive, ArchivedRun } from './ports.ts'

/** Neighbouring bytes in several buffers. What lies within one of them is seen in place; only what straddles two is copied. */
class Pieces {
  readonly length: number
  readonly #pieces: readonly Uint8Array[]
  /** The piece looked at last, and where it begins: readers go forward. */
  #at = 0
  #startsAt = 0

  constructor(pieces: readonly Uint8Array[]) {
    this.#pieces = pieces
    this.length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  }

  /** `start` never lies before the start of the call before. */
  slice(start: number, end: number): Uint8Array {
    let piece = this.#piece()
    while (start - this.#startsAt >= piece.length) {
      this.#startsAt += piece.length
      this.#at += 1
      piece = this.#piece()
    }
    const from = start - this.#startsAt
    if (end - this.#startsAt <= piece.length) return piece.subarray(from, end - this.#startsAt)
    const whole = Buffer.allocUnsafeSlow(end - start)
    let filled = 0
    for (const next of this.#pieces.slice(this.#at)) {
      const part = next.subarray(filled === 0 ? from : 0, (filled === 0 ? from : 0) + whole.length - filled)
      whole.set(part, filled)
      filled += part.length
      if (filled === whole.length) break
    }
    return whole
  }

  #piece(): Uint8Array {
    return assertDefined(this.#pieces[this.#at], 'a slice lies within the pieces')
  }
}

/** What the batch at `at` says its length is; infinite where no batch can be. */
function wholeBatchBytes(pieces: Pieces, at: number): number {
  if (pieces.length - at < batchHeaderBytes) return Infinity
  const bytes = batchBytesOf(pieces.slice(at, at + batchHeaderBytes))
  return bytes < batchHeaderBytes ? Infinity : bytes
}

/** Sequential readers of archived data that are remembered, the one that read longest ago forgotten first. */
const cursorsMax = 512

const cursorKey = ({ topicId, partition }: SegmentFacts, offset: number): string => `${topicId}-${partition}@${offset}`

export class BucketArchive implements Archive {
  /** By where each reader goes on. */
  readonly #cursors = new Map<string, SegmentCursor>()
  readonly #segments: SegmentArchive
  readonly #cache: BlockCache
  readonly #crc32c: Crc32c

  constructor(parts: { readonly segments: SegmentArchive; readonly cache: BlockCache; readonly crc32c: Crc32c }) {
    this.#segments = parts.segments
    this.#cache = parts.cache
    this.#crc32c = parts.crc32c
  }

  async readSegment(segment: SegmentFacts, offset: number, maxBytes: number): Promise<ArchivedRun> {
    const cursor = this.#takeCursor(segment, offset)
    const reader = await this.#segments.open(segment)
    const { runs, bytes, nextOffset } = await reader.read({ offset, maxBytes, cursor })
    this.#keepCursor(segment, nextOffset, cursor)
    return { batches: runs, bytes }
  }

  /** Who asks for the offset where an earlier read ended is taken for the same reader, and gets its cursor back. */
  #takeCursor(segment: SegmentFacts, offset: number): SegmentCursor {
    const key = cursorKey(segment, offset)
    const cursor = this.#cursors.get(key)
    this.#cursors.delete(key)
    return cursor ?? new SegmentCursor()
  }

  #keepCursor(segment: SegmentFacts, nextOffset: number, cursor: SegmentCursor): void {
    const key = cursorKey(segment, nextOffset)
    this.#cursors.delete(key)
    this.#cursors.set(key, cursor)
    const oldest = this.#cursors.size > cursorsMax ? this.#cursors.keys().next() : undefined
    if (oldest?.done === false) this.#cursors.delete(oldest.value)
  }

  /** The extent's batches are found by walking their headers: an extent is at most one WAL object long. */
  async readExtent(extent: Extent, offset: number, maxBytes: number): Promise<ArchivedRun> {
    const object = { key: extent.objectKey, sizeBytes: extent.objectSizeBytes }
    const pieces = new Pieces(await this.#cache.read(object, extent.position, extent.position + extent.length))
    const batches: Uint8Array[] = []
    let total = 0
    for (let at = 0; at < pieces.length;) {
      const end = at + wholeBatchBytes(pieces, at)
      if (end > pieces.length) throw this.#corrupt(extent, at, 'not a whole batch')
      if (lastOffsetOf(pieces.slice(at, at + batchHeaderBytes)) >= offset) {
        if (batches.length > 0 && total + end - at > maxBytes) break
        const batch = pieces.slice(at, end)
        if (computeCrc(batch, 0, this.#crc32c) !== crcOf(batch))
          throw this.#corrupt(extent, at, 'a batch does not match its checksum')
        batches.push(batch)
        total += batch.length
      }
      at = end
    }
    return { batches, bytes: total }
  }

  async segmentBatchAt(
    segment: SegmentFacts,
    timestampMs: number,
    from: number,
  ): Promise<{ readonly batch: Uint8Array; readonly endOffset: number } | undefined> {
    const reader = await this.#segments.open(segment)
    return reader.offsetForTimestamp(timestampMs, from)
  }

  forget(key: string): void {
    this.#segments.forget(key)
  }

  #corrupt(extent: Extent, at: number, what: string): OpError {
    this.#cache.forget(extent.objectKey)
    return new OpError('corrupt', {
      code: 'WAL_OBJECT_CORRUPT',
      detail: `${extent.objectKey} at byte ${extent.position + at}: ${what}`,
    })
  }
}
