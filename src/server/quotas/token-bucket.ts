// Owns one token bucket as Kafka's TokenBucket is (KIP-599): it fills at a rate up to a burst; whoever finds it not below nothing may take
// any number at once, also more than are there. Pure.

import type { Windows } from './windowed-rate.ts'

export class TokenBucket {
  readonly #windows: Windows
  /** Undefined: full, whatever the bound. */
  #tokens: number | undefined = undefined
  #atMs = 0

  constructor(windows: Windows) {
    this.#windows = windows
  }

  /** What is there with `bound` tokens a second coming in. */
  tokens(bound: number, nowMs: number): number {
    const burst = (bound * this.#windows.count * this.#windows.ms) / 1000
    if (this.#tokens !== undefined) this.#tokens += (bound * (nowMs - this.#atMs)) / 1000
    this.#tokens = Math.min(burst, this.#tokens ?? burst)
    this.#atMs = nowMs
    return this.#tokens
  }

  take(count: number, bound: number, nowMs: number): void {
    this.#tokens = this.tokens(bound, nowMs) - count
  }

  /** Until it is not below nothing any more. */
  throttleMs(bound: number, nowMs: number): number {
    return Math.min(2 ** 31 - 1, Math.max(0, Math.round((-this.tokens(bound, nowMs) / bound) * 1000)))
  }
}
