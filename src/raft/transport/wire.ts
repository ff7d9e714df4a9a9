// Owns the bytes of what nodes say to each other, format version 1: frames on a stream, each behind its length. Not the connection
// (tcp-connection.ts) nor whether a message makes sense (driver/sound-message.ts).
//
//   frame      u32 length of the rest, u8 kind, body
//   hello      kind 1: u32 magic, u8 version, cluster id, u32 from, u32 to, u8 channel (1 messages, 2 support)
//   refusal    kind 2: text. The last frame of a connection that is not wanted.
//   messages   kind 3: u32 count, count × envelope
//   request    kind 4: u64 epoch, f64 sentMs
//   answer     kind 5: u64 epoch, f64 sentMs, u8 isGranted, u64 epochMin, u32 boot
//
//   envelope   u32 group, u8 type, u8 flags, u32 term, then what the flags name:
//              1 reject · 2 isTransfer · 4 log: u64 index, u32 logTerm, u64 rejectHint · 8 commit: u64 · 16 read: u64 number, text ·
//              32 support: u64 epoch · 64 snapshot · 128 entries: u32 count, count × entry
//   entry      u32 term, u8 kind, u32 length, payload; a change of membership as in node-frames.ts. Indexes follow the message's.
//
// Sender and receiver are the connection's two ends: they are not repeated.

import { fail, type Outcome, succeed } from '../../base/outcome.ts'
import type { EntryKind } from '../../model/entry.ts'
import { ByteReader, ByteWriter } from '../../protocol/index.ts'
import { message, type MessageType, type RaftEntry, type RaftMessage, type SupportMessage } from '../core/index.ts'
import { decodeNodeFrame, encodeOwnEntry, readIndex, readSnapshot, writeIndex, writeSnapshot } from '../driver/node-frames.ts'
import type { Envelope } from '../ports.ts'

export const wireVersion = 1
/** "CHRR". */
const magic = 0x43485252

export type Channel = 'messages' | 'support'

export interface Hello {
  readonly version: number
  readonly clusterId: string
  readonly from: number
  readonly to: number
  readonly channel: Channel
}

export type WireFrame =
  | { readonly kind: 'hello'; readonly hello: Hello }
  | { readonly kind: 'refusal'; readonly why: string }
  | { readonly kind: 'messages'; readonly envelopes: readonly Envelope[] }
  | { readonly kind: 'support'; readonly message: SupportMessage }

const kinds = { hello: 1, refusal: 2, messages: 3, request: 4, answer: 5 } as const
const channels: readonly Channel[] = ['messages', 'support']

/** Places are codes: nothing is taken away or moved, only added at the end. */
const types: readonly MessageType[] = [
  'append',
  'append-response',
  'heartbeat',
  'heartbeat-response',
  'vote',
  'vote-response',
  'pre-vote',
  'pre-vote-response',
  'snapshot',
  'timeout-now',
  'transfer-leader',
  'read-index',
  'read-index-response',
  'snapshot-status',
  'forget-leader',
]
const typeCodes: ReadonlyMap<MessageType, number> = new Map(types.map((type, code) => [type, code]))
const entryKinds: readonly EntryKind[] = ['batch', 'control', 'metadata', 'node']

const flag = { reject: 1, transfer: 2, log: 4, commit: 8, read: 16, support: 32, snapshot: 64, entries: 128 } as const

/** A frame's bytes, without copying large payloads. */
function framed(kind: keyof typeof kinds, write: (w: ByteWriter) => void): readonly Uint8Array[] {
  const w = new ByteWriter()
  w.int8(kinds[kind])
  write(w)
  const chunks = w.finish()
  const head = new Uint8Array(4)
  new DataView(head.buffer).setUint32(
    0,
    chunks.reduce((sum, { length }) => sum + length, 0),
  )
  return [head, ...chunks]
}

export function encodeHello({ version, clusterId, from, to, channel }: Hello): readonly Uint8Array[] {
  return framed('hello', (w) => {
    w.uint32(magic)
    w.int8(version)
    w.string(clusterId, true)
    w.uint32(from)
    w.uint32(to)
    w.int8(channels.indexOf(channel) + 1)
  })
}

export const encodeRefusal = (why: string): readonly Uint8Array[] =>
  framed('refusal', (w) => {
    w.string(why, true)
  })

export function encodeSupport(said: SupportMessage): readonly Uint8Array[] {
  return framed(said.kind, (w) => {
    writeIndex(w, said.epoch)
    w.float64(said.sentMs)
    if (said.kind === 'request') return
    w.bool(said.isGranted)
    writeIndex(w, said.epochMin)
    w.uint32(said.boot)
  })
}

export function encodeMessages(envelopes: readonly Envelope[]): readonly Uint8Array[] {
  return framed('messages', (w) => {
    w.uint32(envelopes.length)
    for (const envelope of envelopes) writeEnvelope(w, envelope)
  })
}

function flagsOf({ message: said, supportEpoch }: Envelope): number {
  const { reject, isTransfer, index, logTerm, rejectHint, commit, readNumber, readContext, snapshot, entries } = said
  return (
    (reject ? flag.reject : 0) |
    (isTransfer ? flag.transfer : 0) |
    (index !== 0 || logTerm !== 0 || rejectHint !== 0 ? flag.log : 0) |
    (commit !== 0 ? flag.commit : 0) |
    (readNumber !== 0 || readContext !== '' ? flag.read : 0) |
    (supportEpoch !== 0 ? flag.support : 0) |
    (snapshot !== undefined ? flag.snapshot : 0) |
    (entries.length > 0 ? flag.entries : 0)
  )
}

