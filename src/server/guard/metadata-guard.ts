// Owns what is shown of topics to whom: Metadata and DescribeTopicPartitions. A topic a client may not describe is, to it, not there.

import { ErrorCode, zeroUuid } from '../../protocol/index.ts'
import type { ApiMessages } from '../../protocol/index.ts'
import { describeTopicPartitionsResponseTopic } from '../../protocol/generated/describe-topic-partitions.ts'
import { AclOperation, MetadataResponseConstant } from '../../protocol/generated/enums.ts'
import {
  type MetadataRequestTopic,
  type MetadataResponseTopic,
  metadataResponseTopic,
} from '../../protocol/generated/metadata.ts'
import { type Access, clusterName } from './access.ts'
import { type Guard, pass } from './guard.ts'

const { CREATE, DESCRIBE } = AclOperation
const denied = ErrorCode.TOPIC_AUTHORIZATION_FAILED
const namesOrIdsFrom = 12
const omitted = MetadataResponseConstant.AUTHORIZED_OPERATIONS_OMITTED

type MetadataGuard = Guard<ApiMessages['Metadata']['request'], ApiMessages['Metadata']['response']>

/** What one topic asked for is answered with instead of what is there; undefined when it is allowed. */
function refusalOf(access: Access, { name, topicId }: MetadataRequestTopic, creates: boolean): MetadataResponseTopic | undefined {
  if (topicId !== zeroUuid) {
    const known = access.topicNameOf(topicId)
    if (known === undefined || access.topic(DESCRIBE, known)) return undefined
    return metadataResponseTopic({ errorCode: ErrorCode.UNKNOWN_TOPIC_ID, name: null, topicId })
  }
  if (name === null) return undefined
  const refused = metadataResponseTopic({ errorCode: denied, name })
  if (!access.topic(DESCRIBE, name)) return refused
  const wouldCreate = creates && !access.topicExists(name)
  return wouldCreate && !access.cluster(CREATE) && !access.topic(CREATE, name) ? refused : undefined
}

export const metadataGuard: MetadataGuard = ({ request, call, access }) => {
  const { topics } = request
  // The handler refuses these whole, and says nothing of any topic.
  const isBent =
    call.version < namesOrIdsFrom && (topics ?? []).some(({ topicId, name }) => topicId !== zeroUuid || name === null)
  if (isBent) return pass
  const isAll = topics === null || (call.version === 0 && topics.length === 0)
  const refused: MetadataResponseTopic[] = []
  const allowed: MetadataRequestTopic[] = []
  for (const topic of topics ?? []) {
    const refusal = refusalOf(access, topic, request.allowAutoTopicCreation)
    if (refusal === undefined) allowed.push(topic)
    else refused.push(refusal)
  }
  // In version 0 an empty list would mean all: what is left of a refused request asks for a name no topic can have.
  const nothing = [{ name: '', topicId: zeroUuid }]
  const asksForNothing = !isAll && allowed.length === 0 && call.version === 0
  const seen = (topic: MetadataResponseTopic): boolean => topic.name === null || access.topic(DESCRIBE, topic.name)
  return {
    kind: 'part',
    request: { ...request, topics: isAll ? topics : asksForNothing ? nothing : allowed },
    errorCode: refused.length === 0 ? ErrorCode.NONE : denied,
    complete: (response) => {
      const shown = asksForNothing ? [] : isAll ? response.topics.filter(seen) : response.topics
      const withRights = shown.map((topic) => ({
        ...topic,
        topicAuthorizedOperations:
          topic.topicAuthorizedOperations === omitted || topic.name === null
            ? topic.topicAuthorizedOperations
            : access.operations('TOPIC', topic.name),
      }))
      return {
        ...response,
        topics: [...withRights, ...refused],
        clusterAuthorizedOperations:
          response.clusterAuthorizedOperations === omitted ? omitted : access.operations('CLUSTER', clusterName),
      }
    },
  }
}

type TopicPartitionsGuard = Guard<
  ApiMessages['DescribeTopicPartitions']['request'],
  ApiMessages['DescribeTopicPartitions']['response']
>

export const topicPartitionsGuard: TopicPartitionsGuard = ({ request, access }) => {
  const isAllowed = (name: string): boolean => access.topic(DESCRIBE, name)
  const isAll = request.topics.length === 0
  const asked = isAll ? access.topicNames() : request.topics.map(({ name }) => name)
  const left = asked.filter(isAllowed)
  const from = request.cursor?.topicName ?? ''
  const refused = isAll ? [] : asked.filter((name) => name >= from && !isAllowed(name))
  return {
    kind: 'part',
    // Again, an empty list would mean all.
    request: { ...request, topics: left.length === 0 ? [{ name: '' }] : left.map((name) => ({ name })) },
    errorCode: refused.length === 0 ? ErrorCode.NONE : denied,
    complete: (response) => {
      const shown = left.length === 0 ? [] : response.topics
      return {
        ...response,
        topics: [
          ...shown.map((topic) => ({
            ...topic,
            topicAuthorizedOperations:
              topic.name === null || topic.errorCode !== ErrorCode.NONE
                ? topic.topicAuthorizedOperations
                : access.operations('TOPIC', topic.name),
          })),
          ...refused.map((name) => describeTopicPartitionsResponseTopic({ name, errorCode: denied })),
        ],
      }
    },
  }
}
