// Owns the proof that compaction leaves what a reader of the whole log would end with: the newest record of each key, nothing invented,
// nothing of aborted transactions, tombstones for their time; over several passes, with small memory, and from the bucket alone.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crc32c } from '../../../src/base/node/native-crc32c.ts'
import { KeyedHash } from '../../../src/base/keyed-hash.ts'
import type { AppendResult } from '../../../src/broker/api.ts'
import { OffsetMap, offsetMapSlots } from '../../../src/broker/core/offset-map.ts'
import { offset } from '../../../src/model/ids.ts'
import {
  baseOffsetOf,
  batchBytesOf,
  decodeRecords,
  encodeBatch,
  isControlBatch,
  isTransactional,
  lastOffsetOf,
  producerIdOf,
} from '../../../src/protocol/index.ts'
import { aroundStore } from '../../../tiers/object-store/around.ts'
import { memoryStore } from '../../../tiers/object-store/memory.ts'
import { verifySegment } from '../../../tiers/segment/index.ts'
import { drive, ManualClock } from '../../support/manual-clock.ts'
import { startTestNode, type TestNode } from '../../support/test-node.ts'

const topic = 't'
const deleteRetentionMs = 50_000

interface Logged {
  readonly offset: number
  readonly key: string
  readonly value: string | null
  /** Of an aborted or open transaction: not to be seen. */
  producerId: number
  fate: 'plain' | 'open' | 'committed' | 'aborted'
}

type Step =
  | {
      readonly kind: 'records'
      readonly producer: number
      readonly keys: readonly number[]
      readonly tombstones: readonly boolean[]
    }
  | { readonly kind: 'end'; readonly producer: number; readonly result: 'commit' | 'abort' }
  | { readonly kind: 'archive' | 'reopen' }
  | { readonly kind: 'compact'; readonly archives?: boolean }
  | { readonly kind: 'wait'; readonly ms: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.array(fc.tuple(fc.nat(5), fc.boolean()), { minLength: 1, maxLength: 4 }).chain((records) =>
      fc.record({
        kind: fc.constant('records' as const),
        // 0 writes outside of transactions.
        producer: fc.nat(2),
        keys: fc.constant(records.map(([key]) => key)),
        tombstones: fc.constant(records.map(([, tombstone]) => tombstone)),
      }),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      producer: fc.integer({ min: 1, max: 2 }),
      result: fc.constantFrom('commit', 'abort'),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ kind: 'archive' as const }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('compact' as const), archives: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: deleteRetentionMs }) }) },
)

class Story {
  readonly clock = new ManualClock()
  readonly store = memoryStore({ clock: this.clock })
  /** How many requests the bucket still answers; then the node dies, before or after the last one has taken effect. */
  death: { left: number; readonly after: boolean; readonly happens: () => void } | undefined
  readonly log: Logged[] = []
  readonly sequences = new Map<number, number>()
  node!: TestNode
  lives = 0
  passes = 0
  /** When each tombstone was compacted first: until its horizon it must be there. */
  readonly cleanedAtMs = new Map<number, number>()

  readonly memory: { readonly segmentBytes: number; readonly dedupeBytes: number }

  constructor(memory: { readonly segmentBytes: number; readonly dedupeBytes: number }) {
    this.memory = memory
  }

  async open(): Promise<void> {
    this.lives += 1
    this.node = await startTestNode({
      store: aroundStore(
        this.store,
        (_, run) => this.#around(run),
        (...asked) => this.store.list(...asked),
      ),
      clock: this.clock,
      seed: this.lives,
      takeover: this.lives > 1,
      change: (settings) => ({
        ...settings,
        segment: { ...settings.segment, bytesMax: this.memory.segmentBytes },
        cleaner: { ...settings.cleaner, dedupeBufferBytes: this.memory.dedupeBytes },
      }),
    })
    if (this.lives > 1) return
    const configs = {
      'cleanup.policy': 'compact',
      'min.cleanable.dirty.ratio': '0',
      'delete.retention.ms': String(deleteRetentionMs),
    }
    await this.node.createTopic(topic, 1, configs)
  }

