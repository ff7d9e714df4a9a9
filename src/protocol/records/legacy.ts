// Owns reading message sets of magic 0 and 1, as old logs and old clients have them. Nothing writes them any more. Does not
// own batches of magic 2 (records.ts).
//
//   message: offset int64 | size int32 | crc uint32 | magic int8 | attributes int8 | magic 1: timestamp int64
//            | key length int32, key | value length int32, value
//
// A compressed message holds a message set in its value. Magic 1 counts the offsets inside from 0 and the wrapper has the
// offset of the last; magic 0 has absolute offsets inside.

import { ByteReader } from '../codec/reader.ts'
import { safeInt64At } from '../codec/int64.ts'
import { compressionCodecs } from './batch-header.ts'
import type { Decompress, LogRecord, Malformed } from './records.ts'

interface Message {
  readonly offset: number
  readonly magic: number
  readonly attributes: number
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
}

type Messages = { readonly kind: 'ok'; readonly messages: readonly Message[] } | Malformed

const malformed = (detail: string): Malformed => ({ kind: 'malformed', detail })
/** Offset and size. */
const overhead = 12

function readMessages(bytes: Uint8Array): Messages {
  const messages: Message[] = []
  for (let at = 0; at < bytes.length;) {
    if (bytes.length - at < overhead) return malformed('message cut off')
    const sized = new ByteReader(bytes, at + 8)
    const end = at + overhead + sized.int32()
    if (end > bytes.length || end <= at + overhead) return malformed('message of an impossible size')
    const r = new ByteReader(bytes, at + overhead + 4, end)
    const magic = r.int8()
    const attributes = r.int8()
    const timestamp = magic === 1 && r.remaining >= 8 ? safeInt64At(bytes, r.position) : -1
    if (magic === 1) r.int64()
    const key = r.nullableBytesField(false)
    const value = r.nullableBytesField(false)
    const offset = safeInt64At(bytes, at)
    if (r.failure !== undefined) return malformed(r.failure)
    if (magic > 1 || magic < 0 || Number.isNaN(offset + timestamp)) return malformed('not a message of magic 0 or 1')
    messages.push({ offset, magic, attributes, timestamp, key, value })
    at = end
  }
  return { kind: 'ok', messages }
}

/** All records of a message set, compressed ones unpacked. Does not check checksums. */
export function decodeLegacyRecords(
  bytes: Uint8Array,
  decompress: Decompress,
): { readonly kind: 'ok'; readonly records: readonly LogRecord[] } | Malformed {
  const outer = readMessages(bytes)
  if (outer.kind === 'malformed') return outer
  const records: LogRecord[] = []
  for (const message of outer.messages) {
    const codec = compressionCodecs[message.attributes & 0x07]
    if (codec === undefined) return malformed('unknown compression')
    if (codec === 'none') {
      records.push(recordOf(message))
      continue
    }
    const plain = decompress(codec, message.value ?? new Uint8Array(0))
    if ('failure' in plain) return malformed(plain.failure)
    const inner = readMessages(plain)
    if (inner.kind === 'malformed') return inner
    const last = inner.messages.at(-1)
    if (last === undefined) return malformed('compressed message without messages inside')
    const shift = message.magic === 1 ? message.offset - last.offset : 0
    const isLogAppendTime = (message.attributes & 0x08) !== 0
    for (const one of inner.messages) {
      if ((one.attributes & 0x07) !== 0) return malformed('compressed message inside a compressed message')
      records.push({
        ...recordOf(one),
        offset: one.offset + shift,
        timestamp: isLogAppendTime ? message.timestamp : one.timestamp,
      })
    }
  }
  return { kind: 'ok', records }
}

function recordOf(message: Message): LogRecord {
  const { offset, timestamp, key, value } = message
  return { offset, timestamp, key, value, headers: [] }
}
