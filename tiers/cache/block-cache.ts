// Owns the read path between readers of immutable objects and the store: aligned chunks, one flight per chunk, one ranged GET
// for neighbours, reading ahead, a budget of bytes. Not what the bytes mean, nor their checksums (the reader passes a check).

import { assert, assertDefined } from '../../src/base/assert.ts'
import { OpError, isOpError } from '../../src/base/op-error.ts'
import { SingleFlight } from '../../src/base/single-flight.ts'
import type { ObjectReader } from '../ports.ts'
import { ByteLru } from './byte-lru.ts'
import {
  cacheBudgetBytesDefault,
  cacheChunkBytesDefault,
  cacheChunkBytesMin,
  cacheRequestBytesMaxDefault,
  readAheadBytesMaxDefault,
  readAheadChunksDefault,
  readAheadFlightsMaxDefault,
} from './limits.ts'
import type { ReadCursor } from './read-cursor.ts'

export interface BlockCacheOptions {
  /** Where chunks come from. Its own wrappers bound and retry the requests. */
  readonly reader: ObjectReader
  readonly budgetBytes?: number
  readonly chunkBytes?: number
  /** The most one ranged GET asks for; whole chunks. */
  readonly requestBytesMax?: number
  readonly readAheadChunks?: number
  readonly readAheadFlightsMax?: number
  readonly readAheadBytesMax?: number
}

/** An immutable object. All who read a key pass the same size and an equivalent check. */
export interface CachedObject {
  readonly key: string
  readonly sizeBytes: number
  /** Called once with every chunk that came from the store, before anybody sees it; throws OpError `corrupt` to refuse it. */
  readonly check?: (start: number, chunk: Uint8Array) => void
}

/** Plain fields, copied into the metrics registry when scraped. Hits, misses and joins count chunks. */
export interface BlockCacheCounters {
  hits: number
  misses: number
  /** Chunks that were on their way already when asked for. */
  joins: number
  requests: number
  requestedBytes: number
  inFlight: number
  inFlightBytes: number
  failures: number
  readAheadRequests: number
  readAheadInFlight: number
  readAheadInFlightBytes: number
  /** Not started because the bound on flights or bytes was reached. */
  readAheadSkipped: number
  readAheadFailures: number
}

/**
 * What one response brought: neighbouring chunks in one buffer. It is kept and evicted as a whole, since a view of one chunk
 * would pin all of it: only so is the budget the memory that is really held.
 */
interface Span {
  readonly owner: ObjectChunks
  readonly start: number
  readonly bytes: Uint8Array
  readonly chunks: readonly number[]
}

interface ByteRange {
  readonly start: number
  readonly end: number
}

interface ObjectChunks {
  readonly key: string
  readonly sizeBytes: number
  readonly cached: Map<number, Span>
  readonly pending: Set<number>
  readonly flights: SingleFlight<number, Span>
  forgotten: boolean
}

interface Wanted {
  readonly spans: ReadonlyArray<Span | undefined>
  readonly coming: ReadonlyArray<Promise<void>>
}

interface Landing {
  readonly chunk: number
  readonly resolve: (span: Span) => void
  readonly reject: (cause: unknown) => void
}

export class BlockCache {
  readonly chunkBytes: number
  readonly counters: BlockCacheCounters = {
    hits: 0,
    misses: 0,
    joins: 0,
    requests: 0,
    requestedBytes: 0,
    inFlight: 0,
    inFlightBytes: 0,
    failures: 0,
    readAheadRequests: 0,
    readAheadInFlight: 0,
    readAheadInFlightBytes: 0,
    readAheadSkipped: 0,
    readAheadFailures: 0,
  }
  readonly #reader: ObjectReader
  readonly #requestChunksMax: number
  readonly #readAheadChunks: number
  readonly #readAheadFlightsMax: number
  readonly #readAheadBytesMax: number
  readonly #objects = new Map<string, ObjectChunks>()
  readonly #lru: ByteLru<Span, true>

