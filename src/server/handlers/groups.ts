// Owns handing the APIs of consumer groups to the coordinator, which answers in Kafka's own messages. Does not own any rule of groups.

import { ApiKey, ErrorCode } from '../../protocol/index.ts'
import {
  consumerGroupDescribeResponse,
  describedGroup as describedConsumerGroup,
  readConsumerGroupDescribeRequest,
  writeConsumerGroupDescribeResponse,
} from '../../protocol/generated/consumer-group-describe.ts'
import {
  consumerGroupHeartbeatResponse,
  readConsumerGroupHeartbeatRequest,
  writeConsumerGroupHeartbeatResponse,
} from '../../protocol/generated/consumer-group-heartbeat.ts'
import {
  deletableGroupResult,
  deleteGroupsResponse,
  readDeleteGroupsRequest,
  writeDeleteGroupsResponse,
} from '../../protocol/generated/delete-groups.ts'
import {
  describedGroup,
  describeGroupsResponse,
  readDescribeGroupsRequest,
  writeDescribeGroupsResponse,
} from '../../protocol/generated/describe-groups.ts'
import { heartbeatResponse, readHeartbeatRequest, writeHeartbeatResponse } from '../../protocol/generated/heartbeat.ts'
import { joinGroupResponse, readJoinGroupRequest, writeJoinGroupResponse } from '../../protocol/generated/join-group.ts'
import { leaveGroupResponse, readLeaveGroupRequest, writeLeaveGroupResponse } from '../../protocol/generated/leave-group.ts'
import { listGroupsResponse, readListGroupsRequest, writeListGroupsResponse } from '../../protocol/generated/list-groups.ts'
import {
  offsetCommitResponse,
  offsetCommitResponsePartition,
  offsetCommitResponseTopic,
  readOffsetCommitRequest,
  writeOffsetCommitResponse,
} from '../../protocol/generated/offset-commit.ts'
import {
  offsetFetchResponse,
  offsetFetchResponseGroup,
  readOffsetFetchRequest,
  writeOffsetFetchResponse,
} from '../../protocol/generated/offset-fetch.ts'
import {
  offsetDeleteResponse,
  readOffsetDeleteRequest,
  writeOffsetDeleteResponse,
} from '../../protocol/generated/offset-delete.ts'
import { readSyncGroupRequest, syncGroupResponse, writeSyncGroupResponse } from '../../protocol/generated/sync-group.ts'
import type { Call } from '../front/call.ts'
import { type ApiDefinition, type ServedApi, serve } from '../front/served-api.ts'
import type { ClientFacts, GroupCoordinator } from '../ports.ts'
import { groupOperations } from './authorized-operations.ts'

/** Kafka shows the address with a slash before it and without the port. */
export function clientOf(call: Call): ClientFacts {
  return { clientId: call.clientId ?? '', clientHost: `/${call.connection.remoteHost}` }
}

type Definition<Request, Response> = Omit<ApiDefinition<Request, Response>, 'handle'>

type Ask<Request, Response> = (client: ClientFacts, request: Request, version: number) => Response | Promise<Response>

function delegate<Request, Response>(definition: Definition<Request, Response>, ask: Ask<Request, Response>): ServedApi {
  return serve<Request, Response>({ ...definition, handle: (request, call) => ask(clientOf(call), request, call.version) })
}

/** For requests that wait for other members: when the server stops, the client is told to look for the coordinator again. */
function delegateWaiting<Request, Response>(definition: Definition<Request, Response>, ask: Ask<Request, Response>): ServedApi {
  return serve<Request, Response>({
    ...definition,
    handle: (request, call) => {
      const hurried = new Promise<Response>((resolve) => {
        call.onHurry(() => {
          resolve(definition.failed(request, ErrorCode.NOT_COORDINATOR, call))
        })
      })
      return Promise.race([ask(clientOf(call), request, call.version), hurried])
    },
  })
}

/** Before version 7 the protocol's name may not be null. */
const noProtocol = (version: number): string | null => (version >= 7 ? null : '')

function membershipApis(groups: GroupCoordinator): ServedApi[] {
  return [
    delegateWaiting(
      {
        key: ApiKey.JoinGroup,
        order: 'serial',
        read: readJoinGroupRequest,
        write: writeJoinGroupResponse,
        failed: (_request, errorCode, { version }) =>
          joinGroupResponse({ errorCode, generationId: -1, protocolName: noProtocol(version) }),
      },
      (client, request, version) => groups.joinGroup(client, request, version),
    ),
    delegateWaiting(
      {
        key: ApiKey.SyncGroup,
        order: 'serial',
        read: readSyncGroupRequest,
        write: writeSyncGroupResponse,
        failed: (_request, errorCode) => syncGroupResponse({ errorCode }),
      },
      (client, request, version) => groups.syncGroup(client, request, version),
    ),
    delegate(
      {
        key: ApiKey.Heartbeat,
        order: 'pipelined',
        read: readHeartbeatRequest,
        write: writeHeartbeatResponse,
        failed: (_request, errorCode) => heartbeatResponse({ errorCode }),
      },
      (client, request, version) => groups.heartbeat(client, request, version),
    ),
    delegate(
      {
        key: ApiKey.LeaveGroup,
        order: 'serial',
        read: readLeaveGroupRequest,
        write: writeLeaveGroupResponse,
        failed: (_request, errorCode) => leaveGroupResponse({ errorCode }),
      },
      (client, request, version) => groups.leaveGroup(client, request, version),
    ),
  ]
}

