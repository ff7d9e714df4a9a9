/**
 * Owns the batches whose answers are frozen: sound ones that a topic's configs refuse, and hostile ones. What Apache Kafka 4.3.1 said to
 * each is in answers.ts.
 */
import { gzipSync } from 'node:zlib'
import type { BatchCompression } from '../../../src/base/node/compression.ts'
import { goldenLines } from '../../unit/src/protocol/vectors.ts'
import { type RawBatch, rawBatch, type RawRecord, varint } from './build.ts'

export interface ProduceCase {
  readonly name: string
  readonly topic: TopicKind
  /** Of Produce; errors per record came with version 8. */
  readonly version?: number
  readonly records: Uint8Array
}

const hourMs = 3_600_000

/** The configs of the topics the cases are sent to. */
export const topicKinds = {
  plain: {},
  compact: { 'cleanup.policy': 'compact' },
  append: { 'message.timestamp.type': 'LogAppendTime' },
  bounded: { 'message.timestamp.before.max.ms': String(hourMs), 'message.timestamp.after.max.ms': String(hourMs) },
  small: { 'max.message.bytes': '1000' },
  'small gzip': { 'max.message.bytes': '1000', 'compression.type': 'gzip' },
  'small uncompressed': { 'max.message.bytes': '1000', 'compression.type': 'uncompressed' },
  'small segment': { 'segment.bytes': '1048576', 'max.message.bytes': '3000000' },
  uncompressed: { 'compression.type': 'uncompressed' },
  gzip: { 'compression.type': 'gzip' },
  snappy: { 'compression.type': 'snappy' },
  lz4: { 'compression.type': 'lz4' },
  zstd: { 'compression.type': 'zstd' },
  'compact gzip': { 'cleanup.policy': 'compact', 'compression.type': 'gzip' },
  'append zstd': { 'message.timestamp.type': 'LogAppendTime', 'compression.type': 'zstd' },
} as const
export type TopicKind = keyof typeof topicKinds

export const codecs = ['gzip', 'snappy', 'lz4', 'zstd'] as const
export type Codec = (typeof codecs)[number]
const bits = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const

const cut = (bytes: Uint8Array, drop: number): Uint8Array => bytes.subarray(0, bytes.length - drop)

function flipped(bytes: Uint8Array, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] = copy[at]! ^ 0xff
  return copy
}

function frames(): ProduceCase[] {
  const one = (name: string, records: Uint8Array): ProduceCase => ({ name, topic: 'plain', records })
  const whole = rawBatch({})
  const badCrc = flipped(whole, 17)
  return [
    one('records of no bytes', Buffer.alloc(0)),
    one('a batch without its last byte', cut(whole, 1)),
    one('half of a header', whole.subarray(0, 30)),
    one('eight bytes', whole.subarray(0, 8)),
    one('a negative length', rawBatch({ batchLength: -1 })),
    one('a length of 0', rawBatch({ batchLength: 0 })),
    one('a length of 20', rawBatch({ batchLength: 20 })),
    one('a length beyond everything', rawBatch({ batchLength: 0x7fffffff })),
    one('magic 3', rawBatch({ magic: 3 })),
    one('magic -1', rawBatch({ magic: -1 })),
    one('two batches', Buffer.concat([whole, whole])),
    one('five bytes after the batch', Buffer.concat([whole, Buffer.alloc(5)])),
    one('a hundred zeros after the batch', Buffer.concat([whole, Buffer.alloc(100)])),
    one('half a batch after the batch', Buffer.concat([whole, whole.subarray(0, 50)])),
    one('a broken checksum', badCrc),
    one('a base offset of 5', rawBatch({ baseOffset: 5 })),
    one('a negative base offset', rawBatch({ baseOffset: -1 })),
    one('a broken checksum and a base offset of 5', flipped(rawBatch({ baseOffset: 5 }), 17)),
  ]
}

