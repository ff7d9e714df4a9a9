// Owns answering DescribeProducers (KIP-664): the idempotent producers a partition remembers.

import { ApiKey, ErrorCode } from '../../protocol/index.ts'
import {
  type DescribeProducersRequest,
  type DescribeProducersResponse,
  describeProducersResponse,
  type PartitionResponse,
  partitionResponse,
  producerState,
  readDescribeProducersRequest,
  topicResponse,
  writeDescribeProducersResponse,
} from '../../protocol/generated/describe-producers.ts'
import { type ServedApi, serve } from '../front/served-api.ts'
import type { HandlerPorts, TopicView } from '../ports.ts'

/** Without transactions there is no coordinator's epoch and no transaction under way. */
const none = { coordinatorEpoch: -1, currentTxnStartOffset: -1n }

export function describeProducersApi(ports: HandlerPorts): ServedApi {
  return serve<DescribeProducersRequest, DescribeProducersResponse>({
    key: ApiKey.DescribeProducers,
    order: 'pipelined',
    read: readDescribeProducersRequest,
    write: writeDescribeProducersResponse,
    handle: (request, call) => {
      const topics = request.topics.map(({ name, partitionIndexes }) => {
        const topic = ports.broker.topicByName(name)
        const partitions = partitionIndexes.map((index) => producersOf(topic, index))
        for (const { errorCode } of partitions) call.countError(errorCode)
        return topicResponse({ name, partitions })
      })
      return describeProducersResponse({ topics })
    },
    failed: (request, errorCode) =>
      describeProducersResponse({
        topics: request.topics.map(({ name, partitionIndexes }) =>
          topicResponse({
            name,
            partitions: partitionIndexes.map((partitionIndex) => partitionResponse({ partitionIndex, errorCode })),
          }),
        ),
      }),
  })
}

function producersOf(topic: TopicView | undefined, partitionIndex: number): PartitionResponse {
  const partition = topic?.partitions[partitionIndex]
  if (partition === undefined) {
    return partitionResponse({
      partitionIndex,
      errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      errorMessage: 'This server does not host this topic-partition.',
    })
  }
  const activeProducers = [...partition.activeProducers()].map(({ producerId, producerEpoch, lastSequence, lastTimestampMs }) =>
    producerState({
      producerId: BigInt(producerId),
      producerEpoch,
      lastSequence,
      lastTimestamp: BigInt(lastTimestampMs),
      ...none,
    }),
  )
  return partitionResponse({ partitionIndex, activeProducers })
}
