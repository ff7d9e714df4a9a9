// Owns answering DescribeProducers (KIP-664): the idempotent and transactional producers a partition remembers.

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
  const activeProducers = [...partition.activeProducers()].map((producer) =>
    producerState({
      producerId: BigInt(producer.producerId),
      producerEpoch: producer.producerEpoch,
      lastSequence: producer.lastSequence,
      lastTimestamp: BigInt(producer.lastTimestampMs),
      coordinatorEpoch: producer.coordinatorEpoch,
      currentTxnStartOffset: BigInt(producer.transactionStartOffset),
    }),
  )
  return partitionResponse({ partitionIndex, activeProducers })
}
