// Owns answering CreateTopics: checks the form of each topic asked for and reports what the broker made of it.

import { topicNameFault } from '../../model/topic-name.ts'
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
        const fault = faultOf(topic)
        results.push(
          fault === undefined
            ? within(ports.clock, request.timeoutMs, create({ ports, quota }, topic, request.validateOnly), () =>
                failed(topic.name, ErrorCode.REQUEST_TIMED_OUT, 'the topic is still being created'),
              )
            : failed(topic.name, fault.errorCode, fault.message),
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

function faultOf(topic: CreatableTopic): { readonly errorCode: number; readonly message: string } | undefined {
  const { name, numPartitions, replicationFactor, assignments } = topic
  const badName = topicNameFault(name)
  if (badName !== undefined) return { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, message: badName }
  if (assignments.length > 0) {
    const indexes = new Set(assignments.map(({ partitionIndex }) => partitionIndex))
    const complete = assignments.every((_, index) => indexes.has(index))
    return complete
      ? undefined
      : {
          errorCode: ErrorCode.INVALID_REPLICA_ASSIGNMENT,
          message: 'partitions should be a consecutive 0-based integer sequence',
        }
  }
  if (replicationFactor < 1 && replicationFactor !== -1) {
    const message = 'Replication factor must be larger than 0, or -1 to use the default value.'
    return { errorCode: ErrorCode.INVALID_REPLICATION_FACTOR, message }
  }
  if (numPartitions < 1 && numPartitions !== -1) {
    const message = 'Number of partitions was set to an invalid non-positive value.'
    return { errorCode: ErrorCode.INVALID_PARTITIONS, message }
  }
  return undefined
}

async function create(
  { ports, quota }: { readonly ports: HandlerPorts; readonly quota: MutationQuota },
  topic: CreatableTopic,
  validateOnly: boolean,
): Promise<CreatableTopicResult> {
  const { name, numPartitions, replicationFactor, assignments, configs } = topic
  if (ports.broker.topicByName(name) !== undefined)
    return failed(name, ErrorCode.TOPIC_ALREADY_EXISTS, `Topic '${name}' already exists.`)
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
