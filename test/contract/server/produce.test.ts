// Owns how Produce is answered: acks, time-outs, errors per partition, topic ids.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { metadataRequest } from '../../../src/protocol/generated/metadata.ts'
import { partitionProduceData, produceRequest, topicProduceData } from '../../../src/protocol/generated/produce.ts'
import { ErrorCode } from '../../../src/protocol/index.ts'
import { testBatch } from '../../support/batches.ts'
import type { RawClient } from './support/raw-client.ts'
import { produceTo, until } from './support/requests.ts'
import { type RunningFront, startFront } from './support/running-front.ts'

let running: RunningFront
let client: RawClient

beforeEach(async () => {
  running = await startFront()
  client = await running.client()
})
afterEach(() => running.stop())

const batch = (): Uint8Array[] => [testBatch({ baseOffset: 0, records: 2, maxTimestampMs: 5 })]

describe('Produce', () => {
  it('in every version appends and tells the offset', async () => {
    const { id } = running.broker.add('t')
    for (let version = 3; version <= 13; version += 1) {
      const partitionData = [partitionProduceData({ records: batch() })]
      const named = version >= 13 ? { topicId: id } : { name: 't' }
      const request = produceRequest({ acks: 1, timeoutMs: 1000, topicData: [topicProduceData({ ...named, partitionData })] })
      const { responses } = await client.ask('Produce', version, request)
      expect(responses[0]!.partitionResponses[0]!).toMatchObject({ errorCode: 0, baseOffset: BigInt((version - 3) * 2) })
    }
  })

  it('answers when all partitions of all topics are done, each with its own result', async () => {
    const one = running.broker.add('one', 2)
    running.broker.add('two')
    one.partitions[1]!.held = []
    const request = produceRequest({
      acks: -1,
      timeoutMs: 5000,
      topicData: [
        topicProduceData({
          name: 'one',
          partitionData: [0, 1, 2].map((index) => partitionProduceData({ index, records: batch() })),
        }),
        topicProduceData({ name: 'two', partitionData: [partitionProduceData({ records: null })] }),
        topicProduceData({ name: 'none', partitionData: [partitionProduceData({ records: batch() })] }),
      ],
    })
    client.send('Produce', 9, request)
    await until(() => one.partitions[1]!.held!.length === 1, 'the append has begun')
    one.partitions[1]!.held[0]!()
    const { responses } = (await client.next())!.message as Awaited<ReturnType<typeof client.ask<'Produce'>>>
    expect(responses.map(({ name, partitionResponses }) => [name, partitionResponses.map(({ errorCode }) => errorCode)])).toEqual(
      [
        ['one', [0, 0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]],
        ['two', [ErrorCode.INVALID_RECORD]],
        ['none', [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]],
      ],
    )
  })

  it('that takes too long says so, and the append goes on', async () => {
    const { partitions } = running.broker.add('slow')
    partitions[0]!.held = []
    const { responses } = await client.ask('Produce', 7, produceTo({ topic: 'slow', timeoutMs: 50 }))
    expect(responses[0]!.partitionResponses[0]!).toMatchObject({ errorCode: ErrorCode.REQUEST_TIMED_OUT, baseOffset: -1n })
    partitions[0]!.held[0]!()
    expect(partitions[0]!.highWatermark).toBe(1)
  })

  it('with acks=0 has no answer, and the next request has the next', async () => {
    const { partitions } = running.broker.add('quiet')
    client.send('Produce', 7, produceTo({ topic: 'quiet', acks: 0 }))
    const answer = await client.ask('Metadata', 9, metadataRequest({ topics: [] }))
    expect(answer.controllerId).toBe(7)
    expect(partitions[0]!.highWatermark).toBe(1)
  })

  it('with acks=0 that fails closes the connection, the only way to tell', async () => {
    client.send('Produce', 7, produceTo({ topic: 'missing', acks: 0 }))
    await client.whenClosed
  })

  it('with acks that do not exist is refused and appends nothing', async () => {
    const { partitions } = running.broker.add('t')
    const { responses } = await client.ask('Produce', 7, produceTo({ topic: 't', acks: 2 }))
    expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(ErrorCode.INVALID_REQUIRED_ACKS)
    expect(partitions[0]!.logEndOffset).toBe(0)
  })

  it('with zstd is refused before version 7', async () => {
    running.broker.add('t')
    const records = [testBatch({ baseOffset: 0, attributes: 4 })]
    const topicData = [topicProduceData({ name: 't', partitionData: [partitionProduceData({ records })] })]
    for (const [version, errorCode] of [
      [6, ErrorCode.UNSUPPORTED_COMPRESSION_TYPE],
      [7, 0],
    ] as const) {
      const { responses } = await client.ask('Produce', version, produceRequest({ acks: 1, timeoutMs: 1000, topicData }))
      expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(errorCode)
    }
  })

  it('to an unknown topic id says that the id is unknown', async () => {
    const topicData = [
      topicProduceData({ topicId: 'AAAAAAAAAAAAAAAAAAAAAQ', partitionData: [partitionProduceData({ records: batch() })] }),
    ]
    const { responses } = await client.ask('Produce', 13, produceRequest({ acks: 1, timeoutMs: 1000, topicData }))
    expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_ID)
  })
})
