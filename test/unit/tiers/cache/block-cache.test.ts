// Owns the tests of the block cache: bytes, bounds, flights, reading ahead, failures.

import { beforeEach, describe, expect, test } from 'vitest'
import { OpError } from '../../../../src/base/op-error.ts'
import { seededPrng } from '../../../../src/base/prng.ts'
import { BlockCache, type BlockCacheOptions, ReadCursor } from '../../../../tiers/cache/index.ts'
import { settle, WatchedReader } from './watched-reader.ts'

const chunkBytes = 1024
const object = { key: 'objects/one', sizeBytes: 20 * chunkBytes + 100 }
const content = Uint8Array.from({ length: object.sizeBytes }, (_, at) => (at * 31 + (at >>> 8)) & 0xff)

const world = { watched: new WatchedReader() }

beforeEach(async () => {
  world.watched = new WatchedReader()
  await world.watched.store.put(object.key, [content])
})

function cacheWith(options: Partial<BlockCacheOptions> = {}): BlockCache {
  const sizes = { chunkBytes, requestBytesMax: 4 * chunkBytes, budgetBytes: 16 * chunkBytes, readAheadChunks: 4 }
  return new BlockCache({
    reader: world.watched.reader,
    ...sizes,
    readAheadBytesMax: 8 * chunkBytes,
    readAheadFlightsMax: 2,
    ...options,
  })
}

function joined(pieces: readonly Uint8Array[]): Buffer {
  return Buffer.concat(pieces)
}

const unreachable = (): OpError => new OpError('retry', { code: 'BUCKET_UNREACHABLE', detail: 'the wire was cut' })

describe('reading', () => {
  test('any range gives exactly its bytes, whatever is cached, and CACHE-1 holds at every step', async () => {
    const prng = seededPrng(11)
    const cache = cacheWith({ budgetBytes: 6 * chunkBytes })
    const cursor = new ReadCursor()
    for (let step = 0; step < 3000; step += 1) {
      const start = prng.below(object.sizeBytes)
      const end = start + prng.below(Math.min(9 * chunkBytes, object.sizeBytes - start) + 1)
      const pieces = await cache.read(object, start, end, prng.below(2) === 0 ? cursor : undefined)
      if (!joined(pieces).equals(content.subarray(start, end))) expect.fail(`bytes ${start} to ${end} differ in step ${step}`)
      if (cache.usedBytes > cache.budgetBytes) expect.fail(`${cache.usedBytes} bytes are held in step ${step}`)
      if (prng.below(100) === 0) cache.forget(object.key)
    }
    expect(cache.evictions).toBeGreaterThan(100)
    expect(cache.counters.hits).toBeGreaterThan(100)
    expect(cache.counters).toMatchObject({ inFlight: 0, inFlightBytes: 0, readAheadInFlight: 0, readAheadInFlightBytes: 0 })
  })

  test('CACHE-1 holds while many readers of many objects overlap', async () => {
    const prng = seededPrng(3)
    const cache = cacheWith({ budgetBytes: 5 * chunkBytes })
    const keys = ['a', 'b', 'c', 'd'].map((name) => ({ ...object, key: `objects/${name}` }))
    for (const { key } of keys) await world.watched.store.put(key, [content])
    const readers = Array.from({ length: 20 }, async () => {
      for (let step = 0; step < 100; step += 1) {
        const start = prng.below(object.sizeBytes - 1)
        const end = start + 1 + prng.below(Math.min(5 * chunkBytes, object.sizeBytes - start - 1) + 1)
        const pieces = await cache.read(keys[prng.below(4)]!, start, Math.min(end, object.sizeBytes))
        if (!joined(pieces).equals(content.subarray(start, Math.min(end, object.sizeBytes)))) expect.fail('bytes differ')
        if (cache.usedBytes > cache.budgetBytes) expect.fail(`${cache.usedBytes} bytes are held`)
      }
    })
    await Promise.all(readers)
    expect(cache.counters.joins).toBeGreaterThan(10)
  })

  test('neighbours that are missing come in one request, up to the maximum, as one piece each', async () => {
    const cache = cacheWith()
    const pieces = await cache.read(object, 10, 6 * chunkBytes)
    expect(world.watched.ranges.map(({ start, end }) => [start, end])).toEqual([
      [0, 4 * chunkBytes],
      [4 * chunkBytes, 6 * chunkBytes],
    ])
    expect(pieces.map((piece) => piece.length)).toEqual([4 * chunkBytes - 10, 2 * chunkBytes])
  })

  test('only what is missing is asked for, around what is there', async () => {
    const cache = cacheWith()
    await cache.read(object, 2 * chunkBytes, 3 * chunkBytes)
    world.watched.ranges.length = 0
    await cache.read(object, 0, 5 * chunkBytes)
    expect(world.watched.ranges.map(({ start, end }) => [start / chunkBytes, end / chunkBytes])).toEqual([
      [0, 2],
      [3, 5],
    ])
    expect(cache.counters).toMatchObject({ hits: 1, misses: 5 })
  })

  test('pieces are views of the cached chunk, not copies', async () => {
    const cache = cacheWith()
    const [first] = await cache.read(object, 0, 100)
    const [second] = await cache.read(object, 50, 100)
    expect(second!.buffer).toBe(first!.buffer)
  })

  test('the last, shorter chunk is asked for with its own size', async () => {
    const cache = cacheWith()
    await cache.read(object, object.sizeBytes - 1, object.sizeBytes)
    expect(world.watched.ranges[0]).toMatchObject({ start: 20 * chunkBytes, end: object.sizeBytes })
  })

  test('a response that is a view of something larger is copied, so that the budget counts what is held', async () => {
    world.watched.falsify = (range) => content.subarray(range.start, range.end)
    const [piece] = await cacheWith().read(object, 0, 10)
    expect(piece!.buffer.byteLength).toBe(chunkBytes)
  })

  test('an empty range asks for nothing', async () => {
    expect(await cacheWith().read(object, 5, 5)).toEqual([])
    expect(world.watched.ranges).toEqual([])
  })
})

