// Owns the claims about guards whose handlers are not asked here: what transactions and the groups of KIP-848 demand.

import { describe, expect, it } from 'vitest'
import { type AclRecord, Acls } from '../../../../../src/broker/core/index.ts'
import { type ApiMessages, ApiKey, ErrorCode, zeroUuid } from '../../../../../src/protocol/index.ts'
import { addPartitionsToTxnRequest } from '../../../../../src/protocol/generated/add-partitions-to-txn.ts'
import { addOffsetsToTxnRequest } from '../../../../../src/protocol/generated/add-offsets-to-txn.ts'
import {
  consumerGroupDescribeRequest,
  consumerGroupDescribeResponse,
  describedGroup,
  member,
} from '../../../../../src/protocol/generated/consumer-group-describe.ts'
import { consumerGroupHeartbeatRequest } from '../../../../../src/protocol/generated/consumer-group-heartbeat.ts'
import {
  describeTransactionsRequest,
  describeTransactionsResponse,
  topicData,
  transactionState,
} from '../../../../../src/protocol/generated/describe-transactions.ts'
import { endTxnRequest } from '../../../../../src/protocol/generated/end-txn.ts'
import { AclOperation, ResourceType } from '../../../../../src/protocol/generated/enums.ts'
import { listTransactionsRequest, listTransactionsResponse } from '../../../../../src/protocol/generated/list-transactions.ts'
import { txnOffsetCommitRequest, txnOffsetCommitResponse } from '../../../../../src/protocol/generated/txn-offset-commit.ts'
import { writeTxnMarkersRequest } from '../../../../../src/protocol/generated/write-txn-markers.ts'
import { ApiCounters } from '../../../../../src/server/front/api-counters.ts'
import { Call } from '../../../../../src/server/front/call.ts'
import { Access, clusterName } from '../../../../../src/server/guard/access.ts'
import { guards } from '../../../../../src/server/guard/cluster-guards.ts'
import type { Guard, Verdict } from '../../../../../src/server/guard/guard.ts'
import { OpenAuthentication } from '../../../../../src/server/security/authentication.ts'
import { userNamed } from '../../../../../src/server/security/principal.ts'

const { ALTER, CLUSTER_ACTION, DESCRIBE, READ, WRITE } = AclOperation
const { CLUSTER, GROUP, TOPIC, TRANSACTIONAL_ID } = ResourceType
const { GROUP_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED, TRANSACTIONAL_ID_AUTHORIZATION_FAILED } = ErrorCode
const alice = userNamed('alice')

type Right = readonly [resourceType: number, resourceName: string, operation: number]
type Name = keyof ApiMessages & keyof typeof ApiKey

function judged<N extends Name>(
  name: N,
  request: ApiMessages[N]['request'],
  rights: readonly Right[],
  version = 0,
): Verdict<ApiMessages[N]['request'], ApiMessages[N]['response']> {
  const acls = new Acls()
  const acl = { patternType: 3, principal: 'User:alice', host: '*', permission: 3 }
  const records: AclRecord[] = rights.map(([resourceType, resourceName, operation]) => ({
    ...acl,
    resourceType,
    resourceName,
    operation,
  }))
  acls.apply(records, [])
  const topics = { nameOf: () => undefined, exists: () => true, names: () => [] }
  const policy = { superUsers: new Set<string>(), allowIfNone: false }
  const access = new Access({ acls, policy }, { principal: alice, host: 'h' }, topics)
  const endpoint = { name: 'P', protocol: 'PLAINTEXT' as const, advertised: () => ({ host: 'h', port: 1 }) }
  const connection = {
    ...{ id: 1, remoteHost: 'h', remoteAddress: 'h:1', localPort: 1, endpoint, answerRoomBytes: () => 1 },
    authentication: new OpenAuthentication(alice),
  }
  const header = { apiKey: ApiKey[name], apiVersion: version, correlationId: 1, clientId: null }
  const call = new Call(header, { connection, access }, new ApiCounters(name))
  const guard = guards[name] as Guard<ApiMessages[N]['request'], ApiMessages[N]['response']>
  const failed = (_request: unknown, errorCode: number): ApiMessages[N]['response'] => ({ errorCode }) as never
  return guard({ request, call, access, failed })
}

