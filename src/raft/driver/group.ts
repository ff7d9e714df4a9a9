// Owns one group as the driver knows it: its core, its log, what it has promised to its leader's node, and on what its own lease rests.
// Not when anything of it runs (multi-raft.ts).
//
// RAFT-D1  while a promise to a leader's node stands, this member gives no vote to others and does not campaign, unless that leader has
//          asked for the election.
// RAFT-D2  a lease rests on promises of a quorum, each made to this leader in this term, in the epoch that is counted on now.

import {
  type Configuration,
  jointIndex,
  type MessageType,
  nobody,
  type NodeSupport,
  type RaftMessage,
  RaftNode,
  type RaftOptions,
  type RaftSnapshot,
} from '../core/index.ts'
import { GroupLog } from './group-log.ts'
import type { StoredGroup } from './wal-store.ts'

interface GroupPromise {
  readonly node: number
  /** Of the support that is promised. */
  readonly epoch: number
  /** In which the node led. */
  readonly term: number
}

export class Group {
  readonly number: number
  readonly log: GroupLog
  readonly node: RaftNode
  /** It stands in the queue of those with something to do. */
  isQueued = false
  /** What was last given to the WAL. */
  storedTerm = 0
  storedVote: number = nobody
  /** What a snapshot on its way pointed to. */
  prepared: { readonly index: number; readonly state: unknown } | undefined
  preparingIndex = 0
  isRecalling = false
  /** All that is kept of the log is about to be written once more: nothing of it is forgotten meanwhile. */
  isMoving = false
  #promise: GroupPromise | undefined
  /** Of each member: the epoch of the promise it made to this leader. */
  readonly #fortified = new Map<number, number>()
  #fortifiedTerm = 0
  /** In this term a follower was asked to take over: it may do so at any time, so no lease holds any more (C8). */
  #handedOverTerm = 0

  constructor(number: number, log: GroupLog, node: RaftNode) {
    this.number = number
    this.log = log
    this.node = node
  }

  get isLeader(): boolean {
    return this.node.raft.role === 'leader'
  }

  /** Whether the core is to hear of it. */
  takes(received: RaftMessage, support: NodeSupport, nowMs: number): boolean {
    const { type, term, reject } = received
    if (type === 'vote' || type === 'pre-vote') return this.#mayVote(received, support, nowMs)
    // Of a round that is over: the core would count it in the one that is under way.
    if (type === 'pre-vote-response') return reject || term === this.node.raft.term + 1
    return type !== 'timeout-now' || nowMs >= support.votesFromMs
  }

  /** Lets go of payloads that nobody is going to ask for. */
  forget(bytesMax: number): void {
    if (this.isMoving) return
    const { raft } = this.node
    const { applied } = raft.log
    let settled = applied
    if (this.isLeader) for (const [id, { match }] of raft.progress) if (id !== raft.id) settled = Math.min(settled, match)
    this.log.forget(settled, applied, bytesMax)
  }

  // --- as a follower

  /** Promises, with an answer to the leader, and tells the epoch; 0 when there is nothing to promise. */
  promise(answer: RaftMessage, support: NodeSupport): number {
    const { raft } = this.node
    if (raft.role !== 'follower' || answer.to !== raft.lead || answer.term !== raft.term) return 0
    const epoch = support.promisedTo(answer.to)
    if (epoch !== 0) this.#promise = { node: answer.to, epoch, term: raft.term }
    return epoch
  }

  /** To whose node it is bound, if that promise stands. */
  promisedNode(support: NodeSupport): number | undefined {
    return this.isPromised(support) ? this.#promise?.node : undefined
  }

  isPromised(support: NodeSupport): boolean {
    return this.#promise !== undefined && support.promisedTo(this.#promise.node) === this.#promise.epoch
  }

  /**
   * The node does not lead the group in this term, nor in any before: what was promised to it there binds no more. True when this member was bound to it,
   * or took it for its leader.
   */
  release(node: number, term: number): boolean {
    const { raft } = this.node
    const wasBound = this.#promise?.node === node && this.#promise.term <= term
    if (wasBound) this.#promise = undefined
    const wasLed = raft.lead === node && raft.role === 'follower' && raft.term <= term
    if (wasLed) this.node.forgetLeader()
    return wasBound || wasLed
  }

