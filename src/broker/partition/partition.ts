// Owns one partition, live: admits batches, knows what is visible, serves reads, applies its control entries. Not durability
// (ReplicatedLog), not where archived bytes are (Archive), not when segments are rolled (archiver.ts).
//
// Order of side effects of an append: check -> stamp -> propose -> state -> (committed, or in the bucket) -> visible -> acknowledged.

import { assert, assertDefined } from '../../base/assert.ts'
import {
  leaderEpoch,
  type LeaderEpoch,
  type LogIndex,
  offset,
  type Offset,
  partitionIndex,
  type PartitionIndex,
} from '../../model/ids.ts'
import type { ReplicatedLog } from '../../model/replicated-log.ts'
import { ErrorCode } from '../../protocol/index.ts'
import { digestOf, type Extent } from '../../../tiers/stream/core/index.ts'
import type { AppendRequest, AppendResult, OffsetAndTimestamp, PartitionView, ReadRequest, ReadResult } from '../api.ts'
import { type Admission, admit } from '../core/admission.ts'
import type { ControlEntry } from '../core/control.ts'
import { encodeControl } from '../core/control.ts'
import { failureOf } from '../failures.ts'
import { type Forgotten, PartitionState } from '../core/partition-state.ts'
import { TailIndex } from '../core/tail-index.ts'
import type { TopicSettings } from '../core/topic-settings.ts'
import type { Coolable, HotCache } from '../hot-cache.ts'
import type { ArchivedRun, BrokerWorld } from '../ports.ts'
import { CommitQueue } from './commit-queue.ts'
import { LogReader } from './log-reader.ts'

export interface PartitionParts {
  readonly topicName: string
  readonly state: PartitionState
  readonly log: ReplicatedLog
  readonly settings: TopicSettings
  readonly world: BrokerWorld
  readonly hot: HotCache
  /** What a committed control entry took out of use. */
  readonly onForgotten: (forgotten: Forgotten) => void
}

interface ReadWaiter {
  readonly offset: number
  readonly callback: () => void
}

export interface PartitionCounters {
  appendedBatches: number
  appendedBytes: number
  duplicates: number
  refused: number
}

export class Partition implements PartitionView, Coolable {
  readonly topicName: string
  readonly state: PartitionState
  readonly log: ReplicatedLog
  readonly counters: PartitionCounters = { appendedBatches: 0, appendedBytes: 0, duplicates: 0, refused: 0 }
  settings: TopicSettings
  /** When the first batch that is in no segment was appended, wall-clock ms; undefined when all is archived. */
  unarchivedSinceMs: number | undefined
  /** Bytes after the last segment. */
  unarchivedBytes = 0
  readonly #world: BrokerWorld
  readonly #hot: HotCache
  readonly #tail = new TailIndex()
  readonly #reader: LogReader
  readonly #queue = new CommitQueue()
  readonly #onForgotten: (forgotten: Forgotten) => void
  #controls: Array<{ readonly index: LogIndex; readonly entry: ControlEntry; readonly done: () => void }> = []
  #highWatermark: number
  #readers: ReadWaiter[] = []
  #gone = false

  constructor(parts: PartitionParts) {
    this.topicName = parts.topicName
    this.state = parts.state
    this.log = parts.log
    this.settings = parts.settings
    this.#world = parts.world
    this.#hot = parts.hot
    this.#onForgotten = parts.onForgotten
    this.#reader = new LogReader({ state: parts.state, tail: this.#tail, logs: parts.world.logs, archive: parts.world.archive })
    this.#highWatermark = parts.state.endOffset
    this.unarchivedBytes = parts.state.extents.reduce((sum, extent) => sum + extent.length, 0)
    if (parts.state.endOffset > parts.state.archivedEndOffset) this.unarchivedSinceMs = parts.world.clock.nowMs()
  }

  get topicId(): PartitionView['topicId'] {
    return this.state.topicId
  }

  get index(): PartitionIndex {
    return partitionIndex(this.state.index)
  }

  get leaderEpoch(): LeaderEpoch {
    return this.log.term
  }

  get logStartOffset(): Offset {
    return offset(this.state.logStartOffset)
  }

  get localLogStartOffset(): Offset {
    return offset(Math.max(this.state.logStartOffset, this.state.archivedEndOffset))
  }

