// Owns the judgement of what a producer sends for one partition: exactly one intact batch of magic 2, in Kafka's order of checks
// and with Kafka's codes. Does not own producer state (sequences, epochs) nor topics and authorization.
//
// Uncompressed records are walked, for a malformed one would stop every consumer. Compressed records stay closed: they are
// the producer's own harm, and unpacking them all is what a broker can least afford; only their first bytes are looked at.

import type { Crc32c } from '../../base/crc32c.ts'
import { ErrorCode } from '../generated/errors.ts'
import {
  baseOffsetOf,
  baseSequenceOf,
  baseTimestampOf,
  batchEnd,
  batchHeaderBytes,
  batchLengthOf,
  batchLengthOverhead,
  batchOffset,
  compressionOf,
  computeCrc,
  crcOf,
  isControlBatch,
  isTransactional,
  lastOffsetDeltaOf,
  magicOf,
  maxTimestampOf,
  producerEpochOf,
  producerIdOf,
  recordCountOf,
  timestampTypeOf,
  type CompressionCodec,
} from './batch-header.ts'
import { RecordCursor } from './record-cursor.ts'

export interface ProduceRules {
  readonly crc32c: Crc32c
  /** Version of the Produce request; before 7 there is no zstd. */
  readonly apiVersion?: number
  /** `max.message.bytes` of the topic. */
  readonly batchBytesMax?: number
  /** Written by a coordinator of this broker, which names a producer and counts no sequence. */
  readonly byCoordinator?: boolean
  /** A compacted topic takes no record without a key. Seen in uncompressed batches only. */
  readonly keysRequired?: boolean
  /** Left out for topics whose records get the time of their append. */
  readonly timestamps?: { readonly nowMs: number; readonly beforeMaxMs: number; readonly afterMaxMs: number }
}

export interface ProducedBatch {
  readonly kind: 'ok'
  readonly batchBytes: number
  readonly count: number
  readonly lastOffsetDelta: number
  readonly baseTimestamp: number
  /** The records' own where they could be looked at, the header's otherwise. */
  readonly maxTimestamp: number
  /** False when the header states another time than the records have: it must be stamped before it is stored. */
  readonly maxTimestampAsStated: boolean
  readonly compression: CompressionCodec
  readonly isTransactional: boolean
  /** -1 for a producer without idempotence. */
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
}

export interface RefusedBatch {
  readonly kind: 'error'
  readonly errorCode: ErrorCode
  readonly message: string
}

const refuse = (errorCode: ErrorCode, message: string): RefusedBatch => ({ kind: 'error', errorCode, message })

/** The smallest length any magic allows: a message of magic 0 without key and value. */
const lengthMin = 14

export function validateProduceRecords(bytes: Uint8Array | null, rules: ProduceRules): ProducedBatch | RefusedBatch {
  if (bytes === null || bytes.length === 0)
    return refuse(ErrorCode.INVALID_RECORD, 'There must be one record batch per partition.')
  return refusedFrame(bytes) ?? refusedContent(bytes, rules) ?? refusedHeader(bytes, rules) ?? judgeRecords(bytes, rules)
}

/** Is it one batch, whole, and of the right magic? */
function refusedFrame(bytes: Uint8Array): RefusedBatch | undefined {
  if (bytes.length <= batchOffset.magic) return refuse(ErrorCode.CORRUPT_MESSAGE, 'The record batch is cut off.')
  const length = batchLengthOf(bytes)
  if (length < lengthMin) return refuse(ErrorCode.CORRUPT_MESSAGE, `A record batch cannot have length ${length}.`)
  const magic = magicOf(bytes)
  if (magic === 0 || magic === 1) return refuse(ErrorCode.INVALID_RECORD, `Magic ${magic} is no longer accepted, only 2.`)
  if (magic !== 2) return refuse(ErrorCode.CORRUPT_MESSAGE, `Magic ${magic} is unknown.`)
  const end = batchEnd(bytes, 0)
  if (end < 0) return refuse(ErrorCode.CORRUPT_MESSAGE, `The record batch says it has length ${length}, which does not fit.`)
  if (end < bytes.length) return refuse(ErrorCode.INVALID_RECORD, 'There must be exactly one record batch per partition.')
  return undefined
}

/** Is it of a kind the topic takes, and unharmed? */
function refusedContent(bytes: Uint8Array, rules: ProduceRules): RefusedBatch | undefined {
  const codec = compressionOf(bytes)
  if (codec === undefined || (codec === 'zstd' && (rules.apiVersion ?? 7) < 7))
    return refuse(
      ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
      `Compression ${codec ?? 'of an unknown kind'} is not supported in this version.`,
    )
  if (baseOffsetOf(bytes) !== 0) return refuse(ErrorCode.INVALID_RECORD, `The base offset must be 0, not ${baseOffsetOf(bytes)}.`)
  if (rules.batchBytesMax !== undefined && bytes.length > rules.batchBytesMax)
    return refuse(
      ErrorCode.MESSAGE_TOO_LARGE,
      `The record batch has ${bytes.length} bytes, the topic allows ${rules.batchBytesMax}.`,
    )
  if (computeCrc(bytes, 0, rules.crc32c) !== crcOf(bytes))
    return refuse(ErrorCode.CORRUPT_MESSAGE, 'The checksum of the record batch is wrong.')
  return undefined
}

