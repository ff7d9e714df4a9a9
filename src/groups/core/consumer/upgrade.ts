// Owns the way of a living classic group to a consumer group, set off by a first member of the consumer protocol: its members stay,
// with what they have, and go on in the classic protocol. Not the way back (downgrade.ts).

import type { Group, Member } from '../group.ts'
import type { ConsumerHeartbeatAsk, Instant } from '../messages.ts'
import { prepareRebalance } from '../rebalance.ts'
import { rejoinWaitMsMin } from '../settings.ts'
import { refuseJoin, refuseSync, type Shard } from '../shard.ts'
import { Draft } from './change.ts'
import { consumerType, readAssigned, readSubscription } from './classic-protocol.ts'
import { heldSince, PartitionList, type Partitions } from './partitions.ts'
import { namesInOrder, type Refusal } from './subscription.ts'

function refusalOfUpgrade(shard: Shard, group: Group, ask: ConsumerHeartbeatAsk): string | undefined {
  const { groupId } = group
  const { consumerMigrationPolicy: policy, consumerGroupSizeMax } = shard.settings
  if (ask.memberEpoch !== 0) return `Group ${groupId} is not a consumer group.`
  const cannot = (because: string): string => `Cannot upgrade classic group ${groupId} to consumer group because ${because}.`
  if (policy !== 'upgrade' && policy !== 'bidirectional') return cannot('online upgrade is disabled')
  if (group.protocolType !== consumerType) return cannot('the group does not use the consumer embedded protocol')
  if (group.members.size > consumerGroupSizeMax) return cannot('the group size exceeds the consumer group maximum size')
  return undefined
}

/** The consumer group that has the members of the classic one; or why there is none. */
export function draftOfUpgrade(shard: Shard, group: Group, ask: ConsumerHeartbeatAsk): Draft | Refusal {
  const { groupId, generation } = group
  const error = 'GROUP_ID_NOT_FOUND'
  const refused = refusalOfUpgrade(shard, group, ask)
  if (refused !== undefined) return { error, message: refused }
  const draft = new Draft(groupId)
  draft.writeClassic({ kind: 'group', groupId, value: undefined })
  const targets = new Map<string, Partitions>()
  const taken = new PartitionList()
  for (const member of group.members.values()) {
    const assigned = bring(shard, draft, { member, isSettled: group.state === 'Stable' }, taken)
    if (assigned === undefined) {
      const message = `Cannot upgrade classic group ${groupId} to consumer group because the embedded consumer protocol is malformed or an unsupported custom assignor is in use.`
      return { error, message }
    }
    targets.set(member.memberId, assigned)
  }
  draft.write({ kind: 'consumer-group', groupId, value: { epoch: generation, metadataHash: 0n } })
  for (const [memberId, value] of targets) draft.write({ kind: 'consumer-target', groupId, memberId, value })
  draft.write({ kind: 'consumer-assignment', groupId, value: { epoch: generation, timestampMs: 0 } })
  for (const [memberId, target] of targets) {
    const assigned = heldSince(target, generation)
    const value = {
      memberEpoch: generation,
      previousMemberEpoch: generation,
      state: 'Stable',
      assigned,
      pendingRevocation: new Map(),
    } as const
    draft.write({ kind: 'consumer-current', groupId, memberId, value })
  }
  return draft
}

/**
 * Writes one classic member as a member of the consumer group; returns what it has, less what an assignor gave twice. While a rebalance
 * is under way that is what it was given last and what it said it owned when it joined: a cooperative member goes on reading.
 */
function bring(
  shard: Shard,
  draft: Draft,
  { member, isSettled }: { readonly member: Member; readonly isSettled: boolean },
  taken: PartitionList,
): Partitions | undefined {
  const { groupId } = draft
  const { memberId, instanceId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs, protocols } = member
  const subscription = protocols[0] === undefined ? undefined : readSubscription(protocols[0].metadata, shard.topics)
  const given = readAssigned(member.assignment, shard.topics)
  if (subscription === undefined || given === undefined) return undefined
  const value = {
    instanceId,
    rackId: subscription.rackId,
    clientId,
    clientHost,
    topics: namesInOrder(subscription.topics),
    expression: undefined,
    rebalanceTimeoutMs,
    assignor: undefined,
    classic: { sessionTimeoutMs, protocols },
  }
  draft.write({ kind: 'consumer-member', groupId, memberId, value })
  const assigned = new PartitionList()
  for (const [topicId, partitions] of [...given, ...(isSettled ? [] : subscription.owned)]) {
    for (const partition of partitions) {
      if (taken.has(topicId, partition)) continue
      taken.add(topicId, partition)
      assigned.add(topicId, partition)
    }
  }
  return assigned.take()
}

/** While the upgrade is on its way nothing of the classic group falls due, and who waits is told to come again. */
export function suspendClassic(shard: Shard, group: Group): void {
  for (const member of group.members.values()) {
    if (member.joinTicket !== undefined) shard.answer(member.joinTicket, refuseJoin('REBALANCE_IN_PROGRESS', member.memberId))
    if (member.syncTicket !== undefined) shard.answer(member.syncTicket, refuseSync('REBALANCE_IN_PROGRESS'))
    member.joinTicket = undefined
    member.syncTicket = undefined
    shard.deadlines.cancel(member.session)
  }
  for (const pending of group.pendingMembers.values()) shard.deadlines.cancel(pending)
  group.pendingMembers.clear()
  shard.deadlines.cancel(group.joinDeadline)
  shard.deadlines.cancel(group.syncDeadline)
  group.initialDelay = undefined
  group.assignmentInFlight = undefined
  group.pendingSync.clear()
}

/** The upgrade was not stored: the classic group gathers its members again. */
export function resumeClassic(shard: Shard, group: Group, now: Instant): void {
  for (const member of group.members.values()) shard.restartSession(member, now)
  if (group.state === 'PreparingRebalance') {
    shard.deadlines.set(group.joinDeadline, now.monotonicMs + Math.max(group.rebalanceTimeoutMs, rejoinWaitMsMin))
  } else prepareRebalance(shard, group, now)
}
