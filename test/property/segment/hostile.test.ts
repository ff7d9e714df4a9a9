// Owns the proof that no bytes make a decoder of segments throw, hang or allocate beyond their own size.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crc32cReference as crc32c } from '../../../src/base/crc32c.ts'
import { scanBatches } from '../../../tiers/segment/core/batch-scan.ts'
import { BatchWalk } from '../../../tiers/segment/core/batch-walk.ts'
import { decodeIndex, decodeTrailer, objectBytes, sectionBytes, trailerBytes } from '../../../tiers/segment/core/format.ts'
import { indexSectionBytesMax } from '../../../tiers/segment/core/limits.ts'
import { decodeSegmentFacts, segmentFactsBytes } from '../../../tiers/segment/core/segment-facts.ts'
import { testBatch } from '../../support/batches.ts'

const hostileBytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(
      fc.uint8Array({ minLength: length, maxLength: length }),
      fc.array(
        fc.record({
          at: fc.nat(Math.max(0, length - 8)),
          value: fc.constantFrom(0n, 1n, 255n, 1n << 31n, (1n << 32n) - 1n, 1n << 53n, (1n << 64n) - 1n),
        }),
      ),
    )
    .map(([bytes, marks]) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
      for (const { at, value } of marks) if (at + 8 <= length) view.setBigUint64(at, value)
      return bytes
    })

/** Makes everything right that stands before what is believed: magic, version, size, checksum. */
function plausible(trailer: Uint8Array): Uint8Array {
  const view = new DataView(trailer.buffer, trailer.byteOffset)
  view.setUint16(100, trailerBytes)
  view.setUint16(102, 1)
  trailer.set(new TextEncoder().encode('CHRSEGMT'), 104)
  view.setUint32(96, crc32c(trailer.subarray(100), crc32c(trailer.subarray(0, 96))))
  return trailer
}

