// Owns incremental fetch sessions as a client sees them.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FetchResponse, forgottenTopic } from '../../../src/protocol/generated/fetch.ts'
import { ErrorCode } from '../../../src/protocol/index.ts'
import type { RawClient } from './support/raw-client.ts'
import { fetchFrom, produceTo } from './support/requests.ts'
import { type RunningFront, startFront } from './support/running-front.ts'

let running: RunningFront
let client: RawClient

beforeEach(async () => {
  running = await startFront({ fetch: { sessionsMax: 2, sessionEvictionMs: 50 } })
  client = await running.client()
  running.broker.add('t', 3)
  await client.ask('Produce', 7, produceTo({ topic: 't', partition: 0 }))
})
afterEach(() => running.stop())

const all = [['t', 0, 0], ['t', 1, 0], ['t', 2, 0]] as const // prettier-ignore
const open = (): Promise<FetchResponse> => client.ask('Fetch', 11, fetchFrom({ from: all, sessionId: 0, sessionEpoch: 0 }))
const partitionsOf = (answer: FetchResponse): number[] =>
  answer.responses.flatMap(({ partitions }) => partitions.map(({ partitionIndex }) => partitionIndex))

describe('a fetch session', () => {
  it('answers in full first, then only what has changed', async () => {
    const first = await open()
    expect(first.sessionId).toBeGreaterThan(0)
    expect(partitionsOf(first)).toEqual([0, 1, 2])
    const { sessionId } = first
    // Read on from where partition 0 was left: nothing new anywhere.
    const second = await client.ask('Fetch', 11, fetchFrom({ from: [['t', 0, 1]], sessionId, sessionEpoch: 1 }))
    expect([second.sessionId, partitionsOf(second)]).toEqual([sessionId, []])
    await client.ask('Produce', 7, produceTo({ topic: 't', partition: 2 }))
    const third = await client.ask('Fetch', 11, fetchFrom({ sessionId, sessionEpoch: 2 }))
    expect(partitionsOf(third)).toEqual([2])
  })

  it('forgets partitions it is told to forget, and ends when none is left', async () => {
    const { sessionId } = await open()
    const forgottenTopicsData = [forgottenTopic({ topic: 't', partitions: [0, 1] })]
    expect(partitionsOf(await client.ask('Fetch', 11, fetchFrom({ sessionId, sessionEpoch: 1, forgottenTopicsData })))).toEqual(
      [],
    )
    await client.ask('Produce', 7, produceTo({ topic: 't', partition: 1 }))
    await client.ask('Produce', 7, produceTo({ topic: 't', partition: 2 }))
    expect(partitionsOf(await client.ask('Fetch', 11, fetchFrom({ sessionId, sessionEpoch: 2 })))).toEqual([2])
    const rest = [forgottenTopic({ topic: 't', partitions: [2] })]
    expect((await client.ask('Fetch', 11, fetchFrom({ sessionId, sessionEpoch: 3, forgottenTopicsData: rest }))).sessionId).toBe(
      0,
    )
    const gone = await client.ask('Fetch', 11, fetchFrom({ sessionId, sessionEpoch: 4 }))
    expect(gone.errorCode).toBe(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
  })

  it('is refused under an unknown id, an old epoch, or another way of naming topics', async () => {
    const { sessionId } = await open()
    const errorOf = async (version: number, fields: Parameters<typeof fetchFrom>[0]): Promise<number> =>
      (await client.ask('Fetch', version, fetchFrom(fields))).errorCode
    expect(await errorOf(11, { sessionId: sessionId + 1, sessionEpoch: 1 })).toBe(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
    expect(await errorOf(11, { sessionId, sessionEpoch: 5 })).toBe(ErrorCode.INVALID_FETCH_SESSION_EPOCH)
    expect(await errorOf(13, { sessionId, sessionEpoch: 1 })).toBe(ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR)
  })

  it('is closed by its client with the final epoch', async () => {
    const { sessionId } = await open()
    const last = await client.ask('Fetch', 11, fetchFrom({ from: all, sessionId, sessionEpoch: -1 }))
    expect([last.sessionId, partitionsOf(last)]).toEqual([0, [0, 1, 2]])
    const after = await client.ask('Fetch', 11, fetchFrom({ sessionId, sessionEpoch: 1 }))
    expect(after.errorCode).toBe(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
  })

  it('serves partitions in turn: who got bytes goes behind', async () => {
    for (const partition of [0, 1, 2]) {
      for (let count = 0; count < 3; count += 1) await client.ask('Produce', 7, produceTo({ topic: 't', partition, bytes: 100 }))
    }
    const tight = { maxBytes: 1 }
    const first = await client.ask('Fetch', 11, fetchFrom({ from: all, sessionId: 0, sessionEpoch: 0, ...tight }))
    const withBytes = (answer: FetchResponse): number[] =>
      answer.responses.flatMap(({ partitions }) => partitions.filter(({ records }) => (records ?? []).some(({ length }) => length > 0)).map(({ partitionIndex }) => partitionIndex)) // prettier-ignore
    const served = [withBytes(first)]
    for (let epoch = 1; epoch <= 3; epoch += 1) {
      served.push(
        withBytes(await client.ask('Fetch', 11, fetchFrom({ sessionId: first.sessionId, sessionEpoch: epoch, ...tight }))),
      )
    }
    expect(served).toEqual([[0], [1], [2], [0]])
  })

  it('there are no more than allowed: the one unused longest makes room, a fresh one does not', async () => {
    const one = await open()
    const two = await open()
    expect((await open()).sessionId).toBe(0)
    await new Promise((resolve) => setTimeout(resolve, 60))
    await client.ask('Fetch', 11, fetchFrom({ sessionId: one.sessionId, sessionEpoch: 1 }))
    expect((await open()).sessionId).toBeGreaterThan(0)
    const evicted = await client.ask('Fetch', 11, fetchFrom({ sessionId: two.sessionId, sessionEpoch: 1 }))
    expect(evicted.errorCode).toBe(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
    const kept = await client.ask('Fetch', 11, fetchFrom({ sessionId: one.sessionId, sessionEpoch: 2 }))
    expect(kept.errorCode).toBe(0)
  })

  it('an error is told until it is over, and once more then', async () => {
    const { sessionId } = await open()
    const topics = fetchFrom({ from: [['t', 1, 9]] }).topics
    const bad = await client.ask('Fetch', 11, fetchFrom({ topics, sessionId, sessionEpoch: 1 }))
    expect(bad.responses.flatMap((topic) => topic.partitions.map(({ errorCode }) => errorCode))).toContain(
      ErrorCode.OFFSET_OUT_OF_RANGE,
    )
    const good = await client.ask('Fetch', 11, fetchFrom({ from: [['t', 1, 0], ['t', 0, 1]], sessionId, sessionEpoch: 2 })) // prettier-ignore
    expect(partitionsOf(good)).toEqual([1])
  })
})
