import { expect, test } from 'vitest'
import { consumerGroupDescribeRequest } from '../../../../src/protocol/generated/consumer-group-describe.ts'
import { consumerGroupHeartbeatRequest } from '../../../../src/protocol/generated/consumer-group-heartbeat.ts'
import { deleteGroupsRequest } from '../../../../src/protocol/generated/delete-groups.ts'
import { describeGroupsRequest } from '../../../../src/protocol/generated/describe-groups.ts'
import { heartbeatRequest } from '../../../../src/protocol/generated/heartbeat.ts'
import { joinGroupRequest } from '../../../../src/protocol/generated/join-group.ts'
import { leaveGroupRequest } from '../../../../src/protocol/generated/leave-group.ts'
import { listGroupsRequest } from '../../../../src/protocol/generated/list-groups.ts'
import { offsetCommitRequest, offsetCommitRequestPartition } from '../../../../src/protocol/generated/offset-commit.ts'
import { offsetDeleteRequest } from '../../../../src/protocol/generated/offset-delete.ts'
import { offsetFetchRequest, offsetFetchRequestGroup } from '../../../../src/protocol/generated/offset-fetch.ts'
import { syncGroupRequest } from '../../../../src/protocol/generated/sync-group.ts'
import { txnOffsetCommitRequest, txnOffsetCommitRequestPartition } from '../../../../src/protocol/generated/txn-offset-commit.ts'
import { apiCodecs, apiEntries, ByteReader, ByteWriter, zeroUuid } from '../../../../src/protocol/index.ts'
import type { GroupCoordinator } from '../../../../src/groups/index.ts'
import { bytesOf } from './play.ts'
import { World } from './world.ts'

const client = { clientId: 'client', clientHost: '/10.0.0.1' }
const idOfT = 'AAAAAAAAAAAAAAAAAAAAAQ'

type Calls = Record<string, (coordinator: GroupCoordinator, version: number) => readonly Promise<unknown>[]>

const named = (version: number, from: number) => ({ name: version < from ? 't' : '', topicId: version < from ? zeroUuid : idOfT })

