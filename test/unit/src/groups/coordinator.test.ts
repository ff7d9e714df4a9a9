import { expect, test } from 'vitest'
import { deleteGroupsRequest } from '../../../../src/protocol/generated/delete-groups.ts'
import { describeGroupsRequest } from '../../../../src/protocol/generated/describe-groups.ts'
import { heartbeatRequest } from '../../../../src/protocol/generated/heartbeat.ts'
import { joinGroupRequest } from '../../../../src/protocol/generated/join-group.ts'
import { leaveGroupRequest } from '../../../../src/protocol/generated/leave-group.ts'
import { listGroupsRequest } from '../../../../src/protocol/generated/list-groups.ts'
import {
  offsetCommitRequest,
  offsetCommitRequestPartition,
  offsetCommitRequestTopic,
} from '../../../../src/protocol/generated/offset-commit.ts'
import { offsetDeleteRequest } from '../../../../src/protocol/generated/offset-delete.ts'
import {
  offsetFetchRequest,
  offsetFetchRequestGroup,
  offsetFetchRequestTopics,
} from '../../../../src/protocol/generated/offset-fetch.ts'
import { syncGroupRequest } from '../../../../src/protocol/generated/sync-group.ts'
import {
  txnOffsetCommitRequest,
  txnOffsetCommitRequestPartition,
  txnOffsetCommitRequestTopic,
} from '../../../../src/protocol/generated/txn-offset-commit.ts'
import { ErrorCode } from '../../../../src/protocol/index.ts'
import type { GroupCoordinator } from '../../../../src/groups/index.ts'
import { coordinatorPartitionOf } from '../../../../src/model/coordinator-partition.ts'
import { bytesOf, textOf } from './play.ts'
import { settle, World } from './world.ts'

const client = { clientId: 'client', clientHost: '/10.0.0.1' }
const idOfT = 'AAAAAAAAAAAAAAAAAAAAAQ'
const idOfNone = 'AAAAAAAAAAAAAAAAAAAACQ'

const join = (coordinator: GroupCoordinator, version: number, fields: Parameters<typeof joinGroupRequest>[0] = {}) =>
  coordinator.joinGroup(
    client,
    joinGroupRequest({
      groupId: 'g',
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 20_000,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: bytesOf('m') }],
      ...fields,
    }),
    version,
  )

const commit = (
  coordinator: GroupCoordinator,
  version: number,
  offset: number,
  fields: Parameters<typeof offsetCommitRequest>[0] = {},
) =>
  coordinator.offsetCommit(
    client,
    offsetCommitRequest({
      groupId: 'g',
      topics: [
        offsetCommitRequestTopic({ name: 't', partitions: [offsetCommitRequestPartition({ committedOffset: BigInt(offset) })] }),
      ],
      ...fields,
    }),
    version,
  )

const fetchAll = async (coordinator: GroupCoordinator, groupId = 'g', version = 8) => {
  const request = offsetFetchRequest({ groups: [offsetFetchRequestGroup({ groupId, topics: null })], requireStable: true })
  return (await coordinator.offsetFetch(client, request, version)).groups[0]!
}

test("groups live where Kafka's hash puts them", () => {
  // Java: Math.abs("console-consumer-1234".hashCode()) % 50 and the like.
  expect(coordinatorPartitionOf('', 50)).toBe(0)
  expect(coordinatorPartitionOf('a', 50)).toBe(47)
  expect(coordinatorPartitionOf('hello', 50)).toBe(99162322 % 50)
  expect(coordinatorPartitionOf('polygenelubricants', 50)).toBe(0)
})

