// Owns the transactions of a broker: each id's state over its log, one change at a time, the markers that end it, time-outs and expiry.
// Not what may follow what (core/transaction.ts), nor the wire (src/server/handlers/transactions).
//
// Order of side effects: plan → store (committed) → answer → markers in all partitions → store that it is complete. A start after a crash
// finds what was prepared and goes on with its markers: a marker written twice does no harm.

import { assert, assertDefined } from '../base/assert.ts'
import { type Cancel, type Clock, sleep } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { isOpError } from '../base/op-error.ts'
import { fail, type Outcome, succeed } from '../base/outcome.ts'
import { coordinatorPartitionOf } from '../model/coordinator-partition.ts'
import {
  completed,
  hasPartition,
  isEnding,
  isExpired,
  isTimedOut,
  planAdd,
  planEnd,
  planFence,
  planInit,
  producerAfterEnd,
  type Plan,
  type ProducerIdAndEpoch,
  refusalOfProducer,
  type TopicPartition,
  type Transaction,
  type TransactionError,
  type TransactionStatus,
} from './core/transaction.ts'
import type { KeyedRecord, Marker, MarkerSink, ProducerIds, TransactionLog } from './ports.ts'
import { decodeRecord, encodeRecord } from './record-codec.ts'
import {
  busyWaitMs,
  markerRetryMsMax,
  markerRetryMsMin,
  rewriteBatchBytesMax,
  rewriteFactorMin,
  rewriteRecordsMin,
  type TransactionSettings,
} from './settings.ts'

export interface TransactionCoordinatorOptions {
  readonly clock: Clock
  readonly log: Log
  readonly transactionLog: TransactionLog
  readonly markers: MarkerSink
  readonly producerIds: ProducerIds
  readonly settings: TransactionSettings
  /** Background work has ended by an error that is not the world's: our own bug. */
  readonly onDied: (error: unknown) => void
}

export type Answer<Value> = Outcome<Value, TransactionError>

export interface TransactionFacts {
  readonly byStatus: Readonly<Partial<Record<TransactionStatus, number>>>
  readonly committed: number
  readonly aborted: number
  readonly timedOut: number
}

interface Entry {
  transaction: Transaction | undefined
  /** A change of it is on its way to the log. */
  storing: boolean
  /** Told after every change that was on its way. */
  readonly waiting: Array<() => void>
}

/** Of one partition of the log. */
interface LogPartition {
  readonly ids: Map<string, Entry>
  /** Records since the log was written anew. */
  records: number
  storing: number
  rewriting: boolean
}

export class TransactionCoordinator {
  readonly #options: TransactionCoordinatorOptions
  readonly #partitions = new Map<number, LogPartition>()
  readonly #counts = { committed: 0, aborted: 0, timedOut: 0 }
  #state: 'loading' | 'serving' | 'closed' = 'loading'
  #cancel: Cancel | undefined

  constructor(options: TransactionCoordinatorOptions) {
    this.#options = options
  }

  get partitionCount(): number {
    return this.#options.transactionLog.partitionCount
  }

  /** Applies one committed record of the log, in its order, before `start`. */
  replay(partition: number, record: KeyedRecord): Outcome<void, string> {
    const decoded = decodeRecord(record)
    if (!decoded.ok) return decoded
    const { transactionalId, value } = decoded.value
    const log = this.#logPartition(partition)
    log.records += 1
    if (value === undefined) log.ids.delete(transactionalId)
    else log.ids.set(transactionalId, { transaction: value, storing: false, waiting: [] })
    return succeed(undefined)
  }

