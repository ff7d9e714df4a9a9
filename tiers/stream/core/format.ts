// Owns the bytes of a streamed WAL object: the entries a node committed since its last one, group by group, and the footer that
// lets a cold start rebuild every group's state without reading the data. Not the upload (streamer.ts).
//
//   header    24 B   magic "CHRKWALO" · version u16 · reserved u16 · life u32 · node u32 · created seconds u32
//   data             per group, ascending: the payloads of its batches back to back, as acknowledged
//   footer           group count uvarint, then per group: number u32 · topic id 16 B · partition u32 · position u64 ·
//                      length u64 · first term u32 · first index u64 · base offset u64 · entry count uvarint ·
//                      entries: kind u8 · index step uvarint · term step uvarint · length uvarint · then
//                        batch:   offset step uvarint · last offset delta uvarint · max timestamp i64 · producer id i64 ·
//                                 [producer epoch i16 · base sequence i32 when the id is ≥ 0] ·
//                                 [coordinator epoch i32 of a marker]; its kind tells plain, transactional, commit and abort apart
//                        control, metadata: the payload itself
//   trailer   32 B   footer position u64 · footer length u32 · CRC32C u32 · writer's term u32 · version u16 · reserved u16 ·
//                    magic "CHRKWALE"; the CRC covers the footer and what stands behind it in the trailer
//
// All numbers big-endian, as on Kafka's wire. A fence is an object of its own kind, magic "CHRKFENC", then JSON.

import { assert } from '../../../src/base/assert.ts'
import type { Crc32c } from '../../../src/base/crc32c.ts'
import type { Outcome } from '../../../src/base/outcome.ts'
import { fail, succeed } from '../../../src/base/outcome.ts'
import type { EntryKind } from '../../../src/model/entry.ts'
import {
  groupNumber,
  type GroupNumber,
  leaderEpoch,
  type LeaderEpoch,
  logIndex,
  type LogIndex,
  offset,
  type Offset,
  topicId,
  type TopicId,
} from '../../../src/model/ids.ts'
import { ByteReader, ByteWriter } from '../../../src/protocol/index.ts'

export const streamFormatVersion = 1
export const headerBytes = 24
export const trailerBytes = 32
const headerMagic = 'CHRKWALO'
const trailerMagic = 'CHRKWALE'
const fenceMagic = 'CHRKFENC'

/** What a batch is to transactions: data outside or inside of one, or the marker that ends one. */
export type BatchRole = 'plain' | 'transactional' | 'commit' | 'abort'

/** What a cold start must know of a batch without reading it. */
export interface BatchDigest {
  readonly baseOffset: Offset
  /** One past the batch's last record. */
  readonly endOffset: Offset
  readonly maxTimestampMs: number
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly role: BatchRole
  /** Of the transaction coordinator that ended it; −1 but for markers. */
  readonly coordinatorEpoch: number
}

export interface StreamedEntry {
  readonly index: LogIndex
  readonly term: LeaderEpoch
  readonly kind: Exclude<EntryKind, 'node'>
  /** Of the payload. */
  readonly length: number
  /** Of a batch. */
  readonly digest?: BatchDigest
  /** Of a control or metadata entry, which stands in the footer. */
  readonly payload?: Uint8Array
}

/** One group's share of an object: a run of whole batches at [position, position + length), and its entries. */
export interface StreamedGroup {
  readonly group: GroupNumber
  readonly topicId: TopicId
  readonly partition: number
  readonly position: number
  readonly length: number
  readonly entries: readonly StreamedEntry[]
}

export interface StreamFooter {
  /** The term under which the writer ran. */
  readonly term: LeaderEpoch
  readonly groups: readonly StreamedGroup[]
}

/** What the streamer collected for one group, in index order. */
export interface GroupToStream {
  readonly group: GroupNumber
  readonly topicId: TopicId
  readonly partition: number
  readonly entries: ReadonlyArray<StreamedEntry & { readonly bytes: Uint8Array }>
}

export interface ObjectOrigin {
  readonly life: number
  readonly node: number
  readonly term: LeaderEpoch
  readonly createdMs: number
}

/** The metadata group has no topic. */
export const noTopic: TopicId = topicId('AAAAAAAAAAAAAAAAAAAAAA')

const kindCodes = { control: 2, metadata: 3 } as const
const batchCodes: Readonly<Record<BatchRole, number>> = { plain: 1, transactional: 4, commit: 5, abort: 6 }
const roleOfCode: ReadonlyMap<number, BatchRole> = new Map(
  (Object.keys(batchCodes) as BatchRole[]).map((role) => [batchCodes[role], role]),
)
const isMarker = (role: BatchRole): boolean => role === 'commit' || role === 'abort'

function text(w: ByteWriter, value: string): void {
  for (let at = 0; at < value.length; at += 1) w.int8(value.charCodeAt(at))
}

