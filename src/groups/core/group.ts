// Owns one group as its members see it now: state, generation, members, votes and who waits for what. Not what survives a restart
// (durable.ts) nor when things happen (join.ts, rebalance.ts, timers.ts).
//
//   Empty ---join---> PreparingRebalance ---all joined, or time out---> CompletingRebalance ---assignment committed---> Stable
//     ^                  |        ^  ^                                        |                                            |
//     +---nobody left----+        |  +------------join, leave, expiry---------+                                            |
//     |                           +-------------------------join, leave, expiry--------------------------------------------+
//     +---delete, expiry---> Dead (until its tombstones are committed, then forgotten)

import { assert } from '../../base/assert.ts'
import type { ByPartition, StoredGroup } from './durable.ts'
import { Deadline } from './deadlines.ts'
import type { JoinAsk, JoinedMember, MemberTimer, Protocol, Ticket, Turn } from './messages.ts'

export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead'

export const noBytes = new Uint8Array(0)

export type Subject =
  | { readonly kind: 'session'; readonly group: Group; readonly memberId: string }
  | { readonly kind: 'pending'; readonly group: Group; readonly memberId: string }
  | { readonly kind: 'join'; readonly group: Group }
  | { readonly kind: 'sync'; readonly group: Group }
  | { readonly kind: 'consumer'; readonly group: Group; readonly memberId: string; readonly timer: MemberTimer }
  | { readonly kind: 'sweep' }

export interface Member {
  readonly memberId: string
  readonly instanceId: string | undefined
  readonly clientId: string
  readonly clientHost: string
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  protocols: readonly Protocol[]
  assignment: Uint8Array
  /** Its first join has not been answered yet. */
  isNew: boolean
  joinTicket: Ticket | undefined
  syncTicket: Ticket | undefined
  readonly session: Deadline<Subject>
}

/** The wait before the first rebalance of an empty group: each newcomer prolongs it, up to the rebalance time-out. */
export interface InitialDelay {
  newMemberAdded: boolean
  remainingMs: number
}

/** What a restart forgets of a group of the consumer protocol: who waits for a turn to change it, and what falls due. */
export class ConsumerTurns {
  /** A change is on its way: one at a time, so that each is planned on what the one before has made. */
  isBusy = false
  readonly queue: Turn[] = []
  readonly timers = new Map<string, Map<MemberTimer, Deadline<Subject>>>()
  /** The version of the topics that the group has taken into account. */
  topicsVersion: number | undefined
}

const mayFollow: Readonly<Record<GroupState, readonly GroupState[]>> = {
  Empty: ['PreparingRebalance', 'Dead'],
  PreparingRebalance: ['CompletingRebalance', 'Empty'],
  CompletingRebalance: ['Stable', 'PreparingRebalance'],
  Stable: ['PreparingRebalance'],
  Dead: ['Empty'],
}

export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, at) => byte === right[at])
}

export function sameProtocols(left: readonly Protocol[], right: readonly Protocol[]): boolean {
  return (
    left.length === right.length &&
    left.every((one, at) => one.name === right[at]!.name && sameBytes(one.metadata, right[at]!.metadata))
  )
}

export class Group {
  readonly groupId: string
  state: GroupState = 'Empty'
  stateSinceMs: number
  generation = 0
  /** Undefined: a group of simple consumers, which only commit offsets. */
  protocolType: string | undefined
  protocolName: string | undefined
  leaderId: string | undefined
  /** In the order they came. */
  readonly members = new Map<string, Member>()
  /** Member ids of static members, by instance id. */
  readonly statics = new Map<string, string>()
  /** Ids given out whose join has not come back. */
  readonly pendingMembers = new Map<string, Deadline<Subject>>()
  /** Who has not asked for its assignment in this generation. */
  readonly pendingSync = new Set<string>()
  /** The generation whose assignment is being committed. */
  assignmentInFlight: number | undefined
  /** Appends that have not ended. */
  appendsInFlight = 0
  /** Offset records among them: how many per partition. */
  readonly offsetsInFlight: ByPartition<number> = new Map()
  initialDelay: InitialDelay | undefined
  /** Present once the consumer protocol was spoken; the rest of this is then as of an empty group. */
  turns: ConsumerTurns | undefined
  readonly joinDeadline: Deadline<Subject>
  readonly syncDeadline: Deadline<Subject>

  constructor(groupId: string, wallMs: number) {
    this.groupId = groupId
    this.stateSinceMs = wallMs
    this.joinDeadline = new Deadline<Subject>({ kind: 'join', group: this })
    this.syncDeadline = new Deadline<Subject>({ kind: 'sync', group: this })
  }

  become(state: GroupState, wallMs: number): void {
    assert(mayFollow[this.state].includes(state), `GROUP-1: ${this.state} may not become ${state}`)
    this.state = state
    this.stateSinceMs = wallMs
  }

