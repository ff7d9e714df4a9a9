// Owns one measured rate as Kafka's Rate over SampledStat measures it: sums of windows, the newest of them under way. Pure.
//
//   | window | window | … | under way |      the oldest goes once nothing was added to it for all windows together
//
// Fewer windows than that count as if those before had been empty, so that a first burst is not taken for a rate.

import { assert } from '../../base/assert.ts'

export interface Windows {
  /** Kafka's quota.window.num. */
  readonly count: number
  readonly ms: number
}

interface Sample {
  readonly startMs: number
  lastMs: number
  sum: number
}

/** What a throttle time can be told as: int32 milliseconds. */
const throttleMsMax = 2 ** 31 - 1

export class WindowedRate {
  readonly #windows: Windows
  /** Oldest first. */
  readonly #samples: Sample[] = []

  constructor(windows: Windows) {
    assert(windows.count >= 1 && windows.ms > 0, 'a rate has a window')
    this.#windows = windows
  }

  /** Negative amounts take back what was added before. */
  add(amount: number, nowMs: number): void {
    const newest = this.#samples.at(-1)
    if (newest === undefined || nowMs - newest.startMs >= this.#windows.ms) {
      this.#samples.push({ startMs: nowMs, lastMs: nowMs, sum: amount })
      this.#forget(nowMs)
    } else {
      newest.sum += amount
      newest.lastMs = nowMs
    }
  }

  /** A second. */
  rate(nowMs: number): number {
    this.#forget(nowMs)
    let sum = 0
    for (const sample of this.#samples) sum += sample.sum
    return (sum * 1000) / this.#elapsedMs(nowMs)
  }

  /** How long nothing may be added until the rate is back at the bound; 0 when it is not above. */
  throttleMs(bound: number, nowMs: number): number {
    const excess = this.rate(nowMs) - bound
    if (excess <= 0) return 0
    return Math.min(throttleMsMax, Math.round((excess / bound) * this.#elapsedMs(nowMs)))
  }

  #elapsedMs(nowMs: number): number {
    const { count, ms } = this.#windows
    const elapsedMs = nowMs - (this.#samples[0]?.startMs ?? nowMs)
    const missing = Math.max(1, count - 1) - Math.floor(elapsedMs / ms)
    return missing > 0 ? elapsedMs + missing * ms : elapsedMs
  }

  #forget(nowMs: number): void {
    const { count, ms } = this.#windows
    while (this.#samples.length > 0 && nowMs - this.#samples[0]!.lastMs >= count * ms) this.#samples.shift()
  }
}
