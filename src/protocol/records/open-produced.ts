// Owns what is done to a producer's batch that has to be opened: its records are unpacked, judged, and packed again where the topic wants
// another codec. Pure, so that it can be done anywhere; where, and when, is the shell's (server/records).
//
// A batch stays one batch with its records byte for byte, its header too but for codec, length, greatest time and checksum: offsets,
// sequences and times are right without being touched.

import type { Crc32c } from '../../base/crc32c.ts'
import { ErrorCode } from '../generated/errors.ts'
import { setInt32At } from '../codec/int64.ts'
import {
  batchAttribute,
  batchHeaderBytes,
  batchLengthOverhead,
  batchOffset,
  compressionCodecs,
  compressionOf,
  type CompressionCodec,
  maxTimestampOf,
  stampMaxTimestamp,
} from './batch-header.ts'
import { judgeRecords, type PlainRecords, type RecordRules, refuse, type RefusedBatch } from './judge-records.ts'
import type { Compress, Decompress } from './records.ts'

/** A codec, and how hard it tries; without a level as it usually does. */
export interface CompressionTarget {
  readonly codec: CompressionCodec
  readonly level?: number | undefined
}

export interface OpenOrder {
  /** One whole batch whose header was found good. */
  readonly records: Uint8Array
  readonly rules: RecordRules
  /** Absent: the batch stays as it is packed. */
  readonly target?: CompressionTarget | undefined
}

export interface OpenedBatch {
  readonly kind: 'opened'
  /** Those of the order, or new ones. */
  readonly records: Uint8Array
  /** Of the records themselves. */
  readonly maxTimestamp: number
}

export interface Codecs {
  readonly decompress: Decompress
  readonly compress: Compress
  readonly crc32c: Crc32c
}

export function openProduced({ records, rules, target }: OpenOrder, codecs: Codecs): OpenedBatch | RefusedBatch {
  const compression = compressionOf(records) as CompressionCodec
  const plain = unpacked(records, compression, codecs.decompress)
  if ('kind' in plain) return plain
  const maxTimestamp = judgeRecords(records, plain, rules)
  if (typeof maxTimestamp !== 'number') return maxTimestamp
  if (target === undefined || target.codec === compression) return { kind: 'opened', records, maxTimestamp }
  const body = codecs.compress(target.codec, plain.bytes.subarray(plain.start, plain.end), target.level)
  return { kind: 'opened', records: repacked(records, { body, codec: target.codec }, codecs.crc32c), maxTimestamp }
}

function unpacked(records: Uint8Array, codec: CompressionCodec, decompress: Decompress): PlainRecords | RefusedBatch {
  if (codec === 'none') return { bytes: records, start: batchHeaderBytes, end: records.length }
  const plain = decompress(codec, records.subarray(batchHeaderBytes))
  if ('failure' in plain) return refuse(ErrorCode.INVALID_RECORD, `The records cannot be unpacked: ${plain.failure}.`)
  return { bytes: plain, start: 0, end: plain.length }
}

function repacked(
  records: Uint8Array,
  { body, codec }: { readonly body: Uint8Array; readonly codec: CompressionCodec },
  crc32c: Crc32c,
): Uint8Array {
  const bytes = new Uint8Array(batchHeaderBytes + body.length)
  bytes.set(records.subarray(0, batchHeaderBytes))
  bytes.set(body, batchHeaderBytes)
  setInt32At(bytes, batchOffset.batchLength, bytes.length - batchLengthOverhead)
  const low = batchOffset.attributes + 1
  bytes[low] = ((bytes[low] as number) & ~batchAttribute.compression) | compressionCodecs.indexOf(codec)
  // The checksum with it.
  stampMaxTimestamp(bytes, 0, maxTimestampOf(bytes), crc32c)
  return bytes
}
