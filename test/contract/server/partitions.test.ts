// Owns how the APIs about single partitions are answered, each in every version served: deleted records, ends of epochs, producers,
// pages of topics, and what a cluster of one broker has to say about elections and reassignments.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  alterReplicaLogDir,
  alterReplicaLogDirsRequest,
  alterReplicaLogDirTopic,
} from '../../../src/protocol/generated/alter-replica-log-dirs.ts'
import {
  alterPartitionReassignmentsRequest,
  reassignablePartition,
  reassignableTopic,
} from '../../../src/protocol/generated/alter-partition-reassignments.ts'
import {
  deleteRecordsPartition,
  deleteRecordsRequest,
  deleteRecordsTopic,
} from '../../../src/protocol/generated/delete-records.ts'
import { describeProducersRequest, topicRequest as producersOf } from '../../../src/protocol/generated/describe-producers.ts'
import { describableLogDirTopic, describeLogDirsRequest } from '../../../src/protocol/generated/describe-log-dirs.ts'
import {
  describeTopicPartitionsRequest,
  requestCursor,
  topicRequest,
} from '../../../src/protocol/generated/describe-topic-partitions.ts'
import { electLeadersRequest, topicPartitions } from '../../../src/protocol/generated/elect-leaders.ts'
import { listConfigResourcesRequest } from '../../../src/protocol/generated/list-config-resources.ts'
import { listPartitionReassignmentsRequest } from '../../../src/protocol/generated/list-partition-reassignments.ts'
import {
  offsetForLeaderEpochRequest,
  offsetForLeaderPartition,
  offsetForLeaderTopic,
} from '../../../src/protocol/generated/offset-for-leader-epoch.ts'
import { ErrorCode } from '../../../src/protocol/index.ts'
import type { RawClient } from './support/raw-client.ts'
import { produceTo } from './support/requests.ts'
import { type RunningFront, startFront } from './support/running-front.ts'

let running: RunningFront
let client: RawClient

beforeEach(async () => {
  running = await startFront()
  client = await running.client()
})
afterEach(() => running.stop())

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index)
const unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION

describe('DeleteRecords', () => {
  it.each(range(0, 2))('in version %i moves the start of the log', async (version) => {
    running.broker.add('t')
    running.broker.add('__internal')
    for (let times = 0; times < 3; times += 1) await client.ask('Produce', 9, produceTo({ topic: 't' }))
    const partition = (partitionIndex: number, offset: bigint) => deleteRecordsPartition({ partitionIndex, offset })
    const request = deleteRecordsRequest({
      timeoutMs: 5_000,
      topics: [
        deleteRecordsTopic({ name: 't', partitions: [partition(0, 2n), partition(1, 0n)] }),
        deleteRecordsTopic({ name: '__internal', partitions: [partition(0, 0n)] }),
        deleteRecordsTopic({ name: 'nowhere', partitions: [partition(0, 0n)] }),
      ],
    })
    const { topics } = await client.ask('DeleteRecords', version, request)
    expect(
      topics.flatMap(({ partitions }) => partitions.map(({ errorCode, lowWatermark }) => [errorCode, lowWatermark])),
    ).toEqual([
      [0, 2n],
      [unknown, -1n],
      [ErrorCode.INVALID_TOPIC_EXCEPTION, -1n],
      [unknown, -1n],
    ])
    const all = deleteRecordsRequest({
      timeoutMs: 5_000,
      topics: [deleteRecordsTopic({ name: 't', partitions: [partition(0, -1n)] })],
    })
    expect((await client.ask('DeleteRecords', version, all)).topics[0]!.partitions[0]).toMatchObject({
      errorCode: 0,
      lowWatermark: 3n,
    })
    const beyond = deleteRecordsRequest({
      timeoutMs: 5_000,
      topics: [deleteRecordsTopic({ name: 't', partitions: [partition(0, 9n)] })],
    })
    const answer = await client.ask('DeleteRecords', version, beyond)
    expect(answer.topics[0]!.partitions[0]!.errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE)
  })
})

