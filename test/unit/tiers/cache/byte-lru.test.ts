// Owns the tests of the LRU by bytes.

import { describe, expect, test } from 'vitest'
import { seededPrng } from '../../../../src/base/prng.ts'
import { ByteLru } from '../../../../tiers/cache/index.ts'

describe('an LRU by bytes', () => {
  test('lets go of what was unused for longest', () => {
    const evicted: string[] = []
    const lru = new ByteLru<string, number>({ budgetBytes: 10, onEvict: (key) => evicted.push(key) })
    lru.set('a', 1, 4)
    lru.set('b', 2, 4)
    expect(lru.get('a')).toBe(1)
    lru.set('c', 3, 4)
    expect(evicted).toEqual(['b'])
    expect([lru.get('a'), lru.get('b'), lru.get('c')]).toEqual([1, undefined, 3])
    expect(lru).toMatchObject({ usedBytes: 8, size: 2, hits: 3, misses: 1, evictions: 1 })
  })

  test('does not keep what is larger than the budget, and then forgets what stood there', () => {
    const lru = new ByteLru<string, number>({ budgetBytes: 10 })
    lru.set('a', 1, 4)
    expect(lru.set('a', 2, 11)).toBe(false)
    expect(lru.get('a')).toBeUndefined()
    expect(lru.usedBytes).toBe(0)
  })

  test('counts a replaced value once', () => {
    const lru = new ByteLru<string, number>({ budgetBytes: 10 })
    lru.set('a', 1, 4)
    lru.set('a', 2, 6)
    expect(lru).toMatchObject({ usedBytes: 6, size: 1, evictions: 0 })
  })

  test('CACHE-1 holds after every step of a random load', () => {
    const prng = seededPrng(7)
    const held = new Map<number, number>()
    const lru = new ByteLru<number, number>({ budgetBytes: 1000, onEvict: (key) => held.delete(key) })
    for (let step = 0; step < 20_000; step += 1) {
      const key = prng.below(100)
      const sizeBytes = prng.below(300)
      if (prng.below(10) === 0) {
        lru.delete(key)
        held.delete(key)
      } else if (prng.below(2) === 0) expect(lru.get(key)).toBe(held.get(key))
      else {
        lru.set(key, sizeBytes, sizeBytes)
        held.set(key, sizeBytes)
      }
      const sum = [...held.values()].reduce((total, size) => total + size, 0)
      if (lru.usedBytes !== sum || sum > 1000) expect(lru.usedBytes).toBe(sum)
    }
    expect(lru.evictions).toBeGreaterThan(100)
  })
})
