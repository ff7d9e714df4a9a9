// Owns the rebalance: how it starts, who is waited for, how a generation begins, and how a member goes. Not who may ask for it
// (join.ts, sync.ts, leave.ts) nor the passing of time (timers.ts).

import { type Group, type Member, noBytes } from './group.ts'
import type { Instant, JoinReply } from './messages.ts'
import { newMemberJoinTimeoutMs, rejoinWaitMsMin } from './settings.ts'
import { refuseJoin, refuseSync, type Shard } from './shard.ts'

/** What a member is told that has joined the present generation: the leader gets everybody's metadata. */
export function joinReply(group: Group, member: Member): JoinReply {
  return {
    kind: 'join',
    error: 'NONE',
    memberId: member.memberId,
    generation: group.generation,
    protocolType: group.protocolType,
    protocolName: group.protocolName,
    leaderId: group.leaderId ?? '',
    skipAssignment: false,
    members: group.leaderId === member.memberId ? group.joinedMembers : [],
  }
}

/** A new member waits for its first generation under a longer session: it cannot heartbeat before it knows its id. */
export function startNewMember(shard: Shard, member: Member, now: Instant): void {
  shard.deadlines.set(member.session, now.monotonicMs + newMemberJoinTimeoutMs)
}

/** Starts a rebalance unless one is gathering members already. */
export function prepareRebalance(shard: Shard, group: Group, now: Instant): void {
  if (group.state === 'PreparingRebalance' || group.state === 'Dead') return
  if (group.state === 'CompletingRebalance') {
    for (const member of group.members.values()) {
      member.assignment = noBytes
      refuseWaitingSync(shard, member, now)
    }
  }
  shard.deadlines.cancel(group.syncDeadline)
  group.pendingSync.clear()
  group.assignmentInFlight = undefined
  const wasEmpty = group.state === 'Empty'
  group.become('PreparingRebalance', now.wallMs)
  const delayMs = shard.settings.initialRebalanceDelayMs
  if (wasEmpty && delayMs > 0) {
    group.initialDelay = { newMemberAdded: false, remainingMs: Math.max(group.rebalanceTimeoutMs - delayMs, 0) }
    shard.deadlines.set(group.joinDeadline, now.monotonicMs + delayMs)
  } else {
    shard.deadlines.set(group.joinDeadline, now.monotonicMs + group.rebalanceTimeoutMs)
    completeJoinIfAll(shard, group, now)
  }
}

function refuseWaitingSync(shard: Shard, member: Member, now: Instant): void {
  if (member.syncTicket === undefined) return
  shard.answer(member.syncTicket, refuseSync('REBALANCE_IN_PROGRESS'))
  member.syncTicket = undefined
  shard.restartSession(member, now)
}

/** Begins the next generation if everybody known is here; the wait of a group that was empty is always sat out. */
export function completeJoinIfAll(shard: Shard, group: Group, now: Instant): void {
  if (group.state === 'PreparingRebalance' && group.initialDelay === undefined && group.allJoined) completeJoin(shard, group, now)
}

/** Ends the gathering: dynamic members that did not come are out, static ones may still come under their instance id. */
export function completeJoin(shard: Shard, group: Group, now: Instant): void {
  group.initialDelay = undefined
  for (const member of [...group.members.values()]) {
    if (member.joinTicket !== undefined || member.instanceId !== undefined) continue
    shard.deadlines.cancel(member.session)
    group.remove(member)
  }
  if (group.members.size === 0) {
    becomeEmpty(shard, group, now)
  } else if (group.electJoinedLeader()) {
    beginGeneration(shard, group, now)
  } else {
    shard.deadlines.set(group.joinDeadline, now.monotonicMs + Math.max(group.rebalanceTimeoutMs, rejoinWaitMsMin))
  }
}

function becomeEmpty(shard: Shard, group: Group, now: Instant): void {
  shard.deadlines.cancel(group.joinDeadline)
  group.generation += 1
  group.protocolName = undefined
  group.leaderId = undefined
  group.become('Empty', now.wallMs)
  writeEmptied(shard, group)
}

/** Records that a group has no members. If the append fails, the sweep asks again. */
export function writeEmptied(shard: Shard, group: Group): void {
  const { groupId } = group
  shard.append(group, [{ kind: 'group', groupId, value: group.toStored(() => noBytes) }], { kind: 'emptied', groupId })
}

function beginGeneration(shard: Shard, group: Group, now: Instant): void {
  shard.deadlines.cancel(group.joinDeadline)
  shard.counts.rebalances += 1
  group.generation += 1
  group.protocolName = group.elect()
  group.become('CompletingRebalance', now.wallMs)
  for (const member of group.members.values()) {
    group.pendingSync.add(member.memberId)
    if (member.joinTicket === undefined) continue
    shard.answer(member.joinTicket, joinReply(group, member))
    member.joinTicket = undefined
    member.isNew = false
    shard.restartSession(member, now)
  }
  shard.deadlines.set(group.syncDeadline, now.monotonicMs + group.rebalanceTimeoutMs)
}

/** Takes a member out, tells whoever waits in its name, and lets the rest go on without it. */
export function removeMember(shard: Shard, group: Group, member: Member, now: Instant): void {
  if (member.joinTicket !== undefined) shard.answer(member.joinTicket, refuseJoin('UNKNOWN_MEMBER_ID', member.memberId))
  if (member.syncTicket !== undefined) shard.answer(member.syncTicket, refuseSync('UNKNOWN_MEMBER_ID'))
  member.joinTicket = undefined
  member.syncTicket = undefined
  shard.deadlines.cancel(member.session)
  group.remove(member)
  if (group.state === 'PreparingRebalance') completeJoinIfAll(shard, group, now)
  else prepareRebalance(shard, group, now)
}

/** Takes back an id that was given out and not used. */
export function removePending(shard: Shard, group: Group, memberId: string, now: Instant): void {
  const pending = group.pendingMembers.get(memberId)
  if (pending === undefined) return
  shard.deadlines.cancel(pending)
  group.pendingMembers.delete(memberId)
  completeJoinIfAll(shard, group, now)
  shard.forgetIfVoid(group)
}
