// Owns the tests of writing segments: names, adoption, order, parts, failures.

import { describe, expect, test } from 'vitest'
import { crc32cReference as crc32c } from '../../../../src/base/crc32c.ts'
import { OpError } from '../../../../src/base/op-error.ts'
import { seededPrng } from '../../../../src/base/prng.ts'
import { leaderEpoch, offset } from '../../../../src/model/ids.ts'
import { readSegmentFacts, SegmentWriter, segmentKey, verifySegment } from '../../../../tiers/segment/index.ts'
import { randomChain, testBatch } from '../../../support/batches.ts'
import { smallSizes, testPlan, testWorld } from './test-world.ts'

const chain = randomChain(seededPrng(5), { baseOffset: 100, count: 60, bodyBytesMax: 400 })
const plainKey = 'segments/AAECAwQFBgcICQoLDA0ODw/3/00000000000000000100-0000000007'

describe('a written segment', () => {
  test('holds the batches exactly as given, and facts that its own trailer confirms', async () => {
    const { writer, watched } = testWorld()
    const facts = await writer.write(testPlan(100), () => chain.batches)
    const data = Buffer.concat(chain.batches)
    const object = await watched.store.get(facts.key)
    expect(Buffer.from(object.subarray(0, data.length)).equals(data)).toBe(true)
    const records = chain.specs.reduce((sum, spec) => sum + spec.records, 0)
    expect(facts).toMatchObject({
      key: plainKey,
      attempt: 0,
      endOffset: chain.endOffset,
      dataBytes: data.length,
      recordCount: records,
      batchCount: 60,
    })
    expect(facts.sizeBytes).toBe(object.length)
    expect(await readSegmentFacts(watched.reader, facts.key, crc32c)).toEqual(facts)
  })

  test('is the same object in one request or in many parts, from runs of any cut', async () => {
    const small = testWorld({ partBytes: 1 << 20 })
    const parts = testWorld({ partBytes: 100 })
    const one = await small.writer.write(testPlan(100), () => [Buffer.concat(chain.batches)])
    const other = await parts.writer.write(testPlan(100), async function* () {
      yield* chain.batches
    })
    expect(other).toEqual(one)
    expect(await parts.watched.store.get(one.key)).toEqual(await small.watched.store.get(one.key))
  })

  test('is whole from a source that uses the memory of a run again, with one part of memory for all segments', async () => {
    const { writer, watched } = testWorld()
    const memory = Buffer.alloc(1000)
    const source = function* (): Generator<Uint8Array> {
      for (const batch of chain.batches) {
        memory.fill(0).set(batch)
        yield memory.subarray(0, batch.length)
      }
    }
    for (const leader of [1, 2]) {
      const { key, dataBytes } = await writer.write(testPlan(100, { leaderEpoch: leaderEpoch(leader) }), source)
      expect(Buffer.concat(chain.batches).equals((await watched.store.get(key)).subarray(0, dataBytes))).toBe(true)
    }
  })

  test('goes out in parts of one size, the last one shorter, and no more is read from the source than parts are asked for', async () => {
    const world = testWorld()
    const sizes: number[] = []
    let taken = 0
    const store = {
      ...world.watched.reader,
      putMultipart: async (key: string, parts: AsyncIterable<Uint8Array>) => {
        for await (const part of parts) {
          sizes.push(part.length)
          expect(taken).toBeLessThanOrEqual(sizes.length * 3000 + 1000)
        }
        return world.watched.store.putIfAbsent(key, [new Uint8Array(1)])
      },
    }
    const writer = new SegmentWriter({ store, crc32c, ...smallSizes })
    const facts = await writer.write(testPlan(100), function* () {
      for (const batch of chain.batches) {
        taken += batch.length
        yield batch
      }
    })
    expect(new Set(sizes.slice(0, -1))).toEqual(new Set([3000]))
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(facts.sizeBytes)
  })
})

describe('a name that is taken', () => {
  for (const partBytes of [1 << 20, 3000]) {
    test(`by the same bytes is adopted (parts of ${partBytes})`, async () => {
      const { writer, watched } = testWorld({ partBytes })
      const first = await writer.write(testPlan(100), () => chain.batches)
      expect(await writer.write(testPlan(100), () => chain.batches)).toEqual(first)
      const keys: string[] = []
      for await (const { key } of watched.store.list('segments/')) keys.push(key)
      expect(keys).toEqual([plainKey])
    })

    test(`by other bytes leaves those alone and takes the next attempt (parts of ${partBytes})`, async () => {
      const { writer, watched } = testWorld({ partBytes })
      await writer.write(testPlan(100), () => chain.batches.slice(0, 40))
      const before = await watched.store.get(plainKey)
      const second = await writer.write(testPlan(100), () => chain.batches)
      expect(second).toMatchObject({ key: `${plainKey}-1`, attempt: 1 })
      expect(await watched.store.get(plainKey)).toEqual(before)
      expect((await verifySegment(watched.reader, second.key, crc32c)).findings).toEqual([])
      expect(await writer.write(testPlan(100), () => chain.batches)).toEqual(second)
    })
  }

  test('is found out even by a store that answers before it asked for a part', async () => {
    const world = testWorld()
    const store = { ...world.watched.reader, putMultipart: async () => ({ kind: 'exists' }) as const }
    await world.writer.write(testPlan(100), () => chain.batches)
    const writer = new SegmentWriter({ store, crc32c, ...smallSizes })
    expect(await writer.write(testPlan(100), () => chain.batches)).toMatchObject({ attempt: 0 })
  })

  test('that vanishes meanwhile is passed over', async () => {
    const world = testWorld()
    const store = {
      ...world.watched.reader,
      putMultipart: (key: string, parts: AsyncIterable<Uint8Array>) =>
        key === plainKey ? Promise.resolve({ kind: 'exists' } as const) : world.watched.store.putMultipart(key, parts),
    }
    const writer = new SegmentWriter({ store, crc32c, ...smallSizes })
    expect(await writer.write(testPlan(100), () => chain.batches)).toMatchObject({ attempt: 1 })
  })

  test('eight times over is told, not tried for ever', async () => {
    const { writer, watched } = testWorld()
    for (let attempt = 0; attempt < 8; attempt += 1) {
      await watched.store.put(segmentKey({ ...testPlan(100), attempt }), [new Uint8Array(5)])
    }
    await expect(writer.write(testPlan(100), () => chain.batches)).rejects.toMatchObject({
      kind: 'busy',
      code: 'SEGMENT_NAMES_TAKEN',
    })
    expect(await writer.write(testPlan(100, { attempt: 8 }), () => chain.batches)).toMatchObject({ attempt: 8 })
  })
})

