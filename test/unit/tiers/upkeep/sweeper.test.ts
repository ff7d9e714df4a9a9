// Owns the proof that the sweeper deletes garbage, and nothing but garbage, whatever happens around it (UPKEEP-1 to 3, I4).

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { silentLog } from '../../../../src/base/log.ts'
import { OpError } from '../../../../src/base/op-error.ts'
import { faultyStore } from '../../../../tiers/object-store/index.ts'
import { memoryStore } from '../../../../tiers/object-store/memory.ts'
import type { ObjectStore } from '../../../../tiers/ports.ts'
import { Sweeper, type SweepReport } from '../../../../tiers/upkeep/index.ts'
import { ManualClock } from '../../../support/manual-clock.ts'

const graceMs = 1000
const own = 'wal/0000000002/0000000001/'
const old = 'wal/0000000001/0000000001/'
const numbered = (prefix: string, sequence: number): string => `${prefix}${String(sequence).padStart(16, '0')}`
const segment = (name: number): string => `segments/AAECAwQFBgcICQoLDA0ODw/0/${String(name).padStart(20, '0')}-0000000001`

class World {
  readonly clock = new ManualClock()
  readonly store: ObjectStore = memoryStore({ clock: this.clock })
  readonly references = new Set<string>()
  coveredBelow = 0
  oldLivesCovered = false
  /** Runs while the sweeper waits for everything to be in the bucket. */
  onSettle: (call: number) => void | Promise<void> = () => undefined
  settled = 0
  quiet = false
  readonly sweeper: Sweeper

  constructor(store?: ObjectStore) {
    this.sweeper = new Sweeper({
      store: store ?? this.store,
      log: silentLog,
      life: 2,
      graceMs,
      ports: {
        references: () => new Set(this.references),
        settle: async () => {
          this.settled += 1
          await this.onSettle(this.settled)
        },
        whileQuiet: async (work) => {
          this.quiet = true
          try {
            return await work()
          } finally {
            this.quiet = false
          }
        },
        coveredBelow: () => new Map([[own, this.coveredBelow]]),
        oldLivesCovered: () => this.oldLivesCovered,
      },
    })
  }

  async put(...keys: readonly string[]): Promise<void> {
    for (const key of keys) await this.store.put(key, [new Uint8Array(10)])
  }

  sweep(): Promise<SweepReport> {
    return this.sweeper.sweep(this.clock.nowMs())
  }

  /** Two sweeps, a grace and a little apart. */
  async sweepTwice(): Promise<SweepReport> {
    this.clock.advance(graceMs + 1)
    await this.sweep()
    this.clock.advance(graceMs + 1)
    return this.sweep()
  }

  async keys(): Promise<string[]> {
    const found: string[] = []
    for await (const { key } of this.store.list('')) found.push(key)
    return found
  }
}