const completed = <Response>(verdict: Verdict<unknown, Response>, response: Response): Response => {
  if (verdict.kind !== 'part') throw new Error(`not refused in part but ${verdict.kind}`)
  return verdict.complete(response)
}

const errorOf = (verdict: Verdict<unknown, unknown>): number => (verdict.kind === 'pass' ? ErrorCode.NONE : verdict.errorCode)
const transactionalId = 'payments'
const writes: Right = [TRANSACTIONAL_ID, transactionalId, WRITE]

describe('transactions', () => {
  const topics = ['orders', 'secret'].map((name) => ({ name, partitions: [0, 1] }))
  const adding = addPartitionsToTxnRequest({ v3AndBelowTransactionalId: transactionalId, v3AndBelowTopics: topics })

  it('take partitions from who may write the id and all the topics; all or none', () => {
    expect(errorOf(judged('AddPartitionsToTxn', adding, []))).toBe(TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    const part = judged('AddPartitionsToTxn', adding, [writes, [TOPIC, 'orders', WRITE]])
    if (part.kind !== 'refuse' || !('resultsByTopicV3AndBelow' in part.response)) throw new Error('it is refused with results')
    const codes = part.response.resultsByTopicV3AndBelow.map(({ name, resultsByPartition }) => [
      name,
      ...resultsByPartition.map(({ partitionErrorCode }) => partitionErrorCode),
    ])
    const { OPERATION_NOT_ATTEMPTED } = ErrorCode
    expect(codes).toEqual([
      ['orders', OPERATION_NOT_ATTEMPTED, OPERATION_NOT_ATTEMPTED],
      ['secret', TOPIC_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED],
    ])
    expect(judged('AddPartitionsToTxn', adding, [writes, [TOPIC, 'orders', WRITE], [TOPIC, 'secret', WRITE]]).kind).toBe('pass')
  })

  it('take partitions in batches from brokers alone', () => {
    expect(errorOf(judged('AddPartitionsToTxn', addPartitionsToTxnRequest(), [writes], 4))).toBe(
      ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
    )
    expect(judged('AddPartitionsToTxn', addPartitionsToTxnRequest(), [[CLUSTER, clusterName, CLUSTER_ACTION]], 4).kind).toBe(
      'pass',
    )
  })

  it('take offsets from who may write the id and read the group, and end for who may write the id', () => {
    const request = addOffsetsToTxnRequest({ transactionalId, groupId: 'readers' })
    expect(errorOf(judged('AddOffsetsToTxn', request, []))).toBe(TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    expect(errorOf(judged('AddOffsetsToTxn', request, [writes]))).toBe(GROUP_AUTHORIZATION_FAILED)
    expect(judged('AddOffsetsToTxn', request, [writes, [GROUP, 'readers', READ]]).kind).toBe('pass')
    const end = endTxnRequest({ transactionalId })
    expect(errorOf(judged('EndTxn', end, []))).toBe(TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    expect(judged('EndTxn', end, [writes]).kind).toBe('pass')
  })

  it('commit the offsets of topics that may be read, and refuse the others beside them', () => {
    const partitions = [{ partitionIndex: 0, committedOffset: 1n, committedLeaderEpoch: -1, committedMetadata: null }]
    const request = txnOffsetCommitRequest({
      transactionalId,
      groupId: 'readers',
      topics: ['orders', 'secret'].map((name) => ({ name, topicId: zeroUuid, partitions })),
    })
    expect(errorOf(judged('TxnOffsetCommit', request, []))).toBe(TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    expect(errorOf(judged('TxnOffsetCommit', request, [writes]))).toBe(GROUP_AUTHORIZATION_FAILED)
    const part = judged('TxnOffsetCommit', request, [writes, [GROUP, 'readers', READ], [TOPIC, 'orders', READ]])
    if (part.kind !== 'part') throw new Error('it is refused in part')
    expect(part.request.topics.map(({ name }) => name)).toEqual(['orders'])
    const { topics: refused } = completed(part, txnOffsetCommitResponse())
    expect(refused.map(({ name, partitions: codes }) => [name, codes[0]!.errorCode])).toEqual([
      ['secret', TOPIC_AUTHORIZATION_FAILED],
    ])
  })

  it('have their markers written by brokers and administrators', () => {
    expect(errorOf(judged('WriteTxnMarkers', writeTxnMarkersRequest(), [writes]))).toBe(ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
    for (const operation of [ALTER, CLUSTER_ACTION])
      expect(judged('WriteTxnMarkers', writeTxnMarkersRequest(), [[CLUSTER, clusterName, operation]]).kind).toBe('pass')
  })

  it('are described and listed as far as id and topics may be described', () => {
    const request = describeTransactionsRequest({ transactionalIds: [transactionalId, 'others'] })
    const rights: Right[] = [
      [TRANSACTIONAL_ID, transactionalId, DESCRIBE],
      [TOPIC, 'orders', DESCRIBE],
    ]
    const verdict = judged('DescribeTransactions', request, rights)
    const found = transactionState({ transactionalId, topics: ['orders', 'secret'].map((topic) => topicData({ topic })) })
    const { transactionStates } = completed(verdict, describeTransactionsResponse({ transactionStates: [found] }))
    expect(
      transactionStates.map(({ transactionalId: id, errorCode, topics: seen }) => [
        id,
        errorCode,
        seen.map(({ topic }) => topic),
      ]),
    ).toEqual([
      [transactionalId, ErrorCode.NONE, ['orders']],
      ['others', TRANSACTIONAL_ID_AUTHORIZATION_FAILED, []],
    ])
    const all = [transactionalId, 'others'].map((id) => ({ transactionalId: id, producerId: 1n, transactionState: 'Ongoing' }))
    const listed = completed(
      judged('ListTransactions', listTransactionsRequest(), rights),
      listTransactionsResponse({ transactionStates: all }),
    )
    expect(listed.transactionStates.map(({ transactionalId: id }) => id)).toEqual([transactionalId])
  })
})

describe('the groups of KIP-848', () => {
  it('have members that may read the group and describe what they subscribe to', () => {
    const request = consumerGroupHeartbeatRequest({ groupId: 'readers', subscribedTopicNames: ['orders'] })
    const reads: Right = [GROUP, 'readers', READ]
    expect(errorOf(judged('ConsumerGroupHeartbeat', request, []))).toBe(GROUP_AUTHORIZATION_FAILED)
    expect(errorOf(judged('ConsumerGroupHeartbeat', request, [reads]))).toBe(TOPIC_AUTHORIZATION_FAILED)
    expect(judged('ConsumerGroupHeartbeat', request, [reads, [TOPIC, 'orders', DESCRIBE]]).kind).toBe('pass')
    expect(judged('ConsumerGroupHeartbeat', { ...request, subscribedTopicNames: null }, [reads]).kind).toBe('pass')
  })

  it('are described without their topics to nobody who may not know these', () => {
    const request = consumerGroupDescribeRequest({ groupIds: ['readers', 'watchers', 'others'] })
    const rights: Right[] = [
      [GROUP, 'readers', DESCRIBE],
      [GROUP, 'watchers', DESCRIBE],
      [TOPIC, 'orders', DESCRIBE],
    ]
    const groupOf = (groupId: string, topic: string) =>
      describedGroup({ groupId, members: [member({ subscribedTopicNames: [topic] })] })
    const response = consumerGroupDescribeResponse({ groups: [groupOf('readers', 'orders'), groupOf('watchers', 'secret')] })
    const { groups } = completed(judged('ConsumerGroupDescribe', request, rights), response)
    expect(groups.map(({ groupId, errorCode, members }) => [groupId, errorCode, members.length])).toEqual([
      ['readers', ErrorCode.NONE, 1],
      ['watchers', TOPIC_AUTHORIZATION_FAILED, 0],
      ['others', GROUP_AUTHORIZATION_FAILED, 0],
    ])
  })
})
