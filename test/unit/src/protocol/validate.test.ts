// Owns the proof that a producer's batch is judged as Kafka judges it.

import { describe, expect, test } from 'vitest'
import { crc32cReference as crc32c } from '../../../../src/base/crc32c.ts'
import { setInt32At } from '../../../../src/protocol/codec/int64.ts'
import { errorName } from '../../../../src/protocol/generated/errors.ts'
import { batchOffset, computeCrc } from '../../../../src/protocol/records/batch-header.ts'
import { encodeBatch, type BatchToEncode, type LogRecord } from '../../../../src/protocol/records/records.ts'
import { validateProduceRecords, type ProduceRules } from '../../../../src/protocol/records/validate.ts'
import { fromHex, goldenLines } from './vectors.ts'

const nowMs = 1735689600000

function record(offset: number, timestamp = nowMs): LogRecord {
  return { offset, timestamp, key: new Uint8Array([1]), value: new Uint8Array([2, 3]), headers: [] }
}

const batch = (fields: Partial<BatchToEncode> = {}): Uint8Array =>
  encodeBatch({ records: [record(0), record(1, nowMs + 5), record(2)], ...fields }, { crc32c, compress: (_, bytes) => bytes })

/** The batch with some bytes changed and the checksum made right again. */
function altered(bytes: Uint8Array, change: (bytes: Uint8Array) => void): Uint8Array {
  change(bytes)
  setInt32At(bytes, batchOffset.crc, computeCrc(bytes, 0, crc32c))
  return bytes
}

function verdict(bytes: Uint8Array | null, rules: Partial<ProduceRules> = {}): string {
  const judged = validateProduceRecords(bytes, { crc32c, ...rules })
  return judged.kind === 'ok' ? 'ok' : errorName(judged.errorCode)
}

test('every recorded invalid batch is refused with an expected error', () => {
  const vectors = goldenLines<{ name: string; expect: string; hex: string }>('records/records-invalid.jsonl.gz')
  for (const vector of vectors) expect(vector.expect.split('|'), vector.name).toContain(verdict(fromHex(vector.hex)))
  expect(vectors.length).toBe(12)
})

test('every single batch Kafka wrote for a producer is accepted', () => {
  const vectors = goldenLines<{ name: string; hex: string }>('records/records.jsonl.gz').filter(({ name }) =>
    /^(none|gzip|snappy|lz4|zstd)\/(single|mixed|idempotent|sequence-wrap|transactional|many|big)/.test(name),
  )
  const base = vectors.filter(({ hex }) => hex.startsWith('0000000000000000'))
  for (const vector of base) expect(verdict(fromHex(vector.hex)), vector.name).toBe('ok')
  expect(base.length).toBe(34)
})

test('the facts of an accepted batch are those of its header', () => {
  const bytes = batch({ producerId: 7, producerEpoch: 2, baseSequence: 40, isTransactional: true })
  expect(validateProduceRecords(bytes, { crc32c })).toEqual({
    kind: 'ok',
    batchBytes: bytes.length,
    count: 3,
    lastOffsetDelta: 2,
    baseTimestamp: nowMs,
    maxTimestamp: nowMs + 5,
    compression: 'none',
    isTransactional: true,
    producerId: 7,
    producerEpoch: 2,
    baseSequence: 40,
  })
})

describe('refused is', () => {
  test('no batch at all', () => {
    expect(verdict(null)).toBe('INVALID_RECORD')
    expect(verdict(new Uint8Array(0))).toBe('INVALID_RECORD')
  })

  test('a second batch', () => {
    const one = batch()
    expect(verdict(new Uint8Array([...one, ...one]))).toBe('INVALID_RECORD')
  })

  test('any truncation', () => {
    const whole = batch()
    for (let length = 1; length < whole.length; length++)
      expect(verdict(whole.subarray(0, length)), `${length} bytes`).toBe('CORRUPT_MESSAGE')
  })

  test('any flipped bit after the checksum', () => {
    const whole = batch()
    for (let at = batchOffset.attributes; at < whole.length; at++) {
      const bytes = whole.slice()
      bytes[at] = (bytes[at] as number) ^ 0x10
      expect(verdict(bytes), `byte ${at}`).not.toBe('ok')
    }
  })

  test('an old magic', () => {
    for (const { hex } of goldenLines<{ hex: string }>('records/records-legacy-magic.jsonl.gz'))
      expect(verdict(fromHex(hex))).toBe('INVALID_RECORD')
  })

  test('zstd from a client too old to know it', () => {
    const bytes = altered(batch({ compression: 'zstd' }), () => undefined)
    expect(verdict(bytes, { apiVersion: 6 })).toBe('UNSUPPORTED_COMPRESSION_TYPE')
  })

  test('a batch larger than the topic allows', () => {
    const bytes = batch()
    expect(verdict(bytes, { batchBytesMax: bytes.length - 1 })).toBe('MESSAGE_TOO_LARGE')
    expect(verdict(bytes, { batchBytesMax: bytes.length })).toBe('ok')
  })

  test('a base offset other than 0', () => {
    expect(verdict(batch({ records: [record(4)], baseOffset: 4 }))).toBe('INVALID_RECORD')
  })

  test('a batch without records', () => {
    expect(verdict(batch({ records: [] }))).toBe('INVALID_RECORD')
  })

  test('an idempotent producer without a sequence', () => {
    expect(verdict(batch({ producerId: 7, producerEpoch: 0 }))).toBe('INVALID_RECORD')
  })

  test('a batch that claims the time of append', () => {
    expect(verdict(altered(batch(), (bytes) => (bytes[batchOffset.attributes + 1] = 0x08)))).toBe('INVALID_TIMESTAMP')
  })

  test('a time too far from now', () => {
    const timestamps = { nowMs, beforeMaxMs: 1000, afterMaxMs: 1000 }
    expect(verdict(batch(), { timestamps })).toBe('ok')
    expect(verdict(batch({ records: [record(0), record(1, nowMs + 1001)] }), { timestamps })).toBe('INVALID_TIMESTAMP')
    expect(verdict(batch({ records: [record(0), record(1, nowMs - 1001), record(2)] }), { timestamps })).toBe('INVALID_TIMESTAMP')
    expect(verdict(batch({ records: [record(0, -1)], baseTimestamp: -1 }), { timestamps })).toBe('ok')
  })

  test('a record without a key where keys are required', () => {
    const keyless = { ...record(0), key: null }
    expect(verdict(batch({ records: [keyless] }))).toBe('ok')
    expect(verdict(batch({ records: [keyless] }), { keysRequired: true })).toBe('INVALID_RECORD')
  })

  test('offsets that skip', () => {
    expect(verdict(batch({ records: [record(0), record(2)], lastOffsetDelta: 1 }))).toBe('INVALID_RECORD')
  })
})

test('a greatest time the header states wrongly is found by looking at the records', () => {
  const judged = validateProduceRecords(batch({ maxTimestamp: nowMs + 999 }), { crc32c })
  expect(judged).toMatchObject({ kind: 'ok', maxTimestamp: nowMs + 5 })
})
