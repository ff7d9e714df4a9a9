// Owns the tests of the coordinator over its log: what survives it, who waits for whom, time-outs, markers that fail.

import { beforeEach, describe, expect, it } from 'vitest'
import { OpError } from '../../../../src/base/op-error.ts'
import { MemoryTransactionLog, MemoryTransactions } from '../../../support/memory-transactions.ts'
import { drive, ManualClock, turns } from '../../../support/manual-clock.ts'

const busy = new OpError('retry', { code: 'WAL_FULL', detail: 'not now' })
const at = (topic: string, partition = 0) => ({ topic, partition })

let clock: ManualClock
let log: MemoryTransactionLog
let world: MemoryTransactions

beforeEach(() => {
  clock = new ManualClock()
  log = new MemoryTransactionLog()
  world = new MemoryTransactions(clock, log)
})

function valueOf<Value>(
  outcome: { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly failure: string },
): Value {
  if (!outcome.ok) throw new Error(`refused with ${outcome.failure}`)
  return outcome.value
}

const begin = async (id = 'tx', timeoutMs = 60_000) =>
  valueOf(await drive(clock, world.coordinator.init({ transactionalId: id, timeoutMs, expected: undefined })))
const add = (producer: { producerId: number; producerEpoch: number }, topics: readonly string[], id = 'tx') =>
  drive(clock, world.coordinator.add(id, { producer, partitions: topics.map((topic) => at(topic)), clientVersion: 2 }))
const end = (producer: { producerId: number; producerEpoch: number }, result: 'commit' | 'abort', id = 'tx') =>
  drive(clock, world.coordinator.end(id, { producer, result, clientVersion: 2 }))
const statusOf = (id = 'tx') => valueOf(world.coordinator.describe(id))?.status
const restarted = (): void => {
  world.kill()
  world = new MemoryTransactions(clock, log)
}

describe('a transaction', () => {
  it('ends with a marker in each of its partitions, and its producer goes on with the raised epoch', async () => {
    const producer = await begin()
    expect((await add(producer, ['a', 'b'])).ok).toBe(true)
    expect(world.coordinator.verify('tx', producer, at('a'))).toBe('NONE')
    expect(world.coordinator.verify('tx', producer, at('c'))).toBe('INVALID_TXN_STATE')
    const next = valueOf(await end(producer, 'commit'))
    expect(next).toEqual({ producerId: 0, producerEpoch: 1 })
    await turns(3)
    const marker = { partition: 0, result: 'commit', producerId: 0, producerEpoch: 1, coordinatorEpoch: 7 }
    expect(world.markers).toEqual([
      { ...marker, topic: 'a' },
      { ...marker, topic: 'b' },
    ])
    expect(statusOf()).toBe('CompleteCommit')
    expect(world.coordinator.verify('tx', producer, at('a'))).toBe('PRODUCER_FENCED')
    expect((await add(next, ['a'])).ok).toBe(true)
    expect(world.coordinator.facts).toEqual({ byStatus: { Ongoing: 1 }, committed: 1, aborted: 0, timedOut: 0 })
  })

  it('comes back after a crash in whatever state it was stored, and a prepared end goes on', async () => {
    const producer = await begin()
    await add(producer, ['a'])
    restarted()
    expect(statusOf()).toBe('Ongoing')
    world.markerFault = busy
    const next = valueOf(await end(producer, 'commit'))
    restarted()
    await turns(3)
    expect(world.markers).toMatchObject([{ topic: 'a', result: 'commit', producerEpoch: 1 }])
    expect(statusOf()).toBe('CompleteCommit')
    restarted()
    expect(world.markers).toEqual([])
    expect((await add(next, ['a'])).ok).toBe(true)
  })

  it('writes each marker until it is written; a partition that is gone needs none', async () => {
    const producer = await begin()
    await add(producer, ['a', 'gone'])
    world.gone.add('gone-0')
    world.markerFault = busy
    await end(producer, 'abort')
    await pass(500)
    expect(statusOf()).toBe('PrepareAbort')
    world.markerFault = undefined
    await pass(2_000)
    expect(world.markers.map(({ topic }) => topic)).toEqual(['a'])
    expect(statusOf()).toBe('CompleteAbort')
  })

  it('that could not be stored has not begun, and the id is not there', async () => {
    world.appendFault = busy
    const refused = await drive(clock, world.coordinator.init({ transactionalId: 'new', timeoutMs: 1, expected: undefined }))
    expect(refused).toEqual({ ok: false, failure: 'COORDINATOR_NOT_AVAILABLE' })
    expect(valueOf(world.coordinator.describe('new'))).toBeUndefined()
    world.appendFault = undefined
    const producer = await begin()
    world.appendFault = busy
    expect(await add(producer, ['a'])).toEqual({ ok: false, failure: 'COORDINATOR_NOT_AVAILABLE' })
    expect(statusOf()).toBe('Empty')
  })
})

