// Owns the one interface between what proposes entries (broker, groups, metadata) and what replicates them: the local log
// (standalone) or a Raft group (cluster). Nothing above it asks which it is.

import type { EntryKind, LogEntry, WalPosition } from './entry.ts'
import type { GroupNumber, LeaderEpoch, LogIndex } from './ids.ts'

export interface ReplicatedLog {
  readonly group: GroupNumber
  /** The term new entries get: Kafka's leader epoch. */
  readonly term: LeaderEpoch
  /**
   * Appends an entry and returns its index at once; the entry is not committed yet. Entries commit in index order; commitment is
   * told through `CommitListener`. `payload` must not change afterwards. Throws OpError `closed`, `busy` (the budget is used up;
   * retriable) or `fenced`; then nothing was appended.
   */
  propose(kind: EntryKind, payload: Uint8Array): LogIndex
  /** Up to which index entries are committed (0: none): durable under the configured policy (I1). */
  readonly committedIndex: LogIndex
  /** Whether this node may propose: it leads, and has taken in all that was there before it did. Always, where nobody else could lead. */
  readonly isLeading: boolean
  /** Whether what is committed here holds every entry that was acknowledged anywhere before now (I6). To be asked in the turn that reads. */
  readonly isCurrent: boolean
  /** As `isCurrent`, found out by asking the other members where it is not known here; false when they do not say so. Calls back once. */
  confirm(done: (isCurrent: boolean) => void): void
  /** Another node may come to lead, and what was proposed here leave the log again. */
  readonly mayBeDeposed: boolean
  /** Up to which index entries are in the bucket (0: none). Never above `committedIndex`. */
  readonly streamedIndex: LogIndex
}

/** Told once per advance, in order, per group; several entries may be covered by one call. */
export interface CommitListener {
  onCommitted(group: GroupNumber, index: LogIndex): void
  onStreamed(group: GroupNumber, index: LogIndex): void
}

export interface PlacedEntry {
  readonly entry: LogEntry
  readonly position: WalPosition
}

/** Told of logs that more than one node holds. */
export interface ReplicaListener extends CommitListener {
  /** Entries are committed that this node has not proposed in its present time as the leader, in order. `onCommitted` does not tell of them. */
  onReplicated(group: GroupNumber, entries: readonly PlacedEntry[]): void
  /** Where an entry stands in the WAL: of one that was proposed here before it is told to be committed, and of any that was moved. */
  onPlaced(group: GroupNumber, index: LogIndex, position: WalPosition): void
  /** All that was there before is taken in: this node may propose. */
  onLeading(group: GroupNumber, term: LeaderEpoch): void
  /** It may not any more. What it proposed and was not told to be committed is taken back; should it be after all, it comes as replicated. */
  onDeposed(group: GroupNumber): void
}