  get highWatermark(): Offset {
    return offset(this.#highWatermark)
  }

  get lastStableOffset(): Offset {
    return offset(this.#highWatermark)
  }

  get logEndOffset(): Offset {
    return offset(this.state.endOffset)
  }

  get archivedEndOffset(): number {
    return this.state.segments.length === 0 ? -1 : this.state.archivedEndOffset
  }

  get tailBatches(): number {
    return this.#tail.count
  }

  /** Bytes of all records from the log's start to its end, in whichever tier. */
  get sizeBytes(): number {
    return this.state.segments.reduce((sum, segment) => sum + segment.dataBytes, 0) + this.unarchivedBytes
  }

  append(request: AppendRequest, done: (result: AppendResult) => void): void {
    const nowMs = this.#world.clock.nowMs()
    const admission = this.#gone
      ? { kind: 'refused' as const, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message: null }
      : admit(request.records, {
          state: this.state,
          settings: this.settings,
          term: this.log.term,
          nowMs,
          crc32c: this.#world.crc32c,
        })
    if (admission.kind === 'refused') {
      this.#refuse(admission, done)
      return
    }
    if (admission.kind === 'duplicate') {
      this.counters.duplicates += 1
      const result = this.#appended(admission.baseOffset, admission.timestampMs)
      if (admission.endOffset <= this.#highWatermark)
        this.#world.logs.whenAllowed(() => {
          done(result)
        })
      else
        this.#queue.alsoWait(admission.endOffset, () => {
          done(result)
        })
      return
    }
    try {
      const result = this.#appended(admission.baseOffset, admission.logAppendTimeMs)
      this.#propose(
        request.records,
        nowMs,
        request.acks === 0
          ? undefined
          : () => {
              done(result)
            },
      )
      if (request.acks === 0) done(result)
    } catch (error) {
      this.#refuse(failureOf(error), done)
    }
  }

  /** Proposes a control entry; the promise resolves when it is committed and has taken effect. */
  appendControl(entry: ControlEntry): Promise<void> {
    return new Promise((resolve) => {
      const index = this.log.propose('control', encodeControl(entry))
      this.state.noteControl(index)
      this.#controls.push({ index, entry, done: resolve })
    })
  }

  /**
   * The state after `state.lastIndex`, encoded. Control entries that are in the log and not committed yet are taken as applied: whoever
   * keeps these bytes first waits until everything proposed so far is in the bucket.
   */
  snapshot(): Uint8Array {
    const bytes = this.state.encode()
    if (this.#controls.length === 0) return bytes
    const after = PartitionState.decode(bytes, this.state.lastIndex)
    assert(typeof after !== 'string', 'a state decodes from its own bytes')
    for (const { entry } of this.#controls) after.applyControl(entry)
    return after.encode()
  }

  read(request: ReadRequest): ReadResult | Promise<ReadResult> {
    if (this.#gone) return this.#failed(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    if (request.offset < this.state.logStartOffset || request.offset > this.#highWatermark) {
      return this.#failed(ErrorCode.OFFSET_OUT_OF_RANGE)
    }
    if (request.offset === this.#highWatermark) return this.#records({ batches: [], bytes: 0 })
    const { maxBytes, minOneBatch } = request
    const run = this.#reader.read({ offset: request.offset, endOffset: this.#highWatermark, maxBytes, minOneBatch })
    if (!(run instanceof Promise)) return this.#records(run)
    return run.then(
      (read) => this.#records(read),
      (error: unknown) => {
        const failure = failureOf(error)
        this.#world.log.error('a read failed', {
          topic: this.topicName,
          partition: this.state.index,
          offset: request.offset,
          error,
        })
        return this.#failed(failure.errorCode)
      },
    )
  }

  /** Whole batches of visible records for building a segment. */
  readForArchive(from: number, endOffset: number, maxBytes: number): ArchivedRun | Promise<ArchivedRun> {
    return this.#reader.read({ offset: from, endOffset, maxBytes, minOneBatch: true })
  }

  /** Where a segment of about `bytes` that begins at `from` may end: at a batch boundary, within what is visible. */
  async offsetForTimestamp(timestampMs: number): Promise<OffsetAndTimestamp | undefined> {
    for await (const batch of this.#reader.batchesFrom(timestampMs)) {
      const found = this.#world.findByTimestamp(batch, timestampMs)
      if (found === undefined || found.offset < this.state.logStartOffset) continue
      if (found.offset >= this.#highWatermark) return undefined
      return {
        offset: offset(found.offset),
        timestampMs: found.timestampMs,
        leaderEpoch: leaderEpoch(this.state.epochAt(found.offset)),
      }
    }
    return undefined
  }

  async offsetOfMaxTimestamp(): Promise<OffsetAndTimestamp | undefined> {
    const max = this.#reader.maxTimestampMs()
    return max < 0 ? undefined : this.offsetForTimestamp(max)
  }

  onReadableBeyond(from: Offset, callback: () => void): () => void {
    if (this.#gone || this.#highWatermark > from) {
      callback()
      return () => undefined
    }
    const waiter = { offset: from, callback }
    this.#readers.push(waiter)
    return () => {
      const at = this.#readers.indexOf(waiter)
      if (at >= 0) this.#readers.splice(at, 1)
    }
  }

  onCommitted(index: LogIndex): void {
    this.#applyControls(index)
    if (this.settings.durability === 'quorum') this.#advance(index)
  }

  onStreamed(index: LogIndex): void {
    if (this.settings.durability === 'bucket') this.#advance(index)
  }

  /** A WAL object now holds batches of this partition. */
  addExtent(extent: Extent): boolean {
    return this.state.addExtent(extent)
  }

  coolOldest(): number {
    return this.#tail.coolOldest()
  }

  /** WAL files below `oldestFile` are gone; what lay there is read from the bucket from now on. */
  releaseWal(oldestFile: number): void {
    this.#hot.released(this.#tail.dropFront(oldestFile, this.state.streamedEndOffset))
  }

  /** At recovery: a batch found in the local WAL, already in `state`. */
  recoverTail(batch: Parameters<TailIndex['push']>[0]): void {
    this.#tail.push(batch, undefined)
    this.unarchivedBytes += batch.position.length
  }

  /** The topic is deleted: everyone who waits is told. */
  remove(): void {
    this.#gone = true
    while (this.#tail.hotCount > 0) this.#hot.released(this.#tail.coolOldest())
    this.#wakeReaders(Infinity)
  }

  #propose(records: Uint8Array, nowMs: number, onVisible: (() => void) | undefined): void {
    const index = this.log.propose('batch', records)
    const digest = digestOf(records)
    this.state.replayBatch({ index, term: this.log.term, digest, nowMs })
    const { baseOffset, endOffset, maxTimestampMs } = digest
    this.#tail.push({ index, baseOffset, endOffset, maxTimestampMs, position: this.#world.logs.positionOfLast }, records)
    this.#queue.push(index, endOffset, onVisible)
    this.#hot.admit(this, records.length)
    this.unarchivedSinceMs ??= nowMs
    this.unarchivedBytes += records.length
    this.counters.appendedBatches += 1
    this.counters.appendedBytes += records.length
  }

  #refuse(
    refusal: Pick<Extract<Admission, { kind: 'refused' }>, 'errorCode' | 'message'>,
    done: (result: AppendResult) => void,
  ): void {
    this.counters.refused += 1
    done({ kind: 'error', errorCode: refusal.errorCode, message: refusal.message, logStartOffset: this.logStartOffset })
  }

  #appended(baseOffset: number, logAppendTimeMs: number): AppendResult {
    return { kind: 'appended', baseOffset: offset(baseOffset), logAppendTimeMs, logStartOffset: this.logStartOffset }
  }

  #records(run: ArchivedRun): ReadResult {
    return {
      kind: 'records',
      batches: run.batches,
      bytes: run.bytes,
      highWatermark: this.highWatermark,
      lastStableOffset: this.lastStableOffset,
      logStartOffset: this.logStartOffset,
    }
  }

  #failed(errorCode: number): ReadResult {
    return { kind: 'error', errorCode, highWatermark: this.highWatermark, logStartOffset: this.logStartOffset }
  }

  #applyControls(index: LogIndex): void {
    while ((this.#controls[0]?.index ?? Infinity) <= index) {
      const { entry, done } = assertDefined(this.#controls.shift(), 'a control entry waits')
      const forgotten = this.state.applyControl(entry)
      if (entry.kind === 'segment-published') this.#archived(entry.segment.dataBytes)
      this.#onForgotten(forgotten)
      done()
    }
  }

  #archived(bytes: number): void {
    this.unarchivedBytes = Math.max(0, this.unarchivedBytes - bytes)
    this.unarchivedSinceMs = this.state.endOffset > this.state.archivedEndOffset ? this.#world.clock.nowMs() : undefined
  }

  #advance(index: LogIndex): void {
    const visible = this.#queue.advance(index)
    if (visible === undefined) return
    this.#highWatermark = visible.endOffset
    for (const tell of visible.waiting) tell()
    this.#wakeReaders(visible.endOffset)
  }

  #wakeReaders(beyond: number): void {
    if (this.#readers.length === 0) return
    const woken = this.#readers.filter((waiter) => waiter.offset < beyond)
    if (woken.length === 0) return
    this.#readers = this.#readers.filter((waiter) => waiter.offset >= beyond)
    for (const waiter of woken) waiter.callback()
  }
}
