// Owns the coordinator as the server calls it: a method per API, from Kafka's messages to Kafka's messages. Not which partitions are
// served (partitions.ts), the rules (core/), nor the shapes of the wire (wire-members.ts, wire-offsets.ts).

import {
  consumerGroupDescribeResponse,
  type ConsumerGroupDescribeRequest,
  type ConsumerGroupDescribeResponse,
  describedGroup as describedConsumerGroup,
} from '../protocol/generated/consumer-group-describe.ts'
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponse,
} from '../protocol/generated/consumer-group-heartbeat.ts'
import {
  deletableGroupResult,
  deleteGroupsResponse,
  type DeleteGroupsRequest,
  type DeleteGroupsResponse,
} from '../protocol/generated/delete-groups.ts'
import {
  describedGroup,
  describeGroupsResponse,
  type DescribeGroupsRequest,
  type DescribeGroupsResponse,
} from '../protocol/generated/describe-groups.ts'
import { heartbeatResponse, type HeartbeatRequest, type HeartbeatResponse } from '../protocol/generated/heartbeat.ts'
import type { JoinGroupRequest, JoinGroupResponse } from '../protocol/generated/join-group.ts'
import type { LeaveGroupRequest, LeaveGroupResponse } from '../protocol/generated/leave-group.ts'
import {
  listedGroup,
  type ListedGroup,
  listGroupsResponse,
  type ListGroupsRequest,
  type ListGroupsResponse,
} from '../protocol/generated/list-groups.ts'
import type { OffsetCommitRequest, OffsetCommitResponse } from '../protocol/generated/offset-commit.ts'
import { offsetDeleteResponse, type OffsetDeleteRequest, type OffsetDeleteResponse } from '../protocol/generated/offset-delete.ts'
import {
  offsetFetchRequestGroup,
  offsetFetchResponse,
  type OffsetFetchRequest,
  type OffsetFetchResponse,
  type OffsetFetchRequestGroup,
  type OffsetFetchResponseGroup,
} from '../protocol/generated/offset-fetch.ts'
import type { SyncGroupRequest, SyncGroupResponse } from '../protocol/generated/sync-group.ts'
import type { TxnOffsetCommitRequest, TxnOffsetCommitResponse } from '../protocol/generated/txn-offset-commit.ts'
import { freshUuidText } from '../base/uuid-text.ts'
import { zeroUuid } from '../protocol/index.ts'
import { refuseConsumer } from './core/consumer/heartbeat.ts'
import { consumerTimesOf } from './core/group-configs.ts'
import type { CommitAsk, CommitReply, DeleteReply, GroupError } from './core/messages.ts'
import { allOffsets } from './core/offsets.ts'
import { refuseJoin, refuseSync } from './core/shard.ts'
import { GroupPartitions } from './partitions.ts'
import type { ClientFacts } from './ports.ts'
import {
  consumerHeartbeatAsk,
  describeConsumerGroup,
  heartbeatResponseOf,
  refusalOfRequest,
  refusedHeartbeat,
} from './wire-consumer.ts'
import { codeOf, describe, joinAsk, joinResponse, leaveResponse, leaversOf, syncAsk, syncResponse } from './wire-members.ts'
import {
  commitAsk,
  commitResponse,
  fetchGroup,
  sortOffsets,
  topicIdsFrom,
  txnCommitAsk,
  txnCommitResponse,
} from './wire-offsets.ts'

/** How ListGroups names groups that follow one protocol or the other. */
const classicType = 'classic'
const consumerType = 'consumer'
const consumerProtocol = 'consumer'

export class GroupCoordinator extends GroupPartitions {
  // --- Membership

