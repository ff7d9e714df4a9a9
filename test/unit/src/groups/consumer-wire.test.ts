import { expect, test } from 'vitest'
import { consumerGroupDescribeRequest } from '../../../../src/protocol/generated/consumer-group-describe.ts'
import {
  type ConsumerGroupHeartbeatRequest,
  consumerGroupHeartbeatRequest,
} from '../../../../src/protocol/generated/consumer-group-heartbeat.ts'
import { deleteGroupsRequest } from '../../../../src/protocol/generated/delete-groups.ts'
import { describeGroupsRequest } from '../../../../src/protocol/generated/describe-groups.ts'
import { listGroupsRequest } from '../../../../src/protocol/generated/list-groups.ts'
import { offsetCommitRequest, offsetCommitRequestPartition } from '../../../../src/protocol/generated/offset-commit.ts'
import { offsetFetchRequest, offsetFetchRequestGroup } from '../../../../src/protocol/generated/offset-fetch.ts'
import { ErrorCode, errorName } from '../../../../src/protocol/index.ts'
import { World } from './world.ts'

const client = { clientId: 'client', clientHost: '/10.0.0.1' }
const idOfT = 'AAAAAAAAAAAAAAAAAAAAAQ'

type Fields = Partial<ConsumerGroupHeartbeatRequest>

const joining: Fields = {
  groupId: 'g',
  memberId: 'm',
  rebalanceTimeoutMs: 1_000,
  subscribedTopicNames: ['t'],
  topicPartitions: [],
}

function beat(world: World, fields: Fields, version = 1, coordinator = world.coordinator) {
  return coordinator.consumerGroupHeartbeat(client, consumerGroupHeartbeatRequest(fields), version)
}

function started(): World {
  const world = new World()
  world.startAll()
  return world
}

test('a member joins, is told its partitions and when to come again, and leaves', async () => {
  const world = started()
  expect(await beat(world, joining)).toMatchObject({
    errorCode: 0,
    memberId: 'm',
    memberEpoch: 2,
    heartbeatIntervalMs: 5_000,
    assignment: { topicPartitions: [{ topicId: idOfT, partitions: [0, 1, 2, 3] }] },
  })
  expect(await beat(world, { groupId: 'g', memberId: 'm', memberEpoch: 2 })).toMatchObject({ memberEpoch: 2, assignment: null })
  expect(await beat(world, { groupId: 'g', memberId: 'm', memberEpoch: -1 })).toMatchObject({
    errorCode: 0,
    memberEpoch: -1,
    heartbeatIntervalMs: 0,
  })
})

test('a member of version 0 that brings no id is given one', async () => {
  const { memberId } = await beat(started(), { ...joining, memberId: '' }, 0)
  expect(memberId).toMatch(/^[\w-]{22}$/)
})

test.each<readonly [what: string, fields: Fields, error: string]>([
  ['no member', { ...joining, memberId: '' }, 'INVALID_REQUEST'],
  ['no group', { ...joining, groupId: '' }, 'INVALID_REQUEST'],
  ['an empty instance id', { ...joining, instanceId: '' }, 'INVALID_REQUEST'],
  ['an empty rack', { ...joining, rackId: '' }, 'INVALID_REQUEST'],
  ['a static leave without a name', { groupId: 'g', memberId: 'm', memberEpoch: -2 }, 'INVALID_REQUEST'],
  ['an epoch that means nothing', { groupId: 'g', memberId: 'm', memberEpoch: -3 }, 'INVALID_REQUEST'],
  ['a join without a time-out', { ...joining, rebalanceTimeoutMs: -1 }, 'INVALID_REQUEST'],
  ['a join with partitions', { ...joining, topicPartitions: [{ topicId: idOfT, partitions: [0] }] }, 'INVALID_REQUEST'],
  ['a join that does not say what it owns', { ...joining, topicPartitions: null }, 'INVALID_REQUEST'],
  ['a join without a subscription', { ...joining, subscribedTopicNames: null }, 'INVALID_REQUEST'],
  ['an unknown assignor', { ...joining, serverAssignor: 'fair' }, 'UNSUPPORTED_ASSIGNOR'],
  ['an expression that is none', { ...joining, subscribedTopicRegex: '(' }, 'INVALID_REGULAR_EXPRESSION'],
])('refused: %s', async (_, fields, error) => {
  const response = await beat(started(), fields)
  expect(errorName(response.errorCode)).toBe(error)
  expect(response.errorMessage).toMatch(/\w/)
})

