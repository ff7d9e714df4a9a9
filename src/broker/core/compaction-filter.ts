// Owns what compaction leaves of each batch, as Kafka's Cleaner and CleanedTransactionMetadata decide: the newest record of a key, a
// tombstone until its horizon has passed (KIP-534), a transaction's marker until nothing of the transaction is left and its horizon has
// passed, nothing of an aborted transaction. Offsets stay; what goes leaves holes. Pure; batches are taken in the log's order.
//
// Unlike Kafka's, the last batch of a producer need not stay: what a partition knows of producers is part of its state, not found in
// its log.

import type { Crc32c } from '../../base/crc32c.ts'
import {
  baseOffsetOf,
  baseSequenceOf,
  baseTimestampOf,
  batchBytesOf,
  type BatchToEncode,
  type Compress,
  compressionOf,
  currentRecord,
  type Decompress,
  encodeBatch,
  hasDeleteHorizon,
  isControlBatch,
  isTransactional,
  lastOffsetDeltaOf,
  lastOffsetOf,
  leaderEpochOf,
  type LogRecord,
  maxTimestampOf,
  openBatch,
  producerEpochOf,
  producerIdOf,
  readTransactionMarker,
  recordCountOf,
  timestampTypeOf,
} from '../../protocol/index.ts'
import type { OffsetMap } from './offset-map.ts'
import type { AbortedTransaction } from './transaction-index.ts'

interface AbortedSeen {
  readonly lastOffset: number
  /** A batch of it lies in the log. */
  isThere: boolean
}

/** Which batches belong to aborted transactions, and of which transactions nothing is left but the marker. */
export class DecidedTransactions {
  readonly #aborted: readonly AbortedTransaction[]
  #next = 0
  readonly #abortedOf = new Map<number, AbortedSeen>()
  readonly #committed = new Set<number>()

  /** Those that reach into the log from its start, in any order. */
  constructor(aborted: readonly AbortedTransaction[]) {
    this.#aborted = [...aborted].sort((left, right) => left.firstOffset - right.firstOffset)
  }