  async joinGroup(client: ClientFacts, request: JoinGroupRequest, version: number): Promise<JoinGroupResponse> {
    const ask = joinAsk(client, request, version, this.#freshId())
    const run = this.runFor(request.groupId)
    const refuse = (error: GroupError) => refuseJoin(error, request.memberId)
    if (typeof run === 'string') return joinResponse(refuse(run), version)
    return joinResponse(
      await run.ask(refuse, (ticket, now) => {
        run.machine.join(ticket, ask, now)
      }),
      version,
    )
  }

  async syncGroup(_client: ClientFacts, request: SyncGroupRequest, _version: number): Promise<SyncGroupResponse> {
    const run = this.runFor(request.groupId)
    if (typeof run === 'string') return syncResponse(refuseSync(run))
    return syncResponse(
      await run.ask(refuseSync, (ticket, now) => {
        run.machine.sync(ticket, syncAsk(request), now)
      }),
    )
  }

  heartbeat(_client: ClientFacts, request: HeartbeatRequest, _version: number): Promise<HeartbeatResponse> {
    return Promise.resolve(heartbeatResponse({ errorCode: codeOf(this.#heartbeat(request)) }))
  }

  #heartbeat({ groupId, memberId, generationId: generation, groupInstanceId }: HeartbeatRequest): GroupError {
    const run = this.runFor(groupId)
    // Clients do not expect to hear of loading here; sessions start afresh after it, so nothing is lost by saying yes.
    if (typeof run === 'string') return run === 'COORDINATOR_LOAD_IN_PROGRESS' ? 'NONE' : run
    const error = run.machine.heartbeat({ groupId, memberId, generation, instanceId: groupInstanceId ?? undefined }, this.now())
    run.step()
    return error
  }

  leaveGroup(_client: ClientFacts, request: LeaveGroupRequest, version: number): Promise<LeaveGroupResponse> {
    const leavers = leaversOf(request, version)
    const run = this.runFor(request.groupId)
    if (typeof run === 'string') return Promise.resolve(leaveResponse({ error: run, errors: [] }, leavers, version))
    const result = run.machine.leave(request.groupId, leavers, this.now())
    run.step()
    return Promise.resolve(leaveResponse(result, leavers, version))
  }

  async consumerGroupHeartbeat(
    client: ClientFacts,
    request: ConsumerGroupHeartbeatRequest,
    version: number,
  ): Promise<ConsumerGroupHeartbeatResponse> {
    const { settings } = this.options
    const refusal = refusalOfRequest(request, version, settings)
    if (refusal !== undefined) return refusedHeartbeat(refusal)
    const run = this.runFor(request.groupId)
    if (typeof run === 'string') return refusedHeartbeat({ error: run, message: '' })
    const ask = consumerHeartbeatAsk(
      client,
      request,
      request.memberId === '' ? freshUuidText(this.options.ids) : request.memberId,
    )
    const refuse = (error: GroupError) => refuseConsumer(ask, { error, message: '' })
    const reply = await run.ask(refuse, (ticket, now) => {
      run.machine.consumerHeartbeat(ticket, ask, now)
    })
    return heartbeatResponseOf(reply, consumerTimesOf(settings, request.groupId))
  }

  // --- Offsets

  async offsetCommit(_client: ClientFacts, request: OffsetCommitRequest, version: number): Promise<OffsetCommitResponse> {
    const sorted = sortOffsets(request.topics, this.options.topics, version >= topicIdsFrom.offsetCommit)
    return commitResponse(request, sorted, await this.#commit(commitAsk(request, sorted.offsets, version)))
  }

  /** Offsets that take effect with the producer's transaction: see `onTransactionEnd`. */
  async txnOffsetCommit(
    _client: ClientFacts,
    request: TxnOffsetCommitRequest,
    version: number,
  ): Promise<TxnOffsetCommitResponse> {
    const sorted = sortOffsets(request.topics, this.options.topics, version >= topicIdsFrom.txnOffsetCommit)
    const producerId = Number(request.producerId)
    if (producerId < 0 || !Number.isSafeInteger(producerId)) {
      return txnCommitResponse(request, sorted, allOffsets(sorted, 'INVALID_PRODUCER_ID_MAPPING').errors)
    }
    const ask = txnCommitAsk(request, { producerId, producerEpoch: request.producerEpoch }, sorted.offsets)
    return txnCommitResponse(request, sorted, await this.#commit(ask))
  }

  async #commit(ask: CommitAsk): Promise<readonly GroupError[]> {
    const refuse = (error: GroupError) => allOffsets(ask, error)
    const run = this.runFor(ask.groupId)
    if (typeof run === 'string') return refuse(run).errors
    return (
      await run.ask(refuse, (ticket, now) => {
        run.machine.commit(ticket, ask, now)
      })
    ).errors
  }

  offsetFetch(_client: ClientFacts, request: OffsetFetchRequest, version: number): Promise<OffsetFetchResponse> {
    if (version >= 8) {
      return Promise.resolve(offsetFetchResponse({ groups: request.groups.map((group) => this.#fetch(group, request, version)) }))
    }
    const topics = request.topics?.map((topic) => ({ ...topic, topicId: zeroUuid })) ?? null
    const group = this.#fetch(offsetFetchRequestGroup({ groupId: request.groupId, topics }), request, version)
    // Version 1 has no error of its own: every partition says it.
    const errorTopics =
      version >= 2
        ? []
        : (topics ?? []).map(({ name, partitionIndexes }) => ({
            name,
            partitions: partitionIndexes.map((partitionIndex) => ({
              partitionIndex,
              committedOffset: -1n,
              committedLeaderEpoch: -1,
              metadata: '',
              errorCode: group.errorCode,
            })),
          }))
    return Promise.resolve(
      offsetFetchResponse({ topics: group.errorCode === 0 ? group.topics : errorTopics, errorCode: group.errorCode }),
    )
  }

  #fetch(group: OffsetFetchRequestGroup, request: OffsetFetchRequest, version: number): OffsetFetchResponseGroup {
    const run = this.runFor(group.groupId)
    if (typeof run === 'string') return { groupId: group.groupId, topics: [], errorCode: codeOf(run) }
    const byId = version >= topicIdsFrom.offsetFetch
    return fetchGroup(run.machine, group, { topics: this.options.topics, requireStable: request.requireStable, byId })
  }

  async offsetDelete(_client: ClientFacts, request: OffsetDeleteRequest, _version: number): Promise<OffsetDeleteResponse> {
    const run = this.runFor(request.groupId)
    if (typeof run === 'string') return offsetDeleteResponse({ errorCode: codeOf(run) })
    const { topics: known } = this.options
    const offsets = request.topics.flatMap(({ name, partitions }) =>
      partitions.map((at) => ({ topic: name, partition: at.partitionIndex })),
    )
    const ask = { groupId: request.groupId, offsets: offsets.filter((one) => known.partitionExists(one.topic, one.partition)) }
    const refuse = (error: GroupError) => ({ ...allOffsets(ask, error), refusal: error })
    const reply = await run.ask<CommitReply>(refuse, (ticket) => {
      run.machine.deleteOffsets(ticket, ask)
    })
    if (reply.refusal !== undefined) return offsetDeleteResponse({ errorCode: codeOf(reply.refusal) })
    let answered = 0
    const errorOf = (topic: string, partition: number): GroupError =>
      known.partitionExists(topic, partition)
        ? (reply.errors[answered++] ?? 'UNKNOWN_SERVER_ERROR')
        : 'UNKNOWN_TOPIC_OR_PARTITION'
    const topics = request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: codeOf(errorOf(name, partitionIndex)) })),
    }))
    return offsetDeleteResponse({ topics })
  }

  // --- Administration

  async deleteGroups(_client: ClientFacts, request: DeleteGroupsRequest, _version: number): Promise<DeleteGroupsResponse> {
    const results = request.groupsNames.map(async (groupId) => {
      const run = this.runFor(groupId)
      const refuse = (error: GroupError): DeleteReply => ({ kind: 'delete', error })
      const reply =
        typeof run === 'string'
          ? refuse(run)
          : await run.ask(refuse, (ticket, now) => {
              run.machine.deleteGroup(ticket, groupId, now)
            })
      return deletableGroupResult({ groupId, errorCode: codeOf(reply.error) })
    })
    return deleteGroupsResponse({ results: await Promise.all(results) })
  }

  listGroups(_client: ClientFacts, request: ListGroupsRequest, _version: number): Promise<ListGroupsResponse> {
    const states = new Set(request.statesFilter.map((state) => state.toLowerCase()))
    const types = new Set(request.typesFilter.map((type) => type.toLowerCase()))
    const groups: ListedGroup[] = []
    for (const run of this.runs) {
      // A list that lacks a partition's groups would be taken for the whole.
      if (run.refusal !== undefined) return Promise.resolve(listGroupsResponse({ errorCode: codeOf(run.refusal) }))
      for (const group of run.machine.groups.values()) {
        const { groupId } = group
        const isConsumer = run.machine.durable.get(groupId)?.consumer !== undefined
        const groupType = isConsumer ? consumerType : classicType
        const groupState = run.machine.stateOf(group)
        if (states.size > 0 && !states.has(groupState.toLowerCase())) continue
        if (types.size > 0 && !types.has(groupType)) continue
        const protocolType = isConsumer ? consumerProtocol : (group.protocolType ?? '')
        groups.push(listedGroup({ groupId, protocolType, groupState, groupType }))
      }
    }
    return Promise.resolve(listGroupsResponse({ groups }))
  }

  /** Which operations the client is authorized to is the server's to fill in. */
  describeGroups(_client: ClientFacts, request: DescribeGroupsRequest, version: number): Promise<DescribeGroupsResponse> {
    const groups = request.groups.map((groupId) => {
      const run = this.runFor(groupId)
      if (typeof run === 'string') return describedGroup({ groupId, errorCode: codeOf(run) })
      if (run.machine.durable.get(groupId)?.consumer !== undefined) {
        return describe(groupId, undefined, version, 'is not a classic group')
      }
      return describe(groupId, run.machine.groups.get(groupId), version)
    })
    return Promise.resolve(describeGroupsResponse({ groups }))
  }

  consumerGroupDescribe(
    _client: ClientFacts,
    request: ConsumerGroupDescribeRequest,
    _version: number,
  ): Promise<ConsumerGroupDescribeResponse> {
    const groups = request.groupIds.map((groupId) => {
      const run = groupId === '' ? 'INVALID_GROUP_ID' : this.runFor(groupId)
      if (typeof run === 'string') return describedConsumerGroup({ groupId, errorCode: codeOf(run) })
      return describeConsumerGroup(groupId, run.machine, this.options)
    })
    return Promise.resolve(consumerGroupDescribeResponse({ groups }))
  }

  /** 128 bits in the form of a UUID, as clients see them at the end of member ids. */
  #freshId(): string {
    const hex = [...this.options.ids.nextId()].map((byte) => byte.toString(16).padStart(2, '0')).join('')
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
  }
}