test('an old client joins, syncs, heartbeats and leaves', async () => {
  const { coordinator, ...world } = new World()
  void world
  for (let partition = 0; partition < 4; partition += 1) coordinator.startPartition(partition)
  const joined = await join(coordinator, 0)
  expect(joined).toMatchObject({ errorCode: 0, generationId: 1, protocolName: 'range', leader: joined.memberId })
  expect(joined.memberId).toMatch(/^client-01010101-0101-0101-0101-010101010101$/)
  const { memberId } = joined
  const synced = await coordinator.syncGroup(
    client,
    syncGroupRequest({ groupId: 'g', generationId: 1, memberId, assignments: [{ memberId, assignment: bytesOf('mine') }] }),
    0,
  )
  expect(textOf(synced.assignment)).toBe('mine')
  expect(await coordinator.heartbeat(client, heartbeatRequest({ groupId: 'g', generationId: 1, memberId }), 0)).toMatchObject({
    errorCode: 0,
  })
  expect(await coordinator.leaveGroup(client, leaveGroupRequest({ groupId: 'g', memberId }), 0)).toMatchObject({
    errorCode: 0,
    members: [],
  })
  expect(await coordinator.leaveGroup(client, leaveGroupRequest({ groupId: 'g', memberId }), 2)).toMatchObject({
    errorCode: ErrorCode.UNKNOWN_MEMBER_ID,
  })
})

test('versions differ in what a refused join says', async () => {
  const world = new World()
  world.startAll()
  expect(await join(world.coordinator, 4)).toMatchObject({ errorCode: ErrorCode.MEMBER_ID_REQUIRED, protocolName: '' })
  expect(await join(world.coordinator, 7)).toMatchObject({ errorCode: ErrorCode.MEMBER_ID_REQUIRED, protocolName: null })
  const fixed = await join(world.coordinator, 5, { groupId: 'static', groupInstanceId: 'i' })
  expect(fixed).toMatchObject({ errorCode: 0 })
  expect(fixed.memberId).toMatch(/^i-/)
})

test('several leave at once, each with its own answer', async () => {
  const world = new World()
  world.startAll()
  const { memberId } = await join(world.coordinator, 5, { groupInstanceId: 'i' })
  const members = [
    { memberId: '', groupInstanceId: 'i', reason: null },
    { memberId, groupInstanceId: null, reason: null },
  ]
  const left = await world.coordinator.leaveGroup(client, leaveGroupRequest({ groupId: 'g', members }), 4)
  expect(left.members).toEqual([
    expect.objectContaining({ memberId: '', groupInstanceId: 'i', errorCode: 0 }),
    expect.objectContaining({ memberId, errorCode: ErrorCode.UNKNOWN_MEMBER_ID }),
  ])
})

