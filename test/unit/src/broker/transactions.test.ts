// Owns the tests of transactions through a whole node: what a reader of committed records sees in each tier and after each kind of
// start, and the offsets that go with a transaction.

import { beforeEach, describe, expect, it } from 'vitest'
import { crc32c } from '../../../../src/base/node/native-crc32c.ts'
import { offset } from '../../../../src/model/ids.ts'
import {
  batchBytesOf,
  baseOffsetOf,
  decodeRecords,
  encodeBatch,
  ErrorCode,
  isControlBatch,
  lastOffsetOf,
  producerIdOf,
  readTransactionMarker,
} from '../../../../src/protocol/index.ts'
import { offsetFetchRequest, offsetFetchRequestGroup } from '../../../../src/protocol/generated/offset-fetch.ts'
import { txnOffsetCommitRequest } from '../../../../src/protocol/generated/txn-offset-commit.ts'
import type { AppendResult } from '../../../../src/broker/api.ts'
import { memoryStore } from '../../../../tiers/object-store/memory.ts'
import { drive, ManualClock, turns } from '../../../support/manual-clock.ts'
import { startTestNode, type TestNode } from '../../../support/test-node.ts'

const store = { current: memoryStore() }
let clock: ManualClock
let node: TestNode

beforeEach(async () => {
  clock = new ManualClock()
  store.current = memoryStore({ clock })
  node = await startTestNode({ store: store.current, clock })
  await node.createTopic('t')
})

class TestProducer {
  readonly id: string
  producerId = -1
  producerEpoch = -1
  #sequence = 0

  constructor(id: string) {
    this.id = id
  }

  async init(): Promise<void> {
    const made = await drive(
      clock,
      node.parts.transactions.init({ transactionalId: this.id, timeoutMs: 60_000, expected: undefined }),
    )
    if (!made.ok) throw new Error(made.failure)
    this.#be(made.value)
  }

  #be(one: { readonly producerId: number; readonly producerEpoch: number }): void {
    if (one.producerEpoch !== this.producerEpoch || one.producerId !== this.producerId) this.#sequence = 0
    this.producerId = one.producerId
    this.producerEpoch = one.producerEpoch
  }

  async add(topic = 't', partition = 0): Promise<void> {
    const ask = { producer: this, partitions: [{ topic, partition }], clientVersion: 2 }
    const added = await drive(clock, node.parts.transactions.add(this.id, ask))
    if (!added.ok) throw new Error(added.failure)
  }

  async send(value: string, transactional = true): Promise<AppendResult> {
    if (transactional) await this.add()
    const record = { offset: 0, timestamp: clock.nowMs(), key: null, value: Buffer.from(value), headers: [] }
    const { producerId, producerEpoch } = this
    const batch = encodeBatch(
      { records: [record], isTransactional: transactional, producerId, producerEpoch, baseSequence: this.#sequence },
      { crc32c },
    )
    const result = await drive(
      clock,
      new Promise<AppendResult>((resolve) => {
        node.partition('t').append({ records: batch, acks: -1 }, resolve)
      }),
    )
    if (result.kind === 'appended') this.#sequence += 1
    return result
  }

  async end(result: 'commit' | 'abort'): Promise<void> {
    const ended = await drive(clock, node.parts.transactions.end(this.id, { producer: this, result, clientVersion: 2 }))
    if (!ended.ok) throw new Error(ended.failure)
    this.#be(ended.value)
    await turns()
  }
}

