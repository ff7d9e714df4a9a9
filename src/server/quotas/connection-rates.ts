// Owns holding addresses to the connections a second they may open (KIP-612). Does not own what becomes of a connection too many
// (listener/acceptor.ts).

import type { Clock } from '../../base/clock.ts'
import { type ClientQuotas, connectionRateKey } from '../../broker/core/index.ts'
import type { QuotaLimits } from '../limits.ts'
import { ThrottleCounters } from './client-throttles.ts'
import { WindowedRate } from './windowed-rate.ts'

export class ConnectionRates {
  readonly counters = new ThrottleCounters()
  readonly #quotas: ClientQuotas
  readonly #limits: QuotaLimits
  readonly #clock: Clock
  /** By address, least recently used first. */
  readonly #rates = new Map<string, { readonly rate: WindowedRate; usedAtMs: number }>()

  constructor(quotas: ClientQuotas, limits: QuotaLimits, clock: Clock) {
    this.#quotas = quotas
    this.#limits = limits
    this.#clock = clock
  }

  get count(): number {
    return this.#rates.size
  }

  /** A connection has come from there; 0 when it may be served, or how long it is to wait for its end. */
  throttleMs(address: string): number {
    if (!this.#quotas.isUsed(connectionRateKey)) return 0
    const bound = this.#quotas.connectionRateOf(address)
    if (bound === undefined) return 0
    const nowMs = this.#clock.monotonicMs()
    const rate = this.#rateOf(address, nowMs)
    rate.add(1, nowMs)
    const throttleMs = Math.min(rate.throttleMs(bound, nowMs), this.#limits.windows.ms)
    if (throttleMs === 0) {
      this.counters.measured += 1
      return 0
    }
    // It is not served, so it does not count.
    rate.add(-1, nowMs)
    this.counters.throttled += 1
    this.counters.throttleMs += throttleMs
    return throttleMs
  }

  #rateOf(address: string, nowMs: number): WindowedRate {
    const { meterIdleMs, metersMax, windows } = this.#limits
    const known = this.#rates.get(address)
    const used = known ?? { rate: new WindowedRate(windows), usedAtMs: nowMs }
    used.usedAtMs = nowMs
    if (known !== undefined) this.#rates.delete(address)
    for (const [other, { usedAtMs }] of this.#rates) {
      if (nowMs - usedAtMs < meterIdleMs && this.#rates.size < metersMax) break
      this.#rates.delete(other)
    }
    this.#rates.set(address, used)
    return used.rate
  }
}
