// Owns the tests of counting, bounding and injecting faults around a store.

import { expect, test } from 'vitest'
import { seededPrng } from '../../../../src/base/prng.ts'
import { boundedStore, faultyStore, meteredStore, storeOperations, totalsOf } from '../../../../tiers/object-store/index.ts'
import { memoryStore } from '../../../../tiers/object-store/memory.ts'
import { HastyClock } from './hasty-clock.ts'

const body = (size: number): Uint8Array[] => [Buffer.alloc(size, 'x')]

const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve)
  })

test('requests, bytes, errors and latency are counted per operation', async () => {
  const clock = new HastyClock()
  const faults = faultyStore(memoryStore(), { clock })
  const store = meteredStore(faults, clock)
  await store.put('a', body(100))
  await store.putIfAbsent('a', body(50))
  await store.get('a')
  await store.getRange('a', 10, 30)
  await store.getTail('a', 7)
  await expect(store.get('missing')).rejects.toThrow()
  faults.inject({ fault: { kind: 'throttled' }, times: 1 })
  await expect(store.get('a')).rejects.toThrow()
  faults.inject({ fault: { kind: 'latency', ms: 40 }, times: 1 })
  await store.head('a')
  await store.deleteMany(Array.from({ length: 2500 }, (_, n) => `d/${n}`))
  const { put, get, head, deleteMany, getRange, getTail } = store.counters()
  expect([put.requests, put.bytesWritten, get.calls, get.bytesRead, get.errors, get.throttled]).toEqual([1, 100, 3, 100, 1, 1])
  expect([getRange.bytesRead, getTail.bytesRead, deleteMany.requests]).toEqual([20, 7, 3])
  expect(head.latencyUs.max).toBe(40_000)
  expect(totalsOf(store.counters())).toEqual({ requests: 11, errors: 1, bytesRead: 127, bytesWritten: 150 })
})

test('a listing counts one request per thousand keys, a multipart upload its parts and two', async () => {
  const store = meteredStore(memoryStore(), new HastyClock())
  for (let n = 0; n < 2001; n += 1) await store.put(`k/${n}`, [])
  let keys = 0
  for await (const { sizeBytes } of store.list('k/')) keys += 1 + sizeBytes
  expect([keys, store.counters().list.requests]).toEqual([2001, 3])
  const piece = Buffer.alloc(1024 * 1024)
  async function* parts(count: number): AsyncIterable<Uint8Array> {
    for (let n = 0; n < count; n += 1) yield await Promise.resolve(piece)
  }
  await store.putMultipart('small', parts(8))
  expect(store.counters().putMultipart.requests).toBe(1)
  await store.putMultipart('large', parts(20))
  expect(store.counters().putMultipart.requests).toBe(1 + 3 + 2)
  expect(store.counters().putMultipart.bytesWritten).toBe(28 * 1024 * 1024)
})

test('no more calls and bytes are under way than the bounds allow, and none is lost', async () => {
  const clock = new HastyClock()
  const faults = faultyStore(memoryStore(), { clock })
  const store = boundedStore(faults, { readsMax: 2, writesMax: 3, bytesMax: 100 })
  const held = faults.inject({ fault: { kind: 'hang' }, operations: ['put'] })
  const writes = [40, 40, 40, 10, 500].map((size, n) => store.put(`w/${n}`, body(size)))
  await turn()
  // 40 + 40, and 40 more would be too much; those behind keep their order.
  expect(held.hanging).toBe(2)
  expect(store.load()).toEqual({ running: 2, waiting: 3 })
  await faults.get('w/0').catch(() => undefined)
  await expect(store.get('nothing')).rejects.toMatchObject({ kind: 'missing' })
  held.release()
  await turn()
  expect(held.hanging).toBe(2)
  held.release()
  await turn()
  // Larger than the budget alone: it goes alone.
  expect(held.hanging).toBe(1)
  held.remove()
  await Promise.all(writes)
  expect(store.load()).toEqual({ running: 0, waiting: 0 })
})

test('faults strike by operation, key and count, and each kind can be struck', async () => {
  const clock = new HastyClock()
  const store = faultyStore(memoryStore(), { clock })
  const expectCode = async (work: Promise<unknown>, code: string): Promise<void> => expect(work).rejects.toMatchObject({ code })
  const one = store.inject({ fault: { kind: 'full' }, operations: ['put'], keys: /^wal\//, times: 1 })
  await store.put('other/1', body(1))
  await store.putIfAbsent('wal/1', body(1))
  await expectCode(store.put('wal/2', body(1)), 'STORE_FULL')
  await store.put('wal/2', body(1))
  expect(one.struck).toBe(1)
  const lost = store.inject({ fault: { kind: 'lost' }, operations: ['putIfAbsent'] })
  await expectCode(store.putIfAbsent('wal/3', body(1)), 'STORE_UNREACHABLE')
  expect((await store.get('wal/3')).length).toBe(1)
  lost.remove()
  const listing = store.inject({ fault: { kind: 'denied' }, operations: ['list'] })
  await expectCode(
    (async () => {
      for await (const { key } of store.list('')) expect.unreachable(key)
    })(),
    'STORE_DENIED',
  )
  listing.remove()
  store.inject({ fault: { kind: 'latency', ms: 250 }, times: 1 })
  const before = clock.monotonicMs()
  await store.get('wal/1')
  expect(clock.monotonicMs() - before).toBe(250)
})

test('the same seed strikes the same calls', async () => {
  const run = async (seed: number): Promise<string> => {
    const clock = new HastyClock()
    const store = faultyStore(memoryStore(), { clock, prng: seededPrng(seed) })
    store.inject({ fault: { kind: 'unreachable' }, probability: 0.5 })
    let pattern = ''
    for (let n = 0; n < 40; n += 1)
      pattern += await store.put(`k/${n}`, []).then(
        () => '.',
        () => 'x',
      )
    return pattern
  }
  expect(await run(3)).toBe(await run(3))
  expect(await run(3)).not.toBe(await run(4))
  expect(await run(3)).toMatch(/x.*\./)
})

test('the table of operations names every operation of the port', () => {
  const store: object = memoryStore()
  for (const operation of storeOperations) expect(operation in store).toBe(true)
  expect(new Set(storeOperations).size).toBe(11)
})
