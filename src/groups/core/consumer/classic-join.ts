// Owns JoinGroup of the classic protocol in a consumer group that has members: its subscription is taken in like anybody's, and the
// answer is its epoch as the generation; the broker assigns, so it never leads. Not sync and heartbeat (classic-members.ts).

import type { Group } from '../group.ts'
import type { GroupError, Instant, JoinAsk, JoinReply, Ticket } from '../messages.ts'
import { refuseJoin, type Shard } from '../shard.ts'
import { Draft, storeChange, turnsOf } from './change.ts'
import { consumerType, type ClassicSubscription, readSubscription } from './classic-protocol.ts'
import { refusalOfStatic } from './departure.ts'
import { replaceStatic } from './heartbeat.ts'
import type { ConsumerState, Subscriber } from './state.ts'
import { namesInOrder, takeIn } from './subscription.ts'
import { cancelTimer, startTimer } from './timers.ts'

interface ClassicJoin {
  readonly ticket: Ticket
  readonly ask: JoinAsk
}

/** One join that has its turn. */
export function planClassicJoin(
  shard: Shard,
  group: Group,
  join: ClassicJoin,
  at: { readonly state: ConsumerState; readonly now: Instant },
): void {
  const error = joinOrRefuse(shard, group, join, at)
  if (error === undefined) return
  // Who has no id yet is told one with the demand to come back with it.
  const memberId = error === 'MEMBER_ID_REQUIRED' ? join.ask.freshMemberId : join.ask.memberId
  shard.answer(join.ticket, refuseJoin(error, memberId))
}

function joinOrRefuse(
  shard: Shard,
  group: Group,
  { ticket, ask }: ClassicJoin,
  { state, now }: { readonly state: ConsumerState; readonly now: Instant },
): GroupError | undefined {
  const refusal = refusalOfJoin(shard, state, ask)
  if (refusal !== undefined) return refusal
  const subscription = readSubscription(ask.protocols[0]!.metadata, shard.topics)
  if (subscription === undefined) return 'INCONSISTENT_GROUP_PROTOCOL'
  const { groupId, instanceId } = ask
  const memberId = ask.memberId === '' ? ask.freshMemberId : ask.memberId
  const draft = new Draft(groupId, state)
  if (ask.memberId === '' && instanceId !== undefined) replaceStatic(draft, { groupId, memberId, instanceId })
  const turns = turnsOf(group)
  const { version } = shard.topics
  const spoken = {
    memberId,
    subscriber: subscriberOf(ask, subscription, draft.state.subscribers.get(memberId)),
    owned: subscription.owned,
    haveTopicsChanged: turns.topicsVersion !== version,
  }
  const refused = takeIn(shard, draft, spoken, now)
  if (refused !== undefined) return refused.error
  const reply: JoinReply = {
    ...refuseJoin('NONE', memberId),
    generation: draft.state.currentOf(memberId).memberEpoch,
    protocolType: consumerType,
    protocolName: ask.protocols[0]!.name,
  }
  if (draft.records.length > 0) {
    storeChange(shard, group, draft.records, { answer: { ticket, reply }, heardOf: memberId, topicsVersion: version })
    return undefined
  }
  turns.topicsVersion = version
  hasJoined(shard, group, memberId, now)
  shard.answer(ticket, reply)
  return undefined
}

/** A member that has joined must fetch its assignment in time. */
export function hasJoined(shard: Shard, group: Group, memberId: string, now: Instant): void {
  cancelTimer(shard, group, memberId, 'join')
  startTimer(shard, group, { memberId, timer: 'session' }, now)
  startTimer(shard, group, { memberId, timer: 'sync' }, now)
}

function refusalOfJoin(shard: Shard, state: ConsumerState, ask: JoinAsk): GroupError | undefined {
  const { memberId, instanceId } = ask
  const isMember = memberId !== '' && state.subscribers.has(memberId)
  if (!isMember && state.subscribers.size >= shard.settings.consumerGroupSizeMax) return 'GROUP_MAX_SIZE_REACHED'
  if (!isSupported(state, ask)) return 'INCONSISTENT_GROUP_PROTOCOL'
  if (instanceId === undefined) return memberId === '' && ask.requireKnownMemberId ? 'MEMBER_ID_REQUIRED' : undefined
  return memberId === '' ? undefined : refusalOfStatic(state, memberId, instanceId)?.error
}

/** All members that speak the classic protocol must go on sharing one of their own. */
function isSupported(state: ConsumerState, ask: JoinAsk): boolean {
  if (ask.protocolType !== consumerType || ask.protocols.length === 0) return false
  const others = [...state.subscribers.values()].flatMap(({ classic }) => (classic === undefined ? [] : [classic.protocols]))
  return ask.protocols.some((own) => others.every((protocols) => protocols.some(({ name }) => name === own.name)))
}

function subscriberOf(ask: JoinAsk, subscription: ClassicSubscription, before: Subscriber | undefined): Subscriber {
  const { instanceId, clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs, protocols } = ask
  return {
    instanceId: instanceId ?? before?.instanceId,
    rackId: subscription.rackId ?? before?.rackId,
    clientId,
    clientHost,
    topics: namesInOrder(subscription.topics),
    expression: undefined,
    rebalanceTimeoutMs,
    assignor: before?.assignor,
    classic: { sessionTimeoutMs, protocols },
  }
}
