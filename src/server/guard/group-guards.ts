// Owns what the APIs of groups, offsets and transactions demand, as Kafka's KafkaApis does. Not how a demand is decided.

import { ErrorCode } from '../../protocol/index.ts'
import { coordinator, findCoordinatorResponse } from '../../protocol/generated/find-coordinator.ts'
import { AclOperation, CoordinatorType } from '../../protocol/generated/enums.ts'
import { offsetCommitResponsePartition, offsetCommitResponseTopic } from '../../protocol/generated/offset-commit.ts'
import {
  offsetFetchResponse,
  offsetFetchResponsePartition,
  offsetFetchResponsePartitions,
  offsetFetchResponseTopic,
  offsetFetchResponseTopics,
} from '../../protocol/generated/offset-fetch.ts'
import { offsetDeleteResponsePartition, offsetDeleteResponseTopic } from '../../protocol/generated/offset-delete.ts'
import type { Access } from './access.ts'
import { type Asked, type Guards, pass, refuse, splitBy, type Verdict } from './guard.ts'
import { mayByNameOrId } from './topic-guards.ts'

const { DELETE, DESCRIBE, READ, WRITE, IDEMPOTENT_WRITE } = AclOperation
const deniedGroup = ErrorCode.GROUP_AUTHORIZATION_FAILED
const deniedTopic = ErrorCode.TOPIC_AUTHORIZATION_FAILED
const deniedTransaction = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED

/** All or nothing, by the group. */
function ofGroup<Request extends { readonly groupId: string }, Response>(
  asked: Asked<Request, Response>,
  operation: number = READ,
): Verdict<Request, Response> {
  if (asked.access.group(operation, asked.request.groupId)) return pass
  return refuse(asked.failed(asked.request, deniedGroup), deniedGroup)
}

const mayFind = (access: Access, keyType: number, key: string): boolean => {
  if (keyType === CoordinatorType.GROUP) return access.group(DESCRIBE, key)
  return keyType === CoordinatorType.TRANSACTION ? access.transaction(DESCRIBE, key) : true
}

const membershipGuards: Guards = {
  FindCoordinator: (asked) => {
    const { request, call, access } = asked
    const errorCode = request.keyType === CoordinatorType.TRANSACTION ? deniedTransaction : deniedGroup
    if (call.version < 4)
      return mayFind(access, request.keyType, request.key) ? pass : refuse(asked.failed(request, errorCode), errorCode)
    return splitBy(asked, {
      items: ({ coordinatorKeys }) => coordinatorKeys,
      isAllowed: (key) => mayFind(access, request.keyType, key),
      withItems: (whole, coordinatorKeys) => ({ ...whole, coordinatorKeys }),
      errorCode,
      refused: (keys) =>
        findCoordinatorResponse({
          coordinators: keys.map((key) => coordinator({ key, nodeId: -1, host: '', port: -1, errorCode, errorMessage: '' })),
        }),
      merge: (response, refused) => ({ ...response, coordinators: [...response.coordinators, ...refused.coordinators] }),
    })
  },
  JoinGroup: (asked) => ofGroup(asked),
  SyncGroup: (asked) => ofGroup(asked),
  Heartbeat: (asked) => ofGroup(asked),
  LeaveGroup: (asked) => ofGroup(asked),
}

const offsetGuards: Guards = {
  OffsetCommit: (asked) => {
    const { request, access } = asked
    if (!access.group(READ, request.groupId)) return refuse(asked.failed(request, deniedGroup), deniedGroup)
    return splitBy(asked, {
      items: ({ topics }) => topics,
      isAllowed: (topic) => mayByNameOrId(access, READ, topic),
      withItems: (whole, topics) => ({ ...whole, topics }),
      errorCode: deniedTopic,
      refused: (topics) => ({
        throttleTimeMs: 0,
        topics: topics.map(({ name, topicId, partitions }) =>
          offsetCommitResponseTopic({
            name,
            topicId,
            partitions: partitions.map(({ partitionIndex }) =>
              offsetCommitResponsePartition({ partitionIndex, errorCode: deniedTopic }),
            ),
          }),
        ),
      }),
      merge: (response, refused) => ({ ...response, topics: [...response.topics, ...refused.topics] }),
    })
  },
  OffsetFetch: (asked) => (asked.call.version >= 8 ? fetchOfGroups(asked) : fetchOfOne(asked)),
  OffsetDelete: (asked) => {
    const { request, access } = asked
    if (!access.group(DELETE, request.groupId)) return refuse(asked.failed(request, deniedGroup), deniedGroup)
    return splitBy(asked, {
      items: ({ topics }) => topics,
      isAllowed: ({ name }) => access.topic(READ, name),
      withItems: (whole, topics) => ({ ...whole, topics }),
      errorCode: deniedTopic,
      refused: (topics) => ({
        throttleTimeMs: 0,
        errorCode: ErrorCode.NONE,
        topics: topics.map(({ name, partitions }) =>
          offsetDeleteResponseTopic({
            name,
            partitions: partitions.map(({ partitionIndex }) =>
              offsetDeleteResponsePartition({ partitionIndex, errorCode: deniedTopic }),
            ),
          }),
        ),
      }),
      merge: (response, refused) => ({ ...response, topics: [...response.topics, ...refused.topics] }),
    })
  },
}

type FetchAsked = Parameters<NonNullable<Guards['OffsetFetch']>>[0]
type FetchVerdict = ReturnType<NonNullable<Guards['OffsetFetch']>>

/** Before version 2 there is no error for the whole. */
const errorForAllFrom = 2

