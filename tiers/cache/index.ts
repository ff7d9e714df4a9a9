// The door of the cache: what other rooms may use.

export { ByteLru, type ByteLruOptions } from './byte-lru.ts'
export { BlockCache, type BlockCacheCounters, type BlockCacheOptions, type CachedObject } from './block-cache.ts'
export { ReadCursor } from './read-cursor.ts'
export {
  cacheBudgetBytesDefault,
  cacheChunkBytesDefault,
  cacheChunkBytesMin,
  cacheRequestBytesMaxDefault,
  readAheadBytesMaxDefault,
  readAheadChunksDefault,
  readAheadFlightsMaxDefault,
} from './limits.ts'
