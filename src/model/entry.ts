// Owns what an entry of a replicated log is, whichever replicator carries it. Not its bytes on disk (tiers/wal) nor what a
// payload means (broker).

import type { GroupNumber, LeaderEpoch, LogIndex } from './ids.ts'

/**
 * `batch`: one Kafka record batch (v2), offsets already stamped. `control`: a change of the partition's own state that takes no
 * offset (a segment published or forgotten, the log start moved). `metadata`: a command of the metadata machine.
 * `node`: the replicator's own, never streamed: a member's hard state, changes of membership, the entry with which a leader begins.
 */
export type EntryKind = 'batch' | 'control' | 'metadata' | 'node'

export interface LogEntry {
  readonly group: GroupNumber
  readonly term: LeaderEpoch
  readonly index: LogIndex
  readonly kind: EntryKind
  /** Passed by reference everywhere; nobody may change it after it was proposed. */
  readonly payload: Uint8Array
}

/** Where a frame's payload lies in the WAL. `file` numbers grow; a position is readable while `file >= wal.oldestFile`. */
export interface WalPosition {
  readonly file: number
  readonly at: number
  readonly length: number
}
