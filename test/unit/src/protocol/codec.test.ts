// Owns the proof of the primitives: numbers, strings, sizes, references and tagged fields, read and written.

import { describe, expect, test } from 'vitest'
import { ByteReader } from '../../../../src/protocol/codec/reader.ts'
import { ScratchPool } from '../../../../src/protocol/codec/scratch.ts'
import { briefly, isUuid, zeroUuid } from '../../../../src/protocol/codec/text.ts'
import { decodeVersioned, encodeVersioned, versionPrefixOf } from '../../../../src/protocol/codec/versioned.ts'
import { ByteWriter } from '../../../../src/protocol/codec/writer.ts'
import { crc32cReference } from '../../../../src/base/crc32c.ts'
import * as assignment from '../../../../src/protocol/generated/data/consumer-protocol-assignment.ts'
import * as subscription from '../../../../src/protocol/generated/data/consumer-protocol-subscription.ts'
import { produceRequest, readProduceRequest, writeProduceRequest } from '../../../../src/protocol/generated/produce.ts'
import { fetchRequest, readFetchRequest, writeFetchRequest } from '../../../../src/protocol/generated/fetch.ts'
import { fromHex, goldenText, toHex } from './vectors.ts'

interface Primitives {
  readonly unsignedVarint: readonly (readonly [number, string])[]
  readonly varint: readonly (readonly [number, string])[]
  readonly varlong: readonly (readonly [string, string])[]
  readonly crc32c: readonly (readonly [string, number])[]
}
const primitives = JSON.parse(goldenText('records/primitives.json')) as Primitives

function written(write: (w: ByteWriter) => void): string {
  const w = new ByteWriter()
  write(w)
  return toHex(w.concat())
}

test('varints of every width are read and written as Kafka does', () => {
  for (const [value, hex] of primitives.unsignedVarint) {
    expect(new ByteReader(fromHex(hex)).uvarint()).toBe(value)
    expect(written((w) => w.uvarint(value))).toBe(hex)
  }
  for (const [value, hex] of primitives.varint) {
    expect(new ByteReader(fromHex(hex)).varint()).toBe(value)
    expect(written((w) => w.varint(value))).toBe(hex)
  }
  for (const [value, hex] of primitives.varlong) {
    expect(new ByteReader(fromHex(hex)).varlong()).toBe(BigInt(value))
    expect(written((w) => w.varlong(BigInt(value)))).toBe(hex)
  }
  expect([primitives.unsignedVarint.length, primitives.varint.length, primitives.varlong.length]).toEqual([16, 14, 9])
})

test('the checksum is the one Kafka computes', () => {
  for (const [text, crc] of primitives.crc32c) expect(crc32cReference(new TextEncoder().encode(text))).toBe(crc)
})

describe('embedded consumer protocol blobs', () => {
  interface Blob {
    readonly version: number
    readonly hex: string
  }
  const embedded = JSON.parse(goldenText('embedded.json')) as { consumerSubscription: Blob[]; consumerAssignment: Blob[] }
  const owned = [
    { topic: 't1', partitions: [0, 2] },
    { topic: 't2', partitions: [1] },
  ]

  test('subscriptions of every version', () => {
    for (const { version, hex } of embedded.consumerSubscription) {
      const bytes = fromHex(hex)
      expect(versionPrefixOf(bytes)).toBe(version)
      const message = decodeVersioned(subscription.readConsumerProtocolSubscription, bytes, version)
      expect(message).toMatchObject({
        topics: ['t1', 't2'],
        userData: new Uint8Array([1, 2]),
        ownedPartitions: version >= 1 ? owned : [],
        generationId: version >= 2 ? 7 : -1,
        rackId: version >= 3 ? 'rack-a' : null,
      })
      const again = encodeVersioned(
        subscription.writeConsumerProtocolSubscription,
        message as subscription.ConsumerProtocolSubscription,
        version,
      )
      expect(toHex(again)).toBe(hex)
    }
    expect(embedded.consumerSubscription.length).toBe(4)
  })

  test('assignments of every version', () => {
    for (const { version, hex } of embedded.consumerAssignment) {
      const message = decodeVersioned(assignment.readConsumerProtocolAssignment, fromHex(hex), version)
      expect(message).toMatchObject({ assignedPartitions: owned, userData: null })
      const again = encodeVersioned(
        assignment.writeConsumerProtocolAssignment,
        message as assignment.ConsumerProtocolAssignment,
        version,
      )
      expect(toHex(again)).toBe(hex)
    }
    expect(embedded.consumerAssignment.length).toBe(4)
  })
})

