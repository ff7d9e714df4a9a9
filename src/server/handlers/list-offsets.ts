// Owns answering ListOffsets: the ends of a partition, and the offset that belongs to a timestamp.

import { ApiKey, ErrorCode } from '../../protocol/index.ts'
import { IsolationLevel, ListOffsetsRequestConstant } from '../../protocol/generated/enums.ts'
import {
  type ListOffsetsPartition,
  type ListOffsetsPartitionResponse,
  listOffsetsPartitionResponse,
  type ListOffsetsRequest,
  type ListOffsetsResponse,
  listOffsetsResponse,
  listOffsetsTopicResponse,
  readListOffsetsRequest,
  writeListOffsetsResponse,
} from '../../protocol/generated/list-offsets.ts'
import { type ServedApi, serve } from '../front/served-api.ts'
import type { Call } from '../front/call.ts'
import type { HandlerPorts, OffsetAndTimestamp, PartitionView } from '../ports.ts'
import { epochFault } from './leader-epoch.ts'
import { within } from './time-out.ts'

const constants = ListOffsetsRequestConstant
/** Which version brought which special timestamp. */
const versionOfSpecial: ReadonlyMap<number, number> = new Map([
  [constants.LATEST_TIMESTAMP, 1],
  [constants.EARLIEST_TIMESTAMP, 1],
  [constants.MAX_TIMESTAMP, 7],
  [constants.EARLIEST_LOCAL_TIMESTAMP, 8],
  [constants.LATEST_TIERED_TIMESTAMP, 9],
  [constants.EARLIEST_PENDING_UPLOAD_TIMESTAMP, 11],
])
/** Asked of the bucket when the request brings no time-out of its own (before version 10). */
const defaultTimeoutMs = 30_000
const timeoutFrom = 10
const leaderEpochFrom = 4

type PartitionAnswer = ListOffsetsPartitionResponse | Promise<ListOffsetsPartitionResponse>

const failed = (partitionIndex: number, errorCode: number): ListOffsetsPartitionResponse =>
  listOffsetsPartitionResponse({ partitionIndex, errorCode })

export function listOffsetsApi(ports: HandlerPorts): ServedApi {
  return serve<ListOffsetsRequest, ListOffsetsResponse>({
    key: ApiKey.ListOffsets,
    order: 'pipelined',
    read: readListOffsetsRequest,
    write: writeListOffsetsResponse,
    handle: async (request, call) => {
      const topics = request.topics.map(async (topic) => {
        const seen = new Set<number>()
        const answers = topic.partitions.map((wanted): PartitionAnswer => {
          if (seen.has(wanted.partitionIndex)) return failed(wanted.partitionIndex, ErrorCode.INVALID_REQUEST)
          seen.add(wanted.partitionIndex)
          const partition: PartitionView | undefined = ports.broker.topicByName(topic.name)?.partitions[wanted.partitionIndex]
          if (partition === undefined) return failed(wanted.partitionIndex, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
          return answerOf(ports, { request, call, partition, wanted })
        })
        const partitions = await Promise.all(answers)
        for (const { errorCode } of partitions) call.countError(errorCode)
        return listOffsetsTopicResponse({ name: topic.name, partitions })
      })
      return listOffsetsResponse({ topics: await Promise.all(topics) })
    },
    failed: (request, errorCode) =>
      listOffsetsResponse({
        topics: request.topics.map(({ name, partitions }) =>
          listOffsetsTopicResponse({
            name,
            partitions: partitions.map(({ partitionIndex }) => failed(partitionIndex, errorCode)),
          }),
        ),
      }),
  })
}

interface Question {
  readonly request: ListOffsetsRequest
  readonly call: Call
  readonly partition: PartitionView
  readonly wanted: ListOffsetsPartition
}

function answerOf(ports: HandlerPorts, question: Question): PartitionAnswer {
  const { request, call, partition, wanted } = question
  const index = wanted.partitionIndex
  const fault = epochFault(partition, wanted.currentLeaderEpoch)
  if (fault !== ErrorCode.NONE) return failed(index, fault)
  const timestamp = Number(wanted.timestamp)
  if (timestamp < 0) {
    const since = versionOfSpecial.get(timestamp)
    if (since === undefined || call.version < since) return failed(index, ErrorCode.UNSUPPORTED_VERSION)
    if (timestamp !== constants.MAX_TIMESTAMP) return special(question, timestamp)
  }
  const search = timestamp < 0 ? partition.offsetOfMaxTimestamp() : partition.offsetForTimestamp(timestamp)
  const found = search.then((result) => foundAt(question, result))
  const timeoutMs = call.version >= timeoutFrom ? request.timeoutMs : defaultTimeoutMs
  return within(ports.clock, timeoutMs, found, () => failed(index, ErrorCode.REQUEST_TIMED_OUT))
}

/** What the reader may see of the partition ends here. */
const endOf = (partition: PartitionView, request: ListOffsetsRequest): number =>
  request.isolationLevel === IsolationLevel.READ_COMMITTED ? partition.lastStableOffset : partition.highWatermark

function special({ request, call, partition, wanted }: Question, timestamp: number): ListOffsetsPartitionResponse {
  const { archivedEndOffset, logStartOffset, localLogStartOffset } = partition
  const at = (offset: number, leaderEpoch = -1): ListOffsetsPartitionResponse =>
    listOffsetsPartitionResponse({ partitionIndex: wanted.partitionIndex, offset: BigInt(offset), leaderEpoch })
  switch (timestamp) {
    case constants.LATEST_TIMESTAMP:
      return at(endOf(partition, request), epochFor(call, partition.leaderEpoch))
    case constants.EARLIEST_LOCAL_TIMESTAMP:
      return at(localLogStartOffset)
    case constants.LATEST_TIERED_TIMESTAMP:
      return at(archivedEndOffset < 0 ? -1 : archivedEndOffset - 1)
    case constants.EARLIEST_PENDING_UPLOAD_TIMESTAMP:
      return at(Math.max(archivedEndOffset, logStartOffset))
    default:
      return at(logStartOffset)
  }
}

function foundAt(
  { request, call, partition, wanted }: Question,
  found: OffsetAndTimestamp | undefined,
): ListOffsetsPartitionResponse {
  const { partitionIndex } = wanted
  if (found === undefined || found.offset >= endOf(partition, request)) return listOffsetsPartitionResponse({ partitionIndex })
  return listOffsetsPartitionResponse({
    partitionIndex,
    offset: BigInt(found.offset),
    timestamp: BigInt(found.timestampMs),
    leaderEpoch: epochFor(call, found.leaderEpoch),
  })
}

const epochFor = (call: Call, leaderEpoch: number): number => (call.version >= leaderEpochFrom ? leaderEpoch : -1)
