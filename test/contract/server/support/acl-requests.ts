// Owns what the tests of ACLs ask of an API, and the requests that several of them send.

import { literalPattern } from '../../../../src/broker/core/index.ts'
import type { createAclsRequest } from '../../../../src/protocol/generated/create-acls.ts'
import { describeAclsRequest } from '../../../../src/protocol/generated/describe-acls.ts'
import { AclOperation, AclPermissionType, PatternType, ResourceType } from '../../../../src/protocol/generated/enums.ts'
import { type ApiMessages, ErrorCode, zeroUuid } from '../../../../src/protocol/index.ts'
import { testBatch } from '../../../support/batches.ts'

const { READ } = AclOperation
const { TOPIC } = ResourceType
const { NONE } = ErrorCode

/** Nobody has the id in these tests: to be told so is to have passed. */
export const unknownIdIsPassed = (errorCode: number): number =>
  errorCode === ErrorCode.INVALID_PRODUCER_ID_MAPPING || errorCode === ErrorCode.TRANSACTIONAL_ID_NOT_FOUND ? NONE : errorCode

export const batch = (): Uint8Array => testBatch({ baseOffset: 0, maxTimestampMs: 1000, body: new Uint8Array(10) })

export type Name = keyof ApiMessages
type Right = readonly [type: number, name: string, operation: number]

export interface Case<N extends Name = Name> {
  readonly name: N
  readonly version: number
  readonly request: () => ApiMessages[N]['request']
  /** Every error code in the answer that matters, in its order. */
  readonly codes: (response: ApiMessages[N]['response']) => readonly number[]
  readonly rights: readonly Right[]
  readonly denied: number
}

/** What an API is asked, made when it is its turn: ids of topics are each run's own. */
export type CaseOf = (topicId: (name: string) => string) => Case

export const of = <N extends Name>(one: Case<N>): Case => one as unknown as Case

export const fetchOf = (
  topicIds: readonly string[],
  session: { readonly id: number; readonly epoch: number } = { id: 0, epoch: 0 },
) => ({
  clusterId: null,
  replicaId: -1,
  replicaState: { replicaId: -1, replicaEpoch: -1n },
  maxWaitMs: 0,
  minBytes: 0,
  maxBytes: 1_000_000,
  isolationLevel: 0,
  sessionId: session.id,
  sessionEpoch: session.epoch,
  forgottenTopicsData: [],
  rackId: '',
  topics: topicIds.map((id) => ({
    topic: '',
    topicId: id,
    partitions: [
      {
        partition: 0,
        currentLeaderEpoch: -1,
        fetchOffset: 0n,
        lastFetchedEpoch: -1,
        logStartOffset: -1n,
        partitionMaxBytes: 1_000_000,
        replicaDirectoryId: zeroUuid,
        highWatermark: 9_223_372_036_854_775_807n,
      },
    ],
  })),
})

export const commitOf = (topics: readonly string[]) => ({
  groupId: 'readers',
  generationIdOrMemberEpoch: -1,
  memberId: '',
  groupInstanceId: null,
  retentionTimeMs: -1n,
  topics: topics.map((name) => ({
    name,
    topicId: zeroUuid,
    partitions: [
      { partitionIndex: 0, committedOffset: 1n, committedLeaderEpoch: -1, commitTimestamp: -1n, committedMetadata: '' },
    ],
  })),
})

export const creation = (change: Partial<Parameters<typeof createAclsRequest>[0] & Record<string, unknown>> = {}) => ({
  resourceType: TOPIC as number,
  resourceName: 'orders',
  resourcePatternType: literalPattern,
  principal: 'User:bob',
  host: '*',
  operation: READ as number,
  permissionType: AclPermissionType.ALLOW as number,
  ...change,
})

export const anyAcl = () =>
  describeAclsRequest({
    resourceTypeFilter: ResourceType.ANY,
    resourceNameFilter: null,
    patternTypeFilter: PatternType.ANY,
    principalFilter: null,
    hostFilter: null,
    operation: AclOperation.ANY,
    permissionType: AclPermissionType.ANY,
  })