describe('the reader', () => {
  test('keeps the first failure and answers zero ever after', () => {
    const r = new ByteReader(fromHex('0001'))
    expect([r.int16(), r.int32(), r.string(true), r.int64(), r.uuid(), r.bool()]).toEqual([1, 0, '', 0n, zeroUuid, false])
    expect(r.failure).toBe('truncated int32 at byte 2')
    expect(r.remaining).toBe(0)
  })

  test('refuses a count the bytes cannot hold before anything is allocated', () => {
    const r = new ByteReader(fromHex('7fffffff00'))
    expect(r.arrayLength(false, 1)).toBe(0)
    expect(r.failure).toMatch(/array of 2147483647 elements/)
  })

  test('refuses varints that never end', () => {
    for (const hex of ['ffffffffff', 'ffffffff1f', '8080808080808080808001']) {
      const r = new ByteReader(fromHex(hex))
      r.uvarint()
      expect(r.failure, hex).toMatch(/varint/)
    }
  })

  test('refuses null where a value must be', () => {
    const reads = [
      (r: ByteReader) => r.string(false),
      (r: ByteReader) => r.bytesField(true),
      (r: ByteReader) => r.arrayLength(true, 1),
    ]
    for (const read of reads) {
      const r = new ByteReader(fromHex('ffff00').subarray(read === reads[0] ? 0 : 2))
      read(r)
      expect(r.failure).toMatch(/null where/)
    }
  })

  test('hands out bytes as views of the input', () => {
    const input = fromHex('0000000301020300')
    const bytes = new ByteReader(input).bytesField(false)
    expect(bytes.buffer).toBe(input.buffer)
    expect(toHex(bytes)).toBe('010203')
  })

  test('takes malformed UTF-8 for replacement characters and keeps a byte order mark', () => {
    expect(new ByteReader(fromHex('0002ff61')).string(false)).toBe('\ufffda')
    expect(new ByteReader(fromHex('0004efbbbf61')).string(false)).toBe('\ufeffa')
  })

  test('refuses a tagged field of another size than it states', () => {
    const w = new ByteWriter()
    writeFetchRequest(w, fetchRequest(), 12)
    const untagged = toHex(w.concat().subarray(0, -1))
    const read = (tagged: string): readonly [string | null, string | undefined] => {
      const r = new ByteReader(fromHex(untagged + tagged))
      const { clusterId } = readFetchRequest(r, 12)
      return [clusterId, r.failure?.replace(/ at byte.*/, '')]
    }
    expect(read('01' + '0003' + '036162')).toEqual(['ab', undefined])
    expect(read('01' + '0004' + '03616200')).toEqual(['ab', 'tagged field of another size than it says'])
    expect(read('01' + '0002' + '036162')[1]).toBe('tagged field of another size than it says')
  })
})