describe('OffsetForLeaderEpoch', () => {
  it.each(range(2, 4))('in version %i tells where an epoch ends', async (version) => {
    running.broker.add('t')
    await client.ask('Produce', 9, produceTo({ topic: 't' }))
    const asked = (partition: number, leaderEpoch: number, currentLeaderEpoch = -1) =>
      offsetForLeaderPartition({ partition, leaderEpoch, currentLeaderEpoch })
    const partitions = [asked(0, 3), asked(0, 9), asked(0, 3, 2), asked(0, 3, 4), asked(5, 3)]
    const request = offsetForLeaderEpochRequest({ replicaId: -1, topics: [offsetForLeaderTopic({ topic: 't', partitions })] })
    const { topics } = await client.ask('OffsetForLeaderEpoch', version, request)
    const seen = topics[0]!.partitions.map(({ errorCode, leaderEpoch, endOffset }) => [errorCode, leaderEpoch, endOffset])
    expect(seen).toEqual([
      [0, 3, 1n],
      [0, -1, -1n],
      [ErrorCode.FENCED_LEADER_EPOCH, -1, -1n],
      [ErrorCode.UNKNOWN_LEADER_EPOCH, -1, -1n],
      [unknown, -1, -1n],
    ])
  })
})

describe('DescribeProducers', () => {
  it('shows what a partition remembers', async () => {
    running.broker.add('t')
    const topics = [producersOf({ name: 't', partitionIndexes: [0, 1] })]
    const answer = await client.ask('DescribeProducers', 0, describeProducersRequest({ topics }))
    expect(answer.topics[0]!.partitions).toMatchObject([
      {
        errorCode: 0,
        activeProducers: [
          { producerId: 5n, producerEpoch: 1, lastSequence: 9, lastTimestamp: 1000n, currentTxnStartOffset: -1n },
        ],
      },
      { errorCode: unknown, activeProducers: [] },
    ])
  })
})

describe('DescribeTopicPartitions', () => {
  const ask = (fields: Parameters<typeof describeTopicPartitionsRequest>[0]) =>
    client.ask('DescribeTopicPartitions', 0, describeTopicPartitionsRequest(fields))

  it('goes through all topics in pages, by name', async () => {
    running.broker.add('b', 3)
    running.broker.add('a', 2)
    running.broker.add('c', 1)
    const seen: string[] = []
    let pages = 0
    for (let cursor = null as ReturnType<typeof requestCursor> | null; pages === 0 || cursor !== null; pages += 1) {
      const { topics, nextCursor } = await ask({ responsePartitionLimit: 2, cursor })
      for (const { name, partitions } of topics)
        for (const { partitionIndex } of partitions) seen.push(`${name}${partitionIndex}`)
      expect(topics.reduce((sum, { partitions }) => sum + partitions.length, 0)).toBeLessThanOrEqual(2)
      cursor = nextCursor === null ? null : requestCursor(nextCursor)
    }
    expect(seen).toEqual(['a0', 'a1', 'b0', 'b1', 'b2', 'c0'])
    expect(pages).toBe(3)
  })

  it('names the unknown, and whom it leads', async () => {
    const { id } = running.broker.add('t')
    const { topics, nextCursor } = await ask({
      topics: ['t', 'nowhere', 'not legal!', 't'].map((name) => topicRequest({ name })),
    })
    expect(nextCursor).toBeNull()
    expect(topics).toMatchObject([
      { name: 'not legal!', errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION },
      { name: 'nowhere', errorCode: unknown },
      { name: 't', topicId: id, errorCode: 0, partitions: [{ leaderId: 7, leaderEpoch: 3, replicaNodes: [7], isrNodes: [7] }] },
    ])
  })
})

describe('a cluster of one broker', () => {
  it.each(range(0, 2))('needs no election (version %i)', async (version) => {
    running.broker.add('t')
    const asked = [topicPartitions({ topic: 't', partitions: [0, 1] }), topicPartitions({ topic: 'nowhere', partitions: [0] })]
    const { replicaElectionResults } = await client.ask('ElectLeaders', version, electLeadersRequest({ topicPartitions: asked }))
    expect(replicaElectionResults.flatMap(({ partitionResult }) => partitionResult.map(({ errorCode }) => errorCode))).toEqual([
      ErrorCode.ELECTION_NOT_NEEDED,
      unknown,
      unknown,
    ])
    const all = await client.ask('ElectLeaders', version, electLeadersRequest({ topicPartitions: null }))
    expect(all.replicaElectionResults).toEqual([])
    if (version === 0) return
    const strange = await client.ask('ElectLeaders', version, electLeadersRequest({ electionType: 7, topicPartitions: null }))
    expect(strange.errorCode).toBe(ErrorCode.INVALID_REQUEST)
  })

  it.each([0, 1])('has nowhere to move a partition (version %i)', async (version) => {
    running.broker.add('t')
    const to = (replicas: number[] | null, partitionIndex = 0) => reassignablePartition({ partitionIndex, replicas })
    const partitions = [to([7]), to([8]), to([7, 7]), to([]), to(null), to([7], 3)]
    const topics = [reassignableTopic({ name: 't', partitions })]
    const { responses } = await client.ask('AlterPartitionReassignments', version, alterPartitionReassignmentsRequest({ topics }))
    const misplaced = ErrorCode.INVALID_REPLICA_ASSIGNMENT
    expect(responses[0]!.partitions.map(({ errorCode }) => errorCode)).toEqual([
      0,
      misplaced,
      misplaced,
      misplaced,
      ErrorCode.NO_REASSIGNMENT_IN_PROGRESS,
      unknown,
    ])
  })

  it('has no reassignment under way', async () => {
    const answer = await client.ask('ListPartitionReassignments', 0, listPartitionReassignmentsRequest())
    expect(answer).toMatchObject({ errorCode: 0, errorMessage: null, topics: [] })
  })
})

