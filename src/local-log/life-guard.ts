// Owns the answer to "may this process still acknowledge?": yes while it ran without a pause; after a pause (SIGSTOP, a suspended
// machine) only once a write of its own has proved that no other life began meanwhile. Not the fencing itself (tiers/stream).

import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'

/** How often the guard looks whether time has jumped. */
const tickMs = 100
/** A pause longer than this closes the gate. A cold start needs at least as long to fence us and to serve. */
const pauseMsMax = 500

export interface LifeGuardOptions {
  readonly clock: Clock
  readonly log: Log
  /** Writes to the bucket as only the living may; rejects when another life has begun. */
  readonly prove: () => Promise<void>
}

export class LifeGuard {
  readonly #options: LifeGuardOptions
  #lastTickMs: number
  #proving = false
  #waiting: Array<() => void> = []
  #stop: (() => void) | undefined
  #closed = false
  pauses = 0

  constructor(options: LifeGuardOptions) {
    this.#options = options
    this.#lastTickMs = options.clock.monotonicMs()
    this.#tick()
  }

  /** Calls back at once while the gate is open, else when it has opened again (never, if it does not). */
  whenAllowed(acknowledge: () => void): void {
    if (this.#open()) acknowledge()
    else if (!this.#closed) this.#waiting.push(acknowledge)
  }

  /** Closed for good: whoever waits, or comes later, is never called back. */
  close(): void {
    this.#closed = true
    this.#stop?.()
    this.#waiting = []
  }

  #open(): boolean {
    if (this.#proving || this.#closed) return false
    const paused = this.#options.clock.monotonicMs() - this.#lastTickMs
    if (paused <= pauseMsMax) return true
    this.pauses += 1
    this.#proving = true
    this.#options.log.warn('the process was paused; nothing is acknowledged until the bucket proves that this life goes on', {
      pausedMs: Math.round(paused),
    })
    this.#options.prove().then(
      () => {
        this.#proving = false
        this.#lastTickMs = this.#options.clock.monotonicMs()
        const waiting = this.#waiting
        this.#waiting = []
        for (const acknowledge of waiting) this.whenAllowed(acknowledge)
      },
      (error: unknown) => {
        // The streamer has told its owner why it ended; the gate just never opens again.
        this.#options.log.error('the bucket did not prove that this life goes on', { error })
      },
    )
    return false
  }

  #tick(): void {
    this.#stop = this.#options.clock.after(tickMs, () => {
      if (this.#open()) this.#lastTickMs = this.#options.clock.monotonicMs()
      if (!this.#closed) this.#tick()
    })
  }
}
