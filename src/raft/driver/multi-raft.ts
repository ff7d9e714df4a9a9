// Owns all groups of one node on one event loop: whose turn it is, what is stored in one sync and sent in one frame, when clocks run, and
// what the loss of a node means (multi-raft.md, C19–C29). Not Raft itself (core/), the bytes (wal-store.ts), nor the network.
//
// A group has work when a message, a proposal or an answer of the disk is there; nothing looks at groups without work, except when a node
// is lost or found, and a tick for those whose members do not all have everything.
//
// Order of side effects, per turn: store (no sync yet) → apply what is committed → send what depends on nothing → sync → send what
// depends on it (I1, RAFT-R1).

import { assert } from '../../base/assert.ts'
import type { Cancel, Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import { isOpError } from '../../base/op-error.ts'
import type { Prng } from '../../base/prng.ts'
import {
  appendQueue,
  applyQueue,
  changed,
  type ChangeRefusal,
  type MembershipChange,
  message,
  NodeSupport,
  nobody,
  type Proposal,
  type RaftMessage,
  type RaftSnapshot,
  type SupportMessage,
} from '../core/index.ts'
import type { Envelope, GroupMachines, RaftTransport } from '../ports.ts'
import { type Group, type GroupStart, isAnswer, openGroup } from './group.ts'
import { GroupWriter, type Stored } from './group-writer.ts'
import { Orphans } from './orphans.ts'
import { isSound } from './sound-message.ts'
import type { MultiRaftSettings } from './settings.ts'
import { WaitingReads } from './waiting-reads.ts'
import { WalKeeping } from './wal-keeping.ts'
import type { WalStore } from './wal-store.ts'

export interface MultiRaftOptions {
  readonly id: number
  /** Greater at every start, and durable already (`WalStore.begin`). */
  readonly boot: number
  readonly settings: MultiRaftSettings
  readonly clock: Clock
  readonly prng: Prng
  readonly store: WalStore
  readonly transport: RaftTransport
  readonly machines: GroupMachines
  readonly log: Log
  /** The WAL cannot be written: the node must stop. */
  readonly onFatal: (error: unknown) => void
}

export interface Proposed {
  readonly term: number
  /** Of the last entry. */
  readonly index: number
}

export type ChangeOutcome = ChangeRefusal | 'not-leader' | 'too-few-voters' | 'proposed'

/** Below three, the loss of one member is the loss of all (C13). */
const votersMin = 3

export class MultiRaft {
  readonly support: NodeSupport
  readonly #options: MultiRaftOptions
  readonly #groups = new Map<number, Group>()
  #ready: Group[] = []
  #isTurnDue = false
  readonly #ticking = new Set<Group>()
  readonly #orphans: Orphans
  readonly #outbox = new Map<number, Envelope[]>()
  readonly #writer: GroupWriter
  readonly #keeping: WalKeeping
  readonly #reads: WaitingReads
  readonly #timers = new Set<Cancel>()
  #isClosed = false

  constructor(options: MultiRaftOptions) {
    const { settings, boot, clock } = options
    this.#options = options
    this.support = new NodeSupport(settings.support, boot, clock.monotonicMs())
    this.#reads = new WaitingReads({ prefix: `${options.id}.${boot}`, clock, readMs: settings.readMs })
    this.#writer = new GroupWriter({
      store: options.store,
      clock,
      writeAgainMs: settings.writeAgainMs,
      onStored: (stored) => this.#stored(stored),
      onFatal: (error) => this.#fail(error),
    })
    this.#keeping = new WalKeeping({
      store: options.store,
      recalledBytesMax: settings.recalledBytesMax,
      groups: this.#groups,
      isBehind: () => this.#writer.isBehind,
      isClosed: () => this.#isClosed,
      onRecalled: (group) => this.#recalled(group),
      onMoved: ({ number }) => options.machines.moved(number),
      onFatal: (error) => this.#fail(error),
    })
    this.#orphans = new Orphans({
      support: this.support,
      clock,
      staggerMs: settings.staggerMs,
      onCampaign: (group) => this.#enqueue(group),
    })
    this.#every(settings.tickMs, () => this.#tick())
    this.#every(settings.requestMs, () => this.#requestSupport())
    this.#every(settings.withdrawMs, () => this.#withdraw())
  }

  close(): void {
    this.#isClosed = true
    this.#writer.close()
    for (const cancel of this.#timers) cancel()
    this.#reads.close()
  }

  open(number: number, start: GroupStart): Group {
    assert(!this.#groups.has(number), 'a group is opened once')
    const { id, settings, prng } = this.#options
    const group = openGroup(number, start, { ...settings.core, id, jitter: (below) => prng.below(below) })
    this.#groups.set(number, group)
    this.#ticking.add(group)
    this.#enqueue(group)
    return group
  }

  /** The group is not this node's any more; what is on its way for it comes to nothing. What the WAL has of it goes with its files. */
  shut(number: number): void {
    const group = this.#groups.get(number)
    if (group === undefined) return
    this.#groups.delete(number)
    this.#ticking.delete(group)
    this.#orphans.delete(group)
  }

  group(number: number): Group | undefined {
    return this.#groups.get(number)
  }

  // --- what an owner asks

  /** Undefined: this node does not lead, or cannot take more now. */
  propose(number: number, proposals: readonly Proposal[]): Proposed | undefined {
    const group = this.#groups.get(number)
    if (group?.isLeader !== true || group.node.propose(proposals) !== undefined) return undefined
    const { term, log } = group.node.raft
    this.#enqueue(group)
    return { term, index: log.lastIndex }
  }

  proposeChange(number: number, change: MembershipChange): ChangeOutcome {
    const group = this.#groups.get(number)
    if (group?.isLeader !== true) return 'not-leader'
    const outcome = changed(group.node.raft.configuration, change)
    if (typeof outcome === 'string') return outcome
    const { voters, votersOutgoing } = outcome.configuration
    if (voters.length < votersMin || (votersOutgoing.length > 0 && votersOutgoing.length < votersMin)) return 'too-few-voters'
    const proposed = this.propose(number, [{ kind: 'node', change, payload: new Uint8Array(0) }])
    return proposed === undefined ? 'not-leader' : 'proposed'
  }

  /** Hands the group over, if this node leads it; given up after an election timeout. */
  transfer(number: number, to: number): void {
    const group = this.#groups.get(number)
    if (group?.isLeader !== true) return
    group.node.transferLeadership(to)
    this.#ticking.add(group)
    this.#enqueue(group)
  }

  /** Whether this node may answer reads of the group from what it has applied (I6). To be asked in the turn that reads (C17). */
  hasLease(number: number): boolean {
    return (this.#groups.get(number)?.leaseUntilMs(this.support, this.#options.clock.monotonicMs()) ?? 0) > 0
  }

  /** Tells what must be applied before a read that begins now may be answered; undefined when that could not be found out in time. */
  read(number: number, done: (index: number | undefined) => void): void {
    const group = this.#groups.get(number)
    if (group === undefined) {
      done(undefined)
      return
    }
    if (this.hasLease(number)) {
      done(group.node.raft.log.committed)
      return
    }
    group.node.readIndex(this.#reads.add(done))
    this.#ticking.add(group)
    this.#enqueue(group)
  }

  /**
   * The state machine's own snapshot is where its pointer says: entries up to it are not kept. False when it is no news. Throws what
   * `Wal.append` throws; then all is as it was.
   */
  compact(number: number, snapshot: RaftSnapshot): boolean {
    const group = this.#groups.get(number)
    if (group === undefined || snapshot.index < group.log.firstIndex()) return false
    const { term, vote, log } = group.node.raft
    // Only what is on disk here, and applied (C11).
    if (snapshot.index > log.applied || group.log.termAt(snapshot.index) !== snapshot.term || this.#writer.isBehind) return false
    const hard = { term, vote, commit: log.committed }
    this.#options.store.compact({ group: number, log: group.log, hard, snapshot })
    return true
  }

  /** See `WalKeeping.releaseBelow`. */
  releaseBelow(file: number): Promise<void> {
    return this.#keeping.releaseBelow(file)
  }

  // --- what peers say

  receive(from: number, envelopes: readonly Envelope[]): void {
    for (const envelope of envelopes) {
      const group = this.#groups.get(envelope.group)
      // A group that is not here yet, or not any more: whoever leads it will say it again.
      if (group === undefined || envelope.message.from !== from || envelope.message.to !== this.#options.id) continue
      if (!isSound(envelope.message, group.node.raft.log.lastIndex)) {
        const { type, index, term } = envelope.message
        this.#options.log.warn('a peer sent what no member of a group says', { from, group: group.number, type, index, term })
        continue
      }
      this.#receive(group, envelope)
    }
  }

  #receive(group: Group, { message: received, supportEpoch }: Envelope): void {
    const { node } = group
    const { type, from } = received
    const nowMs = this.#options.clock.monotonicMs()
    // Who asks for a term does not lead in any before.
    if (type === 'vote' || type === 'pre-vote') this.#release(group, from, received.term - 1)
    if (!group.takes(received, this.support, nowMs)) return
    if (type === 'forget-leader') {
      this.#release(group, from, received.term)
    } else if (type === 'snapshot-status') {
      node.reportSnapshot(from, !received.reject)
    } else if (type === 'snapshot') {
      this.#prepare(group, received)
      return
    } else {
      node.step(received)
      if (group.isLeader && isAnswer(type)) group.answered(received, supportEpoch)
    }
    this.#enqueue(group)
  }

  /** What the snapshot points to is fetched first: a member that has taken it cannot go back (C11). */
  #prepare(group: Group, received: RaftMessage): void {
    const { snapshot } = received
    if (snapshot === undefined || group.preparingIndex === snapshot.index) return
    group.preparingIndex = snapshot.index
    const settle = (isThere: boolean, state?: unknown): void => {
      if (group.preparingIndex === snapshot.index) group.preparingIndex = 0
      if (this.#isClosed || this.#groups.get(group.number) !== group) return
      if (isThere) {
        group.prepared = { index: snapshot.index, state }
        group.node.step(received)
      } else {
        const { id } = this.#options
        this.#post(group, message('snapshot-status', received.from, { from: id, term: received.term, reject: true }))
      }
      this.#enqueue(group)
    }
    this.#options.machines.prepare(group.number, snapshot).then(
      (state) => settle(true, state),
      (error: unknown) => {
        const detail = isOpError(error) ? error.detail : String(error)
        this.#options.log.warn('a snapshot could not be fetched', { group: group.number, index: snapshot.index, detail })
        settle(false)
      },
    )
  }

  receiveSupport(from: number, received: SupportMessage): void {
    const nowMs = this.#options.clock.monotonicMs()
    if (received.kind === 'answer') {
      if (this.support.onAnswer(from, received, nowMs)) this.#found(from)
      return
    }
    const before = this.support.promisedTo(from)
    const answer = this.support.onRequest(from, received, nowMs)
    this.#options.transport.sendSupport(from, answer)
    // It has started again, or knows that it may count on nothing: what it led, it leads no more.
    if (before !== 0 && this.support.promisedTo(from) !== before) this.#lost(from)
  }

  /** Messages to the peer may be lost. */
  disconnected(peer: number): void {
    for (const group of this.#groups.values()) {
      if (group.isLeader) this.#mayHaveMissed(group, peer)
    }
  }

  #mayHaveMissed(group: Group, peer: number): void {
    const progress = group.node.raft.progress.get(peer)
    if (progress === undefined) return
    if (progress.state === 'snapshot') group.node.reportSnapshot(peer, false)
    else group.node.reportUnreachable(peer)
    this.#ticking.add(group)
    this.#enqueue(group)
  }

  // --- clocks

  #every(ms: number, callback: () => void): void {
    const { clock } = this.#options
    let cancel: Cancel = () => undefined
    const again = (): void => {
      this.#timers.delete(cancel)
      cancel = clock.after(ms, () => {
        callback()
        if (!this.#isClosed) again()
      })
      this.#timers.add(cancel)
    }
    again()
  }

  #tick(): void {
    const nowMs = this.#options.clock.monotonicMs()
    for (const group of this.#ticking) {
      if (this.#mayRest(group, nowMs)) this.#rest(group)
      else if (group.isLeader || group.mayCampaign(this.support, nowMs)) {
        group.node.tick()
        this.#enqueue(group)
      }
      this.#tellResigned(group, nowMs)
    }
    this.#reads.giveUp()
    this.#orphans.campaign()
  }

  /** Who is bound to a node that does not lead waits for it to say so, and says so itself if it has led. */
  #mayRest(group: Group, nowMs: number): boolean {
    if (group.isLeader) return group.isQuiet(this.support, nowMs)
    return group.isPromised(this.support) && group.node.raft.lead !== nobody
  }

  /** Its clock stands. The last message may have told a member of more than it had then: it hears once more what is committed. */
  #rest(group: Group): void {
    this.#ticking.delete(group)
    if (!group.isLeader) return
    group.node.heartbeat()
    this.#enqueue(group)
  }

  #tellResigned(group: Group, nowMs: number): void {
    const { raft } = group.node
    if (group.isLeader || group.resignedTerm === 0 || nowMs < group.tellsAtMs) return
    if (raft.lead !== nobody) {
      group.resignedTerm = 0
      return
    }
    const { tickMs, core } = this.#options.settings
    group.tellsAtMs = nowMs + tickMs * core.electionTicks
    for (const id of raft.memberIds)
      if (id !== raft.id) this.#post(group, message('forget-leader', id, { from: raft.id, term: group.resignedTerm }))
    this.#enqueue(group)
  }

  #requestSupport(): void {
    const { clock, settings, transport } = this.#options
    const nowMs = clock.monotonicMs()
    // A node whose disk stands still cannot lead: it must not be supported as if it could (C20).
    if (this.#writer.waitedMs(nowMs) > settings.stallMs) return
    for (const peer of settings.peers) transport.sendSupport(peer, this.support.request(peer, nowMs))
  }

  #withdraw(): void {
    const nowMs = this.#options.clock.monotonicMs()
    for (const peer of this.support.withdraw(nowMs)) this.#lost(peer)
    this.#orphans.campaign()
  }

  /** The peer supports this node again: it may have missed whatever was said meanwhile. */
  #found(peer: number): void {
    for (const group of this.#groups.values()) {
      if (!group.isLeader) continue
      this.#mayHaveMissed(group, peer)
      group.node.heartbeat()
    }
  }

  #lost(peer: number): void {
    for (const group of this.#groups.values()) this.#release(group, peer)
    this.#orphans.campaign()
  }

  /** The node does not lead the group, in terms up to this one. */
  #release(group: Group, gone: number, term = Infinity): void {
    if (!group.release(gone, term)) return
    this.#ticking.add(group)
    if (group.node.raft.lead !== nobody || group.isLeader) return
    this.#orphans.add(group, gone)
    this.#enqueue(group)
  }

  // --- turns

  #enqueue(group: Group): void {
    if (!group.isQueued) {
      group.isQueued = true
      this.#ready.push(group)
    }
    this.#scheduleTurn()
  }

  #scheduleTurn(): void {
    if (this.#isTurnDue || this.#isClosed) return
    this.#isTurnDue = true
    this.#options.clock.afterTurn(() => {
      this.#isTurnDue = false
      if (!this.#isClosed) this.#turn()
    })
  }

  #turn(): void {
    const { groupsPerTurnMax } = this.#options.settings
    const turn = this.#ready.splice(0, groupsPerTurnMax)
    for (const group of turn) {
      group.isQueued = false
      if (this.#groups.get(group.number) === group) this.#run(group)
    }
    this.#writer.sync()
    this.#send()
    if (this.#ready.length > 0) this.#scheduleTurn()
  }

  #run(group: Group): void {
    const { node } = group
    while (node.hasReady()) {
      const ready = node.ready()
      // A candidate's own term, vote and log are on disk before it asks for votes: else it could forget them, ask again in the same term with
      // less in its log, and count a vote that was given to the longer one.
      const asking = ready.messages.filter(({ type }) => type === 'vote')
      for (const one of ready.messages) {
        if (one.to === appendQueue) this.#writer.write(group, one, asking)
        else if (one.to === applyQueue) this.#apply(group, one)
        else if (one.type !== 'vote') this.#post(group, one)
      }
      if (ready.soft !== undefined) this.#roleChanged(group)
      for (const { index, context } of ready.readStates) this.#reads.answer(context, index)
    }
    group.forget(this.#options.settings.rememberedBytesMax)
    this.#keeping.recall(group)
    if (group.log.isSnapshotWanted) {
      group.log.isSnapshotWanted = false
      this.#options.machines.wantSnapshot(group.number)
    }
    // Said to all members when it was committed; whoever was not there hears it with a tick.
    const nowMs = this.#options.clock.monotonicMs()
    if (!this.#mayRest(group, nowMs)) this.#ticking.add(group)
  }

  #recalled(group: Group): void {
    group.node.raft.resumeSending()
    this.#enqueue(group)
  }

  #roleChanged(group: Group): void {
    const { role, term, lead } = group.node.raft
    if (role === 'leader') group.resignedTerm = term
    if (lead !== nobody) this.#orphans.delete(group)
    this.#options.machines.onRole(group.number, { role, term, lead })
  }

  #stored({ group, responses, snapshot }: Stored): void {
    if (this.#isClosed || this.#groups.get(group.number) !== group) return
    if (snapshot !== undefined) this.#options.machines.install(group.number, snapshot, group.takePrepared(snapshot))
    for (const response of responses) {
      if (response.to === this.#options.id) group.node.step(response)
      else this.#post(group, response)
    }
    this.#enqueue(group)
  }

  #fail(error: unknown): void {
    if (this.#isClosed) return
    this.close()
    this.#options.onFatal(error)
  }

  #apply(group: Group, { entries, responses }: RaftMessage): void {
    this.#options.machines.apply(group.number, entries)
    for (const { change } of entries) if (change !== undefined) group.node.applyChange(change)
    for (const response of responses) group.node.step(response)
  }

  #post(group: Group, one: RaftMessage): void {
    // Another's, to be passed on: whoever asked hears nothing, and asks again where the leader is by then.
    if (one.from !== this.#options.id) return
    const supportEpoch = isAnswer(one.type) ? group.promise(one, this.support) : 0
    if (one.type === 'timeout-now') group.handOver()
    let waiting = this.#outbox.get(one.to)
    if (waiting === undefined) {
      waiting = []
      this.#outbox.set(one.to, waiting)
    }
    waiting.push({ group: group.number, message: one, supportEpoch })
  }

  #send(): void {
    for (const [to, envelopes] of this.#outbox) this.#options.transport.send(to, envelopes)
    this.#outbox.clear()
  }
}
