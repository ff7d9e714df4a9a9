// Owns LeaveGroup: by member id, by instance id, many at once. Not what a departure sets off (rebalance.ts).

import type { Group } from './group.ts'
import { refusalOfMember } from './join.ts'
import type { GroupError, Instant, Leaver } from './messages.ts'
import { removeMember, removePending } from './rebalance.ts'
import type { Shard } from './shard.ts'

export interface LeaveResult {
  readonly error: GroupError
  /** Aligned with the leavers; empty when the whole request is refused. */
  readonly errors: readonly GroupError[]
}

export function planLeave(shard: Shard, groupId: string, leavers: readonly Leaver[], now: Instant): LeaveResult {
  if (groupId === '') return { error: 'INVALID_GROUP_ID', errors: [] }
  const group = shard.groups.get(groupId)
  if (group === undefined) return { error: 'NONE', errors: leavers.map(() => 'UNKNOWN_MEMBER_ID') }
  if (group.state === 'Dead') return { error: 'COORDINATOR_NOT_AVAILABLE', errors: [] }
  return { error: 'NONE', errors: leavers.map((leaver) => leave(shard, group, leaver, now)) }
}

function leave(shard: Shard, group: Group, leaver: Leaver, now: Instant): GroupError {
  // An administrator removes a static member by its instance id alone.
  const byInstance = leaver.memberId === '' ? leaver.instanceId : undefined
  const memberId = byInstance === undefined ? leaver.memberId : group.statics.get(byInstance)
  if (memberId === undefined) return 'UNKNOWN_MEMBER_ID'
  if (group.pendingMembers.has(memberId)) {
    if (leaver.instanceId !== undefined) return 'UNKNOWN_MEMBER_ID'
    removePending(shard, group, memberId, now)
    return 'NONE'
  }
  const refusal = refusalOfMember(group, memberId, leaver.instanceId)
  if (refusal !== undefined) return refusal
  removeMember(shard, group, group.members.get(memberId)!, now)
  return 'NONE'
}