/** For each API, requests that are granted and some that are refused, as a client of the version could send them. */
const calls: Calls = {
  JoinGroup: (coordinator, version) =>
    ['g', ''].map((groupId) =>
      coordinator.joinGroup(
        client,
        joinGroupRequest({
          groupId,
          sessionTimeoutMs: 10_000,
          protocolType: 'consumer',
          protocols: [{ name: 'range', metadata: bytesOf('m') }],
          groupInstanceId: version >= 5 ? 'i' : null,
        }),
        version,
      ),
    ),
  SyncGroup: (coordinator, version) => [
    coordinator.syncGroup(client, syncGroupRequest({ groupId: 'g', memberId: 'm' }), version),
  ],
  Heartbeat: (coordinator, version) => [
    coordinator.heartbeat(client, heartbeatRequest({ groupId: 'g', memberId: 'm' }), version),
  ],
  ConsumerGroupHeartbeat: (coordinator, version) => [
    coordinator.consumerGroupHeartbeat(
      client,
      consumerGroupHeartbeatRequest({
        groupId: 'k',
        memberId: version === 0 ? '' : 'm',
        rebalanceTimeoutMs: 1_000,
        subscribedTopicNames: ['t'],
        subscribedTopicRegex: version === 0 ? null : 'u.*',
        topicPartitions: [],
      }),
      version,
    ),
    coordinator.consumerGroupHeartbeat(client, consumerGroupHeartbeatRequest({ groupId: 'k', memberId: 'm' }), version),
    coordinator.consumerGroupHeartbeat(
      client,
      consumerGroupHeartbeatRequest({ groupId: 'none', memberId: 'm', memberEpoch: 3 }),
      version,
    ),
  ],
  ConsumerGroupDescribe: (coordinator, version) => [
    coordinator.consumerGroupDescribe(client, consumerGroupDescribeRequest({ groupIds: ['k', 'none', ''] }), version),
  ],
  LeaveGroup: (coordinator, version) =>
    ['g', ''].map((groupId) => {
      const members = [{ memberId: 'm', groupInstanceId: null, reason: null }]
      return coordinator.leaveGroup(
        client,
        leaveGroupRequest(version < 3 ? { groupId, memberId: 'm' } : { groupId, members }),
        version,
      )
    }),
  OffsetCommit: (coordinator, version) => {
    const partitions = [
      offsetCommitRequestPartition({ committedOffset: 4n }),
      offsetCommitRequestPartition({ partitionIndex: 99 }),
    ]
    return [
      coordinator.offsetCommit(
        client,
        offsetCommitRequest({ groupId: 'o', topics: [{ ...named(version, 10), partitions }] }),
        version,
      ),
    ]
  },
  TxnOffsetCommit: (coordinator, version) => {
    const partitions = [txnOffsetCommitRequestPartition({ committedOffset: 4n })]
    const topics = [{ ...named(version, 6), partitions }]
    return [coordinator.txnOffsetCommit(client, txnOffsetCommitRequest({ groupId: 'x', producerId: 1n, topics }), version)]
  },
  OffsetFetch: (coordinator, version) =>
    [null, []].map((asked) => {
      const old = asked ?? (version < 2 ? [{ name: 't', partitionIndexes: [0] }] : null)
      const topics = asked === null ? null : [{ ...named(version, 10), partitionIndexes: [0, 1] }]
      const groups = [offsetFetchRequestGroup({ groupId: 'o', topics }), offsetFetchRequestGroup({ groupId: 'none', topics })]
      return coordinator.offsetFetch(
        client,
        offsetFetchRequest(version < 8 ? { groupId: 'o', topics: old } : { groups }),
        version,
      )
    }),
  OffsetDelete: (coordinator, version) => [
    coordinator.offsetDelete(
      client,
      offsetDeleteRequest({ groupId: 'o', topics: [{ name: 't', partitions: [{ partitionIndex: 0 }] }] }),
      version,
    ),
  ],
  ListGroups: (coordinator, version) => [coordinator.listGroups(client, listGroupsRequest(), version)],
  DescribeGroups: (coordinator, version) => [
    coordinator.describeGroups(client, describeGroupsRequest({ groups: ['g', 'o', 'none'] }), version),
  ],
  DeleteGroups: (coordinator, version) => [
    coordinator.deleteGroups(client, deleteGroupsRequest({ groupsNames: ['g', 'o', 'none'] }), version),
  ],
}

test.each(Object.keys(calls))('every answer of %s can be written in the version it was asked in', async (name) => {
  const entry = [...apiEntries.values()].find((one) => one.name === name)!
  const codec = apiCodecs.get(entry.key)!
  for (let version = entry.versionMin; version <= entry.versionMax; version += 1) {
    for (const state of ['started', 'loading', 'absent'] as const) {
      const world = new World()
      if (state === 'started') {
        world.startAll()
        const all = [calls['JoinGroup'], calls['OffsetCommit']].flatMap((call) => call!(world.coordinator, 5))
        await Promise.all(all)
      }
      if (state === 'loading') for (let partition = 0; partition < 4; partition += 1) world.coordinator.loadPartition(partition)
      const waiting = calls[name]!(world.coordinator, version)
      // A join that waits for others is answered as the partition goes elsewhere.
      const settled = Promise.all(waiting)
      await world.clock.pass(1)
      await world.coordinator.close()
      for (const response of await settled) {
        const w = new ByteWriter()
        codec.writeResponse(w, response as never, version)
        const r = new ByteReader(w.concat())
        codec.readResponse(r, version)
        expect(r.failure).toBeUndefined()
        expect(r.remaining).toBe(0)
      }
    }
  }
})
