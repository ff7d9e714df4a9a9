// Owns what a member's word changes in a consumer group's state: its subscription, the expressions, the group's epoch, the targets, and
// the member's own next step. Shared by members of both protocols. Not who may speak (heartbeat.ts, classic-join.ts).

import { byText, noPartitions, type Partitions } from './partitions.ts'
import type { Draft } from './change.ts'
import { reconcile } from './reconcile.ts'
import { type CurrentAssignment, isReconciled, type Subscriber } from './state.ts'
import { raiseEpoch, updateTargets } from './targets.ts'
import { metadataHashOf, topicIdsOf } from './topics.ts'
import type { GroupError, Instant } from '../messages.ts'
import { expressionLengthMax } from '../settings.ts'
import type { Shard } from '../shard.ts'

export interface Refusal {
  readonly error: GroupError
  readonly message: string
}

/** Ascending, each once. */
export function namesInOrder(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort(byText)
}

function sameNames(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((name, at) => name === right[at])
}

function sameClassic(left: Subscriber['classic'], right: Subscriber['classic']): boolean {
  if (left === undefined || right === undefined) return left === right
  return (
    left.sessionTimeoutMs === right.sessionTimeoutMs &&
    left.protocols.length === right.protocols.length &&
    left.protocols.every((one, at) => {
      const other = right.protocols[at]!
      return (
        one.name === other.name &&
        one.metadata.length === other.metadata.length &&
        one.metadata.every((byte, index) => byte === other.metadata[index])
      )
    })
  )
}

function sameSubscriber(left: Subscriber, right: Subscriber): boolean {
  return (
    left.instanceId === right.instanceId &&
    left.rackId === right.rackId &&
    left.clientId === right.clientId &&
    left.clientHost === right.clientHost &&
    left.expression === right.expression &&
    left.rebalanceTimeoutMs === right.rebalanceTimeoutMs &&
    left.assignor === right.assignor &&
    sameNames(left.topics, right.topics) &&
    sameClassic(left.classic, right.classic)
  )
}

export interface Spoken {
  readonly memberId: string
  readonly subscriber: Subscriber
  /** What the member says it owns; undefined: it does not say. */
  readonly owned: Partitions | undefined
  /** The topics have changed since the group last looked. */
  readonly haveTopicsChanged: boolean
}

/** Takes a member's word into the draft and brings the member one step closer to its target; or says why not. */
export function takeIn(shard: Shard, draft: Draft, spoken: Spoken, now: Instant): Refusal | undefined {
  const { groupId } = draft
  const { memberId, subscriber } = spoken
  const before = draft.state.subscribers.get(memberId)
  if (before === undefined || !sameSubscriber(before, subscriber)) {
    draft.write({ kind: 'consumer-member', groupId, memberId, value: subscriber })
  }
  const otherTopics = !sameNames(before?.topics ?? [], subscriber.topics)
  const otherExpression = before?.expression !== subscriber.expression
  if (otherExpression) {
    const refusal = changeExpression(shard, draft, { before: before?.expression, after: subscriber.expression }, now)
    if (refusal !== undefined) return refusal
  }
  const mustRaise = draft.state.epoch === 0 || otherTopics || otherExpression
  refreshTopics(shard, draft, { mustRaise, haveTopicsChanged: spoken.haveTopicsChanged }, now)
  if (draft.state.epoch > draft.state.assignmentEpoch) updateTargets(shard, draft, now)
  stepMember(shard, draft, spoken, otherTopics || otherExpression)
  return undefined
}

function changeExpression(
  shard: Shard,
  draft: Draft,
  { before, after }: { readonly before: string | undefined; readonly after: string | undefined },
  now: Instant,
): Refusal | undefined {
  const { groupId } = draft
  if (before !== undefined) dropExpression(draft, before)
  if (after === undefined || draft.state.expressions.has(after)) return undefined
  const topics = after.length > expressionLengthMax ? undefined : shard.topics.matching(after)
  if (topics === undefined) {
    const message = `SubscribedTopicRegex \`${after.slice(0, expressionLengthMax)}\` is not a valid regular expression.`
    return { error: 'INVALID_REGULAR_EXPRESSION', message }
  }
  const value = { topics, version: shard.topics.version, timestampMs: now.wallMs }
  draft.write({ kind: 'consumer-expression', groupId, expression: after, value })
  return undefined
}

/** An expression that nobody subscribes by is forgotten. */
export function dropExpression(draft: Draft, expression: string): void {
  const { groupId, state } = draft
  if (!state.expressions.has(expression) || state.subscribersOf(expression) > 0) return
  draft.write({ kind: 'consumer-expression', groupId, expression, value: undefined })
}

/** Looks at the topics again, where they or the subscriptions have changed; if that tells anything new, the group's epoch rises. */
function refreshTopics(
  shard: Shard,
  draft: Draft,
  why: { readonly mustRaise: boolean; readonly haveTopicsChanged: boolean },
  now: Instant,
): void {
  if (!why.mustRaise && !why.haveTopicsChanged) return
  if (why.haveTopicsChanged) {
    for (const [expression, before] of [...draft.state.expressions]) {
      const topics = shard.topics.matching(expression) ?? before.topics
      if (sameNames(topics, before.topics)) continue
      const value = { topics, version: shard.topics.version, timestampMs: now.wallMs }
      draft.write({ kind: 'consumer-expression', groupId: draft.groupId, expression, value })
    }
  }
  const hash = metadataHashOf(draft.state, shard.topics)
  if (why.mustRaise || hash !== draft.state.metadataHash) raiseEpoch(shard, draft, hash)
}

function stepMember(shard: Shard, draft: Draft, spoken: Spoken, hasSubscriptionChanged: boolean): void {
  const { groupId, state } = draft
  const { memberId, owned, subscriber } = spoken
  const current = state.currentOf(memberId)
  if (!hasSubscriptionChanged && isReconciled(current, state.assignmentEpoch)) return
  const value: CurrentAssignment = reconcile({
    current,
    target: state.targets.get(memberId) ?? noPartitions,
    targetEpoch: state.assignmentEpoch,
    subscribed: topicIdsOf(subscriber, state.expressions, shard.topics),
    hasSubscriptionChanged,
    owned,
    isHeldByOther: (topicId, partition) => {
      const holder = state.holderOf(topicId, partition)
      return holder !== undefined && holder !== memberId
    },
  })
  if (value !== current) draft.write({ kind: 'consumer-current', groupId, memberId, value })
}
