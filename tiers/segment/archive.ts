// Owns opening segments for reading: their indexes parsed once and kept within a budget, their data through the block cache. Not
// the reads themselves (reader.ts), nor which segment holds an offset (the partition's list).

import { assert } from '../../src/base/assert.ts'
import type { Crc32c } from '../../src/base/crc32c.ts'
import { OpError } from '../../src/base/op-error.ts'
import { SingleFlight } from '../../src/base/single-flight.ts'
import { type BlockCache, ByteLru, type CachedObject } from '../cache/index.ts'
import type { ObjectReader } from '../ports.ts'
import { indexBudgetBytesDefault } from './core/limits.ts'
import type { SegmentFacts } from './core/segment-facts.ts'
import type { SegmentIndex } from './core/segment-index.ts'
import { segmentCorrupt } from './damage.ts'
import { SegmentReader } from './reader.ts'
import { openTail, readTail } from './tail.ts'

export interface SegmentArchiveOptions {
  readonly reader: ObjectReader
  readonly cache: BlockCache
  readonly crc32c: Crc32c
  /** Parsed indexes of all segments together; one that is larger alone is read anew each time. */
  readonly indexBudgetBytes?: number
}

export class SegmentArchive {
  readonly #reader: ObjectReader
  readonly #cache: BlockCache
  readonly #crc32c: Crc32c
  readonly #indexes: ByteLru<string, SegmentIndex>
  readonly #loading = new SingleFlight<string, SegmentIndex>()

  constructor(options: SegmentArchiveOptions) {
    this.#reader = options.reader
    this.#cache = options.cache
    this.#crc32c = options.crc32c
    this.#indexes = new ByteLru({ budgetBytes: options.indexBudgetBytes ?? indexBudgetBytesDefault })
  }

  /** Plain figures for metrics. */
  get indexes(): Pick<ByteLru<string, SegmentIndex>, 'hits' | 'misses' | 'evictions' | 'usedBytes' | 'size'> {
    return this.#indexes
  }

  /**
   * A reader of the segment. Cheap when the index is cached: open for each read rather than keep readers, which pin their index
   * beyond the budget. OpError of the store; `corrupt` when the object is not the one of the facts; `invalid` when the cache's
   * chunks cannot be checked one by one.
   */
  async open(facts: SegmentFacts): Promise<SegmentReader> {
    const index = this.#indexes.get(facts.key) ?? (await this.#loading.run(facts.key, () => this.#load(facts)))
    return new SegmentReader(facts, index, { cache: this.#cache, object: this.#checkedBy(facts, index) })
  }

  /** To be called when the segment was forgotten or is corrupt: index and chunks go. */
  forget(key: string): void {
    this.#indexes.delete(key)
    this.#cache.forget(key)
  }

  async #load(facts: SegmentFacts): Promise<SegmentIndex> {
    const { index } =
      facts.sizeBytes <= this.#cache.chunkBytes ? await this.#loadWhole(facts) : await readTail(this.#reader, facts, this.#crc32c)
    if (this.#cache.chunkBytes % index.chunkBytes !== 0) {
      const detail = `${facts.key} has a checksum per ${index.chunkBytes} bytes, the cache's chunks have ${this.#cache.chunkBytes}: make these a multiple`
      throw new OpError('invalid', { code: 'SEGMENT_CHUNKS_UNEVEN', detail })
    }
    this.#indexes.set(facts.key, index, index.heldBytes)
    return index
  }

  /** A segment no larger than a cache chunk: index and data come in one request, and the data is in the cache then. */
  async #loadWhole(facts: SegmentFacts): Promise<{ readonly index: SegmentIndex }> {
    const check = (start: number, chunk: Uint8Array): void => {
      assert(start === 0, 'the first chunk is the whole object')
      const { index } = openTail(facts, chunk.subarray(facts.dataBytes), this.#crc32c)
      this.#check(facts, index, { start, chunk })
    }
    const pieces = await this.#cache.read({ key: facts.key, sizeBytes: facts.sizeBytes, check }, facts.dataBytes, facts.sizeBytes)
    return openTail(facts, pieces[0]!, this.#crc32c)
  }

  #checkedBy(facts: SegmentFacts, index: SegmentIndex): CachedObject {
    const check = (start: number, chunk: Uint8Array): void => this.#check(facts, index, { start, chunk })
    return { key: facts.key, sizeBytes: facts.sizeBytes, check }
  }

  #check(facts: SegmentFacts, index: SegmentIndex, loaded: { readonly start: number; readonly chunk: Uint8Array }): void {
    const bad = index.firstBadChunk(loaded.start, loaded.chunk, this.#crc32c)
    if (bad !== undefined) throw segmentCorrupt(facts.key, bad, 'the data does not match its checksum')
  }
}