describe('one change of an id at a time', () => {
  it('a partition added during the end before waits for it; other askers come again', async () => {
    const producer = await begin()
    await add(producer, ['a'])
    world.markerFault = busy
    const next = valueOf(await end(producer, 'commit'))
    const waiting = world.coordinator.add('tx', { producer: next, partitions: [at('b')], clientVersion: 2 })
    const init = await drive(clock, world.coordinator.init({ transactionalId: 'tx', timeoutMs: 1, expected: undefined }))
    expect(init).toEqual({ ok: false, failure: 'CONCURRENT_TRANSACTIONS' })
    world.markerFault = undefined
    await pass(100)
    expect((await drive(clock, waiting)).ok).toBe(true)
    expect([...valueOf(world.coordinator.describe('tx'))!.partitions.keys()]).toEqual(['b'])
  })

  it('who waited in vain is told so', async () => {
    const producer = await begin()
    await add(producer, ['a'])
    world.markerFault = busy
    const next = valueOf(await end(producer, 'commit'))
    const waiting = world.coordinator.add('tx', { producer: next, partitions: [at('b')], clientVersion: 2 })
    await pass(1_500)
    expect(await drive(clock, waiting)).toEqual({ ok: false, failure: 'CONCURRENT_TRANSACTIONS' })
  })

  it('two who ask for the same new id at once: one gets it', async () => {
    const ask = { transactionalId: 'tx', timeoutMs: 1_000, expected: undefined }
    const both = await drive(clock, Promise.all([world.coordinator.init(ask), world.coordinator.init(ask)]))
    expect(both.filter(({ ok }) => ok)).toHaveLength(1)
  })

  it('another producer of the id has the open transaction aborted, and fences its producer', async () => {
    const first = await begin()
    await add(first, ['a'])
    const ask = { transactionalId: 'tx', timeoutMs: 1_000, expected: undefined }
    expect(await drive(clock, world.coordinator.init(ask))).toEqual({ ok: false, failure: 'CONCURRENT_TRANSACTIONS' })
    await turns(3)
    expect(world.markers).toMatchObject([{ topic: 'a', result: 'abort', producerEpoch: 1 }])
    expect(await begin()).toEqual({ producerId: 0, producerEpoch: 2 })
    expect(await end(first, 'commit')).toEqual({ ok: false, failure: 'PRODUCER_FENCED' })
  })
})

describe('time', () => {
  it('aborts a transaction that took longer than its time-out', async () => {
    const producer = await begin('tx', 5_000)
    await add(producer, ['a'])
    await pass(10_000)
    expect(statusOf()).toBe('CompleteAbort')
    // As Kafka: one epoch behind looks like a repeat, of an end that was another; what it sends to partitions is fenced.
    expect(await end(producer, 'commit')).toEqual({ ok: false, failure: 'INVALID_TXN_STATE' })
    expect(await add(producer, ['a'])).toEqual({ ok: false, failure: 'PRODUCER_FENCED' })
    expect(world.coordinator.facts).toMatchObject({ timedOut: 1, aborted: 1 })
  })

  it('forgets unused ids, in the log too', async () => {
    world.kill()
    world = new MemoryTransactions(clock, log, { idExpiryMs: 20_000 })
    await begin('unused')
    const used = await begin('used')
    await add(used, ['a'], 'used')
    for (let step = 0; step < 4; step += 1) {
      await pass(10_000)
    }
    expect(valueOf(world.coordinator.list()).map(({ transactionalId }) => transactionalId)).toEqual(['used'])
    restarted()
    expect(valueOf(world.coordinator.list()).map(({ transactionalId }) => transactionalId)).toEqual(['used'])
  })
})

describe('the log', () => {
  it('is written anew when most of it is history, and gives the same state then', async () => {
    const one = new MemoryTransactionLog(1)
    log = one
    world = new MemoryTransactions(clock, log)
    const still = await begin('still')
    await add(still, ['a', 'b'], 'still')
    let producer = await begin()
    for (let count = 0; count < 4_000; count += 1) {
      await add(producer, ['a'])
      producer = valueOf(await end(producer, 'commit'))
      await turns(1)
    }
    const left = one.records[0]!.filter((record) => record !== undefined).length
    expect(one.records[0]!.length).toBeGreaterThan(12_000)
    expect(left).toBeLessThan(3_000)
    const before = valueOf(world.coordinator.list())
    restarted()
    const stored = (all: typeof before) => all.map((each) => ({ ...each, lastProducerEpoch: -1 }))
    expect(stored(valueOf(world.coordinator.list()))).toEqual(expect.arrayContaining(stored(before)))
    expect(world.deaths).toEqual([])
  })

  it('is not served before it is loaded, nor after the end', async () => {
    world.kill()
    expect(world.coordinator.describe('tx')).toEqual({ ok: false, failure: 'NOT_COORDINATOR' })
    const refused = await drive(clock, world.coordinator.init({ transactionalId: 'tx', timeoutMs: 1, expected: undefined }))
    expect(refused).toEqual({ ok: false, failure: 'NOT_COORDINATOR' })
  })

  it('says what is wrong with a record it cannot read', () => {
    const bad = world.coordinator.replay(0, { key: new Uint8Array([0, 9]), value: null })
    expect(bad).toEqual({ ok: false, failure: 'a key of type 9' })
  })
})

/** Time goes by in steps, each with what follows from it. */
async function pass(ms: number): Promise<void> {
  for (let step = 0; step < 50; step += 1) {
    clock.advance(ms / 50)
    await turns(2)
  }
}
