// Owns how Fetch is answered: waiting, limits, archived beside hot, errors. Sessions are in fetch-session.test.ts.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fetchPartition, type FetchResponse, fetchTopic } from '../../../src/protocol/generated/fetch.ts'
import { ErrorCode } from '../../../src/protocol/index.ts'
import type { RawClient } from './support/raw-client.ts'
import { fetchFrom, later, produceTo, until } from './support/requests.ts'
import { type RunningFront, startFront } from './support/running-front.ts'

let running: RunningFront
let client: RawClient

beforeEach(async () => {
  running = await startFront()
  client = await running.client()
})
afterEach(() => running.stop())

const bytesOf = (response: FetchResponse): number[] =>
  response.responses.flatMap(({ partitions }) =>
    partitions.map(({ records }) => (records ?? []).reduce((sum, { length }) => sum + length, 0)),
  )

const fill = async (topic: string, sizes: readonly number[], partition = 0): Promise<void> => {
  for (const bytes of sizes) await client.ask('Produce', 7, produceTo({ topic, partition, bytes: bytes - 61 }))
}

describe('Fetch', () => {
  it('in every version brings what is there', async () => {
    const { id } = running.broker.add('t')
    await fill('t', [100])
    for (let version = 4; version <= 18; version += 1) {
      const partitions = [fetchPartition({ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1000 })]
      const topics = [fetchTopic(version >= 13 ? { topicId: id, partitions } : { topic: 't', partitions })]
      const answer = await client.ask('Fetch', version, fetchFrom({ topics, isolationLevel: version % 2 }))
      expect(bytesOf(answer)).toEqual([100])
      const partition = answer.responses[0]!.partitions[0]!
      expect(partition).toMatchObject({ errorCode: 0, highWatermark: 1n, lastStableOffset: 1n, preferredReadReplica: -1 })
      expect(partition.abortedTransactions).toEqual(version % 2 === 1 ? [] : null)
    }
  })

  it('with nothing there waits as long as asked, then says so', async () => {
    const { partitions } = running.broker.add('t')
    const begunAt = performance.now()
    const answer = await client.ask('Fetch', 11, fetchFrom({ from: [['t', 0, 0]], maxWaitMs: 150 }))
    expect(performance.now() - begunAt).toBeGreaterThan(140)
    expect(bytesOf(answer)).toEqual([0])
    // Empty, not null: old clients take null for a fault.
    expect(answer.responses[0]!.partitions[0]!.records).not.toBeNull()
    expect(partitions[0]!.listenerCount).toBe(0)
  })

  it('wakes as soon as records are readable', async () => {
    const { partitions } = running.broker.add('t')
    const consumer = await running.client()
    const begunAt = performance.now()
    const answer = consumer.ask('Fetch', 11, fetchFrom({ from: [['t', 0, 0]], maxWaitMs: 10_000 }))
    await until(() => partitions[0]!.listenerCount === 1, 'the fetch waits')
    await fill('t', [80])
    expect(bytesOf(await answer)).toEqual([80])
    expect(performance.now() - begunAt).toBeLessThan(3000)
  })

  it('goes on waiting until minBytes have gathered over all partitions', async () => {
    const { partitions } = running.broker.add('t', 2)
    const consumer = await running.client()
    const from = [['t', 0, 0], ['t', 1, 0]] as const // prettier-ignore
    const answer = consumer.ask('Fetch', 11, fetchFrom({ from, maxWaitMs: 10_000, minBytes: 250 }))
    await until(() => partitions[1]!.listenerCount === 1, 'the fetch waits')
    await fill('t', [100])
    await fill('t', [100], 1)
    await until(() => partitions[0]!.listenerCount === 1, 'it waits on')
    await fill('t', [100])
    expect(bytesOf(await answer)).toEqual([200, 100])
  })

  it('a client that goes while it waits leaves nothing behind', async () => {
    const { partitions } = running.broker.add('t')
    const consumer = await running.client()
    consumer.send('Fetch', 11, fetchFrom({ from: [['t', 0, 0]], maxWaitMs: 60_000 }))
    await until(() => partitions[0]!.listenerCount === 1, 'the fetch waits')
    consumer.close()
    await until(() => partitions[0]!.listenerCount === 0, 'the wait is called off')
  })

  it('keeps to the limits of the partition and of the whole, but the first with bytes always moves on', async () => {
    running.broker.add('t', 3)
    await fill('t', [500, 500, 500])
    await fill('t', [700, 700], 1)
    await fill('t', [900], 2)
    const all = (first: number, maxBytes: number, partitionMax = 1 << 20) =>
      fetchFrom({ from: [['t', first, 0, partitionMax], ['t', (first + 1) % 3, 0, partitionMax], ['t', (first + 2) % 3, 0, partitionMax]], maxBytes }) // prettier-ignore
    expect(bytesOf(await client.ask('Fetch', 11, all(0, 1 << 20)))).toEqual([1500, 1400, 900])
    expect(bytesOf(await client.ask('Fetch', 11, all(0, 1 << 20, 600)))).toEqual([500, 0, 0])
    expect(bytesOf(await client.ask('Fetch', 11, all(0, 1000)))).toEqual([1000, 0, 0])
    expect(bytesOf(await client.ask('Fetch', 11, all(0, 1)))).toEqual([500, 0, 0])
    expect(bytesOf(await client.ask('Fetch', 11, all(2, 1700)))).toEqual([900, 500, 0])
  })

  it('tells what is wrong with a partition, at once', async () => {
    const { partitions } = running.broker.add('t')
    await fill('t', [100])
    partitions[0]!.logStartOffset = partitions[0]!.highWatermark
    const errorOf = async (partition: Parameters<typeof fetchPartition>[0], topic = 't'): Promise<number> => {
      const topics = [fetchTopic({ topic, partitions: [fetchPartition({ partitionMaxBytes: 1000, ...partition })] })]
      const answer = await client.ask('Fetch', 11, fetchFrom({ topics, maxWaitMs: 10_000 }))
      return answer.responses[0]!.partitions[0]!.errorCode
    }
    expect(await errorOf({ fetchOffset: 0n })).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
    expect(await errorOf({ fetchOffset: 9n })).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
    expect(await errorOf({ fetchOffset: -5n })).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
    expect(await errorOf({ fetchOffset: 2n ** 63n - 1n })).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
    expect(await errorOf({ fetchOffset: 1n, currentLeaderEpoch: 2 })).toBe(ErrorCode.FENCED_LEADER_EPOCH)
    expect(await errorOf({ fetchOffset: 1n, currentLeaderEpoch: 4 })).toBe(ErrorCode.UNKNOWN_LEADER_EPOCH)
    expect(await errorOf({ partition: 5 })).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    expect(await errorOf({ partition: -1 })).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    expect(await errorOf({}, 'none')).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  })
})

