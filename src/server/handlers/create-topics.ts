// Owns answering CreateTopics: checks the form of the assignments asked for and reports what the broker made of each topic. Not whether
// a topic is possible: the broker knows.

import { ApiKey, briefly, ErrorCode } from '../../protocol/index.ts'
import {
  type CreatableTopic,
  creatableTopicConfigs,
  type CreatableTopicResult,
  creatableTopicResult,
  type CreateTopicsRequest,
  type CreateTopicsResponse,
  createTopicsResponse,
  readCreateTopicsRequest,
  writeCreateTopicsResponse,
} from '../../protocol/generated/create-topics.ts'
import { type ServedApi, serve } from '../front/served-api.ts'
import type { HandlerPorts, TopicView } from '../ports.ts'
import type { MutationQuota } from '../quotas/client-throttles.ts'
import { mutationRefused } from './mutation-refused.ts'
import { repeated } from './repeated.ts'
import { within } from './time-out.ts'

/** Before it, no version knows THROTTLING_QUOTA_EXCEEDED (KIP-599). */
const strictFrom = 6

const failed = (name: string, errorCode: number, errorMessage: string | null = null): CreatableTopicResult =>
  creatableTopicResult({ name, errorCode, errorMessage: briefly(errorMessage) })

export function createTopicsApi(ports: HandlerPorts): ServedApi {
  return serve<CreateTopicsRequest, CreateTopicsResponse>({
    key: ApiKey.CreateTopics,
    order: 'serial',
    read: readCreateTopicsRequest,
    write: writeCreateTopicsResponse,
    handle: async (request, call) => {
      const twice = repeated(request.topics.map(({ name }) => name))
      const quota = ports.throttles.mutations(call, strictFrom)
      const results: Array<CreatableTopicResult | Promise<CreatableTopicResult>> = []
      for (const topic of request.topics) {
        if (twice.has(topic.name)) continue
        results.push(
          within(ports.clock, request.timeoutMs, create({ ports, quota }, topic, request.validateOnly), () =>
            failed(topic.name, ErrorCode.REQUEST_TIMED_OUT, 'the topic is still being created'),
          ),
        )
      }
      for (const name of twice)
        results.push(failed(name, ErrorCode.INVALID_REQUEST, 'the request names this topic more than once'))
      const topics = await Promise.all(results)
      for (const { errorCode } of topics) call.countError(errorCode)
      return createTopicsResponse({ topics })
    },
    failed: (request, errorCode) => createTopicsResponse({ topics: request.topics.map(({ name }) => failed(name, errorCode)) }),
  })
}

/** Each partition once, none left out: what the broker is told knows no order and no repetition any more. */
function isConsecutive({ assignments }: CreatableTopic): boolean {
  const indexes = new Set(assignments.map(({ partitionIndex }) => partitionIndex))
  return assignments.every((_, index) => indexes.has(index))
}

async function create(
  { ports, quota }: { readonly ports: HandlerPorts; readonly quota: MutationQuota },
  topic: CreatableTopic,
  validateOnly: boolean,
): Promise<CreatableTopicResult> {
  const { name, numPartitions, replicationFactor, assignments, configs } = topic
  if (!isConsecutive(topic)) {
    const why = 'partitions should be a consecutive 0-based integer sequence'
    return failed(name, ErrorCode.INVALID_REPLICA_ASSIGNMENT, why)
  }
  const wanted = {
    name,
    partitionCount: numPartitions,
    replicationFactor,
    assignments: new Map(assignments.map(({ partitionIndex, brokerIds }) => [partitionIndex, brokerIds])),
    configs: new Map(configs.map((config) => [config.name, config.value])),
    validateOnly,
  }
  if (quota.counts) {
    // How many partitions it would have, only the broker knows.
    const planned = await ports.broker.createTopic({ ...wanted, validateOnly: true })
    if (!planned.ok) return failed(name, planned.failure.errorCode, planned.failure.message)
    if (!quota.admit(planned.value.partitions.length)) return failed(name, mutationRefused.errorCode, mutationRefused.message)
  }
  const made = await ports.broker.createTopic(wanted)
  return made.ok ? created(ports, made.value) : failed(name, made.failure.errorCode, made.failure.message)
}

function created(ports: HandlerPorts, topic: TopicView): CreatableTopicResult {
  return creatableTopicResult({
    name: topic.name,
    topicId: topic.id,
    numPartitions: topic.partitions.length,
    replicationFactor: 1,
    configs: ports.broker
      .describeTopicConfigs(topic)
      .map(({ name, value, readOnly, source, sensitive }) =>
        creatableTopicConfigs({ name, value: sensitive ? null : value, readOnly, configSource: source, isSensitive: sensitive }),
      ),
  })
}