  async #around<Result>(run: () => Promise<Result>): Promise<Result> {
    const { death } = this
    if (death === undefined || (death.left -= 1) > 0) return run()
    this.node.kill()
    this.death = undefined
    if (death.after) await run()
    death.happens()
    return new Promise(() => undefined)
  }

  /** Compacts, and dies with the n-th request to the bucket; false when there are not as many. */
  async dieCompacting(requests: number, after: boolean): Promise<boolean> {
    const { compactor, logs } = this.node.parts
    let died = false
    const dies = new Promise<void>((resolve) => {
      this.death = { left: requests, after, happens: () => ((died = true), resolve()) }
    })
    await drive(this.clock, Promise.race([dies, compactor.runOnce().then(() => logs.flush())]))
    this.death = undefined
    if (!died) this.node.kill()
    await this.open()
    return died
  }

  get partition() {
    return this.node.partition(topic)
  }

  async run(one: Step): Promise<void> {
    if (one.kind === 'records') await this.write(one)
    else if (one.kind === 'end') await this.end(one)
    else if (one.kind === 'archive') await this.node.archive(topic)
    else if (one.kind === 'compact') {
      // What is not archived is not compacted.
      if (one.archives === true) await this.node.archive(topic)
      await this.compact()
    } else if (one.kind === 'wait') await drive(this.clock, new Promise<void>((resolve) => this.clock.after(one.ms, resolve)))
    else {
      await this.node.flush()
      this.node.kill()
      await this.open()
    }
  }

  async write({ producer, keys, tombstones }: Extract<Step, { kind: 'records' }>): Promise<void> {
    const baseOffset = this.partition.logEndOffset
    const timestamp = this.clock.nowMs()
    const records = keys.map((key, at) => ({
      offset: at,
      timestamp,
      key: Buffer.from(`key-${key}`),
      value: tombstones[at] === true ? null : Buffer.from(`value of ${baseOffset + at}`),
      headers: [],
    }))
    const baseSequence = this.sequences.get(producer) ?? 0
    const identity = { producerId: 100 + producer, producerEpoch: 0, baseSequence, isTransactional: true }
    const batch = encodeBatch({ records, ...(producer === 0 ? {} : identity) }, { crc32c })
    const done = new Promise<AppendResult>((resolve) => {
      this.partition.append({ records: batch, acks: -1 }, resolve)
    })
    expect((await drive(this.clock, done)).kind).toBe('appended')
    if (producer > 0) this.sequences.set(producer, baseSequence + keys.length)
    for (const { offset: at, key, value } of records)
      this.log.push({
        offset: baseOffset + at,
        key: key.toString(),
        value: value === null ? null : value.toString(),
        producerId: 100 + producer,
        fate: producer === 0 ? 'plain' : 'open',
      })
  }

  async end({ producer, result }: Extract<Step, { kind: 'end' }>): Promise<void> {
    const producerId = 100 + producer
    const open = this.log.filter((one) => one.producerId === producerId && one.fate === 'open')
    if (open.length === 0) return
    const done = new Promise<AppendResult>((resolve) => {
      this.partition.appendMarker({ producerId, producerEpoch: 0, coordinatorEpoch: 0, result }, resolve)
    })
    expect((await drive(this.clock, done)).kind).toBe('appended')
    for (const one of open) one.fate = result === 'commit' ? 'committed' : 'aborted'
  }

  async compact(): Promise<void> {
    const { compactor } = this.node.parts
    const nowMs = this.clock.nowMs()
    const worked = await drive(this.clock, compactor.runOnce())
    if (worked) this.passes += 1
    expect(this.node.failures).toEqual([])
    const end = this.partition.state.cleanedEndOffset
    for (const one of this.log)
      if (worked && one.offset < end && one.value === null && !this.cleanedAtMs.has(one.offset))
        this.cleanedAtMs.set(one.offset, nowMs)
  }

  /** What a reader of committed records sees, and what lies there physically. */
  async read(): Promise<{ readonly seen: readonly Logged[]; readonly there: ReadonlySet<number> }> {
    const seen: Logged[] = []
    const there = new Set<number>()
    const { partition } = this
    for (let at: number = partition.logStartOffset; at < partition.lastStableOffset;) {
      const asked = { offset: offset(at), maxBytes: 500, minOneBatch: true, committedOnly: true }
      const read = await drive(this.clock, Promise.resolve(partition.read(asked)))
      if (read.kind === 'error') throw new Error(`offset ${at}: error ${read.errorCode}`)
      expect(read.batches.length, `something at ${at}`).toBeGreaterThan(0)
      for (const run of read.batches)
        for (let position = 0; position < run.length; position += batchBytesOf(run, position)) {
          at = lastOffsetOf(run, position) + 1
          if (isControlBatch(run, position)) continue
          const decoded = decodeRecords(run, position, () => ({ failure: 'nothing is compressed' }))
          if (decoded.kind === 'malformed') throw new Error(decoded.detail)
          const producerId = producerIdOf(run, position)
          const base = baseOffsetOf(run, position)
          const aborted =
            isTransactional(run, position) &&
            partition.state.transactions
              .abortedWithin(base, base + 1)
              .some((one) => one.producerId === producerId && one.firstOffset <= base && base <= one.lastOffset)
          for (const record of decoded.records) {
            there.add(record.offset)
            if (aborted) continue
            const value = record.value === null ? null : Buffer.from(record.value).toString()
            const key = Buffer.from(record.key!).toString()
            seen.push({ offset: record.offset, key, value, producerId, fate: 'plain' })
          }
        }
    }
    return { seen, there }
  }

  async check(): Promise<void> {
    const { seen, there } = await this.read()
    const stable = this.partition.lastStableOffset
    // The newest records are read from memory, where nothing is compacted.
    const cleaned = this.partition.tailBatches === 0 ? this.partition.state.cleanedEndOffset : 0
    const sound = new Map(this.log.filter(({ fate }) => fate === 'plain' || fate === 'committed').map((one) => [one.offset, one]))
    const newest = new Map<string, Logged>()
    for (const one of sound.values()) if (one.offset < stable) newest.set(one.key, one)
    // Nothing invented, nothing changed, nothing aborted.
    for (const { offset: at, key, value } of seen)
      expect({ key, value }, `offset ${at}`).toEqual({ key: sound.get(at)?.key, value: sound.get(at)?.value })
    for (const one of this.log)
      if (one.fate === 'aborted' && one.offset < cleaned) expect(there.has(one.offset), `aborted ${one.offset}`).toBe(false)
    const last = new Map(seen.map((one) => [one.key, one]))
    for (const [key, one] of newest) {
      const found = last.get(key)
      if (one.value !== null) expect(found?.offset, key).toBe(one.offset)
      else if (found !== undefined) expect(found.offset, key).toBe(one.offset)
      else {
        const since = this.cleanedAtMs.get(one.offset)
        expect(since, `the tombstone ${one.offset} of ${key} is gone`).toBeDefined()
        expect(this.clock.nowMs() - since!).toBeGreaterThanOrEqual(deleteRetentionMs)
      }
    }
    // What was looked at has each key once.
    const below = seen.filter((one) => one.offset < cleaned).map(({ key }) => key)
    expect(below.length).toBe(new Set(below).size)
    for (const segment of this.partition.state.segments) {
      const verdict = await verifySegment(this.store, segment.key, crc32c)
      expect(verdict.findings).toEqual([])
    }
  }
}

