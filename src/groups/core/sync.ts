// Owns SyncGroup and Heartbeat: what a member of a generation may ask and is told. Not how a generation begins (rebalance.ts).

import { type Group, type Member, noBytes } from './group.ts'
import { refusalOfMember } from './join.ts'
import type { GroupError, Instant, MemberClaim, SyncAsk, SyncReply, Ticket } from './messages.ts'
import { prepareRebalance } from './rebalance.ts'
import { refuseSync, type Shard } from './shard.ts'

/** Whether a claim to be a member of the present generation holds. */
export function refusalOfClaim(group: Group, claim: MemberClaim): GroupError | undefined {
  const refusal = refusalOfMember(group, claim.memberId, claim.instanceId)
  if (refusal !== undefined) return refusal
  return claim.generation === group.generation ? undefined : 'ILLEGAL_GENERATION'
}

function refusalOfSync(group: Group | undefined, ask: SyncAsk): GroupError | undefined {
  if (ask.groupId === '') return 'INVALID_GROUP_ID'
  if (group === undefined) return 'UNKNOWN_MEMBER_ID'
  if (group.state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
  const refusal = refusalOfClaim(group, ask)
  if (refusal !== undefined) return refusal
  if (ask.protocolType !== undefined && ask.protocolType !== group.protocolType) return 'INCONSISTENT_GROUP_PROTOCOL'
  if (ask.protocolName !== undefined && ask.protocolName !== group.protocolName) return 'INCONSISTENT_GROUP_PROTOCOL'
  return group.state === 'PreparingRebalance' ? 'REBALANCE_IN_PROGRESS' : undefined
}

function syncReply(group: Group, member: Member): SyncReply {
  return {
    kind: 'sync',
    error: 'NONE',
    protocolType: group.protocolType,
    protocolName: group.protocolName,
    assignment: member.assignment,
  }
}

export function planSync(shard: Shard, ticket: Ticket, ask: SyncAsk, now: Instant): void {
  const group = shard.groups.get(ask.groupId)
  const refusal = refusalOfSync(group, ask)
  if (group === undefined || refusal !== undefined) return shard.answer(ticket, refuseSync(refusal ?? 'UNKNOWN_MEMBER_ID'))
  const member = group.members.get(ask.memberId)!
  group.pendingSync.delete(member.memberId)
  if (group.pendingSync.size === 0) shard.deadlines.cancel(group.syncDeadline)
  if (group.state === 'Stable') {
    shard.restartSession(member, now)
    return shard.answer(ticket, syncReply(group, member))
  }
  if (member.syncTicket !== undefined) shard.answer(member.syncTicket, refuseSync('REBALANCE_IN_PROGRESS'))
  member.syncTicket = ticket
  if (group.leaderId !== member.memberId || group.assignmentInFlight !== undefined) return
  group.assignmentInFlight = group.generation
  // A member the leader left out gets an empty assignment; one it made up gets none.
  const value = group.toStored((one) => ask.assignments.get(one.memberId) ?? noBytes)
  const { groupId, generation } = group
  shard.append(group, [{ kind: 'group', groupId, value }], { kind: 'assignment', groupId, generation })
}

/** The assignment is durable: everybody who waits gets its part, and the group is stable. */
export function assignmentCommitted(shard: Shard, groupId: string, generation: number, now: Instant): void {
  const group = shard.groups.get(groupId)
  if (group === undefined || group.assignmentInFlight !== generation) return
  group.assignmentInFlight = undefined
  group.become('Stable', now.wallMs)
  const stored = new Map(shard.durable.get(groupId)?.metadata?.members.map((member) => [member.memberId, member.assignment]))
  for (const member of group.members.values()) {
    member.assignment = stored.get(member.memberId) ?? noBytes
    if (member.syncTicket === undefined) continue
    shard.answer(member.syncTicket, syncReply(group, member))
    member.syncTicket = undefined
    shard.restartSession(member, now)
  }
}

/** The assignment is lost: who waits is told why, and the members are gathered anew. */
export function assignmentFailed(
  shard: Shard,
  groupId: string,
  failed: { generation: number; error: GroupError },
  now: Instant,
): void {
  const group = shard.groups.get(groupId)
  if (group === undefined || group.assignmentInFlight !== failed.generation) return
  for (const member of group.members.values()) {
    if (member.syncTicket === undefined) continue
    shard.answer(member.syncTicket, refuseSync(failed.error))
    member.syncTicket = undefined
    shard.restartSession(member, now)
  }
  prepareRebalance(shard, group, now)
}

export function planHeartbeat(shard: Shard, claim: MemberClaim, now: Instant): GroupError {
  if (claim.groupId === '') return 'INVALID_GROUP_ID'
  const group = shard.groups.get(claim.groupId)
  if (group === undefined) return 'UNKNOWN_MEMBER_ID'
  if (group.state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
  const refusal = refusalOfClaim(group, claim)
  if (refusal !== undefined) return refusal
  const member = group.members.get(claim.memberId)!
  if (!member.isNew) shard.restartSession(member, now)
  return group.state === 'PreparingRebalance' ? 'REBALANCE_IN_PROGRESS' : 'NONE'
}
