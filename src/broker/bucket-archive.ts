// Owns reading batches that live in the bucket, from segments and from WAL objects, through the block cache. Not which object holds
// an offset (log-reader.ts).

import type { Crc32c } from '../base/crc32c.ts'
import { OpError } from '../base/op-error.ts'
import { batchEnd, computeCrc, crcOf, lastOffsetOf } from '../protocol/index.ts'
import type { BlockCache } from '../../tiers/cache/index.ts'
import { type SegmentArchive, SegmentCursor, type SegmentFacts } from '../../tiers/segment/index.ts'
import type { Extent } from '../../tiers/stream/core/index.ts'
import type { Archive, ArchivedRun } from './ports.ts'

function join(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1 && pieces[0] !== undefined) return pieces[0]
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
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
    const bytes = join(await this.#cache.read(object, extent.position, extent.position + extent.length))
    const batches: Uint8Array[] = []
    let total = 0
    for (let at = 0; at < bytes.length;) {
      const end = batchEnd(bytes, at)
      if (end < 0) throw this.#corrupt(extent, at, 'not a whole batch')
      if (lastOffsetOf(bytes, at) >= offset) {
        if (batches.length > 0 && total + end - at > maxBytes) break
        if (computeCrc(bytes, at, this.#crc32c) !== crcOf(bytes, at))
          throw this.#corrupt(extent, at, 'a batch does not match its checksum')
        batches.push(bytes.subarray(at, end))
        total += end - at
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
