// Owns one partition, live: admits batches, knows what is visible, serves reads, applies its control entries. Not durability
// (ReplicatedLog), not where archived bytes are (Archive), not when segments are rolled (archiver.ts).
//
// Order of side effects of an append: check -> (open, off the loop) -> stamp -> propose -> state -> (committed, or in the bucket) -> visible -> acknowledged.

import { assert, assertDefined } from '../../base/assert.ts'
import { OpError } from '../../base/op-error.ts'
import { fail, type Outcome, succeed } from '../../base/outcome.ts'
import { type LeaderEpoch, type LogIndex, offset, type Offset, partitionIndex, type PartitionIndex } from '../../model/ids.ts'
import type { WalPosition } from '../../model/entry.ts'
import type { PlacedEntry, ReplicatedLog } from '../../model/replicated-log.ts'
import { encodeTransactionMarker, ErrorCode, type RecordError } from '../../protocol/index.ts'
import { type BatchDigest, digestOf, type Extent } from '../../../tiers/stream/core/index.ts'
import type {
  ActiveProducer,
  AppendRequest,
  AppendResult,
  EpochEnd,
  KafkaFailure,
  MarkerRequest,
  OffsetAndTimestamp,
  PartitionView,
  ReadRequest,
  ReadResult,
} from '../api.ts'
import { admit, type Admission, afterOpening, inspect, type Refused, type Sound, type ToOpen } from '../core/admission.ts'
import type { ControlEntry } from '../core/control.ts'
import { decodeControl, encodeControl } from '../core/control.ts'
import { failureOf, kafkaFailure } from '../failures.ts'
import type { BatchUndo, Forgotten, PartitionState } from '../core/partition-state.ts'
import { TailIndex } from '../core/tail-index.ts'
import type { TopicSettings } from '../core/topic-settings.ts'
import type { Coolable, HotCache } from '../hot-cache.ts'
import type { ArchivedRun, BrokerWorld } from '../ports.ts'
import { AppendOrder } from './append-order.ts'
import { CommitQueue, type OnSettled } from './commit-queue.ts'
import { LogReader, type ReadRange } from './log-reader.ts'
import { ReadWaiters } from './read-waiters.ts'
import { VisibleReads } from './visible-reads.ts'

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

const noRecordErrors: readonly RecordError[] = []

const markerRefusals = {
  'stale-epoch': kafkaFailure(ErrorCode.INVALID_PRODUCER_EPOCH, 'The partition has seen a newer epoch of this producer.'),
  'stale-coordinator': kafkaFailure(
    ErrorCode.TRANSACTION_COORDINATOR_FENCED,
    'The partition has seen a marker of a newer transaction coordinator.',
  ),
} as const

interface BatchPlace {
  readonly index: LogIndex
  readonly term: LeaderEpoch
  readonly position: WalPosition
  readonly nowMs: number
}

