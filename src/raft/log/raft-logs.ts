// Owns the clustered replicator: a node's logs, each a group of Raft, as whoever proposes entries knows them (model/replicated-log.ts). Not Raft
// (driver/), nor what entries mean (broker).
//
//   following --leads, and its first entry of the term is applied--> leading --another term, another leader--> following (deposed)
//
// RAFT-P1  it is told of every committed entry once and in order: of its own since it leads by `onCommitted`, of all others by `onReplicated`.
// RAFT-P2  who is deposed hears it before any entry of another leader.

import { assert, assertDefined } from '../../base/assert.ts'
import { OpError } from '../../base/op-error.ts'
import type { EntryKind, WalPosition } from '../../model/entry.ts'
import { type GroupNumber, leaderEpoch, type LeaderEpoch, logIndex, type LogIndex } from '../../model/ids.ts'
import type { PlacedEntry, ReplicaListener, ReplicatedLog } from '../../model/replicated-log.ts'
import type { RaftEntry, RaftSnapshot } from '../core/index.ts'
import type { GroupStart } from '../driver/group.ts'
import type { MultiRaft } from '../driver/multi-raft.ts'
import type { GroupMachines, RoleView } from '../ports.ts'

/** A place that is not known yet: in no file that ever is let go of. */
const unplaced = { file: Number.MAX_SAFE_INTEGER, at: 0 } as const

export interface RaftLogsOptions {
  readonly listener: ReplicaListener
  readonly snapshots: Pick<GroupMachines, 'prepare' | 'install' | 'wantSnapshot'>
  /** Who leads a group has changed, as far as this node knows. */
  readonly onLeader: (group: GroupNumber, view: RoleView) => void
}

export class RaftLog implements ReplicatedLog {
  readonly group: GroupNumber
  readonly mayBeDeposed = true
  readonly #logs: RaftLogs
  /** In which this node leads, and since its first entry of it was applied; 0 while it does not. */
  leadingTerm = 0
  /** The node's own view of the group. */
  view: RoleView = { role: 'follower', term: 0, lead: 0 }
  committed: number
  streamed: number
  /** Reads that may be answered once so much is applied. */
  readonly confirming: Array<{ readonly index: number; readonly settle: (isCurrent: boolean) => void }> = []

  constructor(logs: RaftLogs, group: GroupNumber, start: { readonly committed: number; readonly streamed: number }) {
    this.#logs = logs
    this.group = group
    this.committed = start.committed
    this.streamed = start.streamed
  }

  get term(): LeaderEpoch {
    return leaderEpoch(this.leadingTerm === 0 ? this.view.term : this.leadingTerm)
  }

  get isLeading(): boolean {
    return this.leadingTerm !== 0
  }

  get isCurrent(): boolean {
    return this.isLeading && this.#logs.hasLease(this.group)
  }

  confirm(done: (isCurrent: boolean) => void): void {
    this.#logs.confirm(this, done)
  }

  get committedIndex(): LogIndex {
    return logIndex(this.committed)
  }

  get streamedIndex(): LogIndex {
    return logIndex(this.streamed)
  }

  propose(kind: EntryKind, payload: Uint8Array): LogIndex {
    return this.#logs.propose(this, kind, payload)
  }
}

export class RaftLogs implements GroupMachines {
  readonly #options: RaftLogsOptions
  readonly #logs = new Map<number, RaftLog>()
  #raft: MultiRaft | undefined
  #lengthOfLast = 0

  constructor(options: RaftLogsOptions) {
    this.#options = options
  }

  /** The driver whose state machines these are; given before any group is opened. */
  attach(raft: MultiRaft): void {
    this.#raft = raft
  }

