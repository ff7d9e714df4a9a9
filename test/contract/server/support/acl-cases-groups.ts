// Owns the cases of ACLs of groups and transactions: the request, the rights it needs, the error without them.

import { addOffsetsToTxnRequest } from '../../../../src/protocol/generated/add-offsets-to-txn.ts'
import { addPartitionsToTxnRequest } from '../../../../src/protocol/generated/add-partitions-to-txn.ts'
import { consumerGroupHeartbeatRequest } from '../../../../src/protocol/generated/consumer-group-heartbeat.ts'
import { endTxnRequest } from '../../../../src/protocol/generated/end-txn.ts'
import { AclOperation, ResourceType } from '../../../../src/protocol/generated/enums.ts'
import { txnOffsetCommitRequest } from '../../../../src/protocol/generated/txn-offset-commit.ts'
import { writableTxnMarker, writeTxnMarkersRequest } from '../../../../src/protocol/generated/write-txn-markers.ts'
import { ErrorCode, zeroUuid } from '../../../../src/protocol/index.ts'
import { clusterName } from '../../../../src/server/guard/access.ts'
import { type CaseOf, commitOf, of, unknownIdIsPassed } from './acl-requests.ts'

const { ALTER, DELETE, DESCRIBE, IDEMPOTENT_WRITE, READ, WRITE } = AclOperation
const { TOPIC, GROUP, CLUSTER, TRANSACTIONAL_ID } = ResourceType
const { NONE, GROUP_AUTHORIZATION_FAILED, CLUSTER_AUTHORIZATION_FAILED, TRANSACTIONAL_ID_AUTHORIZATION_FAILED } = ErrorCode

