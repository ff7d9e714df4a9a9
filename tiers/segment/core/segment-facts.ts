// Owns what a partition's log says of a segment, and its bytes inside control entries and snapshots, version 1. Not the entries
// around it (broker).
//
//   0 version u8 (1) · 1 topic id 16 · 17 partition u32 · 21 leader epoch u32 · 25 attempt u16 · 27 base offset u64
//   35 end offset u64 · 43 size bytes u32 · 47 data bytes u32 · 51 record count u64 · 59 batch count u32 · 63 min timestamp i64
//   71 max timestamp i64 · 79 offset of max timestamp i64 · 87 trailer CRC32C u32 · 91
//
// The key is not stored: it follows from the name's parts, so facts cannot point outside their partition's segments.

import { assertDefined } from '../../../src/base/assert.ts'
import { type Outcome, fail, succeed } from '../../../src/base/outcome.ts'
import { leaderEpoch, offset, type Offset, partitionIndex } from '../../../src/model/ids.ts'
import { batchHeaderBytes } from '../../../src/protocol/index.ts'
import { type SegmentTrailer, indexEntryBytes, objectBytes, trailerBytes } from './format.ts'
import { indexSectionBytesMax } from './limits.ts'
import { decodeTopicId, encodeTopicId, isNameSound, segmentKey, type SegmentName, topicIdBytes } from './segment-name.ts'
import { readCount64, readTimestamp64, viewOf, writeInt64 } from './wire.ts'

export interface SegmentFacts extends SegmentName {
  readonly key: string
  readonly endOffset: Offset
  readonly sizeBytes: number
  readonly dataBytes: number
  readonly recordCount: number
  readonly batchCount: number
  /** Smallest timestamp of the batches' first records (or append times), −1 for none. Later records may be earlier. */
  readonly minTimestampMs: number
  /** −1 for none. */
  readonly maxTimestampMs: number
  /** Base offset of the first batch that has the largest timestamp, −1 for none. */
  readonly offsetOfMaxTimestamp: number
  /** Stands for the whole object: it covers the CRC of the index, which covers the CRCs of all data. */
  readonly trailerCrc32c: number
}

export const segmentFactsBytes = 91
const factsVersion = 1

export function factsOf(trailer: SegmentTrailer, attempt: number): SegmentFacts {
  const { baseOffset, endOffset, dataBytes, recordCount, batchCount, trailerCrc32c } = trailer
  const { minTimestampMs, maxTimestampMs, offsetOfMaxTimestamp, partition } = trailer
  const name: SegmentName = { topicId: trailer.topicId, partition, baseOffset, leaderEpoch: trailer.leaderEpoch, attempt }
  const sizes = { sizeBytes: objectBytes(trailer), dataBytes, recordCount, batchCount }
  return {
    key: segmentKey(name),
    ...name,
    endOffset,
    ...sizes,
    minTimestampMs,
    maxTimestampMs,
    offsetOfMaxTimestamp,
    trailerCrc32c,
  }
}

export function encodeSegmentFacts(facts: SegmentFacts): Uint8Array {
  const bytes = new Uint8Array(segmentFactsBytes)
  const view = viewOf(bytes)
  bytes[0] = factsVersion
  bytes.set(assertDefined(encodeTopicId(facts.topicId), 'segment facts have a sound topic id'), 1)
  view.setUint32(17, facts.partition)
  view.setUint32(21, facts.leaderEpoch)
  view.setUint16(25, facts.attempt)
  writeInt64(view, 27, facts.baseOffset)
  writeInt64(view, 35, facts.endOffset)
  view.setUint32(43, facts.sizeBytes)
  view.setUint32(47, facts.dataBytes)
  writeInt64(view, 51, facts.recordCount)
  view.setUint32(59, facts.batchCount)
  writeInt64(view, 63, facts.minTimestampMs)
  writeInt64(view, 71, facts.maxTimestampMs)
  writeInt64(view, 79, facts.offsetOfMaxTimestamp)
  view.setUint32(87, facts.trailerCrc32c)
  return bytes
}

/** Exactly the bytes of one descriptor (the container knows its length). */
export function decodeSegmentFacts(bytes: Uint8Array): Outcome<SegmentFacts, string> {
  const version = bytes[0]
  if (version !== factsVersion) return fail(`segment facts have version ${version ?? 'none'}; this program reads ${factsVersion}`)
  if (bytes.length !== segmentFactsBytes) return fail(`segment facts have ${bytes.length} bytes, not ${segmentFactsBytes}`)
  const view = viewOf(bytes)
  const baseOffset = readCount64(view, 27)
  const endOffset = readCount64(view, 35)
  const recordCount = readCount64(view, 51)
  if (baseOffset === undefined || endOffset === undefined || recordCount === undefined)
    return fail('segment facts hold impossible numbers')
  const name: SegmentName = {
    topicId: decodeTopicId(bytes.subarray(1, 1 + topicIdBytes)),
    partition: partitionIndex(view.getUint32(17)),
    leaderEpoch: leaderEpoch(view.getUint32(21)),
    attempt: view.getUint16(25),
    baseOffset: offset(baseOffset),
  }
  const facts: SegmentFacts = {
    key: segmentKey(name),
    ...name,
    endOffset: offset(endOffset),
    sizeBytes: view.getUint32(43),
    dataBytes: view.getUint32(47),
    recordCount,
    batchCount: view.getUint32(59),
    minTimestampMs: readTimestamp64(view, 63),
    maxTimestampMs: readTimestamp64(view, 71),
    offsetOfMaxTimestamp: readTimestamp64(view, 79),
    trailerCrc32c: view.getUint32(87),
  }
  return areFactsSound(facts) ? succeed(facts) : fail('segment facts contradict themselves')
}

function areFactsSound(facts: SegmentFacts): boolean {
  const tailBytes = facts.sizeBytes - facts.dataBytes
  const isTailPossible = tailBytes >= indexEntryBytes + 4 + trailerBytes && tailBytes <= indexSectionBytesMax + trailerBytes
  return isNameSound(facts) && facts.baseOffset < facts.endOffset && isTailPossible && facts.dataBytes >= batchHeaderBytes
}
