// Owns the bytes of one frame, format version 1: its 32-byte header and what its checksums cover. Not how frames are grouped
// (commit.ts) nor how files are read (scan.ts).
//
//   0  u32  CRC-32C over bytes 4 … 32 + covered      16 u64  index
//   4  u32  payload length                           24 u8   kind: 1 batch 2 control 3 metadata 4 node 15 commit
//   8  u32  group                                    25 u8   flags, 0
//   12 u32  term                                     26 u16  covered: payload bytes under the CRC; 0xffff: all of them
//                                                    28 u32  chain: CRC of the frame before (commit.ts for the first)
//   32 payload
//
// All numbers big-endian, as in the Kafka batches inside. A batch's frame covers only the batch's first 21 bytes; its own CRC-32C
// at 17 … 21 covers the rest. So a produced byte is summed once, at admission, and never again on the way to the disk.

import { assert } from '../../../src/base/assert.ts'
import type { Crc32c } from '../../../src/base/crc32c.ts'
import type { EntryKind, LogEntry } from '../../../src/model/entry.ts'
import { groupNumber, leaderEpoch, logIndex } from '../../../src/model/ids.ts'

export const frameHeaderBytes = 32
/** Kafka's batch v2 up to and with its checksum: baseOffset, batchLength, partitionLeaderEpoch, magic, crc. */
export const batchCoveredBytes = 21
/** Kafka's batch v2 up to its first record. */
export const batchBytesMin = 61

const wholePayload = 0xffff
const batchCrcAt = 17
const wordRange = 2 ** 32

export type FrameKind = EntryKind | 'commit'

const kindCodes: Readonly<Record<FrameKind, number>> = { batch: 1, control: 2, metadata: 3, node: 4, commit: 15 }
const kindsByCode: ReadonlyMap<number, FrameKind> = new Map(
  (Object.keys(kindCodes) as FrameKind[]).map((kind) => [kindCodes[kind], kind]),
)

/** What a frame header says beside what follows from the payload. */
export interface FrameFields {
  readonly kind: FrameKind
  readonly group: number
  readonly term: number
  readonly index: number
  readonly chain: number
}

/** Bytes with a view of the same bytes: made once per buffer, not once per frame. */
export interface Bytes {
  readonly array: Uint8Array
  readonly view: DataView
}

/** Always a plain Uint8Array: a Buffer's `slice` would share what it seems to copy. */
export function bytesOf(bytes: Uint8Array): Bytes {
  const { buffer, byteOffset, byteLength } = bytes
  return { array: new Uint8Array(buffer, byteOffset, byteLength), view: new DataView(buffer, byteOffset, byteLength) }
}

/** Writes the header but for its checksum, which `sealFrame` adds. */
export function writeFrameHeader(into: Bytes, at: number, fields: FrameFields, payloadLength: number): void {
  const { view } = into
  view.setUint32(at + 4, payloadLength)
  view.setUint32(at + 8, fields.group)
  view.setUint32(at + 12, fields.term)
  view.setUint32(at + 16, Math.floor(fields.index / wordRange))
  view.setUint32(at + 20, fields.index >>> 0)
  view.setUint8(at + 24, kindCodes[fields.kind])
  view.setUint8(at + 25, 0)
  view.setUint16(at + 26, fields.kind === 'batch' ? batchCoveredBytes : wholePayload)
  view.setUint32(at + 28, fields.chain)
}

/** Sums header and covered payload, wherever the payload lies, writes the checksum and returns it. */
export function sealFrame(into: Bytes, at: number, payload: Uint8Array, crc32c: Crc32c): number {
  const covered = into.view.getUint16(at + 26) === wholePayload ? payload.length : batchCoveredBytes
  const head = crc32c(into.array.subarray(at + 4, at + frameHeaderBytes))
  const crc = crc32c(covered === payload.length ? payload : payload.subarray(0, covered), head)
  into.view.setUint32(at, crc)
  return crc
}

/** As `sealFrame`, for a payload that stands right behind its header. */
export function sealFrameInPlace(into: Bytes, at: number, payloadLength: number, crc32c: Crc32c): number {
  const covered = into.view.getUint16(at + 26) === wholePayload ? payloadLength : batchCoveredBytes
  const crc = crc32c(into.array.subarray(at + 4, at + frameHeaderBytes + covered))
  into.view.setUint32(at, crc)
  return crc
}

export const payloadLengthAt = (from: Bytes, at: number): number => from.view.getUint32(at + 4)
export const storedCrcAt = (from: Bytes, at: number): number => from.view.getUint32(at)
export const chainAt = (from: Bytes, at: number): number => from.view.getUint32(at + 28)
export const kindAt = (from: Bytes, at: number): FrameKind | undefined => kindsByCode.get(from.view.getUint8(at + 24))
const indexAt = (from: Bytes, at: number): number => from.view.getUint32(at + 16) * wordRange + from.view.getUint32(at + 20)

/**
 * `good`: both checksums hold. `header`: the frame's own sum fails, nothing in it can be believed. `payload`: header and covered
 * bytes hold, so group, index and length are true, but the batch's own sum over the rest fails.
 */
export type FrameVerdict = 'good' | 'header' | 'payload'

/** Checks the frame at `at`; the whole of it, as its header states it, must lie within `from`. */
export function frameVerdict(from: Bytes, at: number, crc32c: Crc32c): FrameVerdict {
  const length = payloadLengthAt(from, at)
  const kind = kindAt(from, at)
  const covered = from.view.getUint16(at + 26)
  if (kind === undefined || covered !== (kind === 'batch' ? batchCoveredBytes : wholePayload)) return 'header'
  if (kind === 'batch' && length < batchBytesMin) return 'header'
  const payloadAt = at + frameHeaderBytes
  const coveredEnd = payloadAt + (kind === 'batch' ? batchCoveredBytes : length)
  if (crc32c(from.array.subarray(at + 4, coveredEnd)) !== storedCrcAt(from, at)) return 'header'
  if (kind !== 'batch') return 'good'
  const rest = from.array.subarray(coveredEnd, payloadAt + length)
  return crc32c(rest) === from.view.getUint32(payloadAt + batchCrcAt) ? 'good' : 'payload'
}

/** The entry of a frame that was found `good` (or `payload`, for a report). Its payload is a view of `from`. */
export function entryAt(from: Bytes, at: number): LogEntry {
  const kind = kindAt(from, at)
  assert(kind !== undefined && kind !== 'commit', 'an entry is read only from a checked frame of an entry')
  const payloadAt = at + frameHeaderBytes
  return {
    group: groupNumber(from.view.getUint32(at + 8)),
    term: leaderEpoch(from.view.getUint32(at + 12)),
    index: logIndex(indexAt(from, at)),
    kind,
    payload: from.array.subarray(payloadAt, payloadAt + payloadLengthAt(from, at)),
  }
}
