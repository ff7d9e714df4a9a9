// Owns appending to `__consumer_offsets` on behalf of the group coordinator, and reading it back at start. Not the coordinator's
// state (src/groups).

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
  producerIdOf,
  isTransactional,
} from '../protocol/index.ts'
import type { Broker, PartitionView } from './api.ts'
import { offsetsTopic } from './standalone-broker.ts'

export interface OffsetRecord {
  readonly key: Uint8Array
  readonly value: Uint8Array | null
}

export interface ReplayedRecord extends OffsetRecord {
  readonly timestampMs: number
  readonly producerId?: number
}

export interface OffsetsLogOptions {
  readonly broker: () => Broker
  readonly partitionCount: number
  readonly clock: Clock
  readonly crc32c: Crc32c
  readonly decompress: Decompress
}

/** What is read at once at start. */
const readBytes = 4 * 1024 * 1024

export class BrokerOffsetsLog {
  readonly partitionCount: number
  readonly #options: OffsetsLogOptions
  /** Up to where the coordinator has taken in each partition's log. */
  readonly #takenIn = new Map<number, number>()

  constructor(options: OffsetsLogOptions) {
    this.#options = options
    this.partitionCount = options.partitionCount
  }

  /** One past the last record the coordinator's state covers. */
  takenIn(partition: number): number {
    return this.#takenIn.get(partition) ?? 0
  }

  async append(
    partition: number,
    records: readonly OffsetRecord[],
    producer?: { readonly producerId: number; readonly producerEpoch: number },
  ): Promise<void> {
    const view = await this.#partition(partition)
    const timestamp = this.#options.clock.nowMs()
    const batch = encodeBatch(
      {
        records: records.map((record, at) => ({ offset: at, timestamp, key: record.key, value: record.value, headers: [] })),
        ...(producer === undefined ? {} : { ...producer, isTransactional: true }),
      },
      { crc32c: this.#options.crc32c },
    )
    const result = await new Promise<Parameters<Parameters<PartitionView['append']>[1]>[0]>((resolve) => {
      view.append({ records: batch, acks: -1 }, resolve)
    })
    if (result.kind === 'error') {
      const kind = result.errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER ? 'closed' : 'retry'
      throw new OpError(kind, {
        code: 'OFFSETS_NOT_APPENDED',
        detail: `${offsetsTopic}-${partition}: ${result.message ?? errorName(result.errorCode) ?? String(result.errorCode)}`,
      })
    }
    // The coordinator takes the records in within this turn. Until its end a snapshot may see the state before: it then counts them
    // as not taken in, and they are replayed, which is harmless; the other way round they would be lost.
    const end = result.baseOffset + records.length
    this.#options.clock.afterTurn(() => {
      this.#takenIn.set(partition, Math.max(end, this.takenIn(partition)))
    })
  }

  /** Hands every record from `from` to the end of the partition to `take`, in order. */
  async replay(partition: number, from: number, take: (record: ReplayedRecord) => void): Promise<void> {
    const view = this.#options.broker().topicByName(offsetsTopic)?.partitions[partition]
    if (view === undefined) return
    let at = Math.max(from, view.logStartOffset)
    while (at < view.highWatermark) {
      const read = await view.read({ offset: offset(at), maxBytes: readBytes, minOneBatch: true })
      if (read.kind === 'error' || read.batches.length === 0) {
        throw new OpError('corrupt', {
          code: 'OFFSETS_UNREADABLE',
          detail: `${offsetsTopic}-${partition} cannot be read at offset ${at}`,
        })
      }
      for (const run of read.batches) at = this.#takeRun(run, at, take)
    }
    this.#takenIn.set(partition, at)
  }

  /** Answers the offset after the run. */
  #takeRun(run: Uint8Array, from: number, take: (record: ReplayedRecord) => void): number {
    let end = from
    for (let position = 0; position < run.length; position += batchBytesOf(run, position)) {
      const decoded = decodeRecords(run, position, this.#options.decompress)
      if (decoded.kind === 'malformed') {
        throw new OpError('corrupt', {
          code: 'OFFSETS_UNREADABLE',
          detail: `${offsetsTopic} at offset ${end}: ${decoded.detail}`,
        })
      }
      const producerId = isTransactional(run, position) ? producerIdOf(run, position) : undefined
      for (const record of decoded.records) {
        end = Math.max(end, record.offset + 1)
        if (record.offset < from || record.key === null) continue
        const { key, value, timestamp: timestampMs } = record
        take({ key, value, timestampMs, ...(producerId === undefined ? {} : { producerId }) })
      }
    }
    return end
  }

  async #partition(partition: number): Promise<PartitionView> {
    const broker = this.#options.broker()
    const topic = broker.topicByName(offsetsTopic)
    if (topic === undefined) {
      const made = await broker.autoCreateTopic(offsetsTopic)
      if (!made.ok)
        throw new OpError('retry', {
          code: 'OFFSETS_TOPIC_MISSING',
          detail: made.failure.message ?? `${offsetsTopic} could not be created`,
        })
    }
    const view = broker.topicByName(offsetsTopic)?.partitions[partition]
    if (view === undefined)
      throw new OpError('internal', { code: 'OFFSETS_TOPIC_MISSING', detail: `${offsetsTopic} has no partition ${partition}` })
    return view
  }
}
