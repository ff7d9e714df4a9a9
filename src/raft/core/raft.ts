// Owns one member of one group: what each message, each tick, and each report of the storage makes of its state. A pure function of its
// inputs; what it wants done stands in `messages`, in the log's unstable part and in `readStates` (ready.ts hands them out).

import { assert } from '../../base/assert.ts'
import { changed, type Configuration, type MembershipChange } from './configuration.ts'
import { hup, onVoteAsked } from './election.ts'
import { payloadBytesOf, sizeBytesOf } from './entry.ts'
import { stepCandidate, stepFollower } from './follower.ts'
import { stepLeader, type StepRefusal } from './leader.ts'
import { Member, type RaftOptions } from './member.ts'
import { message, nobody, type RaftMessage, type RaftSnapshot } from './message.ts'
import { RaftLog } from './raft-log.ts'
import { broadcastAppend, maybeCommit, maybeSendAppend } from './replication.ts'
import type { StableLog } from './stable-log.ts'

export interface HardState {
  readonly term: number
  readonly vote: number
  readonly commit: number
}

export interface RaftStart {
  readonly options: RaftOptions
  readonly log: StableLog
  /** As it was stored; undefined for a member that never stored any. */
  readonly hard: HardState | undefined
  /** As of `appliedIndex`. */
  readonly configuration: Configuration
  readonly appliedIndex: number
}

export class Raft extends Member {
  constructor({ options, log, hard, configuration, appliedIndex }: RaftStart) {
    super(options, new RaftLog(log, options.applyingBytesMax))
    this.adoptAfresh(configuration)
    if (hard !== undefined) {
      assert(hard.commit >= this.log.committed && hard.commit <= this.log.lastIndex, 'what is stored as committed is in the log')
      this.log.commitTo(hard.commit)
      this.term = hard.term
      this.vote = hard.vote
    }
    if (appliedIndex > 0) this.log.appliedTo(appliedIndex, 0)
    this.becomeFollower(this.term, nobody)
  }

  tick(): void {
    this.electionElapsed += 1
    if (this.role === 'leader') {
      this.#tickLeader()
      return
    }
    if (!this.isPromotable || this.electionElapsed < this.electionTimeoutTicks) return
    this.electionElapsed = 0
    this.step(message('hup', this.id, { from: this.id }))
  }