describe('the writer', () => {
  const large = (size: number, fill: number): Uint8Array => new Uint8Array(size).fill(fill)

  test('passes record batches on by reference, in their place', () => {
    const batches = [large(5000, 1), large(3, 2), large(100_000, 3)]
    const message = produceRequest({
      acks: -1,
      topicData: [{ name: 't', topicId: zeroUuid, partitionData: [{ index: 7, records: batches }] }],
    })
    const w = new ByteWriter()
    writeProduceRequest(w, message, 9)
    const size = w.byteLength
    const chunks = w.finish()
    expect(chunks).toContain(batches[0])
    expect(chunks).toContain(batches[2])
    const whole = Buffer.concat(chunks)
    expect(whole.length).toBe(size)
    const read = readProduceRequest(new ByteReader(whole), 9).topicData[0]?.partitionData[0]?.records?.[0] as Uint8Array
    expect(Buffer.compare(read, Buffer.concat(batches))).toBe(0)
  })

  test('grows without losing what was written or where references belong', () => {
    const w = new ByteWriter()
    const mark = w.openSize()
    for (let count = 0; count < 40_000; count++) {
      w.int32(count)
      if (count % 10_000 === 0) w.reference(large(600, count / 10_000))
    }
    w.closeSize(mark)
    const whole = w.concat()
    expect(whole.length).toBe(4 + 160_000 + 2400)
    const r = new ByteReader(whole)
    expect(r.int32()).toBe(162_400)
    for (let count = 0; count < 40_000; count++) {
      if (r.int32() !== count) throw new Error(`lost at ${count}`)
      if (count % 10_000 === 0) expect(r.raw(600)[599]).toBe(count / 10_000)
    }
  })

  test('never writes again into what it has finished, though writers share memory', () => {
    const pool = new ScratchPool()
    const finished: { readonly expected: string; readonly chunks: readonly Uint8Array[] }[] = []
    for (let count = 0; count < 3000; count++) {
      const w = new ByteWriter(pool)
      const other = count % 7 === 0 ? new ByteWriter(pool) : undefined
      other?.string(`other ${count}`, true)
      const text = `answer ${count} `.repeat(count % 50)
      w.string(text, true)
      finished.push({ expected: text, chunks: w.finish() })
      if (other !== undefined) finished.push({ expected: `other ${count}`, chunks: other.finish() })
    }
    for (const { expected, chunks } of finished) expect(new ByteReader(Buffer.concat(chunks)).string(true)).toBe(expected)
  })

  test('moves to a larger scratch at any field, and leaves finished messages in the old one alone', () => {
    const fields: readonly ((w: ByteWriter) => void)[] = [
      (w) => w.int8(-7),
      (w) => w.bool(true),
      (w) => w.int16(-7),
      (w) => w.uint16(7),
      (w) => w.int32(-7),
      (w) => w.uint32(7),
      (w) => w.int64(-7n),
      (w) => w.float64(7.5),
      (w) => w.uuid('ESIzRF1uf5CZqrvM3e7_CA'),
      (w) => w.varint(7),
      (w) => w.varlong(7n),
      (w) => w.string('seven', true),
      (w) => w.raw(new Uint8Array([7, 7])),
      (w) => w.unknownTags(undefined),
    ]
    const slabBytes = 64 * 1024
    for (const field of fields) {
      const [alone] = [new ByteWriter()].map((w) => (field(w), w.concat()))
      for (let roomLeft = 0; roomLeft <= 24; roomLeft++) {
        const pool = new ScratchPool()
        const first = new ByteWriter(pool)
        first.raw(new Uint8Array(slabBytes / 2).fill(0xaa))
        const finished = first.concat()
        const w = new ByteWriter(pool)
        w.raw(new Uint8Array(slabBytes / 2 - roomLeft).fill(0xbb))
        field(w)
        expect(toHex(w.concat().subarray(slabBytes / 2 - roomLeft))).toBe(toHex(alone!))
        expect(finished.every((byte) => byte === 0xaa)).toBe(true)
      }
    }
  })

  test('sizes tagged fields of one, two and three bytes of length', () => {
    for (const length of [3, 125, 126, 127, 128, 16_380, 20_000]) {
      const message = fetchRequest({
        clusterId: 'c'.repeat(length),
        unknownTaggedFields: [{ tag: 9, bytes: new Uint8Array([1]) }],
      })
      const w = new ByteWriter()
      writeFetchRequest(w, message, 12)
      const r = new ByteReader(w.concat())
      expect(readFetchRequest(r, 12)).toEqual(message)
      expect([r.failure, r.remaining]).toEqual([undefined, 0])
    }
  })

  test('asserts when a field that matters does not exist in the version', () => {
    const message = produceRequest({ transactionalId: 'tx' })
    expect(() => writeProduceRequest(new ByteWriter(), message, 2)).toThrow(
      'ProduceRequest.transactionalId is not in this version',
    )
  })
})

test('a UUID has 22 characters of base64url', () => {
  expect(isUuid('ESIzRF1uf5CZqrvM3e7_CA')).toBe(true)
  for (const text of ['', 'ESIzRF1uf5CZqrvM3e7_C', 'ESIzRF1uf5CZqrvM3e7/CA', 'é'.repeat(22)]) expect(isUuid(text)).toBe(false)
})

describe('strings at their limit', () => {
  function read(bytes: Uint8Array): { readonly text: string; readonly failure: string | undefined } {
    const w = new ByteWriter()
    w.uvarint(bytes.length + 1)
    w.raw(bytes)
    const r = new ByteReader(w.concat())
    return { text: r.string(true), failure: r.failure }
  }

  test('a string is read up to the length Kafka allows, and no further', () => {
    expect(read(new Uint8Array(0x7fff).fill(120))).toEqual({ text: 'x'.repeat(0x7fff), failure: undefined })
    expect(read(new Uint8Array(0x8000).fill(120)).failure).toContain('string of 32768 bytes')
  })

  test('malformed text is read as long as it could be written again', () => {
    expect(read(new Uint8Array(10_000).fill(0xff)).text).toBe('\ufffd'.repeat(10_000))
    expect(read(new Uint8Array(11_000).fill(0xff)).failure).toContain('malformed')
  })

  test('a message is cut where it would not fit, and says so', () => {
    expect([briefly(null), briefly('short'), briefly('x'.repeat(1_000)).length]).toEqual([null, 'short', 1_000])
    expect(briefly(`the name ${'x'.repeat(0x7fff)}`)).toMatch(/^the name x+…$/)
  })
})
