import { expect, test } from 'vitest'
import { topicId } from '../../../../src/model/ids.ts'
import { BrokerTopics } from '../../../../src/groups/topic-view.ts'

function view(names: string[]) {
  const world = { names, version: 1, asked: 0 }
  const topics = new BrokerTopics({
    topicIdOf: (name) => (world.names.includes(name) ? topicId('AAAAAAAAAAAAAAAAAAAAAQ') : undefined),
    nameOf: () => undefined,
    partitionExists: () => false,
    partitionCountOf: (name) => (world.names.includes(name) ? 3 : undefined),
    names: () => {
      world.asked += 1
      return world.names
    },
    version: () => world.version,
  })
  return { topics, world }
}

test('an expression matches whole names, in order', () => {
  const { topics } = view(['b', 'ab', 'a', 'abc', 'a.b'])
  expect(topics.matching('a.*')).toEqual(['a', 'a.b', 'ab', 'abc'])
  expect(topics.matching('^ab?$')).toEqual(['a', 'ab'])
  expect(topics.matching('(?i)A')).toEqual(['a'])
  expect(topics.matching('a\\.b|b')).toEqual(['a.b', 'b'])
  expect(topics.matching('nothing')).toEqual([])
})

test('what is no expression of RE2 is told apart, also what only backtracking engines know', () => {
  const { topics } = view(['a'])
  for (const wrong of ['[', '(', 'a**', '(?=a)', '(a)\\1', 'a{1001}', '\\']) expect(topics.matching(wrong)).toBeUndefined()
})

test('an expression made to be slow is not', () => {
  const { topics } = view(['a'.repeat(249), `${'a'.repeat(248)}b`])
  expect(topics.matching('(a+)+$')).toEqual(['a'.repeat(249)])
  expect(topics.matching('(a|aa|a?a)*b')).toEqual([`${'a'.repeat(248)}b`])
  expect(topics.matching('[a-z]{1,100}\\.?[a-z]{0,150}')?.length).toBe(2)
})

test('what would become too large a program is refused before it is one', () => {
  const { topics } = view(['a'])
  const large = [
    '(a{1,30}){1,30}',
    '((a?){30}a{30}){2}',
    '(\\pL{1,1000})'.repeat(60),
    '[a-z]{1,1000}|'.repeat(70),
    `(?:${'a'.repeat(900)}){1000}`,
    'a'.repeat(600),
  ]
  const startMs = performance.now()
  for (const one of large) expect(topics.matching(one)).toBeUndefined()
  expect(performance.now() - startMs).toBeLessThan(1_000)
  expect(topics.matching('(eu|us|asia)-orders-[0-9]{4}-[0-9]{2}|a')).toEqual(['a'])
})

test('topics are looked through once for each expression and change', () => {
  const { topics, world } = view(['a'])
  topics.matching('a.*')
  topics.matching('a.*')
  expect(world.asked).toBe(1)
  world.names.push('ab')
  world.version = 2
  expect(topics.matching('a.*')).toEqual(['a', 'ab'])
  expect(world.asked).toBe(2)
  for (let at = 0; at < 1_100; at += 1) topics.matching(`x${at}`)
  expect(topics.matching('a.*')).toEqual(['a', 'ab'])
  expect(topics.topic('ab')).toEqual({ id: 'AAAAAAAAAAAAAAAAAAAAAQ', partitionCount: 3 })
  expect(topics.topic('z')).toBeUndefined()
})
