// Owns committing, fetching, deleting and setting back offsets. Not their expiry (expire.ts) nor whether a topic exists (the shell
// asks before).

import { refusalOfConsumerCommit } from './consumer/offsets.ts'
import { subscribedNames } from './consumer/topics.ts'
import { getAt, type CommittedOffset, type GroupRecord, type OffsetRecord } from './durable.ts'
import type { Group } from './group.ts'
import type { CommitAsk, CommitReply, GroupError, Instant, OffsetToCommit, Ticket, TicketSource } from './messages.ts'
import { offsetKeys, type Shard, tombstone } from './shard.ts'
import { subscribedTopics } from './subscription.ts'
import { refusalOfClaim } from './sync.ts'

function refusalOfCommit(shard: Shard, group: Group | undefined, ask: CommitAsk): GroupError | undefined {
  const nowhere = ask.understandsEpochs === true ? 'GROUP_ID_NOT_FOUND' : 'ILLEGAL_GENERATION'
  // A consumer outside group management commits with generation −1, which also makes the group.
  if (group === undefined) return ask.generation < 0 ? undefined : nowhere
  if (group.state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
  const consumer = shard.durable.get(group.groupId)?.consumer
  if (consumer !== undefined) return refusalOfConsumerCommit(consumer, ask, shard.topics)
  if (group.state === 'Empty' && ask.generation < 0) return undefined
  const claims = ask.generation >= 0 || ask.memberId !== '' || ask.instanceId !== undefined
  // Producers of old clients do not say for which member they commit.
  if (!claims) return ask.producer === undefined ? 'UNKNOWN_MEMBER_ID' : undefined
  const refusal = refusalOfClaim(group, ask)
  if (refusal !== undefined) return refusal
  return group.state === 'CompletingRebalance' ? 'REBALANCE_IN_PROGRESS' : undefined
}

function refusalOfOffset(shard: Shard, one: OffsetToCommit): GroupError {
  if (one.metadata.length > shard.settings.offsetMetadataLengthMax) return 'OFFSET_METADATA_TOO_LARGE'
  return Number.isSafeInteger(one.offset) ? 'NONE' : 'OFFSET_OUT_OF_RANGE'
}

export function allOffsets(ask: { readonly offsets: readonly unknown[] }, error: GroupError): CommitReply {
  return { kind: 'commit', errors: ask.offsets.map(() => error) }
}

export function planCommit(shard: Shard, ticket: Ticket, ask: CommitAsk, now: Instant): void {
  const present = shard.groups.get(ask.groupId)
  const refusal = refusalOfCommit(shard, present, ask)
  if (refusal !== undefined) return shard.answer(ticket, allOffsets(ask, refusal))
  const member = present?.members.get(ask.memberId)
  if (member !== undefined && !member.isNew) shard.restartSession(member, now)
  const errors = ask.offsets.map((one) => refusalOfOffset(shard, one))
  const reply: CommitReply = { kind: 'commit', errors }
  const records = ask.offsets.filter((_, at) => errors[at] === 'NONE').map((one) => commitRecord(ask, one, now))
  if (records.length === 0) return shard.answer(ticket, reply)
  const group = present ?? shard.obtain(ask.groupId, now)
  shard.append(group, records, { kind: 'committed', ticket, groupId: ask.groupId, reply }, ask.producer)
}

function commitRecord(ask: CommitAsk, one: OffsetToCommit, now: Instant): OffsetRecord {
  // The one record version that has an expiry has neither epoch nor topic id: then memory does not keep them either.
  const expires = ask.retentionMs !== undefined
  const value: CommittedOffset = {
    offset: one.offset,
    leaderEpoch: expires ? -1 : one.leaderEpoch,
    metadata: one.metadata,
    commitTimestampMs: now.wallMs,
    expireTimestampMs: expires ? now.wallMs + ask.retentionMs : -1,
    topicId: expires ? undefined : one.topicId,
  }
  return { kind: 'offset', groupId: ask.groupId, topic: one.topic, partition: one.partition, value }
}

export interface FetchedOffset {
  readonly error: GroupError
  readonly committed: CommittedOffset | undefined
}

/** What is committed for a partition: never what is still on its way. */
export function fetchOffset(
  shard: Shard,
  groupId: string,
  at: { topic: string; partition: number },
  requireStable: boolean,
): FetchedOffset {
  if (requireStable && shard.durable.isUnstable(groupId, at.topic, at.partition)) {
    return { error: 'UNSTABLE_OFFSET_COMMIT', committed: undefined }
  }
  const group = shard.durable.get(groupId)
  return { error: 'NONE', committed: group === undefined ? undefined : getAt(group.offsets, at.topic, at.partition) }
}

export interface DeleteOffsetsAsk {
  readonly groupId: string
  readonly offsets: readonly { readonly topic: string; readonly partition: number }[]
}

/** OffsetDelete. What a living group reads is not taken from it. */
export function planDeleteOffsets(shard: Shard, ticket: Ticket, ask: DeleteOffsetsAsk): void {
  const group = shard.groups.get(ask.groupId)
  const refuse = (refusal: GroupError): void => shard.answer(ticket, { ...allOffsets(ask, refusal), refusal })
  if (group === undefined || group.state === 'Dead') return refuse('GROUP_ID_NOT_FOUND')
  const consumer = shard.durable.get(ask.groupId)?.consumer
  const none = new Set<string>()
  const subscribed =
    consumer !== undefined ? subscribedNames(consumer) : group.members.size === 0 ? none : subscribedTopics(group)
  if (subscribed === undefined) return refuse('NON_EMPTY_GROUP')
  const errors = ask.offsets.map((one): GroupError => (subscribed.has(one.topic) ? 'GROUP_SUBSCRIBED_TO_TOPIC' : 'NONE'))
  const reply: CommitReply = { kind: 'commit', errors }
  const records = ask.offsets
    .filter((_, at) => errors[at] === 'NONE')
    .map((one) => tombstone(ask.groupId, one.topic, one.partition))
  if (records.length === 0) shard.answer(ticket, reply)
  else shard.append(group, records, { kind: 'rewritten', ticket, groupId: ask.groupId, reply })
}

/** Removes a deleted topic's offsets from every group, except those that say they belong to another topic of that name. */
export function planTopicDeleted(
  shard: Shard,
  deleted: { readonly topic: string; readonly topicId: string | undefined },
  tickets: TicketSource,
  now: Instant,
): number {
  const { topic, topicId } = deleted
  let removed = 0
  for (const groupId of new Set([...shard.durable.groups.keys(), ...shard.groups.keys()])) {
    const records: GroupRecord[] = []
    for (const key of offsetKeys(shard, groupId)) {
      if (key.topic !== topic) continue
      const another = topicId !== undefined && key.value?.topicId !== undefined && key.value.topicId !== topicId
      if (!another) records.push(tombstone(groupId, topic, key.partition))
    }
    removed += records.length
    if (records.length > 0) rewrite(shard, shard.obtain(groupId, now), records, tickets())
  }
  return removed
}

export interface SetBackOffset {
  readonly groupId: string
  readonly topic: string
  readonly partition: number
  readonly fromOffset: number
  readonly toOffset: number
}

/** I8: a committed offset beyond the end its partition was recovered to is set back to that end. */
export function planSetBack(
  shard: Shard,
  at: { readonly topic: string; readonly partition: number; readonly endOffset: number },
  tickets: TicketSource,
  now: Instant,
): readonly SetBackOffset[] {
  const done: SetBackOffset[] = []
  const { topic, partition, endOffset } = at
  for (const [groupId, group] of shard.durable.groups) {
    const committed = getAt(group.offsets, topic, partition)
    if (committed === undefined || committed.offset <= endOffset) continue
    // The epoch goes too: nothing at the end tells which epoch the next record will have.
    const value = { ...committed, offset: endOffset, leaderEpoch: -1 }
    rewrite(shard, shard.obtain(groupId, now), [{ kind: 'offset', groupId, topic, partition, value }], tickets())
    done.push({ groupId, topic, partition, fromOffset: committed.offset, toOffset: endOffset })
  }
  return done
}

export function rewrite(shard: Shard, group: Group, records: readonly GroupRecord[], ticket: Ticket | undefined): void {
  const reply: CommitReply = { kind: 'commit', errors: ['NONE'] }
  shard.append(group, records, { kind: 'rewritten', ticket, groupId: group.groupId, reply })
}
