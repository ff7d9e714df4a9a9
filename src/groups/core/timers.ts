// Owns what happens when something falls due. Not when that is (deadlines.ts).

import { assertNever } from '../../base/assert.ts'
import { takeTurn } from './consumer/turns.ts'
import type { Group, Subject } from './group.ts'
import type { Instant } from './messages.ts'
import { completeJoin, removeMember, removePending } from './rebalance.ts'
import { planSweep } from './remove.ts'
import type { Shard } from './shard.ts'

export function onDue(shard: Shard, due: Subject, now: Instant): void {
  switch (due.kind) {
    case 'session':
      return onSession(shard, due.group, due.memberId, now)
    case 'pending':
      return removePending(shard, due.group, due.memberId, now)
    case 'join':
      return onJoinDue(shard, due.group, now)
    case 'sync':
      return onSyncDue(shard, due.group, now)
    case 'consumer':
      return takeTurn(shard, due.group, { kind: 'due', memberId: due.memberId, timer: due.timer }, now)
    case 'sweep':
      planSweep(shard, now)
      return shard.deadlines.set(shard.sweep, now.monotonicMs + shard.settings.offsetsRetentionCheckIntervalMs)
    default:
      return assertNever(due, 'GROUP-10: everything that falls due is known')
  }
}

/** A session ends unless its member waits for us: then the answer starts it anew. Only a first join may wait too long. */
function onSession(shard: Shard, group: Group, memberId: string, now: Instant): void {
  const member = group.members.get(memberId)
  if (member === undefined) return
  if (!member.isNew && (member.joinTicket !== undefined || member.syncTicket !== undefined)) return
  shard.counts.expiredMembers += 1
  removeMember(shard, group, member, now)
}

function onJoinDue(shard: Shard, group: Group, now: Instant): void {
  if (group.state !== 'PreparingRebalance') return
  const delay = group.initialDelay
  if (delay === undefined || !delay.newMemberAdded || delay.remainingMs <= 0) return completeJoin(shard, group, now)
  const waitMs = Math.min(shard.settings.initialRebalanceDelayMs, delay.remainingMs)
  group.initialDelay = { newMemberAdded: false, remainingMs: delay.remainingMs - waitMs }
  shard.deadlines.set(group.joinDeadline, now.monotonicMs + waitMs)
}

/** Members that joined and never asked for their assignment are out. */
function onSyncDue(shard: Shard, group: Group, now: Instant): void {
  if (group.state !== 'CompletingRebalance' && group.state !== 'Stable') return
  for (const memberId of [...group.pendingSync]) {
    const member = group.members.get(memberId)
    if (member === undefined) continue
    shard.counts.expiredMembers += 1
    removeMember(shard, group, member, now)
  }
}
