// Owns a transaction coordinator over a log in memory: what it stored, what it was told of markers, and faults on demand.

import type { Clock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { OpError } from '../../src/base/op-error.ts'
import {
  type KeyedRecord,
  type Marker,
  standardTransactionSettings,
  type TopicPartition,
  TransactionCoordinator,
  type TransactionSettings,
} from '../../src/transactions/index.ts'

export interface WrittenMarker extends TopicPartition, Marker {}

/** What is durable: a coordinator that dies leaves it to the next. */
export class MemoryTransactionLog {
  readonly partitionCount: number
  readonly records: Array<Array<KeyedRecord | undefined>>
  readonly appends: number[] = []
  nextProducerId = 0

  constructor(partitionCount = 3) {
    this.partitionCount = partitionCount
    this.records = Array.from({ length: partitionCount }, () => [])
  }
}

export class MemoryTransactions {
  readonly coordinator: TransactionCoordinator
  readonly log: MemoryTransactionLog
  readonly markers: WrittenMarker[] = []
  readonly deaths: unknown[] = []
  /** While set, appends and markers fail with it. */
  appendFault: OpError | undefined
  markerFault: OpError | undefined
  /** While set, appends wait for the promise. */
  appendGate: Promise<void> | undefined
  readonly gone = new Set<string>()
  dead = false

  constructor(clock: Clock, log = new MemoryTransactionLog(), settings: Partial<TransactionSettings> = {}) {
    this.log = log
    this.coordinator = new TransactionCoordinator({
      clock,
      log: silentLog,
      transactionLog: {
        partitionCount: log.partitionCount,
        append: (partition, records) => this.#append(partition, records),
        trim: (partition, before) => {
          log.records[partition]!.fill(undefined, 0, before)
          return Promise.resolve()
        },
        epochOf: () => 7,
      },
      markers: {
        write: async (at, marker) => {
          await Promise.resolve()
          if (this.markerFault !== undefined) throw this.markerFault
          if (this.gone.has(`${at.topic}-${at.partition}`)) return 'gone'
          this.markers.push({ ...at, ...marker })
          return 'written'
        },
      },
      producerIds: { allocate: () => Promise.resolve(log.nextProducerId++) },
      settings: { ...standardTransactionSettings, ...settings },
      onDied: (error) => this.deaths.push(error),
    })
    for (const [partition, records] of log.records.entries()) {
      for (const record of records) {
        const applied = record === undefined ? undefined : this.coordinator.replay(partition, record)
        if (applied?.ok === false) throw new Error(applied.failure)
      }
    }
    this.coordinator.start()
  }

  async #append(partition: number, records: readonly KeyedRecord[]): Promise<number> {
    const log = this.log.records[partition]!
    if (this.appendFault !== undefined) throw this.appendFault
    if (this.dead) throw new OpError('closed', { code: 'DEAD', detail: 'this process is gone' })
    const first = log.length
    log.push(...records)
    this.log.appends.push(records.length)
    await (this.appendGate ?? Promise.resolve())
    return first
  }

  /** The process is gone: nothing of it happens any more. */
  kill(): void {
    this.dead = true
    this.coordinator.close()
  }
}
