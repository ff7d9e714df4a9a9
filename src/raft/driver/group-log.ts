// Owns one group's log as it stands in the WAL: its entries behind the last snapshot, in memory, with their places. Not writing them
// (wal-store.ts).
//
// RAFT-G1  entries follow each other without a gap from `previous` on; an entry that takes another's index takes all behind it away. The
//          same entry once more, moved forward in the WAL, changes its place only: what is behind it was written behind it.

import { assert } from '../../base/assert.ts'
import type { WalPosition } from '../../model/entry.ts'
import {
  type EntryId,
  limited,
  type LogGap,
  membersOf,
  type RaftEntry,
  type RaftSnapshot,
  type StableLog,
} from '../core/index.ts'

export class GroupLog implements StableLog {
  /** Of the entry before the first. */
  #previous: EntryId = { term: 0, index: 0 }
  #entries: RaftEntry[] = []
  #positions: WalPosition[] = []
  /** The newest of this member. */
  offered: RaftSnapshot | undefined
  /** Of whom the group consists now: a member that a snapshot does not name cannot begin with it. */
  membersNow: () => readonly number[] = () => []
  /** A member needs a snapshot, and there is none that would do. */
  isSnapshotWanted = false
  /** Where the newest hard state and the newest snapshot stand. */
  hardPosition: WalPosition | undefined
  snapshotPosition: WalPosition | undefined

  firstIndex(): number {
    return this.#previous.index + 1
  }

  lastIndex(): number {
    return this.#previous.index + this.#entries.length
  }

  termAt(index: number): number | LogGap {
    if (index < this.#previous.index) return 'compacted'
    if (index === this.#previous.index) return this.#previous.term
    return this.#entries[index - this.#previous.index - 1]?.term ?? 'unavailable'
  }

  entries(start: number, end: number, bytesMax: number): readonly RaftEntry[] | LogGap {
    if (start <= this.#previous.index) return 'compacted'
    return limited(this.#entries.slice(start - this.#previous.index - 1, end - this.#previous.index - 1), bytesMax)
  }

  maybeSnapshot(): RaftSnapshot | undefined {
    const { offered } = this
    const named = offered === undefined ? [] : membersOf(offered.configuration)
    if (offered !== undefined && this.membersNow().every((id) => named.includes(id))) return offered
    this.isSnapshotWanted = true
    return undefined
  }

  /** What was found so far is of no use: the log begins with this index, or a snapshot that is still to be found stands for what was before it. */
  beginAt(index: number): void {
    this.install({ term: 0, index: index - 1 })
  }

  append(entry: RaftEntry, position: WalPosition): void {
    const at = entry.index - this.#previous.index - 1
    assert(at >= 0 && at <= this.#entries.length, 'RAFT-G1: an entry follows those before it')
    if (this.#entries[at]?.term !== entry.term) {
      this.#entries.length = at
      this.#positions.length = at
    }
    this.#entries[at] = entry
    this.#positions[at] = position
  }

  /** The snapshot stands for all entries up to it, and those behind it are of no use. */
  install({ index, term }: EntryId): void {
    this.#previous = { index, term }
    this.#entries = []
    this.#positions = []
  }

  /** Entries up to the index are not needed any more. */
  compact(index: number): void {
    if (index <= this.#previous.index) return
    const term = this.termAt(index)
    assert(typeof term === 'number', 'what is compacted is there')
    this.#entries = this.#entries.slice(index - this.#previous.index)
    this.#positions = this.#positions.slice(index - this.#previous.index)
    this.#previous = { index, term }
  }

  /** Where an entry stands; undefined when it is not kept. */
  positionOf(index: number): WalPosition | undefined {
    return this.#positions[index - this.#previous.index - 1]
  }

  /** All that is kept, oldest first. */
  get kept(): readonly RaftEntry[] {
    return this.#entries
  }

  /** The oldest WAL file with something of the group that is needed; undefined when nothing is. */
  get oldestFile(): number | undefined {
    const files = [this.#positions[0], this.hardPosition, this.snapshotPosition].flatMap((position) =>
      position === undefined ? [] : [position.file],
    )
    return files.length === 0 ? undefined : Math.min(...files)
  }
}
