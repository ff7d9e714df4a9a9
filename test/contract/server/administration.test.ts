// Owns how the APIs about topics, brokers, configs and coordinators are answered, each in every version served.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createPartitionsRequest, createPartitionsTopic } from '../../../src/protocol/generated/create-partitions.ts'
import { creatableReplicaAssignment, creatableTopic, createTopicsRequest } from '../../../src/protocol/generated/create-topics.ts'
import { deleteTopicsRequest, deleteTopicState } from '../../../src/protocol/generated/delete-topics.ts'
import { describeClusterRequest } from '../../../src/protocol/generated/describe-cluster.ts'
import { describeConfigsRequest, describeConfigsResource } from '../../../src/protocol/generated/describe-configs.ts'
import { findCoordinatorRequest } from '../../../src/protocol/generated/find-coordinator.ts'
import { initProducerIdRequest } from '../../../src/protocol/generated/init-producer-id.ts'
import { listOffsetsPartition, listOffsetsRequest, listOffsetsTopic } from '../../../src/protocol/generated/list-offsets.ts'
import { metadataRequest, metadataRequestTopic } from '../../../src/protocol/generated/metadata.ts'
import { ErrorCode } from '../../../src/protocol/index.ts'
import { offset } from '../../../src/model/ids.ts'
import type { RawClient } from './support/raw-client.ts'
import { later, produceTo } from './support/requests.ts'
import { type RunningFront, startFront } from './support/running-front.ts'

let running: RunningFront
let client: RawClient

beforeEach(async () => {
  running = await startFront()
  client = await running.client()
})
afterEach(() => running.stop())

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index)

