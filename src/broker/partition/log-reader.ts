// Owns reading a partition's log from whichever tier holds the offset: memory, the WAL file, a WAL object, a segment. Not which
// offsets may be seen (partition.ts).

import { isOpError, OpError } from '../../base/op-error.ts'
import type { WalPosition } from '../../model/entry.ts'
import type { PartitionState } from '../core/partition-state.ts'
import type { TailIndex } from '../core/tail-index.ts'
import type { Archive, ArchivedRun, LogNode } from '../ports.ts'

export interface ReadRange {
  readonly offset: number
  /** Nothing that begins at or after this offset. */
  readonly endOffset: number
  readonly maxBytes: number
  readonly minOneBatch: boolean
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
      return { batches: await Promise.all(positions.map((position) => this.#logs.read(position))), bytes }
    } catch (error) {
      if (!isOpError(error, 'missing')) throw error
      // The file was released while we read: what it held is in the bucket.
      return this.#readArchive(range)
    }
  }

  async #readArchive(range: ReadRange): Promise<ArchivedRun> {
    const { offset } = range
    // As Kafka: the first batch is delivered even when it is larger than asked for; without that, only what fits.
    const run = await this.#readArchived(offset, range.maxBytes)
    const clipped = clip(run, range.endOffset)
    return !range.minOneBatch && clipped.bytes > range.maxBytes ? nothing : clipped
  }

  #readArchived(offset: number, maxBytes: number): Promise<ArchivedRun> {
    const { segments, extents } = this.#state
    if (offset < this.#state.archivedEndOffset) {
      const segment = segments.find((one) => offset < one.endOffset)
      if (segment !== undefined) return this.#archive.readSegment(segment, Math.max(offset, segment.baseOffset), maxBytes)
    }
    const extent = extents.find((one) => offset < one.endOffset)
    if (extent !== undefined) return this.#archive.readExtent(extent, Math.max(offset, extent.baseOffset), maxBytes)
    throw new OpError('missing', {
      code: 'OFFSET_NOT_HELD',
      detail: `offset ${offset} of partition ${this.#state.topicId}-${this.#state.index} is in no tier; run 'chronik bucket verify'`,
    })
  }

  /** The batch that may hold the first record at or after the timestamp, in offset order over all tiers. */
  async *batchesFrom(timestampMs: number): AsyncGenerator<Uint8Array> {
    const first = this.#tail.firstOffset ?? Infinity
    for (const segment of this.#state.segments) {
      if (segment.maxTimestampMs < timestampMs || segment.baseOffset >= first) continue
      const batch = await this.#archive.segmentBatchAt(segment, timestampMs)
      if (batch !== undefined) yield batch
    }
    for (const extent of this.#state.extents) {
      if (extent.maxTimestampMs < timestampMs || extent.baseOffset >= first) continue
      const run = await this.#archive.readExtent(extent, extent.baseOffset, extent.length)
      yield* run.batches
    }
    for (let place = 0; place < this.#tail.count; place += 1) {
      if (this.#tail.maxTimestampAt(place) < timestampMs) continue
      yield this.#tail.payloadAt(place) ?? (await this.#logs.read(this.#tail.batch(place).position))
    }
  }

  /** −1 when the log is empty. */
  maxTimestampMs(): number {
    let max = -1
    for (const segment of this.#state.segments) max = Math.max(max, segment.maxTimestampMs)
    for (const extent of this.#state.extents) max = Math.max(max, extent.maxTimestampMs)
    for (let place = 0; place < this.#tail.count; place += 1) max = Math.max(max, this.#tail.maxTimestampAt(place))
    return max
  }
}

/** Drops batches at the end that begin at or after `endOffset`. Kafka's batch header starts with the base offset. */
function clip(run: ArchivedRun, endOffset: number): ArchivedRun {
  const last = run.batches.at(-1)
  if (last === undefined || baseOffsetOf(last) < endOffset) return run
  const batches = run.batches.filter((batch) => baseOffsetOf(batch) < endOffset)
  return { batches, bytes: batches.reduce((sum, batch) => sum + batch.length, 0) }
}

function baseOffsetOf(batch: Uint8Array): number {
  return Number(new DataView(batch.buffer, batch.byteOffset, 8).getBigInt64(0))
}
