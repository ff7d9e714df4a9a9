// Owns the real clock. The only place that reads `Date`, `performance` and sets timers.

import type { Clock } from '../clock.ts'

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

/** For commands: a pause is work, and the process stays for its end. */
export const commandClock: Clock = {
  ...systemClock,
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs)
    return () => {
      clearTimeout(timer)
    }
  },
}
