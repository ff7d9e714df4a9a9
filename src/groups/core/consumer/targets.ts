// Owns the epochs of a consumer group and the targets of its members: when the group's epoch rises, and who shall have what in it.
// Not how members get there (reconcile.ts) nor the assignors' rules.

import type { Instant } from '../messages.ts'
import type { Shard } from '../shard.ts'
import { type AssignorName, assignors, isAssignorName } from './assignor.ts'
import type { AssignorMember } from './assignor-ask.ts'
import type { Draft } from './change.ts'
import { byText, noPartitions, samePartitions } from './partitions.ts'
import type { ConsumerState, Subscriber } from './state.ts'
import { metadataHashOf, topicNamesOf } from './topics.ts'

/** Raises the group's epoch: what was assigned before is out of date. */
export function raiseEpoch(shard: Shard, draft: Draft, metadataHash = metadataHashOf(draft.state, shard.topics)): void {
  const { groupId, state } = draft
  shard.counts.rebalances += 1
  draft.write({ kind: 'consumer-group', groupId, value: { epoch: state.epoch + 1, metadataHash } })
  if (state.hasTopicsRecord) draft.write({ kind: 'consumer-topics', groupId, value: undefined })
}

/** The assignor most members ask for, the earlier configured at a draw; without wishes the first configured. */
export function preferredAssignor(state: ConsumerState, configured: readonly AssignorName[]): AssignorName {
  const votes = new Map<AssignorName, number>()
  for (const { assignor } of state.subscribers.values()) {
    if (assignor !== undefined && isAssignorName(assignor)) votes.set(assignor, (votes.get(assignor) ?? 0) + 1)
  }
  let preferred = configured[0]!
  for (const name of configured) if ((votes.get(name) ?? 0) > (votes.get(preferred) ?? 0)) preferred = name
  return preferred
}

/** Static members by their names first: one that comes back under another member id keeps its place. */
function inOrder(state: ConsumerState): (readonly [memberId: string, subscriber: Subscriber])[] {
  return [...state.subscribers].sort(([leftId, left], [rightId, right]) => {
    if (left.instanceId === undefined || right.instanceId === undefined) {
      return Number(left.instanceId === undefined) - Number(right.instanceId === undefined) || byText(leftId, rightId)
    }
    return byText(left.instanceId, right.instanceId)
  })
}

/** Computes everybody's target for the group's epoch, and writes those that change. */
export function updateTargets(shard: Shard, draft: Draft, now: Instant): void {
  const { groupId, state } = draft
  const counts = new Map<string, number>()
  const members = inOrder(state).map(([memberId, subscriber]): AssignorMember => {
    const topics = new Set<string>()
    for (const name of topicNamesOf(subscriber, state.expressions)) {
      const topic = shard.topics.topic(name)
      if (topic === undefined) continue
      topics.add(topic.id)
      counts.set(topic.id, topic.partitionCount)
    }
    return { memberId, topics, previous: state.targets.get(memberId) ?? noPartitions }
  })
  const assign = assignors[preferredAssignor(state, shard.settings.consumerAssignors)]
  const targets = assign({ members, partitionCountOf: (topicId) => counts.get(topicId) ?? 0 })
  for (const [memberId, value] of targets) {
    const before = state.targets.get(memberId)
    if (before === undefined || !samePartitions(before, value)) draft.write({ kind: 'consumer-target', groupId, memberId, value })
  }
  const value = { epoch: state.epoch, timestampMs: now.wallMs }
  draft.write({ kind: 'consumer-assignment', groupId, value })
}