  /** Serves from now on. Ends that were prepared when the last process died go on. */
  start(): void {
    assert(this.#state === 'loading', 'TXN-4: a coordinator starts once')
    this.#state = 'serving'
    for (const { ids } of this.#partitions.values()) {
      for (const entry of ids.values()) if (entry.transaction !== undefined && isEnding(entry.transaction)) this.#goOn(entry)
    }
    this.#arm()
  }

  /** Who waits is told to come again; nothing new begins. */
  close(): void {
    this.#state = 'closed'
    this.#cancel?.()
    for (const { ids } of this.#partitions.values()) for (const entry of ids.values()) wake(entry)
  }

  async init(ask: {
    readonly transactionalId: string
    readonly timeoutMs: number
    readonly expected: ProducerIdAndEpoch | undefined
  }): Promise<Answer<ProducerIdAndEpoch>> {
    const { timeoutMsMax } = this.#options.settings
    if (!(ask.timeoutMs > 0 && ask.timeoutMs <= timeoutMsMax)) return fail('INVALID_TRANSACTION_TIMEOUT')
    const plan = (current: Transaction | undefined, freshProducerId: number | undefined): Plan =>
      planInit(current, { ...ask, nowMs: this.#options.clock.nowMs(), freshProducerId })
    const outcome = await this.#change(ask.transactionalId, plan, { make: true })
    if (!outcome.ok) return outcome
    const { producerId, producerEpoch } = outcome.value.transaction
    return succeed({ producerId, producerEpoch })
  }

  /** Adds partitions to the producer's transaction, which begins with the first. */
  async add(
    transactionalId: string,
    ask: {
      readonly producer: ProducerIdAndEpoch
      readonly partitions: readonly TopicPartition[]
      readonly clientVersion: number
    },
  ): Promise<Answer<void>> {
    const { clock } = this.#options
    const untilMs = clock.monotonicMs() + busyWaitMs
    for (;;) {
      const outcome = await this.#change(transactionalId, (current) => planAdd(current, ask, clock.nowMs()), { make: false })
      if (outcome.ok) return succeed(undefined)
      const entry = this.#entry(transactionalId)
      const leftMs = untilMs - clock.monotonicMs()
      if (outcome.failure !== 'CONCURRENT_TRANSACTIONS' || entry === undefined || leftMs <= 0) return outcome
      await this.#changed(entry, leftMs)
    }
  }

  /** Is the partition part of the producer's open transaction? */
  verify(transactionalId: string, producer: ProducerIdAndEpoch, at: TopicPartition): TransactionError | 'NONE' {
    const refusal = this.#refusal
    if (refusal !== undefined) return refusal
    const current = this.#entry(transactionalId)?.transaction
    const fault = refusalOfProducer(current, producer)
    if (current === undefined || fault !== undefined) return fault ?? 'INVALID_PRODUCER_ID_MAPPING'
    if (isEnding(current)) return 'CONCURRENT_TRANSACTIONS'
    return current.status === 'Ongoing' && hasPartition(current, at) ? 'NONE' : 'INVALID_TXN_STATE'
  }

  /** Resolves once the end is stored: the markers follow. Answers what the producer goes on with. */
  async end(
    transactionalId: string,
    ask: { readonly producer: ProducerIdAndEpoch; readonly result: 'commit' | 'abort'; readonly clientVersion: number },
  ): Promise<Answer<ProducerIdAndEpoch>> {
    const plan = (current: Transaction | undefined, freshProducerId: number | undefined): Plan =>
      planEnd(current, { ...ask, nowMs: this.#options.clock.nowMs(), freshProducerId })
    const outcome = await this.#change(transactionalId, plan, { make: false })
    if (!outcome.ok) return outcome
    return succeed(producerAfterEnd(outcome.value.transaction))
  }

  /** The error says why it is not told here; undefined: there is no such id. */
  describe(transactionalId: string): Answer<Transaction | undefined> {
    const refusal = this.#refusal
    return refusal === undefined ? succeed(this.#entry(transactionalId)?.transaction) : fail(refusal)
  }

  list(): Answer<readonly Transaction[]> {
    const refusal = this.#refusal
    return refusal === undefined ? succeed([...this.#transactions()]) : fail(refusal)
  }

  get facts(): TransactionFacts {
    const byStatus: Partial<Record<TransactionStatus, number>> = {}
    for (const { status } of this.#transactions()) byStatus[status] = (byStatus[status] ?? 0) + 1
    return { byStatus, ...this.#counts }
  }

  // --- inside

  get #refusal(): TransactionError | undefined {
    if (this.#state === 'serving') return undefined
    return this.#state === 'loading' ? 'COORDINATOR_LOAD_IN_PROGRESS' : 'NOT_COORDINATOR'
  }

  *#transactions(): Iterable<Transaction> {
    for (const { ids } of this.#partitions.values()) {
      for (const { transaction } of ids.values()) if (transaction !== undefined) yield transaction
    }
  }

  #logPartition(partition: number): LogPartition {
    const present = this.#partitions.get(partition)
    if (present !== undefined) return present
    const made: LogPartition = { ids: new Map(), records: 0, storing: 0, rewriting: false }
    this.#partitions.set(partition, made)
    return made
  }

  #partitionOf(transactionalId: string): number {
    return coordinatorPartitionOf(transactionalId, this.partitionCount)
  }

  #entry(transactionalId: string): Entry | undefined {
    return this.#partitions.get(this.#partitionOf(transactionalId))?.ids.get(transactionalId)
  }

  /** Plans, and stores what was planned. One change of an id at a time; another one is refused as concurrent. */
  async #change(
    transactionalId: string,
    plan: (current: Transaction | undefined, freshProducerId: number | undefined) => Plan,
    { make }: { readonly make: boolean },
  ): Promise<Answer<{ readonly transaction: Transaction }>> {
    let freshProducerId: number | undefined
    for (;;) {
      const refusal = this.#refusal
      if (refusal !== undefined) return fail(refusal)
      const entry = this.#entry(transactionalId)
      if (entry?.storing === true) return fail('CONCURRENT_TRANSACTIONS')
      const planned = plan(entry?.transaction, freshProducerId)
      switch (planned.kind) {
        case 'refuse':
          return fail(planned.error)
        case 'unchanged':
          return succeed({ transaction: assertDefined(entry?.transaction, 'what stays unchanged is there') })
        case 'needs-id': {
          const allocated = await this.#allocate()
          if (!allocated.ok) return allocated
          freshProducerId = allocated.value
          break
        }
        case 'abort-first':
          await this.#fence(assertDefined(entry, 'a transaction to abort is there'))
          return fail('CONCURRENT_TRANSACTIONS')
        case 'store': {
          assert(make || entry !== undefined, 'TXN-5: only InitProducerId makes an id')
          const error = await this.#store(entry ?? this.#made(transactionalId), planned.next)
          return error === undefined ? succeed({ transaction: planned.next }) : fail(error)
        }
      }
    }
  }

  #made(transactionalId: string): Entry {
    const entry: Entry = { transaction: undefined, storing: false, waiting: [] }
    this.#logPartition(this.#partitionOf(transactionalId)).ids.set(transactionalId, entry)
    return entry
  }

  async #allocate(): Promise<Answer<number>> {
    try {
      return succeed(await this.#options.producerIds.allocate())
    } catch (error) {
      if (!isOpError(error)) throw error
      this.#options.log.warn('no producer id could be given out', { code: error.code, detail: error.detail })
      return fail('COORDINATOR_NOT_AVAILABLE')
    }
  }

  /** The transaction is `next` once that is in the log; what was prepared goes on by itself then. */
  async #store(entry: Entry, next: Transaction): Promise<TransactionError | undefined> {
    const { transactionalId } = next
    const partition = this.#partitionOf(transactionalId)
    const log = this.#logPartition(partition)
    entry.storing = true
    log.storing += 1
    try {
      await this.#options.transactionLog.append(partition, [encodeRecord({ transactionalId, value: next })])
      entry.transaction = next
      log.records += 1
    } catch (error) {
      if (!isOpError(error)) throw error
      if (entry.transaction === undefined) log.ids.delete(transactionalId)
      this.#options.log.warn('a change of a transaction could not be stored', { transactionalId, code: error.code })
      return isOpError(error, 'closed') ? 'NOT_COORDINATOR' : 'COORDINATOR_NOT_AVAILABLE'
    } finally {
      entry.storing = false
      log.storing -= 1
      wake(entry)
    }
    if (isEnding(next)) this.#goOn(entry)
    this.#maybeRewrite(partition, log)
    return undefined
  }

  async #fence(entry: Entry): Promise<boolean> {
    const current = assertDefined(entry.transaction, 'a transaction to abort is there')
    return (await this.#store(entry, planFence(current, this.#options.clock.nowMs()))) === undefined
  }

  #goOn(entry: Entry): void {
    this.#complete(entry).catch(this.#options.onDied)
  }

  /** Writes the markers of a prepared end, then that it is complete. Goes on until it is, or the coordinator closes. */
  async #complete(entry: Entry): Promise<void> {
    const prepared = assertDefined(entry.transaction, 'a transaction to end is there')
    const { producerId, producerEpoch, transactionalId, status } = prepared
    const coordinatorEpoch = this.#options.transactionLog.epochOf(this.#partitionOf(transactionalId))
    const result = status === 'PrepareCommit' ? 'commit' : 'abort'
    const marker: Marker = { result, producerId, producerEpoch, coordinatorEpoch }
    const writes: Array<Promise<void>> = []
    for (const [topic, ids] of prepared.partitions) {
      for (const partition of ids) writes.push(this.#writeMarker({ topic, partition }, marker))
    }
    await Promise.all(writes)
    const stored = await this.#untilDone(
      async () => (await this.#store(entry, completed(prepared, this.#options.clock.nowMs()))) === undefined,
    )
    if (!stored) return
    if (result === 'commit') this.#counts.committed += 1
    else this.#counts.aborted += 1
  }

  async #writeMarker(at: TopicPartition, marker: Marker): Promise<void> {
    await this.#untilDone(async () => {
      try {
        const outcome = await this.#options.markers.write(at, marker)
        if (outcome === 'fenced')
          this.#options.log.warn('a partition has seen a newer producer or coordinator; its transaction is ended by that one', {
            ...at,
            ...marker,
          })
        return true
      } catch (error) {
        if (!isOpError(error)) throw error
        this.#options.log.debug('a marker could not be written; it is tried again', { ...at, code: error.code })
        return false
      }
    })
  }

  /** Tries until it is done; false when the coordinator was closed before. */
  async #untilDone(attempt: () => Promise<boolean>): Promise<boolean> {
    for (let pauseMs = markerRetryMsMin; this.#state !== 'closed'; pauseMs = Math.min(pauseMs * 2, markerRetryMsMax)) {
      if (await attempt()) return true
      await sleep(this.#options.clock, pauseMs)
    }
    return false
  }

  /** Resolves after the next change of the entry, or after the time. */
  #changed(entry: Entry, withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const onChange = (): void => {
        cancel()
        resolve()
      }
      const cancel = this.#options.clock.after(withinMs, () => {
        entry.waiting.splice(entry.waiting.indexOf(onChange), 1)
        resolve()
      })
      entry.waiting.push(onChange)
    })
  }

  #arm(): void {
    this.#cancel = this.#options.clock.after(this.#options.settings.abortCheckMs, () => {
      this.#sweep().then(() => {
        if (this.#state === 'serving') this.#arm()
      }, this.#options.onDied)
    })
  }

  /** Aborts what took too long, and forgets ids that nobody used for long. */
  async #sweep(): Promise<void> {
    const { clock, log, settings } = this.#options
    for (const [partition, { ids }] of this.#partitions) {
      for (const entry of [...ids.values()]) {
        const { transaction } = entry
        if (transaction === undefined || entry.storing || this.#state !== 'serving') continue
        const { transactionalId, producerId, timeoutMs } = transaction
        if (isTimedOut(transaction, clock.nowMs())) {
          log.info('a transaction is aborted: it took longer than its time-out', { transactionalId, producerId, timeoutMs })
          if (await this.#fence(entry)) this.#counts.timedOut += 1
        } else if (isExpired(transaction, clock.nowMs(), settings.idExpiryMs))
          await this.#forget(partition, entry, transactionalId)
      }
    }
  }

  async #forget(partition: number, entry: Entry, transactionalId: string): Promise<void> {
    const log = this.#logPartition(partition)
    entry.storing = true
    log.storing += 1
    try {
      await this.#options.transactionLog.append(partition, [encodeRecord({ transactionalId, value: undefined })])
      log.ids.delete(transactionalId)
    } catch (error) {
      if (!isOpError(error)) throw error
      this.#options.log.warn('an unused transactional id could not be forgotten; it is tried again', {
        transactionalId,
        code: error.code,
      })
    } finally {
      entry.storing = false
      log.storing -= 1
      wake(entry)
    }
  }

  /**
   * The log is its own snapshot: when most of it is history, what counts is written once more behind it, and what stands before is given
   * up. Only while nothing is on its way, so that no older state comes to stand behind a newer one.
   */
  #maybeRewrite(partition: number, log: LogPartition): void {
    const isDue = log.records >= log.ids.size + rewriteRecordsMin && log.records >= log.ids.size * rewriteFactorMin
    if (!isDue || log.storing > 0 || log.rewriting) return
    log.rewriting = true
    this.#rewrite(partition, log)
      .catch((error: unknown) => {
        if (!isOpError(error)) this.#options.onDied(error)
        else
          this.#options.log.warn('the log of transactions could not be shortened; it is tried again', {
            partition,
            code: error.code,
          })
      })
      .finally(() => {
        log.rewriting = false
      })
  }

  async #rewrite(partition: number, log: LogPartition): Promise<void> {
    const batches: KeyedRecord[][] = [[]]
    let bytes = 0
    for (const [transactionalId, { transaction }] of log.ids) {
      if (transaction === undefined) continue
      const record = encodeRecord({ transactionalId, value: transaction })
      bytes += record.key.length + (record.value?.length ?? 0)
      if (bytes > rewriteBatchBytesMax) {
        batches.push([])
        bytes = 0
      }
      batches.at(-1)?.push(record)
    }
    const whole = batches.filter((batch) => batch.length > 0)
    log.records = 0
    // All are proposed in this turn, before any later change.
    const offsets = await Promise.all(whole.map((batch) => this.#options.transactionLog.append(partition, batch)))
    const [first] = offsets
    if (first !== undefined) await this.#options.transactionLog.trim(partition, first)
    log.records += whole.reduce((sum, batch) => sum + batch.length, 0)
  }
}

function wake(entry: Entry): void {
  for (const resolve of entry.waiting.splice(0)) resolve()
}
