// Owns walking over record batches (v2) that lie back to back: where each begins and ends, its offsets and timestamps. Not the
// records inside, nor any other field of the header (protocol/records).
//
//   0 base offset i64 · 8 length i32 (of what follows) · 12 leader epoch i32 · 16 magic i8 (2) · 17 CRC32C u32 (of 21 to the end)
//   21 attributes i16 · 23 last offset delta i32 · 27 base timestamp i64 · 35 max timestamp i64 · 43 producer id i64
//   51 producer epoch i16 · 53 base sequence i32 · 57 record count i32 · 61 records

import { type Outcome, fail, succeed } from '../../../src/base/outcome.ts'
import { readCount64, readTimestamp64, viewOf } from './wire.ts'

export interface BatchHeader {
  readonly baseOffset: number
  readonly endOffset: number
  readonly sizeBytes: number
  readonly leaderEpoch: number
  readonly crc32c: number
  readonly recordCount: number
  /** The first record's, or the append time where the topic keeps that; −1 for none or unknown. Later records may be earlier. */
  readonly minTimestampMs: number
  /** −1 for none. */
  readonly maxTimestampMs: number
}

export const batchHeaderBytes = 61
/** From here to the end of the batch counts into its CRC. */
export const batchCrcStart = 21
const lengthPrefixBytes = 12
const appendTimeBit = 0x08
// The base timestamp of such a batch is the time after which compaction may drop it, not a record's.
const deleteHorizonBit = 0x40

/** The header at `at`, of which all 61 bytes must be there; a failure says what is wrong with it. */
export function readBatchHeader(view: DataView, at: number): Outcome<BatchHeader, string> {
  const baseOffset = readCount64(view, at)
  const sizeBytes = view.getInt32(at + 8) + lengthPrefixBytes
  const magic = view.getInt8(at + 16)
  const lastOffsetDelta = view.getInt32(at + 23)
  const recordCount = view.getInt32(at + 57)
  if (magic !== 2) return fail(`a batch has magic ${magic}, not 2`)
  if (sizeBytes < batchHeaderBytes) return fail(`a batch claims ${sizeBytes} bytes, fewer than its header`)
  if (lastOffsetDelta < 0 || recordCount < 0) return fail('a batch claims a negative number of records')
  if (baseOffset === undefined || !Number.isSafeInteger(baseOffset + lastOffsetDelta + 1))
    return fail('a batch lies outside all offsets')
  const maxTimestampMs = readTimestamp64(view, at + 35)
  const attributes = view.getInt16(at + 21)
  const firstTimestampMs = (attributes & deleteHorizonBit) === 0 ? readTimestamp64(view, at + 27) : -1
  return succeed({
    baseOffset,
    endOffset: baseOffset + lastOffsetDelta + 1,
    sizeBytes,
    leaderEpoch: view.getInt32(at + 12),
    crc32c: view.getUint32(at + 17),
    recordCount,
    minTimestampMs: (attributes & appendTimeBit) === 0 ? firstTimestampMs : maxTimestampMs,
    maxTimestampMs,
  })
}

/**
 * Calls `each` for the batches of a run, which must begin and end with whole ones; stops at the first failure, its own or the
 * one `each` returns.
 */
export function scanBatches(run: Uint8Array, each: (header: BatchHeader, at: number) => string | undefined): string | undefined {
  const view = viewOf(run)
  let at = 0
  while (at < run.length) {
    if (run.length - at < batchHeaderBytes) return `a run ends inside a batch header, ${run.length - at} bytes over`
    const header = readBatchHeader(view, at)
    if (!header.ok) return header.failure
    if (header.value.sizeBytes > run.length - at) return `a run ends inside the batch at offset ${header.value.baseOffset}`
    const refusal = each(header.value, at)
    if (refusal !== undefined) return refusal
    at += header.value.sizeBytes
  }
  return undefined
}