function long(w: ByteWriter, value: number): void {
  w.int64(BigInt(value))
}

function writeEntry(
  w: ByteWriter,
  entry: GroupToStream['entries'][number],
  before: { index: number; term: number; offset: number },
): void {
  w.int8(entry.kind === 'batch' ? batchCodes[entry.digest?.role ?? 'plain'] : kindCodes[entry.kind])
  w.uvarint(entry.index - before.index)
  w.uvarint(entry.term - before.term)
  w.uvarint(entry.length)
  before.index = entry.index
  before.term = entry.term
  if (entry.kind !== 'batch') {
    w.raw(entry.bytes)
    return
  }
  const digest = entry.digest
  assert(digest !== undefined, 'a streamed batch has a digest')
  w.uvarint(digest.baseOffset - before.offset)
  w.uvarint(digest.endOffset - 1 - digest.baseOffset)
  long(w, digest.maxTimestampMs)
  long(w, digest.producerId)
  if (digest.producerId >= 0) {
    w.int16(digest.producerEpoch)
    w.int32(digest.baseSequence)
  }
  if (isMarker(digest.role)) w.int32(digest.coordinatorEpoch)
  before.offset = digest.endOffset
}

function writeGroup(w: ByteWriter, share: GroupToStream, place: { readonly position: number; readonly length: number }): void {
  const first = share.entries[0]
  assert(first !== undefined, 'a streamed group has entries')
  const base = share.entries.find((entry) => entry.digest !== undefined)?.digest?.baseOffset ?? 0
  w.uint32(share.group)
  w.uuid(share.topicId)
  w.uint32(share.partition)
  long(w, place.position)
  long(w, place.length)
  w.uint32(first.term)
  long(w, first.index)
  long(w, base)
  w.uvarint(share.entries.length)
  const before = { index: first.index as number, term: first.term as number, offset: base as number }
  for (const entry of share.entries) writeEntry(w, entry, before)
}

/** The body of an object, and where each group's run lies. Payloads are passed by reference. */
export function encodeStreamObject(
  shares: readonly GroupToStream[],
  origin: ObjectOrigin,
  crc32c: Crc32c,
): {
  readonly body: readonly Uint8Array[]
  readonly places: ReadonlyArray<{ readonly position: number; readonly length: number }>
} {
  const header = new ByteWriter()
  text(header, headerMagic)
  header.uint16(streamFormatVersion)
  header.uint16(0)
  header.uint32(origin.life)
  header.uint32(origin.node)
  header.uint32(Math.floor(origin.createdMs / 1000))
  const body: Uint8Array[] = [header.concat()]
  const footer = new ByteWriter()
  footer.uvarint(shares.length)
  const places: Array<{ position: number; length: number }> = []
  let position = headerBytes
  for (const share of shares) {
    let length = 0
    for (const entry of share.entries) {
      if (entry.kind !== 'batch') continue
      body.push(entry.bytes)
      length += entry.bytes.length
    }
    places.push({ position, length })
    writeGroup(footer, share, { position, length })
    position += length
  }
  const footerBytes = footer.concat()
  const trailer = new ByteWriter()
  long(trailer, position)
  trailer.uint32(footerBytes.length)
  const rest = new ByteWriter()
  rest.uint32(origin.term)
  rest.uint16(streamFormatVersion)
  rest.uint16(0)
  text(rest, trailerMagic)
  const restBytes = rest.concat()
  trailer.uint32(crc32c(restBytes, crc32c(footerBytes)))
  body.push(footerBytes, trailer.concat(), restBytes)
  return { body, places }
}

export interface StreamHeader {
  readonly life: number
  readonly node: number
  /** Whole seconds, by the writer's clock. */
  readonly createdMs: number
}

/** Reads the first bytes of an object. Nothing a reader needs: for who looks at the object or proves it whole. */
export function decodeStreamHeader(head: Uint8Array): Outcome<StreamHeader, string> {
  if (head.length < headerBytes || !hasMagic(head, 0, headerMagic)) return fail('it does not begin like a WAL object')
  const r = new ByteReader(head, headerMagic.length)
  const version = r.uint16()
  if (version !== streamFormatVersion) return fail(`format version ${version}, this build reads ${streamFormatVersion}`)
  r.uint16()
  return succeed({ life: r.uint32(), node: r.uint32(), createdMs: r.uint32() * 1000 })
}

export interface StreamTrailer {
  readonly footerPosition: number
  readonly footerLength: number
  /** Over the footer, then `rest`. */
  readonly crc: number
  readonly rest: Uint8Array
  readonly term: LeaderEpoch
}

function hasMagic(bytes: Uint8Array, at: number, magic: string): boolean {
  if (at < 0 || bytes.length < at + magic.length) return false
  for (let step = 0; step < magic.length; step += 1) if (bytes[at + step] !== magic.charCodeAt(step)) return false
  return true
}

