// Owns keeping one kind of log line from flooding the log: at most one a second, with the number left out. Not the log itself.

import type { Clock } from '../../base/clock.ts'
import type { Log, LogFields } from '../../base/log.ts'

const everyMs = 1000
/** More kinds than this are not told apart; kinds are few and ours. */
const kindsMax = 256

interface Kind {
  nextAtMs: number
  leftOut: number
}

export class LogLimiter {
  readonly #log: Log
  readonly #clock: Clock
  readonly #kinds = new Map<string, Kind>()

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  /** `kind` must come from our own code, never from the wire. */
  warn(kind: string, message: string, fields: LogFields): void {
    const nowMs = this.#clock.monotonicMs()
    let entry = this.#kinds.get(kind)
    if (entry === undefined) {
      if (this.#kinds.size >= kindsMax) this.#kinds.clear()
      entry = { nextAtMs: 0, leftOut: 0 }
      this.#kinds.set(kind, entry)
    }
    if (nowMs < entry.nextAtMs) {
      entry.leftOut += 1
      return
    }
    this.#log.warn(message, entry.leftOut > 0 ? { ...fields, leftOut: entry.leftOut } : fields)
    entry.nextAtMs = nowMs + everyMs
    entry.leftOut = 0
  }
}