describe('compaction', () => {
  it('leaves what a reader of the whole log would end with', { timeout: 120_000 }, async () => {
    let passes = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 40 }),
        fc.record({ segmentBytes: fc.constantFrom(300, 2_000, 1 << 20), dedupeBytes: fc.constantFrom(120, 240, 1 << 20) }),
        async (steps, memory) => {
          const story = new Story(memory)
          await story.open()
          for (const one of steps) {
            await story.run(one)
            if (one.kind === 'compact' || one.kind === 'reopen') await story.check()
          }
          // An open transaction keeps what lies behind it from being looked at.
          for (const producer of [1, 2]) await story.run({ kind: 'end', producer, result: 'commit' })
          for (const one of [{ kind: 'compact', archives: true }, { kind: 'reopen' }] as const) await story.run(one)
          await story.check()
          passes += story.passes
          story.node.kill()
        },
      ),
      { numRuns: 150 },
    )
    expect(passes).toBeGreaterThan(150)
  })

  it('gives up tombstones and markers once their time has passed, and keeps the log’s end', async () => {
    const story = new Story({ segmentBytes: 1 << 20, dedupeBytes: 1 << 20 })
    await story.open()
    const write = (producer: number, tombstone: boolean): Promise<void> =>
      story.run({ kind: 'records', producer, keys: [1], tombstones: [tombstone] })
    await write(1, false)
    await story.run({ kind: 'end', producer: 1, result: 'abort' })
    await write(0, true)
    for (const _ of [1, 2, 3]) {
      await story.run({ kind: 'archive' })
      await story.run({ kind: 'compact' })
      await story.check()
      await story.run({ kind: 'wait', ms: deleteRetentionMs })
      // Something dirty, so that there is a reason to clean.
      await story.run({ kind: 'records', producer: 0, keys: [2], tombstones: [false] })
    }
    await story.run({ kind: 'reopen' })
    await story.check()
    const { seen, there } = await story.read()
    expect(seen.map(({ key }) => key)).toEqual(['key-2', 'key-2'])
    expect(there.size).toBe(2)
    const { segments, endOffset } = story.partition.state
    expect(segments).toHaveLength(1)
    expect(endOffset).toBe(6)
    // The producer of the aborted transaction, of which not even the marker is left, commits another.
    await write(1, false)
    await story.run({ kind: 'end', producer: 1, result: 'commit' })
    await story.run({ kind: 'compact', archives: true })
    await story.run({ kind: 'reopen' })
    await story.check()
    expect((await story.read()).seen.map(({ key }) => key)).toEqual(['key-2', 'key-1'])
  })
})

