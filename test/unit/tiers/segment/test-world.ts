// Owns what tests of segments share: a small world of store, cache, writer and archive, and reading a chain back.

import { crc32cReference as crc32c } from '../../../../src/base/crc32c.ts'
import { leaderEpoch, offset, partitionIndex, topicId } from '../../../../src/model/ids.ts'
import { BlockCache } from '../../../../tiers/cache/index.ts'
import { SegmentArchive, type SegmentFacts, type SegmentPlan, SegmentWriter } from '../../../../tiers/segment/index.ts'
import type { SegmentWriterOptions } from '../../../../tiers/segment/index.ts'
import { WatchedReader } from '../cache/watched-reader.ts'

export const testTopic = topicId('AAECAwQFBgcICQoLDA0ODw')

export function testPlan(baseOffset: number, rest: Partial<SegmentPlan> = {}): SegmentPlan {
  return {
    topicId: testTopic,
    partition: partitionIndex(3),
    baseOffset: offset(baseOffset),
    leaderEpoch: leaderEpoch(7),
    ...rest,
  }
}

export interface TestWorld {
  readonly watched: WatchedReader
  readonly cache: BlockCache
  readonly archive: SegmentArchive
  readonly writer: SegmentWriter
}

export const smallSizes = { partBytes: 3000, chunkBytes: 1024, indexIntervalBytes: 500 }

export function testWorld(options: Partial<SegmentWriterOptions> & { readonly cacheChunkBytes?: number } = {}): TestWorld {
  const watched = new WatchedReader()
  const chunkBytes = options.cacheChunkBytes ?? 2048
  const cache = new BlockCache({
    reader: watched.reader,
    chunkBytes,
    requestBytesMax: 4 * chunkBytes,
    budgetBytes: 32 * chunkBytes,
  })
  const archive = new SegmentArchive({ reader: watched.reader, cache, crc32c })
  const writer = new SegmentWriter({ store: watched.store, crc32c, ...smallSizes, ...options })
  return { watched, cache, archive, writer }
}

/** The object's bytes with one bit turned. */
export async function turnBit(world: TestWorld, facts: SegmentFacts, at: number): Promise<void> {
  const bytes = await world.watched.store.get(facts.key)
  bytes[at] = bytes[at]! ^ 1
  await world.watched.store.put(facts.key, [bytes])
}
