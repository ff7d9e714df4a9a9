// Owns how groups and offsets end: on request, and by age. Not the removal of members (rebalance.ts).

import { burialOf } from './consumer/state.ts'
import { subscribedNames } from './consumer/topics.ts'
import { getAt, type CommittedOffset, type GroupRecord } from './durable.ts'
import type { Group } from './group.ts'
import type { GroupError, Instant, Ticket } from './messages.ts'
import { rewrite } from './offsets.ts'
import { writeEmptied } from './rebalance.ts'
import { recordsPerAppendMax } from './settings.ts'
import { offsetKeys, type Shard, tombstone } from './shard.ts'
import { subscribedTopics } from './subscription.ts'

/** DeleteGroups, for one group. While its tombstones are on their way, it is Dead: whoever asks is told to come again. */
export function planDeleteGroup(shard: Shard, ticket: Ticket, groupId: string, now: Instant): void {
  const group = shard.groups.get(groupId)
  const refuse = (error: GroupError): void => shard.answer(ticket, { kind: 'delete', error })
  if (group === undefined || group.state === 'Dead') return refuse('GROUP_ID_NOT_FOUND')
  const consumer = shard.durable.get(groupId)?.consumer
  if (group.state !== 'Empty' || (consumer !== undefined && consumer.subscribers.size > 0)) return refuse('NON_EMPTY_GROUP')
  bury(shard, group, ticket, now)
}

/** Writes tombstones for all a group has, those still on their way included. */
function bury(shard: Shard, group: Group, ticket: Ticket | undefined, now: Instant): void {
  const { groupId } = group
  const records: GroupRecord[] = []
  for (const key of offsetKeys(shard, groupId)) records.push(tombstone(groupId, key.topic, key.partition))
  const { consumer, metadata } = shard.durable.get(groupId) ?? {}
  if (consumer !== undefined) records.push(...burialOf(groupId, consumer))
  if (consumer === undefined || metadata !== undefined) records.push({ kind: 'group', groupId, value: undefined })
  group.become('Dead', now.wallMs)
  while (records.length > recordsPerAppendMax) rewrite(shard, group, records.splice(0, recordsPerAppendMax), undefined)
  shard.append(group, records, { kind: 'deleted', ticket, groupId })
}

/** The last tombstones have ended: the group is gone, unless something of it is left. */
export function buried(
  shard: Shard,
  { groupId, ticket }: { readonly groupId: string; readonly ticket: Ticket | undefined },
  error: GroupError,
  now: Instant,
): void {
  const group = shard.groups.get(groupId)!
  const left = shard.durable.get(groupId) !== undefined || shard.durable.hasPending(groupId)
  const outcome: GroupError = error === 'NONE' && left ? 'COORDINATOR_NOT_AVAILABLE' : error
  const { stateSinceMs } = shard.durable.get(groupId)?.metadata ?? group
  if (outcome === 'NONE') {
    shard.forget(group)
  } else {
    group.become('Empty', now.wallMs)
    group.stateSinceMs = stateSinceMs
  }
  if (ticket !== undefined) shard.answer(ticket, { kind: 'delete', error: outcome })
}

/** Since when the offsets of a topic age, at the least; undefined: they do not, because the group lives and reads the topic. */
function ageBaseMs(group: Group, subscribed: ReadonlySet<string> | undefined, topic: string): number | undefined {
  if (group.state === 'Empty' && subscribed !== undefined) return subscribed.has(topic) ? undefined : 0
  if (group.state === 'Empty') return group.protocolType === undefined ? 0 : group.stateSinceMs
  if (group.state !== 'Stable' || subscribed === undefined) return undefined
  return subscribed.has(topic) ? undefined : 0
}

function isExpired(
  value: CommittedOffset,
  since: { readonly baseMs: number; readonly retentionMs: number },
  now: Instant,
): boolean {
  if (value.expireTimestampMs >= 0) return now.wallMs >= value.expireTimestampMs
  // Whoever commits to a group that has long been empty, an administrator for instance, gets the whole retention.
  return now.wallMs - Math.max(since.baseMs, value.commitTimestampMs) >= since.retentionMs
}

/** Whether somebody is in the group, or may be in a moment. */
function isPeopled(shard: Shard, group: Group): boolean {
  const consumer = shard.durable.get(group.groupId)?.consumer
  return group.state !== 'Empty' || group.pendingMembers.size > 0 || (consumer?.subscribers.size ?? 0) > 0
}

/** Removes what is too old, and groups of which nothing is left. Offsets that are being written or wait for a transaction stay. */
export function planSweep(shard: Shard, now: Instant): void {
  for (const group of [...shard.groups.values()]) {
    if (group.state === 'Dead') continue
    const expired = expiredOffsets(shard, group, now)
    shard.counts.expiredOffsets += expired.length
    const stays = isPeopled(shard, group) || group.appendsInFlight > 0
    if (!stays && isLast(shard, group, expired.length)) {
      if (shard.durable.get(group.groupId) === undefined) shard.forget(group)
      else bury(shard, group, undefined, now)
      continue
    }
    for (let at = 0; at < expired.length; at += recordsPerAppendMax) {
      rewrite(shard, group, expired.slice(at, at + recordsPerAppendMax), undefined)
    }
    // A group that fell empty says so again if the first attempt failed.
    const storedMembers = shard.durable.get(group.groupId)?.metadata?.members.length ?? 0
    if (group.state === 'Empty' && storedMembers > 0 && group.appendsInFlight === 0) writeEmptied(shard, group)
  }
}

function expiredOffsets(shard: Shard, group: Group, now: Instant): GroupRecord[] {
  const expired: GroupRecord[] = []
  const consumer = shard.durable.get(group.groupId)?.consumer
  // A group of the consumer protocol has no state of the classic one: it is told by what it subscribes to, nothing if nobody is in it.
  const subscribed =
    consumer !== undefined ? subscribedNames(consumer) : group.state === 'Stable' ? subscribedTopics(group) : undefined
  for (const [topic, partitions] of shard.durable.get(group.groupId)?.offsets ?? []) {
    const baseMs = ageBaseMs(group, subscribed, topic)
    if (baseMs === undefined) continue
    const since = { baseMs, retentionMs: shard.settings.offsetsRetentionMs }
    for (const [partition, value] of partitions) {
      if (getAt(group.offsetsInFlight, topic, partition) !== undefined) continue
      if (shard.durable.isUnstable(group.groupId, topic, partition)) continue
      if (isExpired(value, since, now)) expired.push(tombstone(group.groupId, topic, partition))
    }
  }
  return expired
}

function isLast(shard: Shard, group: Group, expired: number): boolean {
  if (shard.durable.hasPending(group.groupId)) return false
  let all = 0
  for (const partitions of shard.durable.get(group.groupId)?.offsets.values() ?? []) all += partitions.size
  return all === expired
}
