// Owns the view of time that every room gets passed in. The real clock is base/node/system-clock.ts, the simulated one lives
// with the tests.

/** Cancels what it was returned for; calling it twice, or after the event, does nothing. */
export type Cancel = () => void

export interface Clock {
  /** Wall-clock milliseconds since the Unix epoch. Only for record timestamps and reports: it may jump. */
  nowMs(): number
  /** Monotonic milliseconds with fraction, from an arbitrary start. For every duration, lease and time-out. */
  monotonicMs(): number
  /** Calls back once, not before `delayMs`. Does not keep the process alive on its own. */
  after(delayMs: number, callback: () => void): Cancel
  /** Calls back at the end of the current turn of the event loop, after the I/O that is already there. */
  afterTurn(callback: () => void): void
}

/** Resolves after `delayMs` on the given clock. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve)
  })
}

/** Resolves at the end of the current turn of the event loop: others get theirs. */
export function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.afterTurn(resolve)
  })
}
