// Owns what the operating system and the runtime tell a process about its end: stop signals, and errors nobody handled.

import type { Cancel } from '../clock.ts'

const stopSignals = ['SIGTERM', 'SIGINT'] as const

/** Calls back at every stop signal until cancelled; meanwhile the signal itself ends nothing. */
export function onStopSignal(callback: (signal: string) => void): Cancel {
  for (const signal of stopSignals) process.on(signal, callback)
  return () => {
    for (const signal of stopSignals) process.off(signal, callback)
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const own = error.stack ?? error.message
  return error.cause === undefined ? own : `${own}\ncaused by ${describe(error.cause)}`
}

/** Calls back with a report when an error reached the top: by definition a bug of ours. The callback ends the process. */
export function onFatal(callback: (report: string) => void): void {
  process.on('uncaughtException', (error) => {
    callback(describe(error))
  })
  process.on('unhandledRejection', (reason) => {
    callback(describe(reason))
  })
}
