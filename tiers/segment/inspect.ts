// Owns what `chronik dump segment` shows: trailer, index, every batch's header, in this order. Not how it is printed (cli), nor
// judging it (verify.ts).

import type { Crc32c } from '../../src/base/crc32c.ts'
import type { ObjectReader } from '../ports.ts'
import { BatchWalk, type WalkedBatch } from './core/batch-walk.ts'
import type { SegmentTrailer } from './core/format.ts'
import type { SegmentFacts } from './core/segment-facts.ts'
import type { SegmentIndexEntry } from './core/segment-index.ts'
import { segmentCorrupt } from './damage.ts'
import { readSegmentFacts, readTail } from './tail.ts'
import { dataOf } from './verify.ts'

export type SegmentPart =
  | { readonly kind: 'trailer'; readonly facts: SegmentFacts; readonly trailer: SegmentTrailer }
  | { readonly kind: 'index'; readonly entry: SegmentIndexEntry }
  | { readonly kind: 'batch'; readonly batch: WalkedBatch }

/** Bounded memory. OpError of the store; `corrupt` at the point where the object can no longer be followed. */
export async function* inspectSegment(
  reader: ObjectReader,
  key: string,
  crc32c: Crc32c,
): AsyncGenerator<SegmentPart, void, undefined> {
  const facts = await readSegmentFacts(reader, key, crc32c)
  const { trailer, index } = await readTail(reader, facts, crc32c)
  yield { kind: 'trailer', facts, trailer }
  for (let entry = 0; entry < index.entryCount; entry += 1) yield { kind: 'index', entry: index.entry(entry) }
  const walk = new BatchWalk(crc32c)
  for await (const { bytes } of dataOf(reader, facts)) {
    const batches: WalkedBatch[] = []
    const lost = walk.push(bytes, (batch) => batches.push(batch))
    for (const batch of batches) yield { kind: 'batch', batch }
    if (lost !== undefined) throw segmentCorrupt(key, { start: walk.position, end: facts.dataBytes }, lost)
  }
}
