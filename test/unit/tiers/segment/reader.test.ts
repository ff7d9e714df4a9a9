// Owns the tests of opening and reading segments: requests made, bounds of a read, cursors, damage.

import { describe, expect, test } from 'vitest'
import { OpError } from '../../../../src/base/op-error.ts'
import { seededPrng } from '../../../../src/base/prng.ts'
import { offset } from '../../../../src/model/ids.ts'
import { SegmentCursor, type SegmentFacts } from '../../../../tiers/segment/index.ts'
import { randomChain, testBatch } from '../../../support/batches.ts'
import { settle } from '../cache/watched-reader.ts'
import { testPlan, testWorld, type TestWorld, turnBit } from './test-world.ts'

const chain = randomChain(seededPrng(9), { baseOffset: 100, count: 80, bodyBytesMax: 400 })

async function written(): Promise<TestWorld & { readonly facts: SegmentFacts }> {
  const world = testWorld()
  return { ...world, facts: await world.writer.write(testPlan(100), () => chain.batches) }
}

describe('opening', () => {
  test('costs one ranged GET, once, however many open at the same time', async () => {
    const { archive, watched, facts } = await written()
    await Promise.all([archive.open(facts), archive.open(facts), archive.open(facts)])
    await archive.open(facts)
    expect(watched.ranges).toEqual([{ key: facts.key, start: facts.dataBytes, end: facts.sizeBytes }])
    expect(archive.indexes).toMatchObject({ size: 1, hits: 1, misses: 3 })
  })

  test('a segment no larger than a cache chunk brings its data along', async () => {
    const { archive, watched, writer } = testWorld()
    const facts = await writer.write(testPlan(0), () => [testBatch({ baseOffset: 0, body: new Uint8Array(300) })])
    const read = await (await archive.open(facts)).read({ offset: 0, maxBytes: 1000 })
    expect(read).toMatchObject({ bytes: 361, nextOffset: 1 })
    expect(watched.ranges).toHaveLength(1)
  })

  test('after forget everything is fetched anew', async () => {
    const { archive, watched, facts, cache } = await written()
    await (await archive.open(facts)).read({ offset: 100, maxBytes: 1 })
    archive.forget(facts.key)
    expect(cache.usedBytes).toBe(0)
    const before = watched.ranges.length
    await (await archive.open(facts)).read({ offset: 100, maxBytes: 1 })
    expect(watched.ranges.length).toBe(before + 2)
  })

  test('an object that is not the one of the log is corrupt', async () => {
    const { archive, facts } = await written()
    const other = { ...facts, trailerCrc32c: facts.trailerCrc32c + 1 }
    await expect(archive.open(other)).rejects.toMatchObject({ kind: 'corrupt', code: 'SEGMENT_CORRUPT' })
  })

  test('an object that ends early is corrupt', async () => {
    const { archive, facts, watched } = await written()
    for (const length of [facts.sizeBytes - 1, facts.dataBytes - 1]) {
      await watched.store.put(facts.key, [(await watched.store.get(facts.key)).subarray(0, length)])
      await expect(archive.open(facts)).rejects.toMatchObject({ kind: 'corrupt' })
    }
  })

  test('a cache whose chunks cannot be checked alone is refused', async () => {
    const world = testWorld({ cacheChunkBytes: 1536 })
    const facts = await world.writer.write(testPlan(100), () => chain.batches)
    await expect(world.archive.open(facts)).rejects.toMatchObject({ code: 'SEGMENT_CHUNKS_UNEVEN' })
  })

  test('failures of the store are passed on and not remembered', async () => {
    const { archive, facts, watched } = await written()
    watched.fault = () => {
      throw new OpError('retry', { code: 'BUCKET_UNREACHABLE', detail: 'cut' })
    }
    await expect(archive.open(facts)).rejects.toMatchObject({ kind: 'retry' })
    watched.fault = undefined
    const reader = await archive.open(facts)
    watched.fault = () => {
      throw new OpError('denied', { code: 'NO_RIGHT', detail: 'no' })
    }
    await expect(reader.read({ offset: 100, maxBytes: 1 })).rejects.toMatchObject({ kind: 'denied' })
  })
})

