// Owns one served partition: its machine, the requests that wait for it, and the appends on their way. Not which partition a group
// lives in, nor the wire (runtime.ts), nor the rules (core/).
//
// Order of side effects: plan, append, then answer. One append is on its way at a time; what gathers meanwhile goes out as the next
// batch, so that the log's order is the plans' order and a slow log makes larger batches instead of more of them.

import { assert } from '../base/assert.ts'
import type { Log } from '../base/log.ts'
import { isOpError, type OpError } from '../base/op-error.ts'
import type { TopicView } from './core/consumer/topics.ts'
import { GroupMachine } from './core/machine.ts'
import type { Append, GroupError, Instant, ReplyBody, Ticket } from './core/messages.ts'
import { appendsQueuedMax, type GroupSettings, recordsPerAppendMax } from './core/settings.ts'
import type { OffsetsLog } from './ports.ts'
import { encodeRecord } from './record-codec.ts'

export type PartitionState = 'loading' | 'active' | 'stopped'

interface Waiting {
  readonly answer: (body: ReplyBody) => void
  readonly refuse: (error: GroupError) => void
}

/** What a run shares with its coordinator. */
export interface PartitionSurroundings {
  readonly log: OffsetsLog
  readonly topics: TopicView
  readonly report: Log
  readonly now: () => Instant
  /** Something may fall due earlier than was known. */
  readonly rearm: (nextDeadlineMs: number) => void
}

export class PartitionRun {
  readonly partition: number
  readonly machine: GroupMachine
  readonly #surroundings: PartitionSurroundings
  readonly #waiting = new Map<Ticket, Waiting>()
  #state: PartitionState = 'loading'
  #nextTicket = 1
  #queue: Append[] = []
  #flight: Promise<void> | undefined

  constructor(partition: number, settings: GroupSettings, surroundings: PartitionSurroundings) {
    this.partition = partition
    this.machine = new GroupMachine(settings, surroundings.topics)
    this.#surroundings = surroundings
  }

  get state(): PartitionState {
    return this.#state
  }

  get waitingCount(): number {
    return this.#waiting.size
  }

