// Owns the durable state of a partition: where its log starts and ends, its epochs, which segments and WAL objects hold it, and what
// its producers sent. Only `replay…` changes it, live and at recovery alike. Not where the hot tail lies (tail-index.ts).
//
//   segments  [logStart … archivedEnd)   extents  [archivedEnd … streamedEnd)   hot tail  [… endOffset)

import { assert } from '../../base/assert.ts'
import type { TopicId } from '../../model/ids.ts'
import { ByteReader, ByteWriter } from '../../protocol/index.ts'
import { decodeSegmentFacts, encodeSegmentFacts, type SegmentFacts } from '../../../tiers/segment/core/index.ts'
import type { BatchDigest, Extent } from '../../../tiers/stream/core/index.ts'
import { type ControlEntry, decodeControl } from './control.ts'
import { type ProducerMemory, ProducerStates } from './producer-state.ts'
import { TransactionIndex } from './transaction-index.ts'

/** Version 1 knew no transactions, 2 no compaction. */
const version = 3

export interface EpochStart {
  readonly epoch: number
  readonly startOffset: number
}

/** What a replayed control entry took out of use. */
export interface Forgotten {
  readonly segments: readonly SegmentFacts[]
  readonly extents: readonly Extent[]
}

/** What a batch is about to change, so that it can leave the log again: it stood there only on the word of a leader that is none any more. */
export interface BatchUndo {
  readonly lastIndex: number
  readonly endOffset: number
  readonly producer: ProducerMemory | undefined
  /** Where that producer's open transaction began. */
  readonly firstOffset: number | undefined
}

const nothing: Forgotten = { segments: [], extents: [] }

/** The first of ascending pieces that ends after the offset: the one that holds it, unless it begins later. */
export function firstEndingAfter<Piece extends { readonly endOffset: number }>(
  pieces: readonly Piece[],
  offset: number,
): Piece | undefined {
  let low = 0
  let high = pieces.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((pieces[middle]?.endOffset ?? Infinity) <= offset) low = middle + 1
    else high = middle
  }
  return pieces[low]
}

export class PartitionState {
  readonly topicId: TopicId
  readonly index: number
  lastIndex = 0
  logStartOffset = 0
  endOffset = 0
  epochs: EpochStart[] = []
  /** Ascending, contiguous, ending at `archivedEndOffset`. */
  segments: SegmentFacts[] = []
  /** Ascending; together they cover from at most `archivedEndOffset` to what has been streamed. */
  extents: Extent[] = []
  /** Up to where compaction has looked at every record; 0 before the first time. */
  cleanedEndOffset = 0
  readonly producers = new ProducerStates()
  readonly transactions = new TransactionIndex()

  constructor(topicId: TopicId, index: number) {
    this.topicId = topicId
    this.index = index
  }

  get archivedEndOffset(): number {
    return this.segments.at(-1)?.endOffset ?? this.logStartOffset
  }

  get streamedEndOffset(): number {
    return Math.max(this.extents.at(-1)?.endOffset ?? 0, this.archivedEndOffset)
  }

  /** A batch now stands in the log. */
  replayBatch(entry: {
    readonly index: number
    readonly term: number
    readonly digest: BatchDigest
    readonly nowMs: number
  }): void {
    const { digest } = entry
    assert(digest.baseOffset === this.endOffset, 'PART-1: batches are contiguous in offsets')
    this.#advance(entry.index)
    if (this.epochs.at(-1)?.epoch !== entry.term) {
      this.epochs.push({ epoch: entry.term, startOffset: digest.baseOffset })
      this.#dropEpochs()
    }
    this.endOffset = digest.endOffset
    if (digest.producerId >= 0) this.#replayProducer(digest, entry.nowMs)
  }

  /** To be asked before `replayBatch`. */
  undoOf({ producerId }: BatchDigest): BatchUndo {
    const { lastIndex, endOffset } = this
    const firstOffset = this.transactions.firstOffsetOf(producerId)
    return { lastIndex, endOffset, firstOffset, producer: producerId < 0 ? undefined : this.producers.remember(producerId) }
  }

  /** Entries behind the index have left the log; their batches were undone, their control entries had taken no effect. */
  cutTo(index: number): void {
    this.lastIndex = Math.min(this.lastIndex, index)
  }

  /** The newest batch leaves the log. Those behind it have left before. */
  undo({ lastIndex, endOffset, producer, firstOffset }: BatchUndo): void {
    this.lastIndex = lastIndex
    this.endOffset = endOffset
    if ((this.epochs.at(-1)?.startOffset ?? -1) >= endOffset) this.epochs.pop()
    if (producer === undefined) return
    this.producers.putBack(producer)
    this.transactions.undo(producer.producerId, firstOffset, endOffset)
  }

