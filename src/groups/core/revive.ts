// Owns how a stored group comes back to life: when its partition is loaded, and when a consumer group becomes a classic one. Not what is
// stored (durable.ts).

import { assert } from '../../base/assert.ts'
import { Deadline } from './deadlines.ts'
import { type Group, noBytes, type Subject } from './group.ts'
import type { Instant } from './messages.ts'
import type { Shard } from './shard.ts'

/** A classic group as it is stored, every session starting afresh: stable if it has members. */
export function reviveClassic(shard: Shard, group: Group, now: Instant): void {
  const stored = shard.durable.get(group.groupId)?.metadata
  if (stored === undefined) return
  assert(group.members.size === 0, 'GROUP-8: a group is revived once')
  group.generation = stored.generation
  group.protocolType = stored.protocolType === '' ? undefined : stored.protocolType
  group.protocolName = stored.protocolName
  group.leaderId = stored.leaderId
  if (stored.stateSinceMs >= 0) group.stateSinceMs = stored.stateSinceMs
  if (stored.members.length === 0) return
  group.state = 'Stable'
  for (const member of stored.members) {
    const session = new Deadline<Subject>({ kind: 'session', group, memberId: member.memberId })
    group.members.set(member.memberId, {
      memberId: member.memberId,
      instanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      sessionTimeoutMs: member.sessionTimeoutMs,
      rebalanceTimeoutMs: member.rebalanceTimeoutMs < 0 ? member.sessionTimeoutMs : member.rebalanceTimeoutMs,
      protocols: [{ name: stored.protocolName ?? '', metadata: member.subscription }],
      assignment: member.assignment.length === 0 ? noBytes : member.assignment,
      isNew: false,
      joinTicket: undefined,
      syncTicket: undefined,
      session,
    })
    if (member.instanceId !== undefined) group.statics.set(member.instanceId, member.memberId)
    shard.restartSession(group.members.get(member.memberId)!, now)
  }
}
