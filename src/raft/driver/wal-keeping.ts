// Owns what groups keep in the WAL beyond what they write: reading again what they have forgotten, and letting files go. Not the frames
// (wal-store.ts).

import type { Group } from './group.ts'
import type { WalStore } from './wal-store.ts'

export interface WalKeepingOptions {
  readonly store: WalStore
  readonly recalledBytesMax: number
  readonly groups: ReadonlyMap<number, Group>
  /** Something is yet to be appended: the WAL does not say what the groups know. */
  readonly isBehind: () => boolean
  readonly isClosed: () => boolean
  /** Entries that somebody needed are there. */
  readonly onRecalled: (group: Group) => void
  /** What the group keeps stands elsewhere now. */
  readonly onMoved: (group: Group) => void
  readonly onFatal: (error: unknown) => void
}

export class WalKeeping {
  readonly #options: WalKeepingOptions

  constructor(options: WalKeepingOptions) {
    this.#options = options
  }

  /** Reads what a member needs of the WAL, if it does; one read of a group at a time. */
  recall(group: Group): void {
    const { store, recalledBytesMax, onRecalled, onFatal } = this.#options
    if (group.isRecalling) return
    const asked = group.log.takeWanted(recalledBytesMax)
    if (asked.length === 0) return
    group.isRecalling = true
    store.recall(group.log, asked).then(
      () => {
        group.isRecalling = false
        if (this.#isHere(group)) onRecalled(group)
      },
      (error: unknown) => onFatal(error),
    )
  }

  /**
   * Lets go of WAL files below the one given: what groups need of them is written once more, made durable, and only then they go (RAFT-W2). To
   * be asked for as many as are worth it: a group with much to write should have a snapshot instead. Rejects with what `Wal.append` throws.
   */
  async releaseBelow(file: number): Promise<void> {
    const { store, groups, isClosed } = this.#options
    for (const group of groups.values()) if ((group.log.oldestFile ?? Infinity) < file) await this.#moveForward(group)
    if (isClosed()) return
    store.moveBootForward(file)
    // Of what is made durable now: a hard state that is written meanwhile may be lost, and then the one before it counts.
    const oldest = [...groups.values()].map(({ log }) => log.oldestFile ?? Infinity)
    await store.durable()
    if (!isClosed()) store.release(Math.min(file, ...oldest))
  }

  async #moveForward(group: Group): Promise<void> {
    const { store, isBehind, onMoved } = this.#options
    group.isMoving = true
    try {
      if (!(await this.#recallAll(group)) || isBehind()) return
      const { term, vote, log } = group.node.raft
      store.moveForward({ group: group.number, log: group.log, hard: { term, vote, commit: log.committed } })
      onMoved(group)
    } finally {
      group.isMoving = false
    }
  }

  /** Until no payload is missing. False when the group, or this node, is gone meanwhile. */
  async #recallAll(group: Group): Promise<boolean> {
    const { store, recalledBytesMax } = this.#options
    for (;;) {
      const asked = group.log.forgottenFrom(0, recalledBytesMax)
      if (asked.length === 0 || !this.#isHere(group)) return this.#isHere(group)
      await store.recall(group.log, asked)
    }
  }

  #isHere(group: Group): boolean {
    return !this.#options.isClosed() && this.#options.groups.get(group.number) === group
  }
}
