// Owns one group's log as it stands in the WAL: its entries behind the last snapshot with their places, and the payloads of those that are on
// their way; others are read from the WAL again when somebody needs them (C28). Not writing them (wal-store.ts).
//
// RAFT-G1  entries follow each other without a gap from `previous` on; an entry that takes another's index takes all behind it away. The
//          same entry once more, moved forward in the WAL, changes its place only: what is behind it was written behind it.
// RAFT-G2  an entry that is not applied has its payload here: whether it changes the membership is known at once.

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

/** Stands for a payload that is in the WAL only. */
const forgotten = new Uint8Array(0)

export class GroupLog implements StableLog {
  /** Of the entry before the first. */
  #previous: EntryId = { term: 0, index: 0 }
  #entries: RaftEntry[] = []
  #positions: WalPosition[] = []
  /** Payloads of the entries before it are forgotten, but for some that were read again. */
  #rememberedFrom = 1
  /** Of the payloads that are here. */
  rememberedBytes = 0
  /** Somebody needs this entry and those behind it, and their payloads are not here. */
  #wanted: number | undefined
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
    const found = limited(this.#entries.slice(start - this.#previous.index - 1, end - this.#previous.index - 1), bytesMax)
    const gap = found.findIndex(({ payload }) => payload === forgotten)
    if (gap === 0) this.#wanted = start
    // Fewer than there are, or none for now: the core asks again when they are here (`remember`).
    return gap < 0 ? found : found.slice(0, gap)
  }

  /** Entries that are wanted, from the first on, as many as fit and always one; each once. */
  takeWanted(bytesMax: number): readonly { readonly entry: RaftEntry; readonly position: WalPosition }[] {
    const from = this.#wanted
    this.#wanted = undefined
    if (from === undefined) return []
    return this.forgottenFrom(from, bytesMax)
  }

  /** Neighbours whose payloads are not here, the first at or behind `from`. */
  forgottenFrom(from: number, bytesMax: number): readonly { readonly entry: RaftEntry; readonly position: WalPosition }[] {
    const found: { readonly entry: RaftEntry; readonly position: WalPosition }[] = []
    let bytes = 0
    for (let at = Math.max(0, from - this.#previous.index - 1); at < this.#entries.length; at += 1) {
      const entry = this.#entries[at]!
      const position = this.#positions[at]!
      if (entry.payload !== forgotten) {
        if (found.length > 0) break
        continue
      }
      bytes += position.length
      if (found.length > 0 && bytes > bytesMax) break
      found.push({ entry, position })
    }
    return found
  }

  /** A payload was read again. It is kept only if the entry is still the one it was. */
  remember(entry: RaftEntry, payload: Uint8Array): void {
    const at = entry.index - this.#previous.index - 1
    if (this.#entries[at] !== entry) return
    this.#entries[at] = { ...entry, payload }
    this.rememberedBytes += payload.length
    this.#rememberedFrom = Math.min(this.#rememberedFrom, entry.index)
  }

  /** Entries up to `settled` are needed by nobody that is here; of those that are applied, no more than so many bytes are kept. */
  forget(settled: number, applied: number, bytesMax: number): void {
    for (; this.#rememberedFrom <= applied; this.#rememberedFrom += 1) {
      if (this.#rememberedFrom > settled && this.rememberedBytes <= bytesMax) return
      const at = this.#rememberedFrom - this.#previous.index - 1
      const entry = this.#entries[at]
      if (entry === undefined || entry.kind === 'node' || entry.payload === forgotten) continue
      this.rememberedBytes -= entry.payload.length
      this.#entries[at] = { ...entry, payload: forgotten }
    }
  }

  maybeSnapshot(): RaftSnapshot | undefined {
    const { offered } = this
    const named = offered === undefined ? [] : membersOf(offered.configuration)
    if (offered !== undefined && this.membersNow().every((id) => named.includes(id))) return offered
    this.isSnapshotWanted = true
    return undefined
  }

  get previous(): EntryId {
    return this.#previous
  }

  /** What was found so far is of no use: the log begins with this index, or a snapshot that is still to be found stands for what was before it. */
  beginAt(index: number): void {
    this.install({ term: 0, index: index - 1 })
  }

  append(entry: RaftEntry, position: WalPosition): void {
    const at = entry.index - this.#previous.index - 1
    assert(at >= 0 && at <= this.#entries.length, 'RAFT-G1: an entry follows those before it')
    if (this.#entries[at]?.term !== entry.term) {
      for (const gone of this.#entries.slice(at)) this.rememberedBytes -= gone.payload.length
      this.#entries.length = at
      this.#positions.length = at
      this.#rememberedFrom = Math.min(this.#rememberedFrom, entry.index)
      this.rememberedBytes += entry.payload.length
      this.#entries.push(entry)
    }
    this.#positions[at] = position
  }

  /** The snapshot stands for all entries up to it, and those behind it are of no use. */
  install({ index, term }: EntryId): void {
    this.#previous = { index, term }
    this.#entries = []
    this.#positions = []
    this.#rememberedFrom = index + 1
    this.rememberedBytes = 0
    this.#wanted = undefined
  }

  /** Entries up to the index are not needed any more. */
  compact(index: number): void {
    if (index <= this.#previous.index) return
    const term = this.termAt(index)
    assert(typeof term === 'number', 'what is compacted is there')
    for (const gone of this.#entries.slice(0, index - this.#previous.index)) this.rememberedBytes -= gone.payload.length
    this.#rememberedFrom = Math.max(this.#rememberedFrom, index + 1)
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
    let oldest = Math.min(this.hardPosition?.file ?? Infinity, this.snapshotPosition?.file ?? Infinity)
    // All of them: when a move forward was torn, the first entries stand behind those that follow them.
    for (const { file } of this.#positions) oldest = Math.min(oldest, file)
    return oldest === Infinity ? undefined : oldest
  }
}