  constructor(options: BlockCacheOptions) {
    this.#reader = options.reader
    this.chunkBytes = options.chunkBytes ?? cacheChunkBytesDefault
    const requestBytesMax = options.requestBytesMax ?? cacheRequestBytesMaxDefault
    const budgetBytes = options.budgetBytes ?? cacheBudgetBytesDefault
    assert(this.chunkBytes >= cacheChunkBytesMin, 'a cache chunk is not smaller than cacheChunkBytesMin')
    assert(requestBytesMax >= this.chunkBytes, 'a request covers whole chunks')
    assert(requestBytesMax <= budgetBytes, 'what one request brings fits into the cache')
    this.#requestChunksMax = Math.floor(requestBytesMax / this.chunkBytes)
    this.#readAheadChunks = options.readAheadChunks ?? readAheadChunksDefault
    this.#readAheadFlightsMax = options.readAheadFlightsMax ?? readAheadFlightsMaxDefault
    this.#readAheadBytesMax = options.readAheadBytesMax ?? readAheadBytesMaxDefault
    this.#lru = new ByteLru({ budgetBytes, onEvict: (span) => this.#unlink(span) })
  }

  /** Bytes held (CACHE-1: never above the budget). What is in flight, or in a reader's hands after eviction, is not counted. */
  get usedBytes(): number {
    return this.#lru.usedBytes
  }

  get budgetBytes(): number {
    return this.#lru.budgetBytes
  }

  get evictions(): number {
    return this.#lru.evictions
  }

  /**
   * Bytes [start, end) in as few pieces as possible; they are views of cached chunks and must not be written to. All who wait
   * for a chunk get the same bytes or the same error; errors are not remembered. OpError of the store, `corrupt` from the check
   * or when the object is shorter than it should be.
   */
  async read(object: CachedObject, start: number, end: number, cursor?: ReadCursor): Promise<Uint8Array[]> {
    assert(start >= 0 && start <= end && end <= object.sizeBytes, 'a read lies inside its object')
    if (start === end) return []
    const entry = this.#entryOf(object)
    const firstChunk = Math.floor(start / this.chunkBytes)
    const endChunk = Math.floor((end - 1) / this.chunkBytes) + 1
    const wanted = this.#want(object, entry, firstChunk, endChunk)
    if (cursor?.note(object.key, start, end) === true) this.#readAhead(object, entry, cursor, endChunk)
    if (wanted.coming.length > 0) await Promise.all(wanted.coming)
    return piecesOf(wanted.spans, firstChunk, this.chunkBytes, { start, end })
  }

  /** Drops everything of the object; what is on its way reaches those who wait for it, and is not kept. */
  forget(key: string): void {
    const entry = this.#objects.get(key)
    if (entry === undefined) return
    entry.forgotten = true
    this.#objects.delete(key)
    for (const span of new Set(entry.cached.values())) this.#lru.delete(span)
    entry.cached.clear()
  }

