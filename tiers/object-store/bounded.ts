// Owns how much may be under way at a store at once: calls by p-queue, bytes by a budget. Callers above wait in order. Does not bound
// a listing: that is one request at a time by nature, and its reader may well make calls between two keys.

import PQueue from 'p-queue'
import { assert } from '../../src/base/assert.ts'
import type { ObjectStore } from '../ports.ts'
import { aroundStore, type StoreCall, type StoreOperation } from './around.ts'

export interface Bounds {
  /** Reads and writes have lanes of their own, so that reading old data never holds up streaming, nor the other way round. */
  readonly readsMax: number
  readonly writesMax: number
  /** Bytes of the bodies and ranges under way, per lane. What is larger alone goes alone. */
  readonly bytesMax: number
}

/** For a bucket: 32 reads fill a link of 10 GBit/s at 50 ms; 8 writes of 8 MiB are what 64 MiB hold. */
export const boundsUsual: Bounds = { readsMax: 32, writesMax: 8, bytesMax: 64 * 1024 * 1024 }

/** For a folder: each call occupies a thread of the pool of four that the WAL uses too. */
export const boundsLocal: Bounds = { readsMax: 4, writesMax: 2, bytesMax: 64 * 1024 * 1024 }

export interface BoundedStore extends ObjectStore {
  /** Calls under way and calls that wait, for metrics. */
  load(): { readonly running: number; readonly waiting: number }
}

const reads: ReadonlySet<StoreOperation> = new Set<StoreOperation>(['head', 'get', 'getRange', 'getTail'])

export function boundedStore(inner: ObjectStore, bounds: Bounds): BoundedStore {
  const readLane = new Lane(bounds.readsMax, bounds.bytesMax)
  const writeLane = new Lane(bounds.writesMax, bounds.bytesMax)
  const around = <Result>(call: StoreCall, run: () => Promise<Result>): Promise<Result> =>
    (reads.has(call.operation) ? readLane : writeLane).run(call.bytes, run)
  const store = aroundStore(inner, around, (prefix, options) => inner.list(prefix, options))
  return {
    ...store,
    load: () => ({ running: readLane.running + writeLane.running, waiting: readLane.waiting + writeLane.waiting }),
  }
}

class Lane {
  readonly #queue: PQueue
  readonly #bytesMax: number
  readonly #waiting: { readonly bytes: number; readonly admit: () => void }[] = []
  #bytes = 0

  constructor(callsMax: number, bytesMax: number) {
    assert(callsMax >= 1 && bytesMax >= 1, 'a lane lets something through')
    this.#queue = new PQueue({ concurrency: callsMax })
    this.#bytesMax = bytesMax
  }

  get running(): number {
    return this.#queue.pending
  }

  get waiting(): number {
    return this.#queue.size + this.#waiting.length
  }

  async run<Result>(bytes: number, work: () => Promise<Result>): Promise<Result> {
    await this.#admission(bytes)
    try {
      return await this.#queue.add(work)
    } finally {
      this.#bytes -= bytes
      this.#admitNext()
    }
  }

  #admission(bytes: number): Promise<void> {
    return new Promise((admit) => {
      this.#waiting.push({ bytes, admit })
      this.#admitNext()
    })
  }

  #admitNext(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#bytes > 0 && this.#bytes + next.bytes > this.#bytesMax) return
      this.#waiting.shift()
      this.#bytes += next.bytes
      next.admit()
    }
  }
}
