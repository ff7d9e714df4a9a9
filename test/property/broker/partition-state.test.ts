// Owns the proof that a partition's state replayed from its log equals the live one, entry by entry, with snapshots taken and restored
// anywhere in between; and that retention does what Kafka's rules, written out plainly, say.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type ControlEntry, decodeControl, encodeControl } from '../../../src/broker/core/control.ts'
import { PartitionState } from '../../../src/broker/core/partition-state.ts'
import { planRetention } from '../../../src/broker/core/retention.ts'
import { resolveTopicSettings } from '../../../src/broker/core/topic-settings.ts'
import { leaderEpoch, offset, partitionIndex, topicId } from '../../../src/model/ids.ts'
import { type SegmentFacts, segmentKey } from '../../../tiers/segment/index.ts'
import type { BatchDigest, Extent } from '../../../tiers/stream/core/index.ts'

const id = topicId('AAECAwQFBgcICQoLDA0ODw')

function segmentOf(baseOffset: number, endOffset: number, maxTimestampMs: number, dataBytes = 1000): SegmentFacts {
  const name = {
    topicId: id,
    partition: partitionIndex(2),
    baseOffset: offset(baseOffset),
    leaderEpoch: leaderEpoch(1),
    attempt: 0,
  }
  return {
    ...name,
    key: segmentKey(name),
    endOffset: offset(endOffset),
    dataBytes,
    sizeBytes: dataBytes + 28 + 4 + 128,
    recordCount: endOffset - baseOffset,
    batchCount: 1,
    minTimestampMs: maxTimestampMs,
    maxTimestampMs,
    offsetOfMaxTimestamp: maxTimestampMs < 0 ? -1 : baseOffset,
    trailerCrc32c: 7,
  }
}

const act = fc.oneof(
  { weight: 5, arbitrary: fc.record({ records: fc.integer({ min: 1, max: 5 }), producer: fc.integer({ min: -1, max: 2 }) }) },
  { weight: 2, arbitrary: fc.record({ stream: fc.constant(true) }) },
  { weight: 2, arbitrary: fc.record({ commit: fc.constant(true) }) },
  { weight: 1, arbitrary: fc.record({ segment: fc.integer({ min: 1, max: 10 }) }) },
  { weight: 1, arbitrary: fc.record({ logStart: fc.nat(12) }) },
  { weight: 1, arbitrary: fc.record({ term: fc.constant(true) }) },
  { weight: 1, arbitrary: fc.record({ aborts: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ snapshot: fc.constant(true) }) },
)

const transactionalProducer = 2

type Logged =
  | { readonly kind: 'batch'; readonly entry: Parameters<PartitionState['replayBatch']>[0] }
  | { readonly kind: 'control'; readonly index: number; readonly payload: Uint8Array }

/** Plays a partition as it lives, and writes its log and WAL objects down. */
class Life {
  readonly live = new PartitionState(id, 2)
  readonly log: Logged[] = []
  readonly extents: Array<{ readonly extent: Extent; readonly lastIndex: number }> = []
  readonly snapshots: Array<{ readonly lastIndex: number; readonly bytes: Uint8Array }> = []
  #pending: ControlEntry[] = []
  #streamed = 0
  #term = 1
  #sequences = new Map<number, number>()
  /** The boundaries of batches. */
  readonly #ends = [0]

