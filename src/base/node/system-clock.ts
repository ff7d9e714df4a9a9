// Owns the real clock. The only place that reads `Date`, `performance` and sets timers.

import type { Cancel, Clock } from '../clock.ts'

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs)
    timer.unref()
    return () => {
      clearTimeout(timer)
    }
  },
  afterTurn: (callback) => {
    setImmediate(callback)
  },
}

/** Far from any real pause. */
const holdStepMs = 3_600_000

/** Keeps the process alive until it is cancelled: the clock's own timers do not, and a pause between two attempts is work. */
export function holdProcess(): Cancel {
  const timer = setInterval(() => undefined, holdStepMs)
  return () => {
    clearInterval(timer)
  }
}
