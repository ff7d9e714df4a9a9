// Owns the plain counters of one Kafka API; they become metrics when scraped (http/). Not the counting of bytes on sockets.

import { Histogram } from '../../base/histogram.ts'

export class ApiCounters {
  readonly name: string
  requests = 0
  requestBytes = 0
  responseBytes = 0
  /** Requests that ended in closing the connection: malformed, or an exception of ours. */
  failures = 0
  /** Errors told to clients, by code. Codes come from our handlers, so there are few. */
  readonly errors = new Map<number, number>()
  /** From the start of the handler to its answer; waiting for earlier requests of the connection is not in it. */
  readonly latencyMicros = new Histogram()

  constructor(name: string) {
    this.name = name
  }

  countError(code: number): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1)
  }
}
