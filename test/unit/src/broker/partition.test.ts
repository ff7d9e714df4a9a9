// Owns what a partition answers, and when, on a node whose disk and bucket do as they are told.

import { beforeEach, describe, expect, it } from 'vitest'
import { crc32c } from '../../../../src/base/node/native-crc32c.ts'
import { OpError } from '../../../../src/base/op-error.ts'
import type { AppendResult } from '../../../../src/broker/api.ts'
import type { Partition } from '../../../../src/broker/partition/partition.ts'
import { offset } from '../../../../src/model/ids.ts'
import { encodeBatch, ErrorCode, maxTimestampOf, timestampTypeOf } from '../../../../src/protocol/index.ts'
import { memoryStore } from '../../../../tiers/object-store/memory.ts'
import type { ObjectStore } from '../../../../tiers/ports.ts'
import { drive, ManualClock, turns } from '../../../support/manual-clock.ts'
import { startTestNode, type TestNode } from '../../../support/test-node.ts'

let clock: ManualClock
let store: ObjectStore
let node: TestNode

beforeEach(async () => {
  clock = new ManualClock()
  store = memoryStore({ clock })
  node = await startTestNode({ store, clock })
  await node.createTopic('t')
})

interface Wanted {
  readonly sequence?: number
  readonly epoch?: number
  readonly count?: number
  readonly topic?: string
  readonly acks?: -1 | 0 | 1
  readonly valueBytes?: number
}

/** Sends one batch of producer 9; the answers come into the list. */
function send({ sequence = 0, epoch = 0, count = 1, topic = 't', acks = -1, valueBytes = 5 }: Wanted): AppendResult[] {
  const timestamp = clock.nowMs()
  const records = Array.from({ length: count }, (_, at) => ({
    offset: at,
    timestamp,
    key: null,
    value: Buffer.alloc(valueBytes, 7),
    headers: [],
  }))
  const answers: AppendResult[] = []
  const bytes = encodeBatch({ records, producerId: 9, producerEpoch: epoch, baseSequence: sequence }, { crc32c })
  node.partition(topic).append({ records: bytes, acks }, (result) => answers.push(result))
  return answers
}

const appendedAt = (baseOffset: number): object => ({ kind: 'appended', baseOffset, logAppendTimeMs: -1, logStartOffset: 0 })
const refusedWith = (errorCode: number): unknown => expect.objectContaining({ kind: 'error', errorCode })

describe('a batch that is sent again', () => {
  it('is answered with its first offset when it is durable, and together with the first when it is still on its way', async () => {
    node.disk.held = true
    const first = send({ sequence: 0, count: 3 })
    const again = send({ sequence: 0, count: 3 })
    await turns()
    expect([first, again]).toEqual([[], []])
    expect(node.partition('t').logEndOffset).toBe(3)
    node.disk.release()
    await turns()
    expect([first, again]).toEqual([[appendedAt(0)], [appendedAt(0)]])
    expect(send({ sequence: 0, count: 3 })).toEqual([appendedAt(0)])
    expect(node.partition('t').logEndOffset).toBe(3)
    expect(node.partition('t').counters.duplicates).toBe(2)
  })

  it('is still known after a crash, from the bucket alone', async () => {
    send({ sequence: 0 })
    send({ sequence: 1 })
    await node.flush()
    node.kill()
    node = await startTestNode({ store, clock, seed: 2, takeover: true })
    expect(send({ sequence: 1 })).toEqual([appendedAt(1)])
    expect(send({ sequence: 3 })).toEqual([refusedWith(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)])
    expect(send({ sequence: 0, epoch: 1 })).toEqual([])
    expect(send({ sequence: 2, epoch: 0 })).toEqual([refusedWith(ErrorCode.INVALID_PRODUCER_EPOCH)])
  })

  it('is answered at once with acks=0, on its way or not', () => {
    node.disk.held = true
    expect(send({ sequence: 0, acks: 0 })).toEqual([appendedAt(0)])
    expect(send({ sequence: 0, acks: 0 })).toEqual([appendedAt(0)])
  })

  it('brings back its time of append where the broker sets the time', async () => {
    await node.createTopic('stamped', 1, { 'message.timestamp.type': 'LogAppendTime' })
    const first = send({ topic: 'stamped' })
    await turns()
    const stampedAt = first[0]?.kind === 'appended' ? first[0].logAppendTimeMs : -1
    expect(stampedAt).toBe(clock.nowMs())
    clock.advance(500)
    expect(send({ topic: 'stamped' })).toEqual([{ ...appendedAt(0), logAppendTimeMs: stampedAt }])
    const read = await node.partition('stamped').read({ offset: offset(0), maxBytes: 1000, minOneBatch: true })
    const batch = read.kind === 'records' ? read.batches[0]! : new Uint8Array(61)
    expect([timestampTypeOf(batch), maxTimestampOf(batch)]).toEqual(['LogAppendTime', stampedAt])
  })
})

