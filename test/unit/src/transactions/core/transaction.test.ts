// Owns the tests of what may follow what in a transaction's life, and what each asker is told.

import { describe, expect, it } from 'vitest'
import {
  completed,
  isExpired,
  isTimedOut,
  type Plan,
  planAdd,
  planEnd,
  planFence,
  planInit,
  producerAfterEnd,
  producerEpochMax,
  type Transaction,
  type TransactionStatus,
} from '../../../../../src/transactions/core/transaction.ts'

const nowMs = 5_000
const init = { transactionalId: 'tx', timeoutMs: 100, expected: undefined, nowMs, freshProducerId: 9 }

function stored(plan: Plan): Transaction {
  if (plan.kind !== 'store') throw new Error(`planned ${JSON.stringify(plan)}`)
  return plan.next
}

const begun = (change: Partial<Transaction> = {}): Transaction => ({ ...stored(planInit(undefined, init)), ...change })
const producerOf = ({ producerId, producerEpoch }: Transaction) => ({ producerId, producerEpoch })
const refusal = (error: string): Plan => ({ kind: 'refuse', error }) as Plan

describe('InitProducerId', () => {
  it('gives a new id a fresh producer id, with epoch 0', () => {
    expect(planInit(undefined, { ...init, freshProducerId: undefined })).toEqual({ kind: 'needs-id' })
    expect(begun()).toMatchObject({ producerId: 9, producerEpoch: 0, status: 'Empty', startMs: -1, timeoutMs: 100 })
  })

  it('raises the epoch for whoever comes next, and fences who comes back with an old one', () => {
    const second = stored(planInit(begun(), init))
    expect(second).toMatchObject({ producerId: 9, producerEpoch: 1, lastProducerEpoch: -1 })
    expect(planInit(second, { ...init, expected: { producerId: 9, producerEpoch: 0 } })).toEqual(refusal('PRODUCER_FENCED'))
    expect(planInit(second, { ...init, expected: { producerId: 8, producerEpoch: 1 } })).toEqual(refusal('PRODUCER_FENCED'))
  })

  it('answers a repeat of a raise as the first time', () => {
    const raised = stored(planInit(begun(), { ...init, expected: { producerId: 9, producerEpoch: 0 } }))
    expect(raised).toMatchObject({ producerEpoch: 1, lastProducerEpoch: 0 })
    expect(stored(planInit(raised, { ...init, expected: { producerId: 9, producerEpoch: 0 } }))).toMatchObject({
      producerEpoch: 1,
    })
  })

  it('waits for an end that goes on, and has an open transaction aborted first', () => {
    expect(planInit(begun({ status: 'PrepareCommit' }), init)).toEqual(refusal('CONCURRENT_TRANSACTIONS'))
    expect(planInit(begun({ status: 'Ongoing' }), init)).toEqual({ kind: 'abort-first' })
  })

  it('takes a fresh producer id when the epochs are used up, and remembers the old one for a repeat', () => {
    const last = begun({ producerEpoch: producerEpochMax - 1 })
    expect(planInit(last, { ...init, freshProducerId: undefined })).toEqual({ kind: 'needs-id' })
    const rotated = stored(planInit(last, { ...init, freshProducerId: 10, expected: producerOf(last) }))
    expect(rotated).toMatchObject({
      producerId: 10,
      producerEpoch: 0,
      previousProducerId: 9,
      lastProducerEpoch: producerEpochMax - 1,
    })
    expect(stored(planInit(rotated, { ...init, expected: producerOf(last) }))).toMatchObject({ producerId: 10, producerEpoch: 0 })
  })
})