function headers(): ProduceCase[] {
  const one = (name: string, batch: RawBatch, topic: TopicKind = 'plain'): ProduceCase => ({
    name,
    topic,
    records: rawBatch(batch),
  })
  return [
    one('a sound batch', {}),
    one('codec 5', { attributes: 5 }),
    one('codec 7', { attributes: 7 }),
    one('an attribute without a meaning', { attributes: 0x80 }),
    one('a delete horizon', { attributes: 0x40 }),
    one('a control batch', { attributes: 0x20 }),
    one('the time of append from a client', { attributes: 0x08 }),
    one('the time of append from a client, where the broker sets it', { attributes: 0x08 }, 'append'),
    one('a count of 0', { count: 0 }),
    one('a count of 0 and the last offset delta of it', { count: 0, lastOffsetDelta: -1 }),
    one('a negative count', { count: -1 }),
    one('one record more than there are', { count: 4 }),
    one('one record more than there are, in the last offset delta as well', { count: 4, lastOffsetDelta: 3 }),
    one('one record less than there are, in the last offset delta as well', { count: 2, lastOffsetDelta: 1 }),
    one('a last offset delta too small', { lastOffsetDelta: 1 }),
    one('a last offset delta too large', { lastOffsetDelta: 3 }),
    one('a negative last offset delta', { lastOffsetDelta: -5 }),
    one('two thousand million records', { count: 2_000_000_000, lastOffsetDelta: 1_999_999_999 }),
    one('a producer without a sequence', { producerId: 4000, producerEpoch: 0 }),
    one('a greatest time the records do not have', { maxTimestamp: Date.now() + 1000 }),
    one('a greatest time of -1', { maxTimestamp: -1 }),
    one('a greatest time beyond the bounds, that the records do not have', { maxTimestamp: Date.now() + 9 * hourMs }),
  ]
}

const plainRecords: ReadonlyArray<readonly [string, readonly RawRecord[]]> = [
  ['record attributes', [{ attributes: 0x7f }]],
  ['a record attribute that looks like a codec', [{ attributes: 1 }]],
  ['offset deltas that skip', [{}, { offsetDelta: 5 }, {}]],
  ['offset deltas that stand still', [{}, { offsetDelta: 0 }, {}]],
  ['negative offset deltas', [{ offsetDelta: -1 }, {}, {}]],
  ['a record of negative length', [{ length: -1 }]],
  ['a record of no length', [{ length: 0 }]],
  ['a record longer than its batch', [{ length: 1000 }]],
  ['a record longer than it says', [{ length: 8 }]],
  ['a record a byte shorter than it says', [{}, { length: 22 }, {}]],
  ['a key of length -2', [{ keyLength: -2 }]],
  ['a key longer than its record', [{ keyLength: 500 }]],
  ['a key as long as memory', [{ keyLength: 0x7fffffff }]],
  ['a value longer than its record', [{ valueLength: 500 }]],
  ['a negative count of headers', [{ headerCount: -1 }]],
  ['more headers than fit', [{ headerCount: 1000 }]],
  ['a header without a key', [{ headerCount: 1, headers: Buffer.concat([varint(-1), varint(0)]) }]],
  ['a header without a value', [{ headerCount: 1, headers: Buffer.concat([varint(1), Buffer.from('k'), varint(-1)]) }]],
  ['a header longer than its record', [{ headerCount: 1, headers: Buffer.concat([varint(90), Buffer.from('k'), varint(-1)]) }]],
]

function records(pack: (codec: Codec) => (plain: Uint8Array) => Uint8Array): ProduceCase[] {
  return plainRecords.flatMap(([name, list]) => [
    { name, topic: 'plain' as const, records: rawBatch({ records: list }) },
    {
      name: `${name}, in gzip`,
      topic: 'plain' as const,
      records: rawBatch({ records: list, attributes: 1, pack: pack('gzip') }),
    },
    { name: `${name}, on a gzip topic`, topic: 'gzip' as const, records: rawBatch({ records: list }) },
  ])
}

