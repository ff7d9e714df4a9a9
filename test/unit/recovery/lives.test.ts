// Owns the proof that a life has one owner: claims, openings, fences, and races for them, on conditional writes alone.

import { describe, expect, it } from 'vitest'
import { crc32cReference as crc32c } from '../../../src/base/crc32c.ts'
import { sleep } from '../../../src/base/clock.ts'
import { isOpError } from '../../../src/base/op-error.ts'
import { seededPrng } from '../../../src/base/prng.ts'
import { lifeNumber, nodeId } from '../../../src/model/ids.ts'
import { fenceWriter, standingFence, surveyWriter, writerEnd } from '../../../recovery/fence.ts'
import { recover, type Recovered, verifyBucket } from '../../../recovery/index.ts'
import { claimLife, listLives, openLife, writeHeartbeat } from '../../../recovery/lives.ts'
import { faultyStore } from '../../../tiers/object-store/index.ts'
import { memoryStore } from '../../../tiers/object-store/memory.ts'
import type { ObjectStore } from '../../../tiers/ports.ts'
import { claimKey, decodeFence, encodeFence, numberedKey, openKey, walPrefix } from '../../../tiers/stream/index.ts'
import { drive, ManualClock } from '../../support/manual-clock.ts'
import { recoveryWorld, startTestNode } from '../../support/test-node.ts'
import { WalDisk } from '../../support/wal-disk.ts'

const life = lifeNumber(3)
const claim = { formatVersion: 1, clusterId: 'c', life, parentLife: 2, claimedBy: 'x', claimedAtMs: 1 }
const opening = { formatVersion: 1, clusterId: 'c', life, parentLife: 2, nodes: [1], cuts: [], openedAtMs: 1 }

/** The store as somebody slow sees it: every call takes a while. */
function slowed(store: ObjectStore, clock: ManualClock, seed: number): ObjectStore {
  const slow = faultyStore(store, { clock, prng: seededPrng(seed) })
  slow.inject({ fault: { kind: 'latency', ms: 0, jitterMs: 100 } })
  return slow
}

describe('a life', () => {
  it('is claimed by one of many; a retry of the winner wins again', async () => {
    const store = memoryStore()
    const claims = Array.from({ length: 5 }, (_, at) => ({ ...claim, claimId: `claim ${at}` }))
    const clock = new ManualClock()
    const won = await drive(clock, Promise.all(claims.map((one, at) => claimLife(slowed(store, clock, at), one))))
    expect(won.filter(Boolean)).toHaveLength(1)
    expect(await Promise.all(claims.map((one) => claimLife(store, one)))).toEqual(won)
  })

  it('opens once: whoever comes second learns what stands there', async () => {
    const store = memoryStore()
    const ended = { ...opening, state: 'ended' as const, endedByLife: 4 }
    expect(await openLife(store, ended)).toEqual(ended)
    expect(await openLife(store, { ...opening, state: 'serving' })).toEqual(ended)
  })

  it('is listed with what it has, strangers are not', async () => {
    const store = memoryStore()
    for (const key of [claimKey(life), claimKey(lifeNumber(11)), openKey(lifeNumber(11)), 'cluster/notes', 'cluster/12/claim'])
      await store.put(key, [new Uint8Array(1)])
    expect(await listLives(store)).toEqual([
      { life: 3, claimed: true, opened: false },
      { life: 11, claimed: true, opened: true },
    ])
  })
})

describe('two cold starts at a time', () => {
  it('end with exactly one that serves, however they meet', async () => {
    const outcomes = new Set<string>()
    for (let seed = 1; seed <= 60; seed += 1) {
      const clock = new ManualClock()
      const store = memoryStore({ clock })
      const first = await startTestNode({ store, clock })
      await first.createTopic('t')
      await first.produce('t', 3)
      await first.close()
      const attempt = async (claimant: number): Promise<Recovered | string> => {
        const order = { store, clock, seed: seed * 10 + claimant, name: `claimant ${claimant}` }
        const slow = slowed(store, clock, seed * 10 + claimant)
        await sleep(clock, seededPrng(seed * 7 + claimant).below(600))
        try {
          return await recover(recoveryWorld(order, new WalDisk(), slow))
        } catch (error) {
          if (!isOpError(error, 'fenced')) throw error
          return error.code
        }
      }
      const ended = await drive(clock, Promise.all([attempt(1), attempt(2)]))
      const winners = ended.filter((one) => typeof one !== 'string')
      outcomes.add(ended.map((one) => (typeof one === 'string' ? one : 'won')).join(' '))
      // One after the other is two lives; at the same time one of them must lose.
      expect(winners.length).toBeGreaterThanOrEqual(1)
      const serving = new Set(winners.map((winner) => winner.life))
      expect(serving.size).toBe(winners.length)
      for (const winner of winners) expect([...winner.partitions.values()][0]?.state.endOffset).toBe(3)
      const verified = await drive(clock, verifyBucket({ store, clock, crc32c, onProgress: () => undefined }, { deep: true }))
      expect(verified.findings.filter((finding) => finding.severity === 'damage')).toEqual([])
    }
    expect(outcomes.size).toBeGreaterThan(2)
  })
})