  #tickLeader(): void {
    this.heartbeatElapsed += 1
    if (this.electionElapsed >= this.options.electionTicks) {
      this.electionElapsed = 0
      if (this.options.checkQuorum) this.step(message('check-quorum', this.id, { from: this.id }))
      // The one it was to be handed to has had its time.
      if (this.role === 'leader') this.leadTransferee = nobody
    }
    if (this.role !== 'leader' || this.heartbeatElapsed < this.options.heartbeatTicks) return
    this.heartbeatElapsed = 0
    this.step(message('beat', this.id, { from: this.id }))
  }

  step(received: RaftMessage): StepRefusal | undefined {
    if (received.term > this.term) {
      if (!this.#meetHigherTerm(received)) return undefined
    } else if (received.term > 0 && received.term < this.term) {
      this.#meetLowerTerm(received)
      return undefined
    }
    return this.#stepInTerm(received)
  }

  #stepInTerm(received: RaftMessage): StepRefusal | undefined {
    const { type } = received
    if (type === 'hup') hup(this, this.options.preVote ? 'pre-election' : 'election')
    else if (type === 'vote' || type === 'pre-vote') onVoteAsked(this, received)
    else if (type === 'storage-append-response') this.#stored(received)
    else if (type === 'storage-apply-response') this.#appliedAll(received)
    else if (this.role === 'leader') return stepLeader(this, received)
    else return this.role === 'follower' ? stepFollower(this, received) : stepCandidate(this, received)
    return undefined
  }

  #stored({ index, logTerm, snapshot }: RaftMessage): void {
    if (index !== 0) this.log.unstable.stableTo({ term: logTerm, index })
    if (snapshot !== undefined) this.#snapshotStored(snapshot)
  }

  #appliedAll({ entries }: RaftMessage): void {
    const last = entries.at(-1)
    if (last === undefined) return
    this.#applied(last.index, sizeBytesOf(entries))
    this.releaseUncommitted(payloadBytesOf(entries))
  }

  /** False when the message is to be ignored. */
  #meetHigherTerm(received: RaftMessage): boolean {
    const { type, term, from, isTransfer, reject } = received
    if (type === 'vote' || type === 'pre-vote') {
      // Who hears a leader does not help to depose it, unless that leader has asked (thesis 4.2.3).
      const hearsLeader = this.options.checkQuorum && this.lead !== nobody && this.electionElapsed < this.options.electionTicks
      if (hearsLeader && !isTransfer) return false
    }
    // A pre-vote asks about a term that has not begun; only its refusal tells of one that has.
    if (type === 'pre-vote' || (type === 'pre-vote-response' && !reject)) return true
    const isFromLeader = type === 'append' || type === 'heartbeat' || type === 'snapshot'
    this.becomeFollower(term, isFromLeader ? from : nobody)
    return true
  }

  #meetLowerTerm({ type, from, snapshot }: RaftMessage): void {
    if ((this.options.checkQuorum || this.options.preVote) && (type === 'heartbeat' || type === 'append')) {
      // A leader of an old term that nobody would vote against: the answer carries our term and ends it.
      this.send('append-response', from)
    } else if (type === 'pre-vote') {
      this.send('pre-vote-response', from, { term: this.term, reject: true })
    } else if (type === 'storage-append-response' && snapshot !== undefined) {
      // Entries of an old term may have been overwritten since; a snapshot is of what was committed.
      this.#snapshotStored(snapshot)
    }
  }

  #snapshotStored(snapshot: RaftSnapshot): void {
    this.log.unstable.snapshotStableTo(snapshot.index)
    this.#applied(snapshot.index, 0)
  }

  #applied(index: number, bytes: number): void {
    const applied = Math.max(index, this.log.applied)
    this.log.appliedTo(applied, bytes)
    if (this.configuration.autoLeave && applied >= this.pendingChangeIndex && this.role === 'leader') {
      // Refused while leadership is handed over: whoever leads next does it.
      this.step(message('propose', this.id, { from: this.id, entries: [leavingEntry] }))
    }
  }

  /** Entries that the log did not have at hand are there: a leader goes on sending. */
  resumeSending(): void {
    if (this.role !== 'leader') return
    for (const id of this.memberIds) if (id !== this.id) maybeSendAppend(this, id, false)
  }

  /** The state machine has come to the change. Whoever proposes one tries it before (`changed`): one that cannot be made ends the member. */
  applyChange(change: MembershipChange): Configuration {
    const outcome = changed(this.configuration, change)
    assert(typeof outcome !== 'string', 'a change that was committed can be made')
    this.adopt(outcome)
    this.#onAdopted()
    return this.configuration
  }

  #onAdopted(): void {
    const own = this.progress.get(this.id)
    if ((own === undefined || own.isLearner) && this.role === 'leader') {
      if (this.options.stepsDownOnRemoval) this.becomeFollower(this.term, nobody)
      return
    }
    if (this.role !== 'leader' || this.configuration.voters.length === 0) return
    if (maybeCommit(this)) {
      // A smaller quorum may hold more.
      broadcastAppend(this)
    } else {
      for (const id of this.memberIds) if (id !== this.id) maybeSendAppend(this, id, false)
    }
    if (this.leadTransferee !== nobody && !this.isVoter(this.leadTransferee)) this.leadTransferee = nobody
  }
}

const leavingEntry = {
  term: 0,
  index: 0,
  kind: 'node',
  change: { transition: 'auto', changes: [] },
  payload: new Uint8Array(0),
} as const
