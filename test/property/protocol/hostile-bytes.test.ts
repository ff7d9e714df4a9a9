// Owns the proof that no bytes make the wire room throw, believe a length, or allocate beyond what they are worth.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crc32cReference as crc32c } from '../../../src/base/crc32c.ts'
import { decodeRequestHeader } from '../../../src/protocol/codec/frame.ts'
import { ByteReader } from '../../../src/protocol/codec/reader.ts'
import { ByteWriter } from '../../../src/protocol/codec/writer.ts'
import { apiEntries } from '../../../src/protocol/generated/api-table.ts'
import { apiCodecs, blobCodecs, type ApiCodec } from '../../../src/protocol/generated/codecs.ts'
import { batchOffset, computeCrc } from '../../../src/protocol/records/batch-header.ts'
import { setInt32At } from '../../../src/protocol/codec/int64.ts'
import { decodeLegacyRecords } from '../../../src/protocol/records/legacy.ts'
import { decodeRecords, encodeBatch, type Decompress } from '../../../src/protocol/records/records.ts'
import { validateProduceRecords } from '../../../src/protocol/records/validate.ts'

const echo: Decompress = (_, bytes) => bytes
const anyApi = fc
  .constantFrom(...apiEntries)
  .chain((entry) => fc.tuple(fc.constant(entry), fc.integer({ min: entry.codecMin, max: entry.codecMax })))
/** Bytes that look like lengths more often than chance has it. */
const anyBytes = fc
  .array(fc.oneof(fc.constantFrom(0x00, 0x01, 0x02, 0x7f, 0x80, 0xff), fc.integer({ min: 0, max: 255 })), { maxLength: 200 })
  .map((bytes) => new Uint8Array(bytes))

/** How many values hang together below `value`, each counted once. */
function sizeOf(value: unknown): number {
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return 1
  return Object.values(value).reduce((sum: number, member) => sum + sizeOf(member), 1)
}

describe('whatever the bytes', () => {
  test('no message of any API and version throws, and what is made of them is bounded by them', () => {
    fc.assert(
      fc.property(anyApi, anyBytes, fc.boolean(), ([entry, version], bytes, isRequest) => {
        const codec = apiCodecs.get(entry.key) as ApiCodec
        const r = new ByteReader(bytes)
        const message = isRequest ? codec.readRequest(r, version) : codec.readResponse(r, version)
        // A struct of one byte on the wire has at most some thirty fields, all but few at their defaults.
        expect(sizeOf(message)).toBeLessThan(200 + 100 * bytes.length)
      }),
      { numRuns: 20_000 },
    )
  })

  test('no blob or internal record throws', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(blobCodecs)), anyBytes, (codec, bytes) => {
        for (let version = codec.versionMin; version <= codec.versionMax; version++) codec.read(new ByteReader(bytes), version)
      }),
      { numRuns: 5000 },
    )
  })

  test('a header is read or refused', () => {
    fc.assert(fc.property(anyBytes, (bytes) => void decodeRequestHeader(new ByteReader(bytes))))
  })

  test('a produced batch is accepted or refused', () => {
    fc.assert(fc.property(anyBytes, (bytes) => void validateProduceRecords(bytes, { crc32c })))
  })

  test('legacy messages are read or refused', () => {
    fc.assert(fc.property(anyBytes, (bytes) => void decodeLegacyRecords(bytes, echo)))
  })

  test('a batch whose records are noise under a right checksum is refused or consistent', () => {
    fc.assert(
      fc.property(anyBytes, fc.integer({ min: -3, max: 300 }), (noise, count) => {
        const bytes = new Uint8Array([...encodeBatch({ records: [] }, { crc32c }), ...noise])
        setInt32At(bytes, batchOffset.batchLength, bytes.length - 12)
        setInt32At(bytes, batchOffset.count, count)
        setInt32At(bytes, batchOffset.lastOffsetDelta, count - 1)
        setInt32At(bytes, batchOffset.crc, computeCrc(bytes, 0, crc32c))
        const judged = validateProduceRecords(bytes, { crc32c })
        const opened = decodeRecords(bytes, 0, echo)
        if (judged.kind === 'ok') expect(opened.kind === 'ok' && opened.records.length).toBe(count)
      }),
      { numRuns: 2000 },
    )
  })
})

test('a huge count in few bytes is refused in no time, at every length of every message', () => {
  for (const entry of apiEntries) {
    const codec = apiCodecs.get(entry.key) as ApiCodec
    for (let version = entry.codecMin; version <= entry.codecMax; version++) {
      for (const filler of [0x7f, 0xff, 0x0f]) {
        const bytes = new Uint8Array(64).fill(filler)
        expect(sizeOf(codec.readRequest(new ByteReader(bytes), version)), `${entry.name} ${version}`).toBeLessThan(1000)
        expect(sizeOf(codec.readResponse(new ByteReader(bytes), version)), `${entry.name} ${version}`).toBeLessThan(1000)
      }
    }
  }
})

test('what random bytes decode to without failure encodes and decodes to the same again', () => {
  let roundTrips = 0
  fc.assert(
    fc.property(anyApi, anyBytes, ([entry, version], bytes) => {
      const codec = apiCodecs.get(entry.key) as ApiCodec
      const r = new ByteReader(bytes)
      const message = codec.readRequest(r, version)
      if (r.failure !== undefined) return
      const w = new ByteWriter()
      codec.writeRequest(w, message as never, version)
      const again = new ByteReader(w.concat())
      expect(codec.readRequest(again, version)).toEqual(message)
      expect([again.failure, again.remaining]).toEqual([undefined, 0])
      roundTrips++
    }),
    { numRuns: 20_000 },
  )
  expect(roundTrips).toBeGreaterThan(100)
})

test('records survive a batch whatever they hold', () => {
  const anyRecord = fc.record({
    timestamp: fc.integer({ min: 0, max: 2 ** 45 }),
    key: fc.option(fc.uint8Array({ maxLength: 40 })),
    value: fc.option(fc.uint8Array({ maxLength: 900 })),
    headers: fc.array(
      fc.record({ key: fc.string({ unit: 'grapheme', maxLength: 10 }), value: fc.option(fc.uint8Array({ maxLength: 20 })) }),
      { maxLength: 3 },
    ),
  })
  fc.assert(
    fc.property(
      fc.array(anyRecord, { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 0, max: 2 ** 52 }),
      (drawn, baseOffset) => {
        const records = drawn.map((record, index) => ({ offset: baseOffset + index, ...record }))
        const bytes = encodeBatch({ records }, { crc32c })
        expect(decodeRecords(bytes, 0, echo)).toEqual({ kind: 'ok', records })
        if (baseOffset === 0) expect(validateProduceRecords(bytes, { crc32c }).kind).toBe('ok')
      },
    ),
    { numRuns: 300 },
  )
})
