// Owns answering ElectLeaders as Kafka does in a cluster of one broker: every partition is led by the replica that should lead it.

import { ApiKey, briefly, ErrorCode } from '../../protocol/index.ts'
import {
  type ElectLeadersRequest,
  type ElectLeadersResponse,
  electLeadersResponse,
  partitionResult,
  type PartitionResult,
  readElectLeadersRequest,
  replicaElectionResult,
  writeElectLeadersResponse,
} from '../../protocol/generated/elect-leaders.ts'
import { ElectionType } from '../../protocol/generated/enums.ts'
import { type ServedApi, serve } from '../front/served-api.ts'
import type { HandlerPorts } from '../ports.ts'

const electionTypes: readonly number[] = Object.values(ElectionType)

export function electLeadersApi(ports: HandlerPorts): ServedApi {
  return serve<ElectLeadersRequest, ElectLeadersResponse>({
    key: ApiKey.ElectLeaders,
    order: 'serial',
    read: readElectLeadersRequest,
    write: writeElectLeadersResponse,
    handle: (request, call) => {
      if (!electionTypes.includes(request.electionType)) {
        call.countError(ErrorCode.INVALID_REQUEST)
        return electLeadersResponse({ errorCode: ErrorCode.INVALID_REQUEST })
      }
      // Asked for all, Kafka names only the partitions where something was to be done.
      const replicaElectionResults = (request.topicPartitions ?? []).map(({ topic, partitions }) => {
        const results = partitions.map((partitionId) => outcomeOf(ports, topic, partitionId))
        for (const { errorCode } of results) call.countError(errorCode)
        return replicaElectionResult({ topic, partitionResult: results })
      })
      return electLeadersResponse({ replicaElectionResults })
    },
    // Version 0 has no error for the whole.
    failed: (request, errorCode, { version }) =>
      electLeadersResponse({
        errorCode: version >= 1 ? errorCode : ErrorCode.NONE,
        replicaElectionResults: (request.topicPartitions ?? []).map(({ topic, partitions }) =>
          replicaElectionResult({
            topic,
            partitionResult: partitions.map((partitionId) => partitionResult({ partitionId, errorCode, errorMessage: null })),
          }),
        ),
      }),
  })
}

function outcomeOf({ broker }: HandlerPorts, topic: string, partitionId: number): PartitionResult {
  const found = broker.topicByName(topic)
  if (found?.partitions[partitionId] === undefined) {
    const which = found === undefined ? `topic as ${topic}` : `partition as ${topic}-${partitionId}`
    const errorMessage = briefly(`No such ${which}`)
    return partitionResult({ partitionId, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, errorMessage })
  }
  return partitionResult({
    partitionId,
    errorCode: ErrorCode.ELECTION_NOT_NEEDED,
    errorMessage: 'Leader election not needed for topic partition.',
  })
}