describe('adding partitions', () => {
  const at = { topic: 'a', partition: 1 }
  const add = (current: Transaction | undefined, change: object = {}) =>
    planAdd(current, { producer: { producerId: 9, producerEpoch: 0 }, partitions: [at], clientVersion: 2, ...change }, nowMs + 1)

  it('begins a transaction, and adds to it once', () => {
    const ongoing = stored(add(begun()))
    expect(ongoing).toMatchObject({ status: 'Ongoing', startMs: nowMs + 1, clientVersion: 2 })
    expect([...ongoing.partitions]).toEqual([['a', new Set([1])]])
    expect(add(ongoing)).toEqual({ kind: 'unchanged' })
    const more = stored(
      planAdd(
        ongoing,
        { producer: producerOf(ongoing), partitions: [{ topic: 'b', partition: 0 }, at], clientVersion: 2 },
        9_000,
      ),
    )
    expect(more).toMatchObject({ startMs: nowMs + 1, lastUpdateMs: 9_000 })
    expect([...more.partitions.keys()]).toEqual(['a', 'b'])
  })

  it.each<TransactionStatus>(['CompleteCommit', 'CompleteAbort'])('after %s begins anew', (status) => {
    const again = stored(add(begun({ status, partitions: new Map([['old', new Set([0])]]), startMs: 1 })))
    expect([...again.partitions.keys()]).toEqual(['a'])
    expect(again.startMs).toBe(nowMs + 1)
  })

  it('is for the producer of now, and not during an end', () => {
    expect(add(undefined)).toEqual(refusal('INVALID_PRODUCER_ID_MAPPING'))
    expect(add(begun(), { producer: { producerId: 8, producerEpoch: 0 } })).toEqual(refusal('INVALID_PRODUCER_ID_MAPPING'))
    expect(add(begun({ producerEpoch: 1 }))).toEqual(refusal('PRODUCER_FENCED'))
    expect(add(begun({ status: 'PrepareAbort' }))).toEqual(refusal('CONCURRENT_TRANSACTIONS'))
  })
})

describe('ending', () => {
  const ask = (result: 'commit' | 'abort', clientVersion: number, producerEpoch = 0) =>
    ({ producer: { producerId: 9, producerEpoch }, result, clientVersion, nowMs: 6_000, freshProducerId: undefined }) as const

  // What a second EndTxn is told in each state: of old clients, then of those of version 2, for commit and for abort.
  const table: ReadonlyArray<readonly [TransactionStatus, string, string, string, string]> = [
    ['Empty', 'INVALID_TXN_STATE', 'INVALID_TXN_STATE', 'INVALID_TXN_STATE', 'PrepareAbort'],
    ['Ongoing', 'PrepareCommit', 'PrepareAbort', 'PrepareCommit', 'PrepareAbort'],
    ['PrepareCommit', 'CONCURRENT_TRANSACTIONS', 'INVALID_TXN_STATE', 'CONCURRENT_TRANSACTIONS', 'INVALID_TXN_STATE'],
    ['PrepareAbort', 'INVALID_TXN_STATE', 'CONCURRENT_TRANSACTIONS', 'INVALID_TXN_STATE', 'CONCURRENT_TRANSACTIONS'],
    ['CompleteCommit', 'unchanged', 'INVALID_TXN_STATE', 'INVALID_TXN_STATE', 'PrepareAbort'],
    ['CompleteAbort', 'INVALID_TXN_STATE', 'unchanged', 'INVALID_TXN_STATE', 'PrepareAbort'],
  ]
  it.each(table)('in %s is told %s, %s; of version 2 %s, %s', (status, ...expected: string[]) => {
    const told = [0, 2].flatMap((clientVersion) =>
      (['commit', 'abort'] as const).map((result) => {
        const plan = planEnd(begun({ status }), ask(result, clientVersion))
        return plan.kind === 'refuse' ? plan.error : plan.kind === 'store' ? plan.next.status : plan.kind
      }),
    )
    expect(told).toEqual(expected)
  })

  it('keeps the epoch for old clients, and raises it for those of version 2', () => {
    const ongoing = begun({ status: 'Ongoing' })
    expect(producerAfterEnd(stored(planEnd(ongoing, ask('commit', 0))))).toEqual({ producerId: 9, producerEpoch: 0 })
    const raised = stored(planEnd(ongoing, ask('commit', 2)))
    expect(producerAfterEnd(raised)).toEqual({ producerId: 9, producerEpoch: 1 })
    expect(completed(raised, 7_000)).toMatchObject({ status: 'CompleteCommit', producerEpoch: 1, lastUpdateMs: 7_000 })
  })

  it('answers a repeat, whose first answer was lost, with the raised epoch', () => {
    const done = completed(stored(planEnd(begun({ status: 'Ongoing' }), ask('commit', 2))), 7_000)
    expect(planEnd(done, ask('commit', 2))).toEqual({ kind: 'unchanged' })
    expect(planEnd(done, ask('abort', 2))).toEqual(refusal('INVALID_TXN_STATE'))
    expect(planEnd(done, ask('commit', 2, 5))).toEqual(refusal('PRODUCER_FENCED'))
    // It has begun the next one since: then it cannot mean the last.
    expect(planEnd({ ...done, status: 'Ongoing' }, ask('commit', 2))).toEqual(refusal('PRODUCER_FENCED'))
  })

  it('goes on under a fresh producer id when the epochs are used up', () => {
    const last = begun({ status: 'Ongoing', producerEpoch: producerEpochMax - 1 })
    const end = ask('commit', 2, producerEpochMax - 1)
    expect(planEnd(last, end)).toEqual({ kind: 'needs-id' })
    const prepared = stored(planEnd(last, { ...end, freshProducerId: 12 }))
    // The marker still carries the old id, with the one epoch that is kept for this.
    expect(prepared).toMatchObject({ producerId: 9, producerEpoch: producerEpochMax, nextProducerId: 12 })
    expect(producerAfterEnd(prepared)).toEqual({ producerId: 12, producerEpoch: 0 })
    const done = completed(prepared, 7_000)
    expect(done).toMatchObject({ producerId: 12, producerEpoch: 0, previousProducerId: 9, nextProducerId: -1 })
    expect(planEnd(done, end)).toEqual({ kind: 'unchanged' })
  })
})

