// Owns answering OffsetForLeaderEpoch: where the records of a leader epoch end, by which consumers notice that a log was cut (KIP-320).

import { ApiKey, ErrorCode } from '../../protocol/index.ts'
import {
  epochEndOffset,
  type EpochEndOffset,
  type OffsetForLeaderEpochRequest,
  type OffsetForLeaderEpochResponse,
  offsetForLeaderEpochResponse,
  type OffsetForLeaderPartition,
  offsetForLeaderTopicResult,
  readOffsetForLeaderEpochRequest,
  writeOffsetForLeaderEpochResponse,
} from '../../protocol/generated/offset-for-leader-epoch.ts'
import { type ServedApi, serve } from '../front/served-api.ts'
import type { PartitionView, HandlerPorts } from '../ports.ts'
import { epochFault } from './leader-epoch.ts'

export function offsetForLeaderEpochApi(ports: HandlerPorts): ServedApi {
  return serve<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse>({
    key: ApiKey.OffsetForLeaderEpoch,
    order: 'pipelined',
    read: readOffsetForLeaderEpochRequest,
    write: writeOffsetForLeaderEpochResponse,
    handle: (request, call) => {
      const topics = request.topics.map(({ topic, partitions }) => {
        const found = ports.broker.topicByName(topic)
        const ends = partitions.map((wanted) => endOf(found?.partitions[wanted.partition], wanted))
        for (const { errorCode } of ends) call.countError(errorCode)
        return offsetForLeaderTopicResult({ topic, partitions: ends })
      })
      return offsetForLeaderEpochResponse({ topics })
    },
    failed: (request, errorCode) =>
      offsetForLeaderEpochResponse({
        topics: request.topics.map(({ topic, partitions }) =>
          offsetForLeaderTopicResult({
            topic,
            partitions: partitions.map(({ partition }) => epochEndOffset({ partition, errorCode })),
          }),
        ),
      }),
  })
}

function endOf(found: PartitionView | undefined, wanted: OffsetForLeaderPartition): EpochEndOffset {
  const { partition, currentLeaderEpoch, leaderEpoch } = wanted
  if (found === undefined) return epochEndOffset({ partition, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION })
  const errorCode = epochFault(found, currentLeaderEpoch)
  if (errorCode !== ErrorCode.NONE) return epochEndOffset({ partition, errorCode })
  const end = found.endOfEpoch(leaderEpoch)
  return end === undefined
    ? epochEndOffset({ partition })
    : epochEndOffset({ partition, leaderEpoch: end.leaderEpoch, endOffset: BigInt(end.endOffset) })
}
