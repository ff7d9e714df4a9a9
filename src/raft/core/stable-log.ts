// Owns what the core needs to know of the log that is on disk. Not when it gets there: that is asked for by Ready.

import type { RaftEntry } from './entry.ts'
import type { RaftSnapshot } from './message.ts'

/** `compacted`: it is older than what is kept. `unavailable`: it is not there yet. */
export type LogGap = 'compacted' | 'unavailable'

/** All answers are given at once, from memory. */
export interface StableLog {
  /** Of the first entry that is kept; one past the last of an empty log. */
  firstIndex(): number
  /** `firstIndex() − 1` of an empty log. */
  lastIndex(): number
  /** Also of the entry before the first. */
  termAt(index: number): number | LogGap
  /**
   * Entries [start, end), cut behind the last that fits into `bytesMax`; always one, unless those that are applied are not at hand: then fewer, or none,
   * and `Raft.resumeSending` once they are.
   */
  entries(start: number, end: number, bytesMax: number): readonly RaftEntry[] | LogGap
  /** The newest, or undefined while there is none to give away. */
  maybeSnapshot(): RaftSnapshot | undefined
}
