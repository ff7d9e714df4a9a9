// Owns trying again: the only place of the server that does. Retries what the store says may pass (`retry`, `busy`), with growing
// delays and full jitter, within a number of attempts and a deadline. Does not know what an error means: the backend said so.
//
// putIfAbsent after a retry may answer `exists`, putIfMatch `conflict`, for this call's own earlier attempt: see the port.

import { type Clock, sleep } from '../../src/base/clock.ts'
import { isOpError, OpError } from '../../src/base/op-error.ts'
import type { Prng } from '../../src/base/prng.ts'
import type { ListedObject, ListOptions, ObjectStore } from '../ports.ts'
import { aroundStore, type StoreCall } from './around.ts'

export interface RetryPolicy {
  readonly attemptsMax: number
  /** From the first attempt to the start of the last. A read that still runs then is given up; a write never is: see below. */
  readonly deadlineMs: number
  readonly delayMsMin: number
  readonly delayMsMax: number
  /** A store that throttles asks for less: its delays start here. */
  readonly throttledDelayMsMin: number
}

/** Delays of at most 50, 100, 200 … ms: a broken connection costs little, an outage of 20 s is bridged. */
export const retryPolicyUsual: RetryPolicy = {
  attemptsMax: 10,
  deadlineMs: 30_000,
  delayMsMin: 50,
  delayMsMax: 5_000,
  throttledDelayMsMin: 400,
}

export interface RetryReport {
  readonly call: StoreCall
  /** The attempt that failed, counted from 1. */
  readonly attempt: number
  readonly delayMs: number
  readonly error: OpError
}

export interface RetryOptions {
  readonly clock: Clock
  readonly prng: Prng
  readonly policy?: Partial<RetryPolicy>
  /** Told of each failure that is tried again, before the delay: for the log and the metrics. */
  readonly onRetry?: (report: RetryReport) => void
}

const reads: ReadonlySet<string> = new Set(['head', 'get', 'getRange', 'getTail'])

export class Retrier {
  readonly #options: RetryOptions
  readonly #policy: RetryPolicy

  constructor(options: RetryOptions) {
    this.#options = options
    this.#policy = { ...retryPolicyUsual, ...options.policy }
  }

  async run<Result>(call: StoreCall, work: () => Promise<Result>): Promise<Result> {
    const trial = this.begin(call)
    for (;;) {
      try {
        return await (reads.has(call.operation) ? this.#cutAtDeadline(trial, work) : work())
      } catch (error) {
        await trial.failed(error)
      }
    }
  }

  begin(call: StoreCall): Trial {
    return new Trial(call, this.#options, this.#policy)
  }

  /**
   * Only for reads. A write that was given up could still land after a later write of the same key: it is left to the backend's own
   * time-outs, which close its connection.
   */
  #cutAtDeadline<Result>(trial: Trial, work: () => Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const cancel = this.#options.clock.after(trial.leftMs(), () => {
        reject(trial.overdue())
      })
      void work().then(resolve, reject).finally(cancel)
    })
  }
}

/** The attempts of one call. */
export class Trial {
  readonly #call: StoreCall
  readonly #options: RetryOptions
  readonly #policy: RetryPolicy
  readonly #startedMs: number
  #attempts = 0

  constructor(call: StoreCall, options: RetryOptions, policy: RetryPolicy) {
    this.#call = call
    this.#options = options
    this.#policy = policy
    this.#startedMs = options.clock.monotonicMs()
  }

  /** Returns when it is time for the next attempt; throws when there is to be none. */
  async failed(error: unknown): Promise<void> {
    this.#attempts += 1
    if (!isOpError(error, 'retry', 'busy')) throw error
    const { attemptsMax, delayMsMin, delayMsMax, throttledDelayMsMin } = this.#policy
    const least = error.kind === 'busy' ? throttledDelayMsMin : delayMsMin
    const most = Math.min(delayMsMax, least * 2 ** (this.#attempts - 1))
    // Full jitter spreads many clients best; a throttled one waits half of it at least.
    const delayMs = error.kind === 'busy' ? most / 2 + (this.#options.prng.next() * most) / 2 : this.#options.prng.next() * most
    if (this.#attempts >= attemptsMax || delayMs >= this.leftMs()) throw this.#givenUp(error)
    this.#options.onRetry?.({ call: this.#call, attempt: this.#attempts, delayMs, error })
    await sleep(this.#options.clock, delayMs)
  }

  leftMs(): number {
    return Math.max(0, this.#policy.deadlineMs - this.#elapsedMs())
  }

  overdue(): OpError {
    return new OpError('retry', {
      code: 'STORE_OVERDUE',
      detail: `${this.#call.operation} of ${this.#call.key} had no answer in ${this.#policy.deadlineMs} ms; check the way to the store`,
    })
  }

  #givenUp(error: OpError): OpError {
    if (this.#attempts === 1) return error
    const detail = `${error.detail} (given up after ${this.#attempts} attempts in ${Math.round(this.#elapsedMs())} ms)`
    return new OpError(error.kind, { code: error.code, detail, cause: error })
  }

  #elapsedMs(): number {
    return this.#options.clock.monotonicMs() - this.#startedMs
  }
}

/**
 * The store, tried again where that helps. Not `putMultipart`: its parts can be asked for once only, so the backend retries each part
 * with a Retrier of its own.
 */
export function retryingStore(inner: ObjectStore, options: RetryOptions): ObjectStore {
  const retrier = new Retrier(options)
  return aroundStore(
    inner,
    (call, run) => (call.operation === 'putMultipart' ? run() : retrier.run(call, run)),
    (prefix, listOptions) => listAgain(inner, retrier, prefix, listOptions),
  )
}

/** Goes on after the last key that came; progress gives a fresh budget. */
async function* listAgain(
  inner: ObjectStore,
  retrier: Retrier,
  prefix: string,
  options: ListOptions = {},
): AsyncIterable<ListedObject> {
  const call: StoreCall = { operation: 'list', key: prefix, bytes: 0, keys: 1 }
  let trial: Trial | undefined
  let rest: ListOptions = options
  for (;;) {
    try {
      for await (const object of inner.list(prefix, rest)) {
        rest = { startAfter: object.key, ...(rest.limit === undefined ? {} : { limit: rest.limit - 1 }) }
        trial = undefined
        yield object
      }
      return
    } catch (error) {
      trial ??= retrier.begin(call)
      await trial.failed(error)
    }
  }
}