describe('batches that do not belong together', () => {
  const at = (baseOffset: number): Uint8Array => testBatch({ baseOffset, body: new Uint8Array(2000) })
  const cases: ReadonlyArray<readonly [string, readonly Uint8Array[], RegExp]> = [
    ['a gap', [at(100), at(102)], /offsets 101 to 102 are missing/],
    ['a repeat', [at(100), at(100)], /comes after offset 101/],
    ['a first one above the base', [at(101)], /offsets 100 to 101/],
    ['none at all', [], /at least one batch/],
    ['half a batch', [at(100), at(101).subarray(0, 1000)], /ends inside the batch at offset 101/],
    ['half a header', [at(100), at(101).subarray(0, 40)], /inside a batch header/],
    ['no batch', [new Uint8Array(4000)], /magic 0/],
    ['a gap in a later part', [at(100), at(101), at(102), at(109)], /103 to 109/],
  ]
  for (const [what, runs, detail] of cases) {
    test(`${what}: refused, and nothing is created`, async () => {
      const { writer, watched } = testWorld()
      const write = writer.write(testPlan(100), () => runs)
      await expect(write).rejects.toMatchObject({
        kind: 'invalid',
        code: 'SEGMENT_ORDER',
        detail: expect.stringMatching(detail) as string,
      })
      for await (const { key } of watched.store.list('')) expect.fail(`${key} was created`)
    })
  }

  test('gaps are allowed to a compaction, up to an end beyond the last batch, but no repeats', async () => {
    const { writer, watched } = testWorld()
    const gaps = { endOffset: offset(120) }
    const facts = await writer.write(testPlan(90, { gaps }), () => [at(100), at(110)])
    expect(facts).toMatchObject({ baseOffset: 90, endOffset: 120, recordCount: 2 })
    expect((await verifySegment(watched.reader, facts.key, crc32c)).findings).toEqual([])
    await expect(writer.write(testPlan(90, { gaps }), () => [at(100), at(99)])).rejects.toMatchObject({ code: 'SEGMENT_ORDER' })
    await expect(writer.write(testPlan(90, { gaps: { endOffset: offset(100) } }), () => [at(100)])).rejects.toMatchObject({
      kind: 'invalid',
    })
  })
})

describe('failures', () => {
  test('of the store are passed on', async () => {
    const { watched } = testWorld()
    const fault = new OpError('retry', { code: 'BUCKET_UNREACHABLE', detail: 'the wire was cut' })
    const store = { ...watched.reader, putMultipart: () => Promise.reject(fault), putIfAbsent: () => Promise.reject(fault) }
    for (const partBytes of [3000, 1 << 20]) {
      const writer = new SegmentWriter({ store, crc32c, ...smallSizes, partBytes })
      await expect(writer.write(testPlan(100), () => chain.batches)).rejects.toBe(fault)
    }
  })

  test('of the source are passed on, and the source is closed', async () => {
    const { writer } = testWorld()
    let isClosed = false
    const source = async function* (): AsyncGenerator<Uint8Array> {
      try {
        for (const batch of chain.batches) {
          yield batch
          if (batch === chain.batches[40]) throw new OpError('missing', { code: 'WAL_RELEASED', detail: 'gone' })
        }
      } finally {
        isClosed = true
      }
    }
    await expect(writer.write(testPlan(100), source)).rejects.toMatchObject({ code: 'WAL_RELEASED' })
    expect(isClosed).toBe(true)
  })

  test('of the store half-way close the source too', async () => {
    const { watched } = testWorld()
    let isClosed = false
    const store = {
      ...watched.reader,
      putMultipart: async (_key: string, parts: AsyncIterable<Uint8Array>) => {
        for await (const _part of parts) throw new OpError('retry', { code: 'BUCKET_UNREACHABLE', detail: 'cut' })
        return { kind: 'exists' } as const
      },
    }
    const writer = new SegmentWriter({ store, crc32c, ...smallSizes })
    const source = function* (): Generator<Uint8Array> {
      try {
        yield* chain.batches
      } finally {
        isClosed = true
      }
    }
    await expect(writer.write(testPlan(100), source)).rejects.toMatchObject({ kind: 'retry' })
    expect(isClosed).toBe(true)
  })
})
