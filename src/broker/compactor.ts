// Owns compaction of what lies in the bucket: which partition is next, reading its segments, writing what stays as new ones, and the
// entry that puts these in their place. Not what stays (core/compaction-filter.ts), nor when segments come to be (archiver.ts).
//
// Order of side effects (I4), for each new segment: claim its names -> upload -> control entry in the partition's log -> (in the bucket, a
// grace later) what it replaces may go. A crash in between leaves an object nobody knows; the next pass begins again.

import type { Clock } from '../base/clock.ts'
import { nextTurn, sleep } from '../base/clock.ts'
import type { Crc32c } from '../base/crc32c.ts'
import type { Log } from '../base/log.ts'
import { isOpError, OpError } from '../base/op-error.ts'
import { batchBytesOf, type Compress, type Decompress, isControlBatch, lastOffsetOf, openBatch } from '../protocol/index.ts'
import type { SegmentArchive, SegmentFacts, SegmentWriter } from '../../tiers/segment/index.ts'
import { SegmentCursor, segmentNamesFrom } from '../../tiers/segment/index.ts'
import { type CompactionPlan, groupSegments, planCompaction } from './core/compaction-plan.ts'
import { CompactionFilter, DecidedTransactions } from './core/compaction-filter.ts'
import { type KeyHash, OffsetMap, offsetMapSlotBytes, offsetMapSlots } from './core/offset-map.ts'
import type { Partition } from './partition/partition.ts'

export interface CompactorOptions {
  readonly clock: Clock
  readonly log: Log
  readonly writer: SegmentWriter
  readonly segments: Pick<SegmentArchive, 'open'>
  readonly partitions: () => Iterable<Partition>
  /** Runs `work` while no garbage is swept: what it claims then is not. */
  readonly whileQuiet: <Value>(work: () => Promise<Value>) => Promise<Value>
  readonly decompress: Decompress
  readonly compress: Compress
  readonly crc32c: Crc32c
  readonly keyHash: KeyHash
  /** How long to wait when nothing is due. */
  readonly backoffMs: number
  /** Memory for the newest offset of each key. */
  readonly dedupeBufferBytes: number
  /** Read and written together. */
  readonly ioBytesPerSecondMax: number
  readonly segmentBytesMax: number
  /** The loop has ended by an error that is not the world's: our own bug. */
  readonly onDied: (error: unknown) => void
}

export interface CompactorCounters {
  passes: number
  readBytes: number
  writtenBytes: number
  replacedSegments: number
  failures: number
}

/** What is read at once, and gone through in one turn. */
const readBytes = 1024 * 1024
/** No timer is shorter. */
const pauseMsMin = 1

export class Compactor {
  readonly counters: CompactorCounters = { passes: 0, readBytes: 0, writtenBytes: 0, replacedSegments: 0, failures: 0 }
  /** Of the last pass. */
  mapUtilization = 0
  readonly #options: CompactorOptions
  readonly #claims = new Set<string>()
  /** Those that failed since the last wait. */
  readonly #putOff = new Set<Partition>()
  #cancel: (() => void) | undefined
  #busy: Promise<void> = Promise.resolve()
  #closed = false
  #ioMs = 0

  constructor(options: CompactorOptions) {
    this.#options = options
  }

  /** Objects that are being written: nobody refers to them yet, and they are no garbage. */
  get claims(): Iterable<string> {
    return this.#claims
  }

