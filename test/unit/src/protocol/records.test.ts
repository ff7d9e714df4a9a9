// Owns the proof that record batches of every codec and client are opened to their records, and written byte for byte as Kafka writes them.

import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { loadBatchCompression } from '../../../../src/base/node/compression.ts'
import { crc32cReference as crc32c } from '../../../../src/base/crc32c.ts'
import * as header from '../../../../src/protocol/records/batch-header.ts'
import { controlRecordTypeOf, encodeTransactionMarker } from '../../../../src/protocol/records/control.ts'
import { decodeLegacyRecords } from '../../../../src/protocol/records/legacy.ts'
import {
  decodeRecords,
  encodeBatch,
  findMaxTimestamp,
  findOffsetByTimestamp,
  type LogRecord,
} from '../../../../src/protocol/records/records.ts'
import { fromHex, goldenLines, toHex } from './vectors.ts'

interface RecordJson {
  readonly offset: string
  readonly timestamp: string
  readonly sequence?: number
  readonly key: string | null
  readonly value?: string | null
  /** Large values are recorded by their length and plain CRC-32. */
  readonly valueLength?: number
  readonly valueCrc32?: number
  readonly headers?: readonly (readonly [string, string | null])[]
}

interface BatchJson {
  readonly baseOffset: string
  readonly batchLength: number
  readonly partitionLeaderEpoch: number
  readonly magic: number
  readonly crc: number
  readonly attributes: number
  readonly compression: header.CompressionCodec
  readonly timestampType: string
  readonly isTransactional: boolean
  readonly isControl: boolean
  readonly hasDeleteHorizon: boolean
  readonly lastOffsetDelta: number
  readonly baseTimestamp: string
  readonly maxTimestamp: string
  readonly producerId: string
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly count: number
  readonly records?: readonly RecordJson[]
  /** Of long batches only some records are recorded. */
  readonly recordCount?: number
  readonly sampleRecords?: readonly RecordJson[]
}

interface RecordsVector {
  readonly name: string
  readonly encodeExact: boolean
  readonly batches: readonly BatchJson[]
  readonly hex: string
}

const compression = await loadBatchCompression()

/** The record in the form of the vector: bytes as hex, large values by checksum. */
function jsonOf(record: LogRecord, like: RecordJson): RecordJson {
  const { offset, timestamp, key, value } = record
  const described =
    like.valueLength === undefined
      ? { value: value && toHex(value) }
      : { valueLength: value?.length ?? 0, valueCrc32: crc32(value ?? new Uint8Array(0)) }
  const headers = record.headers.map(({ key: name, value: bytes }) => [name, bytes && toHex(bytes)] as const)
  return {
    offset: String(offset),
    timestamp: String(timestamp),
    ...(like.sequence === undefined ? {} : { sequence: like.sequence }),
    key: key && toHex(key),
    ...described,
    ...(like.headers === undefined ? {} : { headers }),
  }
}

function expectRecords(records: readonly LogRecord[], expected: readonly RecordJson[], name: string): void {
  const byOffset = new Map(records.map((record) => [String(record.offset), record]))
  const found = expected.map((json) => jsonOf(byOffset.get(json.offset) as LogRecord, json))
  expect(found, name).toEqual(expected)
}

function decoded(bytes: Uint8Array, at = 0): readonly LogRecord[] {
  const opened = decodeRecords(bytes, at, compression.decompress)
  if (opened.kind !== 'ok') throw new Error(opened.detail)
  return opened.records
}

function expectHeader(bytes: Uint8Array, at: number, json: BatchJson): void {
  const { records: _, recordCount: __, sampleRecords: ___, ...facts } = json
  expect({
    baseOffset: String(header.baseOffsetOf(bytes, at)),
    batchLength: header.batchLengthOf(bytes, at),
    partitionLeaderEpoch: header.leaderEpochOf(bytes, at),
    magic: header.magicOf(bytes, at),
    crc: header.crcOf(bytes, at),
    attributes: header.attributesOf(bytes, at),
    compression: header.compressionOf(bytes, at),
    timestampType: header.timestampTypeOf(bytes, at),
    isTransactional: header.isTransactional(bytes, at),
    isControl: header.isControlBatch(bytes, at),
    hasDeleteHorizon: header.hasDeleteHorizon(bytes, at),
    lastOffsetDelta: header.lastOffsetDeltaOf(bytes, at),
    baseTimestamp: String(header.baseTimestampOf(bytes, at)),
    maxTimestamp: String(header.maxTimestampOf(bytes, at)),
    producerId: String(header.producerIdOf(bytes, at)),
    producerEpoch: header.producerEpochOf(bytes, at),
    baseSequence: header.baseSequenceOf(bytes, at),
    count: header.recordCountOf(bytes, at),
  }).toEqual(facts)
  expect(header.computeCrc(bytes, at, crc32c)).toBe(json.crc)
}

