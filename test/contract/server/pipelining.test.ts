// Owns the order of requests and answers on one connection, through a real socket.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { apiVersionsRequest } from '../../../src/protocol/generated/api-versions.ts'
import { createTopicsRequest, creatableTopic } from '../../../src/protocol/generated/create-topics.ts'
import type { FetchResponse } from '../../../src/protocol/generated/fetch.ts'
import { metadataRequest } from '../../../src/protocol/generated/metadata.ts'
import type { ProduceResponse } from '../../../src/protocol/generated/produce.ts'
import { ApiKey } from '../../../src/protocol/index.ts'
import { fetchFrom, later, produceTo, until } from './support/requests.ts'
import { type RunningFront, startFront } from './support/running-front.ts'

let running: RunningFront

beforeEach(async () => {
  running = await startFront()
})
afterEach(() => running.stop())

const versions = apiVersionsRequest({ clientSoftwareName: 'raw', clientSoftwareVersion: '1' })

describe('the requests of one connection', () => {
  it('are answered in their order although later ones are done first', async () => {
    const { partitions } = running.broker.add('slow')
    running.broker.add('fast')
    partitions[0]!.held = []
    const client = await running.client()
    client.send('Produce', 7, produceTo({ topic: 'slow' }))
    client.send('Produce', 7, produceTo({ topic: 'fast' }))
    client.send('ApiVersions', 3, versions)
    await until(() => running.broker.topicByName('fast')!.partitions[0]!.highWatermark === 1, 'the second is appended meanwhile')
    partitions[0]!.held[0]!()
    const answers = [await client.next(), await client.next(), await client.next()]
    expect(answers.map((answer) => answer!.correlationId)).toEqual([1, 2, 3])
  })

  it('a waiting fetch lets later produces start, and its answer still goes first', async () => {
    running.broker.add('empty')
    const { partitions } = running.broker.add('other')
    const client = await running.client()
    client.send('Fetch', 11, fetchFrom({ from: [['empty', 0, 0]], maxWaitMs: 300 }))
    client.send('Produce', 7, produceTo({ topic: 'other' }))
    await until(() => partitions[0]!.highWatermark === 1, 'the produce is appended')
    const first = await client.next()
    expect(first!.key).toBe(ApiKey.Fetch)
    expect((await client.next())!.key).toBe(ApiKey.Produce)
  })

  it('append in their order of arrival, whatever the size', async () => {
    const { partitions } = running.broker.add('ordered')
    const client = await running.client()
    const sizes = Array.from({ length: 40 }, (_, index) => (index % 7 === 3 ? 300_000 : 20 + index))
    client.socket.write(Buffer.concat(sizes.map((bytes) => client.frame('Produce', 7, produceTo({ topic: 'ordered', bytes })))))
    for (const [index] of sizes.entries()) {
      const { responses } = (await client.next())!.message as ProduceResponse
      expect(responses[0]!.partitionResponses[0]!.baseOffset).toBe(BigInt(index))
    }
    expect(partitions[0]!.batches.map((batch) => batch.length - 61)).toEqual(sizes)
  })

  it('a change of topics is done before what comes after it is begun', async () => {
    let open: () => void = () => undefined
    running.broker.creationGate = new Promise((resolve) => {
      open = resolve
    })
    const client = await running.client()
    const topics = [creatableTopic({ name: 'made', numPartitions: 1, replicationFactor: 1 })]
    client.send('CreateTopics', 5, createTopicsRequest({ topics, timeoutMs: 5000 }))
    client.send('Produce', 7, produceTo({ topic: 'made' }))
    await later(50)
    open()
    await client.next()
    const { responses } = (await client.next())!.message as ProduceResponse
    expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(0)
  })

  it('arrive in any slicing of the stream and mean the same', async () => {
    const { partitions } = running.broker.add('sliced')
    const client = await running.client()
    const frames = [10, 5000, 90_000, 1].map((bytes) => client.frame('Produce', 7, produceTo({ topic: 'sliced', bytes })))
    const stream = Buffer.concat(frames)
    for (let at = 0, step = 1; at < stream.length; step = (step * 7) % 8191) {
      client.socket.write(stream.subarray(at, at + step))
      at += step
      if (step < 64) await later(1)
    }
    for (const _frame of frames) await client.next()
    expect(partitions[0]!.batches.map((batch) => batch.length - 61)).toEqual([10, 5000, 90_000, 1])
    for (const batch of partitions[0]!.batches) expect(batch.subarray(61).every((byte) => byte === 1)).toBe(true)
  })

  it('batches kept by the broker pin little more memory than they have', async () => {
    const { partitions } = running.broker.add('pinned')
    const client = await running.client()
    const sizes = [...Array.from({ length: 200 }, () => 100), 70_000, 2_000_000]
    client.socket.write(Buffer.concat(sizes.map((bytes) => client.frame('Produce', 7, produceTo({ topic: 'pinned', bytes })))))
    for (const _size of sizes) await client.next()
    const buffers = new Set(partitions[0]!.batches.map((batch) => batch.buffer))
    const pinned = [...buffers].reduce((sum, buffer) => sum + buffer.byteLength, 0)
    const kept = partitions[0]!.batches.reduce((sum, batch) => sum + batch.length, 0)
    expect(pinned).toBeLessThan(kept * 2)
    const large = partitions[0]!.batches.at(-1)!
    expect(large.buffer.byteLength - large.length).toBeLessThan(1000)
  })

  it('an answer carries the batches by their bytes, small and large', async () => {
    running.broker.add('read')
    const client = await running.client()
    for (const bytes of [3, 600, 3000, 200_000]) await client.ask('Produce', 7, produceTo({ topic: 'read', bytes }))
    const answer: FetchResponse = await client.ask('Fetch', 11, fetchFrom({ from: [['read', 0, 0]] }))
    const records = answer.responses[0]!.partitions[0]!.records!
    const bytes = records.reduce((sum, chunk) => sum + chunk.length, 0)
    expect(bytes).toBe(4 * 61 + 3 + 600 + 3000 + 200_000)
  })

  it('a thousand small ones in one write are answered one by one', async () => {
    const client = await running.client()
    const frames = Array.from({ length: 1000 }, () => client.frame('Metadata', 9, metadataRequest({ topics: [] })))
    client.socket.write(Buffer.concat(frames))
    for (let index = 1; index <= 1000; index += 1) expect((await client.next())!.correlationId).toBe(index)
  })
})
