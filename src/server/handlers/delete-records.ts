// Owns answering DeleteRecords: the log of a partition begins later from now on.

import { ApiKey, ErrorCode } from '../../protocol/index.ts'
import {
  type DeleteRecordsPartition,
  type DeleteRecordsPartitionResult,
  deleteRecordsPartitionResult,
  type DeleteRecordsRequest,
  type DeleteRecordsResponse,
  deleteRecordsResponse,
  deleteRecordsTopicResult,
  readDeleteRecordsRequest,
  writeDeleteRecordsResponse,
} from '../../protocol/generated/delete-records.ts'
import { type ServedApi, serve } from '../front/served-api.ts'
import type { HandlerPorts, TopicView } from '../ports.ts'
import { within } from './time-out.ts'

const unknownWatermark = -1n

const failed = (partitionIndex: number, errorCode: number): DeleteRecordsPartitionResult =>
  deleteRecordsPartitionResult({ partitionIndex, errorCode, lowWatermark: unknownWatermark })

export function deleteRecordsApi(ports: HandlerPorts): ServedApi {
  return serve<DeleteRecordsRequest, DeleteRecordsResponse>({
    key: ApiKey.DeleteRecords,
    order: 'serial',
    read: readDeleteRecordsRequest,
    write: writeDeleteRecordsResponse,
    handle: async (request, call) => {
      const topics = request.topics.map(async ({ name, partitions }) => {
        const topic = ports.broker.topicByName(name)
        const results = partitions.map((wanted) =>
          within(ports.clock, request.timeoutMs, remove(topic, wanted), () =>
            failed(wanted.partitionIndex, ErrorCode.REQUEST_TIMED_OUT),
          ),
        )
        return deleteRecordsTopicResult({ name, partitions: await Promise.all(results) })
      })
      const answered = await Promise.all(topics)
      for (const { partitions } of answered) for (const { errorCode } of partitions) call.countError(errorCode)
      return deleteRecordsResponse({ topics: answered })
    },
    failed: (request, errorCode) =>
      deleteRecordsResponse({
        topics: request.topics.map(({ name, partitions }) =>
          deleteRecordsTopicResult({
            name,
            partitions: partitions.map(({ partitionIndex }) => failed(partitionIndex, errorCode)),
          }),
        ),
      }),
  })
}

async function remove(topic: TopicView | undefined, wanted: DeleteRecordsPartition): Promise<DeleteRecordsPartitionResult> {
  const { partitionIndex } = wanted
  const partition = topic?.partitions[partitionIndex]
  if (topic === undefined || partition === undefined) return failed(partitionIndex, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  if (topic.internal) return failed(partitionIndex, ErrorCode.INVALID_TOPIC_EXCEPTION)
  const deleted = await partition.deleteRecords(Number(wanted.offset))
  return deleted.ok
    ? deleteRecordsPartitionResult({ partitionIndex, lowWatermark: BigInt(deleted.value) })
    : failed(partitionIndex, deleted.failure.errorCode)
}
