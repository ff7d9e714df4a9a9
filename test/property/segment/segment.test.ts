// Owns the properties of segments: what was written is read, from anywhere, in any amount; look-ups by time equal a scan.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crc32cReference as crc32c } from '../../../src/base/crc32c.ts'
import { crc32c as nativeCrc32c } from '../../../src/base/node/native-crc32c.ts'
import { seededPrng } from '../../../src/base/prng.ts'
import { leaderEpoch, offset, partitionIndex, topicId } from '../../../src/model/ids.ts'
import { BlockCache } from '../../../tiers/cache/index.ts'
import { memoryStore } from '../../../tiers/object-store/memory.ts'
import {
  decodeSegmentFacts,
  encodeSegmentFacts,
  parseSegmentKey,
  readBytesMax,
  segmentKey,
} from '../../../tiers/segment/index.ts'
import {
  SegmentArchive,
  SegmentCursor,
  type SegmentFacts,
  type SegmentReader,
  SegmentWriter,
} from '../../../tiers/segment/index.ts'
import { verifySegment } from '../../../tiers/segment/index.ts'
import { decodeTopicId, encodeTopicId } from '../../../tiers/segment/core/segment-name.ts'
import { type BatchChain, randomChain } from '../../support/batches.ts'

interface World {
  readonly chain: BatchChain
  readonly facts: SegmentFacts
  readonly open: () => Promise<SegmentReader>
}

const shapes = fc.record({
  seed: fc.nat(),
  baseOffset: fc.oneof(fc.nat(1000), fc.constant(2 ** 40)),
  count: fc.integer({ min: 1, max: 60 }),
  bodyBytesMax: fc.constantFrom(0, 50, 900, 5000),
  gaps: fc.boolean(),
  chunkBytes: fc.constantFrom(1024, 2048, 4096),
  cacheChunks: fc.constantFrom(1, 2, 8),
  indexIntervalBytes: fc.constantFrom(1, 100, 3000, 1 << 20),
  partBytes: fc.constantFrom(64, 1000, 5000, 1 << 20),
})
type Shape = typeof shapes extends fc.Arbitrary<infer Value> ? Value : never

async function worldOf(shape: Shape): Promise<World> {
  const prng = seededPrng(shape.seed)
  const chain = randomChain(prng, shape)
  const store = memoryStore()
  const cacheChunkBytes = shape.chunkBytes * shape.cacheChunks
  const sizes = { chunkBytes: cacheChunkBytes, requestBytesMax: 4 * cacheChunkBytes, budgetBytes: 5 * cacheChunkBytes }
  const archive = new SegmentArchive({ reader: store, cache: new BlockCache({ reader: store, ...sizes }), crc32c: nativeCrc32c })
  const writer = new SegmentWriter({ store, crc32c: nativeCrc32c, ...shape })
  const name = { topicId: topicId('AAECAwQFBgcICQoLDA0ODw'), partition: partitionIndex(0), leaderEpoch: leaderEpoch(1) }
  const gaps = shape.gaps ? { gaps: { endOffset: offset(chain.endOffset + prng.below(3)) } } : {}
  const facts = await writer.write({ ...name, baseOffset: offset(shape.baseOffset), ...gaps }, () => chain.batches)
  expect((await verifySegment(store, facts.key, crc32c)).findings).toEqual([])
  return { chain, facts, open: () => archive.open(facts) }
}

const endOf = (spec: BatchChain['specs'][number]): number => spec.baseOffset + spec.records

/** What a read must give, by plain addition. */
function expectedRead({ chain, facts }: World, from: number, maxBytes: number): { bytes: Buffer; nextOffset: number } {
  const first = chain.specs.findIndex((spec) => endOf(spec) > from)
  if (first < 0) return { bytes: Buffer.alloc(0), nextOffset: facts.endOffset }
  let last = first
  let size = chain.batches[first]!.length
  while (last + 1 < chain.batches.length && size + chain.batches[last + 1]!.length <= maxBytes) {
    last += 1
    size += chain.batches[last]!.length
  }
  const nextOffset = last === chain.batches.length - 1 ? facts.endOffset : endOf(chain.specs[last]!)
  return { bytes: Buffer.concat(chain.batches.slice(first, last + 1)), nextOffset }
}