  /** Whether a vote may be asked of it (RAFT-D1, RAFT-S3). */
  #mayVote({ from, isTransfer }: RaftMessage, support: NodeSupport, nowMs: number): boolean {
    if (nowMs < support.votesFromMs) return false
    return isTransfer || this.#promise?.node === from || !this.isPromised(support)
  }

  mayCampaign(support: NodeSupport, nowMs: number): boolean {
    return nowMs >= support.votesFromMs && !this.isPromised(support)
  }

  // --- as a leader

  /** A leader that has stepped down and knows of no other tells those who still count on it, until it does. */
  resignedTerm = 0
  tellsAtMs = 0

  /** A member has answered, and the core has heard of it. */
  answered({ from, term }: RaftMessage, supportEpoch: number): void {
    const { raft } = this.node
    const progress = raft.progress.get(from)
    // It has its snapshot; the log may have lost what comes behind it meanwhile, so that it needs the next.
    if (progress?.state === 'snapshot' && progress.match >= progress.pendingSnapshotIndex) this.node.reportSnapshot(from, true)
    if (supportEpoch === 0 || term !== raft.term) return
    if (this.#fortifiedTerm !== term) {
      this.#fortified.clear()
      this.#fortifiedTerm = term
    }
    this.#fortified.set(from, supportEpoch)
  }

  /** Whose promises the lease may rest on. */
  fortifiedBy(support: NodeSupport, nowMs: number): readonly number[] {
    return this.node.raft.memberIds.filter((id) => this.#isFortifiedBy(id, support.countedOn(id, nowMs).epoch))
  }

  handOver(): void {
    this.#handedOverTerm = this.node.raft.term
  }

  #isFortifiedBy(id: number, epoch: number): boolean {
    return epoch !== 0 && this.#fortifiedTerm === this.node.raft.term && this.#fortified.get(id) === epoch
  }

  /**
   * Until when, by this node's clock, nobody else can lead: a read before then is not older than any acknowledged write. 0: there is no
   * lease. To be asked in the same turn in which the state is read (C17).
   */
  leaseUntilMs(support: NodeSupport, nowMs: number): number {
    const { raft } = this.node
    const isChanging = raft.pendingChangeIndex > raft.log.applied && raft.pendingChangeIndex <= raft.log.committed
    if (raft.role !== 'leader' || raft.leadTransferee !== nobody || this.#handedOverTerm === raft.term || isChanging) return 0
    if (!raft.hasCommittedInTerm()) return 0
    const until = jointIndex(raft.voters, (id) => {
      if (id === raft.id) return Infinity
      const { epoch, untilMs } = support.countedOn(id, nowMs)
      return this.#isFortifiedBy(id, epoch) ? untilMs : 0
    })
    return until > nowMs ? until : 0
  }

  /** Everybody has everything and supports this node: no message is missing, and no clock has to run. */
  isQuiet(support: NodeSupport, nowMs: number): boolean {
    const { raft } = this.node
    const { log } = raft
    if (log.committed !== log.lastIndex || log.applied !== log.committed || raft.leadTransferee !== nobody) return false
    if (raft.reads.lastNumber !== 0 || raft.heldReads.length > 0) return false
    return raft.memberIds.every((id) => {
      if (id === raft.id) return true
      const { match, state } = raft.progressOf(id)
      return match === log.lastIndex && state === 'replicate' && this.#isFortifiedBy(id, support.countedOn(id, nowMs).epoch)
    })
  }

  takePrepared({ index }: RaftSnapshot): unknown {
    const state = this.prepared?.index === index ? this.prepared.state : undefined
    this.prepared = undefined
    return state
  }
}

/** They tell a leader that it leads, and carry promises. */
export const isAnswer = (type: MessageType): boolean => type === 'append-response' || type === 'heartbeat-response'

export interface GroupStart {
  /** What the WAL had; undefined for a group that is new here. */
  readonly stored: StoredGroup | undefined
  /** What the state machine has taken already, and who the members were then; of a new group its first members, or none for a member that is to hear of them. */
  readonly applied: { readonly index: number; readonly configuration: Configuration }
}

export function openGroup(number: number, { stored, applied }: GroupStart, options: RaftOptions): Group {
  const log = stored?.log ?? new GroupLog()
  const hard = stored?.hard ?? { term: stored?.snapshot?.term ?? 0, vote: nobody, commit: 0 }
  // What was compacted or applied had been committed; of what is stored as committed, the end may not have become durable.
  const commit = Math.min(Math.max(hard.commit, log.firstIndex() - 1, applied.index), log.lastIndex())
  const node = new RaftNode({
    options,
    log,
    hard: stored === undefined ? undefined : { ...hard, commit },
    configuration: applied.configuration,
    appliedIndex: Math.min(applied.index, commit),
  })
  const group = new Group(number, log, node)
  group.storedTerm = hard.term
  group.storedVote = hard.vote
  log.membersNow = () => node.raft.memberIds
  return group
}
