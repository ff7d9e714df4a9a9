// Owns when a partition's records become a segment, and when old ones are given up: rolls by size and age, applies retention. Not a
// segment's bytes (tiers/segment) nor the deletion of objects (upkeep).
//
// Order of side effects (I4): upload the segment -> control entry in the partition's log -> (in the bucket, a grace later) what it
// replaces may go. A crash in between leaves an object nobody knows.

import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { isOpError } from '../base/op-error.ts'
import { Scratch } from '../base/scratch.ts'
import { offset } from '../model/ids.ts'
import { baseOffsetOf } from '../protocol/index.ts'
import type { SegmentFacts, SegmentWriter } from '../../tiers/segment/index.ts'
import { planRetention } from './core/retention.ts'
import { endOffsetOfRun } from './partition/log-reader.ts'
import type { Partition } from './partition/partition.ts'

export interface ArchiverOptions {
  readonly clock: Clock
  readonly log: Log
  readonly writer: SegmentWriter
  readonly partitions: () => Iterable<Partition>
  /** A segment holds at most this much, whatever `segment.bytes` says. */
  readonly segmentBytesMax: number
  /** Records stay outside segments at most this long, so that WAL objects can go. */
  readonly unarchivedMsMax: number
  readonly checkIntervalMs: number
  readonly retentionIntervalMs: number
  readonly producerExpiryMs: number
  /** The loop has ended by an error that is not the world's: our own bug. */
  readonly onDied: (error: unknown) => void
}

export interface ArchiverCounters {
  segments: number
  bytes: number
  failures: number
  expiredSegments: number
}

/** What is read at once while a segment is built, and summed in one turn: 0.7 ms of CPU. */
const readBytes = 1024 * 1024

export class Archiver {
  readonly counters: ArchiverCounters = { segments: 0, bytes: 0, failures: 0, expiredSegments: 0 }
  readonly #options: ArchiverOptions
  readonly #rolling = new Set<Partition>()
  #cancel: (() => void) | undefined
  #busy: Promise<void> = Promise.resolve()
  #retentionAtMs: number
  #closed = false
  /** A read of the WAL fetches what lies between a partition's batches too, where that is little. */
  readonly #scratch = new Scratch(2 * readBytes)
  /** Segments are written, and garbage is swept, one at a time. */
  #turn: Promise<void> = Promise.resolve()

  constructor(options: ArchiverOptions) {
    this.#options = options
    this.#retentionAtMs = options.clock.monotonicMs() + options.retentionIntervalMs
  }

  start(): void {
    this.#schedule()
  }

