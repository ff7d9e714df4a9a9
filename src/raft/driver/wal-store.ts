// Owns what groups store: their entries, hard states and snapshots as frames of the node's one WAL, and finding them again at the start.
// Not when a group stores (multi-raft.ts).
//
// Order of side effects: append frames → `durable()` → what depends on them leaves (I1).
//
// RAFT-W1  a hard state stands before the entries that came with it: no entry is found without the term it was taken in.
// RAFT-W2  a file goes only when everything that a group needs is durable in those that stay; in their beginning any part of it may stand, and
//          parts of moves that were torn.

import { OpError } from '../../base/op-error.ts'
import type { LogEntry, WalPosition } from '../../model/entry.ts'
import { groupNumber, leaderEpoch, logIndex } from '../../model/ids.ts'
import type { Wal, WalUsage } from '../../../tiers/ports.ts'
import type { HardState, RaftEntry, RaftSnapshot } from '../core/index.ts'
import { GroupLog } from './group-log.ts'
import { decodeNodeFrame, encodeBoot, encodeHard, encodeOwnEntry, encodeSnapshot } from './node-frames.ts'

/** What a group left behind. */
export interface StoredGroup {
  readonly log: GroupLog
  readonly hard: HardState | undefined
  /** The newest that was installed or taken here. */
  readonly snapshot: RaftSnapshot | undefined
}

export interface StoredNode {
  readonly groups: ReadonlyMap<number, StoredGroup>
  /** Of the last start; 0 before the first. */
  readonly boot: number
}

interface Found {
  readonly log: GroupLog
  hard: HardState | undefined
  snapshot: RaftSnapshot | undefined
}

/** Takes what `openWal` finds, frame by frame, and tells what it comes to. */
export class StoredGroups implements StoredNode {
  readonly groups = new Map<number, Found>()
  boot = 0

  /** The payload may be a view that is used again: what lasts is copied. */
  onEntry({ group, term, index, kind, payload }: LogEntry, position: WalPosition): void {
    if (kind !== 'node') {
      this.#take(group, { term, index, kind, change: undefined, payload: new Uint8Array(payload) }, position)
      return
    }
    const decoded = decodeNodeFrame(payload, term)
    if (!decoded.ok) {
      const detail = `group ${group} has a frame in WAL file ${position.file} at ${position.at} that says nothing: ${decoded.failure}`
      throw new OpError('corrupt', { code: 'RAFT_FRAME_INVALID', detail })
    }
    const frame = decoded.value
    if (frame.kind === 'boot') {
      this.boot = frame.boot
      return
    }
    const found = this.#found(group)
    if (frame.kind === 'first' || frame.kind === 'change') {
      const change = frame.kind === 'change' ? frame.change : undefined
      this.#take(group, { term, index, kind, change, payload: new Uint8Array(0) }, position)
    } else {
      if (frame.kind === 'hard') {
        found.hard = { term, vote: frame.vote, commit: frame.commit }
        found.log.hardPosition = position
      } else {
        adoptSnapshot(found, frame.snapshot)
        found.log.snapshotPosition = position
      }
    }
  }

  #take(group: number, entry: RaftEntry, position: WalPosition): void {
    const { log } = this.#found(group)
    // What stood before is gone with its file, or is the beginning of a move that was torn. All of it was written once more further on, or a snapshot
    // there stands for it, before any file went (RAFT-W2): what was found so far is of no use.
    if (entry.index < log.firstIndex() || entry.index > log.lastIndex() + 1) log.beginAt(entry.index)
    log.append(entry, position)
  }

  /**
   * Groups of which something is missing once all was found, and what: their WAL was damaged. Such a member must not vote or acknowledge with what is
   * left; it joins anew (multi-raft.md, 4.1).
   */
  incomplete(): ReadonlyMap<number, string> {
    const found = new Map<number, string>()
    for (const [group, { log, snapshot }] of this.groups) {
      const { index, term } = log.previous
      if (index === (snapshot?.index ?? 0) && term === (snapshot?.term ?? 0)) continue
      const begins = snapshot === undefined ? 'has no snapshot' : `has its snapshot at ${snapshot.index}`
      found.set(group, `group ${group} ${begins}, and its log begins with ${index + 1}`)
    }
    return found
  }

  #found(group: number): Found {
    let found = this.groups.get(group)
    if (found === undefined) {
      found = { log: new GroupLog(), hard: undefined, snapshot: undefined }
      this.groups.set(group, found)
    }
    return found
  }
}