test('groups of both protocols are listed, described and deleted by their own APIs', async () => {
  const world = started()
  const { coordinator } = world
  await beat(world, { ...joining, instanceId: 'i', rackId: 'r', subscribedTopicRegex: 'u.*' })
  const listed = async (fields: Parameters<typeof listGroupsRequest>[0]) =>
    (await coordinator.listGroups(client, listGroupsRequest(fields), 5)).groups
  const asListed = { groupId: 'g', groupType: 'consumer', groupState: 'Stable', protocolType: 'consumer' }
  expect(await listed({ typesFilter: ['Consumer'] })).toMatchObject([asListed])
  expect(await listed({ typesFilter: ['classic'] })).toEqual([])
  expect(await listed({ statesFilter: ['stable'] })).toMatchObject([asListed])
  const described = await coordinator.consumerGroupDescribe(client, consumerGroupDescribeRequest({ groupIds: ['g', 'h', ''] }), 1)
  const assignment = {
    topicPartitions: [
      { topicId: idOfT, topicName: 't', partitions: [0, 1, 2, 3] },
      { topicId: 'AAAAAAAAAAAAAAAAAAAAAg', topicName: 'u', partitions: [0, 1] },
    ],
  }
  expect(described.groups).toMatchObject([
    {
      errorCode: 0,
      groupState: 'Stable',
      groupEpoch: 2,
      assignmentEpoch: 2,
      assignorName: 'uniform',
      members: [
        {
          memberId: 'm',
          instanceId: 'i',
          rackId: 'r',
          memberEpoch: 2,
          clientId: 'client',
          clientHost: '/10.0.0.1',
          subscribedTopicNames: ['t'],
          subscribedTopicRegex: 'u.*',
          assignment,
          targetAssignment: assignment,
          memberType: 1,
        },
      ],
    },
    { errorCode: ErrorCode.GROUP_ID_NOT_FOUND, errorMessage: 'Group h not found.' },
    { errorCode: ErrorCode.INVALID_GROUP_ID },
  ])
  const classic = await coordinator.describeGroups(client, describeGroupsRequest({ groups: ['g'] }), 6)
  expect(classic.groups).toMatchObject([
    { errorCode: ErrorCode.GROUP_ID_NOT_FOUND, groupState: 'Dead', errorMessage: 'Group g is not a classic group.' },
  ])
  const deleted = () => coordinator.deleteGroups(client, deleteGroupsRequest({ groupsNames: ['g'] }), 2)
  expect((await deleted()).results).toMatchObject([{ errorCode: ErrorCode.NON_EMPTY_GROUP }])
  expect(coordinator.facts()).toMatchObject({ members: 1, groupsByState: { Stable: 1 } })
  await beat(world, { groupId: 'g', memberId: 'm', memberEpoch: -1 })
  expect((await deleted()).results).toMatchObject([{ errorCode: 0 }])
  expect(await listed({})).toEqual([])
})

test('a member commits and fetches in its epoch', async () => {
  const world = started()
  await beat(world, joining)
  const commit = async (generationIdOrMemberEpoch: number, version: number) => {
    const partitions = [offsetCommitRequestPartition({ committedOffset: 5n })]
    const topics = [{ name: 't', topicId: idOfT, partitions }]
    const request = offsetCommitRequest({ groupId: 'g', memberId: 'm', generationIdOrMemberEpoch, topics })
    const response = await world.coordinator.offsetCommit(client, request, version)
    return errorName(response.topics[0]!.partitions[0]!.errorCode)
  }
  expect([await commit(2, 9), await commit(2, 10), await commit(3, 9), await commit(2, 8)]).toEqual([
    'NONE',
    'NONE',
    'STALE_MEMBER_EPOCH',
    'UNSUPPORTED_VERSION',
  ])
  const fetch = async (memberId: string | null, memberEpoch: number) => {
    const groups = [offsetFetchRequestGroup({ groupId: 'g', memberId, memberEpoch, topics: null })]
    const [group] = (await world.coordinator.offsetFetch(client, offsetFetchRequest({ groups }), 9)).groups
    return [errorName(group!.errorCode), group!.topics[0]?.partitions[0]?.committedOffset]
  }
  expect(await fetch(null, -1)).toEqual(['NONE', 5n])
  expect(await fetch('m', 2)).toEqual(['NONE', 5n])
  expect(await fetch('m', 3)).toEqual(['STALE_MEMBER_EPOCH', undefined])
  expect(await fetch('n', 2)).toEqual(['UNKNOWN_MEMBER_ID', undefined])
})

test('a restart from the log, or from a snapshot, leaves members where they were', async () => {
  const world = started()
  await beat(world, joining)
  await beat(world, { ...joining, memberId: 'n' })
  const partition = world.coordinator.partitionFor('g')
  const snapshot = world.coordinator.snapshot(partition)
  const fromLog = world.open()
  world.replayAll(fromLog)
  const fromSnapshot = world.open()
  expect(fromSnapshot.restore(partition, snapshot).ok).toBe(true)
  for (const coordinator of [fromLog, fromSnapshot]) {
    world.startAll(coordinator)
    expect(coordinator.snapshot(partition)).toEqual(snapshot)
    const owned = [{ topicId: idOfT, partitions: [0, 1, 2, 3] }]
    expect(
      await beat(world, { groupId: 'g', memberId: 'm', memberEpoch: 2, topicPartitions: owned }, 1, coordinator),
    ).toMatchObject({
      memberEpoch: 2,
      assignment: { topicPartitions: [{ topicId: idOfT, partitions: [0, 1] }] },
    })
  }
})

test('until the partition is started members are told to wait, and afterwards to go elsewhere', async () => {
  const world = new World()
  const error = async () => errorName((await beat(world, joining)).errorCode)
  expect(await error()).toBe('NOT_COORDINATOR')
  world.coordinator.loadPartition(world.coordinator.partitionFor('g'))
  expect(await error()).toBe('COORDINATOR_LOAD_IN_PROGRESS')
  world.startAll()
  world.failure = 'busy'
  expect(await error()).toBe('COORDINATOR_NOT_AVAILABLE')
  world.failure = 'invalid'
  expect(await error()).toBe('UNKNOWN_SERVER_ERROR')
  world.failure = undefined
  world.held = true
  const waiting = beat(world, joining)
  const stopped = world.coordinator.stopPartition(world.coordinator.partitionFor('g'))
  world.release()
  await stopped
  expect(errorName((await waiting).errorCode)).toBe('NOT_COORDINATOR')
})