describe('the sweeper', () => {
  it('deletes a segment nobody refers to, a grace after it saw that', async () => {
    const world = new World()
    await world.put(segment(1), segment(2))
    world.references.add(segment(2))
    world.clock.advance(graceMs + 1)
    expect(await world.sweep()).toEqual({ listed: 2, deleted: 0, bytes: 0, failed: 0 })
    world.clock.advance(graceMs)
    expect(await world.sweep()).toEqual({ listed: 2, deleted: 1, bytes: 10, failed: 0 })
    expect(await world.keys()).toEqual([segment(2)])
    expect([world.sweeper.deletedObjects, world.sweeper.deletedBytes]).toEqual([1, 10])
  })

  it('keeps an old segment for readers that hold its name, when the log has only now forgotten it', async () => {
    const world = new World()
    await world.put(segment(1))
    world.references.add(segment(1))
    await world.sweepTwice()
    world.references.delete(segment(1))
    world.clock.advance(1)
    await world.sweep()
    world.clock.advance(graceMs - 1)
    await world.sweep()
    expect(await world.keys()).toEqual([segment(1)])
    world.clock.advance(1)
    await world.sweep()
    expect(await world.keys()).toEqual([])
  })

  it('begins to count anew when an object was referred to in between', async () => {
    const world = new World()
    await world.put(segment(1))
    world.clock.advance(2 * graceMs)
    await world.sweep()
    world.references.add(segment(1))
    world.clock.advance(graceMs)
    await world.sweep()
    world.references.delete(segment(1))
    world.clock.advance(graceMs)
    await world.sweep()
    expect(await world.keys()).toEqual([segment(1)])
  })

  it('keeps what was adopted while it looked', async () => {
    const world = new World()
    await world.put(segment(1))
    world.clock.advance(2 * graceMs)
    await world.sweep()
    world.clock.advance(2 * graceMs)
    world.onSettle = (call) => {
      if (call === 2) world.references.add(segment(1))
    }
    expect(await world.sweep()).toMatchObject({ deleted: 0 })
  })

  it('deletes nothing when this life may be over', async () => {
    for (const failing of [1, 2]) {
      const world = new World()
      await world.put(segment(1))
      world.clock.advance(2 * graceMs)
      await world.sweep()
      world.clock.advance(2 * graceMs)
      const before = world.settled
      world.onSettle = (call) => {
        if (call === before + failing) throw new OpError('fenced', { code: 'FENCED', detail: 'life 3' })
      }
      await expect(world.sweep()).rejects.toMatchObject({ kind: 'fenced' })
      expect(await world.keys()).toEqual([segment(1)])
    }
  })

  it('deletes WAL objects of its own only below what every kept snapshot covers', async () => {
    const world = new World()
    await world.put(...[0, 1, 2, 3, 4].map((at) => numbered(own, at)))
    world.references.add(numbered(own, 1))
    await world.sweepTwice()
    expect(await world.keys()).toHaveLength(5)
    world.coveredBelow = 3
    await world.sweepTwice()
    expect(await world.keys()).toEqual([1, 3, 4].map((at) => numbered(own, at)))
  })

  it('deletes WAL objects and snapshots of old lives once they are covered, and never the fence', async () => {
    const world = new World()
    const snapshots = ['snapshots/0000000001/0000000001/', 'metadata/snapshots/0000000001/'].map((prefix) => numbered(prefix, 7))
    const kept = ['snapshots/0000000002/0000000001/', 'metadata/snapshots/0000000002/'].map((prefix) => numbered(prefix, 0))
    const records = ['cluster/0000000001/claim', 'cluster/0000000001/open', 'heartbeat/0000000001/0000000001']
    await world.put(...[4, 5, 6].map((at) => numbered(old, at)), numbered('metadata/wal/0000000001/', 3), ...snapshots, ...kept)
    await world.put(...records)
    await world.sweepTwice()
    expect(await world.keys()).toHaveLength(11)
    world.oldLivesCovered = true
    await world.sweepTwice()
    const stay = [...records, numbered('metadata/wal/0000000001/', 3), numbered(old, 6), ...kept]
    expect(await world.keys()).toEqual(stay.sort())
  })

  it('deletes what a start left of its probe, and leaves strangers alone', async () => {
    const world = new World()
    await world.put('probe/abc', 'mine.txt', 'wal/notes.txt')
    await world.sweepTwice()
    expect(await world.keys()).toEqual(['mine.txt', 'wal/notes.txt'])
  })

  it('counts what could not be deleted, and tries it again', async () => {
    const clock = new ManualClock()
    const bucket = memoryStore({ clock })
    const world = new World({
      ...faultyStore(bucket, { clock }),
      deleteMany: (keys) => Promise.resolve(keys.map((key) => ({ key, reason: 'no' }))),
    })
    await bucket.put(segment(1), [new Uint8Array(10)])
    clock.advance(5 * graceMs)
    await world.sweeper.sweep(clock.nowMs())
    clock.advance(5 * graceMs)
    expect(await world.sweeper.sweep(clock.nowMs())).toEqual({ listed: 1, deleted: 0, bytes: 0, failed: 1 })
    expect(world.sweeper.deletedBytes).toBe(0)
  })
})