describe('Metadata', () => {
  it.each(range(0, 13))('in version %i lists all topics and this broker', async (version) => {
    const { id } = running.broker.add('one', 2)
    running.broker.add('two')
    const all = metadataRequest({ topics: version === 0 ? [] : null })
    const answer = await client.ask('Metadata', version, all)
    expect(answer.brokers).toMatchObject([{ nodeId: 7, host: '127.0.0.1', port: running.port }])
    expect(answer.topics.map(({ name, partitions }) => [name, partitions.length])).toEqual([['one', 2], ['two', 1]]) // prettier-ignore
    expect(answer.topics[0]!.partitions[1]!).toMatchObject({ partitionIndex: 1, leaderId: 7, replicaNodes: [7], isrNodes: [7] })
    if (version >= 2) expect(answer.clusterId).toBe('test-cluster')
    if (version >= 7) expect(answer.topics[0]!.partitions[0]!.leaderEpoch).toBe(3)
    if (version >= 10) expect(answer.topics[0]!.topicId).toBe(id)
    if (version >= 1) expect((await client.ask('Metadata', version, metadataRequest({ topics: [] }))).topics).toEqual([])
  })

  it('creates an unknown topic only where both sides allow it', async () => {
    const ask = (name: string, allowAutoTopicCreation: boolean) =>
      client.ask('Metadata', 9, metadataRequest({ topics: [metadataRequestTopic({ name })], allowAutoTopicCreation }))
    expect((await ask('new', false)).topics[0]!.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    expect((await ask('new', true)).topics[0]!).toMatchObject({ errorCode: 0, name: 'new' })
    expect((await ask('not legal!', true)).topics[0]!.errorCode).toBe(ErrorCode.INVALID_TOPIC_EXCEPTION)
    expect((await ask('', true)).topics[0]!.errorCode).toBe(ErrorCode.INVALID_TOPIC_EXCEPTION)
    const strict = await startFront({ settings: { autoCreateTopics: false } })
    const other = await strict.client()
    const request = metadataRequest({ topics: [metadataRequestTopic({ name: 'new' })], allowAutoTopicCreation: true })
    expect((await other.ask('Metadata', 9, request)).topics[0]!.errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    await strict.stop()
  })

  it('finds topics by id, says which ids are unknown, and allows ids from version 12 on', async () => {
    const { id } = running.broker.add('one')
    const unknown = 'AAAAAAAAAAAAAAAAAAAAAQ'
    const topics = [metadataRequestTopic({ name: null, topicId: id }), metadataRequestTopic({ name: null, topicId: unknown })]
    const answer = await client.ask('Metadata', 12, metadataRequest({ topics }))
    expect(answer.topics.map(({ errorCode, name }) => [errorCode, name])).toEqual([[0, 'one'], [ErrorCode.UNKNOWN_TOPIC_ID, null]]) // prettier-ignore
    const early = await client.ask(
      'Metadata',
      11,
      metadataRequest({ topics: [metadataRequestTopic({ name: 'one', topicId: id })] }),
    )
    expect(early.topics[0]!.errorCode).toBe(ErrorCode.INVALID_REQUEST)
  })

  it('shows authorized operations only to who asks', async () => {
    running.broker.add('one')
    const asked = metadataRequest({
      topics: null,
      includeClusterAuthorizedOperations: true,
      includeTopicAuthorizedOperations: true,
    })
    const shown = await client.ask('Metadata', 9, asked)
    expect([shown.clusterAuthorizedOperations, shown.topics[0]!.topicAuthorizedOperations]).toEqual([8096, 3576])
    const hidden = await client.ask('Metadata', 9, metadataRequest({ topics: null }))
    expect([hidden.clusterAuthorizedOperations, hidden.topics[0]!.topicAuthorizedOperations]).toEqual([-(2 ** 31), -(2 ** 31)])
  })
})

describe('ListOffsets', () => {
  const ask = async (version: number, timestamp: number, more: object = {}) => {
    const partitions = [listOffsetsPartition({ partitionIndex: 0, timestamp: BigInt(timestamp), ...more })]
    const answer = await client.ask('ListOffsets', version, listOffsetsRequest({ replicaId: -1, topics: [listOffsetsTopic({ name: 't', partitions })], ...(version >= 10 ? { timeoutMs: 1000 } : {}) })) // prettier-ignore
    return answer.topics[0]!.partitions[0]!
  }

  it('finds the ends and timestamps, in every version', async () => {
    const { partitions } = running.broker.add('t')
    for (let count = 0; count < 3; count += 1) await client.ask('Produce', 7, produceTo({ topic: 't' }))
    partitions[0]!.logStartOffset = offset(1)
    partitions[0]!.localLogStartOffset = offset(2)
    for (const version of range(1, 11)) {
      expect((await ask(version, -1)).offset).toBe(3n)
      expect((await ask(version, -2)).offset).toBe(1n)
      expect(await ask(version, 900)).toMatchObject({ offset: 0n, timestamp: 1000n })
      expect(await ask(version, 1001)).toMatchObject({ offset: -1n, timestamp: -1n, errorCode: 0 })
      const unsupported = ErrorCode.UNSUPPORTED_VERSION
      expect(await ask(version, -3)).toMatchObject(version >= 7 ? { offset: 0n, timestamp: 1000n } : { errorCode: unsupported })
      expect(await ask(version, -4)).toMatchObject(version >= 8 ? { offset: 2n } : { errorCode: unsupported })
      expect(await ask(version, -5)).toMatchObject(version >= 9 ? { offset: -1n, errorCode: 0 } : { errorCode: unsupported })
      expect((await ask(version, -9)).errorCode).toBe(unsupported)
    }
    partitions[0]!.archivedEndOffset = 2
    expect((await ask(9, -5)).offset).toBe(1n)
    expect((await ask(11, -6)).offset).toBe(2n)
  })

  it('says what is wrong', async () => {
    expect((await ask(5, -1)).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    running.broker.add('t')
    expect((await ask(5, -1, { currentLeaderEpoch: 1 })).errorCode).toBe(ErrorCode.FENCED_LEADER_EPOCH)
    expect((await ask(5, -1, { currentLeaderEpoch: 9 })).errorCode).toBe(ErrorCode.UNKNOWN_LEADER_EPOCH)
    expect((await ask(5, -1, { partitionIndex: 4 })).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  })
})

describe('topics', () => {
  it('are created, grown and deleted in every version', async () => {
    for (const version of range(2, 7)) {
      const topics = [creatableTopic({ name: `t${version}`, numPartitions: 2, replicationFactor: 1 })]
      const made = await client.ask('CreateTopics', version, createTopicsRequest({ topics, timeoutMs: 1000 }))
      expect(made.topics[0]!.errorCode).toBe(0)
      if (version >= 5) expect(made.topics[0]!).toMatchObject({ numPartitions: 2, replicationFactor: 1 })
      if (version >= 5) expect(made.topics[0]!.configs!.find(({ name }) => name === 'some.password')!.value).toBeNull()
      if (version >= 7) expect(made.topics[0]!.topicId).toBe(running.broker.topicByName(`t${version}`)!.id)
    }
    for (const version of range(0, 3)) {
      const topics = [createPartitionsTopic({ name: 't7', count: 3 + version, assignments: null })]
      const grown = await client.ask('CreatePartitions', version, createPartitionsRequest({ topics, timeoutMs: 1000 }))
      expect(grown.results[0]!.errorCode).toBe(0)
      expect(running.broker.topicByName('t7')!.partitions).toHaveLength(3 + version)
    }
    for (const version of range(1, 6)) {
      const name = `t${version + 1}`
      const request = version >= 6 ? { topics: [deleteTopicState({ name })] } : { topicNames: [name] }
      const deleted = await client.ask('DeleteTopics', version, deleteTopicsRequest({ ...request, timeoutMs: 1000 }))
      expect(deleted.responses).toMatchObject([{ name, errorCode: 0 }])
      expect(running.broker.topicByName(name)).toBeUndefined()
    }
  })

  it('that cannot be created are refused with the reason, the others are created', async () => {
    running.broker.add('there')
    const topics = [
      creatableTopic({ name: 'good', numPartitions: -1, replicationFactor: -1 }),
      creatableTopic({ name: 'there', numPartitions: 1, replicationFactor: 1 }),
      creatableTopic({ name: 'bad name', numPartitions: 1, replicationFactor: 1 }),
      creatableTopic({ name: 'none', numPartitions: 0, replicationFactor: 1 }),
      creatableTopic({ name: 'copies', numPartitions: 1, replicationFactor: 0 }),
      creatableTopic({ name: 'three', numPartitions: 1, replicationFactor: 3 }),
      creatableTopic({
        name: 'gap',
        numPartitions: -1,
        replicationFactor: -1,
        assignments: [creatableReplicaAssignment({ partitionIndex: 1, brokerIds: [7] })],
      }),
      creatableTopic({
        name: 'assigned',
        numPartitions: -1,
        replicationFactor: -1,
        assignments: [creatableReplicaAssignment({ brokerIds: [7] })],
      }),
      creatableTopic({ name: 'twice', numPartitions: 1, replicationFactor: 1 }),
      creatableTopic({ name: 'twice', numPartitions: 1, replicationFactor: 1 }),
    ]
    const answer = await client.ask('CreateTopics', 7, createTopicsRequest({ topics, timeoutMs: 1000 }))
    expect(Object.fromEntries(answer.topics.map(({ name, errorCode }) => [name, errorCode]))).toEqual({
      good: 0,
      there: ErrorCode.TOPIC_ALREADY_EXISTS,
      'bad name': ErrorCode.INVALID_TOPIC_EXCEPTION,
      none: ErrorCode.INVALID_PARTITIONS,
      copies: ErrorCode.INVALID_REPLICATION_FACTOR,
      three: ErrorCode.INVALID_REPLICATION_FACTOR,
      gap: ErrorCode.INVALID_REPLICA_ASSIGNMENT,
      assigned: 0,
      twice: ErrorCode.INVALID_REQUEST,
    })
  })

  it('whose creation takes too long are answered in time, and created all the same', async () => {
    running.broker.creationGate = later(150)
    const topics = [creatableTopic({ name: 'late', numPartitions: 1, replicationFactor: 1 })]
    const answer = await client.ask('CreateTopics', 7, createTopicsRequest({ topics, timeoutMs: 20 }))
    expect(answer.topics[0]!.errorCode).toBe(ErrorCode.REQUEST_TIMED_OUT)
    await later(200)
    expect(running.broker.topicByName('late')).toBeDefined()
  })

  it('are deleted by id, and what cannot be is named', async () => {
    const { id } = running.broker.add('one')
    running.broker.add('two')
    const unknown = 'AAAAAAAAAAAAAAAAAAAAAQ'
    const topics = [{ name: null, topicId: id }, { name: null, topicId: unknown }, { name: 'none' }, { name: 'two' }, { name: 'two' }].map(deleteTopicState) // prettier-ignore
    const answer = await client.ask('DeleteTopics', 6, deleteTopicsRequest({ topics, timeoutMs: 1000 }))
    expect(answer.responses.map(({ errorCode }) => errorCode)).toEqual([
      0,
      ErrorCode.UNKNOWN_TOPIC_ID,
      ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      ErrorCode.INVALID_REQUEST,
      ErrorCode.INVALID_REQUEST,
    ])
    expect(answer.responses[0]!.name).toBe('one')
  })

  it('do not shrink', async () => {
    running.broker.add('t', 3)
    const ask = async (name: string, count: number) =>
      (await client.ask('CreatePartitions', 3, createPartitionsRequest({ topics: [createPartitionsTopic({ name, count, assignments: null })], timeoutMs: 1000 }))).results[0]!.errorCode // prettier-ignore
    expect(await ask('t', 3)).toBe(ErrorCode.INVALID_PARTITIONS)
    expect(await ask('none', 3)).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  })
})

describe('the coordinator', () => {
  it.each(range(0, 6))('of a group is this broker, in version %i', async (version) => {
    const request = version >= 4 ? { coordinatorKeys: ['a', 'b'] } : { key: 'a' }
    const answer = await client.ask('FindCoordinator', version, findCoordinatorRequest(request))
    const found = version >= 4 ? answer.coordinators : [answer]
    expect(found).toHaveLength(version >= 4 ? 2 : 1)
    for (const one of found) expect(one).toMatchObject({ errorCode: 0, nodeId: 7, host: '127.0.0.1', port: running.port })
  })

  it('of a transaction is this broker too, of share groups nobody', async () => {
    const answer = await client.ask('FindCoordinator', 4, findCoordinatorRequest({ keyType: 1, coordinatorKeys: ['tx'] }))
    expect(answer.coordinators[0]!).toMatchObject({ errorCode: 0, nodeId: 7 })
    const shares = await client.ask('FindCoordinator', 6, findCoordinatorRequest({ keyType: 2, coordinatorKeys: ['s'] }))
    expect(shares.coordinators[0]!.errorCode).toBe(ErrorCode.INVALID_REQUEST)
  })

  it('is not available before the broker serves', async () => {
    running.broker.serving = false
    const answer = await client.ask('FindCoordinator', 2, findCoordinatorRequest({ key: 'g' }))
    expect(answer.errorCode).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE)
  })
})

describe('InitProducerId', () => {
  it.each(range(0, 5))('in version %i makes the asker the one producer of its transactional id', async (version) => {
    const fields = { transactionalId: `tx-${version}`, transactionTimeoutMs: 1000, producerId: -1n, producerEpoch: -1 }
    const one = await client.ask('InitProducerId', version, initProducerIdRequest(fields))
    const two = await client.ask('InitProducerId', version, initProducerIdRequest(fields))
    expect([one.errorCode, two.errorCode, two.producerId, two.producerEpoch]).toEqual([
      0,
      0,
      one.producerId,
      one.producerEpoch + 1,
    ])
    if (version < 3) return
    const old = { ...fields, producerId: one.producerId, producerEpoch: one.producerEpoch }
    const fenced = await client.ask('InitProducerId', version, initProducerIdRequest(old))
    expect(fenced.errorCode).toBe(version < 4 ? ErrorCode.INVALID_PRODUCER_EPOCH : ErrorCode.PRODUCER_FENCED)
  })

  it('refuses an empty id, a time-out beyond the longest, and half a producer', async () => {
    const plain = { transactionalId: 'tx', transactionTimeoutMs: 1000, producerId: -1n, producerEpoch: -1 }
    const codeOf = async (fields: Partial<typeof plain>): Promise<number> =>
      (await client.ask('InitProducerId', 5, initProducerIdRequest({ ...plain, ...fields }))).errorCode
    expect(await codeOf({ transactionalId: '' })).toBe(ErrorCode.INVALID_REQUEST)
    expect(await codeOf({ transactionTimeoutMs: 900_001 })).toBe(ErrorCode.INVALID_TRANSACTION_TIMEOUT)
    expect(await codeOf({ transactionTimeoutMs: 0 })).toBe(ErrorCode.INVALID_TRANSACTION_TIMEOUT)
    expect(await codeOf({ producerId: 5n })).toBe(ErrorCode.INVALID_REQUEST)
  })

  it.each(range(0, 5))('in version %i hands out a fresh id', async (version) => {
    const fields = { transactionalId: null, transactionTimeoutMs: 1000 }
    const one = await client.ask('InitProducerId', version, initProducerIdRequest(fields))
    const two = await client.ask('InitProducerId', version, initProducerIdRequest(fields))
    expect([one.errorCode, two.errorCode, two.producerId - one.producerId]).toEqual([0, 0, 1n])
  })
})

describe('DescribeConfigs', () => {
  it.each(range(1, 4))('in version %i shows topics and this broker, filtered by key', async (version) => {
    running.broker.add('t')
    const resources = [
      describeConfigsResource({ resourceType: 2, resourceName: 't', configurationKeys: null }),
      describeConfigsResource({ resourceType: 2, resourceName: 't', configurationKeys: ['retention.ms'] }),
      describeConfigsResource({ resourceType: 4, resourceName: '7', configurationKeys: ['num.partitions'] }),
      describeConfigsResource({ resourceType: 4, resourceName: '8', configurationKeys: null }),
      describeConfigsResource({ resourceType: 2, resourceName: 'none', configurationKeys: null }),
      describeConfigsResource({ resourceType: 8, resourceName: '7', configurationKeys: null }),
    ]
    const documented = version >= 3 ? { includeDocumentation: true } : {}
    const { results } = await client.ask(
      'DescribeConfigs',
      version,
      describeConfigsRequest({ resources, includeSynonyms: true, ...documented }),
    )
    expect(results.map(({ errorCode, configs }) => [errorCode, configs.length])).toEqual([
      [0, 3],
      [0, 1],
      [0, 1],
      [ErrorCode.INVALID_REQUEST, 0],
      [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 0],
      [0, 2],
    ])
    expect(results[1]!.configs[0]!).toMatchObject({
      value: '604800000',
      configSource: 5,
      synonyms: [{ name: 'log.retention.ms' }],
    })
    expect(results[0]!.configs.find(({ isSensitive }) => isSensitive)!.value).toBeNull()
    if (version >= 3) expect(results[1]!.configs[0]!.documentation).toBe('what retention.ms does')
  })
})

describe('DescribeCluster', () => {
  it.each(range(0, 2))('in version %i shows this broker', async (version) => {
    const answer = await client.ask(
      'DescribeCluster',
      version,
      describeClusterRequest({ includeClusterAuthorizedOperations: true }),
    )
    expect(answer).toMatchObject({ errorCode: 0, clusterId: 'test-cluster', controllerId: 7, clusterAuthorizedOperations: 8096 })
    expect(answer.brokers).toMatchObject([{ brokerId: 7, host: '127.0.0.1', port: running.port }])
  })

  it('does not know controllers', async () => {
    const answer = await client.ask('DescribeCluster', 1, describeClusterRequest({ endpointType: 2 }))
    expect(answer.errorCode).toBe(ErrorCode.MISMATCHED_ENDPOINT_TYPE)
  })
})
