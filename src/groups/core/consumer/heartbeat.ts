// Owns the heartbeat of the consumer protocol: who may speak under which epoch and name, and what it is told. What its word changes
// is in subscription.ts, how it goes in departure.ts, how a classic group becomes a consumer group in upgrade.ts.

import type { Group } from '../group.ts'
import type { ConsumerHeartbeatAsk, ConsumerHeartbeatReply, Instant, Ticket } from '../messages.ts'
import type { Shard } from '../shard.ts'
import { Draft, storeChange, turnsOf } from './change.ts'
import { eraseMember, leave, refusalOfStatic } from './departure.ts'
import { holdsAll, holdTheSame, noPartitions } from './partitions.ts'
import { awayEpoch, type ConsumerState, type CurrentAssignment, type Subscriber } from './state.ts'
import { namesInOrder, type Refusal, takeIn } from './subscription.ts'
import { startTimer } from './timers.ts'
import { draftOfUpgrade, suspendClassic } from './upgrade.ts'

export function refuseConsumer(ask: ConsumerHeartbeatAsk, { error, message }: Refusal): ConsumerHeartbeatReply {
  const { memberId, memberEpoch } = ask
  return { kind: 'consumer-heartbeat', error, message, memberId, memberEpoch, assigned: undefined }
}

/** One heartbeat that has its turn. */
export function planConsumerHeartbeat(
  shard: Shard,
  group: Group,
  beat: { readonly ticket: Ticket; readonly ask: ConsumerHeartbeatAsk },
  now: Instant,
): void {
  const refusal = beat.ask.memberEpoch < 0 ? leave(shard, group, beat) : speak(shard, group, beat, now)
  if (refusal !== undefined) shard.answer(beat.ticket, refuseConsumer(beat.ask, refusal))
}

function speak(
  shard: Shard,
  group: Group,
  { ticket, ask }: { readonly ticket: Ticket; readonly ask: ConsumerHeartbeatAsk },
  now: Instant,
): Refusal | undefined {
  const draft = openGroup(shard, group, ask)
  if (!(draft instanceof Draft)) return draft
  const refusal = refusalOfSpeaker(shard, draft.state, ask)
  if (refusal !== undefined) return refusal
  const { groupId, memberId, instanceId, memberEpoch } = ask
  if (memberEpoch === 0 && instanceId !== undefined) replaceStatic(draft, { groupId, memberId, instanceId })
  const turns = turnsOf(group)
  const before = draft.state.subscribers.get(memberId)
  const held = draft.state.currentOf(memberId).assigned
  const { version } = shard.topics
  const spoken = {
    memberId,
    subscriber: subscriberOf(ask, before),
    owned: ask.owned,
    haveTopicsChanged: turns.topicsVersion !== version,
  }
  const refused = takeIn(shard, draft, spoken, now)
  if (refused !== undefined) return refused
  const reply = replyTo(ask, held, draft.state.currentOf(memberId))
  const isMember = shard.durable.get(groupId)?.consumer?.subscribers.has(memberId) === true
  if (isMember) startTimer(shard, group, { memberId, timer: 'session' }, now)
  if (draft.records.length > 0) {
    if (shard.durable.get(groupId)?.consumer === undefined) suspendClassic(shard, group)
    storeChange(shard, group, draft.records, { answer: { ticket, reply }, heardOf: memberId, topicsVersion: version })
    return undefined
  }
  turns.topicsVersion = version
  shard.answer(ticket, reply)
  return undefined
}

/** The group as it is, or as it comes to be with this member: only who joins makes one. */
function openGroup(shard: Shard, group: Group, ask: ConsumerHeartbeatAsk): Draft | Refusal {
  const { groupId } = ask
  const stored = shard.durable.get(groupId)
  if (stored?.consumer !== undefined) return new Draft(groupId, stored.consumer)
  if (group.members.size > 0) return draftOfUpgrade(shard, group, ask)
  if (ask.memberEpoch !== 0) return { error: 'GROUP_ID_NOT_FOUND', message: `Consumer group ${groupId} not found.` }
  const draft = new Draft(groupId)
  // An empty classic group makes room; what it has on its way comes before this.
  if (stored?.metadata !== undefined || group.appendsInFlight > 0) {
    draft.writeClassic({ kind: 'group', groupId, value: undefined })
  }
  return draft
}