/** What can happen to a bucket, one thing after the other; numbers choose among what there is. */
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('upload' as const), name: fc.nat(8) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('publish' as const), name: fc.nat(8) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('forget' as const), name: fc.nat(30) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('stream' as const), held: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('snapshot' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 2 * graceMs }) }) },
)
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never
const history = fc.array(fc.record({ before: fc.array(step, { maxLength: 6 }), during: fc.array(step, { maxLength: 3 }) }), {
  maxLength: 12,
})

class History {
  readonly world = new World()
  #next = 0
  readonly snapshots: number[] = [0]
  /** A segment is not given up in the same breath: between two looks of the sweeper nobody would see that it was referred to. */
  readonly #fresh = new Set<string>()
  /** When each key was last referred to, or stored. */
  readonly touchedMs = new Map<string, number>()

  async run({ before, during }: { readonly before: readonly Step[]; readonly during: readonly Step[] }): Promise<void> {
    this.#fresh.clear()
    for (const one of before) await this.#do(one)
    const { world } = this
    this.#fresh.clear()
    const first = world.settled + 1
    world.onSettle = async (call) => {
      if (call !== first) return
      for (const one of during) await this.#do(one)
    }
    const keysBefore = await world.keys()
    await world.sweep()
    const left = new Set(await world.keys())
    for (const key of keysBefore) if (!left.has(key)) this.#mayBeGone(key)
    for (const key of world.references) expect(left.has(key)).toBe(true)
  }

  #mayBeGone(key: string): void {
    const { world } = this
    expect(world.references.has(key)).toBe(false)
    expect(world.clock.nowMs() - (this.touchedMs.get(key) ?? Infinity)).toBeGreaterThanOrEqual(graceMs)
    if (key.startsWith(own)) expect(Number(key.slice(-16))).toBeLessThan(Math.min(...this.snapshots.slice(-2)))
    expect(key).not.toBe(numbered(old, 2))
  }

  async #do(one: Step): Promise<void> {
    const { world } = this
    const touch = (key: string): void => {
      this.touchedMs.set(key, world.clock.nowMs())
    }
    switch (one.kind) {
      case 'upload':
        // A segment is only ever written while the sweeper is not deleting.
        if (world.quiet) return
        await world.put(segment(one.name))
        touch(segment(one.name))
        return
      case 'publish':
        if (world.quiet || !(await world.keys()).includes(segment(one.name))) return
        world.references.add(segment(one.name))
        this.#fresh.add(segment(one.name))
        touch(segment(one.name))
        return
      case 'forget': {
        const key = [...world.references][one.name % Math.max(1, world.references.size)]
        if (key === undefined || this.#fresh.has(key)) return
        world.references.delete(key)
        touch(key)
        return
      }
      case 'stream': {
        const key = numbered(own, this.#next)
        this.#next += 1
        await world.put(key)
        touch(key)
        if (one.held) world.references.add(key)
        return
      }
      case 'snapshot':
        this.snapshots.push(this.#next)
        world.coveredBelow = this.snapshots.length > 2 ? Math.min(...this.snapshots.slice(-2)) : 0
        world.oldLivesCovered = world.coveredBelow > 0
        return
      case 'wait':
        world.clock.advance(one.ms)
    }
  }
}

it('never deletes what is referred to, young, just forgotten, a fence, or needed by a kept snapshot', async () => {
  let deleted = 0
  await fc.assert(
    fc.asyncProperty(history, async (rounds) => {
      const run = new History()
      await run.world.put(numbered(old, 0), numbered(old, 1), numbered(old, 2))
      for (const key of await run.world.keys()) run.touchedMs.set(key, run.world.clock.nowMs())
      for (const round of rounds) await run.run(round)
      deleted += run.world.sweeper.deletedObjects
    }),
    { numRuns: 400 },
  )
  expect(deleted).toBeGreaterThan(100)
})