/** As Kafka's consumers read with `read_committed`: whole log, aborted ones left out by the list they are given. */
async function committedValues(): Promise<string[]> {
  const partition = node.partition('t')
  const values: string[] = []
  for (let at: number = partition.logStartOffset; ;) {
    const request = { offset: offset(at), maxBytes: 150, minOneBatch: true, committedOnly: true }
    const read = await drive(clock, Promise.resolve(partition.read(request)))
    if (read.kind === 'error') throw new Error(`offset ${at} cannot be read: ${read.errorCode}`)
    if (read.batches.length === 0) return values
    const aborted = [...read.aborted].sort((one, other) => one.firstOffset - other.firstOffset)
    const skipping = new Set<number>()
    for (const run of read.batches) {
      for (let place = 0; place < run.length; place += batchBytesOf(run, place)) {
        for (; aborted[0] !== undefined && aborted[0].firstOffset <= lastOffsetOf(run, place); aborted.shift())
          skipping.add(aborted[0].producerId)
        const producerId = producerIdOf(run, place)
        expect(baseOffsetOf(run, place)).toBeLessThan(read.lastStableOffset)
        if (isControlBatch(run, place)) {
          if (readTransactionMarker(run, place)?.result === 'abort') skipping.delete(producerId)
        } else if (!skipping.has(producerId)) {
          const decoded = decodeRecords(run, place, (_codec, bytes) => bytes)
          if (decoded.kind === 'ok') values.push(...decoded.records.map(({ value }) => Buffer.from(value ?? []).toString()))
        }
        at = lastOffsetOf(run, place) + 1
      }
    }
  }
}

/** Two producers and plain records between each other; the last transaction stays open. */
async function mixedLog(): Promise<{ readonly one: TestProducer; readonly two: TestProducer }> {
  const [one, two] = [new TestProducer('one'), new TestProducer('two')]
  await one.init()
  await two.init()
  await node.produce('t')
  await one.send('one: kept')
  await two.send('two: dropped')
  await one.send('one: kept too')
  await two.send('two: dropped too')
  await one.end('commit')
  await node.produce('t')
  await two.end('abort')
  await two.send('two: kept')
  await one.send('one: dropped')
  await one.end('abort')
  await two.end('commit')
  await one.send('one: open')
  await node.produce('t')
  return { one, two }
}

const visible = ['value 1', 'one: kept', 'one: kept too', 'value 2', 'two: kept']

describe('a reader of committed records', () => {
  it('sees what was committed, in the order of the log, and nothing beyond the first open transaction', async () => {
    const { one } = await mixedLog()
    expect(await committedValues()).toEqual(visible)
    const partition = node.partition('t')
    expect(partition.lastStableOffset).toBeLessThan(partition.highWatermark)
    await one.end('commit')
    expect(await committedValues()).toEqual([...visible, 'one: open', 'value 3'])
    expect(partition.lastStableOffset).toBe(partition.highWatermark)
  })

  it('sees the same of archived records, after a crash, and after the disk is gone', async () => {
    const { one } = await mixedLog()
    await node.archive('t')
    expect(await committedValues()).toEqual(visible)
    await node.flush()
    node.kill()
    node = await startTestNode({ store: store.current, clock, disk: node.disk, takeover: true, seed: 2 })
    expect(await committedValues()).toEqual(visible)
    await node.snapshot()
    await node.flush()
    node.kill()
    node = await startTestNode({ store: store.current, clock, takeover: true, seed: 3 })
    expect(await committedValues()).toEqual(visible)
    await one.end('abort')
    expect(await committedValues()).toEqual([...visible, 'value 3'])
  })

  it('goes on after records were deleted up to the midst of an open transaction', async () => {
    const { one } = await mixedLog()
    const partition = node.partition('t')
    await drive(clock, partition.deleteRecords(-1))
    expect(partition.lastStableOffset).toBe(partition.logStartOffset)
    await one.end('abort')
    await node.produce('t')
    expect(await committedValues()).toEqual(['value 4'])
  })
})

