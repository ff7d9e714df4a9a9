/**
 * Owns the proof that records of a real client come back whatever codec they were sent in and whatever `compression.type` their topic has,
 * that they are stored in the topic's codec, that they are found by time, and that all of it outlives the disk.
 */
import { expect, it } from 'vitest'
import { ListOffsetsRequestConstant } from '../../src/protocol/generated/enums.ts'
import { fetchPartition, fetchRequest, fetchTopic } from '../../src/protocol/generated/fetch.ts'
import { listOffsetsPartition, listOffsetsRequest, listOffsetsTopic } from '../../src/protocol/generated/list-offsets.ts'
import { batchBytesOf, compressionOf, lastOffsetOf, maxTimestampOf, timestampTypeOf } from '../../src/protocol/index.ts'
import { RawClient } from '../contract/server/support/raw-client.ts'
import { startBroker } from '../support/tools/broker.ts'
import { createTopic } from '../support/tools/topic.ts'
import { describeWithTools } from '../support/tools/tools.ts'
import type { Client, Compression } from './client.ts'
import { confluentKafka } from './clients/python.ts'
import { digestsByPartition, makeRecords, offsetsRise, type SentRecord } from './records.ts'

const slowMs = 120_000
const types = ['producer', 'uncompressed', 'gzip', 'snappy', 'lz4', 'zstd'] as const
const codecs: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const topics = [
  ...types.map((type) => ({ name: type, type, timestampType: 'CreateTime' as const })),
  ...(['producer', 'lz4'] as const).map((type) => ({
    name: `${type}-append`,
    type,
    timestampType: 'LogAppendTime' as const,
  })),
]
type Topic = (typeof topics)[number]

/** The batches of a topic's one partition up to an offset, as they are stored. */
async function batchesOf(client: RawClient, topic: string, endOffset: number): Promise<Uint8Array[]> {
  const batches: Uint8Array[] = []
  for (let next = 0; next < endOffset;) {
    const partitions = [fetchPartition({ partition: 0, fetchOffset: BigInt(next), partitionMaxBytes: 1 << 24 })]
    const asked = fetchRequest({ maxWaitMs: 10_000, minBytes: 1, maxBytes: 1 << 24, topics: [fetchTopic({ topic, partitions })] })
    const { responses } = await client.ask('Fetch', 11, asked)
    const { errorCode, records } = responses[0]!.partitions[0]!
    expect(errorCode).toBe(0)
    for (const chunk of records ?? []) {
      for (let at = 0; at < chunk.length; at += batchBytesOf(chunk, at)) {
        batches.push(chunk.subarray(at, at + batchBytesOf(chunk, at)))
        next = lastOffsetOf(chunk, at) + 1
      }
    }
  }
  return batches
}

async function offsetAt(
  client: RawClient,
  topic: string,
  timestamp: number,
): Promise<readonly [offset: bigint, timestamp: bigint]> {
  const partitions = [listOffsetsPartition({ partitionIndex: 0, timestamp: BigInt(timestamp) })]
  const { topics: answers } = await client.ask(
    'ListOffsets',
    7,
    listOffsetsRequest({ topics: [listOffsetsTopic({ name: topic, partitions })] }),
  )
  const { offset, timestamp: found, errorCode } = answers[0]!.partitions[0]!
  expect(errorCode).toBe(0)
  return [offset, found]
}

async function expectAll(bootstrap: string, client: Client, sent: ReadonlyMap<string, readonly SentRecord[]>): Promise<void> {
  const raw = await RawClient.connect(Number(bootstrap.split(':')[1]))
  for (const topic of topics) {
    const records = sent.get(topic.name)!
    const seen = await client.consume(bootstrap, topic.name, records.length)
    expect(offsetsRise(seen), topic.name).toBe(true)
    expect(digestsByPartition(seen), topic.name).toEqual(digestsByPartition(records))
    await expectStored(raw, topic, records.length)
  }
  raw.close()
}

async function expectStored(raw: RawClient, topic: Topic, count: number): Promise<void> {
  const batches = await batchesOf(raw, topic.name, count)
  const stored = new Set(batches.map((batch) => compressionOf(batch)))
  // librdkafka sends a batch plain when packing makes it no smaller.
  if (topic.type === 'producer') for (const codec of codecs) expect(stored, topic.name).toContain(codec)
  else expect([...stored], topic.name).toEqual([topic.type === 'uncompressed' ? 'none' : topic.type])
  expect(new Set(batches.map((batch) => timestampTypeOf(batch))), topic.name).toEqual(new Set([topic.timestampType]))
  const times = batches.map((batch) => maxTimestampOf(batch))
  const newest = Math.max(...times)
  const [maxOffset, maxTime] = await offsetAt(raw, topic.name, ListOffsetsRequestConstant.MAX_TIMESTAMP)
  expect(maxTime, topic.name).toBe(BigInt(newest))
  expect(await offsetAt(raw, topic.name, newest), topic.name).toEqual([maxOffset, maxTime])
  expect(await offsetAt(raw, topic.name, newest + 1), topic.name).toEqual([-1n, -1n])
  expect((await offsetAt(raw, topic.name, 1))[0], topic.name).toBe(0n)
}

describeWithTools(['python'], 'compression.type', () => {
  it(
    'gives back to librdkafka what it sent in every codec, in the codec of the topic, also from an empty disk',
    { timeout: slowMs },
    async () => {
      const broker = await startBroker()
      const { bootstrap } = broker
      try {
        const sent = new Map<string, SentRecord[]>()
        for (const { name, type, timestampType } of topics) {
          await createTopic(bootstrap, name, 1, { 'compression.type': type, 'message.timestamp.type': timestampType })
          sent.set(name, [])
        }
        const orders = topics.flatMap(({ name: topic }) =>
          codecs.map((compression) => {
            const records = makeRecords(40, 1, `${topic}-${compression}`)
            sent.get(topic)!.push(...records)
            return { topic, compression, idempotent: true, records }
          }),
        )
        await confluentKafka.produce(bootstrap, orders)
        await expectAll(bootstrap, confluentKafka, sent)
        expect((await broker.sigterm()).code).toBe(0)
        broker.wipeDisk()
        await broker.restart()
        await expectAll(bootstrap, confluentKafka, sent)
      } finally {
        await broker.stop()
      }
    },
  )
})
