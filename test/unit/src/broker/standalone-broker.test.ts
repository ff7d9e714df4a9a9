// Owns what the broker answers to changes of metadata: Kafka's codes, what is refused, what happens at the same time.

import { beforeEach, describe, expect, it } from 'vitest'
import type { NewTopic } from '../../../../src/broker/api.ts'
import { topicId } from '../../../../src/model/ids.ts'
import { ErrorCode } from '../../../../src/protocol/index.ts'
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
})

const create = (change: Partial<NewTopic> = {}) =>
  drive(
    clock,
    node.parts.broker.createTopic({
      name: 't',
      partitionCount: -1,
      replicationFactor: -1,
      assignments: new Map(),
      configs: new Map(),
      validateOnly: false,
      ...change,
    }),
  )
const refusedWith = (errorCode: number): object => ({ ok: false, failure: { errorCode, message: expect.any(String) } })

describe('creating a topic', () => {
  it.each([
    ['an empty name', { name: '' }, ErrorCode.INVALID_TOPIC_EXCEPTION],
    ['a name of dots', { name: '..' }, ErrorCode.INVALID_TOPIC_EXCEPTION],
    ['a name of 250 letters', { name: 'a'.repeat(250) }, ErrorCode.INVALID_TOPIC_EXCEPTION],
    ['a name with a slash', { name: 'a/b' }, ErrorCode.INVALID_TOPIC_EXCEPTION],
    ['no partitions', { partitionCount: 0 }, ErrorCode.INVALID_PARTITIONS],
    ['partitions below zero', { partitionCount: -2 }, ErrorCode.INVALID_PARTITIONS],
    ['partitions beyond reason', { partitionCount: 10_001 }, ErrorCode.INVALID_PARTITIONS],
    ['no replicas', { replicationFactor: 0 }, ErrorCode.INVALID_REPLICATION_FACTOR],
    ['more replicas than brokers', { replicationFactor: 2 }, ErrorCode.INVALID_REPLICATION_FACTOR],
    ['an unknown config', { configs: new Map([['no.such', '1']]) }, ErrorCode.INVALID_CONFIG],
    ['an unknown config reset', { configs: new Map([['no.such', null]]) }, ErrorCode.INVALID_CONFIG],
    ['a config out of range', { configs: new Map([['retention.ms', '-5']]) }, ErrorCode.INVALID_CONFIG],
    ['a durability that is none', { configs: new Map([['chronik.durability', 'hope']]) }, ErrorCode.INVALID_CONFIG],
    ['counts beside assignments', { partitionCount: 1, assignments: new Map([[0, [1]]]) }, ErrorCode.INVALID_REQUEST],
    ['a replica on another broker', { assignments: new Map([[0, [2]]]) }, ErrorCode.INVALID_REPLICA_ASSIGNMENT],
    ['a replica twice', { assignments: new Map([[0, [1, 1]]]) }, ErrorCode.INVALID_REPLICA_ASSIGNMENT],
    ['no replica', { assignments: new Map([[0, []]]) }, ErrorCode.INVALID_REPLICA_ASSIGNMENT],
    ['assignments with a gap', { assignments: new Map([[0, [1]], [2, [1]]]) }, ErrorCode.INVALID_REPLICA_ASSIGNMENT], // prettier-ignore
    ['the offsets topic with other partitions', { name: '__consumer_offsets', partitionCount: 7 }, ErrorCode.INVALID_PARTITIONS],
  ] as Array<[string, Partial<NewTopic>, number]>)('with %s is refused', async (_what, change, errorCode) => {
    expect(await create(change)).toMatchObject(refusedWith(errorCode))
    expect([...node.parts.broker.topics()]).toEqual([])
  })

  it('twice is refused, also at the same moment, and so is a name that differs in dots only', async () => {
    const both = await Promise.all([create({ name: 'a.b' }), create({ name: 'a.b' })])
    expect(both.map((one) => one.ok).sort()).toEqual([false, true])
    expect(await create({ name: 'a.b' })).toMatchObject(refusedWith(ErrorCode.TOPIC_ALREADY_EXISTS))
    expect(await create({ name: 'a_b' })).toMatchObject(refusedWith(ErrorCode.INVALID_TOPIC_EXCEPTION))
  })

  it('takes the broker’s defaults, takes assignments, and only validates when asked to', async () => {
    expect(await create({ validateOnly: true, partitionCount: 3 })).toMatchObject({ ok: true, value: { name: 't' } })
    expect(node.parts.broker.topicByName('t')).toBeUndefined()
    expect(await create({ assignments: new Map([[0, [1]], [1, [1]]]) })).toMatchObject({ ok: true }) // prettier-ignore
    expect(node.parts.broker.topicByName('t')?.partitions).toHaveLength(2)
    expect(await create({ name: 'u' })).toMatchObject({ ok: true })
    expect(node.parts.broker.topicByName('u')?.partitions).toHaveLength(1)
  })

  it('is joined by all who auto-create the same one, the offsets topic with its own partitions and configs', async () => {
    const { broker } = node.parts
    const made = await drive(clock, Promise.all([1, 2, 3].map(() => broker.autoCreateTopic('__consumer_offsets'))))
    expect(new Set(made.map((one) => (one.ok ? one.value.id : 'refused'))).size).toBe(1)
    const topic = broker.topicByName('__consumer_offsets')
    expect([topic?.internal, topic?.partitions.length, topic?.configs.get('cleanup.policy')]).toEqual([true, 2, 'compact'])
    expect(await drive(clock, broker.deleteTopic(topic!.id))).toMatchObject(refusedWith(ErrorCode.INVALID_TOPIC_EXCEPTION))
    expect(await drive(clock, broker.createPartitions(topic!.id, 5, false))).toMatchObject(
      refusedWith(ErrorCode.INVALID_TOPIC_EXCEPTION),
    )
  })
})

