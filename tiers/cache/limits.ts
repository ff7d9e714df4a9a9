// Owns the named maxima of the block cache and the relations between them. Not the settings a person may change (cli).

import { assert } from '../../src/base/assert.ts'

const kibibyte = 1024
const mebibyte = 1024 * kibibyte

/** One chunk: large enough that a request's fixed cost (some 20 ms at S3) is small beside the transfer, and never split. */
export const cacheChunkBytesDefault = mebibyte
/** A segment's checksum chunks (at most this size) must divide a cache chunk, so that every chunk can be checked alone. */
export const cacheChunkBytesMin = kibibyte
/** Adjacent missing chunks go out as one ranged GET up to here: 8 chunks, about 100 ms of one S3 connection. */
export const cacheRequestBytesMaxDefault = 8 * mebibyte
export const cacheBudgetBytesDefault = 256 * mebibyte
/** How far ahead of one sequential reader the cache reads: 4 MiB hides one round trip at 100 MB/s. */
export const readAheadChunksDefault = 4
/** All readers together: background requests in flight, and the bytes they will bring. */
export const readAheadFlightsMaxDefault = 8
export const readAheadBytesMaxDefault = 32 * mebibyte

assert(cacheRequestBytesMaxDefault % cacheChunkBytesDefault === 0, 'a request covers whole chunks')
assert(cacheRequestBytesMaxDefault <= cacheBudgetBytesDefault, 'what one request brings fits into the cache')
assert(readAheadChunksDefault * cacheChunkBytesDefault <= cacheRequestBytesMaxDefault, 'one reader is read ahead by one request')
assert(readAheadBytesMaxDefault * 2 <= cacheBudgetBytesDefault, 'reading ahead never pushes out most of what was read')