  /** The same, so that a stretch of log can be gone through once more. */
  fork(): DecidedTransactions {
    const copy = new DecidedTransactions(this.#aborted)
    copy.#next = this.#next
    for (const [producerId, seen] of this.#abortedOf) copy.#abortedOf.set(producerId, { ...seen })
    for (const producerId of this.#committed) copy.#committed.add(producerId)
    return copy
  }

  /** For a batch of records: true when it was aborted. For a control batch: true when nothing of its transaction is left. */
  isWithout(bytes: Uint8Array, at: number): boolean {
    this.#advance(lastOffsetOf(bytes, at))
    const producerId = producerIdOf(bytes, at)
    if (isControlBatch(bytes, at)) return this.#isMarkerOfNothing(bytes, at, producerId)
    if (!isTransactional(bytes, at)) return false
    const aborted = this.#abortedOf.get(producerId)
    if (aborted !== undefined && baseOffsetOf(bytes, at) <= aborted.lastOffset) {
      aborted.isThere = true
      return true
    }
    this.#committed.add(producerId)
    return false
  }

  #isMarkerOfNothing(bytes: Uint8Array, at: number, producerId: number): boolean {
    const marker = readTransactionMarker(bytes, at)
    // Another kind of control batch is not ours to judge.
    if (marker === undefined) return false
    if (marker.result === 'commit') return !this.#committed.delete(producerId)
    const aborted = this.#abortedOf.get(producerId)
    this.#abortedOf.delete(producerId)
    return aborted?.isThere !== true
  }

  #advance(lastOffset: number): void {
    for (; (this.#aborted[this.#next]?.firstOffset ?? Infinity) <= lastOffset; this.#next += 1) {
      const one = this.#aborted[this.#next]!
      this.#abortedOf.set(one.producerId, { lastOffset: one.lastOffset, isThere: false })
    }
  }
}

export interface CompactionRule {
  /** What lies behind its last offset is newer than what it knows, and stays. */
  readonly map: OffsetMap
  readonly nowMs: number
  readonly deleteRetentionMs: number
  readonly decompress: Decompress
  readonly compress: Compress
  readonly crc32c: Crc32c
}

export class CompactionFilter {
  readonly #rule: CompactionRule
  readonly #transactions: DecidedTransactions

  constructor(rule: CompactionRule, transactions: DecidedTransactions) {
    this.#rule = rule
    this.#transactions = transactions
  }

  fork(): CompactionFilter {
    return new CompactionFilter(this.#rule, this.#transactions.fork())
  }

  /** What stays of the batch at `at`: its own bytes, others with fewer records, or undefined for nothing. */
  take(bytes: Uint8Array, at: number): Uint8Array | undefined {
    const isWithout = this.#transactions.isWithout(bytes, at)
    if (isControlBatch(bytes, at)) return isWithout ? this.#withoutTransaction(bytes, at) : whole(bytes, at)
    if (isWithout || recordCountOf(bytes, at) === 0) return undefined
    return this.#filtered(bytes, at)
  }

  /** The batch without its records: a segment must hold one, and this one says where the log had been. */
  emptied(bytes: Uint8Array, at: number): Uint8Array {
    return this.#encoded(bytes, at, { records: [], maxTimestamp: maxTimestampOf(bytes, at) })
  }

  #withoutTransaction(bytes: Uint8Array, at: number): Uint8Array | undefined {
    if (hasDeleteHorizon(bytes, at)) return baseTimestampOf(bytes, at) <= this.#rule.nowMs ? undefined : whole(bytes, at)
    const opened = this.#records(bytes, at)
    if (opened === undefined) return whole(bytes, at)
    return this.#encoded(bytes, at, { records: opened, ...this.#horizon() })
  }

  #filtered(bytes: Uint8Array, at: number): Uint8Array | undefined {
    const { nowMs, map, decompress } = this.#rule
    const hasHorizon = hasDeleteHorizon(bytes, at)
    const tombstonesGo = hasHorizon && baseTimestampOf(bytes, at) <= nowMs
    const batch = openBatch(bytes, at, decompress)
    // Damage is not ours to judge, and nothing may be lost by it.
    if (batch.kind === 'malformed') return whole(bytes, at)
    const { cursor, baseOffset } = batch
    const records: LogRecord[] = []
    let hasTombstone = false
    while (cursor.next()) {
      const isTombstone = cursor.valueLength < 0
      const { keyAt, keyLength } = cursor
      // Without a key it came before the topic was compacted, and can never be replaced.
      if (keyLength < 0 || (isTombstone && tombstonesGo)) continue
      if (baseOffset + cursor.offsetDelta < map.latestOf(cursor.bytes, keyAt, keyAt + keyLength)) continue
      hasTombstone ||= isTombstone
      records.push(currentRecord(batch))
    }
    if (cursor.failure !== undefined) return whole(bytes, at)
    if (records.length === 0) return undefined
    const needsHorizon = hasTombstone && !hasHorizon
    if (records.length === recordCountOf(bytes, at) && !needsHorizon) return whole(bytes, at)
    return this.#encoded(bytes, at, { records, ...(needsHorizon ? this.#horizon() : {}) })
  }

  #horizon(): Pick<BatchToEncode, 'hasDeleteHorizon' | 'baseTimestamp'> {
    return { hasDeleteHorizon: true, baseTimestamp: this.#rule.nowMs + this.#rule.deleteRetentionMs }
  }

  #records(bytes: Uint8Array, at: number): readonly LogRecord[] | undefined {
    const batch = openBatch(bytes, at, this.#rule.decompress)
    if (batch.kind === 'malformed') return undefined
    const records: LogRecord[] = []
    while (batch.cursor.next()) records.push(currentRecord(batch))
    return batch.cursor.failure === undefined ? records : undefined
  }

  #encoded(
    bytes: Uint8Array,
    at: number,
    change: Pick<BatchToEncode, 'records' | 'hasDeleteHorizon' | 'baseTimestamp' | 'maxTimestamp'>,
  ): Uint8Array {
    const isAppendTime = timestampTypeOf(bytes, at) === 'LogAppendTime'
    return encodeBatch(
      {
        baseTimestamp: baseTimestampOf(bytes, at),
        hasDeleteHorizon: hasDeleteHorizon(bytes, at),
        ...(isAppendTime ? { maxTimestamp: maxTimestampOf(bytes, at) } : {}),
        ...change,
        isAppendTime,
        baseOffset: baseOffsetOf(bytes, at),
        lastOffsetDelta: lastOffsetDeltaOf(bytes, at),
        leaderEpoch: leaderEpochOf(bytes, at),
        compression: compressionOf(bytes, at) ?? 'none',
        isTransactional: isTransactional(bytes, at),
        isControl: isControlBatch(bytes, at),
        producerId: producerIdOf(bytes, at),
        producerEpoch: producerEpochOf(bytes, at),
        baseSequence: baseSequenceOf(bytes, at),
      },
      this.#rule,
    )
  }
}

const whole = (bytes: Uint8Array, at: number): Uint8Array => bytes.subarray(at, at + batchBytesOf(bytes, at))
