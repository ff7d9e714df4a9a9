// Owns answering reads of a partition's visible records: from where to where, what a leader without a lease may say, and which transactions a
// reader of committed records leaves out. Not in which tier they lie (log-reader.ts).

import { leaderEpoch, offset, type Offset } from '../../model/ids.ts'
import type { ReplicatedLog } from '../../model/replicated-log.ts'
import { ErrorCode } from '../../protocol/index.ts'
import type { AbortedRange, OffsetAndTimestamp, ReadRequest, ReadResult } from '../api.ts'
import type { PartitionState } from '../core/partition-state.ts'
import { failureOf } from '../failures.ts'
import type { ArchivedRun, BrokerWorld } from '../ports.ts'
import { endOffsetOfRun, type LogReader } from './log-reader.ts'

export interface VisibleReadsParts {
  readonly topicName: string
  readonly state: PartitionState
  readonly log: ReplicatedLog
  readonly reader: LogReader
  readonly world: BrokerWorld
  /** The partition, as it is at each moment. */
  readonly view: {
    readonly goneCode: number | undefined
    readonly highWatermark: Offset
    readonly lastStableOffset: Offset
    readonly logStartOffset: Offset
  }
}

const noneAborted: readonly AbortedRange[] = []

export class VisibleReads {
  readonly #topicName: string
  readonly #state: PartitionState
  readonly #log: ReplicatedLog
  readonly #reader: LogReader
  readonly #world: BrokerWorld
  readonly #view: VisibleReadsParts['view']

  constructor({ topicName, state, log, reader, world, view }: VisibleReadsParts) {
    this.#topicName = topicName
    this.#state = state
    this.#log = log
    this.#reader = reader
    this.#world = world
    this.#view = view
  }

  read(request: ReadRequest): ReadResult | Promise<ReadResult> {
    if (this.#view.goneCode !== undefined) return this.#failed(this.#view.goneCode)
    if (!this.#log.isCurrent) return this.#readOnceConfirmed(request)
    return this.#read(request)
  }

  async #readOnceConfirmed(request: ReadRequest): Promise<ReadResult> {
    const isCurrent = await new Promise<boolean>((resolve) => {
      this.#log.confirm(resolve)
    })
    if (this.#view.goneCode !== undefined) return this.#failed(this.#view.goneCode)
    return isCurrent ? this.#read(request) : this.#failed(ErrorCode.NOT_LEADER_OR_FOLLOWER)
  }

  #read(request: ReadRequest): ReadResult | Promise<ReadResult> {
    if (request.offset < this.#state.logStartOffset || request.offset > this.#state.endOffset) {
      return this.#failed(ErrorCode.OFFSET_OUT_OF_RANGE)
    }
    const { maxBytes, minOneBatch, committedOnly = false } = request
    const endOffset = committedOnly ? this.#view.lastStableOffset : this.#view.highWatermark
    // As Kafka: what is in the log and not visible yet is no error.
    if (request.offset >= endOffset) return this.#records({ batches: [], bytes: 0 }, request)
    const run = this.#reader.read({ offset: request.offset, endOffset, maxBytes, minOneBatch })
    if (!(run instanceof Promise)) return this.#records(run, request)
    return run.then(
      (read) => this.#records(read, request),
      (error: unknown) => {
        if (this.#view.goneCode !== undefined) return this.#failed(this.#view.goneCode)
        // Retention has passed the offset while it was being read.
        if (request.offset < this.#state.logStartOffset) return this.#failed(ErrorCode.OFFSET_OUT_OF_RANGE)
        const failure = failureOf(error)
        this.#world.log.error('a read failed', {
          topic: this.#topicName,
          partition: this.#state.index,
          offset: request.offset,
          error,
        })
        return this.#failed(failure.errorCode)
      },
    )
  }

  async offsetForTimestamp(timestampMs: number): Promise<OffsetAndTimestamp | undefined> {
    for await (const batch of this.#reader.batchesFrom(timestampMs, this.#view.highWatermark)) {
      const found = this.#world.findByTimestamp(batch, timestampMs, this.#state.logStartOffset)
      if (found === undefined) continue
      if (found.offset >= this.#view.highWatermark) return undefined
      return {
        offset: offset(found.offset),
        timestampMs: found.timestampMs,
        leaderEpoch: leaderEpoch(this.#state.epochAt(found.offset)),
      }
    }
    return undefined
  }

  async offsetOfMaxTimestamp(): Promise<OffsetAndTimestamp | undefined> {
    const max = this.#reader.maxTimestampMs(this.#view.highWatermark)
    return max < 0 ? undefined : this.offsetForTimestamp(max)
  }

  #records(run: ArchivedRun, { offset: from, committedOnly = false }: ReadRequest): ReadResult {
    const last = committedOnly ? run.batches.at(-1) : undefined
    return {
      kind: 'records',
      batches: run.batches,
      bytes: run.bytes,
      aborted: last === undefined ? noneAborted : this.#state.transactions.abortedWithin(from, endOffsetOfRun(last)),
      highWatermark: this.#view.highWatermark,
      lastStableOffset: this.#view.lastStableOffset,
      logStartOffset: this.#view.logStartOffset,
    }
  }

  #failed(errorCode: number): ReadResult {
    return {
      kind: 'error',
      errorCode,
      highWatermark: this.#view.highWatermark,
      logStartOffset: this.#view.logStartOffset,
    }
  }
}
