// Owns the part of the log that is not known to be on disk: entries and a snapshot, and which of them the storage has been given. Not
// what is on disk (stable-log.ts).
//
// RAFT-U1  entries hold the indexes from `offset` on without a gap; those below `offsetInProgress` are being written.

import { assert } from '../../base/assert.ts'
import type { EntryId, RaftEntry } from './entry.ts'
import type { RaftSnapshot } from './message.ts'

export class Unstable {
  snapshot: RaftSnapshot | undefined
  #entries: RaftEntry[] = []
  offset: number
  #offsetInProgress: number
  #isSnapshotInProgress = false

  constructor(offset: number) {
    this.offset = offset
    this.#offsetInProgress = offset
  }

  get entries(): readonly RaftEntry[] {
    return this.#entries
  }

  get lastIndex(): number | undefined {
    if (this.#entries.length > 0) return this.offset + this.#entries.length - 1
    return this.snapshot?.index
  }

  get firstIndex(): number | undefined {
    return this.snapshot === undefined ? undefined : this.snapshot.index + 1
  }

  termAt(index: number): number | undefined {
    if (index < this.offset) return this.snapshot?.index === index ? this.snapshot.term : undefined
    return this.#entries[index - this.offset]?.term
  }

  /** What the storage has not been given yet. */
  nextEntries(): readonly RaftEntry[] {
    return this.#entries.slice(this.#offsetInProgress - this.offset)
  }

  hasNextEntries(): boolean {
    return this.#offsetInProgress - this.offset < this.#entries.length
  }

  maybeNextSnapshot(): RaftSnapshot | undefined {
    return this.#isSnapshotInProgress ? undefined : this.snapshot
  }

  /** The storage has been given everything. */
  accept(): void {
    this.#offsetInProgress = this.offset + this.#entries.length
    if (this.snapshot !== undefined) this.#isSnapshotInProgress = true
  }

  /** It is on disk up to the entry, if that is still the one at its index: it may have been overwritten meanwhile. */
  stableTo(id: EntryId): void {
    if (id.index < this.offset || this.termAt(id.index) !== id.term) return
    this.#entries = this.#entries.slice(id.index + 1 - this.offset)
    this.offset = id.index + 1
    this.#offsetInProgress = Math.max(this.#offsetInProgress, this.offset)
  }

  snapshotStableTo(index: number): void {
    if (this.snapshot?.index !== index) return
    this.snapshot = undefined
    this.#isSnapshotInProgress = false
  }

  restore(snapshot: RaftSnapshot): void {
    this.offset = snapshot.index + 1
    this.#offsetInProgress = this.offset
    this.#entries = []
    this.snapshot = snapshot
    this.#isSnapshotInProgress = false
  }

  /** Entries of a newer leader take the place of those at and behind their first. */
  append(entries: readonly RaftEntry[]): void {
    const from = entries[0]?.index ?? 0
    const end = this.offset + this.#entries.length
    assert(from > 0 && from <= end, 'RAFT-U1: entries follow each other')
    if (from === end) {
      for (const entry of entries) this.#entries.push(entry)
    } else if (from <= this.offset) {
      this.#entries = [...entries]
      this.offset = from
      this.#offsetInProgress = from
    } else {
      this.#entries = [...this.#entries.slice(0, from - this.offset), ...entries]
      // What was being written behind it has to be written again.
      this.#offsetInProgress = Math.min(this.#offsetInProgress, from)
    }
  }

  slice(start: number, end: number): readonly RaftEntry[] {
    assert(start >= this.offset && end <= this.offset + this.#entries.length, 'RAFT-U1: a slice lies within the entries')
    return this.#entries.slice(start - this.offset, end - this.offset)
  }
}