describe('partitions', () => {
  it('grow and never shrink; the topic must be there', async () => {
    await create({ partitionCount: 2 })
    const { broker } = node.parts
    const { id } = broker.topicByName('t')!
    const grow = (count: number, validateOnly = false) => drive(clock, broker.createPartitions(id, count, validateOnly))
    for (const count of [1, 2, 10_001]) expect(await grow(count)).toMatchObject(refusedWith(ErrorCode.INVALID_PARTITIONS))
    expect(await grow(5, true)).toEqual({ ok: true, value: undefined })
    expect(broker.topicById(id)?.partitions).toHaveLength(2)
    expect(await grow(5)).toEqual({ ok: true, value: undefined })
    expect(broker.topicById(id)?.partitions).toHaveLength(5)
    await node.produce('t', 1, { partition: 4 })
    const missing = await drive(clock, broker.createPartitions(topicId('AAECAwQFBgcICQoLDA0ODw'), 3, false))
    expect(missing).toMatchObject({ ok: false, failure: { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION } })
  })
})

describe('producer ids', () => {
  const some = (count: number) =>
    drive(clock, Promise.all(Array.from({ length: count }, () => node.parts.broker.freshProducerId())))

  it('are given out once, in blocks, however many ask at once, and never again by a later life', async () => {
    const ids = (await some(2500)).map((one) => (one.ok ? one.value : -1))
    expect(new Set(ids).size).toBe(2500)
    expect(Math.min(...ids)).toBe(0)
    await node.flush()
    node.kill()
    node = await startTestNode({ store, clock, seed: 2, takeover: true })
    const later = (await some(10)).map((one) => (one.ok ? one.value : -1))
    expect(Math.min(...later)).toBeGreaterThan(Math.max(...ids))
  })
})