describe('a broker that dies while it compacts', () => {
  it.each([
    ['before the bucket did', false],
    ['after the bucket did', true],
  ])(
    'has the old segments or the new ones, %s what was asked last, and leaves no garbage',
    { timeout: 60_000 },
    async (_, after) => {
      let deaths = 0
      for (let requests = 1; ; requests += 1) {
        const story = new Story({ segmentBytes: 1_000, dedupeBytes: 1 << 20 })
        await story.open()
        for (let round = 0; round < 6; round += 1) {
          for (const producer of [0, 1])
            await story.run({ kind: 'records', producer, keys: [0, 1, 2, round], tombstones: [round === 5, false, false, false] })
          await story.run({ kind: 'end', producer: 1, result: round % 2 === 0 ? 'commit' : 'abort' })
          await story.run({ kind: 'archive' })
        }
        await drive(story.clock, story.node.parts.logs.flush())
        const died = await story.dieCompacting(requests, after)
        await story.check()
        await story.run({ kind: 'compact' })
        await story.check()
        // The dead one's objects, those that were replaced: nobody refers to them.
        for (let sweep = 0; sweep < 3; sweep += 1) {
          await story.run({ kind: 'wait', ms: 120_000 })
          await story.node.snapshot()
          await drive(story.clock, story.node.parts.sweeper.sweep(story.clock.nowMs()))
        }
        const stored: string[] = []
        for await (const { key } of story.store.list('segments/')) stored.push(key)
        expect(stored.sort()).toEqual(story.partition.state.segments.map(({ key }) => key).sort())
        await story.run({ kind: 'reopen' })
        await story.check()
        story.node.kill()
        if (!died) break
        deaths += 1
      }
      expect(deaths).toBeGreaterThan(5)
    },
  )
})

describe('an offset map', () => {
  const put = (map: OffsetMap, key: string, offset: number): boolean => {
    const bytes = Buffer.from(`<${key}>`)
    return map.put(bytes, 1, bytes.length - 1, offset)
  }
  const latest = (map: OffsetMap, key: string): number => {
    const bytes = Buffer.from(key)
    return map.latestOf(bytes, 0, bytes.length)
  }

  it('knows the newest offset of as many keys as it was made for, and refuses one more', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 60 }), (keys) => {
        const unique = [...new Set(keys)]
        const map = new OffsetMap(offsetMapSlots(unique.length), new KeyedHash(new Uint8Array(16)))
        keys.forEach((key, at) => expect(put(map, key, at)).toBe(true))
        for (const key of unique) expect(latest(map, key)).toBe(keys.lastIndexOf(key))
        expect(latest(map, 'never put'.repeat(9))).toBe(-1)
        expect(map.size).toBe(unique.length)
      }),
    )
    const small = new OffsetMap(2, new KeyedHash(new Uint8Array(16)))
    expect(put(small, 'a', 1)).toBe(true)
    expect(put(small, 'b', 2)).toBe(false)
    expect(put(small, 'a', 3)).toBe(true)
    expect(latest(small, 'a')).toBe(3)
  })
})
