// Owns one member's log as Raft sees it: what is on disk and what is not yet, how far it is committed, how far it is being applied. Not
// the replication of it (leader.ts, follower.ts).
//
// RAFT-L1  applied ≤ applying ≤ committed ≤ lastIndex, and none of them goes back.
// RAFT-L2  a committed entry is never replaced.

import { assert } from '../../base/assert.ts'
import { type EntryId, limited, type RaftEntry, sizeBytesOf } from './entry.ts'
import type { RaftSnapshot } from './message.ts'
import type { LogGap, StableLog } from './stable-log.ts'
import { Unstable } from './unstable.ts'

export class RaftLog {
  readonly unstable: Unstable
  committed: number
  /** The last entry that was given to the state machine. */
  applying: number
  applied: number
  readonly #stable: StableLog
  readonly #applyingBytesMax: number
  #applyingBytes = 0
  /** Enough is being applied; what else is committed waits. */
  #isPaused = false

  constructor(stable: StableLog, applyingBytesMax: number) {
    this.#stable = stable
    this.#applyingBytesMax = applyingBytesMax
    this.unstable = new Unstable(stable.lastIndex() + 1)
    this.committed = stable.firstIndex() - 1
    this.applying = this.committed
    this.applied = this.committed
  }

  get firstIndex(): number {
    return this.unstable.firstIndex ?? this.#stable.firstIndex()
  }

  get lastIndex(): number {
    return this.unstable.lastIndex ?? this.#stable.lastIndex()
  }

  lastId(): EntryId {
    const term = this.termAt(this.lastIndex)
    assert(typeof term === 'number', 'the last entry has a term')
    return { term, index: this.lastIndex }
  }

  termAt(index: number): number | LogGap {
    const term = this.unstable.termAt(index)
    if (term !== undefined) return term
    if (index + 1 < this.firstIndex) return 'compacted'
    return index > this.lastIndex ? 'unavailable' : this.#stable.termAt(index)
  }

  matches({ term, index }: EntryId): boolean {
    return this.termAt(index) === term
  }

  /** A log that ends with this entry has at least all that is committed here, if this one was (§5.4.1). */
  isUpToDate(candidate: EntryId): boolean {
    const last = this.lastId()
    return candidate.term > last.term || (candidate.term === last.term && candidate.index >= last.index)
  }

  /** Entries from `start` on, as many as fit and always one; none when there is none. */
  entriesFrom(start: number, bytesMax: number): readonly RaftEntry[] | LogGap {
    return start > this.lastIndex ? [] : this.slice(start, this.lastIndex + 1, bytesMax)
  }

  slice(start: number, end: number, bytesMax: number): readonly RaftEntry[] | LogGap {
    if (start < this.firstIndex) return 'compacted'
    assert(start <= end && end <= this.lastIndex + 1, 'a slice lies within the log')
    if (start === end) return []
    const { offset } = this.unstable
    if (start >= offset) return limited(this.unstable.slice(start, end), bytesMax)
    const stableEnd = Math.min(end, offset)
    const stable = this.#stable.entries(start, stableEnd, bytesMax)
    if (typeof stable === 'string' || end <= offset || stable.length < stableEnd - start) return stable
    // Cut again as one: what is added may be too much, and the first entry of it is not the first of all.
    return limited([...stable, ...this.unstable.slice(offset, end)], bytesMax)
  }

  /** A leader's entries behind `previous`. False when this log has another entry there. */
  maybeAppend(previous: EntryId, entries: readonly RaftEntry[]): boolean {
    if (!this.matches(previous)) return false
    const news = entries.findIndex((entry) => !this.matches(entry))
    if (news >= 0) {
      assert(entries[news]!.index > this.committed, 'RAFT-L2: a committed entry is never replaced')
      this.append(entries.slice(news))
    }
    return true
  }

  append(entries: readonly RaftEntry[]): void {
    if (entries.length === 0) return
    assert(entries[0]!.index > this.committed, 'RAFT-L2: a committed entry is never replaced')
    this.unstable.append(entries)
  }

  /**
   * The last entry at or before `index` that may also be in a log whose entry at `index` is of `term`: terms never fall along a log, so
   * all entries of higher terms are passed over at once. Term 0 where it is not known.
   */
  findConflict(index: number, term: number): EntryId {
    for (let at = index; at > 0; at -= 1) {
      const ours = this.termAt(at)
      if (typeof ours === 'string') return { index: at, term: 0 }
      if (ours <= term) return { index: at, term: ours }
    }
    return { index: 0, term: 0 }
  }

  /** A leader commits by counting only entries of its own term (§5.4.2). */
  maybeCommit(id: EntryId): boolean {
    if (id.index <= this.committed || !this.matches(id)) return false
    this.commitTo(id.index)
    return true
  }

  commitTo(index: number): void {
    if (index <= this.committed) return
    assert(index <= this.lastIndex, 'RAFT-L1: what is committed is in the log')
    this.committed = index
  }

  /** What is committed and has not been given to the state machine. `withUnstable`: also what is not known to be on disk here. */
  nextCommitted(withUnstable: boolean): readonly RaftEntry[] {
    if (!this.hasNextCommitted(withUnstable)) return []
    const entries = this.slice(
      this.applying + 1,
      this.#applicableTo(withUnstable) + 1,
      this.#applyingBytesMax - this.#applyingBytes,
    )
    assert(typeof entries !== 'string', 'what is committed and not applied is in the log')
    return entries
  }

  hasNextCommitted(withUnstable: boolean): boolean {
    // A snapshot comes first: it stands for entries this log does not have.
    return !this.#isPaused && this.unstable.snapshot === undefined && this.#applicableTo(withUnstable) > this.applying
  }

  #applicableTo(withUnstable: boolean): number {
    return withUnstable ? this.committed : Math.min(this.committed, this.unstable.offset - 1)
  }

  acceptApplying(entries: readonly RaftEntry[], withUnstable: boolean): void {
    const last = entries.at(-1)
    if (last === undefined) return
    this.applying = last.index
    this.#applyingBytes += sizeBytesOf(entries)
    // Also when not all fitted: then there is more, and there was no room for it.
    this.#isPaused = this.#applyingBytes >= this.#applyingBytesMax || this.applying < this.#applicableTo(withUnstable)
  }

  appliedTo(index: number, bytes: number): void {
    assert(index >= this.applied && index <= this.committed, 'RAFT-L1: what is applied was committed')
    this.applied = index
    this.applying = Math.max(this.applying, index)
    this.#applyingBytes = Math.max(0, this.#applyingBytes - bytes)
    this.#isPaused = this.#applyingBytes >= this.#applyingBytesMax
  }

  maybeSnapshot(): RaftSnapshot | undefined {
    return this.unstable.snapshot ?? this.#stable.maybeSnapshot()
  }

  restore(snapshot: RaftSnapshot): void {
    this.committed = snapshot.index
    this.unstable.restore(snapshot)
  }
}
