// Owns the proof that the fast structures of a partition's hot end do what plain ones do: the ring of the tail, the budget of the hot
// cache, the queue of who waits.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TailIndex } from '../../../src/broker/core/tail-index.ts'
import { HotCache } from '../../../src/broker/hot-cache.ts'
import { CommitQueue } from '../../../src/broker/partition/commit-queue.ts'

interface PlainBatch {
  readonly index: number
  readonly baseOffset: number
  readonly endOffset: number
  readonly maxTimestampMs: number
  readonly position: { readonly file: number; readonly at: number; readonly length: number }
  payload: Uint8Array | undefined
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ push: fc.integer({ min: 1, max: 9 }), bytes: fc.integer({ min: 1, max: 50 }) }) },
  { weight: 2, arbitrary: fc.record({ cool: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ dropBehind: fc.integer({ min: 0, max: 1 }), upTo: fc.integer({ min: 0, max: 20 }) }) },
  { weight: 2, arbitrary: fc.record({ nextFile: fc.constant(true) }) },
)

test('the tail is a list of batches, whatever is pushed, cooled and dropped', () => {
  let wraps = 0
  fc.assert(
    fc.property(fc.nat(6), fc.array(step, { minLength: 60, maxLength: 120 }), (recovered, steps) => {
      const tail = new TailIndex()
      const plain: PlainBatch[] = []
      let offset = 0
      let file = 1
      const push = (count: number, bytes: number, isHot: boolean): void => {
        const batch = {
          index: offset + 1,
          baseOffset: offset,
          endOffset: offset + count,
          maxTimestampMs: (offset * 7) % 31,
          position: { file, at: offset * 100, length: bytes },
        }
        const payload = isHot ? new Uint8Array(bytes) : undefined
        tail.push(batch, payload)
        plain.push({ ...batch, payload })
        offset += count
      }
      for (let made = 0; made < recovered; made += 1) push(2, 10, false)
      for (const [number, one] of steps.entries()) {
        if ('push' in one) push(one.push, one.bytes, true)
        else if ('nextFile' in one) file += 1
        else if ('cool' in one) {
          for (let times = 0; times < one.cool; times += 1) {
            const oldest = plain.find((batch) => batch.payload !== undefined)
            expect(tail.coolOldest()).toBe(oldest?.position.length ?? 0)
            if (oldest !== undefined) oldest.payload = undefined
          }
        } else {
          const below = file - one.dropBehind
          const kept = plain.findIndex((batch) => batch.position.file >= below || batch.endOffset > offset - one.upTo)
          const dropped = plain.splice(0, kept < 0 ? plain.length : kept)
          if (dropped.length > 0 && plain.length > 0) wraps += 1
          const hot = dropped.filter((batch) => batch.payload !== undefined)
          expect(tail.dropFront(below, offset - one.upTo)).toEqual({
            batches: hot.length,
            bytes: hot.reduce((sum, batch) => sum + batch.position.length, 0),
          })
        }
        expect(tail.count).toBe(plain.length)
        expect(tail.hotCount).toBe(plain.filter((batch) => batch.payload !== undefined).length)
        expect(tail.bytes).toBe(plain.reduce((sum, batch) => sum + batch.position.length, 0))
        expect([tail.firstOffset, tail.endOffset]).toEqual([plain[0]?.baseOffset, plain.at(-1)?.endOffset])
        if (number % 9 > 0 && number + 1 < steps.length) continue
        plain.forEach(({ payload, ...batch }, place) => {
          expect(tail.batch(place)).toEqual(batch)
          expect(tail.payloadAt(place)).toBe(payload)
        })
        for (let wanted = -1; wanted <= offset + 1; wanted += 5) {
          const place = plain.findIndex((batch) => batch.endOffset > wanted)
          expect(tail.find(wanted)).toBe(place < 0 ? plain.length : place)
        }
      }
    }),
  )
  // The ring went round.
  expect(wraps).toBeGreaterThan(20)
})

class PlainOwner {
  readonly sizes: number[] = []

  coolOldest(): number {
    return this.sizes.shift() ?? 0
  }
}

