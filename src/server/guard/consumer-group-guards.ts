// Owns what the APIs of KIP-848's consumer groups demand, as Kafka's KafkaApis does. Not how a demand is decided.

import { compileExpression } from '../../groups/index.ts'
import { ErrorCode } from '../../protocol/index.ts'
import { type DescribedGroup, describedGroup } from '../../protocol/generated/consumer-group-describe.ts'
import { AclOperation } from '../../protocol/generated/enums.ts'
import type { Access } from './access.ts'
import { type Guards, pass, refuse } from './guard.ts'

const { DESCRIBE, READ } = AclOperation
const deniedGroup = ErrorCode.GROUP_AUTHORIZATION_FAILED
const deniedTopic = ErrorCode.TOPIC_AUTHORIZATION_FAILED

/** Whether the client may know of every topic the group's members subscribe to or have. */
function mayKnow(access: Access, { members }: DescribedGroup): boolean {
  const names = members.flatMap(({ subscribedTopicNames, assignment, targetAssignment }) => [
    ...subscribedTopicNames,
    ...[assignment, targetAssignment].flatMap(({ topicPartitions }) => topicPartitions.map(({ topicName }) => topicName)),
  ])
  return [...new Set(names)].every((name) => access.topic(DESCRIBE, name))
}

/** What an expression is about right now; one that is none is left to the handler, which says so. */
function topicsMatching(access: Access, text: string | null): readonly string[] {
  const expression = text === null || text === '' ? undefined : compileExpression(text)
  return expression === undefined ? [] : access.topicNames().filter((name) => expression.matches(name))
}

export const consumerGroupGuards: Guards = {
  ConsumerGroupHeartbeat: (asked) => {
    const { request, access } = asked
    if (!access.group(READ, request.groupId)) return refuse(asked.failed(request, deniedGroup), deniedGroup)
    const subscribed = [...(request.subscribedTopicNames ?? []), ...topicsMatching(access, request.subscribedTopicRegex)]
    const mayAll = subscribed.every((name) => access.topic(DESCRIBE, name))
    return mayAll ? pass : refuse(asked.failed(request, deniedTopic), deniedTopic)
  },
  ConsumerGroupDescribe: ({ request, access }) => {
    const isAllowed = (groupId: string): boolean => access.group(DESCRIBE, groupId)
    const refused = request.groupIds.filter((groupId) => !isAllowed(groupId))
    return {
      kind: 'part',
      request: { ...request, groupIds: request.groupIds.filter(isAllowed) },
      errorCode: refused.length === 0 ? ErrorCode.NONE : deniedGroup,
      complete: (response) => ({
        ...response,
        groups: [
          ...response.groups.map((group) => {
            if (!mayKnow(access, group)) {
              const errorMessage = 'The group has described topic(s) that the client is not authorized to describe.'
              return describedGroup({ groupId: group.groupId, errorCode: deniedTopic, errorMessage })
            }
            if (!request.includeAuthorizedOperations) return group
            return { ...group, authorizedOperations: access.operations('GROUP', group.groupId) }
          }),
          ...refused.map((groupId) => describedGroup({ groupId, errorCode: deniedGroup, errorMessage: null })),
        ],
      }),
    }
  },
}
