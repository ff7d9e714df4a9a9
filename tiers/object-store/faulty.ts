// Owns a store that fails on demand: for tests, drills and chaos. Chance comes from a Prng, time from a Clock, so a run can be
// repeated. Does not invent errors: they are those that the real backends make.

import { assertDefined } from '../../src/base/assert.ts'
import { type Clock, sleep } from '../../src/base/clock.ts'
import { OpError } from '../../src/base/op-error.ts'
import type { Prng } from '../../src/base/prng.ts'
import type { ListedObject, ListOptions, ObjectStore } from '../ports.ts'
import { aroundStore, type StoreCall, type StoreOperation } from './around.ts'

/**
 * latency     waits `ms` and up to `jitterMs` more, then goes on
 * throttled   503 SlowDown: nothing happens
 * denied      403: nothing happens
 * unreachable no connection: nothing happens
 * full        no space left: nothing happens
 * lost        it happens, but the answer is lost: the caller sees `unreachable`
 * hang        waits for `release()`, then goes on
 * error       throws what is given: nothing happens
 */
export type Fault =
  | { readonly kind: 'latency'; readonly ms: number; readonly jitterMs?: number }
  | { readonly kind: 'throttled' | 'denied' | 'unreachable' | 'full' | 'lost' | 'hang' }
  | { readonly kind: 'error'; readonly error: Error }

export interface FaultRule {
  readonly fault: Fault
  /** All when absent. */
  readonly operations?: readonly StoreOperation[]
  /** Tested against the key, the prefix of a listing, the first key of many. All when absent. */
  readonly keys?: RegExp
  /** Of 1. Always when absent. */
  readonly probability?: number
  /** The rule ends after it struck so often. 1 is a one-shot failure. */
  readonly times?: number
}

export interface InjectedFault {
  /** How often it struck. */
  readonly struck: number
  /** How many calls hang in it now. */
  readonly hanging: number
  /** Lets the calls go on that hang in it. */
  release(): void
  /** Ends the rule and releases. */
  remove(): void
}

export interface FaultyStore extends ObjectStore {
  /** Rules apply in the order of injection; latency and hanging go on to the next, others end the call. */
  inject(rule: FaultRule): InjectedFault
  /** Ends all rules and releases all that hangs. */
  clear(): void
}

export interface FaultyOptions {
  readonly clock: Clock
  /** Needed for rules with a probability or a jitter. */
  readonly prng?: Prng
}

class ActiveFault implements InjectedFault {
  readonly rule: FaultRule
  readonly #end: (fault: ActiveFault) => void
  readonly #held = new Set<() => void>()
  struck = 0

  constructor(rule: FaultRule, end: (fault: ActiveFault) => void) {
    this.rule = rule
    this.#end = end
  }

  get hanging(): number {
    return this.#held.size
  }

  matches({ operation, key }: StoreCall, prng: Prng | undefined): boolean {
    const { operations, keys, probability, times } = this.rule
    if (times !== undefined && this.struck >= times) return false
    if (operations !== undefined && !operations.includes(operation)) return false
    if (keys !== undefined && key.search(keys) < 0) return false
    return probability === undefined || assertDefined(prng, 'a fault by chance needs a Prng').next() < probability
  }

  hold(): Promise<void> {
    return new Promise((resolve) => this.#held.add(resolve))
  }

  release(): void {
    for (const go of this.#held) go()
    this.#held.clear()
  }

  remove(): void {
    this.#end(this)
    this.release()
  }
}

export function faultyStore(inner: ObjectStore, options: FaultyOptions): FaultyStore {
  const active = new Set<ActiveFault>()
  const { location } = inner
  const around = async <Result>(call: StoreCall, run: () => Promise<Result>): Promise<Result> => {
    for (const injected of [...active]) {
      if (!injected.matches(call, options.prng)) continue
      injected.struck += 1
      const { fault } = injected.rule
      if (fault.kind === 'hang') await injected.hold()
      else if (fault.kind === 'latency')
        await sleep(options.clock, fault.ms + (options.prng?.next() ?? 0) * (fault.jitterMs ?? 0))
      else if (fault.kind === 'error') throw fault.error
      else if (fault.kind !== 'lost') throw errorOf(fault.kind, location)
      else {
        await run()
        throw errorOf('unreachable', location)
      }
    }
    return run()
  }
  const list: ObjectStore['list'] = (prefix, listOptions) => listAround(inner, around, prefix, listOptions)
  return {
    ...aroundStore(inner, around, list),
    inject: (rule) => {
      const fault = new ActiveFault(rule, (ended) => active.delete(ended))
      active.add(fault)
      return fault
    },
    clear: () => {
      for (const fault of [...active]) fault.remove()
    },
  }
}

/** Faults strike at the start of a listing; `lost` is then the same as `unreachable`. */
async function* listAround(
  inner: ObjectStore,
  around: (call: StoreCall, run: () => Promise<void>) => Promise<void>,
  prefix: string,
  options?: ListOptions,
): AsyncIterable<ListedObject> {
  await around({ operation: 'list', key: prefix, bytes: 0, keys: 1 }, () => Promise.resolve())
  yield* inner.list(prefix, options)
}

function errorOf(kind: 'throttled' | 'denied' | 'unreachable' | 'full', location: string): OpError {
  switch (kind) {
    case 'throttled':
      return new OpError('busy', { code: 'STORE_THROTTLED', detail: `${location} asks for fewer requests (injected)` })
    case 'denied':
      return new OpError('denied', { code: 'STORE_DENIED', detail: `${location} refuses the credentials (injected)` })
    case 'unreachable':
      return new OpError('retry', { code: 'STORE_UNREACHABLE', detail: `${location} gives no answer (injected)` })
    case 'full':
      return new OpError('busy', { code: 'STORE_FULL', detail: `no space is left in ${location} (injected)` })
  }
}
