// Owns the records of a batch (magic 2): encoding them into one and taking them out again. Does not own the compressors, which
// come in through a port, nor the judgement of a producer's batch (validate.ts).

import { assertDefined } from '../../base/assert.ts'
import type { Crc32c } from '../../base/crc32c.ts'
import { setInt32At } from '../codec/int64.ts'
import { ScratchPool } from '../codec/scratch.ts'
import { encodeUtf8 } from '../codec/text.ts'
import { ByteWriter } from '../codec/writer.ts'
import {
  baseOffsetOf,
  baseTimestampOf,
  batchAttribute,
  batchEnd,
  batchHeaderBytes,
  batchLengthOverhead,
  batchOffset,
  compressionCodecs,
  compressionOf,
  magicOf,
  maxTimestampOf,
  recordCountOf,
  timestampTypeOf,
  type CompressionCodec,
} from './batch-header.ts'
import { RecordCursor, type RecordHeader } from './record-cursor.ts'

/** A record as clients see it. Key, value and header values are views into the batch or its decompressed records. */
export interface LogRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly RecordHeader[]
}

export interface Malformed {
  readonly kind: 'malformed'
  readonly detail: string
}

export interface DecompressionFailure {
  readonly failure: string
}

/** Answers a failure, not an exception, when the bytes are not what the codec says or would unpack to more than it allows. */
export type Decompress = (codec: CompressionCodec, bytes: Uint8Array) => Uint8Array | DecompressionFailure
/** Without a level as the codec usually does. */
export type Compress = (codec: CompressionCodec, bytes: Uint8Array, level?: number) => Uint8Array

const malformed = (detail: string): Malformed => ({ kind: 'malformed', detail })

/** An opened batch: `cursor` stands before the first record. */
export interface OpenBatch {
  readonly kind: 'open'
  readonly cursor: RecordCursor
  readonly baseOffset: number
  readonly baseTimestamp: number
  /** The time of every record where the broker sets it, undefined where producers do. */
  readonly logAppendTime: number | undefined
}

/** Unpacks the batch at `at` as far as needed to walk over its records. Does not check the CRC. */
export function openBatch(bytes: Uint8Array, at: number, decompress: Decompress): OpenBatch | Malformed {
  const end = batchEnd(bytes, at)
  if (end < 0) return malformed('partial batch')
  if (magicOf(bytes, at) !== 2) return malformed(`magic ${magicOf(bytes, at)}`)
  const baseOffset = baseOffsetOf(bytes, at)
  const baseTimestamp = baseTimestampOf(bytes, at)
  const maxTimestamp = maxTimestampOf(bytes, at)
  if (Number.isNaN(baseOffset + baseTimestamp + maxTimestamp)) return malformed('offset or time beyond 2^53')
  const codec = compressionOf(bytes, at)
  if (codec === undefined) return malformed('unknown compression')
  const logAppendTime = timestampTypeOf(bytes, at) === 'LogAppendTime' ? maxTimestamp : undefined
  const facts = { kind: 'open', baseOffset, baseTimestamp, logAppendTime } as const
  const count = recordCountOf(bytes, at)
  if (codec === 'none') return { ...facts, cursor: new RecordCursor(bytes, at + batchHeaderBytes, end, count) }
  const plain = decompress(codec, bytes.subarray(at + batchHeaderBytes, end))
  if ('failure' in plain) return malformed(plain.failure)
  return { ...facts, cursor: new RecordCursor(plain, 0, plain.length, count) }
}

/** The record the batch's cursor stands on. */
export function currentRecord(batch: OpenBatch): LogRecord {
  const { cursor } = batch
  return {
    offset: batch.baseOffset + cursor.offsetDelta,
    timestamp: batch.logAppendTime ?? batch.baseTimestamp + cursor.timestampDelta,
    key: cursor.key(),
    value: cursor.value(),
    headers: cursor.headers(),
  }
}

/** All records of the batch at `at`. */
export function decodeRecords(
  bytes: Uint8Array,
  at: number,
  decompress: Decompress,
): { readonly kind: 'ok'; readonly records: readonly LogRecord[] } | Malformed {
  const batch = openBatch(bytes, at, decompress)
  if (batch.kind === 'malformed') return batch
  const records: LogRecord[] = []
  while (batch.cursor.next()) records.push(currentRecord(batch))
  return batch.cursor.failure === undefined ? { kind: 'ok', records } : malformed(batch.cursor.failure)
}

export interface TimestampedOffset {
  readonly kind: 'found'
  readonly offset: number
  readonly timestamp: number
}

/** The first record of the batch at or after the time, and not before `startOffset`; undefined when there is none. */
export function findOffsetByTimestamp(
  bytes: Uint8Array,
  at: number,
  target: { readonly timestamp: number; readonly startOffset: number },
  decompress: Decompress,
): TimestampedOffset | Malformed | undefined {
  const batch = openBatch(bytes, at, decompress)
  if (batch.kind === 'malformed') return batch
  while (batch.cursor.next()) {
    const timestamp = batch.logAppendTime ?? batch.baseTimestamp + batch.cursor.timestampDelta
    const offset = batch.baseOffset + batch.cursor.offsetDelta
    if (timestamp >= target.timestamp && offset >= target.startOffset) return { kind: 'found', offset, timestamp }
  }
  return batch.cursor.failure === undefined ? undefined : malformed(batch.cursor.failure)
}

