// Owns the tests of trying again: what is, how often, how long, and what is told.

import { expect, test } from 'vitest'
import { OpError } from '../../../../src/base/op-error.ts'
import { seededPrng } from '../../../../src/base/prng.ts'
import { type FaultyStore, faultyStore, retryingStore, type RetryReport } from '../../../../tiers/object-store/index.ts'
import { memoryStore } from '../../../../tiers/object-store/memory.ts'
import type { ObjectStore } from '../../../../tiers/ports.ts'
import { HastyClock } from './hasty-clock.ts'

const body = [Buffer.from('body')]

function setUp(): { store: ObjectStore; faults: FaultyStore; reports: RetryReport[]; clock: HastyClock } {
  const clock = new HastyClock()
  const prng = seededPrng(1)
  const faults = faultyStore(memoryStore({ clock }), { clock, prng })
  const reports: RetryReport[] = []
  const store = retryingStore(faults, { clock, prng, onRetry: (report) => reports.push(report) })
  return { store, faults, reports, clock }
}

test('a store that is away for three attempts is asked a fourth time', async () => {
  const { store, faults, reports } = setUp()
  faults.inject({ fault: { kind: 'unreachable' }, times: 3 })
  expect((await store.put('a', body)).etag).not.toBe('')
  expect(reports.map(({ attempt, call }) => [attempt, call.operation])).toEqual([1, 2, 3].map((attempt) => [attempt, 'put']))
})

test('delays grow, are jittered, and are longer when the store throttles', async () => {
  const { store, faults, reports } = setUp()
  faults.inject({ fault: { kind: 'unreachable' }, times: 5 })
  await store.put('a', body)
  for (const { attempt, delayMs } of reports) expect(delayMs).toBeLessThanOrEqual(50 * 2 ** (attempt - 1))
  expect(new Set(reports.map(({ delayMs }) => delayMs)).size).toBe(5)
  faults.inject({ fault: { kind: 'throttled' }, times: 3 })
  await store.put('a', body)
  for (const { attempt, delayMs } of reports.slice(5)) expect(delayMs).toBeGreaterThanOrEqual(200 * 2 ** (attempt - 1))
})

test('what cannot pass is told at once', async () => {
  const { store, faults, reports } = setUp()
  faults.inject({ fault: { kind: 'denied' }, times: 1 })
  await expect(store.get('a')).rejects.toMatchObject({ kind: 'denied', code: 'STORE_DENIED' })
  await expect(store.get('a')).rejects.toMatchObject({ kind: 'missing' })
  const ours = new TypeError('a bug of ours')
  faults.inject({ fault: { kind: 'error', error: ours }, times: 1 })
  await expect(store.get('a')).rejects.toBe(ours)
  expect(reports).toEqual([])
})

test('after the last attempt the error keeps its kind and code and says how often', async () => {
  const { store, faults, reports, clock } = setUp()
  const fault = faults.inject({ fault: { kind: 'throttled' } })
  const error: unknown = await store.put('a', body).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ kind: 'busy', code: 'STORE_THROTTLED' })
  expect((error as OpError).detail).toMatch(/given up after \d+ attempts in \d+ ms/)
  expect(fault.struck).toBe(reports.length + 1)
  expect(fault.struck).toBeLessThanOrEqual(10)
  expect(clock.monotonicMs()).toBeLessThanOrEqual(30_000)
})

test('a read without an answer ends at the deadline', async () => {
  const { store, faults } = setUp()
  const fault = faults.inject({ fault: { kind: 'hang' } })
  const error: unknown = await store.get('a').catch((reason: unknown) => reason)
  expect(error).toMatchObject({ kind: 'retry', code: 'STORE_OVERDUE' })
  expect(fault.hanging).toBe(1)
  faults.clear()
})

test('a write without an answer is waited for, so that it cannot land behind a later one', async () => {
  const { store, faults, clock } = setUp()
  const fault = faults.inject({ fault: { kind: 'hang' } })
  const write = store.put('a', body)
  clock.after(60_000, () => {
    fault.remove()
  })
  expect((await write).etag).not.toBe('')
})

test('a creation whose answer was lost answers exists, and the bytes are its own', async () => {
  const { store, faults } = setUp()
  faults.inject({ fault: { kind: 'lost' }, operations: ['putIfAbsent'], times: 1 })
  expect(await store.putIfAbsent('a', body)).toEqual({ kind: 'exists' })
  expect(Buffer.from(await store.get('a')).toString()).toBe('body')
})

test('a listing goes on after the last key that came, within its limit', async () => {
  const clock = new HastyClock()
  const memory = memoryStore({ clock })
  for (let n = 0; n < 10; n += 1) await memory.put(`k/${n}`, body)
  let pages = 0
  const breaking: ObjectStore = {
    ...memory,
    location: 'breaking',
    list: async function* (prefix, options) {
      pages += 1
      let left = 3
      for await (const object of memory.list(prefix, options)) {
        if (left === 0) throw new OpError('retry', { code: 'BROKEN', detail: 'broken' })
        left -= 1
        yield object
      }
    },
  }
  const store = retryingStore(breaking, { clock, prng: seededPrng(1) })
  const keys: string[] = []
  for await (const { key } of store.list('k/', { limit: 8 })) keys.push(key)
  expect(keys).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((n) => `k/${n}`))
  expect(pages).toBe(3)
})
