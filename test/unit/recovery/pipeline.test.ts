// Owns the matrix of a start: what the bucket holds × what the disk holds, and what becomes of it.

import { beforeEach, describe, expect, it } from 'vitest'
import { groupNumber, lifeNumber, nodeId } from '../../../src/model/ids.ts'
import { recover, type Recovered } from '../../../recovery/index.ts'
import { memoryStore } from '../../../tiers/object-store/memory.ts'
import type { ObjectStore } from '../../../tiers/ports.ts'
import {
  claimKey,
  encodeFence,
  groupSnapshotPrefix,
  heartbeatKey,
  metadataSnapshotPrefix,
  metadataWalPrefix,
  numberedKey,
  openKey,
  walPrefix,
} from '../../../tiers/stream/index.ts'
import { drive, ManualClock } from '../../support/manual-clock.ts'
import { type NodeOrder, recoveryWorld, startTestNode, type TestNode } from '../../support/test-node.ts'
import { WalDisk } from '../../support/wal-disk.ts'

const one = lifeNumber(1)
const node = nodeId(1)

describe('a start', () => {
  let clock: ManualClock
  let store: ObjectStore
  let disk: WalDisk

  beforeEach(() => {
    clock = new ManualClock()
    store = memoryStore({ clock })
    disk = new WalDisk()
  })

  const start = (on: WalDisk, change: Partial<NodeOrder> = {}): Promise<Recovered> =>
    drive(clock, recover(recoveryWorld({ store, clock, seed: 7, ...change }, on)))
  const keysOf = async (prefix: string): Promise<string[]> => {
    const keys: string[] = []
    for await (const { key } of store.list(prefix)) keys.push(key)
    return keys
  }
  /** Life 1: three batches in the bucket, one more on the disk alone; the process is gone. */
  async function killed(): Promise<TestNode> {
    const first = await startTestNode({ store, clock, disk })
    await first.createTopic('t')
    for (let round = 0; round < 3; round += 1) await first.produce('t', 2)
    await first.flush()
    await first.produce('t', 1)
    first.kill()
    return first
  }
  const endOf = (recovered: Recovered): number | undefined => recovered.partitions.get(groupNumber(1))?.state.endOffset

  describe('with an empty bucket', () => {
    it('and an empty disk begins the first life', async () => {
      const { report, life, term, nextSequence, cluster } = await start(disk)
      expect([report.mode, life, term, cluster.topicCount]).toEqual(['fresh', 1, 1, 0])
      expect(nextSequence).toEqual({ data: 0, metadata: 0, dataSnapshot: 1, metadataSnapshot: 1 })
      expect(disk.identity).toMatchObject({ life: 1, node: 1 })
      expect(await keysOf('')).toEqual([
        claimKey(one),
        openKey(one),
        heartbeatKey(one, node),
        numberedKey(metadataSnapshotPrefix(one), 0),
        numberedKey(groupSnapshotPrefix(one, node), 0),
      ])
    })

    it('and a disk that holds entries of a cluster refuses: the bucket is another one', async () => {
      await killed()
      store = memoryStore({ clock })
      await expect(start(disk)).rejects.toMatchObject({ kind: 'invalid', code: 'BUCKET_EMPTY' })
      expect(await keysOf('')).toEqual([])
    })

    it('and entries of nobody refuses', async () => {
      await killed()
      disk.identity = undefined
      await expect(start(disk)).rejects.toMatchObject({ kind: 'invalid', code: 'WAL_WITHOUT_IDENTITY' })
    })

    it('but for a claim that was given up begins the next life, and ends that one', async () => {
      const claim = { formatVersion: 1, clusterId: 'c', life: 1, parentLife: 0, claimId: 'x', claimedBy: 'x', claimedAtMs: 1 }
      await store.put(claimKey(one), [Buffer.from(JSON.stringify(claim))])
      expect((await start(disk)).life).toBe(2)
      expect(JSON.parse(Buffer.from(await store.get(openKey(one))).toString())).toMatchObject({ state: 'ended', endedByLife: 2 })
    })
  })

  describe('with the disk of the newest life', () => {
    it('resumes it: what is durable on the disk alone is there, and goes to the bucket', async () => {
      const before = await killed()
      const recovered = await start(disk)
      expect([recovered.report.mode, recovered.life, endOf(recovered)]).toEqual(['resume', 1, 7])
      expect(recovered.term).toBeGreaterThan(before.recovered.term)
      expect(recovered.toStream.map(({ group, index }) => [group, index])).toEqual([[1, 4]])
      expect(recovered.partitions.get(groupNumber(1))).toMatchObject({
        streamedIndex: 3,
        tail: [{ index: 4, baseOffset: 6, endOffset: 7 }],
      })
      expect(recovered.nextSequence.data).toBe((await keysOf(walPrefix(one, node))).length)
      expect(recovered.report.recoveryPoint).toContain('nothing acknowledged was lost')
    })

    it('resumes after an orderly stop with nothing left to stream', async () => {
      const first = await startTestNode({ store, clock, disk })
      await first.createTopic('t')
      await first.produce('t', 2)
      await first.close()
      const recovered = await start(disk)
      expect([recovered.report.mode, endOf(recovered), recovered.toStream]).toEqual(['resume', 2, []])
    })

    it('clears what a killed upload left beyond a gap, so that its number can be used', async () => {
      await killed()
      const next = (await keysOf(walPrefix(one, node))).length
      const beyond = numberedKey(walPrefix(one, node), next + 2)
      await store.put(beyond, [new Uint8Array(77)])
      expect((await start(disk)).nextSequence.data).toBe(next)
      expect(await keysOf(walPrefix(one, node))).not.toContain(beyond)
    })

    it('that somebody has ended without ever serving goes on in a life of its own, and loses nothing', async () => {
      await killed()
      const next = (await keysOf(walPrefix(one, node))).length
      await store.put(numberedKey(walPrefix(one, node), next), [encodeFence({ byLife: 2, by: 'x', atMs: 1 })])
      const claim = { formatVersion: 1, clusterId: 'c', life: 2, parentLife: 1, claimId: 'x', claimedBy: 'x', claimedAtMs: 1 }
      await store.put(claimKey(lifeNumber(2)), [Buffer.from(JSON.stringify(claim))])
      const recovered = await start(disk)
      expect([recovered.report.mode, recovered.life, endOf(recovered)]).toEqual(['cold-start', 3, 7])
      expect(recovered.report.recoveryPoint).toContain('nothing acknowledged was lost')
      expect(recovered.toStream).toHaveLength(1)
    })

    it('refuses when entries are missing in between, and goes on without them only when told to', async () => {
      await killed()
      const lost = disk.stored.findIndex(({ entry }) => entry.group === 1 && entry.index === 4)
      const { entry, position } = disk.stored[lost] ?? { entry: undefined, position: undefined }
      if (entry === undefined || position === undefined) throw new Error('the entry is on the disk')
      disk.stored[lost] = { entry: { ...entry, index: (entry.index + 1) as typeof entry.index }, position }
      await expect(start(disk)).rejects.toMatchObject({ kind: 'corrupt', code: 'WAL_DAMAGED' })
      const recovered = await start(disk, { acceptWalLoss: true })
      expect(endOf(recovered)).toBe(6)
      expect(recovered.report.damage.join()).toContain('lacks entries 4 to 4 of group 1')
    })
  })

  describe('with a disk that belongs elsewhere', () => {
    it('refuses one of another cluster', async () => {
      await killed()
      disk.identity = { clusterId: 'another', life: 1, node: 1 }
      await expect(start(disk)).rejects.toMatchObject({ kind: 'invalid', code: 'FOREIGN_WAL' })
    })

    it('refuses one of a life that is over', async () => {
      await killed()
      await start(new WalDisk(), { takeover: true })
      await expect(start(disk)).rejects.toMatchObject({ kind: 'fenced', code: 'LIFE_OVER' })
    })

    it('takes one of a life that never served for empty', async () => {
      await killed()
      const other = new WalDisk()
      other.identity = { clusterId: disk.identity?.clusterId ?? '', life: 2, node: 1 }
      expect((await start(other, { takeover: true })).report.mode).toBe('cold-start')
    })
  })

  describe('with an empty disk', () => {
    it('begins the next life with what is in the bucket, and fences the old', async () => {
      await killed()
      const cut = (await keysOf(walPrefix(one, node))).length
      const recovered = await start(new WalDisk(), { takeover: true })
      expect([recovered.report.mode, recovered.life, endOf(recovered)]).toEqual(['cold-start', 2, 6])
      expect(recovered.toStream).toEqual([])
      expect(recovered.report.cuts).toContainEqual({ prefix: walPrefix(one, node), sequence: cut })
      expect(recovered.report).toMatchObject({ parentLife: 1, topics: 1, partitions: 1, records: 6, damage: [] })
    })

    it('leaves the old life unable to acknowledge anything (I7)', async () => {
      const old = await startTestNode({ store, clock, disk })
      await old.createTopic('t', 1, { 'chronik.durability': 'bucket' })
      await old.produce('t', 1)
      const next = await startTestNode({ store, clock, seed: 2, takeover: true })
      let acknowledged = false
      void old.append('t', 1).then((result) => {
        acknowledged = result.kind === 'appended'
      })
      await drive(clock, next.createTopic('u'))
      clock.advance(5000)
      await next.produce('u', 1)
      expect([acknowledged, old.failures.length > 0]).toEqual([false, true])
      expect((await next.readAll('t')).endOffset).toBe(1)
    })

    it('waits until a life that breathed a moment ago is silent for three intervals', async () => {
      const first = await killed()
      const startedMs = clock.monotonicMs()
      const recovered = await start(new WalDisk())
      expect(recovered.life).toBe(2)
      expect(clock.monotonicMs() - startedMs).toBeGreaterThanOrEqual(2000)
      expect(clock.monotonicMs() - startedMs).toBeLessThan(4000)
      expect(first.failures).toEqual([])
    })

    it('refuses while the old life breathes', async () => {
      const first = await startTestNode({ store, clock, disk })
      await expect(start(new WalDisk())).rejects.toMatchObject({ kind: 'busy', code: 'LIFE_BREATHES' })
      expect(first.failures).toEqual([])
      expect(await keysOf('cluster/')).toHaveLength(2)
    })

    it('does not wait for a life that stopped in order, nor when it is told to take over', async () => {
      const first = await startTestNode({ store, clock, disk })
      const aliveMs = clock.monotonicMs()
      const taken = await start(new WalDisk(), { takeover: true })
      expect([taken.life, clock.monotonicMs() - aliveMs < 500]).toEqual([2, true])
      first.kill()
      const second = await startTestNode({ store, clock, seed: 3, takeover: true })
      await second.close()
      const closedMs = clock.monotonicMs()
      expect((await start(new WalDisk(), { seed: 4 })).life).toBe(4)
      expect(clock.monotonicMs() - closedMs).toBeLessThan(500)
    })

    it('carries many lives on, each from the one before', async () => {
      let expected = 0
      for (let life = 1; life <= 5; life += 1) {
        const current = await startTestNode({ store, clock, seed: life, takeover: true })
        if (life === 1) await current.createTopic('t')
        await current.produce('t', life)
        expected += life
        if (life % 2 === 0) await current.archive('t')
        await current.flush()
        if (life % 2 === 0) await current.close()
        else current.kill()
      }
      const last = await startTestNode({ store, clock, seed: 9, takeover: true })
      expect(last.recovered.life).toBe(6)
      expect((await last.readAll('t')).endOffset).toBe(expected)
    })
  })

  describe('with a damaged bucket', () => {
    const cold = (): Promise<Recovered> => start(new WalDisk(), { takeover: true })
    async function bend(key: string): Promise<void> {
      const bytes = await store.get(key)
      bytes[bytes.length - 30] = (bytes[bytes.length - 30] ?? 0) ^ 1
      await store.put(key, [bytes])
    }
    /** Life 1, with two snapshots of its own and objects after them. */
    async function withSnapshots(): Promise<void> {
      const first = await startTestNode({ store, clock, disk })
      await first.createTopic('t')
      await first.produce('t', 2)
      await first.snapshot()
      await first.createTopic('u')
      await first.produce('t', 2)
      await first.flush()
      await first.produce('t', 2)
      await first.flush()
      first.kill()
    }

    it('passes over a snapshot that does not verify, and says so', async () => {
      await withSnapshots()
      const [, newest = ''] = await keysOf(groupSnapshotPrefix(one, node))
      await bend(newest)
      const recovered = await cold()
      expect(endOf(recovered)).toBe(6)
      expect(recovered.report.damage).toEqual([expect.stringContaining(newest)])
    })

    it.each([
      ['metadata', metadataSnapshotPrefix(one)],
      ['group', groupSnapshotPrefix(one, node)],
    ])('refuses when no %s snapshot verifies', async (_, prefix) => {
      await withSnapshots()
      for (const key of await keysOf(prefix)) await bend(key)
      await expect(cold()).rejects.toMatchObject({ kind: 'corrupt', code: 'NO_SNAPSHOT' })
    })

    it('refuses a WAL object whose footer is damaged, by name', async () => {
      await withSnapshots()
      const key = (await keysOf(walPrefix(one, node))).at(-1) ?? ''
      await bend(key)
      await expect(cold()).rejects.toMatchObject({
        kind: 'corrupt',
        code: 'WAL_OBJECT_CORRUPT',
        detail: expect.stringContaining(key) as string,
      })
    })

    it('refuses a WAL object that stands in the place of another', async () => {
      await withSnapshots()
      const keys = await keysOf(walPrefix(one, node))
      await store.put(keys.at(-2) ?? '', [await store.get(keys.at(-1) ?? '')])
      await expect(cold()).rejects.toMatchObject({ kind: 'corrupt', code: 'GROUP_GAP' })
    })

    it('refuses metadata that is not whole', async () => {
      await withSnapshots()
      const keys = await keysOf(metadataWalPrefix(one))
      for (const key of (await keysOf(metadataSnapshotPrefix(one))).slice(1)) await store.delete(key)
      await store.put(keys[0] ?? '', [await store.get(keys.at(-1) ?? '')])
      await expect(cold()).rejects.toMatchObject({ kind: 'corrupt', code: 'METADATA_GAP' })
    })

    it('refuses a record of a life it cannot read', async () => {
      await withSnapshots()
      await store.put(openKey(one), [Buffer.from('{"formatVersion":1,"life":1,"clusterId":"c","state":"serving"}')])
      await expect(cold()).rejects.toMatchObject({ kind: 'corrupt', code: 'LIFE_RECORD_UNKNOWN' })
    })
  })
})
