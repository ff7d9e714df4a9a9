// Owns answering DescribeTopicPartitions (KIP-966): topics a page at a time, in the order of their names.

import { topicNameFault } from '../../model/topic-name.ts'
import { ApiKey, ErrorCode } from '../../protocol/index.ts'
import {
  type DescribeTopicPartitionsRequest,
  type DescribeTopicPartitionsResponse,
  describeTopicPartitionsResponse,
  describeTopicPartitionsResponsePartition,
  type DescribeTopicPartitionsResponseTopic,
  describeTopicPartitionsResponseTopic,
  readDescribeTopicPartitionsRequest,
  type ResponseCursor,
  responseCursor,
  writeDescribeTopicPartitionsResponse,
} from '../../protocol/generated/describe-topic-partitions.ts'
import { type ServedApi, serve } from '../front/served-api.ts'
import type { HandlerPorts, TopicView } from '../ports.ts'
import { topicOperations } from './authorized-operations.ts'

/** Kafka's `max.request.partition.size.limit`. */
const partitionsMax = 2_000

export function describeTopicPartitionsApi(ports: HandlerPorts): ServedApi {
  return serve<DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse>({
    key: ApiKey.DescribeTopicPartitions,
    order: 'pipelined',
    read: readDescribeTopicPartitionsRequest,
    write: writeDescribeTopicPartitionsResponse,
    handle: (request, call) => {
      const response = pageOf(ports, request)
      for (const { errorCode } of response.topics) call.countError(errorCode)
      return response
    },
    failed: (request, errorCode) =>
      describeTopicPartitionsResponse({
        topics: request.topics.map(({ name }) => describeTopicPartitionsResponseTopic({ name, errorCode })),
      }),
  })
}

function pageOf(ports: HandlerPorts, request: DescribeTopicPartitionsRequest): DescribeTopicPartitionsResponse {
  const { broker } = ports
  const asked = request.topics.map(({ name }) => name)
  const all = asked.length === 0 ? [...broker.topics()].map(({ name }) => name) : [...new Set(asked)]
  const from = request.cursor?.topicName ?? ''
  const names = all.filter((name) => name >= from).sort()
  let room = Math.max(1, Math.min(request.responsePartitionLimit, partitionsMax))
  const topics: DescribeTopicPartitionsResponseTopic[] = []
  let nextCursor: ResponseCursor | null = null
  for (const name of names) {
    const topic = broker.topicByName(name)
    if (topic === undefined) {
      // A topic the cursor stands at may have been deleted since: it is no fault of the one who asks for all.
      if (asked.length > 0) topics.push(unknown(name))
      continue
    }
    const first = name === from ? Math.max(0, request.cursor?.partitionIndex ?? 0) : 0
    if (room === 0) {
      nextCursor = responseCursor({ topicName: name, partitionIndex: first })
      break
    }
    const end = Math.min(topic.partitions.length, first + room)
    topics.push(described(ports, topic, { first, end }))
    room -= end - first
    if (end < topic.partitions.length) {
      nextCursor = responseCursor({ topicName: name, partitionIndex: end })
      break
    }
  }
  return describeTopicPartitionsResponse({ topics, nextCursor })
}

function unknown(name: string): DescribeTopicPartitionsResponseTopic {
  const errorCode = topicNameFault(name) === undefined ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.INVALID_TOPIC_EXCEPTION
  return describeTopicPartitionsResponseTopic({ name, errorCode })
}

function described(
  { broker }: HandlerPorts,
  topic: TopicView,
  range: { readonly first: number; readonly end: number },
): DescribeTopicPartitionsResponseTopic {
  const { nodeId } = broker
  return describeTopicPartitionsResponseTopic({
    name: topic.name,
    topicId: topic.id,
    isInternal: topic.internal,
    topicAuthorizedOperations: topicOperations,
    partitions: topic.partitions.slice(range.first, range.end).map(({ index, leaderEpoch }) =>
      describeTopicPartitionsResponsePartition({
        partitionIndex: index,
        leaderId: nodeId,
        leaderEpoch,
        replicaNodes: [nodeId],
        isrNodes: [nodeId],
        eligibleLeaderReplicas: [],
        lastKnownElr: [],
      }),
    ),
  })
}
