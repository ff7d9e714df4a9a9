// Owns reads that wait to be told what must be applied before they may be answered. Not how that is found out (core).

import type { Clock } from '../../base/clock.ts'

export interface WaitingReadsOptions {
  /** No other node, and no other start of this one, has it. */
  readonly prefix: string
  readonly clock: Clock
  readonly readMs: number
}

type Done = (index: number | undefined) => void

export class WaitingReads {
  readonly #options: WaitingReadsOptions
  readonly #waiting = new Map<string, { readonly untilMs: number; readonly done: Done }>()
  #next = 1

  constructor(options: WaitingReadsOptions) {
    this.#options = options
  }

  /** The context to ask with. */
  add(done: Done): string {
    const { prefix, clock, readMs } = this.#options
    const context = `${prefix}.${this.#next}`
    this.#next += 1
    this.#waiting.set(context, { untilMs: clock.monotonicMs() + readMs, done })
    return context
  }

  answer(context: string, index: number): void {
    const read = this.#waiting.get(context)
    if (read === undefined) return
    this.#waiting.delete(context)
    read.done(index)
  }

  /** Those whose time is over have no answer. */
  giveUp(): void {
    const nowMs = this.#options.clock.monotonicMs()
    for (const [context, { untilMs, done }] of this.#waiting) {
      // All wait equally long: those behind it began later.
      if (untilMs > nowMs) return
      this.#waiting.delete(context)
      done(undefined)
    }
  }

  close(): void {
    for (const { done } of this.#waiting.values()) done(undefined)
    this.#waiting.clear()
  }
}
