// Owns reading what stands behind a segment's data, checked: trailer, index, checksums. Not the data (reader.ts, verify.ts), nor
// caching (archive.ts).

import type { Crc32c } from '../../src/base/crc32c.ts'
import { isOpError } from '../../src/base/op-error.ts'
import type { ObjectReader } from '../ports.ts'
import { segmentCorrupt } from './damage.ts'
import { decodeIndex, decodeTrailer, type SegmentTrailer, trailerBytes } from './core/format.ts'
import { factsOf, type SegmentFacts } from './core/segment-facts.ts'
import type { SegmentIndex } from './core/segment-index.ts'
import { parseSegmentKey, segmentKey } from './core/segment-name.ts'

export interface SegmentTail {
  readonly trailer: SegmentTrailer
  readonly index: SegmentIndex
}

/** Decodes and compares `bytes`, the object from the end of the data on, with what the log says. OpError `corrupt`. */
export function openTail(facts: SegmentFacts, bytes: Uint8Array, crc32c: Crc32c): SegmentTail {
  const range = { start: facts.dataBytes, end: facts.sizeBytes }
  const trailer = decodeTrailer(bytes, facts.sizeBytes, crc32c)
  if (!trailer.ok) throw segmentCorrupt(facts.key, range, trailer.failure)
  if (
    trailer.value.trailerCrc32c !== facts.trailerCrc32c ||
    segmentKey({ ...trailer.value, attempt: facts.attempt }) !== facts.key
  ) {
    throw segmentCorrupt(facts.key, range, 'it is not the segment that the log names')
  }
  const index = decodeIndex(bytes.subarray(0, Math.max(0, bytes.length - trailerBytes)), trailer.value, crc32c)
  if (!index.ok) throw segmentCorrupt(facts.key, range, index.failure)
  return { trailer: trailer.value, index: index.value }
}

/** One ranged GET. OpError of the store; `corrupt` when it is not the segment of the facts, or ends too early. */
export async function readTail(reader: ObjectReader, facts: SegmentFacts, crc32c: Crc32c): Promise<SegmentTail> {
  const range = { start: facts.dataBytes, end: facts.sizeBytes }
  try {
    const bytes = await reader.getRange(facts.key, range.start, range.end)
    if (bytes.length !== range.end - range.start) throw segmentCorrupt(facts.key, range, 'the object ends before them')
    return openTail(facts, bytes, crc32c)
  } catch (cause) {
    if (isOpError(cause, 'invalid')) throw segmentCorrupt(facts.key, range, `the object ends before them (${cause.detail})`)
    throw cause
  }
}

/**
 * The facts of an object found in the bucket, from its trailer alone (one request): for verify, dump and recovery. OpError
 * `missing`, and `corrupt` when it is no segment or stands under another segment's name.
 */
export async function readSegmentFacts(reader: ObjectReader, key: string, crc32c: Crc32c): Promise<SegmentFacts> {
  const { bytes, sizeBytes } = await reader.getTail(key, trailerBytes)
  const range = { start: Math.max(0, sizeBytes - trailerBytes), end: sizeBytes }
  const name = parseSegmentKey(key)
  if (name === undefined) throw segmentCorrupt(key, range, 'its name is not one of a segment')
  const trailer = decodeTrailer(bytes, sizeBytes, crc32c)
  if (!trailer.ok) throw segmentCorrupt(key, range, trailer.failure)
  const facts = factsOf(trailer.value, name.attempt)
  if (facts.key !== key) throw segmentCorrupt(key, range, `it says that it is ${facts.key}`)
  return facts
}
