// Owns replication without replicas: one node's logs of many groups over one WAL, for standalone mode. An entry is committed when
// it is durable in the WAL (I1), then goes to the bucket. Not what entries mean (broker).
//
// Order of side effects: append to the WAL -> group commit -> committed, handed to the streamer -> listener told -> acknowledged.

import { assert, assertDefined } from '../base/assert.ts'
import { OpError } from '../base/op-error.ts'
import type { EntryKind } from '../model/entry.ts'
import type { GroupNumber, LeaderEpoch, LogIndex } from '../model/ids.ts'
import { logIndex } from '../model/ids.ts'
import type { CommitListener, ReplicatedLog } from '../model/replicated-log.ts'
import type { PendingEntry } from '../../tiers/stream/index.ts'
import type { Wal, WalPosition } from '../../tiers/ports.ts'
import type { LifeGuard } from './life-guard.ts'

/** Where committed entries go on to the bucket. The metadata group has a stream of its own. */
export interface EntrySink {
  add(entry: PendingEntry, urgent: boolean): void
}

export interface LocalLogsOptions {
  readonly wal: Wal
  readonly term: LeaderEpoch
  readonly listener: CommitListener
  readonly sinkOf: (group: GroupNumber) => EntrySink
  readonly guard: LifeGuard
  /** The WAL failed: the node must stop. */
  readonly onFatal: (error: unknown) => void
}

/** The state of a group at the moment its log is opened. */
export interface GroupStart {
  readonly lastIndex: LogIndex
  readonly streamedIndex: LogIndex
}

class LocalLog implements ReplicatedLog {
  readonly group: GroupNumber
  readonly #logs: LocalLogs
  lastIndex: number
  committed: number
  streamed: number
  /** Somebody waits for entries of this group to be in the bucket (topic durability `bucket`, metadata). */
  urgent: boolean

  constructor(logs: LocalLogs, group: GroupNumber, start: GroupStart, urgent: boolean) {
    this.#logs = logs
    this.group = group
    this.lastIndex = start.lastIndex
    this.committed = start.lastIndex
    this.streamed = start.streamedIndex
    this.urgent = urgent
  }

  /** Nobody else could. */
  readonly isLeading = true
  readonly isCurrent = true
  readonly mayBeDeposed = false

  confirm(done: (isCurrent: boolean) => void): void {
    done(true)
  }

  get term(): LeaderEpoch {
    return this.#logs.term
  }

  get committedIndex(): LogIndex {
    return logIndex(this.committed)
  }

  get streamedIndex(): LogIndex {
    return logIndex(this.streamed)
  }

  propose(kind: EntryKind, payload: Uint8Array): LogIndex {
    return this.#logs.append(this, kind, payload)
  }
}

interface Ticket {
  readonly durable: Promise<void>
  /** Entries appended up to here become committed with it. */
  end: number
}

export class LocalLogs {
  readonly term: LeaderEpoch
  readonly #options: LocalLogsOptions
  readonly #groups = new Map<GroupNumber, LocalLog>()
  #pending: Array<{
    readonly log: LocalLog
    readonly kind: EntryKind
    readonly index: LogIndex
    readonly payload: Uint8Array
    readonly position: WalPosition
  }> = []
  #appended = 0
  #committed = 0
  #ticket: Ticket | undefined
  #waiters: Array<{ readonly end: number; readonly resolve: () => void; readonly reject: (error: OpError) => void }> = []
  #failure: OpError | undefined
  #lastPosition: WalPosition | undefined

  constructor(options: LocalLogsOptions) {
    this.#options = options
    this.term = options.term
  }

  open(group: GroupNumber, start: GroupStart, urgent: boolean): ReplicatedLog {
    assert(!this.#groups.has(group), 'a group is opened once')
    const log = new LocalLog(this, group, start, urgent)
    this.#groups.set(group, log)
    return log
  }

  /** The group is gone (its topic was deleted). Entries on their way still commit. */
  close(group: GroupNumber): void {
    this.#groups.delete(group)
  }

  setUrgent(group: GroupNumber, urgent: boolean): void {
    const log = this.#groups.get(group)
    if (log !== undefined) log.urgent = urgent
  }

  /** Where the newest entry stands. Valid right after `propose`. */
  get positionOfLast(): WalPosition {
    return assertDefined(this.#lastPosition, 'an entry was proposed')
  }

  /** The oldest WAL file with an entry that is not committed yet. */
  get oldestPendingFile(): number | undefined {
    return this.#pending[0]?.position.file
  }

  /** Resolves when everything proposed so far is committed and handed on to the bucket; rejects when it will not be. */
  settled(): Promise<void> {
    if (this.#committed === this.#appended) return Promise.resolve()
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      this.#waiters.push({ end: this.#appended, resolve, reject })
    })
  }

  /** Takes no entries from here on. What was proposed may still become durable; nobody is told. */
  end(reason: OpError): void {
    this.#failure ??= reason
    for (const { reject } of this.#waiters.splice(0)) reject(this.#failure)
  }

  append(log: LocalLog, kind: EntryKind, payload: Uint8Array): LogIndex {
    if (this.#failure !== undefined) throw this.#failure
    const index = logIndex(log.lastIndex + 1)
    const position = this.#options.wal.append({ group: log.group, term: this.term, index, kind, payload })
    log.lastIndex = index
    this.#lastPosition = position
    this.#pending.push({ log, kind, index, payload, position })
    this.#appended += 1
    const durable = this.#options.wal.durable()
    if (this.#ticket?.durable === durable) this.#ticket.end = this.#appended
    else this.#await(durable)
    return index
  }

  #await(durable: Promise<void>): void {
    const ticket = { durable, end: this.#appended }
    this.#ticket = ticket
    durable.then(
      () => {
        this.#commitUpTo(ticket.end)
      },
      (error: unknown) => {
        if (this.#failure !== undefined) return
        const detail = 'the WAL cannot be written; nothing is acknowledged any more'
        this.end(new OpError('closed', { code: 'WAL_FAILED', detail, cause: error }))
        this.#options.onFatal(error)
      },
    )
  }

  #commitUpTo(end: number): void {
    const count = end - this.#committed
    if (count <= 0) return
    const entries = this.#pending.splice(0, count)
    this.#committed = end
    const touched = new Set<LocalLog>()
    for (const { log, kind, index, payload, position } of entries) {
      assert(index === log.committed + 1, 'LOG-1: entries commit in index order')
      log.committed = index
      touched.add(log)
      if (kind === 'node') continue
      this.#options.sinkOf(log.group).add({ group: log.group, term: this.term, index, kind, position, payload }, log.urgent)
    }
    this.#tellSettled()
    this.#options.guard.whenAllowed(() => {
      for (const log of touched) this.#options.listener.onCommitted(log.group, log.committedIndex)
    })
  }

  #tellSettled(): void {
    while ((this.#waiters[0]?.end ?? Infinity) <= this.#committed) this.#waiters.shift()?.resolve()
  }

  /** Told by the streamer's owner: entries of the group are in the bucket up to `index`. */
  streamed(group: GroupNumber, index: LogIndex): void {
    const log = this.#groups.get(group)
    if (log === undefined) return
    assert(index > log.streamed && index <= log.committed, 'LOG-2: what is streamed was committed, and grows')
    log.streamed = index
    this.#options.listener.onStreamed(group, index)
  }
}