  act(one: typeof act extends fc.Arbitrary<infer Act> ? Act : never): void {
    if ('records' in one) this.#append(one.records, one.producer)
    else if ('commit' in one) this.#commit()
    else if ('aborts' in one) this.#marker(one.aborts ? 'abort' : 'commit')
    else if ('stream' in one) this.#stream()
    else if ('term' in one) this.#term += 1
    else if ('snapshot' in one)
      this.snapshots.push({ lastIndex: this.live.lastIndex, bytes: this.live.encodeWith(this.#pending) })
    else this.#control('segment' in one ? this.#segment(one.segment) : this.#logStart(one.logStart))
  }

  end(): void {
    this.#commit()
    this.#stream()
  }

  #append(records: number, producerId: number): void {
    const baseOffset = this.live.endOffset
    const baseSequence = this.#sequences.get(producerId) ?? 0
    if (producerId >= 0) this.#sequences.set(producerId, baseSequence + records)
    const digest = {
      baseOffset: offset(baseOffset),
      endOffset: offset(baseOffset + records),
      maxTimestampMs: baseOffset,
      producerId,
      producerEpoch: producerId < 0 ? -1 : 0,
      baseSequence: producerId < 0 ? -1 : baseSequence,
      role: producerId === transactionalProducer ? ('transactional' as const) : ('plain' as const),
      coordinatorEpoch: -1,
    }
    this.#replay(digest)
  }

  /** Ends the transaction of the one producer that has them, if there is one. */
  #marker(role: 'commit' | 'abort'): void {
    const baseOffset = this.live.endOffset
    const range = { baseOffset: offset(baseOffset), endOffset: offset(baseOffset + 1), maxTimestampMs: baseOffset }
    const producer = { producerId: transactionalProducer, producerEpoch: 0, baseSequence: -1 }
    this.#replay({ ...range, ...producer, role, coordinatorEpoch: this.#term })
  }

  #replay(digest: BatchDigest): void {
    const entry = { index: this.live.lastIndex + 1, term: this.#term, digest, nowMs: 50 }
    this.live.replayBatch(entry)
    this.log.push({ kind: 'batch', entry })
    this.#ends.push(digest.endOffset)
  }

  #segment(batches: number): ControlEntry | undefined {
    const from = this.live.archivedEndOffset
    const end = this.#ends
      .filter((one) => one > from)
      .slice(0, batches)
      .at(-1)
    return end === undefined ? undefined : { kind: 'segment-published', segment: segmentOf(from, end, from) }
  }

  #logStart(batches: number): ControlEntry | undefined {
    const end = this.#ends.filter((one) => one >= this.live.logStartOffset)[batches]
    return end === undefined ? undefined : { kind: 'log-start', offset: offset(end) }
  }

  /** One control entry of a kind is on its way at a time: the archiver waits for each. */
  #control(entry: ControlEntry | undefined): void {
    if (entry === undefined || this.#pending.some((one) => one.kind === entry.kind)) return
    const index = this.live.lastIndex + 1
    this.live.noteControl(index)
    this.log.push({ kind: 'control', index, payload: encodeControl(entry) })
    this.#pending.push(entry)
  }

  #commit(): void {
    for (const entry of this.#pending.splice(0)) this.live.applyControl(entry)
  }

  /** What was committed becomes an object; the streamer runs behind commits, never ahead. */
  #stream(): void {
    this.#commit()
    const entries = this.log.slice(this.#streamed)
    this.#streamed = this.log.length
    const batches = entries.filter((one) => one.kind === 'batch')
    const [first, last] = [batches[0], batches.at(-1)]
    if (first === undefined || last === undefined) return
    const extent = {
      objectKey: `wal/${this.extents.length}`,
      objectSizeBytes: 5000,
      position: 4,
      length: 100,
      baseOffset: first.entry.digest.baseOffset,
      endOffset: last.entry.digest.endOffset,
      maxTimestampMs: last.entry.digest.maxTimestampMs,
    }
    this.live.addExtent(extent)
    this.extents.push({ extent, lastIndex: this.live.lastIndex })
  }
}

function replay(state: PartitionState, life: Life): PartitionState {
  const extents = [...life.extents]
  const from = state.lastIndex
  // Objects that the state covers already are read again at recovery: the snapshot says from which on.
  const addUpTo = (index: number): void => {
    while (extents[0] !== undefined && extents[0].lastIndex <= index) state.addExtent(extents.shift()!.extent)
  }
  addUpTo(from)
  for (const one of life.log) {
    const index = one.kind === 'batch' ? one.entry.index : one.index
    if (index <= from) continue
    if (one.kind === 'batch') state.replayBatch(one.entry)
    else state.replayControl(one.index, one.payload)
    addUpTo(index)
  }
  return state
}

