// Owns the proof that reading a log that lies in four tiers at once gives what reading one flat list would: any offset, any limit, any
// boundary, and by time with headers that promise too much and times out of order.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32cReference as crc32c } from '../../../src/base/crc32c.ts'
import { OpError } from '../../../src/base/op-error.ts'
import { PartitionState } from '../../../src/broker/core/partition-state.ts'
import { TailIndex } from '../../../src/broker/core/tail-index.ts'
import { BucketArchive } from '../../../src/broker/index.ts'
import { LogReader } from '../../../src/broker/partition/log-reader.ts'
import type { LogNode } from '../../../src/broker/ports.ts'
import type { WalPosition } from '../../../src/model/entry.ts'
import { leaderEpoch, offset, partitionIndex, topicId } from '../../../src/model/ids.ts'
import { baseOffsetOf, batchBytesOf, encodeBatch, findOffsetByTimestamp, lastOffsetOf } from '../../../src/protocol/index.ts'
import { BlockCache } from '../../../tiers/cache/index.ts'
import { memoryStore } from '../../../tiers/object-store/memory.ts'
import { SegmentArchive, SegmentWriter } from '../../../tiers/segment/index.ts'
import { digestOf } from '../../../tiers/stream/index.ts'

const id = topicId('AAECAwQFBgcICQoLDA0ODw')

interface Batch {
  readonly bytes: Uint8Array
  readonly base: number
  readonly end: number
  readonly times: readonly number[]
}

const shape = fc.record({
  times: fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 4 }),
  padding: fc.integer({ min: 0, max: 300 }),
  /** The header states a later time than any record has. */
  boast: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 30 }) }),
})
const layout = fc.record({
  batches: fc.array(shape, { minLength: 1, maxLength: 24 }),
  /** Batches per segment, then per extent; the rest is in the tail. Extents begin a little before the archive ends. */
  segments: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }),
  overlap: fc.nat(2),
  extents: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }),
  tailOverlap: fc.nat(3),
  cold: fc.nat(6),
  hidden: fc.nat(2),
})

function batchesOf(shapes: readonly (typeof shape extends fc.Arbitrary<infer Shape> ? Shape : never)[]): Batch[] {
  let base = 0
  return shapes.map(({ times, padding, boast }) => {
    const records = times.map((timestamp, at) => ({
      offset: base + at,
      timestamp,
      key: null,
      value: Buffer.alloc(padding, 1),
      headers: [],
    }))
    const maxTimestamp = Math.max(...times) + boast
    const bytes = encodeBatch({ records, maxTimestamp, leaderEpoch: 1 }, { crc32c })
    const batch = { bytes, base, end: base + times.length, times }
    base += times.length
    return batch
  })
}

const join = (batches: readonly Batch[]): Uint8Array => Buffer.concat(batches.map((batch) => batch.bytes))

/** The log in its tiers, and how far it is visible. */
async function world(plan: typeof layout extends fc.Arbitrary<infer Layout> ? Layout : never) {
  const all = batchesOf(plan.batches)
  const store = memoryStore()
  const writer = new SegmentWriter({ store, crc32c, chunkBytes: 1024, indexIntervalBytes: 300 })
  const state = new PartitionState(id, 0)
  let archived = 0
  for (const count of plan.segments) {
    const part = all.slice(archived, archived + count)
    if (part[0] === undefined) break
    const name = { topicId: id, partition: partitionIndex(0), baseOffset: offset(part[0].base), leaderEpoch: leaderEpoch(1) }
    state.segments.push(await writer.write(name, () => [join(part)]))
    archived += part.length
  }
  let streamed = Math.max(0, archived - plan.overlap)
  for (const count of plan.extents) {
    const part = all.slice(streamed, streamed + count)
    const [first, last] = [part[0], part.at(-1)]
    if (first === undefined || last === undefined) break
    const bytes = join(part)
    const objectKey = `wal/${streamed}`
    await store.put(objectKey, [Uint8Array.of(1, 2, 3), bytes, Uint8Array.of(9)])
    const maxTimestampMs = Math.max(...part.map((batch) => digestOf(batch.bytes).maxTimestampMs))
    const [baseOffset, endOffset] = [offset(first.base), offset(last.end)]
    const place = { objectKey, objectSizeBytes: bytes.length + 4, position: 3, length: bytes.length }
    state.extents.push({ ...place, baseOffset, endOffset, maxTimestampMs })
    streamed += part.length
  }
  state.endOffset = all.at(-1)!.end
  const tailFrom = Math.max(0, Math.max(archived, streamed) - plan.tailOverlap)
  const tail = new TailIndex()
  const onDisk = new Map<number, Uint8Array>()
  all.slice(tailFrom).forEach((batch, at) => {
    onDisk.set(at, batch.bytes)
    const position = { file: 1, at, length: batch.bytes.length }
    const { maxTimestampMs } = digestOf(batch.bytes)
    tail.push({ index: at + 1, baseOffset: batch.base, endOffset: batch.end, maxTimestampMs, position }, batch.bytes)
  })
  for (let times = 0; times < plan.cold; times += 1) tail.coolOldest()
  const cache = new BlockCache({ reader: store, chunkBytes: 1024, requestBytesMax: 4096, budgetBytes: 16 * 1024 })
  const segments = new SegmentArchive({ reader: store, cache, crc32c })
  const wal = { released: false }
  const logs = {
    readMany: (positions: readonly WalPosition[]) =>
      wal.released
        ? Promise.reject(new OpError('missing', { code: 'WAL_FILE_RELEASED', detail: 'gone' }))
        : Promise.resolve(positions.map((position) => onDisk.get(position.at)!)),
  } as Pick<LogNode, 'readMany'> as LogNode
  const reader = new LogReader({ state, tail, logs, archive: new BucketArchive({ segments, cache, crc32c }) })
  const visible = all.at(-1 - Math.min(plan.hidden, all.length - 1 - Math.max(archived, streamed)))?.end ?? state.endOffset
  return { all, reader, visible: Math.max(visible, state.streamedEndOffset), wal, covered: Math.max(archived, streamed) }
}

