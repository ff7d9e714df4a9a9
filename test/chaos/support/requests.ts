// Owns the requests that chaos sends, in short form, and reading back what a partition holds. Not who sends them when.

import { crc32c } from '../../../src/base/node/native-crc32c.ts'
import { batchBytesOf, decodeRecords, encodeBatch, ErrorCode, errorName } from '../../../src/protocol/index.ts'
import { creatableTopic, creatableTopicConfig, createTopicsRequest } from '../../../src/protocol/generated/create-topics.ts'
import { fetchPartition, fetchRequest, fetchTopic } from '../../../src/protocol/generated/fetch.ts'
import { initProducerIdRequest } from '../../../src/protocol/generated/init-producer-id.ts'
import {
  partitionProduceData,
  type ProduceRequest,
  produceRequest,
  topicProduceData,
} from '../../../src/protocol/generated/produce.ts'
import { askOnce, type Wire } from './wire.ts'

export const versions = { produce: 9, fetch: 12, createTopics: 7, initProducerId: 4, offsetCommit: 8, offsetFetch: 8 } as const

/** Names an error for a failed assertion. */
export const nameOf = (errorCode: number): string => errorName(errorCode) ?? String(errorCode)

export interface BatchToSend {
  readonly values: readonly Uint8Array[]
  readonly timestampMs: number
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
}

export function batchOf({ values, timestampMs, producerId, producerEpoch, baseSequence }: BatchToSend): Uint8Array {
  const records = values.map((value, offset) => ({ offset, timestamp: timestampMs, key: null, value, headers: [] }))
  return encodeBatch({ records, producerId, producerEpoch, baseSequence }, { crc32c })
}

export function produce(topic: string, partition: number, records: Uint8Array, timeoutMs = 30_000): ProduceRequest {
  const partitionData = [partitionProduceData({ index: partition, records: [records] })]
  return produceRequest({ acks: -1, timeoutMs, topicData: [topicProduceData({ name: topic, partitionData })] })
}

export interface ProduceVerdict {
  readonly errorCode: number
  readonly baseOffset: number
}

export async function send(wire: Wire, request: ProduceRequest): Promise<ProduceVerdict> {
  const { responses } = await wire.ask('Produce', versions.produce, request)
  const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!
  return { errorCode, baseOffset: Number(baseOffset) }
}

export async function newProducerId(wire: Wire): Promise<{ readonly producerId: number; readonly producerEpoch: number }> {
  const request = initProducerIdRequest({ transactionalId: null, transactionTimeoutMs: 0, producerId: -1n, producerEpoch: -1 })
  const answer = await wire.ask('InitProducerId', versions.initProducerId, request)
  if (answer.errorCode !== ErrorCode.NONE) throw new Error(`InitProducerId: ${nameOf(answer.errorCode)}`)
  return { producerId: Number(answer.producerId), producerEpoch: answer.producerEpoch }
}

export interface TopicOrder {
  readonly name: string
  readonly partitions: number
  readonly durability: 'quorum' | 'bucket'
  readonly configs?: Readonly<Record<string, string>>
}

export async function createTopics(port: number, topics: readonly TopicOrder[]): Promise<void> {
  const request = createTopicsRequest({
    timeoutMs: 30_000,
    topics: topics.map(({ name, partitions, durability, configs = {} }) =>
      creatableTopic({
        name,
        numPartitions: partitions,
        replicationFactor: 1,
        configs: Object.entries({ 'chronik.durability': durability, ...configs }).map(([key, value]) =>
          creatableTopicConfig({ name: key, value }),
        ),
      }),
    ),
  })
  const answer = await askOnce(port, 'CreateTopics', versions.createTopics, request)
  for (const { name, errorCode, errorMessage } of answer.topics)
    if (errorCode !== ErrorCode.NONE) throw new Error(`${name}: ${nameOf(errorCode)} ${errorMessage ?? ''}`)
}

export interface FoundRecord {
  readonly offset: number
  readonly value: Buffer
}

const noCodec = (): never => {
  throw new Error('chaos sends nothing compressed')
}

export interface FoundLog {
  readonly records: readonly FoundRecord[]
  readonly highWatermark: number
  readonly logStartOffset: number
}

/** Everything a partition shows, from `from` to its end. Each batch's checksum is proved here, not by the broker. */
export async function readPartition(wire: Wire, topic: string, partition: number, from = 0): Promise<FoundLog> {
  const records: FoundRecord[] = []
  let at = from
  for (;;) {
    const request = fetchRequest({
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes: 8 << 20,
      topics: [
        fetchTopic({
          topic,
          partitions: [fetchPartition({ partition, fetchOffset: BigInt(at), partitionMaxBytes: 4 << 20 })],
        }),
      ],
    })
    const answer = await wire.ask('Fetch', versions.fetch, request)
    const found = answer.responses[0]?.partitions[0]
    const errorCode = answer.errorCode === ErrorCode.NONE ? (found?.errorCode ?? ErrorCode.NONE) : answer.errorCode
    if (errorCode !== ErrorCode.NONE) throw new Error(`reading ${topic}-${partition} at ${at}: ${nameOf(errorCode)}`)
    const highWatermark = Number(found?.highWatermark ?? 0)
    const logStartOffset = Number(found?.logStartOffset ?? 0)
    for (const run of found?.records ?? []) {
      for (let position = 0; position + 12 <= run.length; position += batchBytesOf(run, position)) {
        if (position + batchBytesOf(run, position) > run.length) break
        at = takeBatch(run, position, at, records)
      }
    }
    if (at >= highWatermark) return { records, highWatermark, logStartOffset }
  }
}

function takeBatch(run: Uint8Array, position: number, from: number, into: FoundRecord[]): number {
  const bytes = batchBytesOf(run, position)
  const view = Buffer.from(run.buffer, run.byteOffset + position, bytes)
  const sum = crc32c(view.subarray(21))
  if (view.readUInt32BE(17) !== sum) throw new Error(`a batch was served whose checksum is wrong, near offset ${from}`)
  const decoded = decodeRecords(run, position, noCodec)
  if (decoded.kind === 'malformed') throw new Error(`a batch was served that cannot be read: ${decoded.detail}`)
  let end = from
  for (const { offset, value } of decoded.records) {
    if (offset < from) continue
    into.push({ offset, value: Buffer.from(value ?? new Uint8Array(0)) })
    end = offset + 1
  }
  return end
}