/** Installed over a log that does not have its last entry, or taken of one that has. */
function adoptSnapshot(found: Found, snapshot: RaftSnapshot): void {
  found.snapshot = snapshot
  found.log.offered = snapshot
  if (found.log.termAt(snapshot.index) === snapshot.term) found.log.compact(snapshot.index)
  else found.log.install(snapshot)
}

/** What a member of a group is to store, in one go. */
export interface StoreOrder {
  readonly hard: HardState | undefined
  readonly entries: readonly RaftEntry[]
  readonly snapshot: RaftSnapshot | undefined
}

export interface CompactOrder {
  readonly group: number
  readonly log: GroupLog
  readonly hard: HardState
  readonly snapshot: RaftSnapshot
}

export class WalStore {
  readonly #wal: Wal
  #boot = 0
  #bootPosition: WalPosition | undefined

  constructor(wal: Wal) {
    this.#wal = wal
  }

  /** Throws what `Wal.append` throws. */
  write(group: number, log: GroupLog, { hard, entries, snapshot }: StoreOrder): void {
    if (hard !== undefined) this.#writeHard(group, log, hard)
    if (snapshot !== undefined) {
      this.#writeSnapshot(group, log, snapshot)
      log.install(snapshot)
    }
    for (const entry of entries) log.append(entry, this.#append(group, entry))
  }

  /** A snapshot of the group's own was taken: entries up to it are not needed. The hard state is said again, in front of what stays. */
  compact({ group, log, hard, snapshot }: CompactOrder): void {
    this.#writeHard(group, log, hard)
    this.#writeSnapshot(group, log, snapshot)
    log.compact(snapshot.index)
  }

  /** Writes once more what the group needs of old WAL files: a group that is idle must not keep them (C25). All payloads are there. */
  moveForward({ group, log, hard }: Omit<CompactOrder, 'snapshot'>): void {
    this.#writeHard(group, log, hard)
    if (log.offered !== undefined) this.#writeSnapshot(group, log, log.offered)
    for (const entry of log.kept) log.append(entry, this.#append(group, entry))
  }

  /** Makes the number of this start durable; it is used only then. */
  async begin(boot: number): Promise<void> {
    this.#boot = boot
    this.#bootPosition = this.#node(0, 0, encodeBoot(boot))
    await this.#wal.durable()
  }

  /** Files below it may be let go of, as far as this node's own start is concerned; its number is written once more if need be. */
  moveBootForward(beforeFile: number): void {
    if (this.#bootPosition !== undefined && this.#bootPosition.file < beforeFile) {
      this.#bootPosition = this.#node(0, 0, encodeBoot(this.#boot))
    }
  }

  release(beforeFile: number): void {
    this.#wal.release(beforeFile)
  }

  usage(): WalUsage {
    return this.#wal.usage()
  }

  durable(): Promise<void> {
    return this.#wal.durable()
  }

  /** Payloads of entries that the log has forgotten. Rejects with what `Wal.readMany` rejects with. */
  async recall(log: GroupLog, asked: readonly { readonly entry: RaftEntry; readonly position: WalPosition }[]): Promise<void> {
    const payloads = await this.#wal.readMany(asked.map(({ position }) => position))
    for (const [at, { entry }] of asked.entries()) log.remember(entry, payloads[at]!)
  }

  #writeHard(group: number, log: GroupLog, { term, vote, commit }: HardState): void {
    log.hardPosition = this.#node(group, term, encodeHard(vote, commit))
  }

  #writeSnapshot(group: number, log: GroupLog, snapshot: RaftSnapshot): void {
    log.snapshotPosition = this.#node(group, snapshot.term, encodeSnapshot(snapshot))
    log.offered = snapshot
  }

  #append(group: number, { term, index, kind, change, payload }: RaftEntry): WalPosition {
    const bytes = kind === 'node' ? encodeOwnEntry(change) : payload
    return this.#wal.append({ group: groupNumber(group), term: leaderEpoch(term), index: logIndex(index), kind, payload: bytes })
  }

  #node(group: number, term: number, payload: Uint8Array): WalPosition {
    const frame = { group: groupNumber(group), term: leaderEpoch(term), index: logIndex(0), kind: 'node', payload } as const
    return this.#wal.append(frame)
  }
}
