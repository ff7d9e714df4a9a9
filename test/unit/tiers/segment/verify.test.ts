// Owns the tests of the full check and the dump of a segment.

import { describe, expect, test } from 'vitest'
import { crc32cReference as crc32c } from '../../../../src/base/crc32c.ts'
import { OpError } from '../../../../src/base/op-error.ts'
import { seededPrng } from '../../../../src/base/prng.ts'
import { inspectSegment, type SegmentFacts, type SegmentPart, verifySegment } from '../../../../tiers/segment/index.ts'
import { decodeIndex, decodeTrailer, encodeIndex, encodeTrailer, trailerBytes } from '../../../../tiers/segment/core/format.ts'
import type { SegmentTrailer } from '../../../../tiers/segment/core/format.ts'
import type { SegmentIndex } from '../../../../tiers/segment/core/segment-index.ts'
import { randomChain, testBatch } from '../../../support/batches.ts'
import { testPlan, testWorld, type TestWorld, turnBit } from './test-world.ts'

const chain = randomChain(seededPrng(21), { baseOffset: 100, count: 80, bodyBytesMax: 400 })

async function written(batches: readonly Uint8Array[] = chain.batches): Promise<TestWorld & { readonly facts: SegmentFacts }> {
  const world = testWorld()
  return { ...world, facts: await world.writer.write(testPlan(100), () => batches) }
}

/** Writes the object anew with other claims, every checksum made right again. */
async function forge(
  world: TestWorld,
  facts: SegmentFacts,
  change: (trailer: SegmentTrailer, index: SegmentIndex) => Partial<SegmentTrailer>,
): Promise<void> {
  const object = await world.watched.store.get(facts.key)
  const trailer = decodeTrailer(object, object.length, crc32c)
  if (!trailer.ok) throw new Error(trailer.failure)
  const index = decodeIndex(object.subarray(facts.dataBytes, object.length - trailerBytes), trailer.value, crc32c)
  if (!index.ok) throw new Error(index.failure)
  const changed = { ...trailer.value, ...change(trailer.value, index.value) }
  const section = encodeIndex(index.value)
  const forged = encodeTrailer({ ...changed, indexCrc32c: crc32c(section) }, crc32c)
  await world.watched.store.put(facts.key, [object.subarray(0, facts.dataBytes), section, forged])
}

describe('a full check', () => {
  test('finds nothing in a sound segment', async () => {
    const { watched, facts } = await written()
    const verdict = await verifySegment(watched.reader, facts.key, crc32c)
    expect(verdict).toEqual({ key: facts.key, facts, findings: [], findingCount: 0, bytesRead: facts.sizeBytes })
  })

  test('finds a bit turned anywhere', async () => {
    const { facts, ...world } = await written(chain.batches.slice(0, 6))
    for (let at = 0; at < facts.sizeBytes; at += 1) {
      await turnBit(world, facts, at)
      const { findings } = await verifySegment(world.watched.reader, facts.key, crc32c)
      if (findings.length === 0) expect.fail(`byte ${at} of ${facts.sizeBytes} may be anything`)
      await turnBit(world, facts, at)
    }
  })

  test('names the chunk and the batch of a turned bit', async () => {
    const { facts, ...world } = await written()
    await turnBit(world, facts, 5000)
    const { findings } = await verifySegment(world.watched.reader, facts.key, crc32c)
    expect(findings.map(({ code }) => code).sort()).toEqual(['batch', 'chunk'])
    for (const { start, end } of findings) expect(start <= 5000 && 5000 < end).toBe(true)
  })

  const lies: ReadonlyArray<
    readonly [string, string, (trailer: SegmentTrailer, index: SegmentIndex) => Partial<SegmentTrailer>]
  > = [
    ['the record count', 'totals', (trailer) => ({ recordCount: trailer.recordCount + 1 })],
    ['the largest time', 'totals', (trailer) => ({ maxTimestampMs: trailer.maxTimestampMs + 1 })],
    ['the smallest time', 'totals', (trailer) => ({ minTimestampMs: trailer.minTimestampMs - 1 })],
    ['the offset of the largest time', 'totals', () => ({ offsetOfMaxTimestamp: 0 })],
    ['the end offset', 'totals', (trailer) => ({ endOffset: (trailer.endOffset + 1) as typeof trailer.endOffset })],
    ['an entry’s position', 'index', (_, index) => ((index.positions[1]! += 1), {})],
    ['an entry’s offset', 'index', (_, index) => ((index.offsets[1]! += 1), {})],
    ['an entry’s time', 'index', (_, index) => ((index.maxTimestampsMs[1]! += 1), {})],
  ]
  for (const [what, code, lie] of lies) {
    test(`finds a false claim about ${what}, all checksums right`, async () => {
      const { facts, ...world } = await written()
      await forge(world, facts, lie)
      const { findings } = await verifySegment(world.watched.reader, facts.key, crc32c)
      expect(findings.map((finding) => finding.code)).toContain(code)
    })
  }

  test('finds a leader epoch that goes back', async () => {
    const batches = [5, 4].map((leaderEpoch, at) => testBatch({ baseOffset: 100 + at, leaderEpoch }))
    const { watched, facts } = await written(batches)
    expect((await verifySegment(watched.reader, facts.key, crc32c)).findings).toMatchObject([{ code: 'order' }])
  })

  test('tells that an object is no segment, or stands under another name', async () => {
    const { watched, facts } = await written()
    await watched.store.put('segments/other', [await watched.store.get(facts.key)])
    const moved = facts.key.replace('/3/', '/4/')
    await watched.store.put(moved, [await watched.store.get(facts.key)])
    await watched.store.put(facts.key, [new Uint8Array(3)])
    for (const key of ['segments/other', moved, facts.key]) {
      expect((await verifySegment(watched.reader, key, crc32c)).findings).toMatchObject([{ code: 'object' }])
    }
  })

  test('throws what is not damage', async () => {
    const { watched, facts } = await written()
    await expect(verifySegment(watched.reader, `${facts.key}-1`, crc32c)).rejects.toMatchObject({ kind: 'missing' })
    watched.fault = () => {
      throw new OpError('retry', { code: 'BUCKET_UNREACHABLE', detail: 'cut' })
    }
    await expect(verifySegment(watched.reader, facts.key, crc32c)).rejects.toMatchObject({ kind: 'retry' })
  })
})

describe('a dump', () => {
  test('shows the trailer, the index and every batch', async () => {
    const { watched, facts } = await written()
    const parts: SegmentPart[] = []
    for await (const part of inspectSegment(watched.reader, facts.key, crc32c)) parts.push(part)
    expect(parts[0]).toMatchObject({ kind: 'trailer', facts })
    const batches = parts.flatMap((part) => (part.kind === 'batch' ? [part.batch] : []))
    expect(batches.map(({ header }) => header.baseOffset)).toEqual(chain.specs.map(({ baseOffset }) => baseOffset))
    expect(batches.every(({ isSound }) => isSound)).toBe(true)
    const positions = new Set(batches.map(({ position }) => position))
    const entries = parts.flatMap((part) => (part.kind === 'index' ? [part.entry] : []))
    expect(entries.length).toBeGreaterThan(5)
    expect(entries.every(({ position }) => positions.has(position))).toBe(true)
  })
})
