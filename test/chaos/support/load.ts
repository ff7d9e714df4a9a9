// Owns a load that never gives up: idempotent producers, each a lane on one partition, and a group that commits offsets, through any
// number of deaths of the broker. Writes down what was acknowledged (ledger.ts). Judges nothing but the answers themselves.

import { setTimeout as pause } from 'node:timers/promises'
import { ErrorCode } from '../../../src/protocol/index.ts'
import {
  offsetCommitRequest,
  offsetCommitRequestPartition,
  offsetCommitRequestTopic,
} from '../../../src/protocol/generated/offset-commit.ts'
import {
  offsetFetchRequest,
  offsetFetchRequestGroup,
  offsetFetchRequestTopics,
} from '../../../src/protocol/generated/offset-fetch.ts'
import type { Prng } from '../../../src/base/prng.ts'
import { type LaneRecord, valueOf } from './ledger.ts'
import { batchOf, nameOf, newProducerId, produce, send } from './requests.ts'
import { ConnectionLost, Wire } from './wire.ts'

export interface LaneOrder {
  readonly lane: string
  readonly topic: string
  readonly partition: number
}

export interface LoadOrder {
  readonly port: number
  readonly lanes: readonly LaneOrder[]
  readonly prng: Prng
  /** The log may have lost what it had acknowledged: a producer whose sequence does not fit begins anew. */
  readonly mayLose?: boolean
  /** What a producer waits for the broker before it asks again. */
  readonly produceTimeoutMs?: number
  readonly onAcknowledged?: () => void
}

interface Batch {
  readonly first: number
  readonly count: number
  readonly sequence: number
  readonly timestampMs: number
}

/** Batches of one lane under way at one time, as a client with max.in.flight > 1 does. */
const windowMax = 3
const batchRecordsMax = 5
const againMs = 15
/** Answers after which the same batch is sent again: nothing was written, or nobody knows. */
const passing: ReadonlySet<number> = new Set<number>([
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.REQUEST_TIMED_OUT,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.NOT_ENOUGH_REPLICAS,
])

const isAcknowledged = (errorCode: number): boolean =>
  errorCode === ErrorCode.NONE || errorCode === ErrorCode.DUPLICATE_SEQUENCE_NUMBER

export class Lane implements LaneRecord {
  readonly lane: string
  readonly topic: string
  readonly partition: number
  readonly acknowledged: LaneRecord['acknowledged'] = new Map()
  /** Answers other than success, by name. */
  readonly refusals = new Map<string, number>()
  sent = 0
  /** Batches whose answer never came: sent again with the same sequence. */
  resent = 0
  /** How often it began with a new producer id because its sequence did not fit. */
  restarts = 0
  /** Acknowledgements that came from a process the load had turned away from. */
  readonly late: number[] = []
  #load: Load
  #sequence = 0
  #identity: { readonly producerId: number; readonly producerEpoch: number } | undefined
  #window: Batch[] = []
  #wire: Wire | undefined
  #moves = 0
  #turn: (() => void) | undefined

  constructor(load: Load, order: LaneOrder) {
    this.#load = load
    this.lane = order.lane
    this.topic = order.topic
    this.partition = order.partition
  }

  get producer(): { readonly producerId: number; readonly producerEpoch: number } | undefined {
    return this.#identity
  }

