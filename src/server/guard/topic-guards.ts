// Owns what the APIs of records and topics demand, as Kafka's KafkaApis and ControllerApis do. Not how a demand is decided.

import { ErrorCode, zeroUuid } from '../../protocol/index.ts'
import { creatableTopicResult } from '../../protocol/generated/create-topics.ts'
import { deletableTopicResult } from '../../protocol/generated/delete-topics.ts'
import { AclOperation } from '../../protocol/generated/enums.ts'
import { fetchableTopicResponse, type FetchTopic, partitionData } from '../../protocol/generated/fetch.ts'
import { NoResponse } from '../front/reply.ts'
import type { Access } from './access.ts'
import { type Guards, refuse, splitBy } from './guard.ts'
import { metadataGuard, topicPartitionsGuard } from './metadata-guard.ts'

const { ALTER, CREATE, DELETE, DESCRIBE, DESCRIBE_CONFIGS, READ, WRITE } = AclOperation
const denied = ErrorCode.TOPIC_AUTHORIZATION_FAILED

interface NamedOrNumbered {
  readonly name: string
  readonly topicId: string
}

/** A topic that is not there is left to the handler, which says so. */
export function mayByNameOrId(access: Access, operation: number, { name, topicId }: NamedOrNumbered): boolean {
  const known = topicId === zeroUuid ? name : access.topicNameOf(topicId)
  return known === undefined || access.topic(operation, known)
}

/** Sessions remember partitions beyond the request that named them, and rights change: each fetch names all, and is asked about all. */
const sessionless = -1

const refusedFetch = ({ topic, topicId, partitions }: FetchTopic): ReturnType<typeof fetchableTopicResponse> =>
  fetchableTopicResponse({
    topic,
    topicId,
    partitions: partitions.map(({ partition }) =>
      partitionData({ partitionIndex: partition, errorCode: denied, highWatermark: -1n, records: [] }),
    ),
  })

const recordGuards: Guards = {
  Produce: (asked) => {
    const { request, access } = asked
    const { transactionalId, acks } = request
    if (transactionalId !== null && !access.transaction(WRITE, transactionalId)) {
      const errorCode = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
      if (acks !== 0) return refuse(asked.failed(request, errorCode), errorCode)
      return refuse(new NoResponse(`a produce with acks=0 failed with error ${errorCode}`), errorCode)
    }
    return splitBy(asked, {
      items: ({ topicData }) => topicData,
      isAllowed: (topic) => mayByNameOrId(access, WRITE, topic),
      withItems: (whole, topicData) => ({ ...whole, topicData }),
      errorCode: denied,
      merge: (response, refused) => ({ ...response, responses: [...response.responses, ...refused.responses] }),
    })
  },
  Fetch: ({ request, access }) => {
    const isAllowed = ({ topic, topicId }: FetchTopic): boolean => mayByNameOrId(access, READ, { name: topic, topicId })
    const refused = request.topics.filter((topic) => !isAllowed(topic))
    // One that believes in a session is told, by the handler, that there is none.
    const sessionEpoch = request.sessionId === 0 ? sessionless : request.sessionEpoch
    return {
      kind: 'part',
      request: { ...request, sessionEpoch, topics: request.topics.filter(isAllowed) },
      errorCode: refused.length === 0 ? ErrorCode.NONE : denied,
      complete: (response) =>
        response.errorCode === ErrorCode.NONE
          ? { ...response, responses: [...response.responses, ...refused.map(refusedFetch)] }
          : response,
    }
  },
  ListOffsets: (asked) =>
    splitBy(asked, {
      items: ({ topics }) => topics,
      isAllowed: ({ name }) => asked.access.topic(DESCRIBE, name),
      withItems: (whole, topics) => ({ ...whole, topics }),
      errorCode: denied,
      merge: (response, refused) => ({ ...response, topics: [...response.topics, ...refused.topics] }),
    }),
  OffsetForLeaderEpoch: (asked) =>
    splitBy(asked, {
      items: ({ topics }) => topics,
      isAllowed: ({ topic }) => asked.access.topic(DESCRIBE, topic),
      withItems: (whole, topics) => ({ ...whole, topics }),
      errorCode: denied,
      merge: (response, refused) => ({ ...response, topics: [...response.topics, ...refused.topics] }),
    }),
  DeleteRecords: (asked) =>
    splitBy(asked, {
      items: ({ topics }) => topics,
      isAllowed: ({ name }) => asked.access.topic(DELETE, name),
      withItems: (whole, topics) => ({ ...whole, topics }),
      errorCode: denied,
      merge: (response, refused) => ({ ...response, topics: [...response.topics, ...refused.topics] }),
    }),
  DescribeProducers: (asked) =>
    splitBy(asked, {
      items: ({ topics }) => topics,
      isAllowed: ({ name }) => asked.access.topic(READ, name),
      withItems: (whole, topics) => ({ ...whole, topics }),
      errorCode: denied,
      merge: (response, refused) => ({ ...response, topics: [...response.topics, ...refused.topics] }),
    }),
}

