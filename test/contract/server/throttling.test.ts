// Owns how clients are held to their quotas: what they are told, that they are answered at once and not heard for a while after (KIP-219),
// and that who has no quota is not touched.

import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ClientQuotaKey } from '../../../src/broker/core/index.ts'
import { apiVersionsRequest } from '../../../src/protocol/generated/api-versions.ts'
import { createPartitionsRequest, createPartitionsTopic } from '../../../src/protocol/generated/create-partitions.ts'
import { creatableTopic, createTopicsRequest } from '../../../src/protocol/generated/create-topics.ts'
import { deleteTopicsRequest } from '../../../src/protocol/generated/delete-topics.ts'
import { metadataRequest, metadataRequestTopic } from '../../../src/protocol/generated/metadata.ts'
import { ErrorCode } from '../../../src/protocol/index.ts'
import { defaultLimits } from '../../../src/server/index.ts'
import { ManualClock, turns } from '../../support/manual-clock.ts'
import type { RawClient } from './support/raw-client.ts'
import { fetchFrom, produceTo, until } from './support/requests.ts'
import { type RunningFront, startFront } from './support/running-front.ts'

let running: RunningFront
let client: RawClient
let clock: ManualClock

beforeEach(async () => {
  clock = new ManualClock()
  running = await startFront({ clock })
  running.broker.add('t')
  client = await running.client()
})
afterEach(() => running.stop())

const set = (key: ClientQuotaKey, value: number, entity = {}): void => {
  running.broker.quotas.set.apply([{ entity: { user: 'ANONYMOUS', ...entity }, key, value }])
}

const metric = async (name: string, quota: string): Promise<number> => {
  const source = running.front.metricSources().find((one) => one.name === name)!
  const samples = [...(await source.collect())]
  const sample = samples.find(({ labels }) => labels.includes(quota))!
  return (sample as { value: number }).value
}

/** Asks, and tells whether that is answered before any time has passed; and the answer, whenever it comes. */
async function heard(asking: RawClient): Promise<{ readonly atOnce: boolean; readonly answer: Promise<unknown> }> {
  const answer = asking.ask('ApiVersions', 0, apiVersionsRequest())
  let atOnce = false
  void answer.then(() => (atOnce = true))
  // Round trips of another connection: by then this one would have been answered too.
  const other = await running.client()
  for (let times = 0; times < 3; times += 1) await other.ask('ApiVersions', 0, apiVersionsRequest())
  await turns()
  return { atOnce, answer }
}

describe('a producer over its rate', () => {
  it('is answered at once, told how long to be silent, and not heard before that', async () => {
    set('producer_byte_rate', 1_000)
    const first = await client.ask('Produce', 9, produceTo({ topic: 't', bytes: 5_000 }))
    expect(first.throttleTimeMs).toBe(0)
    const second = await client.ask('Produce', 9, produceTo({ topic: 't', bytes: 10_000 }))
    expect(second.responses[0]!.partitionResponses[0]).toMatchObject({ errorCode: 0, baseOffset: 1n })
    // The whole requests count, some hundred bytes more than the 15 s worth of records: 5 s more than the ten windows hold.
    expect(second.throttleTimeMs).toBeGreaterThan(5_000)
    expect(second.throttleTimeMs).toBeLessThan(5_500)
    clock.advance(second.throttleTimeMs - 1)
    const asked = await heard(client)
    expect(asked.atOnce).toBe(false)
    expect((await heard(await running.client())).atOnce).toBe(true)
    clock.advance(1)
    await asked.answer
    expect(await metric('chronik_kafka_throttled_total', 'produce')).toBe(1)
    expect(await metric('chronik_kafka_throttle_seconds_total', 'produce')).toBeCloseTo(second.throttleTimeMs / 1000)
    expect(await metric('chronik_kafka_quota_measured_total', 'produce')).toBeGreaterThan(15_000)
    expect(await metric('chronik_kafka_quota_meters', 'produce')).toBe(1)
  })

  it('is not heard either when it asked for no answer', async () => {
    set('producer_byte_rate', 1_000)
    client.socket.write(client.frame('Produce', 9, produceTo({ topic: 't', bytes: 20_000, acks: 0 })))
    await until(() => running.broker.topicByName('t')!.partitions[0]!.highWatermark === 1, 'the record is there')
    const asked = await heard(client)
    expect(asked.atOnce).toBe(false)
    clock.advance(20_000)
    await asked.answer
  })

  it('shares its rate with its other connections, and nobody else’s', async () => {
    set('producer_byte_rate', 1_000)
    await client.ask('Produce', 9, produceTo({ topic: 't', bytes: 9_000 }))
    const other = await running.client()
    expect((await other.ask('Produce', 9, produceTo({ topic: 't', bytes: 9_000 }))).throttleTimeMs).toBeGreaterThan(0)
    running.broker.quotas.set.apply([{ entity: { user: 'ANONYMOUS' }, key: 'producer_byte_rate', value: null }])
    running.broker.quotas.set.apply([{ entity: { user: 'bob' }, key: 'producer_byte_rate', value: 1 }])
    expect((await client.ask('Produce', 9, produceTo({ topic: 't', bytes: 90_000 }))).throttleTimeMs).toBe(0)
  })

  it('is not taken for idle while it is not heard', async () => {
    await running.stop()
    running = await startFront({ clock, listener: { idleMs: 10_000 } })
    running.broker.add('t')
    client = await running.client()
    set('producer_byte_rate', 100)
    const { throttleTimeMs } = await client.ask('Produce', 9, produceTo({ topic: 't', bytes: 10_000 }))
    expect(throttleTimeMs).toBeGreaterThan(80_000)
    for (let passedMs = 0; passedMs < throttleTimeMs; passedMs += 5_000) {
      clock.advance(Math.min(5_000, throttleTimeMs - passedMs))
      await turns(2)
    }
    expect((await client.ask('ApiVersions', 0, apiVersionsRequest())).errorCode).toBe(0)
  })

  it('does not hold up the end of the server', async () => {
    set('producer_byte_rate', 1)
    await client.ask('Produce', 9, produceTo({ topic: 't', bytes: 10_000 }))
    await running.front.close()
    await client.whenClosed
  })
})