/** The first of the records with the batch's greatest time; undefined for a batch without records. */
export function findMaxTimestamp(
  bytes: Uint8Array,
  at: number,
  decompress: Decompress,
): TimestampedOffset | Malformed | undefined {
  const batch = openBatch(bytes, at, decompress)
  if (batch.kind === 'malformed') return batch
  let found: TimestampedOffset | undefined
  while (batch.cursor.next()) {
    const timestamp = batch.logAppendTime ?? batch.baseTimestamp + batch.cursor.timestampDelta
    if (found === undefined || timestamp > found.timestamp)
      found = { kind: 'found', offset: batch.baseOffset + batch.cursor.offsetDelta, timestamp }
  }
  return batch.cursor.failure === undefined ? found : malformed(batch.cursor.failure)
}

export interface BatchToEncode {
  readonly records: readonly LogRecord[]
  /** The offset of the first record unless told. */
  readonly baseOffset?: number
  /** Up to the last record unless told; a compacted batch keeps the range it once had. */
  readonly lastOffsetDelta?: number
  readonly leaderEpoch?: number
  readonly compression?: CompressionCodec
  /** The time of the first record unless told. */
  readonly baseTimestamp?: number
  /** The greatest time of the records unless told. */
  readonly maxTimestamp?: number
  /** Its greatest time is that of its append, and of every record. */
  readonly isAppendTime?: boolean
  readonly isTransactional?: boolean
  readonly isControl?: boolean
  readonly hasDeleteHorizon?: boolean
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
}

export interface BatchEncoding {
  readonly crc32c: Crc32c
  /** Needed for compressed batches only. */
  readonly compress?: Compress
}

const none = -1

/** One batch of magic 2, with CRC. */
export function encodeBatch(batch: BatchToEncode, encoding: BatchEncoding): Uint8Array {
  const {
    records,
    compression = 'none',
    leaderEpoch = none,
    producerId = none,
    producerEpoch = none,
    baseSequence = none,
  } = batch
  const { baseOffset = records[0]?.offset ?? 0, baseTimestamp = records[0]?.timestamp ?? none } = batch
  const { lastOffsetDelta = records.length === 0 ? 0 : (records.at(-1) as LogRecord).offset - baseOffset } = batch
  const { maxTimestamp = greatestTimestamp(records) } = batch

  const body = packed(encodeRecords(records, baseOffset, baseTimestamp), compression, encoding)
  // Exactly its size: the log keeps batches in memory, and counts their bytes.
  const w = new ByteWriter(undefined, batchHeaderBytes + body.length)
  w.int64(BigInt(baseOffset))
  w.int32(batchHeaderBytes - batchLengthOverhead + body.length)
  w.int32(leaderEpoch)
  w.int8(2)
  w.int32(0)
  w.int16(attributesFor(batch))
  w.int32(lastOffsetDelta)
  w.int64(BigInt(baseTimestamp))
  w.int64(BigInt(maxTimestamp))
  w.int64(BigInt(producerId))
  w.int16(producerEpoch)
  w.int32(baseSequence)
  w.int32(records.length)
  w.raw(body)
  const bytes = w.concat()
  setInt32At(bytes, batchOffset.crc, encoding.crc32c(bytes.subarray(batchOffset.attributes)))
  return bytes
}

function packed(plain: Uint8Array, compression: CompressionCodec, encoding: BatchEncoding): Uint8Array {
  if (compression === 'none') return plain
  return assertDefined(encoding.compress, 'a compressed batch is encoded with a compressor')(compression, plain)
}

function greatestTimestamp(records: readonly LogRecord[]): number {
  let greatest = none
  for (const { timestamp } of records) if (timestamp > greatest) greatest = timestamp
  return greatest
}

function attributesFor(batch: BatchToEncode): number {
  return (
    compressionCodecs.indexOf(batch.compression ?? 'none') |
    (batch.isAppendTime === true ? batchAttribute.logAppendTime : 0) |
    (batch.isTransactional === true ? batchAttribute.transactional : 0) |
    (batch.isControl === true ? batchAttribute.control : 0) |
    (batch.hasDeleteHorizon === true ? batchAttribute.deleteHorizon : 0)
  )
}

function encodeRecords(records: readonly LogRecord[], baseOffset: number, baseTimestamp: number): Uint8Array {
  const pool = new ScratchPool()
  const all = new ByteWriter()
  for (const record of records) {
    const w = new ByteWriter(pool)
    w.int8(0)
    w.varlong(BigInt(record.timestamp - baseTimestamp))
    w.varint(record.offset - baseOffset)
    writeVarintBytes(w, record.key)
    writeVarintBytes(w, record.value)
    w.varint(record.headers.length)
    for (const header of record.headers) {
      writeVarintBytes(w, encodeUtf8(header.key))
      writeVarintBytes(w, header.value)
    }
    all.varint(w.byteLength)
    for (const chunk of w.finish()) all.raw(chunk)
  }
  return all.concat()
}

function writeVarintBytes(w: ByteWriter, bytes: Uint8Array | null): void {
  if (bytes === null) {
    w.varint(none)
    return
  }
  w.varint(bytes.length)
  w.reference(bytes)
}
