// Owns answering AlterPartitionReassignments and ListPartitionReassignments as Kafka does in a cluster of one broker: replicas are where
// they can be, and nothing is ever under way.

import { ApiKey, ErrorCode } from '../../protocol/index.ts'
import {
  type AlterPartitionReassignmentsRequest,
  type AlterPartitionReassignmentsResponse,
  alterPartitionReassignmentsResponse,
  readAlterPartitionReassignmentsRequest,
  type ReassignablePartition,
  reassignablePartitionResponse,
  reassignableTopicResponse,
  writeAlterPartitionReassignmentsResponse,
} from '../../protocol/generated/alter-partition-reassignments.ts'
import {
  type ListPartitionReassignmentsRequest,
  type ListPartitionReassignmentsResponse,
  listPartitionReassignmentsResponse,
  readListPartitionReassignmentsRequest,
  writeListPartitionReassignmentsResponse,
} from '../../protocol/generated/list-partition-reassignments.ts'
import { type ServedApi, serve } from '../front/served-api.ts'
import type { HandlerPorts, KafkaFailure, TopicView } from '../ports.ts'
import { repeated } from './repeated.ts'

export function alterPartitionReassignmentsApi(ports: HandlerPorts): ServedApi {
  return serve<AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse>({
    key: ApiKey.AlterPartitionReassignments,
    order: 'serial',
    read: readAlterPartitionReassignmentsRequest,
    write: writeAlterPartitionReassignmentsResponse,
    handle: (request, call) => {
      const responses = request.topics.map(({ name, partitions }) => {
        const topic = ports.broker.topicByName(name)
        const answers = partitions.map((wanted) => {
          const refused = refusal(ports, topic, wanted)
          call.countError(refused?.errorCode ?? ErrorCode.NONE)
          return reassignablePartitionResponse({
            partitionIndex: wanted.partitionIndex,
            errorCode: refused?.errorCode ?? ErrorCode.NONE,
            errorMessage: refused?.message ?? null,
          })
        })
        return reassignableTopicResponse({ name, partitions: answers })
      })
      const { allowReplicationFactorChange } = request
      return alterPartitionReassignmentsResponse({ responses, errorMessage: null, allowReplicationFactorChange })
    },
    failed: (_request, errorCode) => alterPartitionReassignmentsResponse({ errorCode, errorMessage: null }),
  })
}

export function listPartitionReassignmentsApi(): ServedApi {
  return serve<ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse>({
    key: ApiKey.ListPartitionReassignments,
    order: 'pipelined',
    read: readListPartitionReassignmentsRequest,
    write: writeListPartitionReassignmentsResponse,
    handle: () => listPartitionReassignmentsResponse({ errorMessage: null }),
    failed: (_request, errorCode) => listPartitionReassignmentsResponse({ errorCode, errorMessage: null }),
  })
}

/** Undefined when the partition is where it is wanted. */
function refusal(
  { broker }: HandlerPorts,
  topic: TopicView | undefined,
  { partitionIndex, replicas }: ReassignablePartition,
): KafkaFailure | undefined {
  if (topic?.partitions[partitionIndex] === undefined)
    return {
      errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      message: 'This server does not host this topic-partition.',
    }
  if (replicas === null)
    return { errorCode: ErrorCode.NO_REASSIGNMENT_IN_PROGRESS, message: 'No partition reassignment is in progress.' }
  const invalid = (message: string): KafkaFailure => ({ errorCode: ErrorCode.INVALID_REPLICA_ASSIGNMENT, message })
  if (replicas.length === 0) return invalid('The manual partition assignment includes an empty replica list.')
  const stranger = replicas.find((id) => id !== broker.nodeId)
  if (stranger !== undefined)
    return invalid(`The manual partition assignment includes broker ${stranger}, but no such broker is registered.`)
  if (repeated(replicas.map(String)).size > 0)
    return invalid(`The manual partition assignment includes the broker ${broker.nodeId} more than once.`)
  return undefined
}