  #replayProducer(digest: BatchDigest, nowMs: number): void {
    const { producerId, producerEpoch, baseSequence, baseOffset, maxTimestampMs: timestampMs, role, coordinatorEpoch } = digest
    if (role === 'commit' || role === 'abort') {
      this.producers.replayMarker({ producerId, producerEpoch, coordinatorEpoch }, { timestampMs, nowMs })
      this.transactions.replayMarker(producerId, baseOffset, role === 'abort')
      return
    }
    if (role === 'transactional') this.transactions.replayBatch(producerId, baseOffset)
    // The offsets that a transaction commits are written by the coordinator of groups, which counts no sequence.
    if (baseSequence < 0) return
    const lastOffsetDelta = digest.endOffset - baseOffset - 1
    this.producers.replay({ producerId, producerEpoch, baseSequence, lastOffsetDelta }, { baseOffset, timestampMs, nowMs })
  }

  /** A control entry was proposed; it takes effect with `applyControl` once committed. Until then `encodeWith` takes snapshots. */
  noteControl(index: number): void {
    this.#advance(index)
  }

  replayControl(index: number, payload: Uint8Array): Forgotten {
    this.#advance(index)
    const entry = decodeControl(payload)
    assert(entry.ok, 'PART-2: control entries of the log decode')
    return this.applyControl(entry.value)
  }

  applyControl(entry: ControlEntry): Forgotten {
    if (entry.kind === 'segment-published') return this.#publish(entry.segment)
    if (entry.kind === 'segments-replaced') return this.#replace(entry)
    return entry.offset > this.logStartOffset ? this.#startAt(entry.offset) : nothing
  }

  /** Batches of the partition are in a WAL object. A repeat of what is already known is dropped. */
  addExtent(extent: Extent): boolean {
    if (extent.endOffset <= this.streamedEndOffset || extent.endOffset <= this.logStartOffset) return false
    this.extents.push(extent)
    return true
  }

  epochAt(offset: number): number {
    return this.epochs.findLast((one) => one.startOffset <= offset)?.epoch ?? -1
  }

  /**
   * Where the records of `epoch` end, as Kafka's LeaderEpochFileCache.endOffsetFor has it: the epoch asked for, or the newest before it
   * that has records. `term` is the epoch that goes on now, records or not. Undefined for what lies beyond it.
   */
  endOfEpoch(epoch: number, term: number): { readonly leaderEpoch: number; readonly endOffset: number } | undefined {
    if (epoch < 0 || epoch > term) return undefined
    if (epoch === term) return { leaderEpoch: term, endOffset: this.endOffset }
    const next = this.epochs.find((one) => one.epoch > epoch)
    const floor = this.epochs.findLast((one) => one.epoch <= epoch)
    return { leaderEpoch: floor?.epoch ?? epoch, endOffset: Math.max(next?.startOffset ?? this.endOffset, this.logStartOffset) }
  }

  #advance(index: number): void {
    // Between them may stand entries of the replicator's own.
    assert(index > this.lastIndex, 'PART-3: entries are replayed in index order')
    this.lastIndex = index
  }

  #publish(segment: SegmentFacts): Forgotten {
    // The log start may have passed the segment while it was being uploaded: then it is an orphan at once.
    if (segment.endOffset <= this.logStartOffset) return { segments: [segment], extents: [] }
    assert(this.segments.length === 0 || segment.baseOffset === this.archivedEndOffset, 'PART-4: segments are contiguous')
    this.segments.push(segment)
    return { segments: [], extents: this.#dropExtents(segment.endOffset) }
  }

  /** PART-6: one segment stands for exactly those it replaces, or for nothing. */
  #replace({ segment, replaced, cleanedEndOffset }: Extract<ControlEntry, { kind: 'segments-replaced' }>): Forgotten {
    const at = this.segments.findIndex((one) => one.baseOffset === replaced[0]?.baseOffset)
    const old = at < 0 ? [] : this.segments.slice(at, at + replaced.length)
    const fits =
      old.length > 0 &&
      replaced.every(({ leaderEpoch, attempt, baseOffset }, place) => {
        const one = old[place]
        return one?.baseOffset === baseOffset && one.leaderEpoch === leaderEpoch && one.attempt === attempt
      })
    // Retention or DeleteRecords came in between.
    if (!fits || segment.baseOffset !== old[0]?.baseOffset || segment.endOffset !== old.at(-1)?.endOffset)
      return { segments: [segment], extents: [] }
    this.segments.splice(at, old.length, segment)
    this.cleanedEndOffset = Math.max(this.cleanedEndOffset, cleanedEndOffset)
    return { segments: old, extents: [] }
  }

  #startAt(offset: number): Forgotten {
    this.logStartOffset = offset
    const kept = this.segments.findIndex((segment) => segment.endOffset > offset)
    const segments = this.segments.splice(0, kept < 0 ? this.segments.length : kept)
    this.#dropEpochs()
    this.transactions.forgetBefore(offset)
    return { segments, extents: this.#dropExtents(offset) }
  }

  /** Those that end before the log starts. */
  #dropEpochs(): void {
    while ((this.epochs[1]?.startOffset ?? Infinity) <= this.logStartOffset) this.epochs.shift()
  }

  #dropExtents(upTo: number): Extent[] {
    const kept = this.extents.findIndex((extent) => extent.endOffset > upTo)
    return this.extents.splice(0, kept < 0 ? this.extents.length : kept)
  }

  /** The state once the control entries have taken effect that `lastIndex` covers already (snapshots are taken in between). */
  encodeWith(pending: readonly ControlEntry[]): Uint8Array {
    if (pending.length === 0) return this.encode()
    const copy = PartitionState.decode(this.encode(), this.lastIndex)
    assert(typeof copy !== 'string', 'PART-5: a state reads what it wrote')
    for (const entry of pending) copy.applyControl(entry)
    return copy.encode()
  }

  encode(): Uint8Array {
    const w = new ByteWriter()
    w.int8(version)
    w.uuid(this.topicId)
    w.uint32(this.index)
    w.int64(BigInt(this.logStartOffset))
    w.int64(BigInt(this.endOffset))
    w.uvarint(this.epochs.length)
    for (const { epoch, startOffset } of this.epochs) {
      w.int32(epoch)
      w.int64(BigInt(startOffset))
    }
    w.uvarint(this.segments.length)
    for (const segment of this.segments) w.bytesField(encodeSegmentFacts(segment), true)
    w.uvarint(this.extents.length)
    for (const extent of this.extents) writeExtent(w, extent)
    this.producers.encode(w)
    this.transactions.encode(w)
    w.int64(BigInt(this.cleanedEndOffset))
    return w.concat()
  }

  /** The failure names what is wrong with the bytes. */
  static decode(bytes: Uint8Array, lastIndex: number): PartitionState | string {
    const r = new ByteReader(bytes)
    const found = r.int8()
    if (found < 1 || found > version) return `a partition's state of version ${found}, this build reads up to ${version}`
    const state = new PartitionState(r.uuid() as TopicId, r.uint32())
    state.lastIndex = lastIndex
    state.logStartOffset = Number(r.int64())
    state.endOffset = Number(r.int64())
    for (let left = r.uvarint(); left > 0 && r.failure === undefined; left -= 1) {
      state.epochs.push({ epoch: r.int32(), startOffset: Number(r.int64()) })
    }
    for (let left = r.uvarint(); left > 0 && r.failure === undefined; left -= 1) {
      const segment = decodeSegmentFacts(r.bytesField(true))
      if (segment.ok) state.segments.push(segment.value)
      else r.fail(segment.failure)
    }
    for (let left = r.uvarint(); left > 0 && r.failure === undefined; left -= 1) state.extents.push(readExtent(r))
    state.producers.decode(r, found >= 2)
    if (found >= 2) state.transactions.decode(r)
    if (found >= 3) state.cleanedEndOffset = Number(r.int64())
    return r.failure ?? state
  }
}

function writeExtent(w: ByteWriter, extent: Extent): void {
  w.string(extent.objectKey, true)
  w.int64(BigInt(extent.objectSizeBytes))
  w.int64(BigInt(extent.position))
  w.int64(BigInt(extent.length))
  w.int64(BigInt(extent.baseOffset))
  w.int64(BigInt(extent.endOffset))
  w.int64(BigInt(extent.maxTimestampMs))
}

function readExtent(r: ByteReader): Extent {
  return {
    objectKey: r.string(true),
    objectSizeBytes: Number(r.int64()),
    position: Number(r.int64()),
    length: Number(r.int64()),
    baseOffset: Number(r.int64()) as Extent['baseOffset'],
    endOffset: Number(r.int64()) as Extent['endOffset'],
    maxTimestampMs: Number(r.int64()),
  }
}
