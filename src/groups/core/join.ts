// Owns who may join a group, under which id, and what that sets off. Not the rebalance itself (rebalance.ts).

import { Deadline } from './deadlines.ts'
import { type Group, type Member, sameProtocols, type Subject } from './group.ts'
import type { GroupError, Instant, JoinAsk, JoinReply, Ticket } from './messages.ts'
import { completeJoinIfAll, joinReply, prepareRebalance, removeMember, removePending, startNewMember } from './rebalance.ts'
import { pendingMembersMax } from './settings.ts'
import { refuseJoin, refuseSync, type Shard } from './shard.ts'

/** One join being handled: the rules below pass it along. */
interface Joining {
  readonly shard: Shard
  readonly ticket: Ticket
  readonly ask: JoinAsk
  readonly now: Instant
}

export function planJoin(shard: Shard, ticket: Ticket, ask: JoinAsk, now: Instant): void {
  const joining: Joining = { shard, ticket, ask, now }
  const refusal = refusalBeforeGroup(shard, ask)
  if (refusal !== undefined) return refuse(joining, refusal)
  const group = shard.obtain(ask.groupId, now)
  if (group.state === 'Dead') return refuse(joining, 'COORDINATOR_NOT_AVAILABLE')
  if (!hasRoom(shard, group, ask)) {
    refuse(joining, 'GROUP_MAX_SIZE_REACHED', '')
    const member = group.members.get(ask.memberId)
    return member === undefined ? removePending(shard, group, ask.memberId, now) : removeMember(shard, group, member, now)
  }
  if (!group.accepts(ask)) {
    refuse(joining, 'INCONSISTENT_GROUP_PROTOCOL')
    return shard.forgetIfVoid(group)
  }
  if (ask.memberId === '') joinAsNew(joining, group)
  else joinAgain(joining, group)
}

/** What is wrong with an ask whatever the group is. */
export function refusalBeforeGroup(shard: Shard, ask: JoinAsk): GroupError | undefined {
  if (ask.groupId === '') return 'INVALID_GROUP_ID'
  const { sessionTimeoutMsMin, sessionTimeoutMsMax } = shard.settings
  if (ask.sessionTimeoutMs < sessionTimeoutMsMin || ask.sessionTimeoutMs > sessionTimeoutMsMax) return 'INVALID_SESSION_TIMEOUT'
  if (ask.memberId !== '' && !shard.groups.has(ask.groupId)) return 'UNKNOWN_MEMBER_ID'
  return undefined
}

function refuse({ shard, ticket, ask }: Joining, error: GroupError, memberId = ask.memberId): void {
  shard.answer(ticket, refuseJoin(error, memberId))
}

/** While members gather, the first to come fill the group; afterwards, those who are in it. */
function hasRoom(shard: Shard, group: Group, ask: JoinAsk): boolean {
  const member = group.members.get(ask.memberId)
  const returning = ask.instanceId !== undefined && group.statics.has(ask.instanceId)
  if (group.state === 'PreparingRebalance') {
    return member?.joinTicket !== undefined || returning || group.awaitingJoinCount < shard.settings.groupSizeMax
  }
  return member !== undefined || returning || group.members.size < shard.settings.groupSizeMax
}

/** A pending id is used up by the join that brings it back. */
function takePending(shard: Shard, group: Group, memberId: string): boolean {
  const pending = group.pendingMembers.get(memberId)
  if (pending === undefined) return false
  shard.deadlines.cancel(pending)
  return group.pendingMembers.delete(memberId)
}

function joinAsNew(joining: Joining, group: Group): void {
  const { shard, ask, now } = joining
  const presentId = ask.instanceId === undefined ? undefined : group.statics.get(ask.instanceId)
  if (presentId !== undefined) return returnStatic(joining, group, group.members.get(presentId)!)
  if (ask.instanceId !== undefined || !ask.requireKnownMemberId) return addMember(joining, group, ask.freshMemberId)
  if (group.pendingMembers.size >= pendingMembersMax) return refuse(joining, 'GROUP_MAX_SIZE_REACHED', '')
  const pending = new Deadline<Subject>({ kind: 'pending', group, memberId: ask.freshMemberId })
  group.pendingMembers.set(ask.freshMemberId, pending)
  shard.deadlines.set(pending, now.monotonicMs + ask.sessionTimeoutMs)
  refuse(joining, 'MEMBER_ID_REQUIRED', ask.freshMemberId)
}

