// Owns the real clock. The only place that reads `Date`, `performance` and sets timers.

import type { Cancel, Clock } from '../clock.ts'

/** Node takes a longer delay for 1 ms. */
const timerMsMax = 2 ** 31 - 1

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, callback) => {
    let timer: NodeJS.Timeout
    const wait = (leftMs: number): void => {
      timer = leftMs <= timerMsMax ? setTimeout(callback, leftMs) : setTimeout(() => wait(leftMs - timerMsMax), timerMsMax)
      timer.unref()
    }
    wait(delayMs)
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