describe('DescribeLogDirs', () => {
  it.each(range(1, 5))('in version %i tells the folder and the sizes of what was asked for', async (version) => {
    running.broker.add('t', 2)
    await client.ask('Produce', 9, produceTo({ topic: 't' }))
    const sizeBytes = BigInt(running.broker.topicByName('t')!.partitions[0]!.sizeBytes)
    const some = [
      describableLogDirTopic({ topic: 't', partitions: [0, 7] }),
      describableLogDirTopic({ topic: 'nowhere', partitions: [0] }),
    ]
    const answer = await client.ask('DescribeLogDirs', version, describeLogDirsRequest({ topics: some }))
    expect(answer.results).toMatchObject([
      {
        errorCode: 0,
        logDir: '/somewhere/wal',
        topics: [{ name: 't', partitions: [{ partitionIndex: 0, partitionSize: sizeBytes }] }],
      },
    ])
    if (version >= 4) expect(answer.results[0]).toMatchObject({ totalBytes: 1000n, usableBytes: 400n })
    const all = await client.ask('DescribeLogDirs', version, describeLogDirsRequest({ topics: null }))
    expect(all.results[0]!.topics.map(({ name, partitions }) => [name, partitions.length])).toEqual([['t', 2]])
  })
})

describe('ListConfigResources', () => {
  it('lists what has configs, by type', async () => {
    running.broker.add('t')
    const ask = async (resourceTypes: number[], version = 1) => {
      const answer = await client.ask('ListConfigResources', version, listConfigResourcesRequest({ resourceTypes }))
      return [answer.errorCode, answer.configResources.map(({ resourceType, resourceName }) => `${resourceType} ${resourceName}`)]
    }
    expect(await ask([])).toEqual([0, ['2 t', '4 7', '8 7']])
    expect(await ask([4, 2, 4])).toEqual([0, ['4 7', '2 t']])
    expect(await ask([99])).toEqual([ErrorCode.UNSUPPORTED_VERSION, []])
    expect(await ask([], 0)).toEqual([0, []])
  })
})

describe('AlterReplicaLogDirs', () => {
  it.each([1, 2])('in version %i finds everything in the one folder there is, and no other', async (version) => {
    running.broker.add('one', 2)
    const everything = describeLogDirsRequest({ topics: null })
    const path = (await client.ask('DescribeLogDirs', 4, everything)).results[0]!.logDir
    const topics = [
      alterReplicaLogDirTopic({ name: 'one', partitions: [0, 2] }),
      alterReplicaLogDirTopic({ name: 'nowhere', partitions: [0] }),
    ]
    const dirs = [path, '/elsewhere'].map((dir) => alterReplicaLogDir({ path: dir, topics }))
    const { results } = await client.ask('AlterReplicaLogDirs', version, alterReplicaLogDirsRequest({ dirs }))
    expect(results.map(({ topicName, partitions }) => [topicName, partitions.map(({ errorCode }) => errorCode)])).toEqual([
      ['one', [ErrorCode.NONE, ErrorCode.REPLICA_NOT_AVAILABLE]],
      ['nowhere', [ErrorCode.REPLICA_NOT_AVAILABLE]],
      ['one', [ErrorCode.LOG_DIR_NOT_FOUND, ErrorCode.LOG_DIR_NOT_FOUND]],
      ['nowhere', [ErrorCode.LOG_DIR_NOT_FOUND]],
    ])
  })
})
