// Owns the cases of ACLs of topics, their records and their configs: the request, the rights it needs, the error without them.

import { AclOperation, ResourceType } from '../../../../src/protocol/generated/enums.ts'
import { metadataRequest } from '../../../../src/protocol/generated/metadata.ts'
import { ErrorCode, zeroUuid } from '../../../../src/protocol/index.ts'
import { clusterName } from '../../../../src/server/guard/access.ts'
import { type CaseOf, batch, fetchOf, of } from './acl-requests.ts'

const { ALTER, ALTER_CONFIGS, CREATE, DELETE, DESCRIBE, DESCRIBE_CONFIGS, READ, WRITE } = AclOperation
const { TOPIC, CLUSTER } = ResourceType
const { TOPIC_AUTHORIZATION_FAILED, CLUSTER_AUTHORIZATION_FAILED } = ErrorCode

export const logCases: readonly CaseOf[] = [
  () =>
    of<'Produce'>({
      name: 'Produce',
      version: 9,
      request: () => ({
        transactionalId: null,
        acks: -1,
        timeoutMs: 1000,
        topicData: [{ name: 'orders', topicId: zeroUuid, partitionData: [{ index: 0, records: [batch()] }] }],
      }),
      codes: ({ responses }) => responses.flatMap((topic) => topic.partitionResponses.map(({ errorCode }) => errorCode)),
      rights: [[TOPIC, 'orders', WRITE]],
      denied: TOPIC_AUTHORIZATION_FAILED,
    }),
  (topicId) =>
    of<'Fetch'>({
      name: 'Fetch',
      version: 13,
      request: () => fetchOf([topicId('orders')]),
      codes: ({ errorCode, responses }) =>
        [errorCode, ...responses.flatMap(({ partitions }) => partitions.map((one) => one.errorCode))].slice(-1),
      rights: [[TOPIC, 'orders', READ]],
      denied: TOPIC_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'ListOffsets'>({
      name: 'ListOffsets',
      version: 7,
      request: () => ({
        replicaId: -1,
        isolationLevel: 0,
        timeoutMs: 0,
        topics: [
          { name: 'orders', partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1n, maxNumOffsets: 1 }] },
        ],
      }),
      codes: ({ topics }) => topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode)),
      rights: [[TOPIC, 'orders', DESCRIBE]],
      denied: TOPIC_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'OffsetForLeaderEpoch'>({
      name: 'OffsetForLeaderEpoch',
      version: 4,
      request: () => ({
        replicaId: -1,
        topics: [{ topic: 'orders', partitions: [{ partition: 0, currentLeaderEpoch: -1, leaderEpoch: 3 }] }],
      }),
      codes: ({ topics }) => topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode)),
      rights: [[TOPIC, 'orders', DESCRIBE]],
      denied: TOPIC_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'DeleteRecords'>({
      name: 'DeleteRecords',
      version: 2,
      request: () => ({ timeoutMs: 1000, topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, offset: 0n }] }] }),
      codes: ({ topics }) => topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode)),
      rights: [[TOPIC, 'orders', DELETE]],
      denied: TOPIC_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'DescribeProducers'>({
      name: 'DescribeProducers',
      version: 0,
      request: () => ({ topics: [{ name: 'orders', partitionIndexes: [0] }] }),
      codes: ({ topics }) => topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode)),
      rights: [[TOPIC, 'orders', READ]],
      denied: TOPIC_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'Metadata'>({
      name: 'Metadata',
      version: 12,
      request: () => metadataRequest({ topics: [{ name: 'orders', topicId: zeroUuid }] }),
      codes: ({ topics }) => topics.map(({ errorCode }) => errorCode),
      rights: [[TOPIC, 'orders', DESCRIBE]],
      denied: TOPIC_AUTHORIZATION_FAILED,
    }),
  (topicId) =>
    of<'Metadata'>({
      name: 'Metadata',
      version: 12,
      request: () => metadataRequest({ topics: [{ name: null, topicId: topicId('orders') }] }),
      codes: ({ topics }) => topics.map(({ errorCode }) => errorCode),
      rights: [[TOPIC, 'orders', DESCRIBE]],
      denied: ErrorCode.UNKNOWN_TOPIC_ID,
    }),
  () =>
    of<'Metadata'>({
      name: 'Metadata',
      version: 12,
      request: () => metadataRequest({ topics: [{ name: 'fresh', topicId: zeroUuid }], allowAutoTopicCreation: true }),
      codes: ({ topics }) => topics.map(({ errorCode }) => errorCode),
      rights: [
        [TOPIC, 'fresh', DESCRIBE],
        [TOPIC, 'fresh', CREATE],
      ],
      denied: TOPIC_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'DescribeTopicPartitions'>({
      name: 'DescribeTopicPartitions',
      version: 0,
      request: () => ({ topics: [{ name: 'orders' }], responsePartitionLimit: 10, cursor: null }),
      codes: ({ topics }) => topics.map(({ errorCode }) => errorCode),
      rights: [[TOPIC, 'orders', DESCRIBE]],
      denied: TOPIC_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'CreateTopics'>({
      name: 'CreateTopics',
      version: 7,
      request: () => ({
        timeoutMs: 1000,
        validateOnly: false,
        topics: [{ name: 'fresh', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
      }),
      codes: ({ topics }) => topics.map(({ errorCode }) => errorCode),
      rights: [[TOPIC, 'fresh', CREATE]],
      denied: TOPIC_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'CreateTopics'>({
      name: 'CreateTopics',
      version: 7,
      request: () => ({
        timeoutMs: 1000,
        validateOnly: false,
        topics: [{ name: 'fresh', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
      }),
      codes: ({ topics }) => topics.map(({ errorCode }) => errorCode),
      rights: [[CLUSTER, clusterName, CREATE]],
      denied: TOPIC_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'DeleteTopics'>({
      name: 'DeleteTopics',
      version: 5,
      request: () => ({ timeoutMs: 1000, topics: [], topicNames: ['orders'] }),
      codes: ({ responses }) => responses.map(({ errorCode }) => errorCode),
      rights: [[TOPIC, 'orders', DELETE]],
      denied: TOPIC_AUTHORIZATION_FAILED,
    }),
  (topicId) =>
    of<'DeleteTopics'>({
      name: 'DeleteTopics',
      version: 6,
      request: () => ({ timeoutMs: 1000, topics: [{ name: null, topicId: topicId('orders') }], topicNames: [] }),
      codes: ({ responses }) => responses.map(({ errorCode }) => errorCode),
      rights: [[TOPIC, 'orders', DELETE]],
      denied: TOPIC_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'CreatePartitions'>({
      name: 'CreatePartitions',
      version: 3,
      request: () => ({ timeoutMs: 1000, validateOnly: false, topics: [{ name: 'orders', count: 4, assignments: null }] }),
      codes: ({ results }) => results.map(({ errorCode }) => errorCode),
      rights: [[TOPIC, 'orders', ALTER]],
      denied: TOPIC_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'DescribeConfigs'>({
      name: 'DescribeConfigs',
      version: 4,
      request: () => ({
        includeSynonyms: false,
        includeDocumentation: false,
        resources: [{ resourceType: 2, resourceName: 'orders', configurationKeys: null }],
      }),
      codes: ({ results }) => results.map(({ errorCode }) => errorCode),
      rights: [[TOPIC, 'orders', DESCRIBE_CONFIGS]],
      denied: TOPIC_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'DescribeConfigs'>({
      name: 'DescribeConfigs',
      version: 4,
      request: () => ({
        includeSynonyms: false,
        includeDocumentation: false,
        resources: [{ resourceType: 4, resourceName: '7', configurationKeys: null }],
      }),
      codes: ({ results }) => results.map(({ errorCode }) => errorCode),
      rights: [[CLUSTER, clusterName, DESCRIBE_CONFIGS]],
      denied: CLUSTER_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'IncrementalAlterConfigs'>({
      name: 'IncrementalAlterConfigs',
      version: 1,
      request: () => ({ validateOnly: false, resources: [{ resourceType: 2, resourceName: 'orders', configs: [] }] }),
      codes: ({ responses }) => responses.map(({ errorCode }) => errorCode),
      rights: [[TOPIC, 'orders', ALTER_CONFIGS]],
      denied: TOPIC_AUTHORIZATION_FAILED,
    }),
  () =>
    of<'AlterConfigs'>({
      name: 'AlterConfigs',
      version: 2,
      request: () => ({ validateOnly: false, resources: [{ resourceType: 2, resourceName: 'orders', configs: [] }] }),
      codes: ({ responses }) => responses.map(({ errorCode }) => errorCode),
      rights: [[TOPIC, 'orders', ALTER_CONFIGS]],
      denied: TOPIC_AUTHORIZATION_FAILED,
    }),
]
