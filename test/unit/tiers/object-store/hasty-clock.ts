// Owns a clock whose time jumps to the next timer as soon as nothing else is to do: no test sleeps. Time stands while code runs.

import type { Clock } from '../../../../src/base/clock.ts'

export class HastyClock implements Clock {
  #now = 0
  #timers: { readonly at: number; readonly callback: () => void }[] = []

  nowMs(): number {
    return 1_700_000_000_000 + this.#now
  }

  monotonicMs(): number {
    return this.#now
  }

  pass(ms: number): void {
    this.#now += ms
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.#now + delayMs, callback }
    this.#timers.push(timer)
    setImmediate(() => {
      this.#next()
    })
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  afterTurn(callback: () => void): void {
    setImmediate(callback)
  }

  #next(): void {
    const [first] = this.#timers.sort((a, b) => a.at - b.at)
    if (first === undefined) return
    this.#timers.shift()
    this.#now = Math.max(this.#now, first.at)
    first.callback()
  }
}
