// Owns the tests of the probe: it passes a sound store and finds each kind of unsound one.

import { expect, test } from 'vitest'
import { meteredStore, faultyStore, probeConditionalWrites, totalsOf } from '../../../../tiers/object-store/index.ts'
import { memoryStore } from '../../../../tiers/object-store/memory.ts'
import type { ObjectStore } from '../../../../tiers/ports.ts'
import { HastyClock } from './hasty-clock.ts'

const clock = new HastyClock()
const options = { clock, idSource: { nextId: () => Buffer.alloc(16, 7) } }

async function isEmpty(store: ObjectStore): Promise<boolean> {
  for await (const { key } of store.list('')) return key === ''
  return true
}

function unsound(change: (sound: ObjectStore) => Partial<ObjectStore>): ObjectStore {
  const sound = faultyStore(memoryStore({ clock }), { clock })
  return { ...sound, ...change(sound) }
}

test('a sound store passes with seven requests, tells its clock and is left empty', async () => {
  const ahead = { nowMs: () => clock.nowMs() + 90_000 }
  const store = meteredStore(memoryStore({ clock: ahead }), clock)
  expect(await probeConditionalWrites(store, options)).toEqual({ storeTimeMs: ahead.nowMs(), clockOffsetMs: 90_000 })
  expect(totalsOf(store.counters()).requests).toBe(7)
  expect(await isEmpty(store)).toBe(true)
})

test('a store that lets two creators pass is named with the remedy', async () => {
  const store = unsound((sound) => ({ putIfAbsent: (key, body) => sound.put(key, body).then(() => ({ kind: 'created' })) }))
  await expect(probeConditionalWrites(store, options)).rejects.toMatchObject({
    kind: 'invalid',
    code: 'STORE_CANNOT_FENCE',
    detail: expect.stringMatching(/memory:store.*If-None-Match.*two writers/) as string,
  })
  expect(await isEmpty(store)).toBe(true)
})

test('a store that ignores If-Match is found, and passes where only creation is needed', async () => {
  const store = unsound((sound) => ({ putIfMatch: async (key, body) => ({ kind: 'replaced', ...(await sound.put(key, body)) }) }))
  await expect(probeConditionalWrites(store, options)).rejects.toMatchObject({ code: 'STORE_CANNOT_FENCE' })
  await probeConditionalWrites(store, { ...options, ifMatch: false })
})

test('a store that lists late is found', async () => {
  const empty = memoryStore()
  const store = unsound(() => ({ list: (prefix) => empty.list(prefix) }))
  await expect(probeConditionalWrites(store, options)).rejects.toMatchObject({ code: 'STORE_LIST_STALE' })
  expect(await isEmpty(memoryStore())).toBe(true)
})

test('answers that were lost leave the question open, to be asked again', async () => {
  const store = unsound((sound) => ({
    putIfAbsent: async (key, body) => {
      await sound.putIfAbsent(key, body)
      return { kind: 'exists' }
    },
  }))
  await expect(probeConditionalWrites(store, options)).rejects.toMatchObject({ kind: 'retry', code: 'PROBE_UNDECIDED' })
})

test('what the store itself says is passed on', async () => {
  const store = faultyStore(memoryStore(), { clock })
  store.inject({ fault: { kind: 'denied' } })
  await expect(probeConditionalWrites(store, options)).rejects.toMatchObject({ kind: 'denied' })
})