  /** Of the partition that needs it most, 0 to 1. */
  get dirtyRatioMax(): number {
    let most = 0
    for (const { plan } of this.#plans()) most = Math.max(most, plan.dirtyRatio)
    return most
  }

  start(): void {
    this.#schedule(this.#options.backoffMs)
  }

  /** Gives up the pass under way; what of it is published stays. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancel?.()
    // How it died was told.
    await this.#busy.catch(() => undefined)
  }

  /** Compacts the partition that needs it most, if one is due; when that fails, the next one. False when none is left. */
  async runOnce(): Promise<boolean> {
    while (!this.#closed) {
      const next = this.#dirtiest()
      if (next === undefined) break
      if (await this.#compact(next.partition, next.plan)) return true
      // It stays the dirtiest: all others would wait for it.
      this.#putOff.add(next.partition)
    }
    this.#putOff.clear()
    return false
  }

  #dirtiest(): { readonly partition: Partition; readonly plan: CompactionPlan } | undefined {
    let next: { readonly partition: Partition; readonly plan: CompactionPlan } | undefined
    for (const one of this.#plans()) {
      if (!one.plan.isDue || this.#putOff.has(one.partition)) continue
      if (one.plan.dirtyRatio > (next?.plan.dirtyRatio ?? -1)) next = one
    }
    return next
  }

  *#plans(): Iterable<{ readonly partition: Partition; readonly plan: CompactionPlan }> {
    const nowMs = this.#options.clock.nowMs()
    for (const partition of this.#options.partitions()) {
      const { settings, state, lastStableOffset: stableOffset } = partition
      const plan = planCompaction(state, { settings, nowMs, stableOffset })
      if (plan !== undefined) yield { partition, plan }
    }
  }

  async #compact(partition: Partition, plan: CompactionPlan): Promise<boolean> {
    const { log } = this.#options
    const where = { topic: partition.topicName, partition: partition.state.index }
    try {
      const { map, mapEnd } = await this.#mapOf(partition, plan)
      this.mapUtilization = map.utilization
      if (mapEnd <= plan.dirtyFrom) {
        this.counters.failures += 1
        log.warn('a batch has more keys than compaction has memory for; raise cleaner.dedupe-buffer-bytes', where)
        return false
      }
      await this.#clean(partition, plan, { map, mapEnd })
      this.counters.passes += 1
      return true
    } catch (error) {
      if (!isOpError(error)) throw error
      if (this.#closed || partition.isGone) return false
      this.counters.failures += 1
      log.warn('a partition could not be compacted; it is tried again', { ...where, code: error.code, detail: error.detail })
      return false
    }
  }

  /** The newest offset of each key, as far as memory reaches; `mapEnd` is one past the last record that is in it. */
  async #mapOf(partition: Partition, plan: CompactionPlan): Promise<{ readonly map: OffsetMap; readonly mapEnd: number }> {
    const slots = Math.floor(this.#options.dedupeBufferBytes / offsetMapSlotBytes)
    const map = new OffsetMap(Math.max(1, Math.min(slots, offsetMapSlots(plan.dirtyRecords))), this.#options.keyHash)
    const { transactions } = partition.state
    const decided = new DecidedTransactions(transactions.abortedWithin(plan.dirtyFrom, Infinity))
    let mapEnd = plan.dirtyFrom
    for (const segment of plan.segments) {
      if (segment.endOffset <= plan.dirtyFrom) continue
      for await (const run of this.#runsOf(partition, segment, plan.dirtyFrom)) {
        for (let at = 0; at < run.length; at += batchBytesOf(run, at)) {
          const end = lastOffsetOf(run, at) + 1
          if (end <= plan.dirtyFrom) continue
          if (!this.#addKeys(map, run, { at, isAborted: decided.isWithout(run, at), from: plan.dirtyFrom }))
            return { map, mapEnd }
          mapEnd = end
        }
      }
      mapEnd = segment.endOffset
    }
    return { map, mapEnd }
  }

  /** False when not all of the batch's keys found room. */
  #addKeys(
    map: OffsetMap,
    run: Uint8Array,
    batch: { readonly at: number; readonly isAborted: boolean; readonly from: number },
  ): boolean {
    if (batch.isAborted || isControlBatch(run, batch.at)) return true
    const opened = openBatch(run, batch.at, this.#options.decompress)
    if (opened.kind === 'malformed') return true
    const { cursor, baseOffset } = opened
    while (cursor.next()) {
      const { keyAt, keyLength } = cursor
      const offset = baseOffset + cursor.offsetDelta
      // Without a key it never goes.
      if (keyLength < 0 || offset < batch.from) continue
      if (!map.put(cursor.bytes, keyAt, keyAt + keyLength, offset)) return false
    }
    return true
  }

  async #clean(
    partition: Partition,
    plan: CompactionPlan,
    { map, mapEnd }: { readonly map: OffsetMap; readonly mapEnd: number },
  ): Promise<void> {
    const { decompress, compress, crc32c, clock, segmentBytesMax } = this.#options
    const { deleteRetentionMs, segmentBytes } = partition.settings
    const rule = { map, nowMs: clock.nowMs(), deleteRetentionMs, decompress, compress, crc32c }
    const aborted = partition.state.transactions.abortedWithin(plan.segments[0]!.baseOffset, Infinity)
    let filter = new CompactionFilter(rule, new DecidedTransactions(aborted))
    const groups = groupSegments(
      plan.segments.filter(({ baseOffset }) => baseOffset < mapEnd),
      Math.min(segmentBytes, segmentBytesMax),
    )
    let allFit = true
    for (const [place, group] of groups.entries()) {
      const before = filter
      const segment = await this.#write(partition, group, () => {
        filter = before.fork()
        return this.#kept(partition, group, filter)
      })
      // Only the whole log, gone through, is clean: had a group not fitted any more, what is left of it may hold older records of a key.
      const cleanedEndOffset = allFit && place === groups.length - 1 ? mapEnd : 0
      try {
        await partition.appendControl({ kind: 'segments-replaced', replaced: group, segment, cleanedEndOffset })
      } finally {
        this.#claims.clear()
      }
      if (partition.state.segments.some(({ key }) => key === segment.key)) this.counters.replacedSegments += group.length
      else allFit = false
    }
  }

