// Owns the tests of what a partition knows of transactions, against a plain reading of the whole log.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TransactionIndex } from '../../../src/broker/core/transaction-index.ts'
import { ByteReader, ByteWriter } from '../../../src/protocol/index.ts'

type Entry =
  | { readonly kind: 'batch'; readonly producer: number; readonly records: number }
  | { readonly kind: 'marker'; readonly producer: number; readonly aborts: boolean }

const entry: fc.Arbitrary<Entry> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('batch' as const), producer: fc.nat(3), records: fc.integer({ min: 1, max: 4 }) }),
  },
  fc.record({ kind: fc.constant('marker' as const), producer: fc.nat(3), aborts: fc.boolean() }),
)

interface Span {
  readonly producer: number
  readonly first: number
  last: number
  outcome: 'open' | 'commit' | 'abort'
}

/** The plain way: every transaction of the log, by reading it. */
class PlainLog {
  readonly spans: Span[] = []
  end = 0

  take(one: Entry): void {
    const open = this.spans.find(({ producer, outcome }) => producer === one.producer && outcome === 'open')
    if (one.kind === 'batch') {
      if (open === undefined) this.spans.push({ producer: one.producer, first: this.end, last: Infinity, outcome: 'open' })
      this.end += one.records
      return
    }
    if (open !== undefined) {
      open.last = this.end
      open.outcome = one.aborts ? 'abort' : 'commit'
    }
    this.end += 1
  }

  /** The first offset of a transaction that a reader up to `visible` sees no end of. */
  stable(visible: number): number {
    return this.spans.reduce((stable, { first, last }) => (last >= visible ? Math.min(stable, first) : stable), visible)
  }
}

function replay(index: TransactionIndex, one: Entry, at: number): void {
  if (one.kind === 'batch') index.replayBatch(one.producer, at)
  else index.replayMarker(one.producer, at, one.aborts)
}

function copyOf(index: TransactionIndex): TransactionIndex {
  const w = new ByteWriter()
  index.encode(w)
  const copy = new TransactionIndex()
  const r = new ByteReader(w.concat())
  copy.decode(r)
  expect(r.failure).toBeUndefined()
  return copy
}

test('the last stable offset, and what was aborted, are what reading the whole log tells', () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 40 }), fc.nat(100), fc.nat(100), fc.nat(100), (entries, lag, from, width) => {
      const plain = new PlainLog()
      let index = new TransactionIndex()
      let visible = 0
      for (const [place, one] of entries.entries()) {
        replay(index, one, plain.end)
        plain.take(one)
        // What is visible trails the log, and only grows.
        visible = Math.max(visible, plain.end - (lag % 7))
        index.seen(visible)
        expect(index.lastStableOffset(visible)).toBe(plain.stable(visible))
        // A snapshot is of a log that is visible to its end.
        if (visible === plain.end && place % 5 === 4) index = copyOf(index)
      }
      const start = from % (plain.end + 1)
      const end = Math.min(start + width, index.lastStableOffset(plain.end))
      const expected = plain.spans.filter(({ outcome, first, last }) => outcome === 'abort' && last >= start && first < end)
      const found = index.abortedWithin(start, end)
      // A list that ends early has told all that begin before `end`.
      expect(found.map(({ producerId, firstOffset }) => [producerId, firstOffset]).sort()).toEqual(
        expected.map(({ producer, first }) => [producer, first]).sort(),
      )
    }),
    { numRuns: 2_000 },
  )
})

test('the log begins later: what was aborted before is forgotten, what reaches into it is not', () => {
  const index = new TransactionIndex()
  for (let at = 0; at < 100; at += 2) {
    index.replayBatch(1, at)
    index.replayMarker(1, at + 1, true)
  }
  expect(index.abortedCount).toBe(50)
  index.forgetBefore(51)
  expect(index.abortedCount).toBe(25)
  expect(index.abortedWithin(0, 53)).toEqual([
    { producerId: 1, firstOffset: 50, lastOffset: 51, lastStableOffset: 52 },
    { producerId: 1, firstOffset: 52, lastOffset: 53, lastStableOffset: 54 },
  ])
})