function expectDecoded(vector: RecordsVector): void {
  const bytes = fromHex(vector.hex)
  let at = 0
  for (const json of vector.batches) {
    expectHeader(bytes, at, json)
    const records = decoded(bytes, at)
    const expected = json.records ?? json.sampleRecords ?? []
    expect(records.length, vector.name).toBe(json.recordCount ?? expected.length)
    expectRecords(records, expected, vector.name)
    for (const record of expected) {
      if (record.sequence === undefined || record.sequence < 0) continue
      expect(header.sequenceAfter(json.baseSequence, Number(record.offset) - Number(json.baseOffset))).toBe(record.sequence)
    }
    at = header.batchEnd(bytes, at)
  }
  expect(at).toBe(bytes.length)
}

function encode(json: BatchJson, records: readonly LogRecord[]): Uint8Array {
  const { compression: codec, lastOffsetDelta, isTransactional, isControl, hasDeleteHorizon, producerEpoch, baseSequence } = json
  return encodeBatch(
    {
      records,
      baseOffset: Number(json.baseOffset),
      lastOffsetDelta,
      leaderEpoch: json.partitionLeaderEpoch,
      compression: codec,
      baseTimestamp: Number(json.baseTimestamp),
      maxTimestamp: Number(json.maxTimestamp),
      isTransactional,
      isControl,
      hasDeleteHorizon,
      producerId: Number(json.producerId),
      producerEpoch,
      baseSequence,
    },
    { crc32c, compress: compression.compress },
  )
}

const own = goldenLines<RecordsVector>('records/records.jsonl.gz')
const foreign = goldenLines<RecordsVector>('records/records-foreign-encoders.jsonl.gz')

test('every batch Kafka wrote is opened to its header and records', () => {
  for (const vector of own) expectDecoded(vector)
  expect(own.length).toBe(53)
})

test('every batch of other clients and their compressors is opened to its records', () => {
  for (const vector of foreign) expectDecoded(vector)
  expect(foreign.length).toBe(22)
})

test('batches are encoded byte for byte as Kafka encodes them', () => {
  const original = own.find((vector) => vector.name === 'none/mixed') as RecordsVector
  const exact = own.filter((vector) => vector.encodeExact)
  for (const vector of exact) {
    const [json] = vector.batches as [BatchJson]
    if (json.timestampType === 'CreateTime') {
      expect(toHex(encode(json, decoded(fromHex(vector.hex)))), vector.name).toBe(vector.hex)
      continue
    }
    // The time of append replaced the producers' times in the header only: the records keep what they were sent with.
    const sent = decoded(fromHex(original.hex)).map((record, index) => ({ ...record, offset: Number(json.baseOffset) + index }))
    const stamped = encode({ ...json, maxTimestamp: (original.batches[0] as BatchJson).maxTimestamp }, sent)
    header.stampLogAppendTime(stamped, 0, Number(json.maxTimestamp), crc32c)
    expect(toHex(stamped), vector.name).toBe(vector.hex)
  }
  expect(exact.length).toBe(16)
})

test('what is compressed here is opened again, with every codec', () => {
  const shape = { offset: '', timestamp: '', key: null, headers: [] }
  const again = own.filter(
    (vector) => /^(gzip|snappy|lz4|zstd)/.test(vector.name) && vector.batches[0]?.timestampType === 'CreateTime',
  )
  for (const vector of again) {
    const records = decoded(fromHex(vector.hex))
    const reopened = decoded(encode(vector.batches[0] as BatchJson, records))
    expect(
      reopened.map((record) => jsonOf(record, shape)),
      vector.name,
    ).toEqual(records.map((record) => jsonOf(record, shape)))
  }
  expect(again.length).toBe(32)
})

test('message sets of magic 0 and 1 are read, compressed or not', () => {
  const vectors = goldenLines<{ name: string; hex: string; records: RecordJson[] }>('records/records-legacy-magic.jsonl.gz')
  for (const vector of vectors) {
    const opened = decodeLegacyRecords(fromHex(vector.hex), compression.decompress)
    if (opened.kind !== 'ok') throw new Error(opened.detail)
    expect(opened.records.length).toBe(vector.records.length)
    expectRecords(opened.records, vector.records, vector.name)
  }
  expect(vectors.length).toBe(6)
})

test('an encoded batch holds no more memory than it has bytes', () => {
  const records = [{ offset: 0, timestamp: 1, key: Buffer.from('key'), value: Buffer.alloc(3_000), headers: [] }]
  for (const compress of ['none', 'gzip'] as const) {
    const batch = encodeBatch({ records, compression: compress }, { crc32c, compress: compression.compress })
    expect(batch.buffer.byteLength).toBe(batch.length)
  }
  const marker = encodeTransactionMarker(
    { result: 'commit', producerId: 1, producerEpoch: 0, coordinatorEpoch: 0, timestamp: 1 },
    crc32c,
  )
  expect(marker.buffer.byteLength).toBe(marker.length)
})

