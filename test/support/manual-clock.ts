// Owns time for tests: it stands still until the test moves it, then every timer comes in its order. Not chance, not I/O.

import type { Cancel, Clock } from '../../src/base/clock.ts'

/** Wall-clock time at the start: some day in 2023. */
const epochMs = 1_700_000_000_000

interface Timer {
  readonly dueMs: number
  readonly callback: () => void
}

export class ManualClock implements Clock {
  #nowMs = 0
  #timers: Timer[] = []

  nowMs(): number {
    return epochMs + this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, callback: () => void): Cancel {
    const timer = { dueMs: this.#nowMs + delayMs, callback }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  afterTurn(callback: () => void): void {
    setImmediate(callback)
  }

  get timers(): number {
    return this.#timers.length
  }

  /** Moves time on; timers that come due call back in order of time, also those that others set on the way. */
  advance(byMs: number): void {
    const endMs = this.#nowMs + byMs
    for (;;) {
      const next = this.#timers.reduce<Timer | undefined>(
        (first, timer) => (timer.dueMs <= endMs && (first === undefined || timer.dueMs < first.dueMs) ? timer : first),
        undefined,
      )
      if (next === undefined) break
      this.#timers = this.#timers.filter((other) => other !== next)
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      next.callback()
    }
    this.#nowMs = endMs
  }
}

/** Lets everything run that waits for nothing but its turn. */
export async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
  }
}

/** Moves time on in small steps until the promise settles; fails when that takes longer than `limitMs` of its time. */
export async function drive<Value>(clock: ManualClock, promise: Promise<Value>, limitMs = 600_000): Promise<Value> {
  let settled = false
  const done = promise.finally(() => {
    settled = true
  })
  done.catch(() => undefined)
  for (let passedMs = 0; ; passedMs += 10) {
    await turns(3)
    if (settled) return done
    if (passedMs > limitMs) throw new Error(`nothing came of it within ${limitMs} ms of the manual clock`)
    clock.advance(10)
  }
}
