import { expect, test } from 'vitest'
import type { AssignorMember } from '../../../../../../src/groups/core/consumer/assignor-ask.ts'
import { type AssignorName, assignors } from '../../../../../../src/groups/core/consumer/assignor.ts'

type Short = Readonly<Record<string, readonly number[]>>

const previousOf = (previous: Short) => new Map(Object.entries(previous).filter(([, list]) => list.length > 0))

function member(memberId: string, topics: string, previous: Short = {}): AssignorMember {
  return { memberId, topics: new Set(topics), previous: previousOf(previous) }
}

function assign(
  name: AssignorName,
  counts: Readonly<Record<string, number>>,
  ...members: AssignorMember[]
): Record<string, Short> {
  const targets = assignors[name]({ members, partitionCountOf: (topicId) => counts[topicId] ?? 0 })
  return Object.fromEntries([...targets].map(([memberId, list]) => [memberId, Object.fromEntries(list)]))
}

test('range gives every member one run of each topic, the same numbers of topics that are alike', () => {
  expect(assign('range', { a: 5, b: 5 }, member('m1', 'ab'), member('m2', 'ab'))).toEqual({
    m1: { a: [0, 1, 2], b: [0, 1, 2] },
    m2: { a: [3, 4], b: [3, 4] },
  })
})

test('range looks at each topic’s own subscribers', () => {
  expect(assign('range', { a: 3, b: 2 }, member('m1', 'a'), member('m2', 'ab'), member('m3', 'b'))).toEqual({
    m1: { a: [0, 1] },
    m2: { a: [2], b: [0] },
    m3: { b: [1] },
  })
})

test('range leaves members without when there are more of them than partitions', () => {
  expect(assign('range', { a: 1 }, member('m1', 'a'), member('m2', 'a'))).toEqual({ m1: { a: [0] }, m2: {} })
})

test('range keeps what a member had as far as the runs allow', () => {
  const before = { m1: { a: [0, 1] }, m2: { a: [2, 3] } }
  expect(assign('range', { a: 4 }, member('m1', 'a', before.m1), member('m2', 'a', before.m2), member('m3', 'a'))).toEqual({
    m1: { a: [0, 1] },
    m2: { a: [2] },
    m3: { a: [3] },
  })
})

test('uniform shares out evenly over all topics together', () => {
  expect(assign('uniform', { a: 3, b: 2 }, member('m1', 'ab'), member('m2', 'ab'))).toEqual({
    m1: { a: [0, 2], b: [1] },
    m2: { a: [1], b: [0] },
  })
})

test('uniform takes only what a newcomer needs', () => {
  const before = { m1: { a: [0, 1, 2] }, m2: { a: [3, 4, 5] } }
  expect(assign('uniform', { a: 6 }, member('m1', 'a', before.m1), member('m2', 'a', before.m2), member('m3', 'a'))).toEqual({
    m1: { a: [0, 1] },
    m2: { a: [3, 4] },
    m3: { a: [2, 5] },
  })
})

test('uniform leaves the odd partition where it is', () => {
  expect(assign('uniform', { a: 5 }, member('m1', 'a', { a: [0, 1] }), member('m2', 'a', { a: [2, 3, 4] }))).toEqual({
    m1: { a: [0, 1] },
    m2: { a: [2, 3, 4] },
  })
})

test('uniform hands on what a member that left had, and new partitions', () => {
  expect(assign('uniform', { a: 6 }, member('m1', 'a', { a: [0, 1] }), member('m2', 'a', { a: [2] }))).toEqual({
    m1: { a: [0, 1, 3] },
    m2: { a: [2, 4, 5] },
  })
})

test('uniform forgets topics that are gone, and partitions that were never there', () => {
  expect(assign('uniform', { a: 2 }, member('m1', 'a', { a: [0, 7], z: [0] }), member('m2', 'a'))).toEqual({
    m1: { a: [0] },
    m2: { a: [1] },
  })
})

test('uniform with unlike subscriptions loads those who can take little first', () => {
  expect(assign('uniform', { a: 2, b: 2 }, member('m1', 'ab'), member('m2', 'b'))).toEqual({
    m1: { a: [0, 1] },
    m2: { b: [0, 1] },
  })
})

test('uniform with unlike subscriptions moves until no move helps', () => {
  const before = { m1: { a: [0, 1, 2, 3], b: [0, 1] } }
  const targets = assign('uniform', { a: 4, b: 2 }, member('m1', 'ab', before.m1), member('m2', 'b'), member('m3', 'a'))
  expect(targets).toEqual({ m1: { a: [0, 1] }, m2: { b: [0, 1] }, m3: { a: [2, 3] } })
})

test('nobody to assign to, and nothing to assign', () => {
  for (const name of ['uniform', 'range'] as const) {
    expect(assign(name, { a: 2 })).toEqual({})
    expect(assign(name, {}, member('m1', ''), member('m2', 'a'))).toEqual({ m1: {}, m2: {} })
  }
})