function times(pack: (codec: Codec) => (plain: Uint8Array) => Uint8Array): ProduceCase[] {
  const now = Date.now()
  const cases: ProduceCase[] = []
  const late = { timestampDelta: 2 * hourMs }
  const early = { timestampDelta: -2 * hourMs }
  for (const codec of ['none', 'gzip', 'zstd'] as const) {
    const how = codec === 'none' ? {} : { pack: pack(codec) }
    const one = (name: string, topic: TopicKind, batch: RawBatch): void => {
      cases.push({
        name: codec === 'none' ? name : `${name}, in ${codec}`,
        topic,
        records: rawBatch({ attributes: bits[codec], ...how, ...batch }),
      })
    }
    one('no times', 'bounded', { baseTimestamp: -1 })
    one('a time of -2', 'bounded', { baseTimestamp: -2 })
    one('a time of -2 without bounds below', 'plain', { baseTimestamp: -2 })
    one('a time of -2 where the broker sets it', 'append', { baseTimestamp: -2 })
    one('a record too late', 'bounded', { records: [{}, late, {}] })
    one('records too late and too early', 'bounded', { records: [early, {}, late, {}] })
    one('a record too late by the usual bounds', 'plain', { records: [{}, late, {}] })
    one('a record too late where the broker sets the time', 'append', { records: [{}, late, {}] })
    one('a base too early whose records are in time', 'bounded', { baseTimestamp: now - 2 * hourMs, records: [late, late] })
    one('a record too early that the greatest time does not show', 'bounded', { records: [{}, early] })
    one('a record too late that the header denies', 'bounded', { records: [{}, late], maxTimestamp: now })
  }
  return cases
}

function keys(pack: (codec: Codec) => (plain: Uint8Array) => Uint8Array): ProduceCase[] {
  const list = [{ key: null }, {}, { key: null }, { key: '' }]
  const cases: ProduceCase[] = []
  for (const topic of ['plain', 'compact', 'compact gzip'] as const) {
    cases.push({ name: `records without keys on ${topic}`, topic, records: rawBatch({ records: list }) })
    for (const codec of codecs)
      cases.push({
        name: `records without keys in ${codec} on ${topic}`,
        topic,
        records: rawBatch({ records: list, attributes: bits[codec], pack: pack(codec) }),
      })
  }
  cases.push({
    name: 'a record without a key and one too late on compact',
    topic: 'compact',
    records: rawBatch({ records: [{ key: null }, { timestampDelta: 2 * hourMs }, { key: null, timestampDelta: 2 * hourMs }] }),
  })
  return cases
}

function sizes(pack: (codec: Codec) => (plain: Uint8Array) => Uint8Array): ProduceCase[] {
  const noise = (bytes: number): string =>
    Array.from({ length: bytes }, (_, at) => String.fromCharCode(33 + ((at * 7919) % 90))).join('')
  const zeros = '0'.repeat(5000)
  const gzip = { attributes: 1, pack: pack('gzip') }
  const ofBytes = (bytes: number): Buffer =>
    rawBatch({ records: [{ value: 'x'.repeat(bytes - rawBatch({ records: [{ value: 'x'.repeat(800) }] }).length + 800) }] })
  return [
    { name: 'a batch of just the greatest size', topic: 'small', records: ofBytes(1000) },
    { name: 'a batch a byte too large', topic: 'small', records: ofBytes(1001) },
    { name: 'a large batch that compresses well', topic: 'small gzip', records: rawBatch({ records: [{ value: zeros }] }) },
    {
      name: 'a small batch that unpacks to a large one',
      topic: 'small',
      records: rawBatch({ records: [{ value: zeros }], ...gzip }),
    },
    {
      name: 'a small batch that the topic unpacks to a large one',
      topic: 'small uncompressed',
      records: rawBatch({ records: [{ value: zeros }], ...gzip }),
    },
    {
      name: 'a batch larger than a segment',
      topic: 'small segment',
      records: rawBatch({ records: [{ value: 'x'.repeat(1_500_000) }] }),
    },
    { name: 'a batch that the topic compresses', topic: 'small gzip', records: rawBatch({ records: [{ value: noise(500) }] }) },
  ]
}

