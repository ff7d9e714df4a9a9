// Owns SyncGroup, Heartbeat and LeaveGroup of the classic protocol in a consumer group: such a member learns of every change by being
// told to rejoin. Not joining (classic-join.ts).

import type { Group } from '../group.ts'
import type { GroupError, Instant, Leaver, MemberClaim, SyncAsk, SyncReply } from '../messages.ts'
import { refuseSync, type Shard } from '../shard.ts'
import { consumerType, writeAssigned } from './classic-protocol.ts'
import { refusalOfStatic } from './departure.ts'
import { listOf } from './partitions.ts'
import type { ClassicSide, ConsumerState, CurrentAssignment } from './state.ts'
import { cancelTimer, isTimerSet, startTimer } from './timers.ts'

interface Speaker {
  readonly state: ConsumerState
  readonly classic: ClassicSide
  readonly current: CurrentAssignment
}

function speakerOf(shard: Shard, claim: MemberClaim): Speaker | GroupError {
  const state = shard.durable.get(claim.groupId)?.consumer
  // The group is just becoming one.
  if (state === undefined) return 'REBALANCE_IN_PROGRESS'
  const { memberId, instanceId } = claim
  const refusal = instanceId === undefined ? undefined : refusalOfStatic(state, memberId, instanceId)
  if (refusal !== undefined) return refusal.error
  const classic = state.subscribers.get(memberId)?.classic
  if (classic === undefined) return 'UNKNOWN_MEMBER_ID'
  const current = state.currentOf(memberId)
  return claim.generation === current.memberEpoch ? { state, classic, current } : 'ILLEGAL_GENERATION'
}

export function syncInConsumerGroup(shard: Shard, group: Group, ask: SyncAsk, now: Instant): SyncReply {
  const speaker = speakerOf(shard, ask)
  if (typeof speaker === 'string') return refuseSync(speaker)
  const { state, classic, current } = speaker
  const protocolName = classic.protocols[0]?.name
  const otherType = ask.protocolType !== undefined && ask.protocolType !== consumerType
  const otherName = ask.protocolName !== undefined && ask.protocolName !== protocolName
  if (otherType || otherName) return refuseSync('INCONSISTENT_GROUP_PROTOCOL')
  // Who is giving partitions up has rejoined for this epoch already; when it has, it rejoins by itself.
  if (state.epoch > current.memberEpoch && current.state !== 'UnrevokedPartitions') {
    return refuseSync(demandJoin(shard, group, ask.memberId, now))
  }
  cancelTimer(shard, group, ask.memberId, 'sync')
  startTimer(shard, group, { memberId: ask.memberId, timer: 'session' }, now)
  const assignment = writeAssigned(classic, listOf(current.assigned), shard.topics)
  return { kind: 'sync', error: 'NONE', protocolType: consumerType, protocolName, assignment }
}

export function heartbeatInConsumerGroup(shard: Shard, group: Group, claim: MemberClaim, now: Instant): GroupError {
  const speaker = speakerOf(shard, claim)
  if (typeof speaker === 'string') return speaker
  startTimer(shard, group, { memberId: claim.memberId, timer: 'session' }, now)
  const { state, current } = speaker
  const canGoOn =
    current.memberEpoch < state.epoch ||
    current.state === 'UnrevokedPartitions' ||
    (current.state === 'UnreleasedPartitions' && !waitsForOthers(state, claim.memberId))
  return canGoOn ? demandJoin(shard, group, claim.memberId, now) : 'NONE'
}

function demandJoin(shard: Shard, group: Group, memberId: string, now: Instant): GroupError {
  if (!isTimerSet(group, memberId, 'join')) startTimer(shard, group, { memberId, timer: 'join' }, now)
  return 'REBALANCE_IN_PROGRESS'
}

/** Whether some partition of the member's target is still in other hands. */
function waitsForOthers(state: ConsumerState, memberId: string): boolean {
  const { assigned } = state.currentOf(memberId)
  for (const [topicId, partitions] of state.targets.get(memberId) ?? []) {
    for (const partition of partitions) {
      const holder = state.holderOf(topicId, partition)
      if (holder !== undefined && holder !== memberId && assigned.get(topicId)?.has(partition) !== true) return true
    }
  }
  return false
}

/** The member a leaver names, or why there is none; an administrator names a static member by its instance id alone. */
export function leaverOf(state: ConsumerState, leaver: Leaver): { readonly memberId: string } | GroupError {
  const { memberId, instanceId } = leaver
  if (instanceId !== undefined) {
    const holder = state.memberOf(instanceId)
    if (holder === undefined) return 'UNKNOWN_MEMBER_ID'
    return memberId === '' || memberId === holder ? { memberId: holder } : 'FENCED_INSTANCE_ID'
  }
  return state.subscribers.get(memberId)?.classic === undefined ? 'UNKNOWN_MEMBER_ID' : { memberId }
}