function refusalOfSpeaker(shard: Shard, state: ConsumerState, ask: ConsumerHeartbeatAsk): Refusal | undefined {
  const { memberId, instanceId, memberEpoch, groupId } = ask
  const isMember = state.subscribers.has(memberId)
  const { consumerGroupSizeMax } = shard.settings
  if (!isMember && state.subscribers.size >= consumerGroupSizeMax) {
    const message = `The consumer group has reached its maximum capacity of ${consumerGroupSizeMax} members.`
    return { error: 'GROUP_MAX_SIZE_REACHED', message }
  }
  if (memberEpoch === 0) return instanceId === undefined ? undefined : refusalOfReturn(state, memberId, instanceId)
  if (instanceId !== undefined) {
    const refusal = refusalOfStatic(state, memberId, instanceId)
    if (refusal !== undefined) return refusal
  } else if (!isMember) {
    return { error: 'UNKNOWN_MEMBER_ID', message: `Member ${memberId} is not a member of group ${groupId}.` }
  }
  return refusalOfEpoch(state.currentOf(memberId), ask)
}

/** A static name is free once its holder has said that it goes for a while, or speaks the classic protocol. */
function refusalOfReturn(state: ConsumerState, memberId: string, instanceId: string): Refusal | undefined {
  const holder = state.memberOf(instanceId)
  if (holder === undefined || holder === memberId) return undefined
  if (state.subscribers.get(holder)?.classic !== undefined) return undefined
  if (state.currentOf(holder).memberEpoch === awayEpoch) return undefined
  const message = `Static member ${memberId} with instance id ${instanceId} cannot join the group because the instance id is owned by ${holder} member.`
  return { error: 'UNRELEASED_INSTANCE_ID', message }
}

/** The epoch before is accepted from a member that can only have missed the answer which told it the present one. */
function refusalOfEpoch(current: CurrentAssignment, ask: ConsumerHeartbeatAsk): Refusal | undefined {
  const { memberEpoch } = current
  const said = ask.memberEpoch
  if (said === memberEpoch) return undefined
  const missedAnswer =
    said < memberEpoch && said === current.previousMemberEpoch && ask.owned !== undefined && holdsAll(current.assigned, ask.owned)
  if (missedAnswer) return undefined
  const which = said > memberEpoch ? 'greater' : 'smaller'
  const message =
    `The consumer group member has a ${which} member epoch (${said}) than the one known by the group coordinator ` +
    `(${memberEpoch}). The member must abandon all its partitions and rejoin.`
  return { error: 'FENCED_MEMBER_EPOCH', message }
}

/** Who joins under a static name takes over the place, the target and the partitions of whoever had it. */
export function replaceStatic(
  draft: Draft,
  { groupId, memberId, instanceId }: { readonly groupId: string; readonly memberId: string; readonly instanceId: string },
): void {
  const { state } = draft
  const holder = state.memberOf(instanceId)
  const subscriber = holder === undefined ? undefined : state.subscribers.get(holder)
  if (holder === undefined || subscriber === undefined) return
  const current = state.currentOf(holder)
  const value = { ...current, memberEpoch: 0, previousMemberEpoch: 0 }
  if (holder === memberId) {
    // It is here already, and only starts anew.
    if (current.memberEpoch === awayEpoch) draft.write({ kind: 'consumer-current', groupId, memberId, value })
    return
  }
  const target = state.targets.get(holder) ?? noPartitions
  eraseMember(draft, holder)
  draft.write({ kind: 'consumer-member', groupId, memberId, value: subscriber })
  draft.write({ kind: 'consumer-target', groupId, memberId, value: target })
  draft.write({ kind: 'consumer-current', groupId, memberId, value })
}

function subscriberOf(ask: ConsumerHeartbeatAsk, before: Subscriber | undefined): Subscriber {
  const { instanceId, rackId, clientId, clientHost, rebalanceTimeoutMs, topics, expression, assignor } = ask
  return {
    instanceId: instanceId ?? before?.instanceId,
    rackId: rackId ?? before?.rackId,
    clientId,
    clientHost,
    topics: topics === undefined ? (before?.topics ?? []) : namesInOrder(topics),
    expression: expression === undefined ? before?.expression : expression === '' ? undefined : expression,
    rebalanceTimeoutMs: rebalanceTimeoutMs ?? before?.rebalanceTimeoutMs ?? -1,
    assignor: assignor ?? before?.assignor,
    classic: undefined,
  }
}

/** The assignment is told when it is new to the member, or when the member says all that there is to say, as if it were unsure. */
function replyTo(
  ask: ConsumerHeartbeatAsk,
  held: CurrentAssignment['assigned'],
  current: CurrentAssignment,
): ConsumerHeartbeatReply {
  const isFull =
    ask.rebalanceTimeoutMs !== undefined && (ask.topics !== undefined || ask.expression !== undefined) && ask.owned !== undefined
  const tells = ask.memberEpoch === 0 || isFull || !holdTheSame(held, current.assigned)
  return {
    kind: 'consumer-heartbeat',
    error: 'NONE',
    message: undefined,
    memberId: ask.memberId,
    memberEpoch: current.memberEpoch,
    assigned: tells ? current.assigned : undefined,
  }
}
