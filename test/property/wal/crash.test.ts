import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededPrng } from '../../../src/base/prng.ts'
import type { LogEntry } from '../../../src/model/entry.ts'
import type { WalPosition } from '../../../tiers/ports.ts'
import { MemoryDisk } from '../../unit/tiers/wal/memory-disk.ts'
import { entryOf, linesOf, openTestWal } from '../../unit/tiers/wal/wal-fixture.ts'

const sizes = [0, 1, 61, 333, 512, 4000, 4096, 16_383, 16_384, 30_000]
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** One life of a process: appends bursts, waits for some of them, and is cut off in the middle of a write or fsync. */
interface Life {
  readonly bursts: ReadonlyArray<{ readonly count: number; readonly size: number; readonly awaited: boolean }>
  /** After so many writes and fsyncs the process is gone, … */
  readonly crashAfter: number
  /** … having done this share of the call it was in. */
  readonly share: number
  readonly end: 'power cut 512' | 'power cut 4096' | 'kill' | 'close'
  readonly releases: boolean
}

const lives = fc.array(
  fc.record<Life>({
    bursts: fc.array(
      fc.record({ count: fc.integer({ min: 1, max: 12 }), size: fc.nat(sizes.length - 1), awaited: fc.boolean() }),
      {
        minLength: 1,
        maxLength: 8,
      },
    ),
    crashAfter: fc.integer({ min: 0, max: 30 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    end: fc.constantFrom('power cut 512', 'power cut 4096', 'kill', 'close'),
    releases: fc.boolean(),
  }),
  { minLength: 1, maxLength: 6 },
)

interface World {
  disk: MemoryDisk
  /** What every reopening must deliver first, in this order. */
  durable: LogEntry[]
  /** Appended after that, in order, and never acknowledged: any prefix of it may be there as well. */
  open: LogEntry[]
  nextIndex: number
}

interface Crash {
  happened: boolean
}

/** From the n-th write or fsync on nothing ever answers; a write stops in the middle. */
function armCrash(disk: MemoryDisk, life: Life): Crash {
  const crash: Crash = { happened: false }
  let calls = 0
  disk.fault = (call, _name, _at, bytes) => {
    if (crash.happened) return new Promise<undefined>(() => undefined)
    if (call !== 'writev' && call !== 'sync') return undefined
    calls += 1
    if (calls <= life.crashAfter) return undefined
    crash.happened = true
    const taken = call === 'writev' ? Math.floor(bytes * life.share) : 0
    return taken > 0 ? taken : new Promise<undefined>(() => undefined)
  }
  return crash
}

function dropReleased(world: World, positions: readonly WalPosition[], before: number): void {
  const from = positions.findIndex((position) => position.file >= before)
  world.durable = from < 0 ? [] : world.durable.slice(from)
}

async function live(world: World, life: Life, seed: number): Promise<void> {
  const { disk } = world
  const { wal, entries, positions, report } = await openTestWal(disk)
  expect(report.corruptions).toEqual([])
  const expected = [...world.durable, ...world.open]
  expect(entries.length).toBeGreaterThanOrEqual(world.durable.length)
  expect(linesOf(entries)).toEqual(linesOf(expected.slice(0, entries.length)))
  // What was delivered is durable from now on.
  world.durable = entries
  world.open = []
  const { oldestFile, newestFile } = wal.usage()
  if (life.releases && newestFile > oldestFile) {
    wal.release(newestFile)
    dropReleased(world, positions, newestFile)
    for (let at = 0; at < 40; at += 1) await turn()
  }
  const crash = life.end === 'close' ? { happened: false } : armCrash(disk, life)
  let acknowledged = 0
  for (const burst of life.bursts) {
    for (let at = 0; at < burst.count; at += 1) {
      const size = sizes[(burst.size + at) % sizes.length]!
      const entry = entryOf(world.nextIndex, size, at % 3 === 0 ? 'batch' : 'control', 1 + (at % 2))
      world.nextIndex += 1
      wal.append(entry)
      world.open.push(entry)
    }
    const covered = world.open.length
    void wal.durable().then(() => {
      acknowledged = Math.max(acknowledged, covered)
    })
    const isSettled = (): boolean => acknowledged >= covered || crash.happened
    for (let at = 0; at < (burst.awaited ? 60 : 1) && !isSettled(); at += 1) await turn()
  }
  if (life.end === 'close') {
    await wal.close()
    acknowledged = world.open.length
  } else {
    for (let at = 0; at < 20 && !crash.happened; at += 1) await turn()
    world.disk = life.end === 'kill' ? disk.killed() : disk.powerCut(seededPrng(seed), life.end === 'power cut 512' ? 512 : 4096)
  }
  world.durable.push(...world.open.splice(0, acknowledged))
}

describe('after a crash', () => {
  it('every durable entry is there, nothing is invented, the order is kept', async () => {
    await fc.assert(
      fc.asyncProperty(lives, fc.integer(), async (story, seed) => {
        const world: World = { disk: new MemoryDisk(), durable: [], open: [], nextIndex: 1 }
        for (const [at, life] of story.entries()) await live(world, life, seed + at)
        await live(world, { bursts: [], crashAfter: 0, share: 0, end: 'close', releases: false }, seed)
      }),
      { numRuns: Number(process.env['WAL_RUNS'] ?? 60) },
    )
  })
})