describe('a consumer over its rate', () => {
  const from = [['t', 0, 0] as const]
  const read = (bytes = 4_000) => client.ask('Produce', 9, produceTo({ topic: 't', bytes }))

  it('gets what its windows hold and then an empty answer, which is not counted', async () => {
    for (let batch = 0; batch < 3; batch += 1) await read()
    set('consumer_byte_rate', 1_000)
    const first = await client.ask('Fetch', 11, fetchFrom({ from, sessionEpoch: -1 }))
    expect(first.throttleTimeMs).toBe(0)
    const sizeOf = ({ responses }: typeof first) => responses.flatMap(({ partitions }) => partitions.flatMap(({ records }) => records ?? [])).reduce((sum, { length }) => sum + length, 0) // prettier-ignore
    // No more than ten seconds' worth, though more was there and asked for.
    expect(sizeOf(first)).toBeGreaterThan(8_000)
    expect(sizeOf(first)).toBeLessThanOrEqual(10_000)
    const second = await client.ask('Fetch', 11, fetchFrom({ from, sessionEpoch: -1 }))
    expect(second).toMatchObject({ errorCode: 0, sessionId: 0, responses: [] })
    expect(second.throttleTimeMs).toBeGreaterThan(5_000)
    const asked = await heard(client)
    expect(asked.atOnce).toBe(false)
    expect(await metric('chronik_kafka_quota_measured_total', 'fetch')).toBe(sizeOf(first))
    clock.advance(second.throttleTimeMs)
    await asked.answer
    clock.advance(12_000)
    const third = await client.ask('Fetch', 11, fetchFrom({ from, sessionEpoch: -1 }))
    expect(sizeOf(third)).toBe(sizeOf(first))
  })

  it('keeps its session, and loses one that the empty answer would have opened', async () => {
    set('consumer_byte_rate', 1_000)
    for (let batch = 0; batch < 2; batch += 1) await read()
    const opened = await client.ask('Fetch', 11, fetchFrom({ from, sessionEpoch: 0 }))
    expect(opened.sessionId).toBeGreaterThan(0)
    await read()
    const goOn = { sessionId: opened.sessionId, sessionEpoch: 1 }
    const throttled = await client.ask('Fetch', 11, fetchFrom({ ...goOn, from: [] }))
    expect(throttled).toMatchObject({ errorCode: 0, sessionId: opened.sessionId, responses: [] })
    expect(throttled.throttleTimeMs).toBeGreaterThan(0)
    clock.advance(throttled.throttleTimeMs)
    const unopened = await client.ask('Fetch', 11, fetchFrom({ from, sessionEpoch: 0 }))
    expect(unopened).toMatchObject({ errorCode: 0, sessionId: 0, responses: [] })
    clock.advance(60_000)
    const next = await client.ask('Fetch', 11, fetchFrom({ sessionId: opened.sessionId, sessionEpoch: 2, from: [] }))
    expect(next.responses).toHaveLength(1)
    const sessions = running.front.metricSources().find(({ name }) => name === 'chronik_kafka_fetch_sessions')!
    expect(await sessions.collect()).toMatchObject([{ value: 1 }])
  })

  it('gets a batch that is larger than all its windows, and pays with what follows', async () => {
    await read(50_000)
    set('consumer_byte_rate', 1_000)
    const first = await client.ask('Fetch', 11, fetchFrom({ from, sessionEpoch: -1 }))
    expect(first.responses).toHaveLength(1)
    expect((await client.ask('Fetch', 11, fetchFrom({ from, sessionEpoch: -1 }))).throttleTimeMs).toBeGreaterThan(40_000)
  })
})