interface PendingControl {
  readonly index: LogIndex
  readonly entry: ControlEntry
  readonly resolve: () => void
  readonly reject: (error: OpError) => void
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
  readonly #reads: VisibleReads
  readonly #order = new AppendOrder()
  readonly #queue = new CommitQueue()
  readonly #onForgotten: (forgotten: Forgotten) => void
  #controls: PendingControl[] = []
  /** Of the batches that are not committed, oldest first; of a log from which none can leave, none. */
  readonly #undos: Array<{ readonly index: number; readonly undo: BatchUndo }> = []
  #highWatermark: number
  readonly #readers = new ReadWaiters()
  /** See `goneCode`. */
  #gone: number | undefined

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
    this.#reads = new VisibleReads({
      topicName: parts.topicName,
      state: parts.state,
      log: parts.log,
      reader: this.#reader,
      world: parts.world,
      view: this,
    })
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
    return offset(Math.max(this.state.logStartOffset, this.state.transactions.lastStableOffset(this.#highWatermark)))
  }

  get logEndOffset(): Offset {
    return offset(this.state.endOffset)
  }

  get archivedEndOffset(): number {
    return this.state.segments.length === 0 ? -1 : this.state.archivedEndOffset
  }

  /** The error all are answered with, once the partition is no longer served here. */
  get goneCode(): number | undefined {
    return this.#gone
  }

  get isGone(): boolean {
    return this.#gone !== undefined
  }

  get tailBatches(): number {
    return this.#tail.count
  }

  /** Bytes of all records from the log's start to its end, in whichever tier. */
  get sizeBytes(): number {
    return this.state.segments.reduce((sum, segment) => sum + segment.dataBytes, 0) + this.unarchivedBytes
  }

  append(request: AppendRequest, done: (result: AppendResult) => void): void {
    const unserved = this.#unserved
    if (unserved !== undefined) {
      this.#refuse(kafkaFailure(unserved), done)
      return
    }
    const { crc32c, clock } = this.#world
    const { byCoordinator } = request
    const inspected = inspect(request.records, { settings: this.settings, nowMs: clock.nowMs(), crc32c, byCoordinator })
    switch (inspected.kind) {
      case 'refused':
        this.#refuse(inspected, done)
        return
      case 'to-open':
        this.#open(request, inspected, done)
        return
      case 'sound':
        if (this.#order.isFree) this.#enter(request, inspected, done)
        else
          this.#order.add(() => {
            this.#enter(request, inspected, done)
          })
    }
  }

  appendMarker(marker: MarkerRequest, done: (result: AppendResult) => void): void {
    // Behind the producer's batches that are still being opened.
    if (this.#order.isFree) this.#enterMarker(marker, done)
    else
      this.#order.add(() => {
        this.#enterMarker(marker, done)
      })
  }

  isInTransaction(producerId: number, producerEpoch: number): boolean {
    return (
      this.state.transactions.firstOffsetOf(producerId) !== undefined &&
      this.state.producers.epochOf(producerId) === producerEpoch
    )
  }

  /** Proposes a control entry; the promise resolves when it is committed and has taken effect. OpError when it will not. */
  appendControl(entry: ControlEntry): Promise<void> {
    if (this.#gone !== undefined) return Promise.reject(partitionGone(this))
    return new Promise((resolve, reject) => {
      const index = this.log.propose('control', encodeControl(entry))
      this.state.noteControl(index)
      this.#controls.push({ index, entry, resolve, reject })
    })
  }

  /**
   * The state after `state.lastIndex`, encoded. Control entries that are in the log and not committed yet are taken as applied: whoever
   * keeps these bytes first waits until everything proposed so far is in the bucket.
   */
  snapshot(): Uint8Array {
    return this.state.encodeWith(this.#controls.map((control) => control.entry))
  }

  read(request: ReadRequest): ReadResult | Promise<ReadResult> {
    return this.#reads.read(request)
  }

  /** Whole batches of visible records for building a segment. */
  readForArchive(range: Omit<ReadRange, 'minOneBatch'>): ArchivedRun | Promise<ArchivedRun> {
    return this.#reader.read({ ...range, minOneBatch: true })
  }

  offsetForTimestamp(timestampMs: number): Promise<OffsetAndTimestamp | undefined> {
    return this.#reads.offsetForTimestamp(timestampMs)
  }

  offsetOfMaxTimestamp(): Promise<OffsetAndTimestamp | undefined> {
    return this.#reads.offsetOfMaxTimestamp()
  }

  /** Gives up every record below `before` (−1: all that are visible); the log start once that is committed. */
  async deleteRecords(before: number): Promise<Outcome<Offset, KafkaFailure>> {
    const unserved = this.#unserved
    if (unserved !== undefined) return fail(kafkaFailure(unserved))
    if (!this.settings.deletes)
      return fail(kafkaFailure(ErrorCode.POLICY_VIOLATION, `cleanup.policy of topic ${this.topicName} keeps its records`))
    const target = before === -1 ? this.#highWatermark : before
    if (target < 0 || target > this.#highWatermark) {
      const why = `offset ${before} is not within the log, which ends at ${this.#highWatermark}`
      return fail(kafkaFailure(ErrorCode.OFFSET_OUT_OF_RANGE, why))
    }
    try {
      await this.startAt(offset(target))
    } catch (error) {
      return fail(failureOf(error))
    }
    return succeed(this.logStartOffset)
  }

  async startAt(before: Offset): Promise<void> {
    if (before > this.state.logStartOffset) await this.appendControl({ kind: 'log-start', offset: before })
  }

  endOfEpoch(epoch: number): EpochEnd | undefined {
    return this.state.endOfEpoch(epoch, this.log.term)
  }

  *activeProducers(): Iterable<ActiveProducer> {
    for (const producer of this.state.producers.active()) {
      yield { ...producer, transactionStartOffset: this.state.transactions.firstOffsetOf(producer.producerId) ?? -1 }
    }
  }

  /** The topic's configs were altered. */
  configure(settings: TopicSettings): void {
    const before = this.settings.durability
    this.settings = settings
    if (before === settings.durability || settings.durability === 'bucket') return
    // What waited for the bucket need not wait any more.
    this.#world.logs.whenAllowed(() => {
      this.#advance(this.log.committedIndex)
    })
  }

  onReadableBeyond(from: Offset, callback: () => void): () => void {
    if (this.#gone !== undefined || this.#highWatermark > from) {
      callback()
      return () => undefined
    }
    return this.#readers.add(from, callback)
  }

  onCommitted(index: LogIndex): void {
    while ((this.#undos[0]?.index ?? Infinity) <= index) this.#undos.shift()
    this.#applyControls(index)
    if (this.settings.durability === 'quorum') this.#advance(index)
  }

  onStreamed(index: LogIndex): void {
    if (this.settings.durability === 'bucket') this.#advance(index)
  }

  /** Entries of another leader, or of this node's last time as one, are committed. */
  onReplicated(entries: readonly PlacedEntry[]): void {
    const nowMs = this.#world.clock.nowMs()
    for (const { entry, position } of entries) {
      if (entry.kind === 'control') this.#takeInControl(entry.index, entry.payload)
      else this.#takeIn(entry.payload, { index: entry.index, term: entry.term, position, nowMs })
      this.onCommitted(entry.index)
    }
  }

  onPlaced(index: LogIndex, position: WalPosition): void {
    this.#tail.place(index, position)
  }

  /** Another node leads from now on: what is not committed leaves the log, and whoever waits is sent there. */
  onDeposed(): void {
    const { committedIndex } = this.log
    for (let last = this.#undos.at(-1); last !== undefined && last.index > committedIndex; last = this.#undos.at(-1)) {
      this.state.undo(last.undo)
      this.#undos.pop()
    }
    this.state.cutTo(committedIndex)
    const before = this.#tail.bytes
    const { batches, bytes } = this.#tail.dropBack(this.state.endOffset)
    this.#hot.released(this, batches, bytes)
    this.unarchivedBytes -= before - this.#tail.bytes
    const lost = this.#controls.filter(({ index }) => index > committedIndex)
    this.#controls = this.#controls.filter(({ index }) => index <= committedIndex)
    for (const settle of this.#queue.depose(committedIndex)) settle('gone')
    for (const { reject } of lost) reject(partitionGone(this))
    this.#readers.wake(Infinity)
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
    const { batches, bytes } = this.#tail.dropFront(oldestFile, this.state.streamedEndOffset)
    this.#hot.released(this, batches, bytes)
  }

  /** At recovery: a batch found in the local WAL, already in `state`. */
  recoverTail(batch: Parameters<TailIndex['push']>[0]): void {
    this.#tail.push(batch, undefined)
    this.unarchivedBytes += batch.position.length
  }

  /** No longer served here (its topic was deleted, the node ends): everyone who waits is told so, now and from now on. */
  leave(errorCode: number): void {
    if (this.#gone !== undefined) return
    this.#gone = errorCode
    let bytes = 0
    const batches = this.#tail.hotCount
    while (this.#tail.hotCount > 0) bytes += this.#tail.coolOldest()
    this.#hot.released(this, batches, bytes)
    for (const settle of this.#queue.abandon()) settle('gone')
    for (const { reject } of this.#controls.splice(0)) reject(partitionGone(this))
    this.#readers.wake(Infinity)
  }

  /** Why nothing can be appended here. */
  get #unserved(): number | undefined {
    return this.#gone ?? (this.log.isLeading ? undefined : ErrorCode.NOT_LEADER_OR_FOLLOWER)
  }

  /** What a producer may not do is said only by who knows of all that it has done: another node may lead already. */
  #refuseOnceConfirmed(refused: Omit<Refused, 'kind'>, done: (result: AppendResult) => void): void {
    if (this.log.isCurrent) {
      this.#refuse(refused, done)
      return
    }
    this.log.confirm((isCurrent) => {
      this.#refuse(isCurrent ? refused : kafkaFailure(ErrorCode.NOT_LEADER_OR_FOLLOWER), done)
    })
  }

  /** Has the batch opened elsewhere; it keeps its place among the appends. */
  #open(request: AppendRequest, { batch, order }: ToOpen, done: (result: AppendResult) => void): void {
    const enterAs = this.#order.hold()
    this.#world.openRecords(order).then(
      (opened) => {
        const inspected = afterOpening(batch, opened, this.settings)
        enterAs(() => {
          if (inspected.kind === 'sound') this.#enter(request, inspected, done)
          else this.#refuse(inspected, done)
        })
      },
      (error: unknown) => {
        this.#world.log.error('a batch could not be opened', { topic: this.topicName, partition: this.state.index, error })
        enterAs(() => {
          this.#refuse(failureOf(error), done)
        })
      },
    )
  }

  #enter(request: AppendRequest, sound: Sound, done: (result: AppendResult) => void): void {
    const unserved = this.#unserved
    if (unserved !== undefined) {
      this.#refuse(kafkaFailure(unserved), done)
      return
    }
    const nowMs = this.#world.clock.nowMs()
    const admission = admit(sound, {
      state: this.state,
      settings: this.settings,
      term: this.log.term,
      nowMs,
      crc32c: this.#world.crc32c,
    })
    switch (admission.kind) {
      case 'refused':
        this.#refuseOnceConfirmed(admission, done)
        return
      case 'duplicate':
        this.#repeat(admission, request.acks, done)
        return
      case 'admitted':
        this.#admit({ records: sound.records, acks: request.acks }, { admission, nowMs }, done)
    }
  }

  #enterMarker(marker: MarkerRequest, done: (result: AppendResult) => void): void {
    const verdict = this.#unserved ?? this.state.producers.checkMarker(marker)
    if (verdict !== 'next') {
      if (typeof verdict === 'number') this.#refuse(kafkaFailure(verdict), done)
      else this.#refuseOnceConfirmed(markerRefusals[verdict], done)
      return
    }
    const nowMs = this.#world.clock.nowMs()
    const baseOffset = this.state.endOffset
    const stamps = { baseOffset, leaderEpoch: this.log.term, timestamp: nowMs }
    const records = encodeTransactionMarker({ ...marker, ...stamps }, this.#world.crc32c)
    this.#admit({ records, acks: -1 }, { admission: { kind: 'admitted', baseOffset, logAppendTimeMs: -1 }, nowMs }, done)
  }

  #repeat(
    admission: Extract<Admission, { kind: 'duplicate' }>,
    acks: AppendRequest['acks'],
    done: (result: AppendResult) => void,
  ): void {
    this.counters.duplicates += 1
    const result = this.#appended(admission.baseOffset, admission.timestampMs)
    if (acks === 0) done(result)
    else if (admission.endOffset > this.#highWatermark) this.#queue.alsoWait(admission.endOffset, this.#answer(result, done))
    else
      this.#world.logs.whenAllowed(() => {
        done(result)
      })
  }

  #admit(
    { records, acks }: AppendRequest,
    { admission, nowMs }: { readonly admission: Extract<Admission, { kind: 'admitted' }>; readonly nowMs: number },
    done: (result: AppendResult) => void,
  ): void {
    const result = this.#appended(admission.baseOffset, admission.logAppendTimeMs)
    try {
      this.#propose(records, nowMs, acks === 0 ? undefined : this.#answer(result, done))
    } catch (error) {
      this.#refuse(failureOf(error), done)
      return
    }
    if (acks === 0) done(result)
  }

  #answer(result: AppendResult, done: (result: AppendResult) => void): OnSettled {
    return (outcome) => {
      if (outcome === 'visible') done(result)
      else this.#refuse(kafkaFailure(this.#gone ?? ErrorCode.NOT_LEADER_OR_FOLLOWER), done)
    }
  }

  #propose(records: Uint8Array, nowMs: number, onSettled: OnSettled | undefined): void {
    const index = this.log.propose('batch', records)
    const digest = digestOf(records)
    if (this.log.mayBeDeposed) this.#undos.push({ index, undo: this.state.undoOf(digest) })
    this.#stand(records, { index, term: this.log.term, position: this.#world.logs.positionOfLast, nowMs }, { digest, onSettled })
    this.counters.appendedBatches += 1
    this.counters.appendedBytes += records.length
  }

  #takeIn(records: Uint8Array, place: BatchPlace): void {
    this.#stand(records, place, { digest: digestOf(records), onSettled: undefined })
  }

  /** The batch now stands in the log. */
  #stand(
    records: Uint8Array,
    { index, term, position, nowMs }: BatchPlace,
    { digest, onSettled }: { readonly digest: BatchDigest; readonly onSettled: OnSettled | undefined },
  ): void {
    this.state.replayBatch({ index, term, digest, nowMs })
    const { baseOffset, endOffset, maxTimestampMs } = digest
    this.#tail.push({ index, baseOffset, endOffset, maxTimestampMs, position }, records)
    this.#queue.push(index, endOffset, onSettled)
    this.#hot.admit(this, records.length)
    this.unarchivedSinceMs ??= nowMs
    this.unarchivedBytes += records.length
  }

  #takeInControl(index: LogIndex, payload: Uint8Array): void {
    const decoded = decodeControl(payload)
    assert(decoded.ok, 'PART-2: control entries of the log decode')
    this.state.noteControl(index)
    this.#applyControl(decoded.value)
  }

  #applyControl(entry: ControlEntry): void {
    const forgotten = this.state.applyControl(entry)
    this.#noteUnarchived(entry, forgotten)
    this.#onForgotten(forgotten)
  }

  #refuse(
    { errorCode, message, recordErrors = noRecordErrors }: Omit<Refused, 'kind'>,
    done: (result: AppendResult) => void,
  ): void {
    this.counters.refused += 1
    done({ kind: 'error', errorCode, message, recordErrors, logStartOffset: this.logStartOffset })
  }

  #appended(baseOffset: number, logAppendTimeMs: number): AppendResult {
    return { kind: 'appended', baseOffset: offset(baseOffset), logAppendTimeMs, logStartOffset: this.logStartOffset }
  }

  #applyControls(index: LogIndex): void {
    while ((this.#controls[0]?.index ?? Infinity) <= index) {
      const { entry, resolve } = assertDefined(this.#controls.shift(), 'a control entry waits')
      this.#applyControl(entry)
      resolve()
    }
  }

  #noteUnarchived(entry: ControlEntry, forgotten: Forgotten): void {
    if (this.state.endOffset === this.state.archivedEndOffset) {
      this.unarchivedBytes = 0
      this.unarchivedSinceMs = undefined
      return
    }
    const isSegment = entry.kind === 'segment-published'
    const bytes = isSegment ? entry.segment.dataBytes : forgotten.extents.reduce((sum, extent) => sum + extent.length, 0)
    this.unarchivedBytes = Math.max(0, this.unarchivedBytes - bytes)
    if (isSegment) this.unarchivedSinceMs = this.#world.clock.nowMs()
  }

  #advance(index: LogIndex): void {
    const visible = this.#queue.advance(index)
    if (visible === undefined) return
    this.#highWatermark = visible.endOffset
    this.state.transactions.seen(visible.endOffset)
    for (const settle of visible.waiting) settle('visible')
    this.#readers.wake(visible.endOffset)
  }
}

function partitionGone({ topicName, index }: Partition): OpError {
  return new OpError('missing', { code: 'PARTITION_GONE', detail: `partition ${topicName}-${index} is no longer served here` })
}