  async run(): Promise<void> {
    while (!this.#load.isStopping || this.#window.length > 0) {
      if (this.#load.isAbandoned) break
      try {
        const wire = await this.#connected()
        this.#identity ??= await this.#orMoved(newProducerId(wire))
        this.#fill()
        await this.#exchange(wire, this.#identity)
      } catch (error) {
        if (!(error instanceof ConnectionLost) && !/InitProducerId/.test(String(error))) throw error
        await pause(againMs)
      }
    }
    this.#wire?.close()
  }

  /** Leaves the old connection as it is, open and with what is under way, and goes on elsewhere. */
  move(): void {
    this.#moves += 1
    this.#wire = undefined
    this.#turn?.()
  }

  async #connected(): Promise<Wire> {
    if (this.#wire === undefined || this.#wire.isClosed) this.#wire = await this.#orMoved(Wire.connect(this.#load.port))
    return this.#wire
  }

  #orMoved<Value>(work: Promise<Value>): Promise<Value> {
    work.catch(() => undefined)
    return Promise.race([
      work,
      new Promise<never>((_, reject) => {
        this.#turn = () => {
          reject(new ConnectionLost('turned to another process'))
        }
      }),
    ])
  }

  #fill(): void {
    const { prng } = this.#load
    while (this.#window.length < windowMax && !this.#load.isStopping) {
      const count = 1 + prng.below(batchRecordsMax)
      this.#window.push({ first: this.sent, count, sequence: this.#sequence, timestampMs: Date.now() })
      this.sent += count
      this.#sequence += count
    }
  }

  async #exchange(wire: Wire, identity: NonNullable<Lane['producer']>): Promise<void> {
    const moves = this.#moves
    const window = [...this.#window]
    const answers = window.map(async (batch) => {
      const values = Array.from({ length: batch.count }, (_, at) => valueOf(this.lane, batch.first + at))
      const records = batchOf({ values, timestampMs: batch.timestampMs, ...identity, baseSequence: batch.sequence })
      const verdict = await send(wire, produce(this.topic, this.partition, records, this.#load.produceTimeoutMs))
      if (moves === this.#moves) return verdict
      if (isAcknowledged(verdict.errorCode)) this.late.push(performance.now())
      throw new ConnectionLost('turned to another process')
    })
    // All are awaited, so that the next window begins with what this one left.
    const settled = await this.#orMoved(Promise.allSettled(answers))
    let mayFollow = true
    for (const [at, outcome] of settled.entries()) {
      if (outcome.status === 'rejected') {
        if (!(outcome.reason instanceof ConnectionLost)) throw outcome.reason as Error
        mayFollow = false
        this.resent += 1
        continue
      }
      const { errorCode, baseOffset } = outcome.value
      if (isAcknowledged(errorCode)) {
        if (!mayFollow) this.#load.breach(`${this.lane}: a batch was acknowledged behind one that was refused`)
        this.#acknowledge(window[at]!, baseOffset)
        continue
      }
      this.refusals.set(nameOf(errorCode), (this.refusals.get(nameOf(errorCode)) ?? 0) + 1)
      if (mayFollow && !passing.has(errorCode)) {
        this.#refused(errorCode)
        return
      }
      mayFollow = false
    }
    if (!mayFollow) await pause(againMs)
  }

  #acknowledge(batch: Batch, baseOffset: number): void {
    this.#window.shift()
    const atMs = performance.now()
    for (let at = 0; at < batch.count; at += 1) this.acknowledged.set(batch.first + at, { offset: baseOffset + at, atMs })
    this.#load.acknowledged += batch.count
    this.#load.onAcknowledged()
  }

  /** The first of a window was refused for good. */
  #refused(errorCode: number): void {
    if (errorCode !== ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER || !this.#load.mayLose) {
      this.#load.breach(`${this.lane}: a batch was refused with ${nameOf(errorCode)}`)
      this.#load.abandon()
      return
    }
    this.restarts += 1
    this.#identity = undefined
    this.#sequence = 0
    this.#window = this.#window.map((batch) => {
      const again = { ...batch, sequence: this.#sequence }
      this.#sequence += batch.count
      return again
    })
  }
}

export class Load {
  readonly lanes: readonly Lane[]
  readonly prng: Prng
  readonly mayLose: boolean
  readonly breaches: string[] = []
  readonly produceTimeoutMs: number
  port: number
  acknowledged = 0
  isStopping = false
  isAbandoned = false
  readonly #told: () => void
  readonly #running: Promise<unknown>
  #listeners: Array<{ readonly count: number; readonly resolve: () => void }> = []

