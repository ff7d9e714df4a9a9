// Owns a GroupCoordinator in a world that stands still unless told: clock, log of `__consumer_offsets` and topics in memory.

import type { Clock } from '../../../../src/base/clock.ts'
import { crc32cReference } from '../../../../src/base/crc32c.ts'
import { silentLog } from '../../../../src/base/log.ts'
import { OpError, type OpErrorKind } from '../../../../src/base/op-error.ts'
import { topicId } from '../../../../src/model/ids.ts'
import { GroupCoordinator, type GroupSettings, type KeyedRecord, standardGroupSettings } from '../../../../src/groups/index.ts'

interface Timer {
  readonly atMs: number
  readonly callback: () => void
}

/** Calls back in order of time when told to move. */
export class HandClock implements Clock {
  time = 1_000
  readonly #timers = new Set<Timer>()

  nowMs(): number {
    return 1_700_000_000_000 + this.time
  }

  monotonicMs(): number {
    return this.time
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.time + delayMs, callback }
    this.#timers.add(timer)
    return () => {
      this.#timers.delete(timer)
    }
  }

  afterTurn(callback: () => void): void {
    this.after(0, callback)
  }

  get timerCount(): number {
    return this.#timers.size
  }

  /** The next timer's time, or Infinity. */
  get nextMs(): number {
    return Math.min(...[...this.#timers].map((timer) => timer.atMs))
  }

  async pass(ms: number): Promise<void> {
    const end = this.time + ms
    while (this.nextMs <= end) {
      this.time = Math.max(this.time, this.nextMs)
      const due = [...this.#timers].find((timer) => timer.atMs === this.nextMs)!
      this.#timers.delete(due)
      due.callback()
      await settle()
    }
    this.time = end
  }
}

/** Lets every promise that can go on go on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve()
}

export interface LoggedBatch {
  readonly partition: number
  readonly records: readonly KeyedRecord[]
  readonly producerId: number | undefined
}

export class World {
  readonly clock = new HandClock()
  readonly batches: LoggedBatch[] = []
  readonly topics = new Map([
    ['t', { id: 'AAAAAAAAAAAAAAAAAAAAAQ', partitions: 4 }],
    ['u', { id: 'AAAAAAAAAAAAAAAAAAAAAg', partitions: 2 }],
  ])
  topicsVersion = 1
  /** While set, appends fail so. */
  failure: OpErrorKind | undefined
  /** While true, appends wait for `release`. */
  held = false
  appendsAtOnceMost = 0
  #release: (() => void)[] = []
  #atOnce = 0
  #ids = 0
  readonly coordinator: GroupCoordinator

  constructor(settings: Partial<GroupSettings> = {}, partitionCount = 4) {
    this.coordinator = this.open(settings, partitionCount)
  }

  open(settings: Partial<GroupSettings> = {}, partitionCount = 4): GroupCoordinator {
    return new GroupCoordinator({
      clock: this.clock,
      ids: { nextId: () => new Uint8Array(16).fill((this.#ids += 1)) },
      log: silentLog,
      crc32c: crc32cReference,
      offsetsLog: {
        partitionCount,
        append: (partition, records, producer) => this.#append(partition, records, producer?.producerId),
      },
      topics: {
        topicIdOf: (name) => {
          const id = this.topics.get(name)?.id
          return id === undefined ? undefined : topicId(id)
        },
        nameOf: (id) => [...this.topics].find(([, topic]) => topic.id === id)?.[0],
        partitionExists: (name, partition) => partition >= 0 && partition < (this.topics.get(name)?.partitions ?? 0),
        partitionCountOf: (name) => this.topics.get(name)?.partitions,
        names: () => this.topics.keys(),
        version: () => this.topicsVersion,
      },
      settings: { ...standardGroupSettings, initialRebalanceDelayMs: 0, ...settings },
    })
  }

  startAll(coordinator = this.coordinator, partitionCount = 4): void {
    for (let partition = 0; partition < partitionCount; partition += 1) coordinator.startPartition(partition)
  }

  replayAll(coordinator: GroupCoordinator): void {
    for (const { partition, records, producerId } of this.batches) {
      for (const record of records) {
        const outcome = coordinator.replay(partition, {
          ...record,
          timestampMs: 0,
          ...(producerId !== undefined && { producerId }),
        })
        if (!outcome.ok) throw new Error(outcome.failure)
      }
    }
  }

  release(): void {
    this.held = false
    for (const go of this.#release.splice(0)) go()
  }

  async #append(partition: number, records: readonly KeyedRecord[], producerId: number | undefined): Promise<void> {
    this.#atOnce += 1
    this.appendsAtOnceMost = Math.max(this.appendsAtOnceMost, this.#atOnce)
    if (this.held) await new Promise<void>((resolve) => this.#release.push(resolve))
    else await Promise.resolve()
    this.#atOnce -= 1
    if (this.failure !== undefined) throw new OpError(this.failure, { code: 'TEST', detail: 'The test says so.' })
    this.batches.push({ partition, records, producerId })
  }
}
