// Owns answering Metadata: brokers, topics by name or id, and creating unknown topics where both sides allow it.

import { topicNameFault } from '../../model/topic-name.ts'
import { ApiKey } from '../../protocol/index.ts'
import { zeroUuid } from '../../protocol/index.ts'
import { ErrorCode } from '../../protocol/index.ts'
import {
  type MetadataRequest,
  type MetadataRequestTopic,
  type MetadataResponse,
  metadataResponse,
  metadataResponseBroker,
  metadataResponsePartition,
  type MetadataResponseTopic,
  metadataResponseTopic,
  readMetadataRequest,
  writeMetadataResponse,
} from '../../protocol/generated/metadata.ts'
import { topicId as asTopicId } from '../../model/ids.ts'
import { type ServedApi, serve } from '../front/served-api.ts'
import type { Call } from '../front/call.ts'
import type { HandlerPorts, TopicView } from '../ports.ts'
import { clusterOperations, operationsOmitted, topicOperations } from './authorized-operations.ts'

/** Topics by id, and names that are null. */
const nullNamesFrom = 12

export function metadataApi(ports: HandlerPorts): ServedApi {
  return serve<MetadataRequest, MetadataResponse>({
    key: ApiKey.Metadata,
    order: 'pipelined',
    read: readMetadataRequest,
    write: writeMetadataResponse,
    handle: (request, call) => {
      const { topics } = request
      // Version 0 cannot say null, so there empty means all.
      if (topics === null || (call.version === 0 && topics.length === 0)) {
        const all = [...ports.broker.topics()].map((topic) => described(ports, topic, request))
        return answer(ports, request, { call, topics: all })
      }
      if (call.version < nullNamesFrom && topics.some(({ topicId, name }) => topicId !== zeroUuid || name === null)) {
        return answer(ports, request, {
          call,
          topics: topics.map((topic) => refused(topic, ErrorCode.INVALID_REQUEST, call.version)),
        })
      }
      return named(ports, request, { topics, call })
    },
    failed: (request, errorCode, call) =>
      answer(ports, request, {
        call,
        topics: (request.topics ?? []).map((topic) => refused(topic, errorCode, call.version)),
      }),
  })
}

/** Before version 12 the answer's name may not be null. */
function refused({ name, topicId }: MetadataRequestTopic, errorCode: number, version: number): MetadataResponseTopic {
  return metadataResponseTopic({ errorCode, name: name ?? (version >= nullNamesFrom ? null : ''), topicId })
}

function answer(
  ports: HandlerPorts,
  request: MetadataRequest,
  { call, topics }: { readonly call: Call; readonly topics: readonly MetadataResponseTopic[] },
): MetadataResponse {
  const { broker, settings } = ports
  const { host, port } = call.connection.endpoint.advertised()
  return metadataResponse({
    brokers: [metadataResponseBroker({ nodeId: broker.nodeId, host, port, rack: settings.rack })],
    clusterId: broker.clusterId,
    controllerId: broker.nodeId,
    topics,
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? clusterOperations : operationsOmitted,
  })
}

function described(ports: HandlerPorts, topic: TopicView, request: MetadataRequest): MetadataResponseTopic {
  const { nodeId } = ports.broker
  return metadataResponseTopic({
    name: topic.name,
    topicId: topic.id,
    isInternal: topic.internal,
    partitions: topic.partitions.map((partition) =>
      metadataResponsePartition({
        partitionIndex: partition.index,
        leaderId: nodeId,
        leaderEpoch: partition.leaderEpoch,
        replicaNodes: [nodeId],
        isrNodes: [nodeId],
      }),
    ),
    topicAuthorizedOperations: request.includeTopicAuthorizedOperations ? topicOperations : operationsOmitted,
  })
}

interface NamedTopics {
  readonly topics: readonly MetadataRequestTopic[]
  readonly call: Call
}

function named(
  ports: HandlerPorts,
  request: MetadataRequest,
  { topics, call }: NamedTopics,
): MetadataResponse | Promise<MetadataResponse> {
  const creates = request.allowAutoTopicCreation && ports.settings.autoCreateTopics
  const answers: Array<MetadataResponseTopic | Promise<MetadataResponseTopic>> = []
  const seen = new Set<string>()
  for (const wanted of topics) {
    const key = wanted.name ?? wanted.topicId
    if (seen.has(key)) continue
    seen.add(key)
    answers.push(byIdOrName(ports, request, { wanted, creates, call }))
  }
  const countErrors = (all: readonly MetadataResponseTopic[]): MetadataResponse => {
    for (const { errorCode } of all) call.countError(errorCode)
    return answer(ports, request, { call, topics: all })
  }
  if (answers.every((one): one is MetadataResponseTopic => !(one instanceof Promise))) return countErrors(answers)
  return Promise.all(answers).then(countErrors)
}

interface Wanted {
  readonly wanted: MetadataRequestTopic
  readonly creates: boolean
  readonly call: Call
}

function byIdOrName(
  ports: HandlerPorts,
  request: MetadataRequest,
  { wanted, creates, call }: Wanted,
): MetadataResponseTopic | Promise<MetadataResponseTopic> {
  const { broker } = ports
  const { version } = call
  const { name, topicId } = wanted
  if (topicId !== zeroUuid) {
    const topic = broker.topicById(asTopicId(topicId))
    return topic === undefined ? refused(wanted, ErrorCode.UNKNOWN_TOPIC_ID, version) : described(ports, topic, request)
  }
  if (name === null) return refused(wanted, ErrorCode.INVALID_REQUEST, version)
  const topic = broker.topicByName(name)
  if (topic !== undefined) return described(ports, topic, request)
  if (topicNameFault(name) !== undefined) return refused(wanted, ErrorCode.INVALID_TOPIC_EXCEPTION, version)
  if (!creates) return refused(wanted, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, version)
  return broker.autoCreateTopic(name).then((made) => {
    if (made.ok) {
      ports.throttles.mutations(call).admit(made.value.partitions.length)
      return described(ports, made.value, request)
    }
    // Made by somebody else meanwhile: then it is there.
    const present = broker.topicByName(name)
    return present === undefined ? refused(wanted, made.failure.errorCode, version) : described(ports, present, request)
  })
}
