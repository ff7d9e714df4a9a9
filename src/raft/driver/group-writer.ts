// Owns getting what groups store into the WAL, in order, and telling when it is there: one sync for all that a turn has gathered (C25). Not
// what is stored (wal-store.ts) nor what follows from it (multi-raft.ts).

import type { Clock } from '../../base/clock.ts'
import { isOpError } from '../../base/op-error.ts'
import type { RaftMessage, RaftSnapshot } from '../core/index.ts'
import type { Group } from './group.ts'
import type { StoreOrder, WalStore } from './wal-store.ts'

/** What may leave now, or be told to the group itself. */
export interface Stored {
  readonly group: Group
  readonly responses: readonly RaftMessage[]
  readonly snapshot: RaftSnapshot | undefined
}

export interface GroupWriterOptions {
  readonly store: WalStore
  readonly clock: Clock
  readonly writeAgainMs: number
  readonly onStored: (stored: Stored) => void
  /** The WAL cannot be written. */
  readonly onFatal: (error: unknown) => void
}

export class GroupWriter {
  readonly #options: GroupWriterOptions
  /** What the WAL had no room for. */
  #backlog: Array<{ readonly order: StoreOrder | undefined; readonly stored: Stored }> = []
  /** In the WAL, not synced. */
  #written: Stored[] = []
  /** When the syncs under way began, oldest first: they end in that order. */
  readonly #syncsSinceMs: number[] = []
  #isClosed = false

  constructor(options: GroupWriterOptions) {
    this.#options = options
  }

  close(): void {
    this.#isClosed = true
  }

  /** Something is yet to be appended: the WAL does not say what the groups know. */
  get isBehind(): boolean {
    return this.#backlog.length > 0
  }

  /** How long the oldest sync has been under way. */
  waitedMs(nowMs: number): number {
    return nowMs - (this.#syncsSinceMs[0] ?? nowMs)
  }

  /** What the core's append queue is asked. `asking`: requests for votes, which depend on it too. */
  write(group: Group, { term, vote, commit, entries, snapshot, responses }: RaftMessage, asking: readonly RaftMessage[]): void {
    const isMore = entries.length > 0 || snapshot !== undefined
    // A commit index alone is not worth a write: who starts again is told it.
    const isHard = term !== 0 && (term !== group.storedTerm || vote !== group.storedVote || isMore)
    if (isHard) {
      group.storedTerm = term
      group.storedVote = vote
    }
    const order = isHard || isMore ? { hard: isHard ? { term, vote, commit } : undefined, entries, snapshot } : undefined
    this.#backlog.push({ order, stored: { group, responses: [...responses, ...asking], snapshot } })
    if (this.#backlog.length === 1) this.#append()
  }

  /** As much as the WAL takes; the rest once it has room. */
  #append(): void {
    const { store, clock, writeAgainMs, onFatal } = this.#options
    while (this.#backlog.length > 0) {
      const { order, stored } = this.#backlog[0]!
      try {
        if (order !== undefined) store.write(stored.group.number, stored.group.log, order)
      } catch (error) {
        if (!isOpError(error) || error.kind !== 'busy') {
          onFatal(error)
          return
        }
        clock.after(writeAgainMs, () => {
          if (this.#isClosed) return
          this.#append()
          this.sync()
        })
        return
      }
      this.#backlog.shift()
      this.#written.push(stored)
    }
  }

  /** Makes durable what was appended since the last call. */
  sync(): void {
    if (this.#written.length === 0) return
    const written = this.#written
    this.#written = []
    const { clock, store, onStored, onFatal } = this.#options
    this.#syncsSinceMs.push(clock.monotonicMs())
    store.durable().then(
      () => {
        if (this.#isClosed) return
        this.#syncsSinceMs.shift()
        for (const stored of written) onStored(stored)
      },
      (error: unknown) => onFatal(error),
    )
  }
}
