// Owns how one entry of a log is shown: a batch by its header (and records, if asked for), a control entry or command by its meaning.
// Not where it was found (the other files here).

import { isoTime } from '../../base/iso-time.ts'
import { crc32c } from '../../base/node/native-crc32c.ts'
import { decodeCommand, decodeControl } from '../../broker/core/index.ts'
import type { EntryKind } from '../../model/entry.ts'
import {
  baseOffsetOf,
  baseSequenceOf,
  baseTimestampOf,
  batchEnd,
  compressionOf,
  computeCrc,
  crcOf,
  decodeRecords,
  type Decompress,
  isControlBatch,
  isTransactional,
  lastOffsetOf,
  leaderEpochOf,
  type LogRecord,
  magicOf,
  maxTimestampOf,
  producerEpochOf,
  producerIdOf,
  recordCountOf,
  timestampTypeOf,
} from '../../protocol/index.ts'
import type { Line } from '../ports.ts'

/** Shown of a key or value; its length is told as well. */
const shownBytesMax = 80
const timeMax = 8.64e15

/** How the bytes of records are opened; undefined when nobody asked for records. */
export type Opener = Decompress | undefined

/** What was wrong on the way: shown where it was found, and counted for the exit code. */
export class Wrongs {
  count = 0
  first = ''

  note(what: string): string {
    this.count += 1
    if (this.count === 1) this.first = what
    return what
  }
}

export interface EntryShown {
  readonly kind: EntryKind
  /** Which entry, and where it stands. */
  readonly text: string
  readonly json: object
  readonly payload: Uint8Array
}

export const time = (atMs: number): string => (atMs >= 0 && atMs <= timeMax ? isoTime(atMs) : String(atMs))

function bytesShown(bytes: Uint8Array | null): { readonly text: string; readonly json: string | null } {
  if (bytes === null) return { text: 'null', json: null }
  const shown = bytes.subarray(0, shownBytesMax)
  const utf8 = Buffer.from(shown).toString('utf8')
  const isText = !/[\u0000-\u0008\u000e-\u001f\ufffd]/.test(utf8)
  const json = isText ? utf8 : `0x${Buffer.from(shown).toString('hex')}`
  const rest = bytes.length > shown.length ? `… (${bytes.length} bytes)` : ''
  return { text: `${isText ? JSON.stringify(utf8) : json}${rest}`, json: `${json}${bytes.length > shown.length ? '…' : ''}` }
}

function recordLine(record: LogRecord): Line {
  const key = bytesShown(record.key)
  const value = bytesShown(record.value)
  const headers = record.headers.map((header) => [header.key, bytesShown(header.value)] as const)
  const shown =
    headers.length === 0 ? '' : `  headers ${headers.map(([name, { text }]) => `${JSON.stringify(name)}=${text}`).join(' ')}`
  return {
    text: `      record ${record.offset}  ${time(record.timestamp)}  key ${key.text}  value ${value.text}${shown}`,
    json: {
      kind: 'record',
      offset: record.offset,
      timestampMs: record.timestamp,
      key: key.json,
      keyBytes: record.key?.length ?? -1,
      value: value.json,
      valueBytes: record.value?.length ?? -1,
      headers: headers.map(([name, { json }]) => ({ key: name, value: json })),
    },
  }
}

function batchFacts(batch: Uint8Array): { readonly text: string; readonly json: Record<string, unknown> } {
  const producerId = producerIdOf(batch)
  const json = {
    baseOffset: baseOffsetOf(batch),
    endOffset: lastOffsetOf(batch) + 1,
    records: recordCountOf(batch),
    sizeBytes: batch.length,
    leaderEpoch: leaderEpochOf(batch),
    compression: compressionOf(batch) ?? 'unknown',
    timestampType: timestampTypeOf(batch),
    baseTimestampMs: baseTimestampOf(batch),
    maxTimestampMs: maxTimestampOf(batch),
    producerId,
    producerEpoch: producerEpochOf(batch),
    baseSequence: baseSequenceOf(batch),
    isTransactional: isTransactional(batch),
    isControl: isControlBatch(batch),
    crc32c: crcOf(batch),
  }
  const producer = producerId < 0 ? '' : `, producer ${producerId}/${json.producerEpoch} sequence ${json.baseSequence}`
  const marks = `${json.isTransactional ? ', transactional' : ''}${json.isControl ? ', control' : ''}`
  const text =
    `offsets ${json.baseOffset} to ${json.endOffset}, ${json.records} records, ${json.sizeBytes} bytes, ${json.compression}, ` +
    `epoch ${json.leaderEpoch}, up to ${time(json.maxTimestampMs)}${producer}${marks}`
  return { text, json }
}

function* batchLines(shown: EntryShown, open: Opener, wrongs: Wrongs): Generator<Line> {
  const { payload: batch } = shown
  if (batchEnd(batch, 0) !== batch.length || magicOf(batch) !== 2) {
    yield { text: `${shown.text} ${wrongs.note('NOT A WHOLE BATCH')}`, json: { ...shown.json, isSound: false } }
    return
  }
  const { text, json } = batchFacts(batch)
  const isSound = computeCrc(batch, 0, crc32c) === crcOf(batch)
  const verdict = isSound ? '' : `, ${wrongs.note('CHECKSUM DOES NOT MATCH')}`
  yield { text: `${shown.text} ${text}${verdict}`, json: { ...shown.json, ...json, isSound } }
  if (open === undefined) return
  const decoded = decodeRecords(batch, 0, open)
  if (decoded.kind === 'ok') yield* decoded.records.map(recordLine)
  else {
    const detail = wrongs.note(`RECORDS CANNOT BE READ: ${decoded.detail}`)
    yield { text: `      ${detail}`, json: { kind: 'malformed', detail: decoded.detail } }
  }
}

function meaning(kind: EntryKind, payload: Uint8Array): { readonly ok: boolean; readonly text: string; readonly json: unknown } {
  if (kind === 'node') return { ok: true, text: `${payload.length} bytes`, json: payload.length }
  const decoded = kind === 'control' ? decodeControl(payload) : decodeCommand(payload)
  if (!decoded.ok) return { ok: false, text: `UNREADABLE: ${decoded.failure}`, json: null }
  const { value } = decoded
  if (value.kind === 'segment-published') {
    const { key, baseOffset, endOffset, sizeBytes } = value.segment
    return { ok: true, text: `segment-published ${key}, offsets ${baseOffset} to ${endOffset}, ${sizeBytes} bytes`, json: value }
  }
  if (value.kind === 'alter-scram-credentials') {
    // Keys are secrets: whoever has them passes for the server, or tries passwords against them.
    const changes = value.changes.map(({ user, mechanism, credential }) => ({ user, mechanism, set: credential !== null }))
    return { ok: true, text: JSON.stringify({ kind: value.kind, changes }), json: { kind: value.kind, changes } }
  }
  return { ok: true, text: JSON.stringify(value), json: value }
}

/** One line for the entry, and more for its records. */
export function* entryLines(shown: EntryShown, open: Opener, wrongs: Wrongs): Generator<Line> {
  if (shown.kind === 'batch') {
    yield* batchLines(shown, open, wrongs)
    return
  }
  const { ok, text, json } = meaning(shown.kind, shown.payload)
  if (!ok) wrongs.note(text)
  yield { text: `${shown.text} ${text}`, json: { ...shown.json, value: json, isSound: ok } }
}