describe('stamping', () => {
  test('the base offset and the leader epoch lie outside the checksum', () => {
    const vector = own.find((one) => one.name === 'none/mixed') as RecordsVector
    const bytes = fromHex(vector.hex)
    header.stampBaseOffset(bytes, 0, 1234567890123)
    header.stampLeaderEpoch(bytes, 0, 42)
    expect(toHex(bytes)).toBe(own.find((one) => one.name === 'none/mixed-offset-leaderEpoch')?.hex)
    expect(header.computeCrc(bytes, 0, crc32c)).toBe(header.crcOf(bytes))
  })

  test('offsets up to the largest safe integer survive, larger ones are seen as no number', () => {
    const bytes = new Uint8Array(header.batchHeaderBytes)
    for (const offset of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      header.stampBaseOffset(bytes, 0, offset)
      expect(header.baseOffsetOf(bytes)).toBe(offset)
    }
    expect(header.baseOffsetOf(fromHex('0020000000000000'))).toBeNaN()
    expect(header.baseOffsetOf(fromHex('ffffffffffffffff'))).toBe(-1)
    expect(header.baseOffsetOf(fromHex('8000000000000000'))).toBeNaN()
  })
})

describe('looking for a time', () => {
  const mixed = fromHex((own.find((one) => one.name === 'none/mixed') as RecordsVector).hex)
  const from = (timestamp: number, startOffset = 0): unknown =>
    findOffsetByTimestamp(mixed, 0, { timestamp, startOffset }, compression.decompress)

  test('finds the first record at or after it', () => {
    expect(from(1735689600007)).toEqual({ kind: 'found', offset: 1, timestamp: 1735689600007 })
    expect(from(1735689600008)).toEqual({ kind: 'found', offset: 3, timestamp: 1735689700000 })
    expect(from(0, 2)).toEqual({ kind: 'found', offset: 2, timestamp: 1735689599995 })
  })

  test('finds nothing after the last record', () => {
    expect(from(1735776000001)).toBeUndefined()
  })

  test('finds the greatest time', () => {
    expect(findMaxTimestamp(mixed, 0, compression.decompress)).toEqual({ kind: 'found', offset: 5, timestamp: 1735776000000 })
  })
})

test('the marker that ends a transaction is the one Kafka writes', () => {
  for (const result of ['commit', 'abort'] as const) {
    const vector = own.find((one) => one.name === `control/${result}`) as RecordsVector
    const marker = { result, producerId: 4000123456, producerEpoch: 5, coordinatorEpoch: 99, timestamp: 1735689600000 }
    const bytes = encodeTransactionMarker({ ...marker, baseOffset: 777, leaderEpoch: 12 }, crc32c)
    expect(toHex(bytes)).toBe(vector.hex)
    expect(controlRecordTypeOf(decoded(bytes)[0]?.key ?? null)).toBe(result === 'commit' ? 1 : 0)
  }
})

describe('a compressed batch that lies', () => {
  test('is malformed, not an exception, when its bytes are not of its codec', () => {
    const broken = {
      gzip: ['', '00', '1f8b0800'],
      snappy: [
        '',
        'ffffffffffffffffffff',
        '0561',
        '82534e41505059000000000100000001ffffffff',
        '82534e4150505900000000010000000100000001ff',
      ],
      lz4: ['00', '04224d1860', '04224d18604082ffffffff', '04224d186040820300000061616100000000'],
      zstd: ['00', '28b52ffd00', '28b52ffd0058ffffff', '28b52ffd2000070000', '502a4d18ffffffff'],
    } as const
    for (const codec of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
      for (const hex of broken[codec])
        expect(compression.decompress(codec, fromHex(hex)), `${codec} ${hex}`).toHaveProperty('failure')
    }
  })

  test('is refused when it would unpack to more than the bound', async () => {
    const bounded = await loadBatchCompression(1_000_000)
    const zeros = new Uint8Array(5_000_000)
    for (const codec of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
      expect(bounded.decompress(codec, compression.compress(codec, zeros)), codec).toHaveProperty('failure')
      expect(compression.decompress(codec, compression.compress(codec, zeros)), codec).toHaveLength(zeros.length)
    }
  })
})

test('highly compressible frames without a stated size are unpacked whole', () => {
  // One frame of a streaming encoder: 80 run-length blocks of 128 KiB from 4 bytes each, three hundred times the usual guess.
  const block = (isLast: boolean): number[] => {
    const header_ = (0x20000 << 3) | (1 << 1) | (isLast ? 1 : 0)
    return [header_ & 0xff, (header_ >> 8) & 0xff, header_ >> 16, 0x61]
  }
  const blocks = Array.from({ length: 80 }, (_, index) => block(index === 79)).flat()
  const frame = new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, ...blocks])
  expect(compression.decompress('zstd', frame)).toHaveLength(80 * 128 * 1024)
})
