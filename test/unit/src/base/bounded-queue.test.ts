import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BoundedQueue } from '../../../../src/base/bounded-queue.ts'

describe('bounded queue', () => {
  test('full by count: tryPush is refused, push waits, and order is kept', async () => {
    const queue = new BoundedQueue<number>({ countMax: 2 })
    expect([queue.tryPush(1), queue.tryPush(2), queue.tryPush(3)]).toEqual([true, true, false])
    const third = queue.push(3)
    const fourth = queue.push(4)
    expect(queue.size).toBe(2)
    expect(queue.shift()).toBe(1)
    expect(await third).toBe(true)
    expect(queue.tryPush(5)).toBe(false)
    expect([queue.shift(), queue.shift()]).toEqual([2, 3])
    expect(await fourth).toBe(true)
    expect([queue.shift(), queue.shift()]).toEqual([4, undefined])
  })

  test('full by weight: one item above the limit passes through an empty queue only', async () => {
    const queue = new BoundedQueue<string>({ countMax: 100, weightMax: 10, weigh: (text) => text.length })
    expect(queue.tryPush('x'.repeat(50))).toBe(true)
    expect(queue.weight).toBe(50)
    expect(queue.tryPush('y')).toBe(false)
    const waiting = queue.push('y')
    queue.shift()
    expect(await waiting).toBe(true)
    expect(queue.weight).toBe(1)
  })

  test('a taker waits for an item, and gets it without it ever counting as queued', async () => {
    const queue = new BoundedQueue<number>({ countMax: 1 })
    const [first, second] = [queue.take(), queue.take()]
    expect([queue.tryPush(1), queue.tryPush(2), queue.size]).toEqual([true, true, 0])
    expect([await first, await second]).toEqual([1, 2])
  })

  test('close: what is in is still taken, makers that wait are told no, takers the end', async () => {
    const queue = new BoundedQueue<number>({ countMax: 1 })
    queue.tryPush(1)
    const refused = queue.push(2)
    queue.close()
    queue.close()
    expect(await refused).toBe(false)
    expect(await queue.push(3)).toBe(false)
    expect(queue.tryPush(3)).toBe(false)
    expect([await queue.take(), await queue.take()]).toEqual([1, undefined])
    const empty = new BoundedQueue<number>({ countMax: 1 })
    const taker = empty.take()
    empty.close()
    expect([await taker, empty.isClosed]).toEqual([undefined, true])
  })

  test('against a plain array: nothing is lost, doubled or reordered, and the limits hold after every step', async () => {
    const steps = fc.array(fc.oneof(fc.record({ push: fc.integer({ min: 1, max: 8 }) }), fc.constant('shift' as const)), {
      maxLength: 200,
    })
    await fc.assert(
      fc.asyncProperty(steps, async (script) => {
        const queue = new BoundedQueue<{ id: number; weight: number }>({
          countMax: 5,
          weightMax: 20,
          weigh: ({ weight }) => weight,
        })
        const pushed: number[] = []
        const taken: number[] = []
        script.forEach((step, id) => {
          if (step === 'shift') {
            const item = queue.shift()
            if (item !== undefined) taken.push(item.id)
          } else {
            pushed.push(id)
            void queue.push({ id, weight: step.push })
          }
          expect(queue.size <= 5 && (queue.weight <= 20 || queue.size === 1)).toBe(true)
        })
        for (let item = queue.shift(); item !== undefined; item = queue.shift()) taken.push(item.id)
        await Promise.resolve()
        expect(taken).toEqual(pushed)
        expect([queue.size, queue.weight]).toEqual([0, 0])
      }),
    )
  })
})
