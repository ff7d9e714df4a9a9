// Owns that nothing is told before it is on disk, in whatever state the disk is: full, failing, slow.

import { expect, it } from 'vitest'
import { OpError } from '../../../../src/base/op-error.ts'
import { seededPrng } from '../../../../src/base/prng.ts'
import { emptyConfiguration, message, type RaftEntry, type RaftMessage } from '../../../../src/raft/core/index.ts'
import { type Group, openGroup } from '../../../../src/raft/driver/group.ts'
import { GroupWriter } from '../../../../src/raft/driver/group-writer.ts'
import { multiRaftDefaults } from '../../../../src/raft/driver/settings.ts'
import { WalStore } from '../../../../src/raft/driver/wal-store.ts'
import type { LogEntry, WalPosition } from '../../../../src/model/entry.ts'
import { ManualClock, turns } from '../../../support/manual-clock.ts'
import { WalDisk } from '../../../support/wal-disk.ts'

class World {
  readonly clock = new ManualClock()
  readonly disk = new WalDisk()
  readonly wal = this.disk.open().wal
  readonly stored: number[] = []
  readonly fatal: unknown[] = []
  readonly group: Group = openGroup(
    1,
    { stored: undefined, applied: { index: 0, configuration: { ...emptyConfiguration, voters: [1, 2, 3] } } },
    { ...multiRaftDefaults.core, id: 1, jitter: (below) => seededPrng(1).below(below) },
  )
  readonly writer = new GroupWriter({
    store: new WalStore(this.wal),
    clock: this.clock,
    writeAgainMs: 10,
    onStored: ({ responses }) => this.stored.push(...responses.map(({ index }) => index)),
    onFatal: (error) => this.fatal.push(error),
  })

  /** One entry, and the answer that depends on it. */
  write(index: number): void {
    const entry: RaftEntry = { term: 1, index, kind: 'metadata', change: undefined, payload: Uint8Array.of(index) }
    const answer: RaftMessage = message('append-response', 2, { from: 1, term: 1, index })
    this.writer.write(this.group, message('storage-append', -1, { term: 1, entries: [entry], responses: [answer] }), [])
    this.writer.sync()
  }

  /** The WAL refuses until it is mended. */
  refuse(error: OpError): () => void {
    const append = this.wal.append.bind(this.wal)
    this.wal.append = (): WalPosition => {
      throw error
    }
    return () => {
      this.wal.append = (entry: LogEntry) => append(entry)
    }
  }
}

it('tells what is stored, in order, once it is durable', async () => {
  const world = new World()
  world.disk.held = true
  world.write(1)
  world.write(2)
  await turns()
  expect(world.stored).toEqual([])
  world.clock.advance(40)
  expect(world.writer.waitedMs(world.clock.monotonicMs())).toBe(40)
  world.disk.release()
  await turns()
  expect([world.stored, world.writer.waitedMs(world.clock.monotonicMs())]).toEqual([[1, 2], 0])
})

it('a WAL without room: what came is kept in order, told to nobody, and written when there is room', async () => {
  const world = new World()
  const mend = world.refuse(new OpError('busy', { code: 'WAL_FULL', detail: 'no room' }))
  world.write(1)
  world.write(2)
  await turns()
  world.clock.advance(10)
  await turns()
  expect([world.stored, world.writer.isBehind, world.fatal]).toEqual([[], true, []])
  mend()
  world.write(3)
  world.clock.advance(10)
  await turns()
  expect([world.stored, world.writer.isBehind, world.group.log.lastIndex()]).toEqual([[1, 2, 3], false, 3])
})

it('a WAL that is dead ends the node, and nothing is told', async () => {
  const world = new World()
  world.refuse(new OpError('closed', { code: 'WAL_DEAD', detail: 'an fsync failed' }))
  world.write(1)
  await turns()
  expect([world.stored, world.fatal.length]).toEqual([[], 1])
})

it('a sync that fails ends the node, and nothing is told', async () => {
  const world = new World()
  world.wal.durable = () => Promise.reject(new OpError('closed', { code: 'WAL_DEAD', detail: 'an fsync failed' }))
  world.write(1)
  await turns()
  expect([world.stored, world.fatal.length]).toEqual([[], 1])
})