/** Reads the trailer from the end of an object. */
export function decodeStreamTrailer(tail: Uint8Array, objectBytes: number): Outcome<StreamTrailer, string> {
  if (tail.length < trailerBytes || !hasMagic(tail, tail.length - 8, trailerMagic))
    return fail('no trailer of a WAL object at the end')
  const r = new ByteReader(tail, tail.length - trailerBytes)
  const footerPosition = Number(r.int64())
  const footerLength = r.uint32()
  const crc = r.uint32()
  const rest = tail.subarray(r.position)
  const term = leaderEpoch(r.uint32())
  const version = r.uint16()
  if (version !== streamFormatVersion) return fail(`format version ${version}, this build reads ${streamFormatVersion}`)
  if (footerPosition < headerBytes || footerPosition + footerLength + trailerBytes !== objectBytes)
    return fail('the trailer points outside the object')
  return succeed({ footerPosition, footerLength, crc, rest, term })
}

function readDigest(r: ByteReader, role: BatchRole, before: { offset: number }): BatchDigest {
  const baseOffset = before.offset + r.uvarint()
  const endOffset = baseOffset + r.uvarint() + 1
  const maxTimestampMs = Number(r.int64())
  const producerId = Number(r.int64())
  before.offset = endOffset
  const has = producerId >= 0
  return {
    baseOffset: offset(baseOffset),
    endOffset: offset(endOffset),
    maxTimestampMs,
    producerId,
    producerEpoch: has ? r.int16() : -1,
    baseSequence: has ? r.int32() : -1,
    role,
    coordinatorEpoch: isMarker(role) ? r.int32() : -1,
  }
}

function readEntry(r: ByteReader, before: { index: number; term: number; offset: number }): StreamedEntry | undefined {
  const code = r.int8()
  before.index += r.uvarint()
  before.term += r.uvarint()
  const length = r.uvarint()
  const index = logIndex(before.index)
  const term = leaderEpoch(before.term)
  const role = roleOfCode.get(code)
  if (role !== undefined) return { index, term, kind: 'batch', length, digest: readDigest(r, role, before) }
  if (code === kindCodes.control) return { index, term, kind: 'control', length, payload: r.raw(length) }
  if (code === kindCodes.metadata) return { index, term, kind: 'metadata', length, payload: r.raw(length) }
  r.fail(`unknown entry kind ${code}`)
  return undefined
}

function readGroup(r: ByteReader): StreamedGroup {
  const group = groupNumber(r.uint32())
  const topic = topicId(r.uuid())
  const partition = r.uint32()
  const position = Number(r.int64())
  const length = Number(r.int64())
  const before = { term: r.uint32(), index: Number(r.int64()), offset: Number(r.int64()) }
  const count = r.uvarint()
  const entries: StreamedEntry[] = []
  for (let left = count; left > 0 && r.failure === undefined; left -= 1) {
    const entry = readEntry(r, before)
    if (entry !== undefined) entries.push(entry)
  }
  return { group, topicId: topic, partition, position, length, entries }
}

export function decodeStreamFooter(footer: Uint8Array, trailer: StreamTrailer, crc32c: Crc32c): Outcome<StreamFooter, string> {
  if (footer.length !== trailer.footerLength) return fail('the footer is not whole')
  if (crc32c(trailer.rest, crc32c(footer)) !== trailer.crc) return fail('the footer does not match its checksum')
  const r = new ByteReader(footer)
  const groups: StreamedGroup[] = []
  for (let left = r.uvarint(); left > 0 && r.failure === undefined; left -= 1) groups.push(readGroup(r))
  if (r.failure !== undefined) return fail(r.failure)
  return succeed({ term: trailer.term, groups })
}

/** A fence says who ended the writer whose next object would have stood here. */
export interface Fence {
  readonly byLife: number
  readonly by: string
  readonly atMs: number
}

export function encodeFence(fence: Fence): Uint8Array {
  const w = new ByteWriter()
  text(w, fenceMagic)
  w.string(JSON.stringify(fence), false)
  return w.concat()
}

/** Undefined for anything but a whole fence. */
export function decodeFence(bytes: Uint8Array): Fence | undefined {
  if (!hasMagic(bytes, 0, fenceMagic)) return undefined
  const r = new ByteReader(bytes, fenceMagic.length)
  const json = r.string(false)
  if (r.failure !== undefined) return undefined
  try {
    const { byLife, by, atMs } = (JSON.parse(json) ?? {}) as Partial<Fence>
    if (typeof byLife !== 'number' || typeof by !== 'string' || typeof atMs !== 'number') return undefined
    return { byLife, by, atMs }
  } catch {
    // Not JSON: a damaged fence, which the reader names as an object without a trailer.
    return undefined
  }
}