/** Does the header agree with itself and with what a client may send? */
function refusedHeader(bytes: Uint8Array, rules: ProduceRules): RefusedBatch | undefined {
  const count = recordCountOf(bytes)
  const lastOffsetDelta = lastOffsetDeltaOf(bytes)
  if (count <= 0) return refuse(ErrorCode.INVALID_RECORD, `A record batch cannot have ${count} records.`)
  if (lastOffsetDelta !== count - 1)
    return refuse(ErrorCode.INVALID_RECORD, `The last offset delta is ${lastOffsetDelta}, but the count is ${count}.`)
  if (isControlBatch(bytes)) return refuse(ErrorCode.INVALID_RECORD, 'Clients do not write control records.')
  const producerId = producerIdOf(bytes)
  if (Number.isNaN(producerId)) return refuse(ErrorCode.INVALID_RECORD, 'No such producer id was ever given out.')
  if (producerId >= 0 && baseSequenceOf(bytes) < 0 && rules.byCoordinator !== true)
    return refuse(ErrorCode.INVALID_RECORD, `Producer ${producerId} sent sequence number ${baseSequenceOf(bytes)}.`)
  if (timestampTypeOf(bytes) === 'LogAppendTime')
    return refuse(ErrorCode.INVALID_TIMESTAMP, 'The time of append is set by the broker, not by producers.')
  return refusedTimestamp(baseTimestampOf(bytes), rules) ?? refusedTimestamp(maxTimestampOf(bytes), rules)
}

/** -1 stands for no time at all and is always accepted. */
function refusedTimestamp(timestamp: number, rules: ProduceRules): RefusedBatch | undefined {
  if (Number.isNaN(timestamp)) return refuse(ErrorCode.INVALID_TIMESTAMP, 'The timestamp is beyond any time.')
  const limits = rules.timestamps
  if (limits === undefined || timestamp === -1) return undefined
  if (timestamp >= limits.nowMs - limits.beforeMaxMs && timestamp <= limits.nowMs + limits.afterMaxMs) return undefined
  return refuse(ErrorCode.INVALID_TIMESTAMP, `Timestamp ${timestamp} is too far from the broker's time ${limits.nowMs}.`)
}

function judgeRecords(bytes: Uint8Array, rules: ProduceRules): ProducedBatch | RefusedBatch {
  const compression = compressionOf(bytes) as CompressionCodec
  const stated = maxTimestampOf(bytes)
  let maxTimestamp = stated
  if (compression === 'none') {
    const walked = walkRecords(bytes, rules)
    if (typeof walked !== 'number') return walked
    maxTimestamp = walked
  } else if (!beginsAs(compression, bytes, batchHeaderBytes)) {
    return refuse(ErrorCode.INVALID_RECORD, `The records are not compressed with ${compression} as the record batch says.`)
  }
  return {
    kind: 'ok',
    batchBytes: batchLengthOf(bytes) + batchLengthOverhead,
    count: recordCountOf(bytes),
    lastOffsetDelta: lastOffsetDeltaOf(bytes),
    baseTimestamp: baseTimestampOf(bytes),
    maxTimestamp,
    maxTimestampAsStated: maxTimestamp === stated,
    compression,
    isTransactional: isTransactional(bytes),
    producerId: producerIdOf(bytes),
    producerEpoch: producerEpochOf(bytes),
    baseSequence: baseSequenceOf(bytes),
  }
}

/** The greatest time of the records, or what is wrong with them. */
function walkRecords(bytes: Uint8Array, rules: ProduceRules): number | RefusedBatch {
  const cursor = new RecordCursor(bytes, batchHeaderBytes, bytes.length, recordCountOf(bytes))
  const baseTimestamp = baseTimestampOf(bytes)
  let maxTimestamp = -1
  for (let index = 0; cursor.next(); index++) {
    if (cursor.offsetDelta !== index)
      return refuse(ErrorCode.INVALID_RECORD, `Record ${index} has offset delta ${cursor.offsetDelta}.`)
    if (rules.keysRequired === true && cursor.keyLength < 0)
      return refuse(ErrorCode.INVALID_RECORD, 'A compacted topic does not accept records without a key.')
    const timestamp = baseTimestamp + cursor.timestampDelta
    const refused = refusedTimestamp(timestamp, rules)
    if (refused !== undefined) return refused
    if (timestamp > maxTimestamp) maxTimestamp = timestamp
  }
  return cursor.failure === undefined
    ? maxTimestamp
    : refuse(ErrorCode.INVALID_RECORD, `The record batch is malformed: ${cursor.failure}.`)
}

/** The first bytes of each codec's frames. A raw snappy block begins with any length, so snappy is taken on trust. */
const firstBytes: Readonly<Record<'gzip' | 'lz4' | 'zstd', readonly number[]>> = {
  gzip: [0x1f, 0x8b],
  lz4: [0x04, 0x22, 0x4d, 0x18],
  zstd: [0x28, 0xb5, 0x2f, 0xfd],
}

function beginsAs(codec: CompressionCodec, bytes: Uint8Array, at: number): boolean {
  if (codec === 'none') return true
  if (codec === 'snappy') return bytes.length > at
  // Both lz4 and zstd streams may open with a skippable frame, 5x 2a 4d 18.
  const isSkippable = codec !== 'gzip' && ((bytes[at] ?? 0) & 0xf0) === 0x50 && bytes[at + 1] === 0x2a && bytes[at + 2] === 0x4d
  return isSkippable || firstBytes[codec].every((byte, index) => bytes[at + index] === byte)
}