function offsetApis(groups: GroupCoordinator): ServedApi[] {
  return [
    delegate(
      {
        key: ApiKey.OffsetCommit,
        order: 'pipelined',
        read: readOffsetCommitRequest,
        write: writeOffsetCommitResponse,
        failed: (request, errorCode) =>
          offsetCommitResponse({
            topics: request.topics.map(({ name, topicId, partitions }) =>
              offsetCommitResponseTopic({
                name,
                topicId,
                partitions: partitions.map(({ partitionIndex }) => offsetCommitResponsePartition({ partitionIndex, errorCode })),
              }),
            ),
          }),
      },
      (client, request, version) => groups.offsetCommit(client, request, version),
    ),
    delegate(
      {
        key: ApiKey.OffsetFetch,
        // After the commits before it, as a client that pipelines both expects.
        order: 'serial',
        read: readOffsetFetchRequest,
        write: writeOffsetFetchResponse,
        failed: (request, errorCode, { version }) =>
          version >= 8
            ? offsetFetchResponse({
                groups: request.groups.map(({ groupId }) => offsetFetchResponseGroup({ groupId, errorCode })),
              })
            : offsetFetchResponse({ errorCode: version >= 2 ? errorCode : 0 }),
      },
      (client, request, version) => groups.offsetFetch(client, request, version),
    ),
  ]
}

function administrationApis(groups: GroupCoordinator): ServedApi[] {
  return [
    delegate(
      {
        key: ApiKey.ListGroups,
        order: 'serial',
        read: readListGroupsRequest,
        write: writeListGroupsResponse,
        failed: (_request, errorCode) => listGroupsResponse({ errorCode }),
      },
      (client, request, version) => groups.listGroups(client, request, version),
    ),
    delegate(
      {
        key: ApiKey.DescribeGroups,
        order: 'serial',
        read: readDescribeGroupsRequest,
        write: writeDescribeGroupsResponse,
        failed: (request, errorCode) =>
          describeGroupsResponse({ groups: request.groups.map((groupId) => describedGroup({ groupId, errorCode })) }),
      },
      async (client, request, version) => {
        const response = await groups.describeGroups(client, request, version)
        if (!request.includeAuthorizedOperations) return response
        return describeGroupsResponse({
          groups: response.groups.map((group) => ({ ...group, authorizedOperations: groupOperations })),
        })
      },
    ),
    delegate(
      {
        key: ApiKey.DeleteGroups,
        order: 'serial',
        read: readDeleteGroupsRequest,
        write: writeDeleteGroupsResponse,
        failed: (request, errorCode) =>
          deleteGroupsResponse({ results: request.groupsNames.map((groupId) => deletableGroupResult({ groupId, errorCode })) }),
      },
      (client, request, version) => groups.deleteGroups(client, request, version),
    ),
    delegate(
      {
        key: ApiKey.OffsetDelete,
        order: 'serial',
        read: readOffsetDeleteRequest,
        write: writeOffsetDeleteResponse,
        failed: (_request, errorCode) => offsetDeleteResponse({ errorCode }),
      },
      (client, request, version) => groups.offsetDelete(client, request, version),
    ),
  ]
}

/** The consumer protocol (KIP-848). */
function consumerApis(groups: GroupCoordinator): ServedApi[] {
  return [
    delegate(
      {
        key: ApiKey.ConsumerGroupHeartbeat,
        order: 'pipelined',
        read: readConsumerGroupHeartbeatRequest,
        write: writeConsumerGroupHeartbeatResponse,
        failed: (_request, errorCode) => consumerGroupHeartbeatResponse({ errorCode }),
      },
      (client, request, version) => groups.consumerGroupHeartbeat(client, request, version),
    ),
    delegate(
      {
        key: ApiKey.ConsumerGroupDescribe,
        order: 'serial',
        read: readConsumerGroupDescribeRequest,
        write: writeConsumerGroupDescribeResponse,
        failed: (request, errorCode) =>
          consumerGroupDescribeResponse({
            groups: request.groupIds.map((groupId) => describedConsumerGroup({ groupId, errorCode })),
          }),
      },
      async (client, request, version) => {
        const response = await groups.consumerGroupDescribe(client, request, version)
        if (!request.includeAuthorizedOperations) return response
        return consumerGroupDescribeResponse({
          groups: response.groups.map((group) => ({ ...group, authorizedOperations: groupOperations })),
        })
      },
    ),
  ]
}

export function groupApis(groups: GroupCoordinator): ServedApi[] {
  return [...membershipApis(groups), ...consumerApis(groups), ...offsetApis(groups), ...administrationApis(groups)]
}
