// Owns the door of the core: calls in, and out of it one Ready at a time: what is to be stored, sent and applied, in which order.
//
// Order of side effects, with synchronous storage: store hard state, entries, snapshot → apply → send the messages → `advance`. With
// asynchronous storage: everything is a message; those to the node's own queues carry the responses that may leave when they are done.
//
// RAFT-R1  a message that speaks of what must be durable leaves after it is (I1).

import { assert } from '../../base/assert.ts'
import type { Configuration, MembershipChange } from './configuration.ts'
import type { Proposal, RaftEntry } from './entry.ts'
import type { ReadState, Role } from './member.ts'
import {
  appendQueue,
  applyQueue,
  isResponse,
  isStorageQueue,
  isToItself,
  message,
  nobody,
  type RaftMessage,
  type RaftSnapshot,
} from './message.ts'
import { type HardState, Raft, type RaftStart } from './raft.ts'
import type { StepRefusal } from './leader.ts'

export interface SoftState {
  readonly lead: number
  readonly role: Role
}

export interface Ready {
  /** Absent: as it was. */
  readonly soft: SoftState | undefined
  readonly hard: HardState | undefined
  readonly entries: readonly RaftEntry[]
  readonly snapshot: RaftSnapshot | undefined
  readonly committed: readonly RaftEntry[]
  readonly messages: readonly RaftMessage[]
  readonly readStates: readonly ReadState[]
  /** Term, vote or entries changed: the storage must be synced before what depends on it is sent. A commit index alone may wait. */
  readonly mustSync: boolean
}

export type NodeRefusal = StepRefusal | 'local-message' | 'peer-unknown'

const isEmptyHard = ({ term, vote, commit }: HardState): boolean => term === 0 && vote === nobody && commit === 0
const isSameHard = (left: HardState, right: HardState): boolean =>
  left.term === right.term && left.vote === right.vote && left.commit === right.commit

export class RaftNode {
  readonly raft: Raft
  #soft: SoftState
  #hard: HardState
  /** Synchronous storage: what the node has to tell itself once all is stored and applied. */
  #onAdvance: RaftMessage[] = []

  constructor(start: RaftStart) {
    this.raft = new Raft(start)
    this.#soft = this.#softState()
    this.#hard = this.#hardState()
  }

  tick(): void {
    this.raft.tick()
  }

  /** Heartbeats to all, now: a leader's. */
  heartbeat(): void {
    this.raft.step(message('beat', this.raft.id, { from: this.raft.id }))
  }

  campaign(): void {
    this.raft.step(message('hup', this.raft.id))
  }

  propose(proposals: readonly Proposal[]): NodeRefusal | undefined {
    const { id } = this.raft
    const entries = proposals.map((proposal): RaftEntry => ({ term: 0, index: 0, ...proposal }))
    return this.raft.step(message('propose', id, { from: id, entries }))
  }

  /** The change of membership that the state machine has come to. */
  applyChange(change: MembershipChange): Configuration {
    return this.raft.applyChange(change)
  }

  /** A message of another member, or of the own storage. */
  step(received: RaftMessage): NodeRefusal | undefined {
    const isOfStorage = isStorageQueue(received.from)
    if (isToItself(received.type) && !isOfStorage) return 'local-message'
    if (isResponse(received.type) && !isOfStorage && !this.raft.progress.has(received.from)) return 'peer-unknown'
    return this.raft.step(received)
  }

  reportUnreachable(id: number): void {
    this.raft.step(message('unreachable', this.raft.id, { from: id }))
  }

  reportSnapshot(id: number, isInstalled: boolean): void {
    this.raft.step(message('snapshot-status', this.raft.id, { from: id, reject: !isInstalled }))
  }

  transferLeadership(to: number): void {
    this.raft.step(message('transfer-leader', this.raft.id, { from: to }))
  }

  forgetLeader(): void {
    this.raft.step(message('forget-leader', this.raft.id))
  }

  /** Answered in some Ready's `readStates`, with the context; or never, should leadership move meanwhile. */
  readIndex(context: string): void {
    this.raft.step(message('read-index', this.raft.id, { readContext: context }))
  }