describe('a partition', () => {
  it('takes nothing outside of it from a producer with an open transaction, and nothing from an old epoch after its end', async () => {
    const producer = new TestProducer('p')
    await producer.init()
    await producer.send('in')
    expect(await producer.send('out', false)).toMatchObject({ kind: 'error', errorCode: ErrorCode.INVALID_TXN_STATE })
    const late = { producerId: producer.producerId, producerEpoch: producer.producerEpoch }
    await producer.end('commit')
    expect(node.partition('t').isInTransaction(late.producerId, late.producerEpoch)).toBe(false)
    const stale = new TestProducer('p')
    Object.assign(stale, late)
    const record = { offset: 0, timestamp: 0, key: null, value: null, headers: [] }
    const batch = encodeBatch({ records: [record], isTransactional: true, ...late, baseSequence: 1 }, { crc32c })
    const refused = await drive(
      clock,
      new Promise<AppendResult>((resolve) => {
        node.partition('t').append({ records: batch, acks: -1 }, resolve)
      }),
    )
    expect(refused).toMatchObject({ kind: 'error', errorCode: ErrorCode.INVALID_PRODUCER_EPOCH })
  })

  it('refuses markers of an older producer or coordinator', async () => {
    const partition = node.partition('t')
    const write = (producerEpoch: number, coordinatorEpoch: number) =>
      drive(
        clock,
        new Promise<AppendResult>((resolve) => {
          partition.appendMarker({ result: 'abort', producerId: 4, producerEpoch, coordinatorEpoch }, resolve)
        }),
      )
    expect(await write(3, 5)).toMatchObject({ kind: 'appended' })
    expect(await write(2, 5)).toMatchObject({ kind: 'error', errorCode: ErrorCode.INVALID_PRODUCER_EPOCH })
    expect(await write(3, 4)).toMatchObject({ kind: 'error', errorCode: ErrorCode.TRANSACTION_COORDINATOR_FENCED })
    expect([...partition.activeProducers()]).toMatchObject([
      { producerId: 4, producerEpoch: 3, coordinatorEpoch: 5, lastSequence: -1 },
    ])
  })
})

describe('offsets committed with a transaction', () => {
  const client = { clientId: 'c', clientHost: '/127.0.0.1' }

  async function commitOffset(producer: TestProducer, committedOffset: bigint): Promise<void> {
    await producer.add('__consumer_offsets', node.parts.groups.partitionFor('g'))
    const partitions = [{ partitionIndex: 0, committedOffset, committedLeaderEpoch: -1, committedMetadata: '' }]
    const { producerId, producerEpoch } = producer
    const request = txnOffsetCommitRequest({
      ...{ transactionalId: producer.id, groupId: 'g', producerId: BigInt(producerId), producerEpoch, generationId: -1 },
      topics: [{ name: 't', topicId: 'AAAAAAAAAAAAAAAAAAAAAA', partitions }],
    })
    const answer = await drive(clock, node.parts.groups.txnOffsetCommit(client, request, 5))
    expect(answer.topics[0]?.partitions[0]?.errorCode).toBe(0)
  }

  async function fetched(requireStable = false): Promise<{ readonly offset: number; readonly errorCode: number }> {
    const topics = [{ name: 't', topicId: 'AAAAAAAAAAAAAAAAAAAAAA', partitionIndexes: [0] }]
    const request = offsetFetchRequest({ groups: [offsetFetchRequestGroup({ groupId: 'g', topics })], requireStable })
    const { groups } = await drive(clock, node.parts.groups.offsetFetch(client, request, 8))
    const found = groups[0]!.topics[0]!.partitions[0]!
    return { offset: Number(found.committedOffset), errorCode: found.errorCode }
  }

  it('show once it is committed, never when it is aborted, and come back in every kind of start', async () => {
    const producer = new TestProducer('p')
    await producer.init()
    await node.produce('t', 9)
    await commitOffset(producer, 5n)
    expect(await fetched()).toEqual({ offset: -1, errorCode: 0 })
    expect(await fetched(true)).toMatchObject({ errorCode: ErrorCode.UNSTABLE_OFFSET_COMMIT })
    await producer.end('commit')
    expect(await fetched(true)).toEqual({ offset: 5, errorCode: 0 })
    await commitOffset(producer, 7n)
    await producer.end('abort')
    expect(await fetched(true)).toEqual({ offset: 5, errorCode: 0 })
    await commitOffset(producer, 8n)
    await node.flush()
    node.kill()
    node = await startTestNode({ store: store.current, clock, disk: node.disk, takeover: true, seed: 2 })
    expect(await fetched(true)).toMatchObject({ errorCode: ErrorCode.UNSTABLE_OFFSET_COMMIT })
    await node.snapshot()
    await node.flush()
    node.kill()
    node = await startTestNode({ store: store.current, clock, takeover: true, seed: 3 })
    expect(await fetched(true)).toMatchObject({ errorCode: ErrorCode.UNSTABLE_OFFSET_COMMIT })
    await producer.end('commit')
    expect(await fetched(true)).toEqual({ offset: 8, errorCode: 0 })
  })
})
