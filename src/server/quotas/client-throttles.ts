// Owns holding clients to their quotas: what each request costs and how long its client is to be silent for it (KIP-13, KIP-124, KIP-219,
// KIP-599). Does not own which quota holds for whom (broker), nor keeping the client silent (listener/connection.ts).

import type { Clock } from '../../base/clock.ts'
import type { ClientQuotas } from '../../broker/core/index.ts'
import type { QuotaLimits } from '../limits.ts'
import { type MeteredClient, QuotaMeters } from './quota-meters.ts'
import { TokenBucket } from './token-bucket.ts'
import { WindowedRate } from './windowed-rate.ts'

/** A request as quotas see it. */
export interface Throttled extends MeteredClient {
  readonly version: number
  /** The longest of all that is said counts. */
  throttle(ms: number): void
}

/** What one request may change of the cluster, counted in partitions. */
export interface MutationQuota {
  /** False: anything is admitted, and nothing counted. */
  readonly counts: boolean
  /** False: the change is to be refused with THROTTLING_QUOTA_EXCEEDED. */
  admit(partitions: number): boolean
}

export const throttleKinds = ['produce', 'fetch', 'request', 'controller-mutation'] as const
export type ThrottleKind = (typeof throttleKinds)[number]

/** Plain fields; they become metrics when scraped. */
export class ThrottleCounters {
  /** Bytes, per cent and partitions that were measured for a quota. */
  measured = 0
  throttled = 0
  throttleMs = 0
}

const unbounded: MutationQuota = { counts: false, admit: () => true }

export class ClientThrottles {
  readonly counters: Readonly<Record<ThrottleKind, ThrottleCounters>> = {
    produce: new ThrottleCounters(),
    fetch: new ThrottleCounters(),
    request: new ThrottleCounters(),
    'controller-mutation': new ThrottleCounters(),
  }
  readonly #quotas: ClientQuotas
  readonly #limits: QuotaLimits
  readonly #clock: Clock
  readonly #produce: QuotaMeters<WindowedRate>
  readonly #fetch: QuotaMeters<WindowedRate>
  readonly #request: QuotaMeters<WindowedRate>
  readonly #mutation: QuotaMeters<TokenBucket>

  constructor(quotas: ClientQuotas, limits: QuotaLimits, clock: Clock) {
    this.#quotas = quotas
    this.#limits = limits
    this.#clock = clock
    const world = { limits, clock }
    const rate = (): WindowedRate => new WindowedRate(limits.windows)
    this.#produce = new QuotaMeters(quotas, 'producer_byte_rate', rate, world)
    this.#fetch = new QuotaMeters(quotas, 'consumer_byte_rate', rate, world)
    this.#request = new QuotaMeters(quotas, 'request_percentage', rate, world)
    this.#mutation = new QuotaMeters(quotas, 'controller_mutation_rate', () => new TokenBucket(limits.controllerWindows), world)
  }

  /** Meters that are kept, by quota. */
  meterCounts(): Readonly<Record<ThrottleKind, number>> {
    const [produce, fetch, request, mutation] = [this.#produce, this.#fetch, this.#request, this.#mutation]
    return { produce: produce.count, fetch: fetch.count, request: request.count, 'controller-mutation': mutation.count }
  }

  /** A request to append has come, so large. */
  produced(call: Throttled, bytes: number): void {
    const metered = this.#produce.of(call)
    if (metered === undefined) return
    const nowMs = this.#clock.monotonicMs()
    metered.meter.add(bytes, nowMs)
    this.counters.produce.measured += bytes
    this.#throttle('produce', call, metered.meter.throttleMs(metered.bound, nowMs))
  }

  /** What a fetch may bring without being sure to be too much: more than all windows may hold never leaves. */
  fetchBytesMax(call: Throttled): number {
    const metered = this.#fetch.of(call)
    if (metered === undefined) return Infinity
    const { count, ms } = this.#limits.windows
    return Math.max(1, Math.floor((metered.bound * Math.max(1, count - 1) * ms) / 1000))
  }

  /** Whether an answer with so many bytes of records may leave. One that may not is not counted: the client is answered with nothing. */
  fetched(call: Throttled, bytes: number): boolean {
    const metered = this.#fetch.of(call)
    if (metered === undefined) return true
    const { meter, bound } = metered
    const nowMs = this.#clock.monotonicMs()
    // A batch that alone is more than all windows may hold would never leave. It does, and what follows it pays.
    const isFirst = meter.rate(nowMs) <= 0
    meter.add(bytes, nowMs)
    const throttleMs = meter.throttleMs(bound, nowMs)
    if (throttleMs === 0 || (isFirst && bytes > 0)) {
      this.counters.fetch.measured += bytes
      return true
    }
    meter.add(-bytes, nowMs)
    this.#throttle('fetch', call, throttleMs)
    return false
  }

  /** Whether the time of requests has to be measured. */
  get timesRequests(): boolean {
    return this.#quotas.isUsed('request_percentage')
  }

  /** The event loop has been busy with this request for so long. No client is silent for longer than a window on this account. */
  ran(call: Throttled, busyMs: number): void {
    const throttleMs = this.#spend(call, busyMs)
    if (throttleMs > 0) this.#throttle('request', call, Math.min(throttleMs, this.#limits.windows.ms))
  }

  /** As `ran`, after it is said how long the client is to be silent: what follows pays. */
  answered(call: Throttled, busyMs: number): void {
    this.#spend(call, busyMs)
  }

  /** From `strictFrom` on, versions of the API know THROTTLING_QUOTA_EXCEEDED; before, the client is only to be silent. */
  mutations(call: Throttled, strictFrom = Infinity): MutationQuota {
    const metered = this.#mutation.of(call)
    if (metered === undefined) return unbounded
    const { meter, bound } = metered
    return {
      counts: true,
      admit: (partitions) => {
        const nowMs = this.#clock.monotonicMs()
        const isStrict = call.version >= strictFrom
        if (isStrict && meter.tokens(bound, nowMs) < 0) {
          this.#throttle('controller-mutation', call, meter.throttleMs(bound, nowMs))
          return false
        }
        meter.take(partitions, bound, nowMs)
        this.counters['controller-mutation'].measured += partitions
        if (!isStrict) this.#throttle('controller-mutation', call, meter.throttleMs(bound, nowMs))
        return true
      },
    }
  }

  #spend(call: Throttled, busyMs: number): number {
    const metered = this.#request.of(call)
    if (metered === undefined) return 0
    const nowMs = this.#clock.monotonicMs()
    const percent = (busyMs * 100) / 1000
    metered.meter.add(percent, nowMs)
    this.counters.request.measured += percent
    return metered.meter.throttleMs(metered.bound, nowMs)
  }

  #throttle(kind: ThrottleKind, call: Throttled, ms: number): void {
    if (ms <= 0) return
    const counters = this.counters[kind]
    counters.throttled += 1
    counters.throttleMs += ms
    call.throttle(ms)
  }
}
