// Owns a reader of one store that notes its ranged GETs and can hold, fail or falsify them.

import { memoryStore } from '../../../../tiers/object-store/memory.ts'
import type { ObjectStore } from '../../../../tiers/ports.ts'

export interface WatchedRange {
  readonly key: string
  readonly start: number
  readonly end: number
}

export class WatchedReader {
  readonly store: ObjectStore = memoryStore()
  readonly ranges: WatchedRange[] = []
  /** Throws to fail the request. */
  fault: ((range: WatchedRange) => void) | undefined
  /** Changes what comes back. */
  falsify: ((range: WatchedRange, bytes: Uint8Array) => Uint8Array) | undefined
  #gate: Promise<void> | undefined
  #open: () => void = () => undefined

  readonly reader: ObjectStore = {
    ...bound(this.store),
    getRange: async (key, start, end) => {
      const range = { key, start, end }
      this.ranges.push(range)
      await this.#gate
      this.fault?.(range)
      const bytes = await this.store.getRange(key, start, end)
      return this.falsify?.(range, bytes) ?? bytes
    },
  }

  /** Requests wait from now on. */
  hold(): void {
    this.#gate = new Promise((resolve) => {
      this.#open = resolve
    })
  }

  release(): void {
    this.#open()
    this.#gate = undefined
  }
}

function bound(store: ObjectStore): ObjectStore {
  return {
    location: store.location,
    close: () => store.close(),
    head: (key) => store.head(key),
    get: (key) => store.get(key),
    getRange: (key, start, end) => store.getRange(key, start, end),
    getTail: (key, length) => store.getTail(key, length),
    list: (prefix, options) => store.list(prefix, options),
    put: (key, body) => store.put(key, body),
    putIfAbsent: (key, body) => store.putIfAbsent(key, body),
    putIfMatch: (key, body, etag) => store.putIfMatch(key, body, etag),
    putMultipart: (key, parts) => store.putMultipart(key, parts),
    delete: (key) => store.delete(key),
    deleteMany: (keys) => store.deleteMany(keys),
  }
}

/** Lets everything that is ready to run, run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve()
}
