// Owns the state of one member of one group, and the transitions between its roles. Not what it does in a role (leader.ts, follower.ts,
// election.ts), nor what makes it move (raft.ts).

import { assert, assertDefined } from '../../base/assert.ts'
import { type ChangedConfiguration, type Configuration, emptyConfiguration, isVoter, membersOf } from './configuration.ts'
import { message, type MessageType, nobody, type RaftMessage } from './message.ts'
import { PendingReads } from './pending-reads.ts'
import { Progress } from './progress.ts'
import { jointIndex, jointVote, type Voters, type VoteResult } from './quorum.ts'
import type { RaftLog } from './raft-log.ts'

export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader'

export interface RaftOptions {
  readonly id: number
  /** In ticks. A follower campaigns when it has heard nothing for between one and two of them. */
  readonly electionTicks: number
  readonly heartbeatTicks: number
  /** Of one message's entries; always one entry. */
  readonly messageBytesMax: number
  /** Of payloads that are not committed, per group; always one proposal. */
  readonly uncommittedBytesMax: number
  /** Of entries that are being applied at a time; always one entry. */
  readonly applyingBytesMax: number
  readonly inflight: { readonly messagesMax: number; readonly bytesMax: number }
  /** Asks before it disturbs: a campaign that could not be won leaves term and vote alone (thesis 9.6). */
  readonly preVote: boolean
  /** A leader that does not hear from a quorum for an election timeout steps down; who hears a leader refuses votes (thesis 6.2). */
  readonly checkQuorum: boolean
  /**
   * `safe`: each read is confirmed by a quorum. `lease-based`: by the ticks of a clock, as etcd does it, which can serve stale reads;
   * it is here for the traces alone (multi-raft.md, C15).
   */
  readonly reads: 'safe' | 'lease-based'
  readonly asynchronousStorage: boolean
  /** A follower passes proposals on to its leader; else it refuses them. */
  readonly forwardsProposals: boolean
  /** A leader turns a change of membership into an empty entry while another is not applied, or when the joint state does not admit it. */
  readonly validatesChanges: boolean
  readonly stepsDownOnRemoval: boolean
  /** A random number of ticks below its argument: what is added to the election timeout. */
  readonly jitter: (below: number) => number
}

export interface ReadState {
  readonly index: number
  readonly context: string
}

export class Member {
  readonly options: RaftOptions
  readonly log: RaftLog
  term = 0
  vote: number = nobody
  lead: number = nobody
  role: Role = 'follower'
  configuration: Configuration = emptyConfiguration
  /** Everybody the configuration names, ascending. */
  memberIds: readonly number[] = []
  voters: Voters = { incoming: new Set(), outgoing: new Set() }
  /** Kept by every member, believed by the leader. */
  readonly progress = new Map<number, Progress>()
  readonly votes = new Map<number, boolean>()
  /** May be sent at once. */
  messages: RaftMessage[] = []
  /** Speak of what must be durable first (I1). */
  messagesAfterAppend: RaftMessage[] = []
  readStates: ReadState[] = []
  leadTransferee: number = nobody
  /** While it is not applied no other change of membership is proposed. An upper bound: a new leader takes its last index. */
  pendingChangeIndex = 0
  uncommittedBytes = 0
  reads = new PendingReads()
  /** Reads of a leader that has not committed an entry of its term yet: it does not know what is committed. */
  heldReads: RaftMessage[] = []
  electionElapsed = 0
  heartbeatElapsed = 0
  electionTimeoutTicks = 0

  constructor(options: RaftOptions, log: RaftLog) {
    assert(
      options.electionTicks > options.heartbeatTicks && options.heartbeatTicks > 0,
      'an election takes longer than a heartbeat',
    )
    this.options = options
    this.log = log
  }

  get id(): number {
    return this.options.id
  }

  get isAlone(): boolean {
    return this.voters.incoming.size === 1 && this.voters.outgoing.size === 0
  }

  /** It may become leader: a voter with a log of its own. */
  get isPromotable(): boolean {
    const own = this.progress.get(this.id)
    return own !== undefined && !own.isLearner && this.log.unstable.snapshot === undefined
  }

  progressOf(id: number): Progress {
    return assertDefined(this.progress.get(id), 'a member has a progress')
  }