const split = (runs: readonly Uint8Array[]): Array<{ readonly base: number; readonly end: number; readonly length: number }> =>
  runs.flatMap((run) => {
    const found = []
    for (let at = 0; at < run.length; at += batchBytesOf(run, at))
      found.push({ base: baseOffsetOf(run, at), end: lastOffsetOf(run, at) + 1, length: batchBytesOf(run, at) })
    return found
  })

test('from any offset, with any limit, a read answers the whole batches a flat log would begin with', async () => {
  await fc.assert(
    fc.asyncProperty(layout, fc.integer({ min: 0, max: 1500 }), fc.boolean(), async (plan, maxBytes, minOneBatch) => {
      const { all, reader, visible } = await world(plan)
      for (let wanted = 0; wanted < visible; wanted += 1) {
        const run = await reader.read({ offset: wanted, endOffset: visible, maxBytes, minOneBatch })
        const found = split(run.batches)
        const from = all.findIndex((batch) => batch.end > wanted)
        expect(run.bytes).toBe(found.reduce((sum, one) => sum + one.length, 0))
        expect(found).toEqual(
          all.slice(from, from + found.length).map(({ base, end, bytes }) => ({ base, end, length: bytes.length })),
        )
        expect(found.every((one) => one.base < visible)).toBe(true)
        if (found.length > 1 || !minOneBatch) expect(run.bytes).toBeLessThanOrEqual(maxBytes)
        const isSmallEnough = all[from]!.bytes.length <= maxBytes
        if (minOneBatch || isSmallEnough) expect(found.length, `at ${wanted}`).toBeGreaterThan(0)
      }
    }),
    { numRuns: 150 },
  )
})

test('reading on from where the last read ended passes through all tiers, also when the WAL file goes meanwhile', async () => {
  await fc.assert(
    fc.asyncProperty(layout, fc.integer({ min: 1, max: 1500 }), fc.boolean(), async (plan, maxBytes, isReleased) => {
      const { all, reader, visible, wal, covered } = await world(plan)
      // Only what is in the bucket loses its file.
      wal.released = isReleased && covered >= all.length
      const seen: number[] = []
      for (let at = 0; at < visible;) {
        const run = await reader.read({ offset: at, endOffset: visible, maxBytes, minOneBatch: true })
        for (const { base, end } of split(run.batches)) {
          expect(base <= at && end > at).toBe(true)
          seen.push(base)
          at = end
        }
      }
      expect(seen).toEqual(all.filter((batch) => batch.base < visible).map((batch) => batch.base))
    }),
    { numRuns: 150 },
  )
})

test('a search by time finds the first record at or after it, as a scan of every record does', async () => {
  let boasted = 0
  await fc.assert(
    fc.asyncProperty(layout, async (plan) => {
      const { all, reader, visible } = await world(plan)
      for (let wanted = 0; wanted < 95; wanted += 4) {
        const scanned = all
          .flatMap((batch) => batch.times.map((time, at) => ({ time, offset: batch.base + at })))
          .find((one) => one.time >= wanted && one.offset < visible)
        let found: number | undefined
        for await (const run of reader.batchesFrom(wanted, visible)) {
          for (let at = 0; at < run.length && found === undefined; at += batchBytesOf(run, at)) {
            const record = findOffsetByTimestamp(run, at, { timestamp: wanted, startOffset: 0 }, () => ({ failure: 'plain' }))
            if (record?.kind === 'found' && record.offset < visible) found = record.offset
          }
          if (found !== undefined) break
          boasted += 1
        }
        expect(found).toBe(scanned?.offset)
      }
    }),
    { numRuns: 150 },
  )
  expect(boasted).toBeGreaterThan(50)
})

test('an offset that no tier holds is named, never read past', async () => {
  const state = new PartitionState(id, 0)
  state.endOffset = 20
  const place = { objectKey: 'wal/1', objectSizeBytes: 100, position: 3, length: 50, maxTimestampMs: 5 }
  state.extents.push({ ...place, baseOffset: offset(10), endOffset: offset(20) })
  const reader = new LogReader({ state, tail: new TailIndex(), logs: {} as LogNode, archive: {} as BucketArchive })
  const read = reader.read({ offset: 5, endOffset: 20, maxBytes: 100, minOneBatch: true })
  await expect(read).rejects.toMatchObject({ kind: 'missing', code: 'OFFSET_NOT_HELD' })
})
