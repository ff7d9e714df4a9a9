// Owns one fetch from its first read to its answer: what may be read at once, what must be waited for, when enough is there. Does
// not own sessions (fetch-session.ts) nor the form of the answer (fetch.ts).
//
// Reads answer at once (hot) or by a promise (WAL file, bucket). As soon as the hot ones alone bring `minBytes`, the answer goes
// out without the others, which are carried over to the next fetch of the connection (carried-reads.ts).

import type { Cancel } from '../../../base/clock.ts'
import { offset as asOffset, topicId as asTopicId } from '../../../model/ids.ts'
import { ErrorCode } from '../../../protocol/index.ts'
import type { Call } from '../../front/call.ts'
import type { AbortedRange, HandlerPorts, PartitionView, ReadResult } from '../../ports.ts'
import { epochFault } from '../leader-epoch.ts'
import { type CarriedReads, PendingRead } from './carried-reads.ts'
import type { FetchTarget } from './fetch-target.ts'

const unknownOffset = -1
const topicIdsFrom = 13
const noBatches: readonly Uint8Array[] = []
const noneAborted: readonly AbortedRange[] = []

export interface FetchedPartition {
  readonly errorCode: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  readonly batches: readonly Uint8Array[]
  readonly bytes: number
  /** Told to readers of committed records only. */
  readonly aborted: readonly AbortedRange[]
}

export interface FetchWants {
  readonly targets: readonly FetchTarget[]
  readonly minBytes: number
  readonly maxBytes: number
  readonly maxWaitMs: number
  /** `read_committed`. */
  readonly committedOnly: boolean
}

const failed = (errorCode: number): FetchedPartition => ({
  errorCode,
  highWatermark: unknownOffset,
  lastStableOffset: unknownOffset,
  logStartOffset: unknownOffset,
  batches: noBatches,
  bytes: 0,
  aborted: noneAborted,
})

/** One partition's part of the fetch. */
class Slot {
  readonly target: FetchTarget
  readonly partition: PartitionView | undefined
  fetched: FetchedPartition
  pending: PendingRead | undefined = undefined
  /** Calls off the wait for more records. */
  stopListening: (() => void) | undefined = undefined

  constructor(target: FetchTarget, partition: PartitionView | undefined, fetched: FetchedPartition) {
    this.target = target
    this.partition = partition
    this.fetched = fetched
  }
}

export class FetchWait {
  readonly #ports: HandlerPorts
  readonly #call: Call
  readonly #wants: FetchWants
  readonly #carried: CarriedReads
  readonly #slots: Slot[]
  /** What the answer may still take. */
  #room: number
  #bytes = 0
  #failed = false
  #woken: Slot[] = []
  #turnAsked = false
  #cancelTimer: Cancel | undefined = undefined
  #onDone: ((fetched: readonly FetchedPartition[]) => void) | undefined = undefined

  constructor(ports: HandlerPorts, call: Call, wants: FetchWants, carried: CarriedReads) {
    this.#ports = ports
    this.#call = call
    this.#wants = wants
    this.#carried = carried
    this.#room = Math.min(wants.maxBytes, call.connection.answerRoomBytes())
    this.#slots = wants.targets.map((target) => this.#slotOf(target))
  }