  /** The reason not to serve, if any. */
  get refusal(): GroupError | undefined {
    if (this.#state === 'active') return undefined
    return this.#state === 'loading' ? 'COORDINATOR_LOAD_IN_PROGRESS' : 'NOT_COORDINATOR'
  }

  start(): void {
    assert(this.#state === 'loading', 'GROUP-8: a partition is activated once')
    this.#state = 'active'
    this.machine.activate(this.#surroundings.now())
    this.step()
  }

  /** Tells all who wait to go elsewhere; resolves when nothing is on its way any more. The state stays as it then is. */
  async stop(error: GroupError): Promise<void> {
    this.#state = 'stopped'
    this.#queue = []
    for (const waiting of [...this.#waiting.values()]) waiting.refuse(error)
    this.#waiting.clear()
    await this.#flight
  }

  /** Lets `plan` work on a ticket and resolves with its answer; `refuse` makes the answer when there is none to get. */
  ask<Body extends ReplyBody>(refuse: (error: GroupError) => Body, plan: (ticket: Ticket, now: Instant) => void): Promise<Body> {
    const refusal = this.refusal ?? (this.#queue.length >= appendsQueuedMax ? 'COORDINATOR_NOT_AVAILABLE' : undefined)
    if (refusal !== undefined) return Promise.resolve(refuse(refusal))
    const { ticket, answered } = this.#ticket(refuse)
    plan(ticket, this.#surroundings.now())
    this.step()
    return answered
  }

  /** Lets `plan` change stored state, served or not yet; resolves with the first failure of its appends, NONE if all are committed. */
  async change<Value>(plan: (tickets: () => Ticket, now: Instant) => Value): Promise<{ value: Value; error: GroupError }> {
    const answers: Promise<{ error: GroupError }>[] = []
    const tickets = (): Ticket => {
      const refuse = (error: GroupError): ReplyBody => ({ kind: 'commit', errors: [error] })
      const { ticket, answered } = this.#ticket(refuse)
      answers.push(answered.then((body) => ({ error: body.kind === 'commit' ? (body.errors[0] ?? 'NONE') : 'NONE' })))
      return ticket
    }
    const value = plan(tickets, this.#surroundings.now())
    this.step()
    const outcomes = await Promise.all(answers)
    return { value, error: outcomes.find((one) => one.error !== 'NONE')?.error ?? 'NONE' }
  }

  /** Does what the machine wants done: answers first, then appends. */
  step(): void {
    const ready = this.machine.takeReady()
    for (const { ticket, body } of ready.replies) {
      const waiting = this.#waiting.get(ticket)
      assert(waiting !== undefined || this.#state === 'stopped', 'GROUP-11: a ticket is answered once')
      this.#waiting.delete(ticket)
      waiting?.answer(body)
    }
    if (this.#state === 'stopped') return
    this.#queue.push(...ready.appends)
    this.#surroundings.rearm(this.machine.nextDeadlineMs)
    if (this.#queue.length > 0 && this.#flight === undefined) this.#flight = this.#drain()
  }

  #ticket<Body extends ReplyBody>(refuse: (error: GroupError) => Body): { ticket: Ticket; answered: Promise<Body> } {
    const ticket = this.#nextTicket
    this.#nextTicket += 1
    const answered = new Promise<Body>((resolve) => {
      this.#waiting.set(ticket, {
        answer: (body) => {
          resolve(body as Body)
        },
        refuse: (error) => {
          resolve(refuse(error))
        },
      })
    })
    return { ticket, answered }
  }

  /** A call, because the state changes while an append is awaited. */
  #hasStopped(): boolean {
    return this.#state === 'stopped'
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0 && !this.#hasStopped()) {
      const batch = this.#takeBatch()
      // Taken in also when the run was stopped meanwhile: the last snapshot must hold what the log holds.
      const failure = await this.#appendBatch(batch)
      const error = failure === undefined ? 'NONE' : errorOfAppend(failure)
      for (const append of batch) {
        const now = this.#surroundings.now()
        if (error === 'NONE') this.machine.onAppended(append, now)
        else this.machine.onAppendFailed(append, error, now)
      }
      this.step()
    }
    this.#flight = undefined
  }

  /** As much as fits one batch; at least one append, and none of another producer. */
  #takeBatch(): readonly Append[] {
    const producer = this.#queue[0]?.producer
    let records = 0
    let count = 0
    for (const append of this.#queue) {
      const sameProducer =
        append.producer?.producerId === producer?.producerId && append.producer?.producerEpoch === producer?.producerEpoch
      records += append.records.length
      if (count > 0 && (!sameProducer || records > recordsPerAppendMax)) break
      count += 1
    }
    return this.#queue.splice(0, count)
  }

  async #appendBatch(batch: readonly Append[]): Promise<OpError | undefined> {
    const records = batch.flatMap((append) => append.records.map(encodeRecord))
    try {
      await this.#surroundings.log.append(this.partition, records, batch[0]?.producer)
      return undefined
    } catch (error) {
      if (!isOpError(error)) throw error
      this.#surroundings.report.warn('An append to __consumer_offsets failed', {
        partition: this.partition,
        records: records.length,
        error,
      })
      return error
    }
  }
}

/** What a client is told when its change could not be stored. */
export function errorOfAppend(error: OpError): GroupError {
  switch (error.kind) {
    case 'fenced':
    case 'closed':
      return 'NOT_COORDINATOR'
    case 'retry':
    case 'busy':
    case 'missing':
      return 'COORDINATOR_NOT_AVAILABLE'
    case 'invalid':
      return 'INVALID_COMMIT_OFFSET_SIZE'
    case 'denied':
      return 'INVALID_PRODUCER_ID_MAPPING'
    case 'corrupt':
    case 'internal':
      return 'UNKNOWN_SERVER_ERROR'
  }
}