describe('hostile bytes', () => {
  test('as a trailer, even one with the right checksum, are refused or describe exactly the object', () => {
    let accepted = 0
    const small = fc.record({
      entries: fc.nat(40),
      batches: fc.nat(60),
      dataBytes: fc.nat(9000),
      chunk: fc.constantFrom(0, 1, 1000, 1024, 4096, 2 ** 31),
    })
    fc.assert(
      fc.property(hostileBytes(trailerBytes), small, fc.nat(20_000), fc.boolean(), (bytes, claims, sizeBytes, isTame) => {
        const view = new DataView(bytes.buffer, bytes.byteOffset)
        if (isTame) {
          for (const at of [24, 32, 40]) view.setUint32(at, 0)
          view.setUint32(32, 1 << 20)
          view.setUint32(48, claims.batches)
          view.setUint32(52, claims.dataBytes)
          view.setUint32(80, claims.entries)
          view.setUint32(84, claims.chunk)
        }
        const trailer = plausible(bytes)
        const shape = { indexEntryCount: view.getUint32(80), dataBytes: view.getUint32(52), chunkBytes: view.getUint32(84) }
        const rightSize = shape.dataBytes + sectionBytes(shape) + trailerBytes
        const decoded = decodeTrailer(trailer, Number.isFinite(rightSize) && isTame ? rightSize : sizeBytes, crc32c)
        if (!decoded.ok) return
        accepted += 1
        expect(objectBytes(decoded.value)).toBe(rightSize)
        expect(sectionBytes(decoded.value)).toBeLessThanOrEqual(indexSectionBytesMax)
        const section = new Uint8Array(sectionBytes(decoded.value))
        const index = decodeIndex(section, { ...decoded.value, indexCrc32c: crc32c(section) }, crc32c)
        if (index.ok) expect(index.value.heldBytes).toBeLessThanOrEqual(section.length + 512)
      }),
      { numRuns: 5000 },
    )
    expect(accepted).toBeGreaterThan(50)
  })

  test('as a trailer that claims a huge index are refused before anything is allocated', () => {
    const bytes = new Uint8Array(trailerBytes)
    const view = new DataView(bytes.buffer)
    view.setBigUint64(32, 5n)
    view.setUint32(48, 0xffffffff)
    view.setUint32(52, 0xffffffff)
    view.setUint32(80, 0xffffffff)
    view.setUint32(84, 1024)
    const shape = { indexEntryCount: 0xffffffff, dataBytes: 0xffffffff, chunkBytes: 1024 }
    const decoded = decodeTrailer(plausible(bytes), 0xffffffff + sectionBytes(shape) + trailerBytes, crc32c)
    expect(decoded.ok).toBe(false)
  })

  test('as an index with the right checksum are refused or in order', () => {
    const trailer = { baseOffset: 100, endOffset: 1000, dataBytes: 5000, chunkBytes: 1024, indexEntryCount: 3 }
    const length = 3 * 28 + 5 * 4
    fc.assert(
      fc.property(hostileBytes(length), fc.boolean(), (section, isTame) => {
        const view = new DataView(section.buffer, section.byteOffset)
        if (isTame) for (const entry of [0, 1, 2]) view.setBigUint64(entry * 28, BigInt(entry * 3))
        if (isTame) for (const entry of [0, 1, 2]) view.setUint32(entry * 28 + 8, entry * 70)
        const whole = { ...trailer, indexCrc32c: crc32c(section) } as unknown as Parameters<typeof decodeIndex>[1]
        const index = decodeIndex(section, whole, crc32c)
        if (!index.ok) return
        const { offsets, positions } = index.value
        for (let entry = 1; entry < 3; entry += 1) {
          expect(offsets[entry]!).toBeGreaterThan(offsets[entry - 1]!)
          expect(positions[entry]!).toBeGreaterThan(positions[entry - 1]!)
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('as segment facts are refused or sound', () => {
    fc.assert(
      fc.property(
        fc.oneof(hostileBytes(segmentFactsBytes), fc.uint8Array({ maxLength: 200 })),
        fc.boolean(),
        (bytes, isVersioned) => {
          if (isVersioned && bytes.length > 0) bytes[0] = 1
          const facts = decodeSegmentFacts(bytes)
          if (facts.ok)
            expect(facts.value.sizeBytes - facts.value.dataBytes).toBeLessThanOrEqual(indexSectionBytesMax + trailerBytes)
        },
      ),
      { numRuns: 3000 },
    )
  })

  test('as batches end in a failure or in whole batches, the same in one run and in pieces', () => {
    const sound = testBatch({ baseOffset: 5, records: 2, body: new Uint8Array(30) })
    const turns = fc.array(fc.record({ at: fc.nat(sound.length * 3 - 1), value: fc.nat(255) }), { maxLength: 4 })
    fc.assert(
      fc.property(turns, fc.nat(300), fc.array(fc.integer({ min: 1, max: 90 })), (changes, length, cuts) => {
        const bytes = new Uint8Array(sound.length * 3)
        for (let copy = 0; copy < 3; copy += 1) bytes.set(sound, copy * sound.length)
        for (const { at, value } of changes) bytes[at] = value
        const run = bytes.subarray(0, length)
        const ends: number[] = []
        const failure = scanBatches(run, (header, at) => void ends.push(at + header.sizeBytes))
        const walk = new BatchWalk(crc32c)
        const walked: number[] = []
        let lost: string | undefined
        for (let at = 0, cut = 0; at < run.length && lost === undefined; cut += 1) {
          const end = Math.min(run.length, at + (cuts[cut] ?? run.length))
          lost = walk.push(run.subarray(at, end), ({ header, position }) => walked.push(position + header.sizeBytes))
          at = end
        }
        expect(walked).toEqual(ends)
        expect(failure !== undefined).toBe(lost !== undefined || !walk.isBetweenBatches)
      }),
      { numRuns: 3000 },
    )
  })
})
