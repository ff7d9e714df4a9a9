// Owns every size, count and pause of the hot WAL that has a maximum, and the relations between them. Not the settings a node may
// choose (open.ts), which must lie within these.

import { assert } from '../../../src/base/assert.ts'

const kib = 1024
const mib = 1024 * kib

export const walLimits = {
  /** A commit starts on a sector, so that writing it never touches a sector that was synced before. */
  sectorBytes: 512,
  /** One page: the file header lies alone in it. */
  fileHeaderBytes: 4 * kib,
  fileBytesDefault: 64 * mib,
  fileBytesMin: 64 * kib,
  /** Positions are 32-bit on disk; half of that keeps every sum below 2^32. */
  fileBytesMax: 2048 * mib,
  budgetBytesDefault: 1024 * mib,
  /** Beyond 1 MiB a commit gains no throughput and loses tail latency (p99 142 ms at 4 MiB): the next one takes the rest. */
  commitBytesPreferred: mib,
  /** Payloads from here on go to writev by reference, smaller ones are copied together: few iovecs, no big copies. */
  referencedBytesMin: 16 * kib,
  /** Linux refuses a writev of more pieces. */
  iovecsMax: 1024,
  /** Appended and not yet durable. Beyond it append throws `busy`: back-pressure, not memory. */
  queueBytesDefault: 64 * mib,
  /** Gather buffers kept for reuse: one being written, one being filled, some for a queue that grew and shrank. */
  pooledBuffersMax: 4,
  /** Released files kept for reuse beside the one prepared ahead. */
  sparesMax: 2,
  /** Zeros are written in pieces of this size, each synced, so that a commit beside them never waits for more than one. */
  preallocateStepBytes: mib,
  preallocateRetryMs: 500,
  /** After this long without an append an empty commit states that the last one was synced (WAL-5). */
  idleMarkMs: 1000,
  scanWindowBytes: 4 * mib,
  readHandlesMax: 64,
  /** `readMany` joins neighbours into one read when no more than this lies between them … */
  readGapBytesMax: 32 * kib,
  /** … and the whole read stays below this. */
  readJoinedBytesMax: mib,
} as const

const pageAligned = (bytes: number): boolean => bytes % walLimits.fileHeaderBytes === 0

assert(pageAligned(walLimits.fileBytesMin) && pageAligned(walLimits.fileBytesDefault), 'files are whole pages')
assert(walLimits.fileHeaderBytes % walLimits.sectorBytes === 0, 'the first commit starts on a sector')
assert(
  2 * (walLimits.commitBytesPreferred / walLimits.referencedBytesMin + 2) <= walLimits.iovecsMax,
  'a commit of referenced payloads, each with its header, fits one writev',
)
assert(walLimits.commitBytesPreferred < walLimits.queueBytesDefault, 'a queue holds more than one commit')
assert(walLimits.budgetBytesDefault >= 2 * walLimits.fileBytesDefault, 'a budget holds the newest file and the next')

/** The first sector boundary at or after `position`. */
export function alignUp(position: number): number {
  return Math.ceil(position / walLimits.sectorBytes) * walLimits.sectorBytes
}
