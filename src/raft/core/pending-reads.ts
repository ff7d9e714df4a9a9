// Owns reads that wait until a quorum has confirmed that the leader still leads (ReadIndex, Raft thesis 6.4). Not where their answers go.

import type { RaftMessage } from './message.ts'
import { jointIndex, type Voters } from './quorum.ts'

export interface PendingRead {
  readonly number: number
  /** The commit index when it was asked: a state machine that has applied it may answer. */
  readonly index: number
  readonly request: RaftMessage
}

export class PendingReads {
  #reads: PendingRead[] = []
  #lastNumber = 0
  /** The last read that each member has confirmed: it confirms all before it too. */
  readonly #confirmed = new Map<number, number>()

  /** Its number. */
  add(index: number, request: RaftMessage): number {
    this.#lastNumber += 1
    this.#reads.push({ number: this.#lastNumber, index, request })
    return this.#lastNumber
  }

  /** Of the newest read that waits; 0 when none does. */
  get lastNumber(): number {
    return this.#reads.at(-1)?.number ?? 0
  }

  /** Reads that are confirmed by a quorum now, in the order they were asked. */
  confirm(node: number, number: number, voters: Voters): readonly PendingRead[] {
    this.#confirmed.set(node, Math.max(this.#confirmed.get(node) ?? 0, number))
    const upTo = jointIndex(voters, (voter) => this.#confirmed.get(voter) ?? 0)
    const count = this.#reads.findIndex((read) => read.number > upTo)
    return this.#reads.splice(0, count < 0 ? this.#reads.length : count)
  }
}