  constructor(order: LoadOrder) {
    this.port = order.port
    this.prng = order.prng
    this.mayLose = order.mayLose ?? false
    this.produceTimeoutMs = order.produceTimeoutMs ?? 30_000
    this.#told = order.onAcknowledged ?? ((): void => undefined)
    this.lanes = order.lanes.map((lane) => new Lane(this, lane))
    this.#running = Promise.all(this.lanes.map((lane) => lane.run()))
    this.#running.catch((error: unknown) => {
      this.breach(String(error))
    })
  }

  breach(what: string): void {
    this.breaches.push(what)
    this.#wake()
  }

  onAcknowledged(): void {
    this.#told()
    this.#wake()
  }

  /** Resolves after so many more acknowledged records, or at the first breach. */
  more(count: number): Promise<void> {
    const due = this.acknowledged + count
    return new Promise((resolve) => {
      this.#listeners.push({ count: due, resolve })
      this.#wake()
    })
  }

  /** To another process; connections to the old one stay open. */
  move(port: number): void {
    this.port = port
    for (const lane of this.lanes) lane.move()
  }

  /** No new batches; resolves when all that was sent is acknowledged. */
  async stop(): Promise<void> {
    this.isStopping = true
    await this.#running
  }

  /** Gives up at once. */
  abandon(): void {
    this.isAbandoned = true
  }

  #wake(): void {
    const due = this.#listeners.filter(({ count }) => this.acknowledged >= count || this.breaches.length > 0)
    if (due.length === 0) return
    this.#listeners = this.#listeners.filter((one) => !due.includes(one))
    for (const { resolve } of due) resolve()
  }
}

/** A group without members that commits ever higher offsets of one partition, as an assigning consumer does. */
export class Committer {
  readonly group: string
  readonly #topic: string
  readonly #port: () => number
  /** The highest that was acknowledged, and the highest that was sent. */
  acknowledged = -1
  sent = -1
  readonly breaches: string[] = []
  #stopping = false
  readonly #running: Promise<void>

  constructor(group: string, topic: string, port: () => number) {
    this.group = group
    this.#topic = topic
    this.#port = port
    this.#running = this.#run()
    this.#running.catch((error: unknown) => this.breaches.push(String(error)))
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await this.#running
  }

  async #run(): Promise<void> {
    let wire: Wire | undefined
    while (!this.#stopping) {
      try {
        if (wire === undefined || wire.isClosed) {
          wire = await Wire.connect(this.#port())
          await this.#check(wire)
        }
        await this.#commit(wire, this.sent + 1)
        await pause(3)
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error
        await pause(againMs)
      }
    }
    wire?.close()
  }

  async #commit(wire: Wire, offset: number): Promise<void> {
    this.sent = offset
    const partition = { partitionIndex: 0, committedOffset: BigInt(offset), committedLeaderEpoch: -1, committedMetadata: '' }
    const request = offsetCommitRequest({
      groupId: this.group,
      generationIdOrMemberEpoch: -1,
      memberId: '',
      groupInstanceId: null,
      topics: [offsetCommitRequestTopic({ name: this.#topic, partitions: [offsetCommitRequestPartition(partition)] })],
    })
    const { topics } = await wire.ask('OffsetCommit', 8, request)
    const errorCode = topics[0]?.partitions[0]?.errorCode
    if (errorCode === ErrorCode.NONE) this.acknowledged = offset
    // Not acknowledged: it may have been stored all the same, as any unanswered request.
    else await pause(againMs)
  }

  async #check(wire: Wire): Promise<void> {
    const found = await committedOffset(wire, this.group, this.#topic)
    if (found === undefined) return
    if (found < this.acknowledged) this.breaches.push(`${this.group}: ${this.acknowledged} was acknowledged, ${found} is found`)
    if (found > this.sent) this.breaches.push(`${this.group}: ${found} is found, no more than ${this.sent} was sent`)
  }
}

/** -1 when nothing is committed; undefined while the coordinator does not answer that. */
export async function committedOffset(wire: Wire, groupId: string, topic: string): Promise<number | undefined> {
  const topics = [offsetFetchRequestTopics({ name: topic, partitionIndexes: [0] })]
  const request = offsetFetchRequest({ groups: [offsetFetchRequestGroup({ groupId, topics })] })
  const { groups } = await wire.ask('OffsetFetch', 8, request)
  const [group] = groups
  const partition = group?.topics[0]?.partitions[0]
  if (group?.errorCode !== ErrorCode.NONE || partition?.errorCode !== ErrorCode.NONE) return undefined
  return Number(partition.committedOffset)
}