describe('a client over its share of the event loop', () => {
  it('is told to be silent for no longer than a window', async () => {
    const { broker } = running
    const topicByName = broker.topicByName.bind(broker)
    broker.topicByName = (name) => {
      // This is what takes long.
      clock.advance(400)
      return topicByName(name)
    }
    const ask = () => client.ask('Metadata', 9, metadataRequest({ topics: [metadataRequestTopic({ name: 't' })] }))
    expect((await ask()).throttleTimeMs).toBe(0)
    set('request_percentage', 5)
    // 40 % of a second in ten: 4 %.
    expect((await ask()).throttleTimeMs).toBe(0)
    const { throttleTimeMs } = await ask()
    expect(throttleTimeMs).toBe(defaultLimits.quotas.windows.ms)
    let isAnswered = false
    const answer = client.ask('ApiVersions', 3, apiVersionsRequest({ clientSoftwareName: 'a', clientSoftwareVersion: '1' }))
    void answer.then(() => (isAnswered = true))
    await turns(100)
    expect(isAnswered).toBe(false)
    clock.advance(throttleTimeMs)
    // Every request of who is over it pays, whatever it asks.
    expect((await answer).throttleTimeMs).toBeGreaterThan(0)
    expect(await metric('chronik_kafka_quota_measured_total', 'request')).toBeCloseTo(80)
  })
})

describe('a client that changes topics faster than it may', () => {
  const create = (name: string, version = 7, validateOnly = false) =>
    client.ask('CreateTopics', version, createTopicsRequest({ topics: [creatableTopic({ name, numPartitions: 8, replicationFactor: 1 })], timeoutMs: 1000, validateOnly })) // prettier-ignore
  const quotaExceeded = { errorCode: ErrorCode.THROTTLING_QUOTA_EXCEEDED }

  beforeEach(() => {
    // A burst of 11.
    set('controller_mutation_rate', 1)
  })

  it('is refused from the versions on that know why', async () => {
    const first = await create('a')
    expect([first.throttleTimeMs, first.topics[0]!.errorCode]).toEqual([0, 0])
    // One may take more than is there.
    const second = await create('b')
    expect([second.throttleTimeMs, second.topics[0]!.errorCode]).toEqual([0, 0])
    const third = await create('c')
    expect(third).toMatchObject({ throttleTimeMs: 5_000, topics: [{ ...quotaExceeded, errorMessage: 'The throttling quota has been exceeded.' }] }) // prettier-ignore
    expect(running.broker.topicByName('c')).toBeUndefined()
    clock.advance(4_900)
    const other = await running.client()
    const deleted = await other.ask('DeleteTopics', 5, deleteTopicsRequest({ topicNames: ['a'], timeoutMs: 1000 }))
    expect(deleted).toMatchObject({ throttleTimeMs: 100, responses: [quotaExceeded] })
    const third2 = await running.client()
    const topics = [createPartitionsTopic({ name: 'a', count: 9, assignments: null })]
    const grown = await third2.ask('CreatePartitions', 3, createPartitionsRequest({ topics, timeoutMs: 1000 }))
    expect(grown).toMatchObject({ throttleTimeMs: 100, results: [quotaExceeded] })
    clock.advance(100)
    expect((await create('c')).topics[0]!.errorCode).toBe(0)
  })

  it('is only told to be silent in versions before', async () => {
    await create('a', 5)
    const second = await create('b', 5)
    expect(second.topics[0]!.errorCode).toBe(0)
    expect(second.throttleTimeMs).toBe(5_000)
    clock.advance(5_000)
    const deleted = await client.ask('DeleteTopics', 4, deleteTopicsRequest({ topicNames: ['a'], timeoutMs: 1000 }))
    expect(deleted).toMatchObject({ throttleTimeMs: 8_000, responses: [{ errorCode: 0 }] })
  })

  it('pays for topics that a Metadata request creates', async () => {
    await create('a')
    const asked = metadataRequest({ topics: ['x', 'y', 'z', 'w', 'v'].map((name) => metadataRequestTopic({ name })) })
    const answer = await client.ask('Metadata', 9, asked)
    expect(answer.topics.map(({ errorCode }) => errorCode)).toEqual([0, 0, 0, 0, 0])
    expect(answer.throttleTimeMs).toBe(2_000)
  })
})

describe('an address that connects faster than it may', () => {
  const open = () =>
    new Promise<'closed'>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port: running.port })
      socket.on('error', () => undefined)
      socket.once('close', () => {
        resolve('closed')
      })
    })

  it('is not served, and its connections are closed late', async () => {
    running.broker.quotas.set.apply([{ entity: { ip: '127.0.0.1' }, key: 'connection_creation_rate', value: 1 }])
    const clients = []
    for (let count = 0; count < 10; count += 1) {
      const one = await running.client()
      await one.ask('ApiVersions', 0, apiVersionsRequest())
      clients.push(one)
    }
    let isClosed = false
    const closed = open().then(() => (isClosed = true))
    const throttled = () => metric('chronik_kafka_throttled_total', 'connection')
    for (let tries = 0; (await throttled()) === 0 && tries < 500; tries += 1) await turns(5)
    expect(await throttled()).toBe(1)
    await turns()
    expect(isClosed).toBe(false)
    clock.advance(1_000)
    await closed
    clock.advance(20_000)
    const late = await running.client()
    expect((await late.ask('ApiVersions', 0, apiVersionsRequest())).errorCode).toBe(0)
  })
})
