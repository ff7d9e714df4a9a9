// Owns the one interface between what proposes entries (broker, groups, metadata) and what replicates them: the local log
// (standalone) or a Raft group (cluster). Nothing above it asks which it is.

import type { EntryKind } from './entry.ts'
import type { GroupNumber, LeaderEpoch, LogIndex } from './ids.ts'

export interface ReplicatedLog {
  readonly group: GroupNumber
  /** The term new entries get: Kafka's leader epoch. */
  readonly term: LeaderEpoch
  /** The index the next proposed entry will get. */
  readonly nextIndex: LogIndex
  /**
   * Appends an entry and returns its index at once; the entry is not committed yet. Entries commit in index order; commitment is
   * told through `CommitListener`. `payload` must not change afterwards. Throws OpError `closed`, `busy` (the budget is used up;
   * retriable) or `fenced`; then nothing was appended.
   */
  propose(kind: EntryKind, payload: Uint8Array): LogIndex
  /** Up to which index entries are committed (0: none): durable under the configured policy (I1). */
  readonly committedIndex: LogIndex
  /** Up to which index entries are in the bucket (0: none). Never above `committedIndex`. */
  readonly streamedIndex: LogIndex
}

/** Told once per advance, in order, per group; several entries may be covered by one call. */
export interface CommitListener {
  onCommitted(group: GroupNumber, index: LogIndex): void
  onStreamed(group: GroupNumber, index: LogIndex): void
}
