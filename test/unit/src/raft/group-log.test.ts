// Owns which payloads a group keeps at hand, and that the others come back as they were.

import { expect, it } from 'vitest'
import type { RaftEntry } from '../../../../src/raft/core/index.ts'
import { GroupLog } from '../../../../src/raft/driver/group-log.ts'

const entry = (term: number, index: number, bytes = 10): RaftEntry => ({
  term,
  index,
  kind: 'metadata',
  change: undefined,
  payload: new Uint8Array(bytes).fill(index),
})
const own: RaftEntry = { term: 1, index: 1, kind: 'node', change: undefined, payload: new Uint8Array(0) }

/** Raft's own entry, then four of ten bytes. */
function filled(): GroupLog {
  const log = new GroupLog()
  for (const one of [own, entry(1, 2), entry(1, 3), entry(1, 4), entry(1, 5)])
    log.append(one, { file: 1, at: one.index * 100, length: one.payload.length })
  return log
}

const indexes = (entries: ReturnType<GroupLog['entries']>): unknown =>
  typeof entries === 'string' ? entries : entries.map(({ index }) => index)

it('forgets what nobody needs, and of what is applied no more than a bound; never what is not applied', () => {
  const log = filled()
  expect(log.rememberedBytes).toBe(40)
  log.forget(3, 4, 1_000)
  expect([log.rememberedBytes, indexes(log.entries(4, 6, 1_000))]).toEqual([20, [4, 5]])
  log.forget(3, 4, 0)
  expect(log.rememberedBytes).toBe(10)
  log.forget(3, 4, 0)
  expect([log.rememberedBytes, indexes(log.entries(5, 6, 1_000))]).toEqual([10, [5]])
})

it('gives what it has up to the first that it does not, and says what is wanted', () => {
  const log = filled()
  log.forget(4, 4, 0)
  expect(indexes(log.entries(1, 6, 1_000))).toEqual([1])
  expect(log.takeWanted(1_000)).toEqual([])
  expect(indexes(log.entries(2, 6, 1_000))).toEqual([])
  const wanted = log.takeWanted(20)
  expect(wanted.map(({ position }) => position.at)).toEqual([200, 300])
  expect(log.takeWanted(20)).toEqual([])
  for (const { entry: one } of wanted) log.remember(one, entry(1, one.index).payload)
  expect(log.entries(2, 6, 1_000)).toEqual([entry(1, 2), entry(1, 3)])
  expect(log.rememberedBytes).toBe(30)
  log.forget(4, 4, 0)
  expect(log.rememberedBytes).toBe(10)
})

it('a payload that comes too late, for an entry that was written over or compacted, is dropped', () => {
  const log = filled()
  log.forget(3, 3, 0)
  expect(indexes(log.entries(2, 4, 1_000))).toEqual([])
  const wanted = log.takeWanted(1_000)
  log.append(entry(2, 3), { file: 1, at: 900, length: 10 })
  log.compact(2)
  for (const { entry: one } of wanted) log.remember(one, entry(1, one.index).payload)
  expect([log.entries(3, 4, 1_000), log.rememberedBytes, log.lastIndex()]).toEqual([[entry(2, 3)], 10, 3])
})

it('an entry that is moved forward keeps its payload and those behind it', () => {
  const log = filled()
  log.append(entry(1, 2), { file: 2, at: 100, length: 10 })
  expect([log.lastIndex(), log.positionOf(2)?.file, log.rememberedBytes]).toEqual([5, 2, 40])
})
