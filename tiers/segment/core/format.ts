// Owns the bytes of a segment's index, checksum table and trailer, version 1. Not the batches before them (Kafka's own format,
// batch-scan.ts), nor the object's name (segment-name.ts).
//
//   object    data (record batches v2, back to back, as acknowledged) · index · checksum table · trailer, 112 bytes
//
//   index     one entry of 28 bytes per run of batches; a run ends where the next entry's begins, the last with the data
//     0   relative offset            u64   base offset of the run's first batch − the segment's base offset
//     8   position                   u32   of that batch in the object
//     12  max timestamp              i64   largest of the run's batches, −1 for none
//     20  offset of max timestamp    u64   base offset, relative, of the run's first batch that has it (0 for none)
//   checksums one CRC32C (u32) per chunk of the data, the last chunk may be shorter
//
//   trailer
//     0   topic id                   16 bytes
//     16  partition                  u32
//     20  leader epoch               u32   of the leader that wrote the segment
//     24  base offset                u64
//     32  end offset                 u64   half-open
//     40  record count               u64   sum over the batches
//     48  batch count                u32
//     52  data bytes                 u32
//     56  min timestamp              i64   smallest of the batches' first records', −1 for none
//     64  max timestamp              i64   −1 for none
//     72  offset of max timestamp    i64   base offset of the first batch that has it, −1 for none
//     80  index entry count          u32
//     84  chunk bytes                u32   a power of two
//     88  flags                      u32   bit 0: offsets may have gaps (compacted)
//     92  index CRC32C               u32   over index and checksum table
//     96  trailer CRC32C             u32   over 0–95 and 100–111
//     100 trailer bytes              u16   112
//     102 format version             u16   1
//     104 magic                      8     'CHRSEGMT'
//
// All numbers are big-endian. The trailer's CRC covers the index CRC, which covers the chunks' CRCs: one number for the whole.

import { assert, assertDefined } from '../../../src/base/assert.ts'
import type { Crc32c } from '../../../src/base/crc32c.ts'
import { type Outcome, fail, succeed } from '../../../src/base/outcome.ts'
import type { LeaderEpoch, Offset, PartitionIndex, TopicId } from '../../../src/model/ids.ts'
import { leaderEpoch, offset, partitionIndex } from '../../../src/model/ids.ts'
import { batchHeaderBytes } from '../../../src/protocol/index.ts'
import { checksumChunkBytesMax, checksumChunkBytesMin, indexSectionBytesMax, segmentSizeBytesMax } from './limits.ts'
import { SegmentIndex } from './segment-index.ts'
import { decodeTopicId, encodeTopicId, topicIdBytes } from './segment-name.ts'
import { readCount64, readTimestamp64, viewOf, writeInt64 } from './wire.ts'

export interface SegmentTrailer {
  readonly topicId: TopicId
  readonly partition: PartitionIndex
  readonly leaderEpoch: LeaderEpoch
  readonly baseOffset: Offset
  readonly endOffset: Offset
  readonly recordCount: number
  readonly batchCount: number
  readonly dataBytes: number
  readonly minTimestampMs: number
  readonly maxTimestampMs: number
  readonly offsetOfMaxTimestamp: number
  readonly indexEntryCount: number
  readonly chunkBytes: number
  readonly gapsAllowed: boolean
  readonly indexCrc32c: number
  readonly trailerCrc32c: number
}

export const segmentFormatVersion = 1
export const trailerBytes = 112
export const indexEntryBytes = 28
const magicText = 'CHRSEGMT'
const crcAt = 96
const endAt = 100
const gapsFlag = 1

export function sectionBytes(trailer: Pick<SegmentTrailer, 'indexEntryCount' | 'dataBytes' | 'chunkBytes'>): number {
  return trailer.indexEntryCount * indexEntryBytes + Math.ceil(trailer.dataBytes / trailer.chunkBytes) * 4
}

export function objectBytes(trailer: SegmentTrailer): number {
  return trailer.dataBytes + sectionBytes(trailer) + trailerBytes
}

