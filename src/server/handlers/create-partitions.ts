// Owns answering CreatePartitions: more partitions for topics there are.

import { ApiKey, briefly, ErrorCode } from '../../protocol/index.ts'
import {
  type CreatePartitionsRequest,
  type CreatePartitionsResponse,
  createPartitionsResponse,
  type CreatePartitionsTopic,
  type CreatePartitionsTopicResult,
  createPartitionsTopicResult,
  readCreatePartitionsRequest,
  writeCreatePartitionsResponse,
} from '../../protocol/generated/create-partitions.ts'
import { type ServedApi, serve } from '../front/served-api.ts'
import type { HandlerPorts } from '../ports.ts'
import type { MutationQuota } from '../quotas/client-throttles.ts'
import { mutationRefused } from './mutation-refused.ts'
import { repeated } from './repeated.ts'
import { within } from './time-out.ts'

/** Before it, no version knows THROTTLING_QUOTA_EXCEEDED (KIP-599). */
const strictFrom = 3

const result = (name: string, errorCode: number, errorMessage: string | null = null): CreatePartitionsTopicResult =>
  createPartitionsTopicResult({ name, errorCode, errorMessage: briefly(errorMessage) })

export function createPartitionsApi(ports: HandlerPorts): ServedApi {
  return serve<CreatePartitionsRequest, CreatePartitionsResponse>({
    key: ApiKey.CreatePartitions,
    order: 'serial',
    read: readCreatePartitionsRequest,
    write: writeCreatePartitionsResponse,
    handle: async (request, call) => {
      const twice = repeated(request.topics.map(({ name }) => name))
      const quota = ports.throttles.mutations(call, strictFrom)
      const once = request.topics.filter(({ name }) => !twice.has(name))
      const all = once.map((topic) =>
        within(ports.clock, request.timeoutMs, grow({ ports, quota }, topic, request.validateOnly), () =>
          result(topic.name, ErrorCode.REQUEST_TIMED_OUT, 'the partitions are still being created'),
        ),
      )
      const faults = [...twice].map((name) =>
        result(name, ErrorCode.INVALID_REQUEST, 'the request names this topic more than once'),
      )
      const results = [...(await Promise.all(all)), ...faults]
      for (const { errorCode } of results) call.countError(errorCode)
      return createPartitionsResponse({ results })
    },
    failed: (request, errorCode) =>
      createPartitionsResponse({ results: request.topics.map(({ name }) => result(name, errorCode)) }),
  })
}

/** In Kafka's words. */
const alreadyHas = (name: string, present: number, wanted: number): string =>
  wanted === present
    ? `Topic already has ${present} partition(s).`
    : `The topic ${name} currently has ${present} partition(s); ${wanted} would not be an increase.`

async function grow(
  { ports, quota }: { readonly ports: HandlerPorts; readonly quota: MutationQuota },
  wanted: CreatePartitionsTopic,
  validateOnly: boolean,
): Promise<CreatePartitionsTopicResult> {
  const { name, count, assignments } = wanted
  const topic = ports.broker.topicByName(name)
  if (topic === undefined) return result(name, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `there is no topic ${name}`)
  const present = topic.partitions.length
  if (count <= present) return result(name, ErrorCode.INVALID_PARTITIONS, alreadyHas(name, present, count))
  if (assignments !== null && assignments.length !== count - present) {
    return result(
      name,
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
      `${count - present} assignments are needed, one for each new partition`,
    )
  }
  const nodeId: number = ports.broker.nodeId
  if (assignments?.some(({ brokerIds }) => brokerIds.length !== 1 || brokerIds[0] !== nodeId) === true) {
    return result(name, ErrorCode.INVALID_REPLICA_ASSIGNMENT, `broker ${nodeId} is the only one`)
  }
  if (!quota.admit(count - present)) return result(name, mutationRefused.errorCode, mutationRefused.message)
  const grown = await ports.broker.createPartitions(topic.id, count, validateOnly)
  return grown.ok ? result(name, ErrorCode.NONE) : result(name, grown.failure.errorCode, grown.failure.message)
}
