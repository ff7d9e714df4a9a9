// Owns the proof that packing a producer's batch in another codec keeps everything a consumer sees of it, and that bytes which are no
// records are refused, whatever they are.

import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { crc32cReference as crc32c } from '../../../src/base/crc32c.ts'
import { type BatchCompression, loadBatchCompression } from '../../../src/base/node/compression.ts'
import {
  batchHeaderBytes,
  compressionCodecs,
  compressionOf,
  computeCrc,
  crcOf,
} from '../../../src/protocol/records/batch-header.ts'
import { type Codecs, openProduced } from '../../../src/protocol/records/open-produced.ts'
import { decodeRecords, encodeBatch } from '../../../src/protocol/records/records.ts'
import { inspectProduced } from '../../../src/protocol/records/validate.ts'

let compression: BatchCompression
let codecs: Codecs
beforeAll(async () => {
  compression = await loadBatchCompression()
  codecs = { ...compression, crc32c }
})

const now = 1_735_689_600_000
const bytes = fc.uint8Array({ maxLength: 60 })
const nullableBytes = fc.option(bytes, { nil: null })
const anyRecords = fc
  .array(
    fc.record({
      timestamp: fc.oneof(fc.constant(-1), fc.integer({ min: now - 5000, max: now + 5000 })),
      key: nullableBytes,
      value: nullableBytes,
      headers: fc.array(fc.record({ key: fc.string({ maxLength: 8 }), value: nullableBytes }), { maxLength: 3 }),
    }),
    { minLength: 1, maxLength: 20 },
  )
  .map((records) => records.map((record, offset) => ({ ...record, offset })))
const anyProducer = fc.option(
  fc.record({
    producerId: fc.nat(),
    producerEpoch: fc.nat({ max: 1000 }),
    baseSequence: fc.nat(),
    isTransactional: fc.boolean(),
  }),
  { nil: undefined },
)
const anyCodec = fc.constantFrom(...compressionCodecs)
const levels = {
  none: [undefined],
  gzip: [undefined, -1, 1, 9],
  snappy: [undefined],
  lz4: [undefined, 9],
  zstd: [undefined, -5, 3, 12],
}

/** The header without what a codec may change: length, checksum, attributes. */
const fixedHeader = (batch: Uint8Array): string =>
  Buffer.concat([batch.subarray(0, 8), batch.subarray(12, 17), batch.subarray(23, batchHeaderBytes)]).toString('hex')

/** Its records as text: an unpacked value is a Buffer or not as the codec has it. */
function shown(batch: Uint8Array): unknown {
  const decoded = decodeRecords(batch, 0, compression.decompress)
  if (decoded.kind !== 'ok') return decoded
  const hex = (bytes: Uint8Array | null): string | null => (bytes === null ? null : Buffer.from(bytes).toString('hex'))
  return decoded.records.map(({ key, value, headers, ...rest }) => ({
    ...rest,
    key: hex(key),
    value: hex(value),
    headers: headers.map((header) => [header.key, hex(header.value)]),
  }))
}

describe('a batch packed anew', () => {
  test('has the records, offsets, times and producer it had, a right checksum, and is one batch', () => {
    fc.assert(
      fc.property(anyRecords, anyProducer, anyCodec, anyCodec, fc.nat({ max: 3 }), (records, producer, from, to, level) => {
        const before = encodeBatch({ records, compression: from, ...producer }, { crc32c, compress: compression.compress })
        const sent = before.slice()
        const target = { codec: to, level: levels[to][level % levels[to].length] }
        const opened = openProduced({ records: before, rules: {}, target }, codecs)
        expect(before).toEqual(sent)
        if (opened.kind === 'error') throw new Error(opened.message)
        const after = opened.records
        expect(compressionOf(after)).toBe(to)
        expect(after === before).toBe(from === to)
        expect(fixedHeader(after)).toBe(fixedHeader(before))
        expect(computeCrc(after, 0, crc32c)).toBe(crcOf(after))
        expect(inspectProduced(after, { crc32c })).toEqual({
          ...inspectProduced(before, { crc32c }),
          batchBytes: after.length,
          compression: to,
        })
        expect(shown(after)).toEqual(shown(before))
        expect(opened.maxTimestamp).toBe(Math.max(...records.map(({ timestamp }) => timestamp)))
      }),
      { numRuns: 300 },
    )
  })
})

describe('a batch that is opened', () => {
  test('is judged as the same records uncompressed are, record for record', () => {
    const rules = { keysRequired: true, timestamps: { nowMs: now, beforeMaxMs: 3000, afterMaxMs: 2000 } }
    fc.assert(
      fc.property(anyRecords, anyCodec, (records, codec) => {
        const judged = (as: typeof codec): unknown => {
          const batch = encodeBatch({ records, compression: as }, { crc32c, compress: compression.compress })
          const opened = openProduced({ records: batch, rules }, codecs)
          return opened.kind === 'error' ? opened : opened.maxTimestamp
        }
        const wrong = records.flatMap(({ key, timestamp }, at) =>
          key === null || (timestamp !== -1 && (timestamp < now - 3000 || timestamp > now + 2000)) ? [at] : [],
        )
        const plain = judged('none')
        expect(judged(codec)).toEqual(plain)
        if (wrong.length === 0) expect(typeof plain).toBe('number')
        else
          expect(
            (plain as { recordErrors: ReadonlyArray<{ batchIndex: number }> }).recordErrors.map((one) => one.batchIndex),
          ).toEqual(wrong)
      }),
      { numRuns: 200 },
    )
  })

  test('never brings anything but a verdict, whatever its records are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), anyCodec, anyCodec, (body, from, to) => {
        const batch = encodeBatch(
          { records: [{ offset: 0, timestamp: now, key: null, value: null, headers: [] }], compression: from },
          { crc32c, compress: () => body },
        )
        const opened = openProduced({ records: batch, rules: {}, target: { codec: to } }, codecs)
        expect(['opened', 'error']).toContain(opened.kind)
      }),
      { numRuns: 500 },
    )
  })
})