/** Index and checksum table. */
export function encodeIndex(index: SegmentIndex): Uint8Array {
  const bytes = new Uint8Array(index.entryCount * indexEntryBytes + index.chunkCrcs.length * 4)
  const view = viewOf(bytes)
  let at = 0
  for (let entry = 0; entry < index.entryCount; entry += 1) {
    writeInt64(view, at, index.offsets[entry]! - index.baseOffset)
    view.setUint32(at + 8, index.positions[entry]!)
    writeInt64(view, at + 12, index.maxTimestampsMs[entry]!)
    writeInt64(view, at + 20, Math.max(0, index.offsetsOfMaxTimestamp[entry]! - index.baseOffset))
    at += indexEntryBytes
  }
  for (const crc of index.chunkCrcs) {
    view.setUint32(at, crc)
    at += 4
  }
  return bytes
}

export function encodeTrailer(trailer: Omit<SegmentTrailer, 'trailerCrc32c'>, crc32c: Crc32c): Uint8Array {
  const bytes = new Uint8Array(trailerBytes)
  const view = viewOf(bytes)
  bytes.set(assertDefined(encodeTopicId(trailer.topicId), 'a segment is written under a sound topic id'))
  view.setUint32(16, trailer.partition)
  view.setUint32(20, trailer.leaderEpoch)
  writeInt64(view, 24, trailer.baseOffset)
  writeInt64(view, 32, trailer.endOffset)
  writeInt64(view, 40, trailer.recordCount)
  view.setUint32(48, trailer.batchCount)
  view.setUint32(52, trailer.dataBytes)
  writeInt64(view, 56, trailer.minTimestampMs)
  writeInt64(view, 64, trailer.maxTimestampMs)
  writeInt64(view, 72, trailer.offsetOfMaxTimestamp)
  view.setUint32(80, trailer.indexEntryCount)
  view.setUint32(84, trailer.chunkBytes)
  view.setUint32(88, trailer.gapsAllowed ? gapsFlag : 0)
  view.setUint32(92, trailer.indexCrc32c)
  view.setUint16(endAt, trailerBytes)
  view.setUint16(102, segmentFormatVersion)
  for (let at = 0; at < magicText.length; at += 1) bytes[104 + at] = magicText.charCodeAt(at)
  view.setUint32(crcAt, crcOfTrailer(bytes, crc32c))
  return bytes
}

function crcOfTrailer(bytes: Uint8Array, crc32c: Crc32c): number {
  return crc32c(bytes.subarray(endAt), crc32c(bytes.subarray(0, crcAt)))
}

/** The trailer in the last bytes of an object of `sizeBytes`. A failure says what is wrong; nothing is believed before its CRC. */
export function decodeTrailer(tail: Uint8Array, sizeBytes: number, crc32c: Crc32c): Outcome<SegmentTrailer, string> {
  if (tail.length < trailerBytes || sizeBytes < tail.length) return fail(`${sizeBytes} bytes are too few for a segment`)
  const bytes = tail.subarray(tail.length - trailerBytes)
  const view = viewOf(bytes)
  for (let at = 0; at < magicText.length; at += 1) {
    if (bytes[104 + at] !== magicText.charCodeAt(at)) return fail('it does not end like a segment')
  }
  const version = view.getUint16(102)
  if (version !== segmentFormatVersion)
    return fail(`its format version is ${version}; this program reads ${segmentFormatVersion}`)
  if (view.getUint16(endAt) !== trailerBytes || view.getUint32(crcAt) !== crcOfTrailer(bytes, crc32c)) {
    return fail('its trailer does not match the checksum')
  }
  const numbers = [24, 32, 40].map((at) => readCount64(view, at))
  const [baseOffset, endOffset, recordCount] = numbers
  if (baseOffset === undefined || endOffset === undefined || recordCount === undefined)
    return fail('its trailer holds impossible numbers')
  const trailer: SegmentTrailer = {
    topicId: decodeTopicId(bytes.subarray(0, topicIdBytes)),
    partition: partitionIndex(view.getUint32(16)),
    leaderEpoch: leaderEpoch(view.getUint32(20)),
    baseOffset: offset(baseOffset),
    endOffset: offset(endOffset),
    recordCount,
    batchCount: view.getUint32(48),
    dataBytes: view.getUint32(52),
    minTimestampMs: readTimestamp64(view, 56),
    maxTimestampMs: readTimestamp64(view, 64),
    offsetOfMaxTimestamp: readTimestamp64(view, 72),
    indexEntryCount: view.getUint32(80),
    chunkBytes: view.getUint32(84),
    gapsAllowed: (view.getUint32(88) & gapsFlag) !== 0,
    indexCrc32c: view.getUint32(92),
    trailerCrc32c: view.getUint32(crcAt),
  }
  const fault = faultOf(trailer, sizeBytes)
  return fault === undefined ? succeed(trailer) : fail(fault)
}

