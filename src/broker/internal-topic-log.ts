// Owns appending to a topic in which a coordinator of this broker keeps its state (`__consumer_offsets`, `__transaction_state`), and
// reading it back at start. Not the coordinators' state (src/groups, src/transactions).

import type { Crc32c } from '../base/crc32c.ts'
import type { Clock } from '../base/clock.ts'
import { OpError } from '../base/op-error.ts'
import { offset } from '../model/ids.ts'
import {
  batchBytesOf,
  decodeRecords,
  type Decompress,
  encodeBatch,
  ErrorCode,
  errorName,
  isControlBatch,
  isTransactional,
  lastOffsetOf,
  producerIdOf,
  readTransactionMarker,
} from '../protocol/index.ts'
import type { AppendRequest, AppendResult, Broker, MarkerRequest, PartitionView } from './api.ts'
import { endOffsetOfRun } from './partition/log-reader.ts'

export interface StateRecord {
  readonly key: Uint8Array
  readonly value: Uint8Array | null
}

export interface ReplayedRecord extends StateRecord {
  readonly timestampMs: number
  readonly producerId?: number
}

/** What the log holds, in its order. */
export interface ReplayTaker {
  record(record: ReplayedRecord): void
  /** A producer's transaction ended in this partition. */
  marker(producerId: number, result: 'commit' | 'abort'): void
}

export interface InternalTopicLogOptions {
  readonly topic: string
  readonly broker: () => Broker
  readonly partitionCount: number
  readonly clock: Clock
  readonly crc32c: Crc32c
  readonly decompress: Decompress
}

/** What is read at once at start. */
const readBytes = 4 * 1024 * 1024

export class InternalTopicLog {
  readonly partitionCount: number
  readonly #options: InternalTopicLogOptions
  /** Up to where the coordinator has taken in each partition's log. */
  readonly #takenIn = new Map<number, number>()

  constructor(options: InternalTopicLogOptions) {
    this.#options = options
    this.partitionCount = options.partitionCount
  }

  /** One past the last record the coordinator's state covers. */
  takenIn(partition: number): number {
    return this.#takenIn.get(partition) ?? 0
  }

  /** Appends them as one batch; resolves with its first offset once that is committed. OpError when it is not and will not be. */
  async append(
    partition: number,
    records: readonly StateRecord[],
    producer?: { readonly producerId: number; readonly producerEpoch: number },
  ): Promise<number> {
    const view = this.#view(partition) ?? (await this.#made(partition))
    const timestamp = this.#options.clock.nowMs()
    const batch = encodeBatch(
      {
        records: records.map((record, at) => ({ offset: at, timestamp, key: record.key, value: record.value, headers: [] })),
        ...(producer === undefined ? {} : { ...producer, isTransactional: true }),
      },
      { crc32c: this.#options.crc32c },
    )
    const request: AppendRequest = { records: batch, acks: -1, byCoordinator: true }
    const result = await new Promise<AppendResult>((resolve) => {
      view.append(request, resolve)
    })
    if (result.kind === 'error') {
      const kind = result.errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER ? 'closed' : 'retry'
      throw new OpError(kind, {
        code: 'STATE_NOT_APPENDED',
        detail: `${this.#options.topic}-${partition}: ${result.message ?? errorName(result.errorCode) ?? String(result.errorCode)}`,
      })
    }
    // The coordinator takes the records in within this turn. Until its end a snapshot may see the state before: it then counts them
    // as not taken in, and they are replayed, which is harmless; the other way round they would be lost.
    this.#options.clock.afterTurn(() => {
      this.#tookIn(partition, result.baseOffset + records.length)
    })
    return result.baseOffset
  }

  /** Ends a producer's transaction in a partition of this topic. `onEnded` runs after what was appended before has been taken in. */
  appendMarker(partition: number, marker: MarkerRequest, ports: MarkerPorts): void {
    const view = this.#view(partition)
    if (view === undefined) {
      const message = `${this.#options.topic} has no partition ${partition}`
      const errorCode = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
      ports.done({ kind: 'error', errorCode, message, recordErrors: [], logStartOffset: offset(0) })
      return
    }
    view.appendMarker(marker, (result) => {
      if (result.kind === 'error') ports.done(result)
      else
        this.#options.clock.afterTurn(() => {
          ports.onEnded()
          this.#tookIn(partition, result.baseOffset + 1)
          ports.done(result)
        })
    })
  }

  /** Hands all from `from` to the end of the partition to `take`, in order. */
  async replay(partition: number, from: number, take: ReplayTaker): Promise<void> {
    const view = this.#view(partition)
    if (view === undefined) return
    let at = Math.max(from, view.logStartOffset)
    while (at < view.highWatermark) {
      const read = await view.read({ offset: offset(at), maxBytes: readBytes, minOneBatch: true })
      if (read.kind === 'error' || read.batches.length === 0) throw this.#unreadable(partition, at, 'cannot be read')
      for (const run of read.batches) at = this.#takeRun(partition, run, at, take)
    }
    this.#takenIn.set(partition, at)
  }

  /** Gives up what lies before the offset: the coordinator has written anew what it still needs of it. */
  async trim(partition: number, before: number): Promise<void> {
    await this.#view(partition)?.startAt(offset(before))
  }

  #tookIn(partition: number, end: number): void {
    this.#takenIn.set(partition, Math.max(end, this.takenIn(partition)))
  }

  /** Answers the offset after the run. */
  #takeRun(partition: number, run: Uint8Array, from: number, take: ReplayTaker): number {
    for (let position = 0; position < run.length; position += batchBytesOf(run, position)) {
      if (lastOffsetOf(run, position) < from) continue
      if (isControlBatch(run, position)) {
        const marker = readTransactionMarker(run, position)
        if (marker !== undefined) take.marker(producerIdOf(run, position), marker.result)
        continue
      }
      const decoded = decodeRecords(run, position, this.#options.decompress)
      if (decoded.kind === 'malformed') throw this.#unreadable(partition, from, decoded.detail)
      const producerId = isTransactional(run, position) ? producerIdOf(run, position) : undefined
      for (const record of decoded.records) {
        if (record.offset < from || record.key === null) continue
        const { key, value, timestamp: timestampMs } = record
        take.record({ key, value, timestampMs, ...(producerId === undefined ? {} : { producerId }) })
      }
    }
    return Math.max(from, endOffsetOfRun(run))
  }

  #unreadable(partition: number, at: number, why: string): OpError {
    return new OpError('corrupt', {
      code: 'STATE_UNREADABLE',
      detail: `${this.#options.topic}-${partition} at offset ${at}: ${why}; run 'chronik bucket verify'`,
    })
  }

  #view(partition: number): PartitionView | undefined {
    return this.#options.broker().topicByName(this.#options.topic)?.partitions[partition]
  }

  async #made(partition: number): Promise<PartitionView> {
    const { topic } = this.#options
    const made = await this.#options.broker().autoCreateTopic(topic)
    if (!made.ok) {
      const detail = made.failure.message ?? `${topic} could not be created`
      throw new OpError('retry', { code: 'STATE_TOPIC_MISSING', detail })
    }
    const view = this.#view(partition)
    if (view === undefined)
      throw new OpError('internal', { code: 'STATE_TOPIC_MISSING', detail: `${topic} has no partition ${partition}` })
    return view
  }
}

export interface MarkerPorts {
  /** The marker is committed: the state follows. */
  readonly onEnded: () => void
  readonly done: (result: AppendResult) => void
}