test('live equals replayed, from the beginning and from any snapshot', () => {
  let withPending = 0
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
      const life = new Life()
      for (const one of acts) life.act(one)
      life.end()
      const wanted = Buffer.from(life.live.encode()).toString('hex')
      expect(Buffer.from(replay(new PartitionState(id, 2), life).encode()).toString('hex')).toBe(wanted)
      for (const { lastIndex, bytes } of life.snapshots) {
        const restored = PartitionState.decode(bytes, lastIndex)
        if (typeof restored === 'string') throw new Error(restored)
        expect(Buffer.from(restored.encode()).equals(bytes)).toBe(true)
        expect(Buffer.from(replay(restored, life).encode()).toString('hex')).toBe(wanted)
        withPending += 1
      }
    }),
    { numRuns: 500 },
  )
  expect(withPending).toBeGreaterThan(100)
})

test('a log always knows a place for each offset: segments are contiguous, extents reach from the archive to what is streamed', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
      const life = new Life()
      for (const one of acts) {
        life.act(one)
        const { segments, extents, archivedEndOffset, streamedEndOffset, logStartOffset } = life.live
        segments.slice(1).forEach((segment, at) => expect(segment.baseOffset).toBe(segments[at]!.endOffset))
        const later = extents.filter((extent) => extent.endOffset > archivedEndOffset)
        expect(later.length === 0 || later[0]!.baseOffset <= Math.max(archivedEndOffset, logStartOffset)).toBe(true)
        later.slice(1).forEach((extent, at) => expect(extent.baseOffset).toBe(later[at]!.endOffset))
        expect(streamedEndOffset).toBeLessThanOrEqual(Math.max(life.live.endOffset, logStartOffset))
      }
    }),
    { numRuns: 300 },
  )
})

test('control entries decode to what was encoded, and bent bytes are named, never thrown', () => {
  fc.assert(
    fc.property(fc.nat(1000), fc.integer({ min: 1, max: 1000 }), fc.nat(200), fc.nat(255), (base, count, at, byte) => {
      for (const entry of [
        { kind: 'segment-published' as const, segment: segmentOf(base, base + count, base) },
        { kind: 'log-start' as const, offset: offset(base) },
      ]) {
        const bytes = encodeControl(entry)
        expect(decodeControl(bytes)).toEqual({ ok: true, value: entry })
        bytes[at % bytes.length] = byte
        expect(typeof decodeControl(bytes.subarray(0, (at * 7) % (bytes.length + 1))).ok).toBe('boolean')
      }
    }),
  )
})

const day = 86_400_000

test('retention gives up what Kafka would: oldest first, by time while it is too old, by size while the rest still reaches the limit', () => {
  const piece = fc.record({
    ageMs: fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 0, max: 3 * day }) }, { weight: 1, arbitrary: fc.constant(-1) }),
    bytes: fc.integer({ min: 1, max: 100 }),
  })
  const nowMs = 100 * day
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 12 }),
      fc.constantFrom('-1', String(day), String(2 * day)),
      fc.constantFrom('-1', '0', '150'),
      (pieces, retentionMs, retentionBytes) => {
        const state = new PartitionState(id, 2)
        pieces.forEach(({ ageMs, bytes }, at) => {
          state.segments.push(segmentOf(at * 10, at * 10 + 10, ageMs < 0 ? -1 : nowMs - ageMs, bytes))
        })
        state.endOffset = pieces.length * 10
        const settings = resolveTopicSettings(
          new Map([
            ['retention.ms', retentionMs],
            ['retention.bytes', retentionBytes],
          ]),
          new Map(),
        )
        const plan = planRetention(state, { settings, nowMs, endOffset: state.endOffset })
        // One pass after the other, until nothing more goes.
        const sizeFrom = (at: number): number => pieces.slice(at).reduce((sum, one) => sum + one.bytes, 0)
        let gone = 0
        for (let before = -1; gone !== before;) {
          before = gone
          // By time: up to the last of a leading run in which every piece that has a time is too old.
          for (let at = gone; at < pieces.length && retentionMs !== '-1'; at += 1) {
            const { ageMs } = pieces[at]!
            if (ageMs >= 0 && ageMs <= Number(retentionMs)) break
            if (ageMs >= 0) gone = at + 1
          }
          // By size: as long as what stays holds at least the limit.
          while (retentionBytes !== '-1' && gone < pieces.length && sizeFrom(gone + 1) >= Number(retentionBytes)) gone += 1
        }
        expect(plan?.logStartOffset ?? 0).toBe(gone * 10)
      },
    ),
    { numRuns: 1000 },
  )
})