describe('an archived read', () => {
  it('does not hold up hot ones, and is taken up by the next fetch instead of starting again', async () => {
    const { partitions } = running.broker.add('t', 2)
    await fill('t', [100])
    await fill('t', [200], 1)
    partitions[0]!.archivedBelow = 1
    const ask = fetchFrom({ from: [['t', 0, 0], ['t', 1, 0]], maxWaitMs: 10_000 }) // prettier-ignore
    expect(bytesOf(await client.ask('Fetch', 11, ask))).toEqual([0, 200])
    expect(bytesOf(await client.ask('Fetch', 11, ask))).toEqual([0, 200])
    partitions[0]!.archivedReads[0]!()
    await later(20)
    expect(bytesOf(await client.ask('Fetch', 11, ask))).toEqual([100, 200])
    expect(partitions[0]!.archivedReadsStarted).toBe(1)
  })

  it('is waited for when there is nothing hot', async () => {
    const { partitions } = running.broker.add('t')
    await fill('t', [100])
    partitions[0]!.archivedBelow = 1
    client.send('Fetch', 11, fetchFrom({ from: [['t', 0, 0]], maxWaitMs: 10_000 }))
    await until(() => partitions[0]!.archivedReads.length === 1, 'the read has begun')
    partitions[0]!.archivedReads[0]!()
    expect(bytesOf((await client.next())!.message as FetchResponse)).toEqual([100])
  })
})