test('the hot cache holds its budget, evicts in the order of appends, and forgets what left by another way', () => {
  const act = fc.record({
    owner: fc.nat(3),
    size: fc.integer({ min: 1, max: 30 }),
    releases: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 10 }) }),
  })
  fc.assert(
    fc.property(fc.array(act, { maxLength: 400 }), fc.integer({ min: 1, max: 300 }), (acts, budget) => {
      const cache = new HotCache(budget)
      const owners = Array.from({ length: 4 }, () => new PlainOwner())
      const order: Array<{ readonly owner: PlainOwner; readonly size: number }> = []
      for (const { owner: at, size, releases } of acts) {
        const owner = owners[at]!
        const gone = owner.sizes.splice(0, releases)
        for (let left = gone.length; left > 0; left -= 1)
          order.splice(
            order.findIndex((one) => one.owner === owner),
            1,
          )
        cache.released(
          owner,
          gone.length,
          gone.reduce((sum, one) => sum + one, 0),
        )
        owner.sizes.push(size)
        order.push({ owner, size })
        cache.admit(owner, size)
        let held = order.reduce((sum, one) => sum + one.size, 0)
        while (held > budget) held -= order.shift()!.size
        expect(cache.bytes).toBe(held)
        expect(cache.batches).toBe(order.length)
        expect(owners.map((one) => one.sizes)).toEqual(
          owners.map((one) => order.filter((entry) => entry.owner === one).map((entry) => entry.size)),
        )
      }
    }),
  )
})

test('the hot cache’s queue does not grow with batches that leave together with their WAL file', () => {
  const cache = new HotCache(1_000_000)
  const owner = new PlainOwner()
  for (let round = 0; round < 500; round += 1) {
    for (let batch = 0; batch < 100; batch += 1) {
      owner.sizes.push(10)
      cache.admit(owner, 10)
    }
    cache.released(owner, owner.sizes.splice(0).length, 1000)
  }
  expect([cache.bytes, cache.batches]).toEqual([0, 0])
  expect(cache.entries).toBeLessThan(10_000)
})

test('who waits is told in the log’s order, once, and everyone is told in the end', () => {
  const act = fc.oneof(
    fc.record({ push: fc.boolean() }),
    fc.record({ repeatOf: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ advance: fc.integer({ min: 0, max: 8 }) }),
  )
  fc.assert(
    fc.property(fc.array(act, { maxLength: 100 }), (acts) => {
      const queue = new CommitQueue()
      const told: string[] = []
      const expected: string[] = []
      let last = 0
      let visible = 0
      let waiting: Array<{ readonly end: number; readonly name: string }> = []
      const wait = (end: number, name: string): ((outcome: string) => void) => {
        waiting.push({ end, name })
        return (outcome) => told.push(`${name} ${outcome}`)
      }
      for (const [at, one] of acts.entries()) {
        if ('push' in one) {
          last += 1
          queue.push(last, last * 10, one.push ? wait(last * 10, `p${at}`) : undefined)
        } else if ('repeatOf' in one) {
          const end = (last - one.repeatOf + 1) * 10
          if (end > visible * 10) queue.alsoWait(end, wait(end, `r${at}`))
        } else {
          const to = Math.min(last, visible + one.advance)
          const advanced = queue.advance(to)
          expect(advanced?.endOffset).toBe(to > visible ? to * 10 : undefined)
          for (const settle of advanced?.waiting ?? []) settle('visible')
          visible = to
          expected.push(...waiting.filter(({ end }) => end <= visible * 10).map(({ name }) => `${name} visible`))
          waiting = waiting.filter(({ end }) => end > visible * 10)
          expect([...told].sort()).toEqual([...expected].sort())
        }
        expect(queue.depth).toBe(last - visible)
      }
      for (const settle of queue.abandon()) settle('gone')
      expected.push(...waiting.map(({ name }) => `${name} gone`))
      expect([...told].sort()).toEqual([...expected].sort())
      expect(told.filter((one) => one.startsWith('p') && one.endsWith('visible'))).toEqual(
        expected.filter((one) => one.startsWith('p') && one.endsWith('visible')),
      )
    }),
  )
})
