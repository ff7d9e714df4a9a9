// Owns what the WAL counts about itself, in plain fields: the metrics registry copies them when it is scraped.

/** Upper bounds of the fsync histogram, in milliseconds; one more bucket holds what took longer. */
export const syncMsBounds: readonly number[] = [0.25, 0.5, 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000]

export interface WalCounters {
  commits: number
  frames: number
  /** Payload bytes of durable frames. */
  payloadBytes: number
  /** Bytes written, with headers and padding. */
  writtenBytes: number
  /** Appended, not yet durable. */
  queuedFrames: number
  queuedBytes: number
  /** Appends refused because the budget or the queue was full. */
  refusals: number
  filesPrepared: number
  filesRecycled: number
  /** One count per bucket of `syncMsBounds`, and one for all above. */
  readonly syncMsBuckets: number[]
  syncMsSum: number
  syncMsMax: number
}

export function newCounters(): WalCounters {
  return {
    commits: 0,
    frames: 0,
    payloadBytes: 0,
    writtenBytes: 0,
    queuedFrames: 0,
    queuedBytes: 0,
    refusals: 0,
    filesPrepared: 0,
    filesRecycled: 0,
    syncMsBuckets: [...syncMsBounds, Number.POSITIVE_INFINITY].map(() => 0),
    syncMsSum: 0,
    syncMsMax: 0,
  }
}

export function countSync(counters: WalCounters, durationMs: number): void {
  const found = syncMsBounds.findIndex((bound) => durationMs <= bound)
  const bucket = found < 0 ? syncMsBounds.length : found
  counters.syncMsBuckets[bucket] = (counters.syncMsBuckets[bucket] ?? 0) + 1
  counters.syncMsSum += durationMs
  counters.syncMsMax = Math.max(counters.syncMsMax, durationMs)
}
