// Owns the translation of offset requests and answers between Kafka's messages, in every version, and the core's: topic names and
// ids, partitions that do not exist, the order of answers. Not the rules (core/) nor the bytes (protocol).

import { offsetCommitResponse, type OffsetCommitRequest, type OffsetCommitResponse } from '../protocol/generated/offset-commit.ts'
import type {
  OffsetFetchRequestGroup,
  OffsetFetchResponseGroup,
  OffsetFetchResponsePartitions,
} from '../protocol/generated/offset-fetch.ts'
import {
  txnOffsetCommitResponse,
  type TxnOffsetCommitRequest,
  type TxnOffsetCommitResponse,
} from '../protocol/generated/txn-offset-commit.ts'
import { zeroUuid } from '../protocol/index.ts'
import type { CommittedOffset } from './core/durable.ts'
import type { GroupMachine } from './core/machine.ts'
import type { CommitAsk, GroupError, OffsetToCommit, Producer } from './core/messages.ts'
import type { GroupTopics } from './ports.ts'
import { codeOf } from './wire-members.ts'

/** From these versions on, requests name topics by id. */
export const topicIdsFrom = { offsetCommit: 10, offsetFetch: 10, txnOffsetCommit: 6 } as const

/** A hundred years: what clients ask beyond it would leave the numbers that are exact. */
const retentionMsMax = 100 * 365 * 86_400_000

interface TopicOffsets {
  readonly name: string
  readonly topicId: string
  readonly partitions: readonly {
    readonly partitionIndex: number
    readonly committedOffset: bigint
    readonly committedLeaderEpoch: number
    readonly committedMetadata: string | null
  }[]
}

/** The offsets that can be committed, and for each partition asked for, in order, its own error or its place among those. */
export interface SortedOffsets {
  readonly offsets: readonly OffsetToCommit[]
  readonly outcomes: readonly (readonly (GroupError | number)[])[]
}

export function sortOffsets(asked: readonly TopicOffsets[], topics: GroupTopics, byId: boolean): SortedOffsets {
  const offsets: OffsetToCommit[] = []
  const outcomes = asked.map((one) => {
    const topic = byId ? topics.nameOf(one.topicId) : one.name
    return one.partitions.map((at): GroupError | number => {
      if (topic === undefined) return 'UNKNOWN_TOPIC_ID'
      if (!topics.partitionExists(topic, at.partitionIndex)) return 'UNKNOWN_TOPIC_OR_PARTITION'
      const topicId = byId ? one.topicId : topics.topicIdOf(topic)
      const metadata = at.committedMetadata ?? ''
      const { partitionIndex: partition, committedLeaderEpoch: leaderEpoch } = at
      return offsets.push({ topic, partition, topicId, offset: Number(at.committedOffset), leaderEpoch, metadata }) - 1
    })
  })
  return { offsets, outcomes }
}

function answerTopics(asked: readonly TopicOffsets[], sorted: SortedOffsets, errors: readonly GroupError[]) {
  return asked.map(({ name, topicId, partitions }, topicAt) => ({
    name,
    topicId,
    partitions: partitions.map(({ partitionIndex }, at) => {
      const outcome = sorted.outcomes[topicAt]?.[at] ?? 'UNKNOWN_SERVER_ERROR'
      return {
        partitionIndex,
        errorCode: codeOf(typeof outcome === 'number' ? (errors[outcome] ?? 'UNKNOWN_SERVER_ERROR') : outcome),
      }
    }),
  }))
}

/** From this version on, an OffsetCommit says the epoch of a member of the consumer protocol. */
const epochsFrom = 9

export function commitAsk(request: OffsetCommitRequest, offsets: readonly OffsetToCommit[], version: number): CommitAsk {
  return {
    understandsEpochs: version >= epochsFrom,
    groupId: request.groupId,
    memberId: request.memberId,
    instanceId: request.groupInstanceId ?? undefined,
    generation: request.generationIdOrMemberEpoch,
    retentionMs: request.retentionTimeMs < 0n ? undefined : Math.min(Number(request.retentionTimeMs), retentionMsMax),
    offsets,
  }
}

export function commitResponse(
  request: OffsetCommitRequest,
  sorted: SortedOffsets,
  errors: readonly GroupError[],
): OffsetCommitResponse {
  return offsetCommitResponse({ topics: answerTopics(request.topics, sorted, errors) })
}

export function txnCommitAsk(request: TxnOffsetCommitRequest, producer: Producer, offsets: readonly OffsetToCommit[]): CommitAsk {
  return {
    groupId: request.groupId,
    memberId: request.memberId,
    instanceId: request.groupInstanceId ?? undefined,
    generation: request.generationIdOrMemberEpoch,
    retentionMs: undefined,
    offsets,
    producer,
  }
}

export function txnCommitResponse(
  request: TxnOffsetCommitRequest,
  sorted: SortedOffsets,
  errors: readonly GroupError[],
): TxnOffsetCommitResponse {
  return txnOffsetCommitResponse({ topics: answerTopics(request.topics, sorted, errors) })
}

function fetched(
  partitionIndex: number,
  error: GroupError,
  committed: CommittedOffset | undefined,
): OffsetFetchResponsePartitions {
  return {
    partitionIndex,
    committedOffset: BigInt(committed?.offset ?? -1),
    committedLeaderEpoch: committed?.leaderEpoch ?? -1,
    metadata: committed?.metadata ?? '',
    errorCode: codeOf(error),
  }
}

/** How one group of an OffsetFetch is read. */
export interface FetchTerms {
  readonly topics: GroupTopics
  readonly requireStable: boolean
  readonly byId: boolean
}

export function fetchGroup(machine: GroupMachine, asked: OffsetFetchRequestGroup, terms: FetchTerms): OffsetFetchResponseGroup {
  const { groupId, memberId, memberEpoch } = asked
  const refusal = machine.refusalOfFetch(groupId, memberId ?? undefined, memberEpoch)
  if (refusal !== undefined) return { groupId, topics: [], errorCode: codeOf(refusal) }
  const wanted = asked.topics ?? everyTopic(machine, groupId, terms)
  const topics = wanted.map(({ name, topicId, partitionIndexes }) => {
    const topic = terms.byId ? terms.topics.nameOf(topicId) : name
    const partitions = partitionIndexes.map((partition) => {
      if (topic === undefined) return fetched(partition, 'UNKNOWN_TOPIC_ID', undefined)
      const { error, committed } = machine.fetch(groupId, { topic, partition }, terms.requireStable)
      return fetched(partition, error, committed)
    })
    return { name: terms.byId ? '' : name, topicId, partitions }
  })
  return { groupId, topics, errorCode: codeOf('NONE') }
}

/** All partitions the group has an offset for, committed or waiting; asked by id, only those of topics that still have one. */
function everyTopic(machine: GroupMachine, groupId: string, { topics, byId }: FetchTerms) {
  const all = new Map<string, Set<number>>()
  const sources = [
    machine.durable.get(groupId)?.offsets,
    ...[...machine.durable.pending.values()].map((groups) => groups.get(groupId)),
  ]
  for (const offsets of sources) {
    for (const [topic, partitions] of offsets ?? []) {
      all.set(topic, new Set([...(all.get(topic) ?? []), ...partitions.keys()]))
    }
  }
  return [...all].flatMap(([name, partitions]) => {
    const topicId = byId ? topics.topicIdOf(name) : zeroUuid
    return topicId === undefined ? [] : [{ name, topicId, partitionIndexes: [...partitions] }]
  })
}
