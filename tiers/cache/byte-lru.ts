// Owns "keep what was used last, within a budget of bytes": the eviction order and the sum. Not what is kept nor how it is
// loaded (block-cache.ts, parsed indexes of other rooms).

import { assert } from '../../src/base/assert.ts'

export interface ByteLruOptions<Key, Value> {
  readonly budgetBytes: number
  /** Told of each entry that had to leave to keep the budget; not of those deleted or replaced. */
  readonly onEvict?: (key: Key, value: Value) => void
}

interface Entry<Value> {
  readonly value: Value
  readonly sizeBytes: number
}

/** CACHE-1: `usedBytes` is never above the budget, not even while an entry is being added. */
export class ByteLru<Key, Value> {
  readonly budgetBytes: number
  readonly #onEvict: ((key: Key, value: Value) => void) | undefined
  // A Map iterates in order of insertion; using an entry moves it to the end, so the first is the one unused for longest.
  readonly #entries = new Map<Key, Entry<Value>>()
  #usedBytes = 0
  hits = 0
  misses = 0
  evictions = 0

  constructor(options: ByteLruOptions<Key, Value>) {
    assert(Number.isSafeInteger(options.budgetBytes) && options.budgetBytes >= 0, 'a cache budget is a whole number of bytes')
    this.budgetBytes = options.budgetBytes
    this.#onEvict = options.onEvict
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  get size(): number {
    return this.#entries.size
  }

  /** The value, now the most recently used. Counts a hit or a miss. */
  get(key: Key): Value | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) {
      this.misses += 1
      return undefined
    }
    this.hits += 1
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry.value
  }

  /** Marks as used without counting a hit or a miss. */
  touch(key: Key): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#entries.set(key, entry)
  }

  /** Keeps the value, replacing one under the same key; false when it alone is larger than the budget and was not kept. */
  set(key: Key, value: Value, sizeBytes: number): boolean {
    assert(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0, 'the size of a cached value is a whole number of bytes')
    this.delete(key)
    if (sizeBytes > this.budgetBytes) return false
    while (this.#usedBytes + sizeBytes > this.budgetBytes) this.#evictOldest()
    this.#entries.set(key, { value, sizeBytes })
    this.#usedBytes += sizeBytes
    assert(this.#usedBytes <= this.budgetBytes, 'CACHE-1')
    return true
  }

  delete(key: Key): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#usedBytes -= entry.sizeBytes
  }

  #evictOldest(): void {
    for (const [key, entry] of this.#entries) {
      this.#entries.delete(key)
      this.#usedBytes -= entry.sizeBytes
      this.evictions += 1
      this.#onEvict?.(key, entry.value)
      return
    }
    assert(false, 'CACHE-1: an empty cache has room')
  }
}