const unauthorized = 'Authorization failed.'

const changeGuards: Guards = {
  CreateTopics: (asked) => {
    const { access } = asked
    const mayCreateAny = access.cluster(CREATE)
    const verdict = splitBy(asked, {
      items: ({ topics }) => topics,
      isAllowed: ({ name }) => mayCreateAny || access.topic(CREATE, name),
      withItems: (whole, topics) => ({ ...whole, topics }),
      errorCode: denied,
      refused: (topics) => ({
        throttleTimeMs: 0,
        topics: topics.map(({ name }) => creatableTopicResult({ name, errorCode: denied, errorMessage: unauthorized })),
      }),
      merge: (response, refused) => ({ ...response, topics: [...response.topics, ...refused.topics] }),
    })
    // Who may create a topic may not see its configs by that alone.
    return {
      kind: 'part',
      request: verdict.kind === 'part' ? verdict.request : asked.request,
      errorCode: verdict.kind === 'part' ? verdict.errorCode : ErrorCode.NONE,
      complete: (response) => {
        const topics = response.topics.map((topic) =>
          topic.errorCode !== ErrorCode.NONE || access.topic(DESCRIBE_CONFIGS, topic.name)
            ? topic
            : { ...topic, topicConfigErrorCode: denied, numPartitions: -1, replicationFactor: -1, configs: [] },
        )
        return verdict.kind === 'part' ? verdict.complete({ ...response, topics }) : { ...response, topics }
      },
    }
  },
  DeleteTopics: (asked) => {
    const { access, request } = asked
    const known = ({ name, topicId }: { name: string | null; topicId: string }): string | undefined =>
      name ?? access.topicNameOf(topicId)
    const isAllowed = (topic: { name: string | null; topicId: string }): boolean => {
      const name = known(topic)
      return name === undefined || access.topic(DELETE, name)
    }
    const byName = request.topicNames.map((name) => ({ name, topicId: zeroUuid }))
    const refused = [...request.topics, ...byName].filter((topic) => !isAllowed(topic))
    if (refused.length === 0) return { kind: 'pass' }
    return {
      kind: 'part',
      request: {
        ...request,
        topics: request.topics.filter(isAllowed),
        topicNames: request.topicNames.filter((name) => access.topic(DELETE, name)),
      },
      errorCode: denied,
      complete: (response) => ({
        ...response,
        responses: [
          ...response.responses,
          ...refused.map((topic) => {
            // Who gave an id learns the name only if it might ask for it.
            const name = known(topic)
            const told = topic.name !== null || (name !== undefined && access.topic(DESCRIBE, name)) ? (name ?? null) : null
            return deletableTopicResult({ name: told, topicId: topic.topicId, errorCode: denied, errorMessage: unauthorized })
          }),
        ],
      }),
    }
  },
  CreatePartitions: (asked) =>
    splitBy(asked, {
      items: ({ topics }) => topics,
      isAllowed: ({ name }) => asked.access.topic(ALTER, name),
      withItems: (whole, topics) => ({ ...whole, topics }),
      errorCode: denied,
      merge: (response, refused) => ({ ...response, results: [...response.results, ...refused.results] }),
    }),
}

export const topicGuards: Guards = {
  ...recordGuards,
  ...changeGuards,
  Metadata: metadataGuard,
  DescribeTopicPartitions: topicPartitionsGuard,
}
