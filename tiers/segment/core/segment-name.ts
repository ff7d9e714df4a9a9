// Owns what a segment is called in the bucket, and the 16 bytes behind a topic id. Not which segments exist (the partition's log).
//
//   segments/<topic id, 22>/<partition>/<base offset, 20 digits>-<leader epoch, 10 digits>[-<attempt ≥ 1>]
//
// An attempt is added when another object already stands under the name: an earlier, different attempt of the same leader that
// crashed before it was published, or the segment that a compaction replaces. The published entry says which one counts.

import { type LeaderEpoch, type Offset, type PartitionIndex, type TopicId, leaderEpoch, offset } from '../../../src/model/ids.ts'
import { partitionIndex, topicId } from '../../../src/model/ids.ts'
import { attemptMax, attemptsPerWriteMax } from './limits.ts'

export interface SegmentName {
  readonly topicId: TopicId
  readonly partition: PartitionIndex
  readonly baseOffset: Offset
  readonly leaderEpoch: LeaderEpoch
  /** 0 for the plain name. */
  readonly attempt: number
}

export const topicIdBytes = 16

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const idLetters = 22
const namePattern = /^segments\/([A-Za-z0-9_-]{22})\/(\d{1,10})\/(\d{20})-(\d{10})(?:-([1-9]\d{0,4}))?$/

export function segmentPrefix(topic: TopicId, partition: PartitionIndex): string {
  return `segments/${topic}/${partition}/`
}

export function segmentKey(name: SegmentName): string {
  const place = `${String(name.baseOffset).padStart(20, '0')}-${String(name.leaderEpoch).padStart(10, '0')}`
  return `${segmentPrefix(name.topicId, name.partition)}${place}${name.attempt === 0 ? '' : `-${name.attempt}`}`
}

/** Undefined for anything `segmentKey` would not have made. */
export function parseSegmentKey(key: string): SegmentName | undefined {
  const match = namePattern.exec(key)
  if (match === null) return undefined
  const name: SegmentName = {
    topicId: topicId(match[1] ?? ''),
    partition: partitionIndex(Number(match[2])),
    baseOffset: offset(Number(match[3])),
    leaderEpoch: leaderEpoch(Number(match[4])),
    attempt: Number(match[5] ?? 0),
  }
  return isNameSound(name) && segmentKey(name) === key ? name : undefined
}

export function isNameSound(name: SegmentName): boolean {
  return (
    encodeTopicId(name.topicId) !== undefined &&
    isWithin(name.partition, 0x7fffffff) &&
    isWithin(name.baseOffset, Number.MAX_SAFE_INTEGER) &&
    isWithin(name.leaderEpoch, 0x7fffffff) &&
    isWithin(name.attempt, attemptMax)
  )
}

function isWithin(value: number, max: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= max
}

/** The 16 bytes of an id; undefined when the text is not one in its only form. */
export function encodeTopicId(id: TopicId): Uint8Array | undefined {
  if (id.length !== idLetters) return undefined
  const bytes = new Uint8Array(topicIdBytes)
  let pending = 0
  let bits = 0
  let at = 0
  for (const letter of id) {
    const value = letters.indexOf(letter)
    if (value < 0) return undefined
    pending = ((pending << 6) | value) & 0xffff
    bits += 6
    if (bits < 8) continue
    bits -= 8
    bytes[at] = (pending >>> bits) & 0xff
    at += 1
  }
  return (pending & ((1 << bits) - 1)) === 0 ? bytes : undefined
}

export function decodeTopicId(bytes: Uint8Array): TopicId {
  let text = ''
  let pending = 0
  let bits = 0
  for (const byte of bytes) {
    pending = ((pending << 8) | byte) & 0xffff
    bits += 8
    while (bits >= 6) {
      bits -= 6
      text += letters[(pending >>> bits) & 63]!
    }
  }
  if (bits > 0) text += letters[(pending << (6 - bits)) & 63]!
  return topicId(text)
}

/**
 * Under which names a segment that replaces `old` is tried to be written: the first attempt, and all keys. Numbers of attempts begin again
 * before they run out; what had the low ones is long swept.
 */
export function segmentNamesFrom(
  name: Omit<SegmentName, 'attempt'>,
  old: Pick<SegmentName, 'leaderEpoch' | 'attempt'>,
): { readonly attempt: number; readonly keys: readonly string[] } {
  const next = old.leaderEpoch === name.leaderEpoch ? old.attempt + 1 : 0
  const attempt = next + attemptsPerWriteMax > attemptMax ? 0 : next
  return {
    attempt,
    keys: Array.from({ length: attemptsPerWriteMax }, (_, tried) => segmentKey({ ...name, attempt: attempt + tried })),
  }
}
