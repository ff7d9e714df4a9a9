// Owns the layout of the header of a record batch (magic 2): reading its fields and stamping the few a broker sets. Does not
// own the judgement whether a batch is acceptable (validate.ts) nor the records inside (records.ts).
//
//    0 baseOffset int64            21 attributes int16         51 producerEpoch int16
//    8 batchLength int32           23 lastOffsetDelta int32    53 baseSequence int32
//   12 partitionLeaderEpoch int32  27 baseTimestamp int64      57 count int32
//   16 magic int8                  35 maxTimestamp int64       61 records
//   17 crc uint32 over 21..end     43 producerId int64
//
// batchLength counts from 12. Base offset and leader epoch lie before the checksummed part, so a broker stamps them into the
// producer's bytes in place. Accessors take the position of the batch and expect a whole header there.

import { assert } from '../../base/assert.ts'
import type { Crc32c } from '../../base/crc32c.ts'
import { int16At, int32At, safeInt64At, setInt32At, setSafeInt64At } from '../codec/int64.ts'

export const batchOffset = {
  baseOffset: 0,
  batchLength: 8,
  partitionLeaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
  records: 61,
} as const

export const batchHeaderBytes = batchOffset.records
/** What `batchLength` does not count: base offset and the length itself. */
export const batchLengthOverhead = 12
/** The bits of `attributes`. */
export const batchAttribute = {
  compression: 0x07,
  logAppendTime: 0x08,
  transactional: 0x10,
  control: 0x20,
  deleteHorizon: 0x40,
} as const

export const compressionCodecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type CompressionCodec = (typeof compressionCodecs)[number]
export type TimestampType = 'CreateTime' | 'LogAppendTime'

export function baseOffsetOf(bytes: Uint8Array, at = 0): number {
  return safeInt64At(bytes, at)
}
export function batchLengthOf(bytes: Uint8Array, at = 0): number {
  return int32At(bytes, at + batchOffset.batchLength)
}
/** All bytes of the batch, its base offset and length included. */
export function batchBytesOf(bytes: Uint8Array, at = 0): number {
  return batchLengthOf(bytes, at) + batchLengthOverhead
}
export function leaderEpochOf(bytes: Uint8Array, at = 0): number {
  return int32At(bytes, at + batchOffset.partitionLeaderEpoch)
}
export function magicOf(bytes: Uint8Array, at = 0): number {
  return ((bytes[at + batchOffset.magic] as number) << 24) >> 24
}
export function crcOf(bytes: Uint8Array, at = 0): number {
  return int32At(bytes, at + batchOffset.crc) >>> 0
}
export function attributesOf(bytes: Uint8Array, at = 0): number {
  return int16At(bytes, at + batchOffset.attributes)
}
export function lastOffsetDeltaOf(bytes: Uint8Array, at = 0): number {
  return int32At(bytes, at + batchOffset.lastOffsetDelta)
}
/** NaN when the batch's offsets do not fit a number. */
export function lastOffsetOf(bytes: Uint8Array, at = 0): number {
  return baseOffsetOf(bytes, at) + lastOffsetDeltaOf(bytes, at)
}
/** When the batch has a delete horizon this is the horizon; records' times are relative to it either way. */
export function baseTimestampOf(bytes: Uint8Array, at = 0): number {
  return safeInt64At(bytes, at + batchOffset.baseTimestamp)
}
export function maxTimestampOf(bytes: Uint8Array, at = 0): number {
  return safeInt64At(bytes, at + batchOffset.maxTimestamp)
}
export function producerIdOf(bytes: Uint8Array, at = 0): number {
  return safeInt64At(bytes, at + batchOffset.producerId)
}
export function producerEpochOf(bytes: Uint8Array, at = 0): number {
  return int16At(bytes, at + batchOffset.producerEpoch)
}
export function baseSequenceOf(bytes: Uint8Array, at = 0): number {
  return int32At(bytes, at + batchOffset.baseSequence)
}
export function recordCountOf(bytes: Uint8Array, at = 0): number {
  return int32At(bytes, at + batchOffset.count)
}

