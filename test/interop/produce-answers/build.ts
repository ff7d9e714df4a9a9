/**
 * Owns batches as no client library would send them: each field of header and records can be made wrong on its own, and the checksum
 * is right again afterwards. Not what a broker says to them.
 */
import { crc32c } from '../../../src/base/node/native-crc32c.ts'

/** A zigzag varint; `padded` makes it longer than it need be. */
export function varint(value: number, padded = 0): Buffer {
  let left = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n))
  const bytes: number[] = []
  do {
    bytes.push(Number(left & 0x7fn) | 0x80)
    left >>= 7n
  } while (left > 0n)
  for (let more = 0; more < padded; more += 1) bytes.push(0x80)
  bytes[bytes.length - 1] = bytes[bytes.length - 1]! & 0x7f
  return Buffer.from(bytes)
}

export interface RawRecord {
  readonly attributes?: number
  readonly timestampDelta?: number
  readonly offsetDelta?: number
  readonly key?: string | null
  readonly value?: string | null
  readonly keyLength?: number
  readonly valueLength?: number
  readonly headerCount?: number
  /** After the header count, as they are. */
  readonly headers?: Buffer
  /** Instead of the length that is right. */
  readonly length?: number
}

function part(text: string | null, length: number | undefined): Buffer {
  const bytes = Buffer.from(text ?? '')
  return Buffer.concat([varint(length ?? (text === null ? -1 : bytes.length)), bytes])
}

export function rawRecord(record: RawRecord, index: number): Buffer {
  const { key = `key ${index}`, value = `value ${index}` } = record
  const body = Buffer.concat([
    Buffer.from([record.attributes ?? 0]),
    varint(record.timestampDelta ?? 0),
    varint(record.offsetDelta ?? index),
    part(key, record.keyLength),
    part(value, record.valueLength),
    varint(record.headerCount ?? 0),
    record.headers ?? Buffer.alloc(0),
  ])
  return Buffer.concat([varint(record.length ?? body.length), body])
}

export interface RawBatch {
  readonly records?: readonly RawRecord[]
  /** Instead of the records, or of what they are compressed to. */
  readonly body?: Uint8Array
  readonly pack?: (plain: Uint8Array) => Uint8Array
  readonly baseOffset?: number
  readonly batchLength?: number
  readonly magic?: number
  readonly attributes?: number
  readonly lastOffsetDelta?: number
  readonly baseTimestamp?: number
  readonly maxTimestamp?: number
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly count?: number
}

export function rawBatch(batch: RawBatch): Buffer {
  const records = batch.records ?? [{}, {}, {}]
  const plain = Buffer.concat(records.map(rawRecord))
  const body = batch.body ?? batch.pack?.(plain) ?? plain
  const bytes = Buffer.alloc(61 + body.length)
  const baseTimestamp = batch.baseTimestamp ?? Date.now()
  const greatest = Math.max(...records.map(({ timestampDelta = 0 }) => baseTimestamp + timestampDelta))
  bytes.writeBigInt64BE(BigInt(batch.baseOffset ?? 0), 0)
  bytes.writeInt32BE(batch.batchLength ?? bytes.length - 12, 8)
  bytes.writeInt32BE(-1, 12)
  bytes.writeInt8(batch.magic ?? 2, 16)
  bytes.writeInt16BE(batch.attributes ?? 0, 21)
  bytes.writeInt32BE(batch.lastOffsetDelta ?? records.length - 1, 23)
  bytes.writeBigInt64BE(BigInt(baseTimestamp), 27)
  bytes.writeBigInt64BE(BigInt(batch.maxTimestamp ?? greatest), 35)
  bytes.writeBigInt64BE(BigInt(batch.producerId ?? -1), 43)
  bytes.writeInt16BE(batch.producerEpoch ?? -1, 51)
  bytes.writeInt32BE(batch.baseSequence ?? -1, 53)
  bytes.writeInt32BE(batch.count ?? records.length, 57)
  bytes.set(body, 61)
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)) >>> 0, 17)
  return bytes
}
