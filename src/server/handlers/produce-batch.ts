// Owns the checks on a produced batch that depend on the request's version. The batch's own correctness is the broker's to check.
//
//   baseOffset 0 | batchLength 8 | partitionLeaderEpoch 12 | magic 16 | crc 17 | attributes 21 | …   (v2 header: 61 bytes)

import { ErrorCode } from '../../protocol/generated/errors.ts'

const batchLengthAt = 8
const magicAt = 16
const attributesAt = 21
const headerBytes = 61
/** baseOffset and batchLength itself are not counted in batchLength. */
const lengthBefore = 12
const compressionMask = 0x07
const zstd = 4
const zstdFrom = 7

/** The error for bytes that are not exactly one batch of format 2, else NONE. */
export function batchFault(bytes: Uint8Array, version: number): number {
  if (bytes.length <= magicAt) return ErrorCode.INVALID_RECORD
  // Message sets (formats 0 and 1) ended with Produce 2.
  if (bytes[magicAt] !== 2) return ErrorCode.INVALID_RECORD
  if (bytes.length < headerBytes) return ErrorCode.CORRUPT_MESSAGE
  const batchBytes = lengthBefore + int32At(bytes, batchLengthAt)
  if (batchBytes < headerBytes || batchBytes > bytes.length) return ErrorCode.CORRUPT_MESSAGE
  // More than one batch.
  if (batchBytes < bytes.length) return ErrorCode.INVALID_RECORD
  const compression = bytes[attributesAt + 1]! & compressionMask
  return compression === zstd && version < zstdFrom ? ErrorCode.UNSUPPORTED_COMPRESSION_TYPE : ErrorCode.NONE
}

function int32At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}