  send(type: MessageType, to: number, said: Partial<Omit<RaftMessage, 'type' | 'to'>> = {}): void {
    const isElection = type === 'vote' || type === 'vote-response' || type === 'pre-vote' || type === 'pre-vote-response'
    assert(isElection === (said.term !== undefined && said.term > 0), 'only messages of elections speak of another term')
    const isForwarded = type === 'propose' || type === 'read-index'
    const term = isElection ? said.term : isForwarded ? 0 : this.term
    const from = said.from === undefined || said.from === nobody ? this.id : said.from
    const whole = message(type, to, { ...said, from, ...(term === undefined ? {} : { term }) })
    if (type === 'append-response' || type === 'vote-response' || type === 'pre-vote-response') {
      this.messagesAfterAppend.push(whole)
      return
    }
    assert(to !== this.id, 'a member talks to itself only of what it has stored')
    this.messages.push(whole)
  }

  becomeFollower(term: number, lead: number): void {
    this.#reset(term)
    this.lead = lead
    this.role = 'follower'
  }

  becomePreCandidate(): void {
    assert(this.role !== 'leader', 'a leader does not campaign')
    this.votes.clear()
    this.lead = nobody
    this.role = 'pre-candidate'
  }

  becomeCandidate(): void {
    assert(this.role !== 'leader', 'a leader does not campaign')
    this.#reset(this.term + 1)
    this.vote = this.id
    this.role = 'candidate'
  }

  /** Its term's first entry is the caller's to append. */
  becomeLeader(): void {
    assert(this.role === 'candidate', 'only a candidate becomes leader')
    this.#reset(this.term)
    this.lead = this.id
    this.role = 'leader'
    const own = this.progressOf(this.id)
    own.becomeReplicate()
    own.recentlyActive = true
    this.pendingChangeIndex = this.log.lastIndex
  }

  #reset(term: number): void {
    if (this.term !== term) {
      this.term = term
      this.vote = nobody
    }
    this.lead = nobody
    this.leadTransferee = nobody
    this.electionElapsed = 0
    this.heartbeatElapsed = 0
    this.electionTimeoutTicks = this.options.electionTicks + this.options.jitter(this.options.electionTicks)
    this.votes.clear()
    for (const [id, { isLearner }] of this.progress) {
      const match = id === this.id ? this.log.lastIndex : 0
      this.progress.set(id, this.#progress({ match, next: this.log.lastIndex + 1, isLearner }))
    }
    this.pendingChangeIndex = 0
    this.uncommittedBytes = 0
    this.reads = new PendingReads()
    this.heldReads = []
  }

  #progress(start: { readonly match: number; readonly next: number; readonly isLearner: boolean }): Progress {
    return new Progress({ ...start, inflight: this.options.inflight })
  }

  /** The configuration is in force; what it means for a leader is the caller's to do. */
  adopt({ configuration, dropped }: ChangedConfiguration): void {
    this.configuration = configuration
    this.voters = { incoming: new Set(configuration.voters), outgoing: new Set(configuration.votersOutgoing) }
    this.memberIds = membersOf(configuration)
    for (const id of dropped) this.progress.delete(id)
    const learners = new Set(configuration.learners)
    for (const id of this.memberIds) {
      const known = this.progress.get(id)
      if (known !== undefined) {
        known.isLearner = learners.has(id)
        continue
      }
      // Nothing is known of its log: the first probe tells. It counts as active, or it would be a reason to step down at once.
      const fresh = this.#progress({ match: 0, next: Math.max(this.log.lastIndex, 1), isLearner: learners.has(id) })
      fresh.recentlyActive = true
      this.progress.set(id, fresh)
    }
  }

  /** As `adopt`, for a member that begins, or begins anew from a snapshot. */
  adoptAfresh(configuration: Configuration): void {
    this.progress.clear()
    this.adopt({ configuration, dropped: [] })
  }

  isVoter(id: number): boolean {
    return isVoter(this.configuration, id)
  }

  /** The first answer of each counts. */
  recordVote(id: number, granted: boolean): VoteResult {
    if (!this.votes.has(id)) this.votes.set(id, granted)
    return jointVote(this.voters, (voter) => this.votes.get(voter))
  }

  quorumIndex(): number {
    return jointIndex(this.voters, (voter) => this.progress.get(voter)?.match ?? 0)
  }

  quorumIsActive(): boolean {
    return jointVote(this.voters, (voter) => this.progress.get(voter)?.recentlyActive ?? false) === 'won'
  }

  /** Takes payloads that are not committed into account. False when they are too much; one proposal always fits. */
  takeUncommitted(bytes: number): boolean {
    if (this.uncommittedBytes > 0 && bytes > 0 && this.uncommittedBytes + bytes > this.options.uncommittedBytesMax) return false
    this.uncommittedBytes += bytes
    return true
  }

  releaseUncommitted(bytes: number): void {
    // A leader does not count what earlier leaders left, and yet it is applied.
    this.uncommittedBytes = Math.max(0, this.uncommittedBytes - bytes)
  }

  hasCommittedInTerm(): boolean {
    return this.log.termAt(this.log.committed) === this.term
  }
}