describe('a log that cannot take a batch', () => {
  it('says so in a way that is tried again, and nothing has changed', async () => {
    await node.produce('t', 2)
    const partition = node.partition('t')
    const before = Buffer.from(partition.snapshot()).toString('hex')
    const { wal } = node.recovered
    const append = wal.append.bind(wal)
    wal.append = () => {
      throw new OpError('busy', { code: 'WAL_FULL', detail: 'no room' })
    }
    expect(send({ sequence: 0 })).toEqual([refusedWith(ErrorCode.KAFKA_STORAGE_ERROR)])
    await expect(partition.appendControl({ kind: 'log-start', offset: offset(1) })).rejects.toMatchObject({ code: 'WAL_FULL' })
    expect(Buffer.from(partition.snapshot()).toString('hex')).toBe(before)
    wal.append = append
    const answers = send({ sequence: 0 })
    await turns()
    expect(answers).toEqual([appendedAt(2)])
  })

  it('tells a batch that no WAL file will ever hold that it is too large', () => {
    node.recovered.wal.append = () => {
      throw new OpError('invalid', { code: 'WAL_ENTRY_TOO_LARGE', detail: 'larger than a file' })
    }
    expect(send({})).toEqual([refusedWith(ErrorCode.MESSAGE_TOO_LARGE)])
  })
})

