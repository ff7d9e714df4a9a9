// Owns what a node finds of its groups in its WAL when it starts again: whatever was written over, moved, cut, or let go of.

import { expect, it } from 'vitest'
import { groupNumber, leaderEpoch, logIndex } from '../../../../src/model/ids.ts'
import type { RaftEntry, RaftSnapshot } from '../../../../src/raft/core/index.ts'
import { GroupLog } from '../../../../src/raft/driver/group-log.ts'
import { StoredGroups, WalStore } from '../../../../src/raft/driver/wal-store.ts'
import { WalDisk } from '../../../support/wal-disk.ts'

const group = 5
const configuration = { voters: [1, 2, 3], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false }
const snapshotAt = (index: number, term: number): RaftSnapshot => ({ index, term, configuration, pointer: Uint8Array.of(index) })
const entry = (term: number, index: number): RaftEntry => ({
  term,
  index,
  kind: 'metadata',
  change: undefined,
  payload: Uint8Array.of(term, index),
})
const change: RaftEntry = {
  term: 1,
  index: 2,
  kind: 'node',
  change: { transition: 'auto', changes: [{ kind: 'learner', node: 4 }] },
  payload: new Uint8Array(0),
}
const first: RaftEntry = { term: 1, index: 1, kind: 'node', change: undefined, payload: new Uint8Array(0) }
const hard = { term: 1, vote: 2, commit: 3 }

class Node {
  readonly disk = new WalDisk()
  readonly wal = this.disk.open().wal
  readonly store = new WalStore(this.wal)
  readonly log = new GroupLog()

  /** As a start finds it; `from`: how much of the WAL is gone with its files. */
  found(from = 0): StoredGroups {
    this.wal.sync()
    const stored = new StoredGroups()
    for (const { entry: one, position } of this.disk.stored.slice(from)) stored.onEntry(one, position)
    return stored
  }

  write(entries: readonly RaftEntry[], more: { readonly snapshot?: RaftSnapshot; readonly hard?: typeof hard } = {}): void {
    this.store.write(group, this.log, { entries, snapshot: more.snapshot, hard: more.hard })
  }
}

const termsOf = ({ log }: { readonly log: GroupLog }): readonly (readonly number[])[] =>
  log.kept.map(({ term, index }) => [term, index])

it('finds entries, hard state and the number of the last start', async () => {
  const node = new Node()
  await node.store.begin(8)
  node.write([first, change, entry(1, 3)], { hard })
  const stored = node.found()
  expect(stored.boot).toBe(8)
  const found = stored.groups.get(group)!
  expect(found.hard).toEqual(hard)
  expect(found.log.kept).toEqual([first, change, entry(1, 3)])
  expect(found.snapshot).toBeUndefined()
})

it('an entry that was written over takes those behind it away', () => {
  const node = new Node()
  node.write([first, change, entry(1, 3), entry(1, 4)], { hard })
  node.write([entry(2, 3)], { hard: { term: 2, vote: 3, commit: 2 } })
  expect(termsOf(node)).toEqual([
    [1, 1],
    [1, 2],
    [2, 3],
  ])
  expect(termsOf(node.found().groups.get(group)!)).toEqual(termsOf(node))
})

it('a snapshot that was installed takes the place of the log; one that was taken, of what is before it', () => {
  const node = new Node()
  node.write([first, change, entry(1, 3)], { hard })
  node.write([], { snapshot: snapshotAt(40, 3), hard: { term: 3, vote: 0, commit: 40 } })
  node.write([entry(3, 41), entry(3, 42), entry(3, 43)])
  expect(termsOf(node.found().groups.get(group)!)).toEqual([
    [3, 41],
    [3, 42],
    [3, 43],
  ])
  node.store.compact({ group, log: node.log, hard: { term: 3, vote: 0, commit: 43 }, snapshot: snapshotAt(42, 3) })
  const found = node.found().groups.get(group)!
  expect(termsOf(found)).toEqual([[3, 43]])
  expect([found.log.firstIndex(), found.log.termAt(42), found.snapshot]).toEqual([43, 3, snapshotAt(42, 3)])
})

it('what was moved forward is found without what was before, wherever that ended', () => {
  const node = new Node()
  node.write([first, change, entry(1, 3), entry(1, 4)], { hard })
  node.store.moveForward({ group, log: node.log, hard })
  node.write([entry(1, 5)])
  const whole = termsOf(node.found().groups.get(group)!)
  expect(whole).toEqual([
    [1, 1],
    [1, 2],
    [1, 3],
    [1, 4],
    [1, 5],
  ])
  // Five frames were written first: their file may go, and begin anywhere in them.
  for (let from = 1; from <= 5; from += 1) {
    const found = node.found(from).groups.get(group)!
    expect([termsOf(found), found.hard]).toEqual([whole, hard])
  }
})

it('an entry moved forward keeps those behind it, should the move be torn', () => {
  const node = new Node()
  node.write([first, change, entry(1, 3), entry(1, 4)], { hard })
  node.store.moveForward({ group, log: node.log, hard })
  node.wal.sync()
  // Hard state, and the first of four entries.
  node.disk.stored.length -= 3
  expect(termsOf(node.found().groups.get(group)!)).toEqual([
    [1, 1],
    [1, 2],
    [1, 3],
    [1, 4],
  ])
})

it('is not misled by the beginning of a torn move in front of a whole one, nor by what was appended between them', () => {
  const node = new Node()
  node.write([first, change, entry(1, 3), entry(1, 4)], { hard })
  node.store.moveForward({ group, log: node.log, hard })
  node.wal.sync()
  // Hard state, and the first two of four entries; then the process goes on, and moves all of it.
  node.disk.stored.length -= 2
  node.write([entry(1, 5)])
  node.store.moveForward({ group, log: node.log, hard })
  const whole = termsOf(node.found().groups.get(group)!)
  expect(whole.map(([, index]) => index)).toEqual([1, 2, 3, 4, 5])
  // Five frames of the beginning, three of the torn move, one behind it: the files may begin with any of them.
  for (let from = 1; from <= 9; from += 1) {
    const stored = node.found(from)
    expect([termsOf(stored.groups.get(group)!), stored.incomplete().size]).toEqual([whole, 0])
  }
})

it('says of which group something is missing', () => {
  const node = new Node()
  node.write([first, change, entry(1, 3), entry(1, 4)], { hard })
  expect(node.found().incomplete().size).toBe(0)
  expect([...node.found(3).incomplete().values()]).toEqual(['group 5 has no snapshot, and its log begins with 3'])
  node.store.compact({ group, log: node.log, hard, snapshot: snapshotAt(2, 1) })
  node.write([entry(1, 5)])
  // The snapshot is there, the entries behind it are not.
  expect([...node.found(6).incomplete().values()]).toEqual(['group 5 has its snapshot at 2, and its log begins with 5'])
})

it('a frame that says nothing is named, with its place', () => {
  const frame = {
    group: groupNumber(5),
    term: leaderEpoch(1),
    index: logIndex(0),
    kind: 'node',
    payload: Uint8Array.of(99),
  } as const
  expect(() => new StoredGroups().onEntry(frame, { file: 3, at: 4096, length: 1 })).toThrow(
    'group 5 has a frame in WAL file 3 at 4096 that says nothing: kind 99 is unknown',
  )
})