export const groupCases: readonly CaseOf[] = [
  () =>
    of<'FindCoordinator'>({
      name: 'FindCoordinator',
      version: 2,
      request: () => ({ key: 'readers', keyType: 0, coordinatorKeys: [] }),
      codes: ({ errorCode }) => [errorCode],
      rights: [[GROUP, 'readers', DESCRIBE]],
      denied: GROUP_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'FindCoordinator'>({
      name: 'FindCoordinator',
      version: 4,
      request: () => ({ key: '', keyType: 1, coordinatorKeys: ['payments'] }),
      codes: ({ coordinators }) => coordinators.map(({ errorCode }) => errorCode),
      rights: [[TRANSACTIONAL_ID, 'payments', DESCRIBE]],
      denied: TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'Heartbeat'>({
      name: 'Heartbeat',
      version: 4,
      request: () => ({ groupId: 'readers', generationId: 1, memberId: 'm', groupInstanceId: null }),
      // Allowed, it is a member nobody knows.
      codes: ({ errorCode }) => [errorCode === ErrorCode.UNKNOWN_MEMBER_ID ? NONE : errorCode],
      rights: [[GROUP, 'readers', READ]],
      denied: GROUP_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'JoinGroup'>({
      name: 'JoinGroup',
      version: 7,
      request: () => ({
        groupId: 'readers',
        sessionTimeoutMs: 10_000,
        rebalanceTimeoutMs: 10_000,
        memberId: '',
        groupInstanceId: null,
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: Buffer.alloc(0) }],
        reason: null,
      }),
      codes: ({ errorCode }) => [errorCode === ErrorCode.MEMBER_ID_REQUIRED ? NONE : errorCode],
      rights: [[GROUP, 'readers', READ]],
      denied: GROUP_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'SyncGroup'>({
      name: 'SyncGroup',
      version: 5,
      request: () => ({
        groupId: 'readers',
        generationId: 1,
        memberId: 'm',
        groupInstanceId: null,
        protocolType: 'consumer',
        protocolName: 'range',
        assignments: [],
      }),
      codes: ({ errorCode }) => [errorCode === ErrorCode.UNKNOWN_MEMBER_ID ? NONE : errorCode],
      rights: [[GROUP, 'readers', READ]],
      denied: GROUP_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'LeaveGroup'>({
      name: 'LeaveGroup',
      version: 4,
      request: () => ({ groupId: 'readers', memberId: '', members: [] }),
      codes: ({ errorCode }) => [errorCode === ErrorCode.UNKNOWN_MEMBER_ID ? NONE : errorCode],
      rights: [[GROUP, 'readers', READ]],
      denied: GROUP_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'OffsetCommit'>({
      name: 'OffsetCommit',
      version: 8,
      request: () => commitOf(['orders']),
      codes: ({ topics }) => topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode)),
      rights: [
        [GROUP, 'readers', READ],
        [TOPIC, 'orders', READ],
      ],
      denied: GROUP_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'OffsetFetch'>({
      name: 'OffsetFetch',
      version: 7,
      request: () => ({
        groupId: 'readers',
        topics: [{ name: 'orders', partitionIndexes: [0] }],
        groups: [],
        requireStable: false,
      }),
      codes: ({ errorCode }) => [errorCode],
      rights: [[GROUP, 'readers', DESCRIBE]],
      denied: GROUP_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'OffsetFetch'>({
      name: 'OffsetFetch',
      version: 9,
      request: () => ({
        groupId: '',
        topics: [],
        requireStable: false,
        groups: [
          {
            groupId: 'readers',
            memberId: null,
            memberEpoch: -1,
            topics: [{ name: 'orders', topicId: zeroUuid, partitionIndexes: [0] }],
          },
        ],
      }),
      codes: ({ groups }) => groups.map(({ errorCode }) => errorCode),
      rights: [[GROUP, 'readers', DESCRIBE]],
      denied: GROUP_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'OffsetDelete'>({
      name: 'OffsetDelete',
      version: 0,
      request: () => ({ groupId: 'readers', topics: [] }),
      codes: ({ errorCode }) => [errorCode === ErrorCode.GROUP_ID_NOT_FOUND ? NONE : errorCode],
      rights: [[GROUP, 'readers', DELETE]],
      denied: GROUP_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'DescribeGroups'>({
      name: 'DescribeGroups',
      version: 5,
      request: () => ({ groups: ['readers'], includeAuthorizedOperations: false }),
      codes: ({ groups }) => groups.map(({ errorCode }) => errorCode),
      rights: [[GROUP, 'readers', DESCRIBE]],
      denied: GROUP_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'DeleteGroups'>({
      name: 'DeleteGroups',
      version: 2,
      request: () => ({ groupsNames: ['readers'] }),
      codes: ({ results }) => results.map(({ errorCode }) => (errorCode === ErrorCode.GROUP_ID_NOT_FOUND ? NONE : errorCode)),
      rights: [[GROUP, 'readers', DELETE]],
      denied: GROUP_AUTHORIZATION_FAILED,
    }),
  ...(
    [
      [IDEMPOTENT_WRITE, CLUSTER, clusterName],
      [WRITE, TOPIC, 'whichever'],
    ] as const
  ).map(
    ([operation, type, name]) =>
      () =>
        of<'InitProducerId'>({
          name: 'InitProducerId',
          version: 4,
          request: () => ({
            transactionalId: null,
            transactionTimeoutMs: 1000,
            producerId: -1n,
            producerEpoch: -1,
            enable2Pc: false,
            keepPreparedTxn: false,
          }),
          codes: ({ errorCode }) => [errorCode],
          rights: [[type, name, operation]],
          denied: CLUSTER_AUTHORIZATION_FAILED,
        }),
  ),
  () =>
    of<'AddPartitionsToTxn'>({
      name: 'AddPartitionsToTxn',
      version: 3,
      request: () =>
        addPartitionsToTxnRequest({
          ...{ v3AndBelowTransactionalId: 'tx', v3AndBelowProducerId: 1n, v3AndBelowProducerEpoch: 0 },
          v3AndBelowTopics: [{ name: 'orders', partitions: [0] }],
        }),
      codes: ({ resultsByTopicV3AndBelow }) =>
        resultsByTopicV3AndBelow.flatMap(({ resultsByPartition }) =>
          resultsByPartition.map(({ partitionErrorCode }) => unknownIdIsPassed(partitionErrorCode)),
        ),
      rights: [
        [TRANSACTIONAL_ID, 'tx', WRITE],
        [TOPIC, 'orders', WRITE],
      ],
      denied: TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'AddOffsetsToTxn'>({
      name: 'AddOffsetsToTxn',
      version: 4,
      request: () => addOffsetsToTxnRequest({ transactionalId: 'tx', producerId: 1n, producerEpoch: 0, groupId: 'readers' }),
      codes: ({ errorCode }) => [unknownIdIsPassed(errorCode)],
      rights: [
        [TRANSACTIONAL_ID, 'tx', WRITE],
        [GROUP, 'readers', READ],
      ],
      denied: TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'EndTxn'>({
      name: 'EndTxn',
      version: 5,
      request: () => endTxnRequest({ transactionalId: 'tx', producerId: 1n, producerEpoch: 0, committed: true }),
      codes: ({ errorCode }) => [unknownIdIsPassed(errorCode)],
      rights: [[TRANSACTIONAL_ID, 'tx', WRITE]],
      denied: TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'TxnOffsetCommit'>({
      name: 'TxnOffsetCommit',
      version: 3,
      request: () =>
        txnOffsetCommitRequest({
          ...{ transactionalId: 'tx', groupId: 'readers', producerId: 1n, producerEpoch: 0, generationId: -1 },
          topics: [
            {
              name: 'orders',
              topicId: zeroUuid,
              partitions: [{ partitionIndex: 0, committedOffset: 1n, committedLeaderEpoch: -1, committedMetadata: '' }],
            },
          ],
        }),
      codes: ({ topics }) => topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => unknownIdIsPassed(errorCode))),
      rights: [
        [TRANSACTIONAL_ID, 'tx', WRITE],
        [GROUP, 'readers', READ],
        [TOPIC, 'orders', READ],
      ],
      denied: TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }),
  ...[ALTER, AclOperation.CLUSTER_ACTION].map(
    (operation) => () =>
      of<'WriteTxnMarkers'>({
        name: 'WriteTxnMarkers',
        version: 1,
        request: () =>
          writeTxnMarkersRequest({ markers: [writableTxnMarker({ topics: [{ name: 'orders', partitionIndexes: [0] }] })] }),
        codes: ({ markers }) =>
          markers.flatMap(({ topics }) => topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode))),
        rights: [[CLUSTER, clusterName, operation]],
        denied: CLUSTER_AUTHORIZATION_FAILED,
      }),
  ),
  () =>
    of<'DescribeTransactions'>({
      name: 'DescribeTransactions',
      version: 0,
      request: () => ({ transactionalIds: ['tx'] }),
      codes: ({ transactionStates }) => transactionStates.map(({ errorCode }) => unknownIdIsPassed(errorCode)),
      rights: [[TRANSACTIONAL_ID, 'tx', DESCRIBE]],
      denied: TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'ConsumerGroupHeartbeat'>({
      name: 'ConsumerGroupHeartbeat',
      version: 1,
      request: () =>
        consumerGroupHeartbeatRequest({
          ...{ groupId: 'new-readers', memberId: 'AAECAwQFBgcICQoLDA0ODw', memberEpoch: 0, rebalanceTimeoutMs: 1000 },
          ...{ subscribedTopicNames: ['orders'], topicPartitions: [] },
        }),
      codes: ({ errorCode }) => [errorCode],
      rights: [
        [GROUP, 'new-readers', READ],
        [TOPIC, 'orders', DESCRIBE],
      ],
      denied: GROUP_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'ConsumerGroupDescribe'>({
      name: 'ConsumerGroupDescribe',
      version: 1,
      request: () => ({ groupIds: ['readers'], includeAuthorizedOperations: false }),
      codes: ({ groups }) => groups.map(({ errorCode }) => (errorCode === ErrorCode.GROUP_ID_NOT_FOUND ? NONE : errorCode)),
      rights: [[GROUP, 'readers', DESCRIBE]],
      denied: GROUP_AUTHORIZATION_FAILED,
    }),
]