describe('reading', () => {
  test('one batch comes even when it is larger than asked for, more only within the bound', async () => {
    const { archive, writer } = testWorld()
    const sizes = [5000, 100, 100, 3000]
    const batches = sizes.map((size, at) => testBatch({ baseOffset: at, body: new Uint8Array(size) }))
    const reader = await archive.open(await writer.write(testPlan(0), () => batches))
    expect(await reader.read({ offset: 0, maxBytes: 10 })).toMatchObject({ bytes: 5061, nextOffset: 1 })
    expect(await reader.read({ offset: 0, maxBytes: 5061 + 161 })).toMatchObject({ bytes: 5222, nextOffset: 2 })
    expect(await reader.read({ offset: 1, maxBytes: 321 })).toMatchObject({ bytes: 161, nextOffset: 2 })
    expect(await reader.read({ offset: 1, maxBytes: 322 })).toMatchObject({ bytes: 322, nextOffset: 3 })
    expect(await reader.read({ offset: 1, maxBytes: 1e9, endOffset: 3 })).toMatchObject({ bytes: 322, nextOffset: 3 })
    expect(await reader.read({ offset: 3, maxBytes: 1e9, endOffset: 3 })).toEqual({ runs: [], bytes: 0, nextOffset: 3 })
    expect(await reader.read({ offset: 4, maxBytes: 1e9 })).toEqual({ runs: [], bytes: 0, nextOffset: 4 })
  })

  test('a gap is stepped over, and beyond the last batch nothing is left', async () => {
    const { archive, writer } = testWorld()
    const batches = [0, 1, 50, 51].map((at) => testBatch({ baseOffset: at, body: new Uint8Array(at === 1 ? 600 : 100) }))
    const reader = await archive.open(await writer.write(testPlan(0, { gaps: { endOffset: offset(70) } }), () => batches))
    expect(await reader.read({ offset: 20, maxBytes: 1 })).toMatchObject({ bytes: 161, nextOffset: 51 })
    expect(await reader.read({ offset: 51, maxBytes: 1 })).toMatchObject({ bytes: 161, nextOffset: 70 })
    expect(await reader.read({ offset: 60, maxBytes: 1 })).toEqual({ runs: [], bytes: 0, nextOffset: 70 })
    expect(await reader.batchAt(20)).toMatchObject({ baseOffset: 50, batch: batches[2] })
    expect(await reader.batchAt(60)).toBeUndefined()
  })

  test('a sequential reader with a cursor is read ahead and asks for no byte twice', async () => {
    const { archive, facts, cache, watched } = await written()
    const cursor = new SegmentCursor()
    const seen: Uint8Array[] = []
    for (let next = 100; next < facts.endOffset;) {
      const read = await (await archive.open(facts)).read({ offset: next, maxBytes: 1000, cursor })
      seen.push(...read.runs)
      next = read.nextOffset
      await settle()
    }
    expect(Buffer.concat(seen).equals(Buffer.concat(chain.batches))).toBe(true)
    expect(cache.counters.readAheadRequests).toBeGreaterThan(0)
    const fetched = watched.ranges.reduce((sum, { start, end }) => sum + end - start, 0)
    expect(fetched).toBeLessThanOrEqual(facts.sizeBytes + (facts.sizeBytes - facts.dataBytes))
  })

  test('locate answers from the index alone', async () => {
    const { archive, facts, watched } = await written()
    const reader = await archive.open(facts)
    watched.ranges.length = 0
    let position = 0
    for (const [at, spec] of chain.specs.entries()) {
      const { start, end } = reader.locate(spec.baseOffset)
      expect(start <= position && position < end).toBe(true)
      position += chain.batches[at]!.length
    }
    expect(watched.ranges).toEqual([])
  })
})

describe('damage', () => {
  test('SEG-2: a turned bit anywhere in the data is corrupt, named, and never served; the rest still is', async () => {
    const { facts, ...world } = await written()
    const damagedAt = 5000
    await turnBit(world, facts, damagedAt)
    const reader = await world.archive.open(facts)
    const refused = await Promise.allSettled(
      chain.specs.map(({ baseOffset }) => reader.read({ offset: baseOffset, maxBytes: 1 })),
    )
    let position = 0
    refused.forEach((outcome, at) => {
      const end = position + chain.batches[at]!.length
      if (position <= damagedAt && damagedAt < end) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { kind: 'corrupt', code: 'SEGMENT_CORRUPT' } })
        expect(String((outcome as PromiseRejectedResult).reason)).toContain(`${facts.key}, bytes 4096 to 5120`)
      }
      if (outcome.status === 'fulfilled') {
        expect(Buffer.concat(outcome.value.runs).equals(chain.batches[at]!)).toBe(true)
      }
      position = end
    })
    expect(refused.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(40)
  })

  test('a turned bit anywhere in index, checksums or trailer is found on opening', async () => {
    const { facts, ...world } = await written()
    for (let at = facts.dataBytes; at < facts.sizeBytes; at += 1) {
      await turnBit(world, facts, at)
      world.archive.forget(facts.key)
      await expect(world.archive.open(facts)).rejects.toMatchObject({ kind: 'corrupt' })
      await turnBit(world, facts, at)
    }
    expect(await world.archive.open(facts)).toBeDefined()
  })

  test('a turned bit in a small segment is found although all comes in one chunk', async () => {
    const world = testWorld()
    const facts = await world.writer.write(testPlan(0), () => [testBatch({ baseOffset: 0, body: new Uint8Array(300) })])
    for (const at of [0, 70, facts.dataBytes - 1, facts.dataBytes, facts.sizeBytes - 1]) {
      await turnBit(world, facts, at)
      world.archive.forget(facts.key)
      await expect(world.archive.open(facts)).rejects.toMatchObject({ kind: 'corrupt', code: 'SEGMENT_CORRUPT' })
      await turnBit(world, facts, at)
    }
  })
})
