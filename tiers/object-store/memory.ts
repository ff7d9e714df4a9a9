// Owns an object store in memory with the full contract, for unit tests and simulation. Nothing survives the process.

import type { Clock } from '../../src/base/clock.ts'
import type {
  ListedObject,
  ListOptions,
  ObjectBody,
  ObjectFacts,
  ObjectStore,
  PutIfAbsentOutcome,
  PutIfMatchOutcome,
} from '../ports.ts'
import { contentTag } from './content-tag.ts'
import { assertRange, assertTail, beyondEnd, checkKey, compareKeys, folderClash, missing } from './key.ts'

export interface MemoryStoreOptions {
  /** The store's clock. Without it time stands at 0. */
  readonly clock?: Pick<Clock, 'nowMs'>
  /** For messages: `memory:<name>`. */
  readonly name?: string
}

interface StoredObject {
  readonly bytes: Uint8Array
  readonly etag: string
  readonly lastModifiedMs: number
}

/** The same objects seen through several handles, as several nodes see one bucket: hand the one store to all. */
export function memoryStore(options: MemoryStoreOptions = {}): ObjectStore {
  return new MemoryStore(options)
}

class MemoryStore implements ObjectStore {
  readonly location: string
  readonly #nowMs: () => number
  readonly #objects = new Map<string, StoredObject>()
  /** The keys of `#objects` in byte order. */
  readonly #order: string[] = []

  constructor({ clock, name = 'store' }: MemoryStoreOptions) {
    this.location = `memory:${name}`
    this.#nowMs = clock === undefined ? () => 0 : () => clock.nowMs()
  }

  async head(key: string): Promise<ObjectFacts> {
    const { bytes, etag, lastModifiedMs } = this.#find(key)
    return { key, sizeBytes: bytes.length, etag, lastModifiedMs }
  }

  async get(key: string): Promise<Uint8Array> {
    return this.#find(key).bytes.slice()
  }

  async getRange(key: string, start: number, end: number): Promise<Uint8Array> {
    assertRange(start, end)
    const { bytes } = this.#find(key)
    if (start >= bytes.length) throw beyondEnd(this.location, key, start)
    return bytes.slice(start, end)
  }

  async getTail(key: string, length: number): Promise<{ bytes: Uint8Array; sizeBytes: number }> {
    assertTail(length)
    const { bytes } = this.#find(key)
    return { bytes: bytes.slice(Math.max(0, bytes.length - length)), sizeBytes: bytes.length }
  }

  /** Steps from key to key rather than over a copy: right also when objects come and go between two steps. */
  async *list(prefix: string, options: ListOptions = {}): AsyncIterable<ListedObject> {
    let after = options.startAfter
    for (let left = options.limit ?? Infinity; left > 0; left -= 1) {
      const at = after !== undefined && compareKeys(after, prefix) >= 0 ? this.#firstAfter(after) : this.#firstFrom(prefix)
      const key = this.#order[at]
      if (key?.startsWith(prefix) !== true) return
      const { bytes, lastModifiedMs } = this.#find(key)
      yield { key, sizeBytes: bytes.length, lastModifiedMs }
      after = key
    }
  }

  async put(key: string, body: ObjectBody): Promise<{ etag: string }> {
    return { etag: this.#store(key, body) }
  }

  async putIfAbsent(key: string, body: ObjectBody): Promise<PutIfAbsentOutcome> {
    if (this.#objects.has(key)) return { kind: 'exists' }
    this.#store(key, body)
    return { kind: 'created' }
  }

  async putIfMatch(key: string, body: ObjectBody, etag: string): Promise<PutIfMatchOutcome> {
    if (this.#objects.get(key)?.etag !== etag) return { kind: 'conflict' }
    return { kind: 'replaced', etag: this.#store(key, body) }
  }

  async putMultipart(key: string, parts: AsyncIterable<Uint8Array>): Promise<PutIfAbsentOutcome> {
    checkKey(key)
    const body: Uint8Array[] = []
    for await (const part of parts) body.push(new Uint8Array(part))
    return this.putIfAbsent(key, body)
  }

  async delete(key: string): Promise<void> {
    if (!this.#objects.delete(key)) return
    this.#order.splice(this.#firstFrom(key), 1)
  }

  async deleteMany(keys: readonly string[]): Promise<[]> {
    for (const key of keys) await this.delete(key)
    return []
  }

  async close(): Promise<void> {
    // Nothing is held open.
  }

  #find(key: string): StoredObject {
    const found = this.#objects.get(key)
    if (found === undefined) throw missing(this.location, key)
    return found
  }

  #store(key: string, body: ObjectBody): string {
    checkKey(key)
    const bytes = new Uint8Array(body.reduce((sum, piece) => sum + piece.length, 0))
    let at = 0
    for (const piece of body) {
      bytes.set(piece, at)
      at += piece.length
    }
    if (!this.#objects.has(key)) this.#insert(key)
    const etag = contentTag([bytes])
    this.#objects.set(key, { bytes, etag, lastModifiedMs: this.#nowMs() })
    return etag
  }

  /** Real stores differ on a key that is a folder of another: here it is found at once. */
  #insert(key: string): void {
    for (let cut = key.indexOf('/'); cut >= 0; cut = key.indexOf('/', cut + 1)) {
      const above = key.slice(0, cut)
      if (this.#objects.has(above)) throw folderClash(this.location, key, above)
    }
    const below = this.#order[this.#firstFrom(`${key}/`)]
    if (below?.startsWith(`${key}/`) === true) throw folderClash(this.location, key, below)
    this.#order.splice(this.#firstFrom(key), 0, key)
  }

  /** Where the first key >= `key` stands. */
  #firstFrom(key: string): number {
    let low = 0
    let high = this.#order.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareKeys(this.#order[middle]!, key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  #firstAfter(key: string): number {
    const at = this.#firstFrom(key)
    return this.#order[at] === key ? at + 1 : at
  }
}