  /** Its members have gone over to the consumer protocol, or it had none: nothing of the classic protocol is left in it. */
  retire(wallMs: number): void {
    if (this.state !== 'Empty') this.stateSinceMs = wallMs
    this.state = 'Empty'
    this.generation = 0
    this.protocolType = undefined
    this.protocolName = undefined
    this.leaderId = undefined
    this.members.clear()
    this.statics.clear()
    this.pendingSync.clear()
  }

  /** The longest any member may take to rejoin. */
  get rebalanceTimeoutMs(): number {
    let longest = 0
    for (const member of this.members.values()) longest = Math.max(longest, member.rebalanceTimeoutMs)
    return longest
  }

  get awaitingJoinCount(): number {
    let count = 0
    for (const member of this.members.values()) if (member.joinTicket !== undefined) count += 1
    return count
  }

  get allJoined(): boolean {
    return this.pendingMembers.size === 0 && this.awaitingJoinCount === this.members.size
  }

  add(memberId: string, ask: JoinAsk): Member {
    assert(!this.members.has(memberId), 'GROUP-2: a member joins once')
    if (this.members.size === 0) this.protocolType = ask.protocolType
    const member: Member = {
      memberId,
      instanceId: ask.instanceId,
      clientId: ask.clientId,
      clientHost: ask.clientHost,
      sessionTimeoutMs: ask.sessionTimeoutMs,
      rebalanceTimeoutMs: ask.rebalanceTimeoutMs,
      protocols: ask.protocols,
      assignment: noBytes,
      isNew: true,
      joinTicket: undefined,
      syncTicket: undefined,
      session: new Deadline<Subject>({ kind: 'session', group: this, memberId }),
    }
    this.members.set(memberId, member)
    if (ask.instanceId !== undefined) this.statics.set(ask.instanceId, memberId)
    this.leaderId ??= memberId
    return member
  }

  remove(member: Member): void {
    this.members.delete(member.memberId)
    this.pendingSync.delete(member.memberId)
    if (member.instanceId !== undefined && this.statics.get(member.instanceId) === member.memberId)
      this.statics.delete(member.instanceId)
    if (this.leaderId === member.memberId) this.leaderId = this.members.keys().next().value
  }

  /** Makes sure that the leader is somebody who has joined; false when nobody has. */
  electJoinedLeader(): boolean {
    const leader = this.leaderId === undefined ? undefined : this.members.get(this.leaderId)
    if (leader?.joinTicket !== undefined) return true
    for (const member of this.members.values()) {
      if (member.joinTicket === undefined) continue
      this.leaderId = member.memberId
      return true
    }
    return false
  }

  /** The protocols that every member offers, in the order of the one who came first. */
  get commonProtocols(): readonly string[] {
    const members = [...this.members.values()]
    const first = members[0]
    if (first === undefined) return []
    return first.protocols
      .map((one) => one.name)
      .filter((name) => members.every((member) => member.protocols.some((one) => one.name === name)))
  }

  /** Whether a member offering these could take part in the next generation. */
  accepts(ask: JoinAsk): boolean {
    if (this.members.size === 0) return ask.protocolType !== '' && ask.protocols.length > 0
    if (ask.protocolType !== this.protocolType) return false
    const common = this.commonProtocols
    return ask.protocols.some((one) => common.includes(one.name))
  }

  /** Every member votes for the first of its protocols that all offer; most votes win, the earlier cast at a draw. */
  elect(): string {
    const candidates = new Set(this.commonProtocols)
    const votes = new Map<string, number>()
    for (const member of this.members.values()) {
      const vote = member.protocols.find((one) => candidates.has(one.name))
      assert(vote !== undefined, 'GROUP-3: the members of a group share a protocol')
      votes.set(vote.name, (votes.get(vote.name) ?? 0) + 1)
    }
    let winner: string | undefined
    for (const [name, count] of votes) if (winner === undefined || count > votes.get(winner)!) winner = name
    assert(winner !== undefined, 'GROUP-3: a group without members elects nothing')
    return winner
  }

  metadataOf(member: Member): Uint8Array {
    return member.protocols.find((one) => one.name === this.protocolName)?.metadata ?? noBytes
  }

  get joinedMembers(): readonly JoinedMember[] {
    return [...this.members.values()].map((member) => ({
      memberId: member.memberId,
      instanceId: member.instanceId,
      metadata: this.metadataOf(member),
    }))
  }

  /** The group as its metadata record says it, each member's assignment taken from `assignmentOf`. */
  toStored(assignmentOf: (member: Member) => Uint8Array): StoredGroup {
    return {
      protocolType: this.protocolType ?? '',
      generation: this.generation,
      protocolName: this.protocolName,
      leaderId: this.leaderId,
      stateSinceMs: this.stateSinceMs,
      members: [...this.members.values()].map((member) => ({
        memberId: member.memberId,
        instanceId: member.instanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeoutMs: member.rebalanceTimeoutMs,
        sessionTimeoutMs: member.sessionTimeoutMs,
        subscription: this.metadataOf(member),
        assignment: assignmentOf(member),
      })),
    }
  }
}
