// Owns the cases of ACLs of the cluster: folders, replicas, quotas, users, ACLs: the request, the rights it needs, the error without them.

import { createAclsRequest } from '../../../../src/protocol/generated/create-acls.ts'
import { deleteAclsRequest } from '../../../../src/protocol/generated/delete-acls.ts'
import { AclOperation, ResourceType } from '../../../../src/protocol/generated/enums.ts'
import { ErrorCode } from '../../../../src/protocol/index.ts'
import { clusterName } from '../../../../src/server/guard/access.ts'
import { type CaseOf, anyAcl, creation, of } from './acl-requests.ts'

const { ALTER, ALTER_CONFIGS, DESCRIBE, DESCRIBE_CONFIGS } = AclOperation
const { CLUSTER } = ResourceType
const { CLUSTER_AUTHORIZATION_FAILED } = ErrorCode

export const clusterCases: readonly CaseOf[] = [
  () =>
    of<'DescribeLogDirs'>({
      name: 'DescribeLogDirs',
      version: 4,
      request: () => ({ topics: null }),
      codes: ({ errorCode }) => [errorCode],
      rights: [[CLUSTER, clusterName, DESCRIBE]],
      denied: CLUSTER_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'AlterReplicaLogDirs'>({
      name: 'AlterReplicaLogDirs',
      version: 2,
      request: () => ({ dirs: [{ path: '/somewhere/wal', topics: [{ name: 'orders', partitions: [0] }] }] }),
      codes: ({ results }) => results.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode)),
      rights: [[CLUSTER, clusterName, ALTER]],
      denied: CLUSTER_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'ElectLeaders'>({
      name: 'ElectLeaders',
      version: 2,
      request: () => ({ electionType: 0, topicPartitions: null, timeoutMs: 1000 }),
      codes: ({ errorCode }) => [errorCode],
      rights: [[CLUSTER, clusterName, ALTER]],
      denied: CLUSTER_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'AlterPartitionReassignments'>({
      name: 'AlterPartitionReassignments',
      version: 0,
      request: () => ({ timeoutMs: 1000, allowReplicationFactorChange: true, topics: [] }),
      codes: ({ errorCode }) => [errorCode],
      rights: [[CLUSTER, clusterName, ALTER]],
      denied: CLUSTER_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'ListPartitionReassignments'>({
      name: 'ListPartitionReassignments',
      version: 0,
      request: () => ({ timeoutMs: 1000, topics: null }),
      codes: ({ errorCode }) => [errorCode],
      rights: [[CLUSTER, clusterName, DESCRIBE]],
      denied: CLUSTER_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'ListConfigResources'>({
      name: 'ListConfigResources',
      version: 1,
      request: () => ({ resourceTypes: [] }),
      codes: ({ errorCode }) => [errorCode],
      rights: [[CLUSTER, clusterName, DESCRIBE_CONFIGS]],
      denied: CLUSTER_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'DescribeClientQuotas'>({
      name: 'DescribeClientQuotas',
      version: 1,
      request: () => ({ components: [], strict: false }),
      codes: ({ errorCode }) => [errorCode],
      rights: [[CLUSTER, clusterName, DESCRIBE_CONFIGS]],
      denied: CLUSTER_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'AlterClientQuotas'>({
      name: 'AlterClientQuotas',
      version: 1,
      request: () => ({
        entries: [
          {
            entity: [{ entityType: 'user', entityName: 'bob' }],
            ops: [{ key: 'producer_byte_rate', value: 1024, remove: false }],
          },
        ],
        validateOnly: false,
      }),
      codes: ({ entries }) => entries.map(({ errorCode }) => errorCode),
      rights: [[CLUSTER, clusterName, ALTER_CONFIGS]],
      denied: CLUSTER_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'DescribeUserScramCredentials'>({
      name: 'DescribeUserScramCredentials',
      version: 0,
      request: () => ({ users: null }),
      codes: ({ errorCode }) => [errorCode],
      rights: [[CLUSTER, clusterName, DESCRIBE]],
      denied: CLUSTER_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'AlterUserScramCredentials'>({
      name: 'AlterUserScramCredentials',
      version: 0,
      request: () => ({
        deletions: [],
        upsertions: [
          { name: 'bob', mechanism: 1, iterations: 4096, salt: Buffer.from('s'), saltedPassword: Buffer.alloc(32, 1) },
        ],
      }),
      codes: ({ results }) => results.map(({ errorCode }) => errorCode),
      rights: [[CLUSTER, clusterName, ALTER]],
      denied: CLUSTER_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'DescribeAcls'>({
      name: 'DescribeAcls',
      version: 3,
      request: anyAcl,
      codes: ({ errorCode }) => [errorCode],
      rights: [[CLUSTER, clusterName, DESCRIBE]],
      denied: CLUSTER_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'CreateAcls'>({
      name: 'CreateAcls',
      version: 3,
      request: () => createAclsRequest({ creations: [creation()] }),
      codes: ({ results }) => results.map(({ errorCode }) => errorCode),
      rights: [[CLUSTER, clusterName, ALTER]],
      denied: CLUSTER_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'DeleteAcls'>({
      name: 'DeleteAcls',
      version: 3,
      request: () => deleteAclsRequest({ filters: [{ ...anyAcl(), resourceNameFilter: 'none' }] }),
      codes: ({ filterResults }) => filterResults.map(({ errorCode }) => errorCode),
      rights: [[CLUSTER, clusterName, ALTER]],
      denied: CLUSTER_AUTHORIZATION_FAILED,
    }),
]