function compressed(
  pack: (codec: Codec) => (plain: Uint8Array) => Uint8Array,
  snappyBlock: (plain: Uint8Array) => Uint8Array,
): ProduceCase[] {
  const cases: ProduceCase[] = []
  const topics: readonly TopicKind[] = ['plain', 'uncompressed', 'gzip', 'zstd', 'append zstd']
  for (const topic of topics) {
    for (const codec of codecs) {
      const one = (name: string, batch: RawBatch): void => {
        cases.push({
          name: `${name} in ${codec} on ${topic}`,
          topic,
          records: rawBatch({ attributes: bits[codec], pack: pack(codec), ...batch }),
        })
      }
      one('a sound batch', {})
      one('one record more than there are', { count: 4, lastOffsetDelta: 3 })
      one('one record less than there are', { count: 2, lastOffsetDelta: 1 })
      if (topic !== 'plain' && topic !== 'gzip') continue
      one('nothing', { body: Buffer.alloc(0) })
      one('garbage', { body: Buffer.from('this was never compressed by anything at all') })
      one('the plain records', { pack: (plain) => plain })
      one('a frame cut off', { pack: (plain) => cut(pack(codec)(plain), 12) })
      one('a frame and garbage behind it', { pack: (plain) => Buffer.concat([pack(codec)(plain), Buffer.from('behind')]) })
      one('two frames', {
        count: 6,
        lastOffsetDelta: 5,
        pack: (plain) => Buffer.concat([pack(codec)(plain), pack(codec)(plain)]),
      })
      one('a broken byte', { pack: (plain) => flipped(pack(codec)(plain), 20) })
    }
    cases.push({
      name: `200 MB of zeros in gzip on ${topic}`,
      topic,
      records: rawBatch({ attributes: bits.gzip, pack: () => gzipSync(Buffer.alloc(200_000_000)) }),
    })
    cases.push({ name: `bare snappy on ${topic}`, topic, records: rawBatch({ attributes: bits.snappy, pack: snappyBlock }) })
    cases.push({
      name: `lz4 with a wrong header checksum on ${topic}`,
      topic,
      records: rawBatch({ attributes: bits.lz4, pack: (plain) => lz4WithBadHeader(pack('lz4')(plain)) }),
    })
    cases.push({
      name: `one codec that is another on ${topic}`,
      topic,
      records: rawBatch({ attributes: bits.lz4, pack: pack('gzip') }),
    })
    cases.push({ name: `a sound batch on ${topic}`, topic, records: rawBatch({}) })
  }
  return cases
}

/** The header checksum is the byte before the first block; our frames have neither content size nor dictionary, or the flag says so. */
function lz4WithBadHeader(frame: Uint8Array): Buffer {
  const flags = frame[4]!
  return flipped(frame, 6 + ((flags & 0x08) === 0 ? 0 : 8) + ((flags & 0x01) === 0 ? 0 : 4))
}

function oldFormats(): ProduceCase[] {
  const cases: ProduceCase[] = []
  for (const { name, hex } of goldenLines<{ name: string; hex: string }>('records/records-legacy-magic.jsonl.gz'))
    for (const version of [0, 2, 3, 9])
      cases.push({ name: `${name} in version ${version}`, topic: 'plain', version, records: Buffer.from(hex, 'hex') })
  for (const version of [0, 1, 2])
    cases.push({ name: `a batch of today in version ${version}`, topic: 'plain', version, records: rawBatch({}) })
  return cases
}

export function produceCases(compression: BatchCompression, snappyBlock: (plain: Uint8Array) => Uint8Array): ProduceCase[] {
  const pack = (codec: Codec) => (plain: Uint8Array) => compression.compress(codec, plain)
  return [
    ...frames(),
    ...headers(),
    ...records(pack),
    ...times(pack),
    ...keys(pack),
    ...sizes(pack),
    ...compressed(pack, snappyBlock),
    ...oldFormats(),
    ...[6, 7].map((version) => ({
      name: `zstd in version ${version}`,
      topic: 'plain' as const,
      version,
      records: rawBatch({ attributes: bits.zstd, pack: pack('zstd') }),
    })),
  ]
}