  /** Stops after the segment under way. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancel?.()
    // How it died was told.
    await this.#busy.catch(() => undefined)
    await this.#turn
  }

  /** Runs `work` while no segment is being written. */
  whileQuiet<Value>(work: () => Promise<Value>): Promise<Value> {
    const result = this.#turn.then(work)
    this.#turn = result.then(
      () => undefined,
      () => undefined,
    )
    return result
  }

  /** One look at every partition. Called by the timer, and by tests. */
  async runOnce(): Promise<void> {
    for (const partition of this.#options.partitions()) {
      if (this.#closed) return
      if (this.#isDue(partition)) await this.roll(partition)
    }
    if (this.#options.clock.monotonicMs() >= this.#retentionAtMs) await this.applyRetention()
  }

  /** Archives everything visible of the partition, in as many segments as it takes. */
  async roll(partition: Partition): Promise<void> {
    if (this.#rolling.has(partition)) return
    this.#rolling.add(partition)
    try {
      const target = partition.highWatermark
      while (partition.state.archivedEndOffset < target && !this.#closed) {
        await this.whileQuiet(async () => {
          const facts = await this.#rollOne(partition, target)
          await partition.appendControl({ kind: 'segment-published', segment: facts })
          this.counters.segments += 1
          this.counters.bytes += facts.dataBytes
        })
      }
    } catch (error) {
      if (!isOpError(error)) throw error
      // Its topic was deleted meanwhile: what was uploaded is an orphan, swept later.
      if (partition.isGone) return
      this.counters.failures += 1
      this.#options.log.warn('a segment could not be archived; it is tried again', {
        topic: partition.topicName,
        partition: partition.state.index,
        code: error.code,
        detail: error.detail,
      })
    } finally {
      this.#rolling.delete(partition)
    }
  }

  async applyRetention(): Promise<void> {
    const { clock, retentionIntervalMs, producerExpiryMs } = this.#options
    this.#retentionAtMs = clock.monotonicMs() + retentionIntervalMs
    for (const partition of this.#options.partitions()) {
      if (this.#closed) return
      const { producers, transactions } = partition.state
      producers.expire(clock.nowMs() - producerExpiryMs, (producerId) => transactions.firstOffsetOf(producerId) !== undefined)
      const plan = planRetention(partition.state, {
        settings: partition.settings,
        nowMs: clock.nowMs(),
        endOffset: partition.highWatermark,
      })
      if (plan === undefined) continue
      try {
        await partition.appendControl({ kind: 'log-start', offset: offset(plan.logStartOffset) })
        this.counters.expiredSegments += plan.segments
      } catch (error) {
        if (!isOpError(error)) throw error
        if (partition.isGone) continue
        this.#options.log.warn('retention could not be applied; it is tried again', {
          topic: partition.topicName,
          detail: error.detail,
        })
      }
    }
  }

  #isDue(partition: Partition): boolean {
    const since = partition.unarchivedSinceMs
    if (since === undefined || partition.highWatermark <= partition.state.archivedEndOffset) return false
    const { segmentBytes, segmentMs, compacts, maxCompactionLagMs } = partition.settings
    if (partition.unarchivedBytes >= Math.min(segmentBytes, this.#options.segmentBytesMax)) return true
    // Only what is archived can be compacted.
    const lagMsMax = compacts ? maxCompactionLagMs : Infinity
    return this.#options.clock.nowMs() - since >= Math.min(segmentMs, lagMsMax, this.#options.unarchivedMsMax)
  }

  async #rollOne(partition: Partition, target: number): Promise<SegmentFacts> {
    const from = await firstBatchOffset(partition, target)
    const bytesMax = Math.min(partition.settings.segmentBytes, this.#options.segmentBytesMax)
    const { topicId, index } = partition
    return this.#options.writer.write(
      { topicId, partition: index, baseOffset: offset(from), leaderEpoch: partition.leaderEpoch },
      () => runsOf(partition, { from, target, bytesMax }, this.#scratch),
    )
  }

  #schedule(): void {
    this.#cancel = this.#options.clock.after(this.#options.checkIntervalMs, () => {
      this.#busy = this.runOnce().then(() => {
        if (!this.#closed) this.#schedule()
      })
      this.#busy.catch((error: unknown) => {
        this.#closed = true
        this.#options.onDied(error)
      })
    })
  }
}

/**
 * Where the next segment begins: where the last one ended. Without one it is the log's start, which deleted records may have moved into
 * the midst of a batch; a segment holds whole batches.
 */
async function firstBatchOffset(partition: Partition, target: number): Promise<number> {
  const { archivedEndOffset, segments } = partition.state
  if (segments.length > 0) return archivedEndOffset
  const [first] = (await partition.readForArchive({ offset: archivedEndOffset, endOffset: target, maxBytes: 1 })).batches
  return first === undefined ? archivedEndOffset : baseOffsetOf(first)
}

interface RunBounds {
  readonly from: number
  readonly target: number
  readonly bytesMax: number
}

/** Whole batches from `from` on, until about `bytesMax` or `target`. Each stays as it is until the next is asked for. */
async function* runsOf(partition: Partition, bounds: RunBounds, scratch: Scratch): AsyncGenerator<Uint8Array> {
  let at = bounds.from
  let bytes = 0
  while (at < bounds.target && bytes < bounds.bytesMax) {
    scratch.reset()
    const maxBytes = Math.min(readBytes, bounds.bytesMax - bytes)
    const run = await partition.readForArchive({ offset: at, endOffset: bounds.target, maxBytes, take: scratch.take })
    for (const piece of run.batches) {
      at = endOffsetOfRun(piece)
      bytes += piece.length
      yield piece
    }
    if (run.batches.length === 0) return
  }
}
