// Owns the way of a consumer group back to a classic one, once nobody in it speaks the consumer protocol any more. Not the way there
// (upgrade.ts).

import type { StoredGroup } from '../durable.ts'
import type { Group } from '../group.ts'
import { consumerTimesOf } from '../group-configs.ts'
import type { Instant } from '../messages.ts'
import type { Shard } from '../shard.ts'
import { storeChange } from './change.ts'
import { consumerType, writeAssigned } from './classic-protocol.ts'
import { listOf, PartitionList, type Partitions } from './partitions.ts'
import { burialOf, type ConsumerState } from './state.ts'

export function isDowngradeDue(shard: Shard, groupId: string): boolean {
  const state = shard.durable.get(groupId)?.consumer
  const { consumerMigrationPolicy: policy, groupSizeMax } = shard.settings
  if (state === undefined || state.subscribers.size === 0 || state.subscribers.size > groupSizeMax) return false
  if (policy !== 'downgrade' && policy !== 'bidirectional') return false
  return [...state.subscribers.values()].every(({ classic }) => classic !== undefined) && commonProtocol(state) !== undefined
}

/** The first protocol of the first member that all offer. */
function commonProtocol(state: ConsumerState): string | undefined {
  const offers = [...state.subscribers.values()].map(({ classic }) => classic?.protocols.map(({ name }) => name) ?? [])
  return offers[0]?.find((name) => offers.every((names) => names.includes(name)))
}

/** All a member may be reading, also what it was to give up: should the group be upgraded again before it is assigned anew, it counts. */
function heldBy(state: ConsumerState, memberId: string): Partitions {
  const { assigned, pendingRevocation } = state.currentOf(memberId)
  const held = new PartitionList()
  for (const list of [listOf(assigned), listOf(pendingRevocation)]) {
    for (const [topicId, partitions] of list) for (const partition of partitions) held.add(topicId, partition)
  }
  return held.take()
}

/** The classic group is stored stable in the epoch as its generation, and then gathers its members for the next. */
export function planDowngrade(shard: Shard, group: Group, now: Instant): void {
  const { groupId } = group
  const state = shard.durable.get(groupId)?.consumer
  if (state === undefined || !isDowngradeDue(shard, groupId)) return
  const protocolName = commonProtocol(state)
  const { sessionTimeoutMs } = consumerTimesOf(shard.settings, groupId)
  const members = [...state.subscribers].map(([memberId, subscriber]) => {
    const { instanceId, clientId, clientHost, rebalanceTimeoutMs } = subscriber
    const classic = subscriber.classic ?? { sessionTimeoutMs, protocols: [] }
    return {
      memberId,
      instanceId,
      clientId,
      clientHost,
      rebalanceTimeoutMs,
      sessionTimeoutMs: classic.sessionTimeoutMs,
      subscription: classic.protocols.find(({ name }) => name === protocolName)?.metadata ?? new Uint8Array(0),
      assignment: writeAssigned(classic, heldBy(state, memberId), shard.topics),
    }
  })
  const value: StoredGroup = {
    protocolType: consumerType,
    generation: state.epoch,
    protocolName,
    leaderId: members[0]?.memberId,
    stateSinceMs: now.wallMs,
    members,
  }
  storeChange(shard, group, [...burialOf(groupId, state), { kind: 'group', groupId, value }], {})
}
