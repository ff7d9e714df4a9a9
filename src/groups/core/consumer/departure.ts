// Owns how members go out of a consumer group: by their own word, for a while, or because they were silent or too slow. Not when that
// is noticed (turns.ts).

import type { Group } from '../group.ts'
import type { ConsumerHeartbeatAsk, Ticket } from '../messages.ts'
import type { Shard } from '../shard.ts'
import { Draft, storeChange } from './change.ts'
import { nothingHeld } from './partitions.ts'
import { awayEpoch, type ConsumerState } from './state.ts'
import { dropExpression, type Refusal } from './subscription.ts'
import { raiseEpoch } from './targets.ts'

/** Writes a member out of the group; the group's epoch rises, and the next who speaks makes the new assignment. */
export function removeFrom(shard: Shard, draft: Draft, memberId: string): void {
  const { expression } = draft.state.subscribers.get(memberId) ?? {}
  eraseMember(draft, memberId)
  if (expression !== undefined) dropExpression(draft, expression)
  raiseEpoch(shard, draft)
}

export function eraseMember(draft: Draft, memberId: string): void {
  const { groupId } = draft
  const value = undefined
  draft.write({ kind: 'consumer-current', groupId, memberId, value })
  draft.write({ kind: 'consumer-target', groupId, memberId, value })
  draft.write({ kind: 'consumer-member', groupId, memberId, value })
}

/** Why a member that goes is not one; shared by both ways to go. */
function refusalOfLeave(state: ConsumerState | undefined, ask: ConsumerHeartbeatAsk): Refusal | undefined {
  const { groupId, memberId, instanceId } = ask
  if (state === undefined) return { error: 'GROUP_ID_NOT_FOUND', message: `Group ${groupId} is not a consumer group.` }
  if (instanceId === undefined) {
    if (state.subscribers.has(memberId)) return undefined
    return { error: 'UNKNOWN_MEMBER_ID', message: `Member ${memberId} is not a member of group ${groupId}.` }
  }
  return refusalOfStatic(state, memberId, instanceId)
}

/** Whether a member may speak under a static name. */
export function refusalOfStatic(state: ConsumerState, memberId: string, instanceId: string): Refusal | undefined {
  const holder = state.memberOf(instanceId)
  if (holder === undefined) return { error: 'UNKNOWN_MEMBER_ID', message: `Instance id ${instanceId} is unknown.` }
  if (holder === memberId) return undefined
  const message = `Static member ${memberId} with instance id ${instanceId} was fenced by member ${holder}.`
  return { error: 'FENCED_INSTANCE_ID', message }
}

export function leave(
  shard: Shard,
  group: Group,
  { ticket, ask }: { readonly ticket: Ticket; readonly ask: ConsumerHeartbeatAsk },
): Refusal | undefined {
  const { groupId, memberId, memberEpoch } = ask
  const state = shard.durable.get(groupId)?.consumer
  const refusal = refusalOfLeave(state, ask)
  if (refusal !== undefined || state === undefined) return refusal
  const draft = new Draft(groupId, state)
  if (memberEpoch === awayEpoch) {
    // It keeps what it has until it comes back or its session ends.
    const value = { ...state.currentOf(memberId), memberEpoch, pendingRevocation: nothingHeld }
    draft.write({ kind: 'consumer-current', groupId, memberId, value })
  } else {
    removeFrom(shard, draft, memberId)
  }
  const reply = {
    kind: 'consumer-heartbeat',
    error: 'NONE',
    message: undefined,
    memberId,
    memberEpoch,
    assigned: undefined,
  } as const
  storeChange(shard, group, draft.records, { answer: { ticket, reply } })
  return undefined
}