function writeEnvelope(w: ByteWriter, envelope: Envelope): void {
  const { message: said, group, supportEpoch } = envelope
  const flags = flagsOf(envelope)
  w.uint32(group)
  w.int8(typeCodes.get(said.type) ?? -1)
  w.int8(flags)
  w.uint32(said.term)
  if ((flags & flag.log) !== 0) {
    writeIndex(w, said.index)
    w.uint32(said.logTerm)
    writeIndex(w, said.rejectHint)
  }
  if ((flags & flag.commit) !== 0) writeIndex(w, said.commit)
  if ((flags & flag.read) !== 0) {
    writeIndex(w, said.readNumber)
    w.string(said.readContext, true)
  }
  if ((flags & flag.support) !== 0) writeIndex(w, supportEpoch)
  if (said.snapshot !== undefined) writeSnapshot(w, said.snapshot)
  if ((flags & flag.entries) !== 0) writeEntries(w, said.entries)
}

function writeEntries(w: ByteWriter, entries: readonly RaftEntry[]): void {
  w.uint32(entries.length)
  for (const { term, kind, change, payload } of entries) {
    const bytes = kind === 'node' ? encodeOwnEntry(change) : payload
    w.uint32(term)
    w.int8(entryKinds.indexOf(kind))
    w.uint32(bytes.length)
    w.reference(bytes)
  }
}

/** The frame without its length. `ends`: whose connection it came on. Payloads are views of `bytes`, which must not change. */
export function decodeFrame(bytes: Uint8Array, ends: { readonly from: number; readonly to: number }): Outcome<WireFrame, string> {
  const r = new ByteReader(bytes)
  const frame = readFrame(r, ends)
  if (r.failure !== undefined) return fail(r.failure)
  return r.remaining === 0 ? succeed(frame) : fail(`${r.remaining} bytes are left over`)
}

function readFrame(r: ByteReader, ends: { readonly from: number; readonly to: number }): WireFrame {
  const kind = r.int8()
  switch (kind) {
    case kinds.hello:
      return { kind: 'hello', hello: readHello(r) }
    case kinds.refusal:
      return { kind: 'refusal', why: r.string(true) }
    case kinds.request:
      return { kind: 'support', message: { kind: 'request', epoch: readIndex(r), sentMs: r.float64() } }
    case kinds.answer: {
      const [epoch, sentMs] = [readIndex(r), r.float64()]
      return {
        kind: 'support',
        message: { kind: 'answer', epoch, sentMs, isGranted: r.bool(), epochMin: readIndex(r), boot: r.uint32() },
      }
    }
    default: {
      if (kind !== kinds.messages) r.fail(`a frame of kind ${kind}`)
      const count = r.uint32()
      const envelopes: Envelope[] = []
      while (envelopes.length < count && r.failure === undefined) envelopes.push(readEnvelope(r, ends))
      return { kind: 'messages', envelopes }
    }
  }
}

function readHello(r: ByteReader): Hello {
  if (r.uint32() !== magic) r.fail('no node of this kind')
  const [version, clusterId, from, to] = [r.int8(), r.string(true), r.uint32(), r.uint32()]
  const channel = channels[r.int8() - 1]
  if (channel === undefined) r.fail('a channel that is unknown')
  return { version, clusterId, from, to, channel: channel ?? 'messages' }
}

function readEnvelope(r: ByteReader, { from, to }: { readonly from: number; readonly to: number }): Envelope {
  const group = r.uint32()
  const type = types[r.int8()]
  if (type === undefined) r.fail('a message of no type')
  const flags = r.int8() & 0xff
  const term = r.uint32()
  const has = (bit: number): boolean => (flags & bit) !== 0
  const [index, logTerm, rejectHint] = has(flag.log) ? [readIndex(r), r.uint32(), readIndex(r)] : [0, 0, 0]
  const commit = has(flag.commit) ? readIndex(r) : 0
  const [readNumber, readContext] = has(flag.read) ? [readIndex(r), r.string(true)] : [0, '']
  const supportEpoch = has(flag.support) ? readIndex(r) : 0
  const snapshot = has(flag.snapshot) ? readSnapshot(r) : undefined
  const entries = has(flag.entries) ? readEntries(r, index) : []
  const about: Partial<RaftMessage> = {
    from,
    term,
    index,
    logTerm,
    rejectHint,
    commit,
    readNumber,
    readContext,
    snapshot,
    entries,
  }
  const said = message(type ?? 'append', to, { ...about, reject: has(flag.reject), isTransfer: has(flag.transfer) })
  return { group, message: said, supportEpoch }
}

function readEntries(r: ByteReader, before: number): readonly RaftEntry[] {
  const count = r.uint32()
  const entries: RaftEntry[] = []
  while (entries.length < count && r.failure === undefined) {
    const index = before + entries.length + 1
    const term = r.uint32()
    const kind = entryKinds[r.int8()]
    if (kind === undefined) r.fail('an entry of no kind')
    const payload = r.raw(r.uint32())
    if (kind === 'node') entries.push(ownEntry(r, { term, index, payload }))
    else entries.push({ term, index, kind: kind ?? 'batch', change: undefined, payload })
  }
  return entries
}

function ownEntry(
  r: ByteReader,
  { term, index, payload }: { readonly term: number; readonly index: number; readonly payload: Uint8Array },
): RaftEntry {
  const decoded = decodeNodeFrame(payload, term)
  const isOwn = decoded.ok && (decoded.value.kind === 'first' || decoded.value.kind === 'change')
  if (!isOwn) r.fail('an entry of Raft’s own that is none')
  const change = decoded.ok && decoded.value.kind === 'change' ? decoded.value.change : undefined
  return { term, index, kind: 'node', change, payload: new Uint8Array(0) }
}
