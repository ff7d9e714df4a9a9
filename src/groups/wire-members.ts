// Owns the translation of membership requests and answers between Kafka's messages, in every version, and the core's. Not the rules
// (core/) nor the bytes (protocol).

import { describedGroup, type DescribedGroup } from '../protocol/generated/describe-groups.ts'
import { type JoinGroupRequest, joinGroupResponse, type JoinGroupResponse } from '../protocol/generated/join-group.ts'
import { type LeaveGroupRequest, leaveGroupResponse, type LeaveGroupResponse } from '../protocol/generated/leave-group.ts'
import { type SyncGroupRequest, syncGroupResponse, type SyncGroupResponse } from '../protocol/generated/sync-group.ts'
import { briefly, ErrorCode } from '../protocol/index.ts'
import { type Group, noBytes } from './core/group.ts'
import type { LeaveResult } from './core/leave.ts'
import type { GroupError, JoinAsk, JoinReply, Leaver, SyncAsk, SyncReply } from './core/messages.ts'
import type { ClientFacts } from './ports.ts'

/** Of the part of a member's id that tells whose it is. */
const memberNameLengthMax = 1_000

export function codeOf(error: GroupError): number {
  return ErrorCode[error]
}

/** What members send is kept for long: a copy does not pin the socket's buffer. */
function keep(bytes: Uint8Array): Uint8Array {
  return bytes.length === 0 ? noBytes : new Uint8Array(bytes)
}

export function joinAsk(client: ClientFacts, request: JoinGroupRequest, version: number, freshId: string): JoinAsk {
  const instanceId = request.groupInstanceId ?? undefined
  return {
    groupId: request.groupId,
    memberId: request.memberId,
    instanceId,
    clientId: client.clientId,
    clientHost: client.clientHost,
    sessionTimeoutMs: request.sessionTimeoutMs,
    // Version 0 has one time-out for both.
    rebalanceTimeoutMs: version === 0 || request.rebalanceTimeoutMs < 0 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs,
    protocolType: request.protocolType,
    protocols: request.protocols.map(({ name, metadata }) => ({ name, metadata: keep(metadata) })),
    // A name may be as long as a string can be: what is put before the id must leave room for it.
    freshMemberId: `${(instanceId ?? client.clientId).slice(0, memberNameLengthMax)}-${freshId}`,
    requireKnownMemberId: version >= 4,
    canSkipAssignment: version >= 9,
  }
}

export function joinResponse(reply: JoinReply, version: number): JoinGroupResponse {
  return joinGroupResponse({
    errorCode: codeOf(reply.error),
    generationId: reply.generation,
    protocolType: reply.protocolType ?? null,
    protocolName: reply.protocolName ?? (version >= 7 ? null : ''),
    leader: reply.leaderId,
    skipAssignment: reply.skipAssignment,
    memberId: reply.memberId,
    members: reply.members.map(({ memberId, instanceId, metadata }) => ({
      memberId,
      groupInstanceId: instanceId ?? null,
      metadata,
    })),
  })
}

export function syncAsk(request: SyncGroupRequest): SyncAsk {
  return {
    groupId: request.groupId,
    memberId: request.memberId,
    instanceId: request.groupInstanceId ?? undefined,
    generation: request.generationId,
    protocolType: request.protocolType ?? undefined,
    protocolName: request.protocolName ?? undefined,
    assignments: new Map(request.assignments.map(({ memberId, assignment }) => [memberId, keep(assignment)])),
  }
}

export function syncResponse(reply: SyncReply): SyncGroupResponse {
  return syncGroupResponse({
    errorCode: codeOf(reply.error),
    protocolType: reply.protocolType ?? null,
    protocolName: reply.protocolName ?? null,
    assignment: reply.assignment,
  })
}

/** Before version 3 one member leaves, by its id. */
export function leaversOf(request: LeaveGroupRequest, version: number): readonly Leaver[] {
  if (version < 3) return [{ memberId: request.memberId, instanceId: undefined }]
  return request.members.map(({ memberId, groupInstanceId }) => ({ memberId, instanceId: groupInstanceId ?? undefined }))
}

export function leaveResponse(result: LeaveResult, leavers: readonly Leaver[], version: number): LeaveGroupResponse {
  if (version < 3)
    return leaveGroupResponse({ errorCode: codeOf(result.error === 'NONE' ? (result.errors[0] ?? 'NONE') : result.error) })
  const members = result.errors.map((error, at) => ({
    memberId: leavers[at]?.memberId ?? '',
    groupInstanceId: leavers[at]?.instanceId ?? null,
    errorCode: codeOf(error),
  }))
  return leaveGroupResponse({ errorCode: codeOf(result.error), members })
}

/** `otherwise` says what is wrong with a group that is not described here. */
export function describe(groupId: string, group: Group | undefined, version: number, otherwise = 'not found'): DescribedGroup {
  if (group === undefined || group.state === 'Dead') {
    // Before version 6 a group nobody knows is one that has died.
    if (version < 6) return describedGroup({ groupId, groupState: 'Dead' })
    const errorMessage = briefly(`Group ${groupId} ${otherwise}.`)
    return describedGroup({ groupId, groupState: 'Dead', errorCode: codeOf('GROUP_ID_NOT_FOUND'), errorMessage })
  }
  const stable = group.state === 'Stable'
  return describedGroup({
    groupId,
    groupState: group.state,
    protocolType: group.protocolType ?? '',
    protocolData: stable ? (group.protocolName ?? '') : '',
    members: [...group.members.values()].map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.instanceId ?? null,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: stable ? group.metadataOf(member) : noBytes,
      memberAssignment: stable ? member.assignment : noBytes,
    })),
  })
}