describe('flights', () => {
  test('however many ask for a chunk at once, it is fetched once', async () => {
    const cache = cacheWith()
    world.watched.hold()
    const reads = Array.from({ length: 50 }, (_, at) => cache.read(object, at, at + 2 * chunkBytes))
    await settle()
    expect(cache.counters).toMatchObject({ inFlight: 2, misses: 3, joins: 146 })
    world.watched.release()
    const pieces = await Promise.all(reads)
    pieces.forEach((read, at) => expect(joined(read).equals(content.subarray(at, at + 2 * chunkBytes))).toBe(true))
    expect(world.watched.ranges.map(({ start }) => start / chunkBytes)).toEqual([0, 2])
  })

  test('a failure reaches all who joined, and the next reader asks again', async () => {
    const cache = cacheWith()
    world.watched.fault = () => {
      throw unreachable()
    }
    world.watched.hold()
    const reads = Promise.allSettled([cache.read(object, 0, 10), cache.read(object, 5, 3000), cache.read(object, 0, 1)])
    await settle()
    world.watched.release()
    for (const read of await reads) expect(read).toMatchObject({ status: 'rejected', reason: { kind: 'retry' } })
    world.watched.fault = undefined
    expect(joined(await cache.read(object, 0, 10)).equals(content.subarray(0, 10))).toBe(true)
    expect(cache.counters).toMatchObject({ inFlight: 0, inFlightBytes: 0 })
  })

  test('what was forgotten in flight reaches its readers and is not kept', async () => {
    const cache = cacheWith()
    world.watched.hold()
    const read = cache.read(object, 0, 10)
    cache.forget(object.key)
    world.watched.release()
    expect((await read)[0]!.length).toBe(10)
    expect(cache.usedBytes).toBe(0)
  })
})

describe('checking', () => {
  test('each chunk is checked once, and one that fails is neither served nor kept, while its neighbours are', async () => {
    const cache = cacheWith()
    const checked: number[] = []
    const check = (start: number): void => {
      checked.push(start / chunkBytes)
      if (start === 2 * chunkBytes) throw new OpError('corrupt', { code: 'BAD', detail: 'chunk 2' })
    }
    await expect(cache.read({ ...object, check }, 0, 4 * chunkBytes)).rejects.toMatchObject({
      kind: 'corrupt',
      detail: 'chunk 2',
    })
    expect(checked).toEqual([0, 1, 2, 3])
    const sound = await cache.read({ ...object, check }, 3 * chunkBytes, 4 * chunkBytes)
    expect(joined(sound).equals(content.subarray(3 * chunkBytes, 4 * chunkBytes))).toBe(true)
    expect(checked).toHaveLength(4)
    await expect(cache.read({ ...object, check }, 2 * chunkBytes, 3 * chunkBytes)).rejects.toMatchObject({ kind: 'corrupt' })
    expect(checked).toHaveLength(5)
  })

  test('an object that ends too early is corrupt, never short', async () => {
    const longer = { key: object.key, sizeBytes: object.sizeBytes + 5 * chunkBytes }
    await expect(cacheWith().read(longer, object.sizeBytes - 1, object.sizeBytes + 1)).rejects.toMatchObject({
      code: 'OBJECT_SHORT',
    })
    await expect(cacheWith().read(longer, longer.sizeBytes - 1, longer.sizeBytes)).rejects.toMatchObject({ kind: 'corrupt' })
  })

  test('one key with two sizes is refused', async () => {
    const cache = cacheWith()
    await cache.read(object, 0, 1)
    await expect(cache.read({ ...object, sizeBytes: 5 }, 0, 1)).rejects.toMatchObject({ code: 'OBJECT_SIZE_CHANGED' })
  })
})