/** Undefined for the codec numbers nobody has given a meaning. */
export function compressionOf(bytes: Uint8Array, at = 0): CompressionCodec | undefined {
  return compressionCodecs[attributesOf(bytes, at) & batchAttribute.compression]
}
export function timestampTypeOf(bytes: Uint8Array, at = 0): TimestampType {
  return (attributesOf(bytes, at) & batchAttribute.logAppendTime) === 0 ? 'CreateTime' : 'LogAppendTime'
}
export function isTransactional(bytes: Uint8Array, at = 0): boolean {
  return (attributesOf(bytes, at) & batchAttribute.transactional) !== 0
}
export function isControlBatch(bytes: Uint8Array, at = 0): boolean {
  return (attributesOf(bytes, at) & batchAttribute.control) !== 0
}
export function hasDeleteHorizon(bytes: Uint8Array, at = 0): boolean {
  return (attributesOf(bytes, at) & batchAttribute.deleteHorizon) !== 0
}

/** Where the batch at `at` ends, or -1 when it is not there whole: a trailing partial batch is legal in a fetched range. */
export function batchEnd(bytes: Uint8Array, at: number): number {
  if (bytes.length - at < batchHeaderBytes) return -1
  const length = batchLengthOf(bytes, at)
  const end = at + batchLengthOverhead + length
  return length < batchHeaderBytes - batchLengthOverhead || end > bytes.length ? -1 : end
}

/** The checksum the batch should carry. */
export function computeCrc(bytes: Uint8Array, at: number, crc32c: Crc32c): number {
  return crc32c(bytes.subarray(at + batchOffset.attributes, at + batchBytesOf(bytes, at))) >>> 0
}

export function stampBaseOffset(bytes: Uint8Array, at: number, baseOffset: number): void {
  assert(Number.isSafeInteger(baseOffset) && baseOffset >= 0, 'an offset is a non-negative safe integer')
  setSafeInt64At(bytes, at, baseOffset)
}

export function stampLeaderEpoch(bytes: Uint8Array, at: number, leaderEpoch: number): void {
  setInt32At(bytes, at + batchOffset.partitionLeaderEpoch, leaderEpoch)
}

/** Corrects a greatest time the producer stated wrongly. Lies within the checksum, which is computed anew. */
export function stampMaxTimestamp(bytes: Uint8Array, at: number, timestampMs: number, crc32c: Crc32c): void {
  setSafeInt64At(bytes, at + batchOffset.maxTimestamp, timestampMs)
  setInt32At(bytes, at + batchOffset.crc, computeCrc(bytes, at, crc32c))
}

/** Makes the time of every record that of its append. Lies within the checksum, which is computed anew. */
export function stampLogAppendTime(bytes: Uint8Array, at: number, timestampMs: number, crc32c: Crc32c): void {
  const low = at + batchOffset.attributes + 1
  bytes[low] = (bytes[low] as number) | batchAttribute.logAppendTime
  stampMaxTimestamp(bytes, at, timestampMs, crc32c)
}

/** Leaves every record the time of its own, whatever the producer claimed. Lies within the checksum, which is computed anew. */
export function stampCreateTime(bytes: Uint8Array, at: number, maxTimestampMs: number, crc32c: Crc32c): void {
  const low = at + batchOffset.attributes + 1
  bytes[low] = (bytes[low] as number) & ~batchAttribute.logAppendTime
  stampMaxTimestamp(bytes, at, maxTimestampMs, crc32c)
}

const sequenceMax = 0x7fffffff

/** Sequence numbers wrap from 2^31-1 to 0. */
export function sequenceAfter(sequence: number, increment: number): number {
  return sequence > sequenceMax - increment ? increment - (sequenceMax - sequence) - 1 : sequence + increment
}