test('until a partition is started its clients are told to wait, and afterwards to go elsewhere', async () => {
  const { coordinator } = new World()
  const partition = coordinator.partitionFor('g')
  expect((await join(coordinator, 5)).errorCode).toBe(ErrorCode.NOT_COORDINATOR)
  coordinator.loadPartition(partition)
  expect((await join(coordinator, 5)).errorCode).toBe(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
  expect((await commit(coordinator, 8, 1)).topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
  expect((await fetchAll(coordinator)).errorCode).toBe(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
  expect((await coordinator.listGroups(client, listGroupsRequest(), 4)).errorCode).toBe(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
  expect((await coordinator.heartbeat(client, heartbeatRequest({ groupId: 'g' }), 4)).errorCode).toBe(0)
  const old = await coordinator.offsetFetch(
    client,
    offsetFetchRequest({ groupId: 'g', topics: [{ name: 't', partitionIndexes: [0] }] }),
    1,
  )
  expect(old.topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
  coordinator.startPartition(partition)
  const waiting = join(coordinator, 3, { memberId: '' }).then(() => join(coordinator, 3))
  await settle()
  await coordinator.stopPartition(partition)
  expect((await waiting).errorCode).toBe(ErrorCode.NOT_COORDINATOR)
})

test('a commit is answered when it is stored; what gathers meanwhile goes out as one batch', async () => {
  const world = new World()
  world.startAll()
  world.held = true
  const commits = [1, 2, 3].map((offset) => commit(world.coordinator, 8, offset))
  await settle()
  expect((await fetchAll(world.coordinator)).topics).toEqual([])
  world.release()
  for (const response of await Promise.all(commits)) expect(response.topics[0]!.partitions[0]!.errorCode).toBe(0)
  expect(world.batches.map((batch) => batch.records.length)).toEqual([1, 2])
  expect(world.appendsAtOnceMost).toBe(1)
  expect((await fetchAll(world.coordinator)).topics[0]!.partitions[0]!.committedOffset).toBe(3n)
})

test('a commit that cannot be stored is answered by why', async () => {
  const world = new World()
  world.startAll()
  const codes = { retry: 'COORDINATOR_NOT_AVAILABLE', fenced: 'NOT_COORDINATOR', invalid: 'INVALID_COMMIT_OFFSET_SIZE' } as const
  for (const kind of ['retry', 'fenced', 'invalid'] as const) {
    world.failure = kind
    expect((await commit(world.coordinator, 8, 1)).topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode[codes[kind]])
  }
  world.failure = undefined
  expect((await commit(world.coordinator, 8, 1)).topics[0]!.partitions[0]!.errorCode).toBe(0)
})

test('topics are named by id from version 10 on, and unknown ones have their own error', async () => {
  const world = new World()
  world.startAll()
  const partitions = [offsetCommitRequestPartition({ committedOffset: 7n }), offsetCommitRequestPartition({ partitionIndex: 9 })]
  const topics = [
    offsetCommitRequestTopic({ topicId: idOfT, partitions }),
    offsetCommitRequestTopic({ topicId: idOfNone, partitions }),
  ]
  const response = await commit(world.coordinator, 10, 0, { topics })
  const codes = response.topics.map((topic) => topic.partitions.map((partition) => partition.errorCode))
  expect(codes).toEqual([
    [0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    [ErrorCode.UNKNOWN_TOPIC_ID, ErrorCode.UNKNOWN_TOPIC_ID],
  ])
  const groups = [
    offsetFetchRequestGroup({
      groupId: 'g',
      topics: [idOfT, idOfNone].map((topicId) => offsetFetchRequestTopics({ topicId, partitionIndexes: [0, 1] })),
    }),
    offsetFetchRequestGroup({ groupId: 'nobody', topics: null }),
  ]
  const fetched = await world.coordinator.offsetFetch(client, offsetFetchRequest({ groups }), 10)
  expect(fetched.groups[0]!.topics.map((topic) => topic.partitions.map((one) => [one.committedOffset, one.errorCode]))).toEqual([
    [
      [7n, 0],
      [-1n, 0],
    ],
    [
      [-1n, ErrorCode.UNKNOWN_TOPIC_ID],
      [-1n, ErrorCode.UNKNOWN_TOPIC_ID],
    ],
  ])
  expect(fetched.groups[1]).toMatchObject({ errorCode: 0, topics: [] })
  expect((await fetchAll(world.coordinator, 'g', 10)).topics).toMatchObject([{ topicId: idOfT, name: '' }])
})

test('an old client fetches all its offsets with a null list', async () => {
  const world = new World()
  world.startAll()
  await commit(world.coordinator, 2, 4, { retentionTimeMs: 5_000n })
  const response = await world.coordinator.offsetFetch(client, offsetFetchRequest({ groupId: 'g', topics: null }), 2)
  expect(response.topics).toMatchObject([{ name: 't', partitions: [{ partitionIndex: 0, committedOffset: 4n, metadata: '' }] }])
})

test('transactional offsets are unstable until the marker', async () => {
  const world = new World()
  world.startAll()
  const partitions = [txnOffsetCommitRequestPartition({ committedOffset: 8n })]
  const request = txnOffsetCommitRequest({
    groupId: 'g',
    producerId: 5n,
    topics: [txnOffsetCommitRequestTopic({ name: 't', partitions })],
  })
  expect((await world.coordinator.txnOffsetCommit(client, request, 3)).topics[0]!.partitions[0]!.errorCode).toBe(0)
  expect(world.batches[0]!.producerId).toBe(5)
  expect((await fetchAll(world.coordinator)).topics[0]!.partitions[0]).toMatchObject({
    errorCode: ErrorCode.UNSTABLE_OFFSET_COMMIT,
    committedOffset: -1n,
  })
  world.coordinator.onTransactionEnd(world.coordinator.partitionFor('g'), 5, 'commit')
  expect((await fetchAll(world.coordinator)).topics[0]!.partitions[0]).toMatchObject({ errorCode: 0, committedOffset: 8n })
  const bad = await world.coordinator.txnOffsetCommit(client, { ...request, producerId: -1n }, 3)
  expect(bad.topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
})

test('groups are listed by state and type, described, and deleted', async () => {
  const world = new World()
  world.startAll()
  await join(world.coordinator, 3)
  await commit(world.coordinator, 8, 1, { groupId: 'simple' })
  const list = async (fields: Parameters<typeof listGroupsRequest>[0], version: number) =>
    (await world.coordinator.listGroups(client, listGroupsRequest(fields), version)).groups.map((group) => group.groupId).sort()
  expect(await list({}, 3)).toEqual(['g', 'simple'])
  expect(await list({ statesFilter: ['empty'] }, 4)).toEqual(['simple'])
  expect(await list({ typesFilter: ['Classic'] }, 5)).toEqual(['g', 'simple'])
  expect(await list({ typesFilter: ['consumer'] }, 5)).toEqual([])
  const described = await world.coordinator.describeGroups(client, describeGroupsRequest({ groups: ['g', 'nobody'] }), 5)
  expect(described.groups).toMatchObject([
    {
      groupState: 'CompletingRebalance',
      protocolType: 'consumer',
      protocolData: '',
      members: [{ clientId: 'client', clientHost: '/10.0.0.1' }],
    },
    { groupState: 'Dead', errorCode: 0 },
  ])
  const newer = await world.coordinator.describeGroups(client, describeGroupsRequest({ groups: ['nobody'] }), 6)
  expect(newer.groups[0]).toMatchObject({ errorCode: ErrorCode.GROUP_ID_NOT_FOUND, groupState: 'Dead' })
  const deleted = await world.coordinator.deleteGroups(client, deleteGroupsRequest({ groupsNames: ['g', 'simple', 'nobody'] }), 2)
  expect(deleted.results.map((result) => result.errorCode)).toEqual([ErrorCode.NON_EMPTY_GROUP, 0, ErrorCode.GROUP_ID_NOT_FOUND])
})

test('offsets are deleted one by one', async () => {
  const world = new World()
  world.startAll()
  await commit(world.coordinator, 8, 1)
  const topics = [
    { name: 'none', partitions: [{ partitionIndex: 0 }] },
    { name: 't', partitions: [{ partitionIndex: 0 }] },
  ]
  const response = await world.coordinator.offsetDelete(client, offsetDeleteRequest({ groupId: 'g', topics }), 0)
  expect(response.topics.map((topic) => topic.partitions[0]!.errorCode)).toEqual([ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 0])
  expect([...world.coordinator.committedOffsets()]).toEqual([])
  const unknown = await world.coordinator.offsetDelete(client, offsetDeleteRequest({ groupId: 'who', topics }), 0)
  expect(unknown.errorCode).toBe(ErrorCode.GROUP_ID_NOT_FOUND)
})

test('one timer serves all sessions, and none is left when closed', async () => {
  const world = new World()
  world.startAll()
  for (let at = 0; at < 20; at += 1) await join(world.coordinator, 3, { groupId: `group-${at}` })
  expect(world.clock.timerCount).toBe(1)
  expect(world.coordinator.facts()).toMatchObject({ members: 20, groupsByState: { CompletingRebalance: 20 } })
  await world.clock.pass(60_000)
  expect(world.coordinator.facts()).toMatchObject({ members: 0, groupsByState: { Empty: 20 }, expiredMembers: 20 })
  await world.coordinator.close()
  expect(world.clock.timerCount).toBe(0)
  expect((await join(world.coordinator, 3)).errorCode).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE)
})

test('a restart from the log, or from a snapshot, gives the same state', async () => {
  const world = new World()
  world.startAll()
  const { memberId } = await join(world.coordinator, 3)
  await world.coordinator.syncGroup(
    client,
    syncGroupRequest({ groupId: 'g', generationId: 1, memberId, assignments: [{ memberId, assignment: bytesOf('a') }] }),
    3,
  )
  await commit(world.coordinator, 8, 9, { memberId, generationIdOrMemberEpoch: 1 })
  const partition = world.coordinator.partitionFor('g')
  const snapshot = world.coordinator.snapshot(partition)
  const replayed = world.open()
  world.replayAll(replayed)
  expect(replayed.snapshot(partition)).toEqual(snapshot)
  const restored = world.open()
  expect(restored.restore(partition, snapshot).ok).toBe(true)
  restored.startPartition(partition)
  expect(restored.snapshot(partition)).toEqual(snapshot)
  expect(restored.facts()).toMatchObject({ groupsByState: { Stable: 1 }, members: 1 })
  expect((await restored.heartbeat(client, heartbeatRequest({ groupId: 'g', generationId: 1, memberId }), 4)).errorCode).toBe(0)
  expect(restored.restore(partition, snapshot.slice(1)).ok).toBe(false)
})

test('set-back works before the partitions are started, is stored, and says when it could not be', async () => {
  const world = new World()
  world.startAll()
  await commit(world.coordinator, 8, 100)
  const next = world.open()
  world.replayAll(next)
  world.failure = 'retry'
  await expect(next.setBack('t', 0, 60)).rejects.toMatchObject({ code: 'GROUP_CHANGE_FAILED' })
  world.failure = undefined
  expect(await next.setBack('t', 0, 60)).toEqual([{ groupId: 'g', topic: 't', partition: 0, fromOffset: 100, toOffset: 60 }])
  next.startPartition(next.partitionFor('g'))
  expect((await fetchAll(next)).topics[0]!.partitions[0]!.committedOffset).toBe(60n)
  const after = world.open()
  world.replayAll(after)
  expect([...after.committedOffsets()]).toMatchObject([{ groupId: 'g', offset: 60 }])
  expect(await after.setBack('t', 0, 60)).toEqual([])
})

test("a deleted topic's offsets go, in every partition", async () => {
  const world = new World()
  world.startAll()
  for (const groupId of ['a', 'b', 'c']) await commit(world.coordinator, 8, 1, { groupId })
  expect(await world.coordinator.onTopicDeleted('t', idOfT)).toBe(3)
  expect([...world.coordinator.committedOffsets()]).toEqual([])
})

test('records of other kinds are passed over, malformed ones are named', () => {
  const { coordinator } = new World()
  const value = new Uint8Array(4)
  // Of share groups.
  expect(coordinator.replay(0, { key: new Uint8Array([0, 11, 0, 1, 97]), value, timestampMs: 0 })).toEqual({
    ok: true,
    value: 'ignored',
  })
  expect(coordinator.replay(0, { key: new Uint8Array([0, 3, 0, 1, 97]), value, timestampMs: 0 })).toMatchObject({ ok: false })
  expect(coordinator.replay(0, { key: new Uint8Array([0, 2, 0, 9, 97]), value, timestampMs: 0 })).toMatchObject({ ok: false })
  expect(
    coordinator.replay(0, { key: new Uint8Array([0, 2, 0, 1, 97]), value: new Uint8Array([0, 9]), timestampMs: 0 }),
  ).toMatchObject({ ok: false })
  expect(coordinator.replay(0, { key: new Uint8Array([9]), value, timestampMs: 0 })).toMatchObject({ ok: false })
})