describe('a topic that is deleted', () => {
  async function deleteIt(): Promise<void> {
    const deleted = await drive(clock, node.parts.broker.deleteTopic(node.partition('t').topicId))
    expect(deleted.ok).toBe(true)
  }

  it('answers appends and wakes readers that were under way', async () => {
    await node.createTopic('b', 1, { 'chronik.durability': 'bucket' })
    const partition = node.partition('b')
    const answers = send({ topic: 'b' })
    const repeated = send({ topic: 'b' })
    let isWoken = false
    partition.onReadableBeyond(offset(0), () => (isWoken = true))
    const wal = node.store.inject({ fault: { kind: 'hang' }, keys: /^wal\// })
    const deleted = await drive(clock, node.parts.broker.deleteTopic(partition.topicId))
    expect(deleted.ok).toBe(true)
    expect([answers, repeated]).toEqual([
      [refusedWith(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)],
      [refusedWith(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)],
    ])
    expect(isWoken).toBe(true)
    wal.remove()
    await node.flush()
    expect(answers).toHaveLength(1)
    expect(node.failures).toEqual([])
  })

  it('does not hold up archiving, which waits for an entry of it', async () => {
    await node.produce('t', 3)
    const partition = node.partition('t')
    const segments = node.store.inject({ fault: { kind: 'hang' }, keys: /^segments\// })
    const rolled = node.parts.archiver.roll(partition)
    await turns()
    await deleteIt()
    segments.remove()
    await drive(clock, rolled)
    await expect(partition.appendControl({ kind: 'log-start', offset: offset(1) })).rejects.toMatchObject({
      code: 'PARTITION_GONE',
    })
    await node.createTopic('u')
    await node.produce('u', 1)
    await node.archive('u')
    expect(node.partition('u').state.segments).toHaveLength(1)
    expect(node.parts.archiver.counters.failures).toBe(0)
  })

  it('is unknown to who still holds it', async () => {
    await node.produce('t', 3)
    const partition: Partition = node.partition('t')
    await deleteIt()
    expect(partition.read({ offset: offset(0), maxBytes: 100, minOneBatch: true })).toMatchObject({
      kind: 'error',
      errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    })
    expect(node.parts.broker.hotBytes).toBe(0)
  })
})

describe('what is visible', () => {
  it('with durability bucket is only what is in the bucket, and nobody is told before', async () => {
    await node.createTopic('b', 1, { 'chronik.durability': 'bucket' })
    const wal = node.store.inject({ fault: { kind: 'hang' }, keys: /^wal\// })
    const answers = send({ topic: 'b', count: 2 })
    await turns()
    clock.advance(500)
    await turns()
    expect(wal.hanging).toBe(1)
    const partition = node.partition('b')
    expect([answers, partition.highWatermark, partition.logEndOffset]).toEqual([[], 0, 2])
    // In the log and not visible yet: nothing to read, and no error either.
    for (const at of [0, 1, 2])
      expect(partition.read({ offset: offset(at), maxBytes: 100, minOneBatch: true })).toMatchObject({
        kind: 'records',
        bytes: 0,
      })
    expect(partition.read({ offset: offset(3), maxBytes: 100, minOneBatch: true })).toMatchObject({
      errorCode: ErrorCode.OFFSET_OUT_OF_RANGE,
    })
    wal.remove()
    await turns()
    expect([answers, partition.highWatermark]).toEqual([[appendedAt(0)], 2])
  })

  it('counts for searches by time: the newest is no answer before it is visible', async () => {
    await node.produce('t', 1)
    clock.advance(1000)
    node.disk.held = true
    send({})
    expect(await drive(clock, node.partition('t').offsetOfMaxTimestamp())).toMatchObject({ offset: 0 })
    node.disk.release()
    await turns()
    expect(await drive(clock, node.partition('t').offsetOfMaxTimestamp())).toMatchObject({ offset: 1 })
  })
})

describe('a node whose log ends', () => {
  it('answers everyone who waits, takes nothing more, and comes to an end', async () => {
    node.disk.held = true
    const append = send({})
    const control = node.partition('t').appendControl({ kind: 'log-start', offset: offset(0) })
    const created = node.parts.broker.autoCreateTopic('never')
    const flushed = node.parts.logs.flush()
    flushed.catch(() => undefined)
    const reason = new OpError('fenced', { code: 'FENCED', detail: 'another life has begun' })
    node.parts.logs.end(reason)
    node.parts.broker.abandon(reason)
    expect(append).toEqual([refusedWith(ErrorCode.NOT_LEADER_OR_FOLLOWER)])
    await expect(control).rejects.toMatchObject({ code: 'PARTITION_GONE' })
    expect(await created).toMatchObject({ ok: false, failure: { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER } })
    await expect(flushed).rejects.toBe(reason)
    // What becomes durable all the same is nobody's any more.
    node.disk.release()
    await turns()
    expect(append).toHaveLength(1)
    expect(send({ sequence: 1 })).toEqual([refusedWith(ErrorCode.NOT_LEADER_OR_FOLLOWER)])
    await drive(clock, node.parts.archiver.close())
  })
})

describe('segments and retention', () => {
  it('roll into contiguous segments of the topic’s size, and go by age, as a whole', async () => {
    await node.createTopic('s', 1, { 'segment.bytes': '1048576', 'retention.ms': '60000' })
    for (let round = 0; round < 6; round += 1) await node.produce('s', 1, { valueBytes: 400_000 })
    await node.archive('s')
    const partition = node.partition('s')
    expect(partition.state.segments.map(({ baseOffset, endOffset }) => [Number(baseOffset), Number(endOffset)])).toEqual([
      [0, 3],
      [3, 6],
    ])
    expect([partition.unarchivedBytes, partition.unarchivedSinceMs]).toEqual([0, undefined])
    clock.advance(70_000)
    await node.produce('s', 1)
    await drive(clock, node.parts.archiver.applyRetention())
    expect([partition.logStartOffset, partition.highWatermark]).toEqual([6, 7])
    expect(node.parts.archiver.counters.expiredSegments).toBe(2)
    expect(await node.readAll('s')).toMatchObject({ endOffset: 7 })
    node.kill()
    node = await startTestNode({ store, clock, seed: 3, disk: node.disk })
    expect(node.partition('s').logStartOffset).toBe(6)
  })

  it('a segment that was uploaded before a crash and not published is written again without harm', async () => {
    await node.produce('t', 5)
    await node.flush()
    node.disk.held = true
    const rolled = node.parts.archiver.roll(node.partition('t'))
    await turns(40)
    clock.advance(50)
    await turns(40)
    const orphans: string[] = []
    for await (const { key } of store.list('segments/')) orphans.push(key)
    expect(orphans).toHaveLength(1)
    node.kill()
    void rolled
    node = await startTestNode({ store, clock, seed: 4, takeover: true })
    expect(node.partition('t').state.segments).toEqual([])
    await node.archive('t')
    expect(node.partition('t').state.segments).toHaveLength(1)
    expect(await node.readAll('t')).toMatchObject({ endOffset: 5 })
  })
})

describe('deleted records', () => {
  const readAt = (at: number) => node.partition('t').read({ offset: offset(at), maxBytes: 1000, minOneBatch: true })
  const remove = (before: number) => drive(clock, node.partition('t').deleteRecords(before))

  it('are gone up to the midst of a batch, from reads, searches by time, segments and after a cold start', async () => {
    send({ sequence: 0, count: 5 })
    await turns()
    clock.advance(1000)
    send({ sequence: 5, count: 5 })
    await node.flush()
    expect(await remove(3)).toEqual({ ok: true, value: 3 })
    const check = async (): Promise<void> => {
      expect(node.partition('t').logStartOffset).toBe(3)
      expect(readAt(2)).toMatchObject({ errorCode: ErrorCode.OFFSET_OUT_OF_RANGE })
      // The whole batch, as in Kafka: the client skips what it did not ask for.
      expect(await readAt(3)).toMatchObject({ kind: 'records', logStartOffset: 3 })
      expect(await drive(clock, node.partition('t').offsetForTimestamp(0))).toMatchObject({ offset: 3 })
    }
    await check()
    // The first segment holds whole batches: it begins before the log does.
    await node.archive('t')
    expect(node.partition('t').state.segments.map(({ baseOffset, endOffset }) => [baseOffset, endOffset])).toEqual([[0, 10]])
    await check()
    await node.flush()
    node.kill()
    node = await startTestNode({ store, clock, seed: 5, takeover: true })
    await check()
    expect(await remove(-1)).toEqual({ ok: true, value: 10 })
    expect(node.partition('t').state.segments).toEqual([])
    expect(send({ sequence: 10 })).toEqual([])
    await turns()
    expect(node.partition('t').highWatermark).toBe(11)
    expect(await readAt(10)).toMatchObject({ kind: 'records', logStartOffset: 10 })
  })

  it('never lie beyond what is visible, and never come back', async () => {
    await node.produce('t', 4)
    expect(await remove(5)).toMatchObject({ ok: false, failure: { errorCode: ErrorCode.OFFSET_OUT_OF_RANGE } })
    expect(await remove(-2)).toMatchObject({ ok: false, failure: { errorCode: ErrorCode.OFFSET_OUT_OF_RANGE } })
    expect(await remove(2)).toEqual({ ok: true, value: 2 })
    expect(await remove(1)).toEqual({ ok: true, value: 2 })
    await node.createTopic('kept', 1, { 'cleanup.policy': 'compact' })
    expect(await node.partition('kept').deleteRecords(0)).toMatchObject({
      ok: false,
      failure: { errorCode: ErrorCode.POLICY_VIOLATION },
    })
  })
})

describe('the end of a leader epoch', () => {
  it('is where the next one with records began, or the end of the log', async () => {
    const [first] = [node.partition('t').leaderEpoch]
    expect(node.partition('t').endOfEpoch(first)).toEqual({ leaderEpoch: first, endOffset: 0 })
    await node.produce('t', 3)
    node.kill()
    node = await startTestNode({ store, clock, seed: 6, disk: node.disk })
    const second = node.partition('t').leaderEpoch
    expect(second).toBeGreaterThan(first)
    // Nothing written in it yet: it begins where the one before ended.
    expect(node.partition('t').endOfEpoch(first)).toEqual({ leaderEpoch: first, endOffset: 3 })
    await node.produce('t', 2)
    expect(node.partition('t').endOfEpoch(first)).toEqual({ leaderEpoch: first, endOffset: 3 })
    expect(node.partition('t').endOfEpoch(second)).toEqual({ leaderEpoch: second, endOffset: 5 })
    expect(node.partition('t').endOfEpoch(second + 1)).toBeUndefined()
    expect(node.partition('t').endOfEpoch(-1)).toBeUndefined()
    // Older than any record: nothing of it can be here, whatever comes next begins the log.
    expect(node.partition('t').endOfEpoch(first - 1)).toEqual({ leaderEpoch: first - 1, endOffset: 0 })
  })
})