  /** One result per target, in order. */
  run(): readonly FetchedPartition[] | Promise<readonly FetchedPartition[]> {
    for (const slot of this.#slots) this.#read(slot)
    if (this.#enough() || this.#wants.maxWaitMs <= 0 || this.#call.hurried) return this.#take()
    return new Promise((resolve) => {
      this.#onDone = resolve
      this.#cancelTimer = this.#ports.clock.after(this.#wants.maxWaitMs, this.#finish)
      this.#call.onHurry(this.#finish)
      for (const slot of this.#slots) this.#listen(slot)
    })
  }

  #slotOf(target: FetchTarget): Slot {
    const { broker } = this.#ports
    const byId = this.#call.version >= topicIdsFrom
    const topic = byId ? broker.topicById(asTopicId(target.topicId)) : broker.topicByName(target.topicName)
    if (topic === undefined) {
      return new Slot(target, undefined, failed(byId ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
    }
    const partition: PartitionView | undefined = topic.partitions[target.index]
    if (partition === undefined) return new Slot(target, undefined, failed(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
    const fault = epochFault(partition, target.currentLeaderEpoch)
    return new Slot(target, fault === ErrorCode.NONE ? partition : undefined, failed(fault))
  }

  #read(slot: Slot): void {
    const { target, partition } = slot
    if (partition === undefined) {
      this.#failed = true
      return
    }
    const { fetchOffset } = target
    // Until something has bytes, a partition gives one batch however large: else a large batch could never be read.
    const minOneBatch = this.#bytes === 0
    const maxBytes = Math.min(target.partitionMaxBytes, this.#room)
    const inRange = fetchOffset >= partition.logStartOffset && fetchOffset <= partition.highWatermark
    if (inRange && maxBytes === 0 && !minOneBatch) {
      slot.fetched = this.#nothingOf(partition)
      return
    }
    const { committedOnly } = this.#wants
    const carried = this.#carried.take(partition, fetchOffset, committedOnly)
    if (carried !== undefined) {
      this.#await(slot, carried)
      return
    }
    const result = partition.read({ offset: asOffset(fetchOffset), maxBytes, minOneBatch, committedOnly })
    if (result instanceof Promise) this.#await(slot, new PendingRead(result, { offset: fetchOffset, maxBytes, committedOnly }))
    else this.#settle(slot, result)
  }

  #nothingOf(partition: PartitionView): FetchedPartition {
    const { highWatermark, lastStableOffset, logStartOffset } = partition
    const nothing = { batches: noBatches, bytes: 0, aborted: noneAborted }
    return { errorCode: ErrorCode.NONE, highWatermark, lastStableOffset, logStartOffset, ...nothing }
  }

  #await(slot: Slot, read: PendingRead): void {
    if (read.result !== undefined) {
      this.#settle(slot, read.result)
      return
    }
    slot.fetched = this.#nothingOf(slot.partition!)
    slot.pending = read
    this.#room -= Math.min(read.maxBytes, this.#room)
    read.onResult = () => {
      this.#wake(slot)
    }
  }

  #settle(slot: Slot, result: ReadResult): void {
    if (result.kind === 'error') {
      slot.fetched = failed(result.errorCode)
      this.#failed = true
      return
    }
    const { highWatermark, lastStableOffset, logStartOffset, batches, bytes, aborted } = result
    slot.fetched = { errorCode: ErrorCode.NONE, highWatermark, lastStableOffset, logStartOffset, batches, bytes, aborted }
    this.#bytes += bytes
    this.#room = Math.max(0, this.#room - bytes)
  }

  #enough(): boolean {
    return this.#failed || this.#slots.length === 0 || this.#bytes >= this.#wants.minBytes
  }

  /** Waits for records beyond what the partition had when it was read. */
  #listen(slot: Slot): void {
    const { partition, fetched } = slot
    if (partition === undefined || slot.pending !== undefined || this.#onDone === undefined) return
    const beyond = asOffset(Math.max(fetched.highWatermark, 0))
    slot.stopListening = partition.onReadableBeyond(beyond, () => {
      slot.stopListening = undefined
      this.#wake(slot)
    })
  }

  /** All who wake in one turn are read together. */
  #wake(slot: Slot): void {
    if (this.#onDone === undefined) return
    this.#woken.push(slot)
    if (this.#turnAsked) return
    this.#turnAsked = true
    this.#ports.clock.afterTurn(this.#readWoken)
  }

  readonly #readWoken = (): void => {
    this.#turnAsked = false
    const woken = this.#woken
    this.#woken = []
    if (this.#onDone === undefined) return
    for (const slot of woken) this.#readAgain(slot)
    if (this.#enough()) this.#finish()
    else for (const slot of woken) this.#listen(slot)
  }

  #readAgain(slot: Slot): void {
    const { pending } = slot
    if (pending !== undefined) {
      slot.pending = undefined
      this.#room += pending.maxBytes
      this.#settle(slot, pending.result!)
      return
    }
    this.#bytes -= slot.fetched.bytes
    this.#room += slot.fetched.bytes
    this.#read(slot)
  }

  readonly #finish = (): void => {
    const done = this.#onDone
    if (done === undefined) return
    this.#onDone = undefined
    this.#cancelTimer?.()
    this.#call.onHurry(undefined)
    done(this.#take())
  }

  #take(): readonly FetchedPartition[] {
    return this.#slots.map((slot) => {
      slot.stopListening?.()
      if (slot.pending !== undefined) this.#carry(slot, slot.pending)
      return slot.fetched
    })
  }

  #carry(slot: Slot, pending: PendingRead): void {
    if (pending.result === undefined) this.#carried.put(slot.partition!, pending)
    else this.#settle(slot, pending.result)
  }
}
