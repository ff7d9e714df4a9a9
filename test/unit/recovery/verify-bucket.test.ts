// Owns the proof that `bucket verify` calls a whole bucket whole, finds every kind of damage and names it, and disturbs nobody. The
// buckets are written by real nodes.

import { beforeEach, describe, expect, it } from 'vitest'
import { crc32cReference as crc32c } from '../../../src/base/crc32c.ts'
import { OpError } from '../../../src/base/op-error.ts'
import { lifeNumber, nodeId } from '../../../src/model/ids.ts'
import { type Finding, verifyBucket, type VerifyReport } from '../../../recovery/index.ts'
import { faultyStore } from '../../../tiers/object-store/index.ts'
import { memoryStore } from '../../../tiers/object-store/memory.ts'
import type { ObjectStore } from '../../../tiers/ports.ts'
import { claimKey, encodeFence, metadataWalPrefix, numberedKey, openKey, walPrefix } from '../../../tiers/stream/index.ts'
import { drive, ManualClock } from '../../support/manual-clock.ts'
import { startTestNode, type TestNode } from '../../support/test-node.ts'

const node = nodeId(1)
const wal = (life: number): string => walPrefix(lifeNumber(life), node)

/** Only what reads; anything else is a failure of the test. */
function readOnly(store: ObjectStore): ObjectStore {
  const refuse = (): never => {
    throw new Error('verify writes')
  }
  return {
    ...{ put: refuse, putIfAbsent: refuse, putIfMatch: refuse, putMultipart: refuse, delete: refuse, deleteMany: refuse },
    location: store.location,
    head: (key) => store.head(key),
    get: (key) => store.get(key),
    getRange: (key, start, end) => store.getRange(key, start, end),
    getTail: (key, length) => store.getTail(key, length),
    list: (prefix, options) => store.list(prefix, options),
    close: () => store.close(),
  }
}

async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list(prefix)) keys.push(key)
  return keys
}