  async #write(
    partition: Partition,
    group: readonly SegmentFacts[],
    source: () => AsyncIterable<Uint8Array>,
  ): Promise<SegmentFacts> {
    const first = group[0]!
    const { leaderEpoch, topicId, index } = partition
    const name = { topicId, partition: index, baseOffset: first.baseOffset, leaderEpoch }
    const plan = { ...name, ...segmentNamesFrom(name, first), gaps: { endOffset: group.at(-1)!.endOffset } }
    await this.#options.whileQuiet(() => {
      for (const key of plan.keys) this.#claims.add(key)
      return Promise.resolve()
    })
    try {
      return await this.#options.writer.write(plan, source)
    } catch (error) {
      this.#claims.clear()
      throw error
    }
  }

  /** What stays of the segments, in runs. The last batch stays, empty if need be: the log is to end where it ended. */
  async *#kept(partition: Partition, group: readonly SegmentFacts[], filter: CompactionFilter): AsyncGenerator<Uint8Array> {
    const end = group.at(-1)!.endOffset
    for (const segment of group) {
      for await (const run of this.#runsOf(partition, segment, segment.baseOffset)) {
        let from = 0
        let at = 0
        for (; at < run.length; at += batchBytesOf(run, at)) {
          const isLast = lastOffsetOf(run, at) + 1 >= end
          const kept = filter.take(run, at) ?? (isLast ? filter.emptied(run, at) : undefined)
          if (kept?.buffer === run.buffer && kept.byteOffset === run.byteOffset + at) continue
          yield* this.#paced(run.subarray(from, at))
          if (kept !== undefined) yield* this.#paced(kept)
          from = at + batchBytesOf(run, at)
        }
        yield* this.#paced(run.subarray(from, at))
      }
    }
  }

  *#paced(bytes: Uint8Array): Iterable<Uint8Array> {
    if (bytes.length === 0) return
    this.counters.writtenBytes += bytes.length
    this.#ioMs += (bytes.length / this.#options.ioBytesPerSecondMax) * 1_000
    yield bytes
  }

  /** As long as the bound of the traffic asks for; else others get their turn. */
  async #pause(): Promise<void> {
    const { clock } = this.#options
    if (this.#ioMs < pauseMsMin) {
      await nextTurn(clock)
      return
    }
    await sleep(clock, this.#ioMs)
    this.#ioMs = 0
  }

  /** Whole batches of the segment from the offset on. Other work goes on between them. */
  async *#runsOf(partition: Partition, segment: SegmentFacts, from: number): AsyncGenerator<Uint8Array> {
    const cursor = new SegmentCursor()
    const reader = await this.#options.segments.open(segment)
    for (let offset = Math.max(from, segment.baseOffset); offset < segment.endOffset;) {
      await this.#pause()
      if (this.#closed || partition.isGone)
        throw new OpError('closed', { code: 'COMPACTION_STOPPED', detail: `${segment.key} is not needed any more` })
      const { runs, nextOffset, bytes } = await reader.read({ offset, maxBytes: readBytes, cursor })
      this.counters.readBytes += bytes
      this.#ioMs += (bytes / this.#options.ioBytesPerSecondMax) * 1_000
      if (nextOffset <= offset)
        throw new OpError('corrupt', { code: 'SEGMENT_STUCK', detail: `${segment.key} has nothing at ${offset}` })
      offset = nextOffset
      yield* runs
    }
  }

  #schedule(delayMs: number): void {
    this.#cancel = this.#options.clock.after(delayMs, () => {
      this.#busy = this.runOnce().then((worked) => {
        if (!this.#closed) this.#schedule(worked ? 0 : this.#options.backoffMs)
      })
      this.#busy.catch((error: unknown) => {
        this.#closed = true
        this.#options.onDied(error)
      })
    })
  }
}
