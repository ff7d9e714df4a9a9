// Owns walking over record batches (v2) that lie back to back: where each begins and ends, its offsets and timestamps, and that
// these are possible. Not the header's layout nor the records inside (protocol).

import { type Outcome, fail, succeed } from '../../../src/base/outcome.ts'
import {
  baseOffsetOf,
  baseTimestampOf,
  batchBytesOf,
  batchHeaderBytes,
  batchOffset,
  crcOf,
  hasDeleteHorizon,
  lastOffsetDeltaOf,
  leaderEpochOf,
  magicOf,
  maxTimestampOf,
  recordCountOf,
  timestampTypeOf,
} from '../../../src/protocol/index.ts'

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

// The sign of the two times, for a value that does not fit a number.
const signBit = 0x80

/**
 * A time that does not fit a number is held to the largest that does (or −1): producers may send any 64 bits. Held like this,
 * order is kept, and no look-up by a real time can tell the difference.
 */
function heldTime(timeMs: number, firstByte: number | undefined): number {
  if (!Number.isNaN(timeMs)) return timeMs
  return ((firstByte ?? 0) & signBit) === 0 ? Number.MAX_SAFE_INTEGER : -1
}

/** The header at `at`, of which all 61 bytes must be there; a failure says what is wrong with it. */
export function readBatchHeader(bytes: Uint8Array, at: number): Outcome<BatchHeader, string> {
  const baseOffset = baseOffsetOf(bytes, at)
  const endOffset = baseOffset + lastOffsetDeltaOf(bytes, at) + 1
  const sizeBytes = batchBytesOf(bytes, at)
  const recordCount = recordCountOf(bytes, at)
  if (magicOf(bytes, at) !== 2) return fail(`a batch has magic ${magicOf(bytes, at)}, not 2`)
  if (sizeBytes < batchHeaderBytes) return fail(`a batch claims ${sizeBytes} bytes, fewer than its header`)
  if (endOffset <= baseOffset || recordCount < 0) return fail('a batch claims a negative number of records')
  if (!(baseOffset >= 0 && Number.isSafeInteger(endOffset))) return fail('a batch lies outside all offsets')
  const maxTimestampMs = heldTime(maxTimestampOf(bytes, at), bytes[at + batchOffset.maxTimestamp])
  return succeed({
    baseOffset,
    endOffset,
    sizeBytes,
    leaderEpoch: leaderEpochOf(bytes, at),
    crc32c: crcOf(bytes, at),
    recordCount,
    minTimestampMs: timestampTypeOf(bytes, at) === 'LogAppendTime' ? maxTimestampMs : firstTimestampOf(bytes, at),
    maxTimestampMs,
  })
}

function firstTimestampOf(bytes: Uint8Array, at: number): number {
  // With a delete horizon the base timestamp is the time after which compaction may drop the batch, not a record's.
  return hasDeleteHorizon(bytes, at) ? -1 : heldTime(baseTimestampOf(bytes, at), bytes[at + batchOffset.baseTimestamp])
}

/**
 * Calls `each` for the batches of a run, which must begin and end with whole ones; stops at the first failure, its own or the
 * one `each` returns.
 */
export function scanBatches(run: Uint8Array, each: (header: BatchHeader, at: number) => string | undefined): string | undefined {
  let at = 0
  while (at < run.length) {
    if (run.length - at < batchHeaderBytes) return `a run ends inside a batch header, ${run.length - at} bytes over`
    const header = readBatchHeader(run, at)
    if (!header.ok) return header.failure
    if (header.value.sizeBytes > run.length - at) return `a run ends inside the batch at offset ${header.value.baseOffset}`
    const refusal = each(header.value, at)
    if (refusal !== undefined) return refusal
    at += header.value.sizeBytes
  }
  return undefined
}
