import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { AssignorAsk } from '../../../src/groups/core/consumer/assignor-ask.ts'
import { type AssignorName, assignors } from '../../../src/groups/core/consumer/assignor.ts'
import { noPartitions, type Partitions } from '../../../src/groups/core/consumer/partitions.ts'

const topicIds = ['a', 'b', 'c', 'd']
const counts = fc.tuple(...topicIds.map(() => fc.integer({ min: 0, max: 7 })))
const subscription = fc.subarray(topicIds)
const names = fc.constantFrom<AssignorName[]>('uniform', 'range')

function ask(
  sizes: readonly number[],
  subscriptions: readonly (readonly string[])[],
  previous: ReadonlyMap<string, Partitions>,
): AssignorAsk {
  return {
    members: subscriptions.map((topics, at) => ({
      memberId: `m${at}`,
      topics: new Set(topics),
      previous: previous.get(`m${at}`) ?? noPartitions,
    })),
    partitionCountOf: (topicId) => sizes[topicIds.indexOf(topicId)] ?? 0,
  }
}

function loads(targets: ReadonlyMap<string, Partitions>): number[] {
  return [...targets.values()].map((list) => [...list.values()].reduce((sum, partitions) => sum + partitions.length, 0))
}

/** Every partition somebody subscribes to has one taker, and it subscribes to the topic. */
function expectWhole(one: AssignorAsk, targets: ReadonlyMap<string, Partitions>): void {
  const taken = new Map<string, string>()
  for (const { memberId, topics } of one.members) {
    for (const [topicId, partitions] of targets.get(memberId)!) {
      expect(topics.has(topicId)).toBe(true)
      expect([...partitions]).toEqual([...new Set(partitions)].sort((left, right) => left - right))
      for (const partition of partitions) {
        expect(partition).toBeLessThan(one.partitionCountOf(topicId))
        expect(taken.has(`${topicId}${partition}`)).toBe(false)
        taken.set(`${topicId}${partition}`, memberId)
      }
    }
  }
  const wanted = new Set(one.members.flatMap(({ topics }) => [...topics]))
  expect(taken.size).toBe([...wanted].reduce((sum, topicId) => sum + one.partitionCountOf(topicId), 0))
}

/** A history of a group: each step assigns anew on what the step before gave. */
const history = fc.array(fc.record({ sizes: counts, subscriptions: fc.array(subscription, { minLength: 1, maxLength: 6 }) }), {
  minLength: 1,
  maxLength: 5,
})

test('whatever came before, every subscribed partition has exactly one taker that subscribes to it', () => {
  fc.assert(
    fc.property(names, history, (name, steps) => {
      let previous: ReadonlyMap<string, Partitions> = new Map()
      for (const { sizes, subscriptions } of steps) {
        const one = ask(sizes, subscriptions, previous)
        previous = assignors[name](one)
        expectWhole(one, previous)
        expect([...assignors[name](one)]).toEqual([...previous])
      }
    }),
  )
})

test('uniform: members that subscribe alike differ by one at most, and nothing moves that need not', () => {
  const alike = fc.array(fc.record({ sizes: counts, members: fc.integer({ min: 1, max: 6 }), topics: subscription }), {
    minLength: 1,
    maxLength: 5,
  })
  fc.assert(
    fc.property(alike, (steps) => {
      let previous: ReadonlyMap<string, Partitions> = new Map()
      for (const { sizes, members, topics } of steps) {
        const one = ask(
          sizes,
          Array.from({ length: members }, () => topics),
          previous,
        )
        const targets = assignors.uniform(one)
        const loaded = loads(targets)
        expect(Math.max(...loaded) - Math.min(...loaded)).toBeLessThanOrEqual(1)
        // Asked again with what it gave, it gives the same.
        expect([
          ...assignors.uniform(
            ask(
              sizes,
              Array.from({ length: members }, () => topics),
              targets,
            ),
          ),
        ]).toEqual([...targets])
        previous = targets
      }
    }),
  )
})

test('uniform: with unlike subscriptions no single move would make two members more equal', () => {
  fc.assert(
    fc.property(counts, fc.array(subscription, { minLength: 1, maxLength: 6 }), (sizes, subscriptions) => {
      const one = ask(sizes, subscriptions, new Map())
      const targets = assignors.uniform(one)
      const load = new Map([...targets.keys()].map((memberId, at) => [memberId, loads(targets)[at]!]))
      for (const { memberId } of one.members) {
        for (const topicId of targets.get(memberId)!.keys()) {
          for (const other of one.members.filter(({ topics }) => topics.has(topicId))) {
            expect(load.get(memberId)! - load.get(other.memberId)!).toBeLessThan(2)
          }
        }
      }
      expect([...assignors.uniform(ask(sizes, subscriptions, targets))]).toEqual([...targets])
    }),
  )
})