function joinAgain(joining: Joining, group: Group): void {
  const { shard, ticket, ask, now } = joining
  if (group.pendingMembers.has(ask.memberId)) {
    if (ask.instanceId !== undefined) return refuse(joining, 'UNKNOWN_MEMBER_ID')
    takePending(shard, group, ask.memberId)
    return addMember(joining, group, ask.memberId)
  }
  const refusal = refusalOfMember(group, ask.memberId, ask.instanceId)
  if (refusal !== undefined) return refuse(joining, refusal)
  const member = group.members.get(ask.memberId)!
  const unchanged = sameProtocols(member.protocols, ask.protocols)
  // Who has not changed missed the answer, or asks without need: it is told the present generation. A leader that rejoins a stable
  // group wants a rebalance: it may have seen that the topics changed.
  const toldAgain =
    unchanged && (group.state === 'CompletingRebalance' || (group.state === 'Stable' && group.leaderId !== member.memberId))
  if (toldAgain) {
    shard.restartSession(member, now)
    return shard.answer(ticket, joinReply(group, member))
  }
  waitInJoin(joining, member)
  if (group.state === 'PreparingRebalance') completeJoinIfAll(shard, group, now)
  else prepareRebalance(shard, group, now)
}

/** Whether a claim to be a member holds; shared by every request a member makes. */
export function refusalOfMember(group: Group, memberId: string, instanceId: string | undefined): GroupError | undefined {
  if (instanceId !== undefined) {
    const presentId = group.statics.get(instanceId)
    if (presentId === undefined) return 'UNKNOWN_MEMBER_ID'
    if (presentId !== memberId) return 'FENCED_INSTANCE_ID'
  }
  return group.members.has(memberId) ? undefined : 'UNKNOWN_MEMBER_ID'
}

function addMember(joining: Joining, group: Group, memberId: string): void {
  const { shard, ask, now, ticket } = joining
  const member = group.add(memberId, ask)
  member.joinTicket = ticket
  if (group.initialDelay !== undefined) group.initialDelay.newMemberAdded = true
  startNewMember(shard, member, now)
  if (group.state === 'PreparingRebalance') completeJoinIfAll(shard, group, now)
  else prepareRebalance(shard, group, now)
}

/** Notes what the member now offers, and lets this ask wait; an older one of the same member waits no longer. */
function waitInJoin({ shard, ticket, ask }: Joining, member: Member): void {
  if (member.joinTicket !== undefined) shard.answer(member.joinTicket, refuseJoin('REBALANCE_IN_PROGRESS', member.memberId))
  member.joinTicket = ticket
  member.protocols = ask.protocols
  member.sessionTimeoutMs = ask.sessionTimeoutMs
  member.rebalanceTimeoutMs = ask.rebalanceTimeoutMs
}

/** A static member came back without its id: it takes over its own place, and whoever holds the old id is fenced. */
function returnStatic(joining: Joining, group: Group, old: Member): void {
  const { shard, ask, now } = joining
  if (old.joinTicket !== undefined) shard.answer(old.joinTicket, refuseJoin('FENCED_INSTANCE_ID', old.memberId))
  if (old.syncTicket !== undefined) shard.answer(old.syncTicket, refuseSync('FENCED_INSTANCE_ID'))
  old.joinTicket = undefined
  old.syncTicket = undefined
  shard.deadlines.cancel(old.session)
  const formerLeaderId = group.leaderId
  const member = replaceMember(group, old, ask)
  shard.restartSession(member, now)
  if (group.state === 'Stable' && group.elect() === group.protocolName) {
    const reply = returnedReply(group, member, ask, formerLeaderId)
    const value = group.toStored((one) => one.assignment)
    const groupId = group.groupId
    return shard.append(group, [{ kind: 'group', groupId, value }], { kind: 'returned', ticket: joining.ticket, reply })
  }
  member.joinTicket = joining.ticket
  if (group.state === 'PreparingRebalance') completeJoinIfAll(shard, group, now)
  else prepareRebalance(shard, group, now)
}

function replaceMember(group: Group, old: Member, ask: JoinAsk): Member {
  const wasLeader = group.leaderId === old.memberId
  const { protocolType } = group
  const awaitedSync = group.pendingSync.has(old.memberId)
  group.remove(old)
  const member = group.add(ask.freshMemberId, ask)
  group.protocolType = protocolType
  member.assignment = old.assignment
  member.isNew = false
  if (awaitedSync) group.pendingSync.add(member.memberId)
  if (wasLeader) group.leaderId = member.memberId
  return member
}

/**
 * The place of a returned leader is kept without a rebalance. A client that understands `skipAssignment` is told that it leads and
 * need not assign; an older one is told the leader's former id, and so takes itself for a follower.
 */
function returnedReply(group: Group, member: Member, ask: JoinAsk, formerLeaderId: string | undefined): JoinReply {
  const reply = joinReply(group, member)
  if (group.leaderId !== member.memberId) return reply
  if (ask.canSkipAssignment) return { ...reply, skipAssignment: true }
  return { ...reply, leaderId: formerLeaderId ?? '', members: [] }
}
