/**
 * Owns the topic set of the drill: which topics, with which partitions, compressions, configs and clients, and the records of each,
 * the same for the same seed. Does not send them.
 */
import { createHash } from 'node:crypto'
import type { TableName, Tables } from './tables.ts'

export type Codec = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
export type ClientName = 'confluent-kafka' | '@platformatic/kafka' | 'kafkajs'

export interface TopicOrder {
  readonly name: string
  readonly partitions: number
  readonly configs: Readonly<Record<string, string>>
}

/** What one client sends to one topic. Two clients may share a topic. */
export interface LoadOrder {
  readonly topic: string
  readonly partitions: number
  readonly table: TableName
  readonly codec: Codec
  readonly client: ClientName
  /** Thousandths of all records. */
  readonly share: number
  readonly traits: ReadonlySet<Trait>
}

type Trait = 'keyless' | 'own-times' | 'tombstones' | 'idempotent' | 'append-time'

export interface DrillRecord {
  readonly partition: number
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [string, Buffer])[]
}

const mib = 1024 * 1024
const [confluent, platformatic, kafkajs] = ['confluent-kafka', '@platformatic/kafka', 'kafkajs'] as const
const bucket = { 'chronik.durability': 'bucket' }
const segment = (mebibytes: number): Record<string, string> => ({ 'segment.bytes': String(mebibytes * mib) })
const forever = { 'retention.ms': '-1' }

interface Line {
  readonly name: string
  readonly partitions: number
  readonly configs?: Readonly<Record<string, string>>
  readonly loads: ReadonlyArray<readonly [TableName, Codec, ClientName, share: number, ...traits: Trait[]]>
}

/** kafkajs has no lz4, snappy and zstd of its own, @platformatic/kafka no zstd on Node 20; confluent-kafka has them all. */
const lines: readonly Line[] = [
  { name: 'packages.none', partitions: 1, configs: segment(16), loads: [['packages', 'none', confluent, 130, 'idempotent']] },
  {
    name: 'packages.none.bucket',
    partitions: 8,
    configs: { ...bucket, ...segment(4) },
    loads: [['packages', 'none', platformatic, 90]],
  },
  {
    name: 'packages.none.retained',
    partitions: 3,
    configs: { ...segment(2), 'retention.bytes': String(8 * mib) },
    loads: [['packages', 'none', kafkajs, 60, 'tombstones']],
  },
  { name: 'packages.gzip', partitions: 6, configs: segment(2), loads: [['packages', 'gzip', confluent, 70, 'idempotent']] },
  {
    name: 'packages.snappy.bucket',
    partitions: 4,
    configs: { ...bucket, ...segment(8) },
    loads: [['packages', 'snappy', confluent, 70, 'idempotent']],
  },
  {
    name: 'packages.lz4',
    partitions: 5,
    configs: { 'retention.ms': '2592000000' },
    loads: [['packages', 'lz4', platformatic, 70]],
  },
  { name: 'packages.zstd', partitions: 12, configs: segment(1), loads: [['packages', 'zstd', confluent, 70, 'tombstones']] },
  { name: 'flights.none', partitions: 16, loads: [['flights', 'none', confluent, 60, 'keyless']] },
  {
    name: 'flights.lz4',
    partitions: 2,
    configs: segment(1),
    loads: [['flights', 'lz4', confluent, 50, 'keyless', 'idempotent']],
  },
  { name: 'flights.snappy', partitions: 3, loads: [['flights', 'snappy', platformatic, 50, 'keyless']] },
  { name: 'flights.gzip', partitions: 1, loads: [['flights', 'gzip', kafkajs, 40, 'keyless']] },
  { name: 'zipcodes.none', partitions: 4, configs: { 'segment.ms': '3600000' }, loads: [['zipcodes', 'none', kafkajs, 25]] },
  {
    name: 'movies.zstd.append-time',
    partitions: 2,
    configs: { 'message.timestamp.type': 'LogAppendTime' },
    loads: [['movies', 'zstd', confluent, 20, 'append-time']],
  },
  { name: 'birdstrikes.gzip', partitions: 3, loads: [['birdstrikes', 'gzip', platformatic, 25]] },
  { name: 'earthquakes.none', partitions: 5, configs: forever, loads: [['earthquakes', 'none', platformatic, 20, 'own-times']] },
  { name: 'football.snappy', partitions: 2, loads: [['football', 'snappy', confluent, 20]] },
  { name: 'species.lz4.bucket', partitions: 1, configs: bucket, loads: [['species', 'lz4', confluent, 20, 'idempotent']] },
  { name: 'jobs.zstd', partitions: 3, configs: { 'max.message.bytes': '2000000' }, loads: [['jobs', 'zstd', confluent, 20]] },
  {
    name: 'stocks.none.compacted',
    partitions: 1,
    configs: { 'cleanup.policy': 'compact', ...forever },
    loads: [['stocks', 'none', kafkajs, 15, 'own-times']],
  },
  { name: 'airports.gzip', partitions: 2, loads: [['airports', 'gzip', kafkajs, 15]] },
  {
    name: 'weather.lz4.append-time',
    partitions: 3,
    configs: { 'message.timestamp.type': 'LogAppendTime' },
    loads: [['weather', 'lz4', platformatic, 15, 'append-time']],
  },
  { name: 'terrain.zstd', partitions: 6, configs: { 'retention.ms': '86400000' }, loads: [['terrain', 'zstd', confluent, 15]] },
  {
    name: 'football.mixed',
    partitions: 4,
    loads: [
      ['football', 'none', confluent, 10],
      ['football', 'gzip', platformatic, 10],
      ['football', 'none', kafkajs, 10],
    ],
  },
  { name: 'nothing', partitions: 3, configs: { 'retention.bytes': '1000000' }, loads: [] },
]