describe('a change of metadata', () => {
  it('is answered once it is in the bucket, and not before', async () => {
    const held = node.store.inject({ fault: { kind: 'hang' }, keys: /^metadata\// })
    let isAnswered = false
    const { broker } = node.parts
    const made = broker.autoCreateTopic('t').finally(() => (isAnswered = true))
    await drive(clock, new Promise<void>((resolve) => clock.after(2_000, resolve)))
    expect([isAnswered, broker.topicByName('t')]).toEqual([false, undefined])
    held.remove()
    expect(await drive(clock, made)).toMatchObject({ ok: true })
  })
})

describe('altering the configs of a topic', () => {
  const alter = (change: (own: ReadonlyMap<string, string>) => ReadonlyMap<string, string>, validateOnly = false) => {
    const topic = node.parts.broker.topicByName('t')
    return node.parts.broker.alterTopicConfigs(
      topic?.id ?? topicId('AAECAwQFBgcICQoLDA0ODw'),
      (own) => ({ ok: true, value: change(own) }),
      validateOnly,
    )
  }
  const set = (name: string, value: string) => (own: ReadonlyMap<string, string>) => new Map([...own, [name, value]])
  const own = (): Record<string, string> => Object.fromEntries(node.parts.broker.topicByName('t')?.configs ?? [])

  it('takes effect at once, is shown, and is still there after a crash, from the bucket alone', async () => {
    await create({ configs: new Map([['retention.ms', '1000']]) })
    const before = node.partition('t')
    expect(await drive(clock, alter(set('max.message.bytes', '100')))).toEqual({ ok: true, value: undefined })
    expect(node.partition('t')).toBe(before)
    expect(before.settings).toMatchObject({ maxMessageBytes: 100, retentionMs: 1000 })
    await expect(node.produce('t', 1, { valueBytes: 500 })).rejects.toThrow()
    const shown = node.parts.broker.describeTopicConfigs(node.parts.broker.topicByName('t')!)
    expect(shown.find(({ name }) => name === 'max.message.bytes')).toMatchObject({ value: '100', source: 1 })
    node.kill()
    node = await startTestNode({ store, clock, seed: 2, takeover: true })
    expect(own()).toEqual({ 'retention.ms': '1000', 'max.message.bytes': '100' })
    expect(node.partition('t').settings.maxMessageBytes).toBe(100)
  })

  it('two changes at the same time both hold', async () => {
    await create()
    const both = Promise.all([alter(set('retention.ms', '1')), alter(set('segment.ms', '2'))])
    expect(await drive(clock, both)).toMatchObject([{ ok: true }, { ok: true }])
    expect(own()).toEqual({ 'retention.ms': '1', 'segment.ms': '2' })
  })

  it('refuses what would not be accepted at creation, and changes nothing when only asked to validate', async () => {
    await create()
    expect(await alter(set('no.such', '1'))).toMatchObject(refusedWith(ErrorCode.INVALID_CONFIG))
    expect(await alter(set('retention.ms', '-5'))).toMatchObject(refusedWith(ErrorCode.INVALID_CONFIG))
    expect(await alter(set('retention.ms', '5'), true)).toMatchObject({ ok: true })
    expect(own()).toEqual({})
    node.parts.broker.topicByName('t')
    expect(await drive(clock, node.parts.broker.deleteTopic(node.parts.broker.topicByName('t')!.id))).toMatchObject({ ok: true })
    expect(await alter(set('retention.ms', '5'))).toMatchObject({
      ok: false,
      failure: { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION },
    })
  })

  it('to durability bucket, the next acknowledgement means in the bucket; back again, nobody waits for the bucket any more', async () => {
    await create()
    await node.produce('t', 1)
    await drive(clock, alter(set('chronik.durability', 'bucket')))
    const wal = node.store.inject({ fault: { kind: 'hang' }, keys: /^wal\// })
    const partition = node.partition('t')
    let acknowledged = false
    const produced = node.produce('t', 1).then(() => (acknowledged = true))
    await turns()
    clock.advance(500)
    await turns()
    expect([acknowledged, partition.highWatermark, partition.logEndOffset]).toEqual([false, 1, 2])
    await drive(clock, alter(set('chronik.durability', 'quorum')))
    await drive(clock, produced)
    expect([acknowledged, partition.highWatermark]).toEqual([true, 2])
    wal.remove()
  })
})