describe('the coordinator itself', () => {
  it('aborts what takes too long, and fences its producer', () => {
    const ongoing = begun({ status: 'Ongoing', startMs: 1_000 })
    expect([isTimedOut(ongoing, 1_100), isTimedOut(ongoing, 1_101), isTimedOut(begun(), 9_999_999)]).toEqual([false, true, false])
    const fenced = planFence(ongoing, 2_000)
    expect(fenced).toMatchObject({ status: 'PrepareAbort', producerEpoch: 1, lastProducerEpoch: -1 })
    const late = { producer: producerOf(ongoing), result: 'commit', clientVersion: 0, nowMs, freshProducerId: undefined } as const
    expect(planEnd(completed(fenced, 3_000), late)).toEqual(refusal('PRODUCER_FENCED'))
  })

  it('has one epoch left for fencing, and after it only a fresh producer id goes on', () => {
    const last = begun({ status: 'Ongoing', producerEpoch: producerEpochMax - 1, clientVersion: 2 })
    const fenced = completed(planFence(last, 2_000), 3_000)
    expect(fenced.producerEpoch).toBe(producerEpochMax)
    const end = { producer: producerOf(last), result: 'abort', clientVersion: 2, nowMs, freshProducerId: undefined } as const
    expect(planEnd(fenced, end)).toEqual({ kind: 'unchanged' })
    const told = producerAfterEnd(fenced)
    expect(planAdd(fenced, { producer: told, partitions: [{ topic: 'a', partition: 0 }], clientVersion: 2 }, nowMs)).toEqual(
      refusal('PRODUCER_FENCED'),
    )
    expect(planEnd(fenced, { ...end, producer: told })).toEqual(refusal('PRODUCER_FENCED'))
    expect(stored(planInit(fenced, { ...init, freshProducerId: 11 }))).toMatchObject({ producerId: 11, producerEpoch: 0 })
  })

  it('forgets an id that nobody used for long, but none with a transaction under way', () => {
    const old = { lastUpdateMs: 0 }
    expect(isExpired(begun(old), 1_001, 1_000)).toBe(true)
    expect(isExpired(begun(old), 1_000, 1_000)).toBe(false)
    for (const status of ['Ongoing', 'PrepareCommit', 'PrepareAbort'] as const)
      expect(isExpired(begun({ ...old, status }), 1e9, 1_000)).toBe(false)
  })
})