describe('two starts at a time on an empty bucket', () => {
  it('end with one: a life that has just opened is waited for, not taken', async () => {
    const outcomes = new Set<string>()
    for (let seed = 1; seed <= 60; seed += 1) {
      const clock = new ManualClock()
      const store = memoryStore({ clock })
      const attempt = async (claimant: number): Promise<string> => {
        const order = { store, clock, seed: seed * 10 + claimant, name: `claimant ${claimant}` }
        const slow = slowed(store, clock, seed * 10 + claimant)
        await sleep(clock, seededPrng(seed * 7 + claimant).below(600))
        try {
          const recovered = await recover(recoveryWorld(order, new WalDisk(), slow))
          // It serves, and says so until the other has made up its mind.
          for (let beat = 0; beat < 20; beat += 1) {
            await sleep(clock, 1_000)
            const node = nodeId(1)
            await writeHeartbeat(store, { life: recovered.life, node, state: 'serving', intervalMs: 3_000, writtenAtMs: 0 })
          }
          return `life ${recovered.life}`
        } catch (error) {
          if (!isOpError(error, 'fenced', 'busy')) throw error
          return error.code
        }
      }
      const ended = await drive(clock, Promise.all([attempt(1), attempt(2)]))
      expect(
        ended.filter((one) => one.startsWith('life')),
        `seed ${seed}: ${ended.join(', ')}`,
      ).toHaveLength(1)
      outcomes.add([...ended].sort().join(' '))
    }
    expect([...outcomes].some((one) => one.includes('LIFE_BREATHES'))).toBe(true)
    expect([...outcomes].some((one) => one.includes('LIFE_TAKEN'))).toBe(true)
  })
})

describe('a fence', () => {
  const prefix = walPrefix(lifeNumber(1), nodeId(1))
  const fence = { byLife: 2, by: 'the next', atMs: 1 }
  const put = async (store: ObjectStore, ...numbers: readonly number[]): Promise<void> => {
    for (const sequence of numbers) await store.put(numberedKey(prefix, sequence), [new Uint8Array(100)])
  }

  it('stands at the next number of a writer, at 0 of one that never wrote', async () => {
    const store = memoryStore()
    expect(await fenceWriter(store, { prefix, from: 0 }, fence)).toEqual({ prefix, objects: [], cut: 0 })
    const other = memoryStore()
    await put(other, 4, 5, 6)
    expect(await fenceWriter(other, { prefix, from: 5 }, fence)).toMatchObject({
      objects: [{ sequence: 5 }, { sequence: 6 }],
      cut: 7,
    })
    expect(decodeFence(await other.get(numberedKey(prefix, 7)))).toEqual(fence)
  })

  it('is set past what a zombie still lands, and what landed before it counts', async () => {
    const store = memoryStore()
    await put(store, 0)
    let left = 5
    const racing: ObjectStore = {
      ...store,
      list: (under, options) => store.list(under, options),
      get: (key) => store.get(key),
      putIfAbsent: async (key, body) => {
        if (left > 0) await store.put(key, [new Uint8Array(100).fill((left -= 1))])
        return store.putIfAbsent(key, body)
      },
    }
    const { objects, cut } = await fenceWriter(racing, { prefix, from: 0 }, fence)
    expect([objects.map((object) => object.sequence), cut]).toEqual([[0, 1, 2, 3, 4, 5], 6])
  })

  it('gives up on a writer that is not dead at all', async () => {
    const store = memoryStore()
    const racing: ObjectStore = {
      ...store,
      list: (under, options) => store.list(under, options),
      get: (key) => store.get(key),
      putIfAbsent: async (key) => {
        await store.put(key, [new Uint8Array(5000)])
        return { kind: 'exists' }
      },
    }
    await expect(fenceWriter(racing, { prefix, from: 0 }, fence)).rejects.toMatchObject({ kind: 'busy', code: 'FENCE_OVERTAKEN' })
  })

  it('of an earlier attempt stands: nothing behind it counts', async () => {
    const store = memoryStore()
    await put(store, 0, 1)
    await store.put(numberedKey(prefix, 2), [encodeFence({ ...fence, byLife: 9 })])
    await put(store, 3)
    expect(await fenceWriter(store, { prefix, from: 0 }, fence)).toMatchObject({
      objects: [{ sequence: 0 }, { sequence: 1 }],
      cut: 2,
    })
    expect((await standingFence(store, await surveyWriter(store, prefix, 0)))?.fence.byLife).toBe(9)
  })

  it('stands in the gap of a writer that was killed: what lies beyond never counted', async () => {
    const store = memoryStore()
    await put(store, 0, 1, 3, 4)
    expect(await fenceWriter(store, { prefix, from: 0 }, fence)).toMatchObject({
      objects: [{ sequence: 0 }, { sequence: 1 }],
      cut: 2,
    })
    expect(await surveyWriter(store, prefix, 0)).toMatchObject({ next: 5, beyondGap: [] })
  })

  it('is not looked for below where it can be', () => {
    const listed = [2, 3, 4, 6].map((sequence) => ({ sequence, key: String(sequence), sizeBytes: 1 }))
    expect(writerEnd(listed, 3)).toMatchObject({
      objects: [{ sequence: 3 }, { sequence: 4 }],
      next: 5,
      beyondGap: [{ sequence: 6 }],
    })
    expect(writerEnd(listed, 0)).toMatchObject({ objects: [], next: 0, beyondGap: { length: 4 } })
    expect(writerEnd([], 7)).toEqual({ objects: [], next: 7, beyondGap: [] })
  })
})
