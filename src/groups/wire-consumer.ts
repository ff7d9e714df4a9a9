// Owns the translation of the consumer protocol's heartbeats and descriptions between Kafka's messages and the core's, and what is wrong
// with a request before any group is looked at. Not the rules (core/consumer/) nor the bytes (protocol).

import {
  type Assignment as DescribedAssignment,
  describedGroup,
  type DescribedGroup,
  member as describedMember,
} from '../protocol/generated/consumer-group-describe.ts'
import {
  type ConsumerGroupHeartbeatRequest,
  consumerGroupHeartbeatResponse,
  type ConsumerGroupHeartbeatResponse,
} from '../protocol/generated/consumer-group-heartbeat.ts'
import { briefly } from '../protocol/index.ts'
import { listOf, noPartitions, type Partitions } from './core/consumer/partitions.ts'
import type { ConsumerState } from './core/consumer/state.ts'
import { preferredAssignor } from './core/consumer/targets.ts'
import type { ConsumerTimes } from './core/group-configs.ts'
import type { GroupMachine } from './core/machine.ts'
import type { ConsumerHeartbeatAsk, ConsumerHeartbeatReply, GroupError } from './core/messages.ts'
import type { GroupSettings } from './core/settings.ts'
import type { ClientFacts, GroupTopics } from './ports.ts'
import { targetOf } from './record-codec-consumer.ts'
import { codeOf } from './wire-members.ts'

interface RequestRefusal {
  readonly error: GroupError
  readonly message: string
}

const invalid = (message: string): RequestRefusal => ({ error: 'INVALID_REQUEST', message })

/** What Kafka refuses before it looks for the group. */
export function refusalOfRequest(
  request: ConsumerGroupHeartbeatRequest,
  version: number,
  settings: GroupSettings,
): RequestRefusal | undefined {
  const { memberEpoch, serverAssignor } = request
  const speaksAsMember = version >= 1 || memberEpoch > 0 || memberEpoch === -1
  if (speaksAsMember && request.memberId === '') return invalid("MemberId can't be empty.")
  if (request.groupId === '') return invalid("GroupId can't be empty.")
  if (request.instanceId === '') return invalid("InstanceId can't be empty.")
  if (request.rackId === '') return invalid("RackId can't be empty.")
  if (memberEpoch === -2 && request.instanceId === null) return invalid("InstanceId can't be null.")
  if (memberEpoch < -2) return invalid('MemberEpoch is invalid.')
  const refusal = memberEpoch === 0 ? refusalOfJoin(request) : undefined
  if (refusal !== undefined) return refusal
  if (serverAssignor !== null && !settings.consumerAssignors.some((name) => name === serverAssignor)) {
    const supported = settings.consumerAssignors.join(', ')
    return {
      error: 'UNSUPPORTED_ASSIGNOR',
      message: `ServerAssignor ${serverAssignor} is not supported. Supported assignors: ${supported}.`,
    }
  }
  return undefined
}

/** Who joins says all there is to say, and owns nothing. */
function refusalOfJoin(request: ConsumerGroupHeartbeatRequest): RequestRefusal | undefined {
  if (request.rebalanceTimeoutMs === -1) return invalid('RebalanceTimeoutMs must be provided in first request.')
  if (request.topicPartitions === null || request.topicPartitions.length > 0) {
    return invalid('TopicPartitions must be empty when (re-)joining.')
  }
  if (request.subscribedTopicNames !== null || request.subscribedTopicRegex !== null) return undefined
  return invalid('Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.')
}

export function consumerHeartbeatAsk(
  client: ClientFacts,
  request: ConsumerGroupHeartbeatRequest,
  memberId: string,
): ConsumerHeartbeatAsk {
  return {
    groupId: request.groupId,
    memberId,
    memberEpoch: request.memberEpoch,
    instanceId: request.instanceId ?? undefined,
    rackId: request.rackId ?? undefined,
    clientId: client.clientId,
    clientHost: client.clientHost,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs === -1 ? undefined : request.rebalanceTimeoutMs,
    topics: request.subscribedTopicNames ?? undefined,
    expression: request.subscribedTopicRegex ?? undefined,
    assignor: request.serverAssignor ?? undefined,
    owned: request.topicPartitions === null ? undefined : targetOf(request.topicPartitions),
  }
}

export function refusedHeartbeat({ error, message }: RequestRefusal): ConsumerGroupHeartbeatResponse {
  return consumerGroupHeartbeatResponse({ errorCode: codeOf(error), errorMessage: message === '' ? null : briefly(message) })
}

export function heartbeatResponseOf(
  reply: ConsumerHeartbeatReply,
  { heartbeatIntervalMs }: Pick<ConsumerTimes, 'heartbeatIntervalMs'>,
): ConsumerGroupHeartbeatResponse {
  const { error, message = '', memberId, memberEpoch, assigned } = reply
  if (error !== 'NONE') return refusedHeartbeat({ error, message })
  return consumerGroupHeartbeatResponse({
    memberId,
    memberEpoch,
    // Who leaves has nothing to come back for.
    heartbeatIntervalMs: memberEpoch < 0 ? 0 : heartbeatIntervalMs,
    assignment:
      assigned === undefined
        ? null
        : { topicPartitions: [...listOf(assigned)].map(([topicId, partitions]) => ({ topicId, partitions })) },
  })
}

function described(list: Partitions, topics: GroupTopics): DescribedAssignment {
  const topicPartitions = [...list].flatMap(([topicId, partitions]) => {
    const topicName = topics.nameOf(topicId)
    return topicName === undefined ? [] : [{ topicId, topicName, partitions }]
  })
  return { topicPartitions }
}

/** Which operations the client is authorized to is the server's to fill in. */
export function describeConsumerGroup(
  groupId: string,
  machine: GroupMachine,
  { topics, settings }: { readonly topics: GroupTopics; readonly settings: GroupSettings },
): DescribedGroup {
  const state = machine.durable.get(groupId)?.consumer
  if (state === undefined) {
    const is = machine.groups.has(groupId) ? 'is not a consumer group' : 'not found'
    return describedGroup({ groupId, errorCode: codeOf('GROUP_ID_NOT_FOUND'), errorMessage: briefly(`Group ${groupId} ${is}.`) })
  }
  return describedGroup({
    groupId,
    groupState: state.state,
    groupEpoch: state.epoch,
    assignmentEpoch: state.assignmentEpoch,
    assignorName: preferredAssignor(state, settings.consumerAssignors),
    members: [...state.subscribers.keys()].map((memberId) => describeMember(memberId, state, topics)),
  })
}

function describeMember(memberId: string, state: ConsumerState, topics: GroupTopics) {
  const subscriber = state.subscribers.get(memberId)!
  const current = state.currentOf(memberId)
  return describedMember({
    memberId,
    instanceId: subscriber.instanceId ?? null,
    rackId: subscriber.rackId ?? null,
    memberEpoch: current.memberEpoch,
    clientId: subscriber.clientId,
    clientHost: subscriber.clientHost,
    subscribedTopicNames: subscriber.topics,
    subscribedTopicRegex: subscriber.expression ?? null,
    assignment: described(listOf(current.assigned), topics),
    targetAssignment: described(state.targets.get(memberId) ?? noPartitions, topics),
    memberType: subscriber.classic === undefined ? 1 : 0,
  })
}
