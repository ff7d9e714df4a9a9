// Owns the bounds of streaming, and the relations between them.

import { assert } from '../../src/base/assert.ts'

export const streamLimits = {
  /** Payload bytes the streamer keeps in memory while they wait; beyond it reads them again from the WAL. */
  heldBytesMax: 96 * 1024 * 1024,
  /** First and longest pause before an upload that failed for good in the retrying store is tried anew. */
  retryPauseMsMin: 200,
  retryPauseMsMax: 5000,
  /** What is fetched of an object's end at first; most footers fit. */
  tailBytes: 64 * 1024,
} as const

assert(streamLimits.retryPauseMsMin <= streamLimits.retryPauseMsMax, 'STREAM-LIMITS: pauses grow')