  #entryOf(object: CachedObject): ObjectChunks {
    const present = this.#objects.get(object.key)
    if (present !== undefined) {
      if (present.sizeBytes === object.sizeBytes) return present
      const detail = `${object.key} is cached as ${present.sizeBytes} bytes and was asked for as ${object.sizeBytes}: objects never change`
      throw new OpError('invalid', { code: 'OBJECT_SIZE_CHANGED', detail })
    }
    const { key, sizeBytes } = object
    const entry: ObjectChunks = {
      key,
      sizeBytes,
      cached: new Map(),
      pending: new Set(),
      flights: new SingleFlight(),
      forgotten: false,
    }
    this.#objects.set(key, entry)
    return entry
  }

  /** The spans that are there, and flights that fill in the others; asks for what is neither there nor on its way. */
  #want(object: CachedObject, entry: ObjectChunks, firstChunk: number, endChunk: number): Wanted {
    const spans: Array<Span | undefined> = []
    const coming: Array<Promise<void>> = []
    const missing: Landing[] = []
    for (let chunk = firstChunk; chunk < endChunk; chunk += 1) {
      const at = chunk - firstChunk
      spans[at] = entry.cached.get(chunk)
      if (spans[at] !== undefined) {
        this.counters.hits += 1
        this.#lru.touch(spans[at])
        continue
      }
      if (entry.pending.has(chunk)) this.counters.joins += 1
      else this.counters.misses += 1
      const fill = (span: Span): void => {
        spans[at] = span
      }
      coming.push(this.#board(entry, chunk, missing).then(fill))
    }
    this.#depart(object, entry, missing)
    return { spans, coming }
  }

  /** Joins the chunk's flight, or opens one whose landing is added to `missing`. */
  #board(entry: ObjectChunks, chunk: number, missing: Landing[]): Promise<Span> {
    return entry.flights.run(
      chunk,
      () =>
        new Promise((resolve, reject) => {
          entry.pending.add(chunk)
          missing.push({ chunk, resolve, reject })
        }),
    )
  }

  /** Sends one request per run of neighbours, none larger than the maximum. */
  #depart(object: CachedObject, entry: ObjectChunks, missing: readonly Landing[]): void {
    let group: Landing[] = []
    for (const landing of missing) {
      const last = group.at(-1)
      if (last !== undefined && (landing.chunk !== last.chunk + 1 || group.length >= this.#requestChunksMax)) {
        void this.#fetch(object, entry, group)
        group = []
      }
      group.push(landing)
    }
    if (group.length > 0) void this.#fetch(object, entry, group)
  }

  /** Never rejects: what happens is told through the landings. */
  async #fetch(object: CachedObject, entry: ObjectChunks, group: readonly Landing[]): Promise<void> {
    const start = group[0]!.chunk * this.chunkBytes
    const end = Math.min(object.sizeBytes, (group.at(-1)!.chunk + 1) * this.chunkBytes)
    const { counters } = this
    counters.requests += 1
    counters.requestedBytes += end - start
    counters.inFlight += 1
    counters.inFlightBytes += end - start
    try {
      const bytes = await fetchExactly(this.#reader, object.key, start, end)
      this.#land(object, entry, group, { start, bytes })
    } catch (cause) {
      counters.failures += 1
      for (const landing of group) landing.reject(cause)
    } finally {
      counters.inFlight -= 1
      counters.inFlightBytes -= end - start
      for (const { chunk } of group) entry.pending.delete(chunk)
      this.#dropIfEmpty(entry)
    }
  }

  #land(
    object: CachedObject,
    entry: ObjectChunks,
    group: readonly Landing[],
    response: { start: number; bytes: Uint8Array },
  ): void {
    const { start, bytes } = response
    const sound: Landing[] = []
    for (const landing of group) {
      const chunkStart = landing.chunk * this.chunkBytes
      try {
        object.check?.(chunkStart, bytes.subarray(chunkStart - start, chunkStart - start + this.chunkBytes))
        sound.push(landing)
      } catch (cause) {
        this.counters.failures += 1
        landing.reject(cause)
      }
    }
    const span: Span = { owner: entry, start, bytes, chunks: sound.map(({ chunk }) => chunk) }
    if (sound.length > 0 && !entry.forgotten && this.#lru.set(span, true, bytes.length)) {
      for (const chunk of span.chunks) entry.cached.set(chunk, span)
    }
    for (const landing of sound) landing.resolve(span)
  }

  /** One request for the next chunks that nobody asked for, when at least half of the window is free and the bounds allow it. */
  #readAhead(object: CachedObject, entry: ObjectChunks, cursor: ReadCursor, nextChunk: number): void {
    const chunkCount = Math.ceil(object.sizeBytes / this.chunkBytes)
    const windowEnd = Math.min(chunkCount, nextChunk + this.#readAheadChunks)
    let from = Math.max(nextChunk, cursor.aheadChunk)
    if (windowEnd - from < Math.ceil(this.#readAheadChunks / 2) && windowEnd < chunkCount) return
    while (from < windowEnd && this.#isComing(entry, from)) from += 1
    if (from >= windowEnd) return
    const { counters } = this
    const bytesLeft = this.#readAheadBytesMax - counters.readAheadInFlightBytes
    const room = Math.min(this.#requestChunksMax, Math.floor(bytesLeft / this.chunkBytes))
    if (counters.readAheadInFlight >= this.#readAheadFlightsMax || room <= 0) {
      counters.readAheadSkipped += 1
      return
    }
    let end = from
    while (end < windowEnd && end - from < room && !this.#isComing(entry, end)) end += 1
    cursor.aheadChunk = end
    this.#fetchAhead(object, entry, from, end)
  }

  #fetchAhead(object: CachedObject, entry: ObjectChunks, from: number, end: number): void {
    const missing: Landing[] = []
    const coming: Array<Promise<Span>> = []
    for (let chunk = from; chunk < end; chunk += 1) coming.push(this.#board(entry, chunk, missing))
    const bytes = (end - from) * this.chunkBytes
    const { counters } = this
    counters.readAheadRequests += 1
    counters.readAheadInFlight += 1
    counters.readAheadInFlightBytes += bytes
    const landed = (): void => {
      counters.readAheadInFlight -= 1
      counters.readAheadInFlightBytes -= bytes
    }
    this.#depart(object, entry, missing)
    // A failure here is nobody's: the reader that needs the chunk asks again and is told then. Our own bugs stay loud.
    void Promise.all(coming).then(landed, (cause: unknown) => {
      landed()
      if (!isOpError(cause)) throw cause
      counters.readAheadFailures += 1
    })
  }

  #isComing(entry: ObjectChunks, chunk: number): boolean {
    return entry.cached.has(chunk) || entry.pending.has(chunk)
  }

  #unlink(span: Span): void {
    for (const chunk of span.chunks) if (span.owner.cached.get(chunk) === span) span.owner.cached.delete(chunk)
    this.#dropIfEmpty(span.owner)
  }

  #dropIfEmpty(entry: ObjectChunks): void {
    const isEmpty = entry.cached.size === 0 && entry.pending.size === 0
    if (isEmpty && this.#objects.get(entry.key) === entry) this.#objects.delete(entry.key)
  }
}

async function fetchExactly(reader: ObjectReader, key: string, start: number, end: number): Promise<Uint8Array> {
  const short = (cause: unknown): OpError =>
    new OpError('corrupt', { code: 'OBJECT_SHORT', detail: `${key} ends before byte ${end}, which should be in it`, cause })
  let bytes: Uint8Array
  try {
    bytes = await reader.getRange(key, start, end)
  } catch (cause) {
    if (isOpError(cause, 'invalid')) throw short(cause)
    throw cause
  }
  if (bytes.length !== end - start) throw short(undefined)
  // A view of something larger would pin more than the budget counts.
  return bytes.buffer.byteLength === bytes.length ? bytes : new Uint8Array(bytes)
}

/** `spans[i]` holds chunk `firstChunk + i`. Neighbouring chunks of one response come out as one view. */
function piecesOf(
  spans: ReadonlyArray<Span | undefined>,
  firstChunk: number,
  chunkBytes: number,
  range: ByteRange,
): Uint8Array[] {
  const pieces: Uint8Array[] = []
  let at = range.start
  let index = 0
  while (at < range.end) {
    const span = assertDefined(spans[index], 'every chunk of a read has its span')
    while (spans[index] === span) index += 1
    const pieceEnd = Math.min(range.end, (firstChunk + index) * chunkBytes)
    pieces.push(span.bytes.subarray(at - span.start, pieceEnd - span.start))
    at = pieceEnd
  }
  return pieces
}
