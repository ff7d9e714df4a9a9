/**
 * Compaction as clients see it: each codec's batches shrink to the newest record of each key, tombstones go in time, and a broker that
 * died and lost its disk has the same.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { waitUntil } from '../../localstack/index.ts'
import { metric } from '../chaos/support/world.ts'
import { type Broker, startBroker } from '../support/tools/broker.ts'
import { createTopics } from '../chaos/support/requests.ts'
import { askOnce } from '../chaos/support/wire.ts'
import { listOffsetsPartition, listOffsetsRequest, listOffsetsTopic } from '../../src/protocol/generated/list-offsets.ts'
import { describeWithTools } from '../support/tools/tools.ts'
import type { Compression } from './client.ts'
import { confluentKafka } from './clients/python.ts'
import type { SentRecord } from './records.ts'

const settings = [
  ...['--segment-age-ms-max', '1s', '--segment-bytes-max', '1MiB', '--cleaner-backoff-ms', '100'],
  ...['--delete-grace-ms', '1s'],
]
const codecs: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const topicOf = (codec: Compression): string => `compacted-${codec}`
/** Kafka's names of places in a log, of ListOffsets. */
const latest = -1n
const latestTiered = -5n
const keys = 40
const rounds = 25
const slowMs = 180_000

/** Every key is written each round; a quarter of them end with a tombstone. */
const recordsOf = (round: number): SentRecord[] =>
  Array.from({ length: keys }, (_, key) => ({
    partition: 0,
    key: Buffer.from(`key-${key}`),
    value: round === rounds - 1 && key % 4 === 0 ? null : Buffer.from(`${round} of ${key} ${'x'.repeat(200)}`),
    headers: [['round', Buffer.from(String(round))]],
  }))

const end: SentRecord = { partition: 0, key: Buffer.from('end'), value: Buffer.from('end'), headers: [] }

describeWithTools(['python'], 'Compaction:', () => {
  let broker: Broker
  beforeAll(async () => {
    broker = await startBroker({ extra: settings })
    await createTopics(
      broker.kafkaPort,
      codecs.map((codec) => ({
        name: topicOf(codec),
        partitions: 1,
        durability: 'bucket' as const,
        configs: { 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0', 'delete.retention.ms': '100' },
      })),
    )
  }, slowMs)
  afterAll(() => broker.stop(), slowMs)

  const produce = (records: readonly SentRecord[]): Promise<void> =>
    confluentKafka.produce(
      broker.bootstrap,
      codecs.map((compression) => ({ topic: topicOf(compression), compression, idempotent: true, records })),
    )
  const offsetsAt = async (timestamp: bigint): Promise<readonly number[]> => {
    const topics = codecs.map((codec) =>
      listOffsetsTopic({ name: topicOf(codec), partitions: [listOffsetsPartition({ partitionIndex: 0, timestamp })] }),
    )
    const answer = await askOnce(broker.kafkaPort, 'ListOffsets', 9, listOffsetsRequest({ replicaId: -1, topics }))
    return answer.topics.map(({ partitions }) => Number(partitions[0]!.offset) + (timestamp === latestTiered ? 1 : 0))
  }
  /** Everything written so far is in segments, and was looked at. */
  const settled = async (): Promise<void> => {
    const archived = { timeoutMs: 60_000, everyMs: 100, until: 'everything to be in segments' }
    await waitUntil(async () => {
      const ends = await Promise.all([latest, latestTiered].map((timestamp) => offsetsAt(timestamp)))
      return ends[0]!.every((end, at) => ends[1]![at] === end)
    }, archived)
    const quiet = { timeoutMs: 60_000, everyMs: 100, until: 'nothing to be left to compact' }
    await waitUntil(async () => (await metric(broker, 'chronik_compaction_dirty_ratio_max')) === 0, quiet)
  }
  /** Each key once, with the last round's value; the keys whose last word was a tombstone not at all. */
  const expected = new Map(
    [...recordsOf(rounds - 1), end].flatMap(({ key, value }) =>
      value === null ? [] : [[String(key), value.toString()] as const],
    ),
  )
  const judge = async (): Promise<void> => {
    for (const codec of codecs) {
      const seen = await confluentKafka.consume(broker.bootstrap, topicOf(codec), expected.size)
      const found = new Map(seen.map(({ key, value }) => [String(key), String(value)] as const))
      expect(found, codec).toEqual(expected)
      for (const { key, headers } of seen)
        if (String(key) !== 'end')
          expect(headers.map(([name, value]) => `${name} ${value.toString()}`)).toEqual([`round ${rounds - 1}`])
    }
  }
  /**
   * The newest records are read from the disk as they came; without it there is only the bucket, where they are compacted. The last pass may
   * not have reached it, and is made once more.
   */
  const loseTheDisk = async (): Promise<void> => {
    await broker.kill9()
    broker.wipeDisk()
    await broker.restart({ extra: [...settings, '--takeover'] })
    await settled()
  }

  it('keeps the newest record of each key, whatever the codec', { timeout: slowMs }, async () => {
    await produce(Array.from({ length: rounds - 1 }, (_, round) => recordsOf(round)).flat())
    await settled()
    await produce(recordsOf(rounds - 1))
    await settled()
    // Tombstones have a horizon now. Something new makes the next pass due, which finds it passed.
    await produce([end])
    await settled()
    await loseTheDisk()
    await judge()
  })

  it('goes on after the loss', { timeout: slowMs }, async () => {
    await produce([...recordsOf(0).slice(1, 4), ...recordsOf(rounds - 1).slice(1, 4), end])
    await settled()
    await loseTheDisk()
    await judge()
    expect(await metric(broker, 'chronik_compaction_failures_total')).toBe(0)
  })
})