describe('reading ahead', () => {
  async function readOn(cache: BlockCache, cursor: ReadCursor, chunks: number): Promise<void> {
    for (let chunk = 0; chunk < chunks; chunk += 1) {
      await cache.read(object, chunk * chunkBytes, (chunk + 1) * chunkBytes, cursor)
      await settle()
    }
  }

  test('a sequential reader waits for its first chunks only', async () => {
    const cache = cacheWith()
    await readOn(cache, new ReadCursor(), 20)
    expect(cache.counters.misses).toBe(2)
    expect(cache.counters.hits).toBe(18)
    expect(cache.counters.readAheadRequests).toBeGreaterThan(3)
    const asked = world.watched.ranges.flatMap(({ start, end }) =>
      Array.from({ length: Math.ceil((end - start) / chunkBytes) }, (_, at) => start / chunkBytes + at),
    )
    expect(new Set(asked).size).toBe(asked.length)
  })

  test('a reader that jumps about is not read ahead', async () => {
    const cache = cacheWith()
    const cursor = new ReadCursor()
    for (const chunk of [3, 9, 1, 15, 7]) await cache.read(object, chunk * chunkBytes, (chunk + 1) * chunkBytes, cursor)
    expect(cache.counters.readAheadRequests).toBe(0)
  })

  test('without a cursor nothing is read ahead', async () => {
    const cache = cacheWith()
    for (let chunk = 0; chunk < 5; chunk += 1) await cache.read(object, chunk * chunkBytes, (chunk + 1) * chunkBytes)
    expect(cache.counters.readAheadRequests).toBe(0)
  })

  test('flights and bytes of all readers together stay within the bounds', async () => {
    const cache = cacheWith({ readAheadBytesMax: 6 * chunkBytes })
    const keys = Array.from({ length: 5 }, (_, at) => ({ ...object, key: `objects/${at}` }))
    for (const { key } of keys) await world.watched.store.put(key, [content])
    const cursors = keys.map(() => new ReadCursor())
    for (const [at, one] of keys.entries()) await cache.read(one, 0, chunkBytes, cursors[at])
    world.watched.hold()
    const reads = keys.map((one, at) => cache.read(one, chunkBytes, 2 * chunkBytes, cursors[at]))
    await settle()
    expect(cache.counters).toMatchObject({ readAheadInFlight: 2, readAheadInFlightBytes: 6 * chunkBytes, readAheadSkipped: 3 })
    world.watched.release()
    await Promise.all(reads)
    await settle()
    expect(cache.counters).toMatchObject({ readAheadInFlight: 0, readAheadInFlightBytes: 0 })
  })

  test('its failures are dropped and counted; the reader that comes there asks itself', async () => {
    const cache = cacheWith()
    const cursor = new ReadCursor()
    await cache.read(object, 0, chunkBytes, cursor)
    world.watched.fault = ({ start }) => {
      if (start >= 2 * chunkBytes) throw unreachable()
    }
    await cache.read(object, chunkBytes, 2 * chunkBytes, cursor)
    await settle()
    expect(cache.counters).toMatchObject({ readAheadFailures: 1, readAheadInFlight: 0 })
    world.watched.fault = undefined
    expect((await cache.read(object, 2 * chunkBytes, 3 * chunkBytes, cursor))[0]!.length).toBe(chunkBytes)
  })

  test('going on at the start of the next object keeps the reader sequential', () => {
    const cursor = new ReadCursor()
    expect(cursor.note('a', 0, 10)).toBe(false)
    expect(cursor.note('a', 8, 20)).toBe(true)
    expect(cursor.note('b', 0, 10)).toBe(true)
    expect(cursor.note('c', 5, 10)).toBe(false)
  })
})
