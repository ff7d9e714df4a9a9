// Owns who may commit and fetch offsets of a consumer group: members in their epoch, and anybody while there are none. Not offsets
// themselves (../offsets.ts).

import type { CommitAsk, GroupError } from '../messages.ts'
import type { Shard } from '../shard.ts'
import type { ConsumerState, CurrentAssignment } from './state.ts'
import type { TopicView } from './topics.ts'

export function refusalOfConsumerCommit(state: ConsumerState, ask: CommitAsk, topics: TopicView): GroupError | undefined {
  const { memberId, generation, instanceId } = ask
  const isTransactional = ask.producer !== undefined
  if (generation < 0 && state.subscribers.size === 0) return undefined
  // Producers of old clients do not say for which member they commit.
  if (isTransactional && generation < 0 && memberId === '' && instanceId === undefined) return undefined
  const subscriber = state.subscribers.get(memberId)
  if (subscriber === undefined) return 'UNKNOWN_MEMBER_ID'
  const { memberEpoch } = state.currentOf(memberId)
  if (subscriber.classic !== undefined) return generation === memberEpoch ? undefined : 'ILLEGAL_GENERATION'
  if (!isTransactional && ask.understandsEpochs !== true) return 'UNSUPPORTED_VERSION'
  if (generation === memberEpoch || (generation < memberEpoch && hadAll(state.currentOf(memberId), ask, topics))) return undefined
  // Transactional commits know nothing of member epochs: to them a stale one is a generation that has passed.
  return isTransactional ? 'ILLEGAL_GENERATION' : 'STALE_MEMBER_EPOCH'
}

/** Whether the member had every partition it commits for in the epoch it says, and still has it: then nobody else can have read on. */
function hadAll(current: CurrentAssignment, ask: CommitAsk, topics: TopicView): boolean {
  return ask.offsets.every(({ topic, topicId, partition }) => {
    const id = topicId ?? topics.topic(topic)?.id
    if (id === undefined) return false
    const since = current.assigned.get(id)?.get(partition) ?? current.pendingRevocation.get(id)?.get(partition)
    return since !== undefined && since <= ask.generation
  })
}

/** Whoever says that it is a member must be one, in its epoch. */
export function refusalOfFetch(
  shard: Shard,
  groupId: string,
  memberId: string | undefined,
  memberEpoch: number,
): GroupError | undefined {
  const state = shard.durable.get(groupId)?.consumer
  if (state === undefined || (memberId === undefined && memberEpoch < 0)) return undefined
  const subscriber = state.subscribers.get(memberId ?? '')
  if (subscriber === undefined) return 'UNKNOWN_MEMBER_ID'
  if (state.currentOf(memberId ?? '').memberEpoch === memberEpoch) return undefined
  return subscriber.classic === undefined ? 'STALE_MEMBER_EPOCH' : 'ILLEGAL_GENERATION'
}
