// Owns the judgement of what a producer sends for one partition, as far as the header of the batch tells: exactly one intact batch of magic
// 2, in Kafka's order of checks and with Kafka's codes. Does not own its records (judge-records.ts), producer state (sequences, epochs),
// nor topics and authorization.
//
// Uncompressed records are walked, for a malformed one would stop every consumer. Compressed records stay closed unless the topic's configs
// ask a question that the header does not answer: they are the producer's own harm, and unpacking them all is what a broker can least
// afford; only their first bytes are looked at.

import type { Crc32c } from '../../base/crc32c.ts'
import { ErrorCode } from '../generated/errors.ts'
import {
  baseOffsetOf,
  baseSequenceOf,
  baseTimestampOf,
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
  type CompressionCodec,
} from './batch-header.ts'
import { judgeRecords, refuse, type RecordRules, type RefusedBatch } from './judge-records.ts'

export interface ProduceRules extends RecordRules {
  readonly crc32c: Crc32c
  /** Version of the Produce request; before 7 there is no zstd. */
  readonly apiVersion?: number
  /** `max.message.bytes` of the topic. */
  readonly batchBytesMax?: number
  /** Written by a coordinator of this broker, which names a producer and counts no sequence. */
  readonly byCoordinator?: boolean
}

export interface ProducedBatch {
  readonly kind: 'ok'
  readonly batchBytes: number
  readonly count: number
  readonly lastOffsetDelta: number
  readonly baseTimestamp: number
  /** As the header states it. */
  readonly maxTimestamp: number
  readonly compression: CompressionCodec
  readonly isTransactional: boolean
  /** -1 for a producer without idempotence. */
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
}

/** The smallest length any magic allows: a message of magic 0 without key and value. */
const lengthMin = 14

/** What the header of the batch says, or why it is refused; bytes behind the batch, less than another one, are not counted. */
export function inspectProduced(bytes: Uint8Array | null, rules: ProduceRules): ProducedBatch | RefusedBatch {
  if (bytes === null || bytes.length === 0)
    return refuse(ErrorCode.INVALID_RECORD, 'There must be one record batch per partition.')
  const end = endOfOnlyBatch(bytes)
  if (typeof end !== 'number') return end
  const batch = end === bytes.length ? bytes : bytes.subarray(0, end)
  return refusedContent(batch, rules) ?? refusedHeader(batch, rules) ?? factsOf(batch)
}

/** As `inspectProduced`, and the records of an uncompressed batch are judged as well. */
export function validateProduceRecords(bytes: Uint8Array | null, rules: ProduceRules): ProducedBatch | RefusedBatch {
  const batch = inspectProduced(bytes, rules)
  if (batch.kind === 'error' || batch.compression !== 'none') return batch
  const judged = judgeRecords(
    bytes as Uint8Array,
    { bytes: bytes as Uint8Array, start: batchHeaderBytes, end: batch.batchBytes },
    rules,
  )
  return typeof judged === 'number' ? { ...batch, maxTimestamp: judged } : judged
}

type Frame =
  { readonly kind: 'partial' } | { readonly kind: 'whole'; readonly end: number; readonly magic: number } | RefusedBatch
const partial: Frame = { kind: 'partial' }

/** What stands at `at`, seen as Kafka sees it: what is cut off counts for nothing, unless it could never have been a batch. */
function frameAt(bytes: Uint8Array, at: number): Frame {
  const present = bytes.length - at
  if (present < batchLengthOverhead) return partial
  const length = batchLengthOf(bytes, at)
  if (length < lengthMin) return refuse(ErrorCode.CORRUPT_MESSAGE, `A record batch cannot have length ${length}.`)
  if (present <= batchOffset.magic) return partial
  const magic = magicOf(bytes, at)
  if (magic < 0 || magic > 2) return refuse(ErrorCode.CORRUPT_MESSAGE, `Magic ${magic} is unknown.`)
  const end = at + batchLengthOverhead + length
  return end > bytes.length ? partial : { kind: 'whole', end, magic }
}

/** Where the one batch ends. What is behind it may be part of another (Kafka drops that), not a whole one. */
function endOfOnlyBatch(bytes: Uint8Array): number | RefusedBatch {
  const first = frameAt(bytes, 0)
  if (first.kind === 'error') return first
  if (first.kind === 'partial') return refuse(ErrorCode.CORRUPT_MESSAGE, 'The record batch is cut off.')
  if (first.magic !== 2) return refuse(ErrorCode.INVALID_RECORD, `Magic ${first.magic} is no longer accepted, only 2.`)
  if (first.end < batchHeaderBytes) return refuse(ErrorCode.CORRUPT_MESSAGE, 'The record batch is shorter than its header.')
  if (first.end === bytes.length) return first.end
  const second = frameAt(bytes, first.end)
  if (second.kind === 'error') return second
  return second.kind === 'partial'
    ? first.end
    : refuse(ErrorCode.INVALID_RECORD, 'There must be exactly one record batch per partition.')
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
  if (Number.isNaN(baseTimestampOf(bytes) + maxTimestampOf(bytes)))
    return refuse(ErrorCode.INVALID_TIMESTAMP, 'The timestamp is beyond any time.')
  return undefined
}

function factsOf(bytes: Uint8Array): ProducedBatch | RefusedBatch {
  const compression = compressionOf(bytes) as CompressionCodec
  if (!beginsAs(compression, bytes, batchHeaderBytes))
    return refuse(ErrorCode.INVALID_RECORD, `The records are not compressed with ${compression} as the record batch says.`)
  return {
    kind: 'ok',
    batchBytes: bytes.length,
    count: recordCountOf(bytes),
    lastOffsetDelta: lastOffsetDeltaOf(bytes),
    baseTimestamp: baseTimestampOf(bytes),
    maxTimestamp: maxTimestampOf(bytes),
    compression,
    isTransactional: isTransactional(bytes),
    producerId: producerIdOf(bytes),
    producerEpoch: producerEpochOf(bytes),
    baseSequence: baseSequenceOf(bytes),
  }
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