export const topicOrders: readonly TopicOrder[] = lines.map(({ name, partitions, configs = {} }) => ({
  name,
  partitions,
  configs,
}))

export const loadOrders: readonly LoadOrder[] = lines.flatMap(({ name, partitions, loads }) =>
  loads.map(([table, codec, client, share, ...traits]) => ({
    topic: name,
    partitions,
    table,
    codec,
    client,
    share,
    traits: new Set(traits),
  })),
)

/** Topics that retention shortens while the drill runs: a group that reads them from the beginning may come too late. */
export const shortenedTopics: ReadonlySet<string> = new Set(['packages.none.retained'])
/** What only the broker knows the time of. */
export const appendTimeTopics: ReadonlySet<string> = new Set(
  loadOrders.filter(({ traits }) => traits.has('append-time')).map(({ topic }) => topic),
)

export const recordCountOf = (order: LoadOrder, total: number): number => Math.max(1, Math.ceil((total * order.share) / 1000))

export interface RecordsOrder {
  readonly tables: Tables
  readonly seed: number
  readonly total: number
  /** Times of records that have none of their own count up from here. */
  readonly sinceMs: number
}

/** Every 500th record of a topic with tombstones is one. */
const tombstoneEvery = 500

/** The records of one load, in the order they are sent. Starts somewhere in the table, by the seed, and goes round. */
export function* recordsOf(order: LoadOrder, { tables, seed, total, sinceMs }: RecordsOrder): Generator<DrillRecord> {
  const { rows } = tables.table(order.table)
  const start = createHash('sha256').update(`${seed} ${order.topic} ${order.client}`).digest().readUInt32BE(0)
  const count = recordCountOf(order, total)
  for (let index = 0; index < count; index += 1) {
    const number = start + index
    const row = rows[number % rows.length]
    if (row === undefined) throw new Error(`the table ${order.table} is empty`)
    const isTombstone = order.traits.has('tombstones') && index % tombstoneEvery === 1
    yield {
      // Runs of a few records each: clients batch by partition.
      partition: Math.floor(number / 7) % order.partitions,
      timestampMs: order.traits.has('own-times') ? (row.timeMs ?? sinceMs) : sinceMs + index,
      key: order.traits.has('keyless') ? null : row.key,
      value: isTombstone ? null : row.value,
      headers: headersOf(order, number),
    }
  }
}

const noBytes = Buffer.alloc(0)
const sourceNames = new Map<string, Buffer>()

/** None, one, two, or three headers with an empty one among them. */
function headersOf({ table }: LoadOrder, number: number): DrillRecord['headers'] {
  const source = sourceNames.get(table) ?? Buffer.from(table)
  sourceNames.set(table, source)
  const all = [
    ['source', source],
    ['row', Buffer.from(String(number))],
    ['empty', noBytes],
  ] as const
  return all.slice(0, number % 4)
}
