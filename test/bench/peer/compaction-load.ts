/** Owns the load of compaction: how fast a broker cleans a log of keys written again and again, and what it leaves. */
import { Kafka, logLevel } from 'kafkajs'
import { waitUntil } from '../../../localstack/index.ts'
import {
  alterableConfig,
  alterConfigsResource,
  incrementalAlterConfigsRequest,
} from '../../../src/protocol/generated/incremental-alter-configs.ts'
import { describableLogDirTopic, describeLogDirsRequest } from '../../../src/protocol/generated/describe-log-dirs.ts'
import { listOffsetsPartition, listOffsetsRequest, listOffsetsTopic } from '../../../src/protocol/generated/list-offsets.ts'
import { askOnce } from '../../chaos/support/wire.ts'
import type { Contestant } from './contestant.ts'
import type { Load, Scale } from './loads.ts'

const recordBytes = 256
/** Each key is written ten times. */
const writesPerKey = 10
const batchRecords = 500
/** A log that has not changed for so long has been cleaned: both look for work ten times a second. */
const quietMs = 3_000
const forbidden = '9000000000000000'
const topicResource = 2
/** Kafka's name for the last offset in remote storage. */
const latestTiered = -5n

export const compactionLoad = ({ compactionBytes }: Scale): Load => ({
  name: `compaction of ${recordBytes} B, ${writesPerKey} writes a key`,
  bench: 'compaction',
  peer: 'kafka',
  run: async (contestant, topic) => {
    const port = Number(contestant.bootstrap.split(':')[1])
    const end = await fill(contestant, topic, Math.floor(compactionBytes / recordBytes))
    if (contestant.kind === 'chronik') await untilTiered(port, topic, end)
    const before = await sizeOf(port, topic)
    const startedMs = performance.now()
    await allowCompaction(port, topic)
    const { bytes, atMs } = await untilQuiet(port, topic, before)
    const seconds = (atMs - startedMs) / 1_000
    const figures = {
      cleanedMibPerSecond: before / 2 ** 20 / seconds,
      seconds,
      leftMib: bytes / 2 ** 20,
      beforeMib: before / 2 ** 20,
    }
    return { figures, payloadBytes: before }
  },
})

/** Every key in every round, in segments small enough that one is left out only of many. Answers the log's end. */
async function fill({ bootstrap }: Contestant, topic: string, records: number): Promise<number> {
  const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await Promise.all([admin.connect(), producer.connect()])
  try {
    const configEntries = Object.entries({
      'cleanup.policy': 'compact',
      'min.compaction.lag.ms': forbidden,
      'max.compaction.lag.ms': forbidden,
      'min.cleanable.dirty.ratio': '0.001',
      'segment.bytes': String(4 * 2 ** 20),
      'segment.ms': '1000',
    }).map(([name, value]) => ({ name, value }))
    await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1, configEntries }] })
    const keys = Math.ceil(records / writesPerKey)
    for (let at = 0; at < records; at += batchRecords) {
      const messages = Array.from({ length: Math.min(batchRecords, records - at) }, (_, next) => ({
        key: `key-${String((at + next) % keys).padStart(12, '0')}`,
        value: Buffer.alloc(recordBytes - 16, at + next),
      }))
      await producer.send({ topic, messages })
    }
    // The active segment is never cleaned: this one rolls it.
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    await producer.send({ topic, messages: [{ key: 'last', value: 'last' }] })
    return records + 1
  } finally {
    await Promise.allSettled([admin.disconnect(), producer.disconnect()])
  }
}

async function untilTiered(port: number, topic: string, end: number): Promise<void> {
  const topics = [
    listOffsetsTopic({ name: topic, partitions: [listOffsetsPartition({ partitionIndex: 0, timestamp: latestTiered })] }),
  ]
  await waitUntil(
    async () => {
      const answer = await askOnce(port, 'ListOffsets', 9, listOffsetsRequest({ replicaId: -1, topics }))
      return Number(answer.topics[0]?.partitions[0]?.offset) + 1 >= end
    },
    { until: 'the log to be in segments', timeoutMs: 60_000, everyMs: 100 },
  )
}

async function sizeOf(port: number, topic: string): Promise<number> {
  const request = describeLogDirsRequest({ topics: [describableLogDirTopic({ topic, partitions: [0] })] })
  const { results } = await askOnce(port, 'DescribeLogDirs', 1, request)
  return results.reduce(
    (sum, { topics }) => sum + topics.reduce((of, one) => of + Number(one.partitions[0]?.partitionSize ?? 0), 0),
    0,
  )
}

async function allowCompaction(port: number, topic: string): Promise<void> {
  const configs = [alterableConfig({ name: 'min.compaction.lag.ms', configOperation: 0, value: '0' })]
  const resources = [alterConfigsResource({ resourceType: topicResource, resourceName: topic, configs })]
  const { responses } = await askOnce(port, 'IncrementalAlterConfigs', 0, incrementalAlterConfigsRequest({ resources }))
  if (responses[0]?.errorCode !== 0)
    throw new Error(`min.compaction.lag.ms could not be altered: ${responses[0]?.errorMessage ?? ''}`)
}

/** When the size changed last, and to what. */
async function untilQuiet(
  port: number,
  topic: string,
  before: number,
): Promise<{ readonly bytes: number; readonly atMs: number }> {
  let bytes = before
  let atMs = Infinity
  const done = { until: 'the log to be cleaned', timeoutMs: 300_000, everyMs: 20 }
  await waitUntil(async () => {
    const now = await sizeOf(port, topic)
    if (now !== bytes) {
      bytes = now
      atMs = performance.now()
    }
    return performance.now() - atMs > quietMs
  }, done)
  return { bytes, atMs }
}
