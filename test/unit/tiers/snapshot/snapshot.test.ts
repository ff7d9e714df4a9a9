import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crc32cReference as crc32c } from '../../../../src/base/crc32c.ts'
import { isOpError } from '../../../../src/base/op-error.ts'
import { groupNumber, leaderEpoch, logIndex } from '../../../../src/model/ids.ts'
import { faultyStore } from '../../../../tiers/object-store/index.ts'
import { memoryStore } from '../../../../tiers/object-store/memory.ts'
import type { ObjectStore } from '../../../../tiers/ports.ts'
import {
  decodeSnapshot,
  encodeSnapshot,
  inspectSnapshot,
  type Snapshot,
  SnapshotStore,
} from '../../../../tiers/snapshot/index.ts'
import { numberedKey } from '../../../../tiers/stream/index.ts'
import { ManualClock } from '../../../support/manual-clock.ts'

const prefix = 'snapshots/0000000001/0000000001/'

function snapshotOf(mark: number): Snapshot {
  const section = {
    group: groupNumber(mark),
    kind: 'log' as const,
    appliedIndex: logIndex(mark * 2),
    bytes: Uint8Array.of(mark, 1, 2),
  }
  return { life: 1, node: 1, term: leaderEpoch(1), replayFrom: mark, createdMs: 1_700_000_000_000, sections: [section] }
}

const open = (store: ObjectStore): SnapshotStore =>
  new SnapshotStore(store, { prefix, keyOf: (sequence) => numberedKey(prefix, sequence) }, crc32c)

async function threeSnapshots(): Promise<{ readonly store: ObjectStore; readonly snapshots: SnapshotStore }> {
  const store = memoryStore()
  const snapshots = open(store)
  for (const sequence of [0, 1, 2]) await snapshots.write(sequence, snapshotOf(sequence))
  return { store, snapshots }
}

describe('the snapshots of a writer', () => {
  it('none: none is found, none is damaged', async () => {
    expect(await open(memoryStore()).newest()).toEqual({ found: undefined, damaged: [] })
  })

  it('the newest counts', async () => {
    const { snapshots } = await threeSnapshots()
    const { found, damaged } = await snapshots.newest()
    expect(found).toMatchObject({ key: numberedKey(prefix, 2), snapshot: { replayFrom: 2 } })
    expect(damaged).toEqual([])
  })

  it('a damaged newest one is named, and the one before counts', async () => {
    const { store, snapshots } = await threeSnapshots()
    const bytes = await store.get(numberedKey(prefix, 2))
    for (const bent of [bytes.subarray(0, 20), bytes.map((byte, at) => (at === 30 ? byte ^ 1 : byte)), new Uint8Array(0)]) {
      await store.put(numberedKey(prefix, 2), [bent])
      const { found, damaged } = await snapshots.newest()
      expect(found?.snapshot.replayFrom).toBe(1)
      expect(damaged.map((one) => one.key)).toEqual([numberedKey(prefix, 2)])
      expect(damaged[0]?.reason).not.toBe('')
    }
  })

  it('all damaged: all are named', async () => {
    const { store, snapshots } = await threeSnapshots()
    for (const sequence of [0, 1, 2]) await store.put(numberedKey(prefix, sequence), [new Uint8Array(9)])
    const { found, damaged } = await snapshots.newest()
    expect([found, damaged.length]).toEqual([undefined, 3])
  })

  it('one that is deleted between listing and reading is passed over', async () => {
    const { store } = await threeSnapshots()
    const vanishing: ObjectStore = {
      ...faultyStore(store, { clock: new ManualClock() }),
      get: async (key) => {
        if (key.endsWith('2')) await store.delete(key)
        return store.get(key)
      },
    }
    expect((await open(vanishing).newest()).found?.snapshot.replayFrom).toBe(1)
  })

  it('a store that does not answer is no damage', async () => {
    const { store } = await threeSnapshots()
    const faulty = faultyStore(store, { clock: new ManualClock() })
    faulty.inject({ fault: { kind: 'unreachable' }, operations: ['get'] })
    await expect(open(faulty).newest()).rejects.toMatchObject({ kind: 'retry' })
  })

  it('writing the same under the same number is a retry; anything else is another writer', async () => {
    const { snapshots } = await threeSnapshots()
    await expect(snapshots.write(2, snapshotOf(2))).resolves.toMatchObject({ key: numberedKey(prefix, 2) })
    await expect(snapshots.write(2, snapshotOf(3))).rejects.toMatchObject({ kind: 'fenced', code: 'FENCED' })
  })
})

const section = fc.record({
  group: fc.integer({ min: 0, max: 2 ** 32 - 1 }).map(groupNumber),
  kind: fc.constantFrom('log' as const, 'coordinator' as const),
  appliedIndex: fc.maxSafeNat().map(logIndex),
  bytes: fc.uint8Array({ maxLength: 60 }),
})
const snapshot: fc.Arbitrary<Snapshot> = fc.record({
  life: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  node: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  term: fc.integer({ min: 0, max: 2 ** 32 - 1 }).map(leaderEpoch),
  replayFrom: fc.maxSafeNat(),
  createdMs: fc.maxSafeNat(),
  sections: fc.array(section, { maxLength: 5 }),
})

describe('the bytes of a snapshot', () => {
  it('give back what was put in', () => {
    fc.assert(
      fc.property(snapshot, (value) => {
        const decoded = decodeSnapshot(encodeSnapshot(value, crc32c), crc32c)
        expect(decoded).toEqual({ ok: true, value })
        const parts = [...inspectSnapshot(encodeSnapshot(value, crc32c), crc32c)]
        expect(parts.flatMap((part) => (part.kind === 'section' ? [part.section] : []))).toEqual(value.sections)
      }),
      { numRuns: 200 },
    )
  })

  it('one bit another is refused, wherever it is', () => {
    const bytes = encodeSnapshot(snapshotOf(1), crc32c)
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const bent = bytes.slice()
      bent[bit >> 3] = (bent[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(decodeSnapshot(bent, crc32c).ok).toBe(false)
    }
  })

  it('hostile ones, even with a right checksum, make nothing throw', () => {
    const hostile = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 200 }).map((rest) => Buffer.concat([Buffer.from('CHRKSNAP\u0000\u0001\u0000\u0000'), rest])),
      fc.tuple(snapshot, fc.nat(), fc.uint8Array({ maxLength: 8 })).map(([value, at, piece]) => {
        const bytes = encodeSnapshot(value, crc32c)
        bytes.set(piece, at % (bytes.length - 8))
        return bytes
      }),
    )
    let sound = 0
    fc.assert(
      fc.property(hostile, fc.boolean(), (bytes, reseal) => {
        const tried = Uint8Array.from(bytes)
        if (reseal && tried.length >= 12)
          new DataView(tried.buffer).setUint32(tried.length - 4, crc32c(tried.subarray(0, tried.length - 4)))
        const decoded = decodeSnapshot(tried, crc32c)
        if (decoded.ok) {
          sound += 1
          expect(decoded.value.sections.length * 17).toBeLessThanOrEqual(tried.length)
        }
        try {
          for (const part of inspectSnapshot(tried, crc32c)) expect(part).toBeDefined()
        } catch (error) {
          expect(isOpError(error, 'corrupt')).toBe(true)
        }
      }),
      { numRuns: 3000 },
    )
    expect(sound).toBeGreaterThan(10)
  })
})