function faultOf(trailer: SegmentTrailer, sizeBytes: number): string | undefined {
  const { chunkBytes, dataBytes, batchCount, indexEntryCount } = trailer
  if (!isChunkSize(chunkBytes)) return `its checksum chunks have ${chunkBytes} bytes`
  if (trailer.baseOffset >= trailer.endOffset) return 'it holds no offsets'
  if (batchCount === 0 || dataBytes < batchCount * batchHeaderBytes) return 'its data is too small for its batches'
  if (indexEntryCount === 0 || indexEntryCount > batchCount) return 'its index does not fit its batches'
  if (sectionBytes(trailer) > indexSectionBytesMax) return 'its index is too large'
  if (objectBytes(trailer) !== sizeBytes) return `it should have ${objectBytes(trailer)} bytes and has ${sizeBytes}`
  return undefined
}

export function isChunkSize(bytes: number): boolean {
  return bytes >= checksumChunkBytesMin && bytes <= checksumChunkBytesMax && Number.isInteger(Math.log2(bytes))
}

/** The index and checksum table that belong to `trailer`. Allocates no more than the bytes it was given justify. */
export function decodeIndex(section: Uint8Array, trailer: SegmentTrailer, crc32c: Crc32c): Outcome<SegmentIndex, string> {
  if (section.length !== sectionBytes(trailer)) return fail('its index has the wrong size')
  if (crc32c(section) !== trailer.indexCrc32c) return fail('its index does not match the checksum')
  const view = viewOf(section)
  const { baseOffset, endOffset, dataBytes, chunkBytes } = trailer
  const index = new SegmentIndex(
    { baseOffset, dataBytes, chunkBytes },
    { entryCount: trailer.indexEntryCount, chunkCount: Math.ceil(dataBytes / chunkBytes) },
  )
  let lowestOffset: number = baseOffset
  let lowestPosition = 0
  for (let entry = 0, at = 0; entry < index.entryCount; entry += 1, at += indexEntryBytes) {
    const relative = readCount64(view, at)
    const position = view.getUint32(at + 8)
    const maxTimestampMs = readTimestamp64(view, at + 12)
    const relativeOfMax = readCount64(view, at + 20)
    if (relative === undefined || relativeOfMax === undefined) return fail('its index holds impossible numbers')
    const isFirst = entry === 0
    if (position < lowestPosition || position >= dataBytes || (isFirst && position !== 0))
      return fail('its index is out of order')
    if (baseOffset + relative < lowestOffset || baseOffset + relative >= endOffset) return fail('its index is out of order')
    const offsetOfMaxTimestamp = maxTimestampMs < 0 ? -1 : baseOffset + relativeOfMax
    index.set(entry, { offset: baseOffset + relative, position, maxTimestampMs, offsetOfMaxTimestamp })
    lowestOffset = baseOffset + relative + 1
    lowestPosition = position + batchHeaderBytes
  }
  const crcsAt = index.entryCount * indexEntryBytes
  for (let chunk = 0; chunk < index.chunkCrcs.length; chunk += 1) index.chunkCrcs[chunk] = view.getUint32(crcsAt + chunk * 4)
  return succeed(index)
}

assert(magicText.length === 8 && endAt + 4 + magicText.length === trailerBytes, 'the trailer is as long as its layout says')
assert(segmentSizeBytesMax < 2 ** 32, 'positions are 32 bits')