  hasReady(): boolean {
    const { raft } = this
    const { log } = raft
    const soft = this.#softState()
    const hard = this.#hardState()
    return (
      soft.lead !== this.#soft.lead ||
      soft.role !== this.#soft.role ||
      (!isEmptyHard(hard) && !isSameHard(hard, this.#hard)) ||
      log.unstable.maybeNextSnapshot() !== undefined ||
      raft.messages.length + raft.messagesAfterAppend.length + raft.readStates.length > 0 ||
      log.unstable.hasNextEntries() ||
      log.hasNextCommitted(!raft.options.asynchronousStorage)
    )
  }

  /** What is to be done now; taken as accepted. With synchronous storage `advance` has to follow before the next. */
  ready(): Ready {
    const { raft } = this
    assert(this.#onAdvance.length === 0, 'a Ready is advanced before the next')
    const soft = this.#softState()
    const hard = this.#hardState()
    const entries = raft.log.unstable.nextEntries()
    const ready = {
      soft: soft.lead === this.#soft.lead && soft.role === this.#soft.role ? undefined : soft,
      hard: isSameHard(hard, this.#hard) ? undefined : hard,
      entries,
      snapshot: raft.log.unstable.maybeNextSnapshot(),
      committed: raft.log.nextCommitted(!raft.options.asynchronousStorage),
      messages: raft.messages,
      readStates: raft.readStates,
      mustSync: entries.length > 0 || hard.vote !== this.#hard.vote || hard.term !== this.#hard.term,
    }
    const messages = raft.options.asynchronousStorage ? this.#withStorageMessages(ready) : this.#withLaterMessages(ready)
    this.#accept(ready)
    return { ...ready, messages }
  }

  /** Synchronous storage: the last Ready is stored, its entries are applied. */
  advance(): void {
    const told = this.#onAdvance
    this.#onAdvance = []
    for (const one of told) this.raft.step(one)
  }

  #withLaterMessages(ready: Ready): readonly RaftMessage[] {
    const { raft } = this
    const own = raft.messagesAfterAppend.filter(({ to }) => to === raft.id)
    const others = raft.messagesAfterAppend.filter(({ to }) => to !== raft.id)
    this.#onAdvance = [...own]
    if (this.#hasUnstable(ready)) this.#onAdvance.push(this.#appendResponse(ready))
    if (ready.committed.length > 0) this.#onAdvance.push(this.#applyResponse(ready))
    return [...ready.messages, ...others]
  }

  #withStorageMessages(ready: Ready): readonly RaftMessage[] {
    const { raft } = this
    const messages = [...ready.messages]
    const { hard, entries, snapshot, committed } = ready
    if (entries.length > 0 || hard !== undefined || snapshot !== undefined || raft.messagesAfterAppend.length > 0) {
      const responses = [...raft.messagesAfterAppend]
      if (this.#hasUnstable(ready)) responses.push(this.#appendResponse(ready))
      messages.push(message('storage-append', appendQueue, { from: raft.id, ...hard, entries, snapshot, responses }))
    }
    if (committed.length > 0) {
      const responses = [this.#applyResponse(ready)]
      messages.push(message('storage-apply', applyQueue, { from: raft.id, entries: committed, responses }))
    }
    return messages
  }

  #hasUnstable({ snapshot }: Ready): boolean {
    return this.raft.log.unstable.entries.length > 0 || snapshot !== undefined
  }

  /**
   * Tells the last entry of the whole log, with its term and with ours: an answer about entries that a newer leader has overwritten, and
   * written again, is known by them (the ABA problem).
   */
  #appendResponse({ snapshot }: Ready): RaftMessage {
    const { raft } = this
    const last = raft.log.unstable.entries.length > 0 ? raft.log.lastId() : { term: 0, index: 0 }
    return message('storage-append-response', raft.id, {
      from: appendQueue,
      term: raft.term,
      index: last.index,
      logTerm: last.term,
      snapshot,
    })
  }

  #applyResponse({ committed }: Ready): RaftMessage {
    return message('storage-apply-response', this.raft.id, { from: applyQueue, entries: committed })
  }

  #accept({ soft, hard, committed }: Ready): void {
    const { raft } = this
    if (soft !== undefined) this.#soft = soft
    if (hard !== undefined) this.#hard = hard
    raft.messages = []
    raft.messagesAfterAppend = []
    raft.readStates = []
    raft.log.unstable.accept()
    raft.log.acceptApplying(committed, !raft.options.asynchronousStorage)
  }

  #softState(): SoftState {
    return { lead: this.raft.lead, role: this.raft.role }
  }

  #hardState(): HardState {
    const { term, vote, log } = this.raft
    return { term, vote, commit: log.committed }
  }
}