describe('a segment', () => {
  test('gives exactly the batches from any offset on, in any amount, each run made of whole ones', async () => {
    let joinedBatches = 0
    const reads = fc.array(
      fc.record({ at: fc.nat(), maxBytes: fc.oneof(fc.nat(300), fc.nat(20_000), fc.constant(1e9)), goOn: fc.boolean() }),
    )
    await fc.assert(
      fc.asyncProperty(shapes, reads, async (shape, wishes) => {
        const world = await worldOf(shape)
        const cursor = new SegmentCursor()
        let next: number = world.facts.baseOffset
        for (const wish of wishes) {
          const span = world.facts.endOffset - world.facts.baseOffset
          const from = wish.goOn && next < world.facts.endOffset ? next : world.facts.baseOffset + (wish.at % (span + 1))
          const read = await (await world.open()).read({ offset: from, maxBytes: wish.maxBytes, cursor })
          const expected = expectedRead(world, from, Math.min(wish.maxBytes, readBytesMax))
          expect(Buffer.concat(read.runs).equals(expected.bytes)).toBe(true)
          expect({ bytes: read.bytes, nextOffset: read.nextOffset }).toEqual({
            bytes: expected.bytes.length,
            nextOffset: expected.nextOffset,
          })
          for (const run of read.runs) joinedBatches += checkWhole(run)
          next = read.nextOffset
        }
      }),
      { numRuns: 150 },
    )
    expect(joinedBatches).toBeGreaterThan(100)
  }, 60_000)

  test('finds by time what a scan from the start finds, from any offset', async () => {
    const wishes = fc.array(fc.record({ timestampMs: fc.integer({ min: -5, max: 2000 }), at: fc.nat() }), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(shapes, wishes, async (shape, asked) => {
        const { chain, facts, open } = await worldOf(shape)
        const reader = await open()
        for (const { timestampMs, at } of asked) {
          const from = at % 3 === 0 ? facts.baseOffset + (at % (facts.endOffset - facts.baseOffset)) : facts.baseOffset
          const scanned = chain.specs.findIndex((spec) => spec.maxTimestampMs >= timestampMs && endOf(spec) > from)
          const found = await reader.offsetForTimestamp(timestampMs, from)
          expect(found?.baseOffset).toBe(chain.specs[scanned]?.baseOffset)
          if (found !== undefined) expect(Buffer.from(found.batch).equals(chain.batches[scanned]!)).toBe(true)
        }
        const max = Math.max(...chain.specs.map((spec) => spec.maxTimestampMs))
        const first = chain.specs.find((spec) => spec.maxTimestampMs === max)
        expect(reader.maxTimestamp()).toEqual(max < 0 ? undefined : { timestampMs: max, offset: first?.baseOffset })
      }),
      { numRuns: 100 },
    )
  }, 60_000)

  test('is described by facts that survive their bytes', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, async (shape) => {
        const { facts } = await worldOf(shape)
        expect(decodeSegmentFacts(encodeSegmentFacts(facts))).toEqual({ ok: true, value: facts })
      }),
      { numRuns: 30 },
    )
  })
})

/** How many batches the run holds; it must end with one. */
function checkWhole(run: Uint8Array): number {
  const view = new DataView(run.buffer, run.byteOffset, run.length)
  let count = 0
  let at = 0
  for (; at < run.length; count += 1) at += view.getInt32(at + 8) + 12
  expect(at).toBe(run.length)
  return count
}

describe('a name', () => {
  test('is parsed from its key and from nothing else', () => {
    const names = fc.record({
      topicId: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => decodeTopicId(bytes)),
      partition: fc.nat(0x7fffffff).map(partitionIndex),
      baseOffset: fc.maxSafeNat().map(offset),
      leaderEpoch: fc.nat(0x7fffffff).map(leaderEpoch),
      attempt: fc.nat(0xffff),
    })
    fc.assert(
      fc.property(names, (name) => {
        expect(parseSegmentKey(segmentKey(name))).toEqual(name)
      }),
    )
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parseSegmentKey(text)).toBeUndefined()
      }),
    )
  })

  test('sorts by base offset within its partition', () => {
    const key = (base: number): string =>
      segmentKey({
        topicId: topicId('AAECAwQFBgcICQoLDA0ODw'),
        partition: partitionIndex(1),
        baseOffset: offset(base),
        leaderEpoch: leaderEpoch(1),
        attempt: 0,
      })
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => {
        expect(key(a) < key(b)).toBe(a < b)
      }),
    )
  })

  test('carries Kafka’s text of an id, in its only form', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        const text = decodeTopicId(bytes)
        expect(text).toBe(Buffer.from(bytes).toString('base64url'))
        expect(encodeTopicId(text)).toEqual(bytes)
      }),
    )
    expect(encodeTopicId(topicId('AAECAwQFBgcICQoLDA0ODx'))).toBeUndefined()
  })
})