describe('bucket verify', () => {
  let clock: ManualClock
  let store: ObjectStore

  beforeEach(() => {
    clock = new ManualClock()
    store = memoryStore({ clock })
  })

  const verify = (deep = true, from = store): Promise<VerifyReport> =>
    drive(clock, verifyBucket({ store: readOnly(from), clock, crc32c, onProgress: () => undefined }, { deep }))

  const flip = async (key: string, at: number): Promise<void> => {
    const bytes = await store.get(key)
    const place = at < 0 ? bytes.length + at : at
    bytes[place] = (bytes[place] ?? 0) ^ 4
    await store.put(key, [bytes])
  }
  const truncate = async (key: string, by: number): Promise<void> => {
    const bytes = await store.get(key)
    await store.put(key, [bytes.subarray(0, bytes.length - by)])
  }
  const damage = async (deep = true): Promise<Array<Pick<Finding, 'code' | 'key'>>> => {
    const { isWhole, findings } = await verify(deep)
    const damaged = findings.filter((finding) => finding.severity === 'damage')
    expect(isWhole).toBe(damaged.length === 0)
    for (const { detail, remedy } of damaged) expect(detail === '' || remedy === '').toBe(false)
    return damaged.map(({ code, key }) => ({ code, key }))
  }

  /** Two lives; segments and extents, several WAL objects, snapshots. The second life is still running. */
  async function busyBucket(): Promise<TestNode> {
    const first = await startTestNode({ store, clock })
    await first.createTopic('t', 2)
    for (let round = 0; round < 4; round += 1) {
      await first.produce('t', 3, { valueBytes: 50 })
      await first.produce('t', 1, { partition: 1 })
      await first.flush()
    }
    await first.archive('t')
    await first.produce('t', 2)
    await first.close()
    const second = await startTestNode({ store, clock, seed: 2 })
    await second.createTopic('u')
    for (let round = 0; round < 4; round += 1) {
      await second.produce('u', 5)
      await second.flush()
    }
    await second.snapshot()
    for (let round = 0; round < 3; round += 1) {
      await second.produce('u', 2)
      await second.flush()
    }
    return second
  }
  const closedBucket = async (): Promise<void> => (await busyBucket()).close()

  it('calls an empty bucket whole and says that it is empty', async () => {
    const report = await verify()
    expect(report).toMatchObject({ isWhole: true, findings: [{ severity: 'note', code: 'BUCKET_EMPTY' }] })
  })

  it('calls what orderly nodes left whole, and counts it', async () => {
    await closedBucket()
    const { isWhole, findings, totals } = await verify()
    expect(findings.filter((finding) => finding.severity !== 'garbage')).toEqual([])
    expect(isWhole).toBe(true)
    expect(totals).toMatchObject({ lives: 2, topics: 2, partitions: 3, records: 14 + 4 + 26, segments: 1, damaged: 0 })
    expect(totals.bytesRead).toBeGreaterThan(1000)
  })

  it('calls a bucket whole while a broker works in it, again and again', async () => {
    const running = await busyBucket()
    for (let round = 0; round < 6; round += 1) {
      const produced = running.append('u', 1)
      const report = verify()
      if (round % 2 === 0) await running.archive('u')
      await running.snapshot()
      await drive(clock, produced)
      expect((await report).findings.filter((finding) => finding.severity === 'damage')).toEqual([])
    }
    expect(running.failures).toEqual([])
    expect((await running.readAll('u')).endOffset).toBe(32)
  })

  it('calls a bucket whole whose broker was killed', async () => {
    const running = await busyBucket()
    void running.append('u', 1)
    running.kill()
    expect(await damage()).toEqual([])
  })

  it('takes objects beyond a gap of a killed writer for a tail that never counted', async () => {
    const running = await busyBucket()
    running.kill()
    const last = (await keysOf(store, wal(2))).at(-1) ?? ''
    const beyond = numberedKey(wal(2), Number(last.slice(-16)) + 2)
    await store.put(beyond, [await store.get(last)])
    const { isWhole, findings } = await verify()
    expect(isWhole).toBe(true)
    expect(findings[0]).toMatchObject({ severity: 'note', code: 'WAL_TAIL_LOOSE' })
  })

  it('reads no data when it is not asked to', async () => {
    await closedBucket()
    const report = await verify(false)
    expect(report).toMatchObject({ isWhole: true, totals: { bytesRead: 0 } })
  })

  it('names a WAL object that is cut off', async () => {
    await closedBucket()
    const key = (await keysOf(store, wal(2)))[2] ?? ''
    await truncate(key, 5)
    expect(await damage()).toContainEqual({ code: 'WAL_OBJECT_DAMAGED', key })
  })

  it.each([
    ['magic', 0],
    ['trailer', -1],
    ['footer', -40],
    ['data', 80],
  ])('names a WAL object with a turned bit in its %s', async (_, at) => {
    await closedBucket()
    const key = (await keysOf(store, wal(2)))[2] ?? ''
    await flip(key, at)
    expect(await damage()).toContainEqual({ code: 'WAL_OBJECT_DAMAGED', key })
  })

  it('does not see a turned bit in data when it reads none', async () => {
    await closedBucket()
    await flip((await keysOf(store, wal(2)))[2] ?? '', 80)
    expect(await damage(false)).toEqual([])
  })

  it('names a WAL object in the middle that is gone', async () => {
    const running = await busyBucket()
    running.kill()
    const key = (await keysOf(store, wal(2))).at(-2) ?? ''
    await store.delete(key)
    // It holds the only copy, and what came after cannot follow: to a stranger it looks like a tail that never counted.
    const { findings } = await verify()
    expect(findings.map((finding) => finding.key)).toContain(key)
  })

  it('names a WAL object in the middle that is gone although its node had stopped in order', async () => {
    await closedBucket()
    const snapshots = await keysOf(store, 'snapshots/0000000002')
    await store.delete(snapshots.at(-1) ?? '')
    const key = (await keysOf(store, wal(2))).at(-3) ?? ''
    await store.delete(key)
    expect(await damage()).toContainEqual({ code: 'WAL_GAP', key })
  })

  it('names a WAL object that extents point at and that is gone', async () => {
    await closedBucket()
    const key = numberedKey(wal(1), 1)
    await store.delete(key)
    expect(await damage()).toContainEqual({ code: 'WAL_OBJECT_MISSING', key })
  })

  it('names a WAL object that stands in the place of another', async () => {
    await closedBucket()
    const key = numberedKey(wal(2), 2)
    await store.put(key, [await store.get(numberedKey(wal(2), 3))])
    expect(await damage()).toContainEqual({ code: 'EXTENT_WRONG', key })
  })

  it('names a segment that is gone', async () => {
    await closedBucket()
    const [key = ''] = await keysOf(store, 'segments/')
    await store.delete(key)
    expect(await damage()).toEqual([{ code: 'SEGMENT_MISSING', key }])
  })

  it.each([
    ['data', 100],
    ['index', -130],
    ['trailer', -20],
  ])('names a segment with a turned bit in its %s', async (_, at) => {
    await closedBucket()
    const [key = ''] = await keysOf(store, 'segments/')
    await flip(key, at)
    const found = await damage()
    expect(found).toContainEqual({ code: 'SEGMENT_DAMAGED', key })
    expect(new Set(found.map((one) => one.key))).toEqual(new Set([key]))
  })

  it('names a segment that is cut off', async () => {
    await closedBucket()
    const [key = ''] = await keysOf(store, 'segments/')
    await truncate(key, 1)
    expect(await damage()).toEqual([{ code: 'SEGMENT_DAMAGED', key }])
  })

  it('names a damaged snapshot and goes on from the one before', async () => {
    await closedBucket()
    const key = (await keysOf(store, 'snapshots/0000000002')).at(-1) ?? ''
    await flip(key, 60)
    expect(await damage()).toEqual([{ code: 'SNAPSHOT_DAMAGED', key }])
  })

  it('says that nobody can start when no snapshot verifies', async () => {
    await closedBucket()
    for (const key of await keysOf(store, 'metadata/snapshots/0000000002')) await flip(key, 60)
    expect(await damage()).toContainEqual({ code: 'NO_SNAPSHOT', key: 'metadata/snapshots/0000000002/' })
  })

  it('says that nobody can start when there is no snapshot', async () => {
    await closedBucket()
    for (const key of await keysOf(store, 'snapshots/0000000002')) await store.delete(key)
    expect(await damage()).toContainEqual({ code: 'SNAPSHOT_MISSING', key: 'snapshots/0000000002/0000000001/' })
  })

  it('names a metadata object that is gone', async () => {
    await closedBucket()
    await store.delete((await keysOf(store, 'metadata/snapshots/0000000002')).at(-1) ?? '')
    const objects = await keysOf(store, metadataWalPrefix(lifeNumber(2)))
    const [key = ''] = objects
    if (objects.length === 1) await store.put(numberedKey(metadataWalPrefix(lifeNumber(2)), 1), [await store.get(key)])
    await store.delete(key)
    expect(await damage()).toContainEqual({ code: 'WAL_GAP', key })
  })

  it('names a fence that is gone, and one that is none', async () => {
    await closedBucket()
    const key = (await keysOf(store, wal(1))).at(-1) ?? ''
    const fence = await store.get(key)
    await store.delete(key)
    expect(await damage()).toEqual([{ code: 'FENCE_MISSING', key }])
    await store.put(key, [fence.subarray(0, fence.length - 3)])
    expect(await damage()).toEqual([{ code: 'FENCE_DAMAGED', key }])
    await store.put(key, [encodeFence({ byLife: 7, by: 'nobody', atMs: 1 })])
    expect(await damage()).toEqual([{ code: 'FENCE_FOREIGN', key }])
  })

  it('names records of lives that are gone or do not read', async () => {
    await closedBucket()
    const claim = await store.get(claimKey(lifeNumber(1)))
    await store.delete(claimKey(lifeNumber(1)))
    expect(await damage()).toEqual([{ code: 'LIFE_RECORD_MISSING', key: claimKey(lifeNumber(1)) }])
    await store.put(claimKey(lifeNumber(1)), [claim.subarray(0, 20)])
    expect(await damage()).toEqual([{ code: 'LIFE_RECORD_UNREADABLE', key: claimKey(lifeNumber(1)) }])
    await store.put(claimKey(lifeNumber(1)), [claim])
    await store.delete(openKey(lifeNumber(1)))
    expect(await damage()).toEqual([{ code: 'PARENT_MISSING', key: openKey(lifeNumber(2)) }])
  })

  it('names a bucket whose lives are gone, data or not', async () => {
    await closedBucket()
    for (const key of await keysOf(store, 'cluster/')) await store.delete(key)
    expect(await damage()).toEqual([{ code: 'NO_LIFE', key: 'cluster/' }])
  })

  it('lists what nobody refers to as garbage with its size, not as damage', async () => {
    await closedBucket()
    const [segment = ''] = await keysOf(store, 'segments/')
    const orphan = `${segment.slice(0, -10)}0000000009`
    await store.put(orphan, [new Uint8Array(123)])
    await store.put('notes.txt', [new Uint8Array(5)])
    await store.put('probe/abc', [new Uint8Array(6)])
    const { isWhole, findings, totals } = await verify()
    expect(isWhole).toBe(true)
    const garbage = findings.map(({ severity, code, key, sizeBytes }) => ({ severity, code, key, sizeBytes }))
    expect(garbage).toContainEqual({ severity: 'garbage', code: 'SEGMENT_UNREFERENCED', key: orphan, sizeBytes: 123 })
    expect(garbage).toContainEqual({ severity: 'garbage', code: 'STRAY', key: 'notes.txt', sizeBytes: 5 })
    expect(garbage).toContainEqual({ severity: 'garbage', code: 'PROBE', key: 'probe/abc', sizeBytes: 6 })
    expect(totals.garbageBytes).toBeGreaterThanOrEqual(134)
  })

  it('calls garbage only what a start and a fall back to an older snapshot do without', async () => {
    await closedBucket()
    const { findings } = await verify()
    for (const { severity, key } of findings) if (severity === 'garbage') await store.delete(key)
    await store.delete((await keysOf(store, 'snapshots/0000000002')).at(-1) ?? '')
    await store.delete((await keysOf(store, 'metadata/snapshots/0000000002')).at(-1) ?? '')
    expect(await damage()).toEqual([])
    const next = await startTestNode({ store, clock, seed: 3 })
    expect(await next.readAll('t')).toMatchObject({ endOffset: 14 })
    expect(await next.readAll('u')).toMatchObject({ endOffset: 26 })
  })

  it('notes a start that was given up half way', async () => {
    await closedBucket()
    await store.put(claimKey(lifeNumber(3)), [
      Buffer.from(JSON.stringify({ formatVersion: 1, clusterId: 'x', life: 3, parentLife: 2 })),
    ])
    const { isWhole, findings } = await verify()
    expect(isWhole).toBe(true)
    expect(findings[0]).toMatchObject({ severity: 'note', code: 'LIFE_UNOPENED' })
  })

  it('passes on what the store throws when the world fails', async () => {
    await closedBucket()
    const faulty = faultyStore(store, { clock })
    faulty.inject({ fault: { kind: 'unreachable' }, operations: ['getTail'] })
    await expect(verify(true, faulty)).rejects.toThrow(OpError)
  })

  it('names damage in any byte of any object that a start reads or data lies in', async () => {
    await closedBucket()
    const { findings } = await verify()
    const garbage = new Set(findings.map((finding) => finding.key))
    const undetectable = /^(heartbeat|cluster)\//
    for (const key of await keysOf(store, '')) {
      if (garbage.has(key) || undetectable.test(key)) continue
      const sound = await store.get(key)
      for (let at = 0; at < sound.length; at += 1 + (sound.length >> 5)) {
        await flip(key, at)
        // A fence's own words, and what a header says for people, carry no meaning.
        const { isWhole } = await verify()
        if (isWhole) expect({ key, at, meaning: meaningOf(sound, at, key) }).toEqual({ key, at, meaning: 'none' })
        await store.put(key, [sound])
      }
    }
  })
})

/** Bytes that say who and when, for people: no start looks at them. */
function meaningOf(bytes: Uint8Array, at: number, key: string): 'none' | 'some' {
  const text = Buffer.from(bytes.subarray(0, 8)).toString('latin1')
  if (text === 'CHRKFENC') return at >= 10 ? 'none' : 'some'
  if (text !== 'CHRKWALO') return 'some'
  // Reserved; the node, where the key does not name it; the time.
  const isNode = at >= 16 && at < 20 && key.startsWith('metadata/')
  return (at >= 10 && at < 12) || isNode || (at >= 20 && at < 24) ? 'none' : 'some'
}