const offsetsRefused = (
  { name, partitionIndexes }: { readonly name: string; readonly partitionIndexes: readonly number[] },
  errorCode: number,
): ReturnType<typeof offsetFetchResponseTopic> =>
  offsetFetchResponseTopic({
    name,
    partitions: partitionIndexes.map((partitionIndex) =>
      offsetFetchResponsePartition({ partitionIndex, committedOffset: -1n, metadata: '', errorCode }),
    ),
  })

function fetchOfOne(asked: FetchAsked): FetchVerdict {
  const { request, call, access } = asked
  if (!access.group(DESCRIBE, request.groupId)) {
    if (call.version >= errorForAllFrom) return refuse(asked.failed(request, deniedGroup), deniedGroup)
    const topics = (request.topics ?? []).map((topic) => offsetsRefused(topic, deniedGroup))
    return refuse(offsetFetchResponse({ topics }), deniedGroup)
  }
  const isSeen = ({ name }: { readonly name: string }): boolean => access.topic(DESCRIBE, name)
  const refused = (request.topics ?? []).filter((topic) => !isSeen(topic))
  return {
    kind: 'part',
    request: { ...request, topics: request.topics?.filter(isSeen) ?? null },
    errorCode: refused.length === 0 ? ErrorCode.NONE : deniedTopic,
    complete: (response) => ({
      ...response,
      topics: [...response.topics.filter(isSeen), ...refused.map((topic) => offsetsRefused(topic, deniedTopic))],
    }),
  }
}

function fetchOfGroups(asked: FetchAsked): FetchVerdict {
  const { request, access } = asked
  type Topic = { readonly name: string; readonly topicId: string }
  const isSeen = (topic: Topic): boolean => mayByNameOrId(access, DESCRIBE, topic)
  const isAllowed = ({ groupId }: { readonly groupId: string }): boolean => access.group(DESCRIBE, groupId)
  const groups = request.groups.filter(isAllowed)
  const refusedGroups = request.groups.filter((group) => !isAllowed(group))
  const hidden = new Map(groups.map(({ groupId, topics }) => [groupId, (topics ?? []).filter((topic) => !isSeen(topic))]))
  const isPart = refusedGroups.length > 0 || [...hidden.values()].some(({ length }) => length > 0)
  return {
    kind: 'part',
    request: { ...request, groups: groups.map((group) => ({ ...group, topics: group.topics?.filter(isSeen) ?? null })) },
    errorCode: refusedGroups.length > 0 ? deniedGroup : isPart ? deniedTopic : ErrorCode.NONE,
    complete: (response) => ({
      ...response,
      groups: [
        ...response.groups.map((group) => ({
          ...group,
          topics: [
            ...group.topics.filter(isSeen),
            ...(hidden.get(group.groupId) ?? []).map(({ name, topicId, partitionIndexes }) =>
              offsetFetchResponseTopics({
                name,
                topicId,
                partitions: partitionIndexes.map((partitionIndex) =>
                  offsetFetchResponsePartitions({ partitionIndex, committedOffset: -1n, metadata: '', errorCode: deniedTopic }),
                ),
              }),
            ),
          ],
        })),
        ...(refusedGroups.length === 0 ? [] : asked.failed({ ...request, groups: refusedGroups }, deniedGroup).groups),
      ],
    }),
  }
}

const groupAdministrationGuards: Guards = {
  ListGroups: ({ request, access }) => {
    if (access.cluster(DESCRIBE)) return pass
    return {
      kind: 'part',
      request,
      errorCode: ErrorCode.NONE,
      complete: (response) => ({ ...response, groups: response.groups.filter(({ groupId }) => access.group(DESCRIBE, groupId)) }),
    }
  },
  DescribeGroups: (asked) => {
    const { request, access } = asked
    const isAllowed = (groupId: string): boolean => access.group(DESCRIBE, groupId)
    const refused = request.groups.filter((groupId) => !isAllowed(groupId))
    return {
      kind: 'part',
      request: { ...request, groups: request.groups.filter(isAllowed) },
      errorCode: refused.length === 0 ? ErrorCode.NONE : deniedGroup,
      complete: (response) => ({
        ...response,
        groups: [
          ...response.groups.map((group) => ({
            ...group,
            authorizedOperations: request.includeAuthorizedOperations
              ? access.operations('GROUP', group.groupId)
              : group.authorizedOperations,
          })),
          ...(refused.length === 0 ? [] : asked.failed({ ...request, groups: refused }, deniedGroup).groups),
        ],
      }),
    }
  },
  DeleteGroups: (asked) =>
    splitBy(asked, {
      items: ({ groupsNames }) => groupsNames,
      isAllowed: (groupId) => asked.access.group(DELETE, groupId),
      withItems: (whole, groupsNames) => ({ ...whole, groupsNames }),
      errorCode: deniedGroup,
      merge: (response, refused) => ({ ...response, results: [...response.results, ...refused.results] }),
    }),
}

const producerGuards: Guards = {
  InitProducerId: (asked) => {
    const { request, access } = asked
    if (request.transactionalId !== null) {
      if (access.transaction(WRITE, request.transactionalId)) return pass
      return refuse(asked.failed(request, deniedTransaction), deniedTransaction)
    }
    if (access.cluster(IDEMPOTENT_WRITE) || access.writesSomewhere()) return pass
    return refuse(asked.failed(request, ErrorCode.CLUSTER_AUTHORIZATION_FAILED), ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
  },
}

export const groupGuards: Guards = {
  ...membershipGuards,
  ...offsetGuards,
  ...groupAdministrationGuards,
  ...producerGuards,
}