  /** `start.applied` names what the owner's state holds already. */
  open(group: GroupNumber, start: GroupStart, streamedIndex: number): RaftLog {
    assert(!this.#logs.has(group), 'a group is opened once')
    const log = new RaftLog(this, group, { committed: start.applied.index, streamed: streamedIndex })
    this.#logs.set(group, log)
    this.#driver.open(group, start)
    return log
  }

  /** The group is not this node's any more: its topic was deleted, or its replica is elsewhere. */
  close(group: GroupNumber): void {
    for (const { settle } of this.#logs.get(group)?.confirming.splice(0) ?? []) settle(false)
    this.#logs.delete(group)
    this.#driver.shut(group)
  }

  log(group: GroupNumber): RaftLog | undefined {
    return this.#logs.get(group)
  }

  /** Of the entry proposed last: its length; where it stands comes with `onPlaced`. */
  get positionOfLast(): WalPosition {
    return { ...unplaced, length: this.#lengthOfLast }
  }

  propose(log: RaftLog, kind: EntryKind, payload: Uint8Array): LogIndex {
    assert(kind !== 'node', 'entries of its own are the replicator’s')
    const mayPropose = log.isLeading && this.#driver.group(log.group)?.node.raft.term === log.leadingTerm
    const proposed = mayPropose ? this.#driver.propose(log.group, [{ kind, change: undefined, payload }]) : undefined
    if (proposed === undefined) throw this.#notTaken(log)
    this.#lengthOfLast = payload.length
    return logIndex(proposed.index)
  }

  /** Told by the streamer's owner: entries of the group are in the bucket up to `index`. What is known already is no news. */
  streamed(group: GroupNumber, index: LogIndex): void {
    const log = this.#logs.get(group)
    if (log === undefined || index <= log.streamed) return
    assert(index <= log.committed, 'what is streamed was committed')
    log.streamed = index
    this.#options.listener.onStreamed(group, index)
  }

  hasLease(group: GroupNumber): boolean {
    return this.#driver.hasLease(group)
  }

  confirm(log: RaftLog, done: (isCurrent: boolean) => void): void {
    if (!log.isLeading) {
      done(false)
      return
    }
    this.#driver.read(log.group, (index) => {
      if (index === undefined || !log.isLeading || this.#logs.get(log.group) !== log) done(false)
      else if (index <= log.committed) done(true)
      else log.confirming.push({ index, settle: done })
    })
  }

  // --- told by the driver

  apply(group: number, entries: readonly RaftEntry[]): void {
    const log = this.#logs.get(group)
    if (log === undefined) return
    for (let at = 0; at < entries.length;) {
      const first = assertDefined(entries[at], 'an entry of the run')
      if (first.term !== log.leadingTerm) this.#depose(log)
      let end = at + 1
      while (end < entries.length && entries[end]?.term === first.term) end += 1
      this.#applyRun(log, entries.slice(at, end))
      at = end
    }
  }

  prepare(group: number, snapshot: RaftSnapshot): Promise<unknown> {
    return this.#options.snapshots.prepare(group, snapshot)
  }

  install(group: number, snapshot: RaftSnapshot, prepared: unknown): void {
    const log = this.#logs.get(group)
    if (log === undefined) return
    this.#depose(log)
    log.committed = snapshot.index
    this.#options.snapshots.install(group, snapshot, prepared)
  }

  wantSnapshot(group: number): void {
    this.#options.snapshots.wantSnapshot(group)
  }

  moved(group: number): void {
    const log = this.#logs.get(group)
    const found = this.#driver.group(group)
    if (log === undefined || found === undefined) return
    for (const { index, kind } of found.log.kept) {
      if (kind === 'node' || index > log.committed) continue
      this.#options.listener.onPlaced(log.group, logIndex(index), this.#positionOf(log, index))
    }
  }

  onRole(group: number, view: RoleView): void {
    const log = this.#logs.get(group)
    if (log === undefined) return
    if (view.role !== 'leader' || view.term !== log.leadingTerm) this.#depose(log)
    log.view = view
    this.#options.onLeader(log.group, view)
    this.#maybeLead(log)
  }

  // --- inside

  get #driver(): MultiRaft {
    return assertDefined(this.#raft, 'the driver is attached first')
  }

  /** Entries of one term. */
  #applyRun(log: RaftLog, run: readonly RaftEntry[]): void {
    const last = assertDefined(run.at(-1), 'a run has entries')
    const { listener } = this.#options
    log.committed = last.index
    const data = run.filter(({ kind }) => kind !== 'node')
    if (log.isLeading) {
      for (const { index } of data) listener.onPlaced(log.group, logIndex(index), this.#positionOf(log, index))
      listener.onCommitted(log.group, log.committedIndex)
      while ((log.confirming[0]?.index ?? Infinity) <= log.committed) log.confirming.shift()?.settle(true)
      return
    }
    if (data.length > 0) listener.onReplicated(log.group, data.map((entry) => this.#placed(log, entry))) // prettier-ignore
    this.#maybeLead(log)
  }

  #placed(log: RaftLog, { index, term, kind, payload }: RaftEntry): PlacedEntry {
    const entry = { group: log.group, term: leaderEpoch(term), index: logIndex(index), kind, payload }
    return { entry, position: this.#positionOf(log, index) }
  }

  #positionOf(log: RaftLog, index: number): WalPosition {
    const position = this.#driver.group(log.group)?.log.positionOf(index)
    return assertDefined(position, 'what is committed here stands in the WAL here')
  }

  /** It leads, and all that stood there when it began has been taken in: its first entry stands behind that. */
  #maybeLead(log: RaftLog): void {
    const { role, term } = log.view
    if (role !== 'leader' || log.isLeading) return
    const raft = this.#driver.group(log.group)?.node.raft
    if (raft?.role !== 'leader' || raft.term !== term || !raft.hasCommittedInTerm() || raft.log.termAt(log.committed) !== term)
      return
    log.leadingTerm = term
    this.#options.listener.onLeading(log.group, leaderEpoch(term))
  }

  #depose(log: RaftLog): void {
    if (!log.isLeading) return
    log.leadingTerm = 0
    for (const { settle } of log.confirming.splice(0)) settle(false)
    this.#options.listener.onDeposed(log.group)
  }

  #notTaken(log: RaftLog): OpError {
    const { role, term, lead } = log.view
    if (role !== 'leader' || !log.isLeading) {
      const who = lead === 0 ? 'nobody is known to lead it' : `node ${lead} leads it`
      return new OpError('closed', { code: 'NOT_LEADER', detail: `group ${log.group}, term ${term}: ${who}` })
    }
    const detail = `group ${log.group} takes nothing now: too much waits for its followers, or it is being handed over; try again`
    return new OpError('busy', { code: 'GROUP_BUSY', detail })
  }
}
