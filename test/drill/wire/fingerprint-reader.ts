/** Owns taking a cluster's fingerprint over the wire: every byte of every batch, and what else clients see. Not its judgement. */
import { createHash } from 'node:crypto'
import type {
  BatchPrint,
  Fingerprint,
  GroupPrint,
  PartitionPrint,
  TimeAnswer,
  TopicPrint,
} from '../../../recovery/drill/core/index.ts'
import { crc32c } from '../../../src/base/node/native-crc32c.ts'
import { describeConfigsRequest, describeConfigsResource } from '../../../src/protocol/generated/describe-configs.ts'
import { describeGroupsRequest } from '../../../src/protocol/generated/describe-groups.ts'
import { fetchPartition, fetchRequest, fetchTopic } from '../../../src/protocol/generated/fetch.ts'
import { listGroupsRequest } from '../../../src/protocol/generated/list-groups.ts'
import { listOffsetsPartition, listOffsetsRequest, listOffsetsTopic } from '../../../src/protocol/generated/list-offsets.ts'
import { metadataRequest } from '../../../src/protocol/generated/metadata.ts'
import { offsetFetchRequest } from '../../../src/protocol/generated/offset-fetch.ts'
import {
  baseOffsetOf,
  baseTimestampOf,
  batchBytesOf,
  batchEnd,
  batchOffset,
  crcOf,
  lastOffsetOf,
  maxTimestampOf,
  recordCountOf,
} from '../../../src/protocol/index.ts'
import { mustBeFine, type WireClient, withWire } from './wire-client.ts'

export interface FingerprintOrder {
  readonly port: number
  /** Times asked for, by `topic-partition`; without them some are chosen from the batches. Give the ones of a fingerprint to compare with. */
  readonly askedTimes?: ReadonlyMap<string, readonly number[]>
  readonly progress?: (done: string) => void
  /** Sees every batch as it passes by. */
  readonly onBatch?: (topic: string, partition: number, bytes: Uint8Array) => void
}

export const askedTimesOf = (print: Fingerprint): ReadonlyMap<string, readonly number[]> =>
  new Map(
    print.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partition, times }) => [`${name}-${partition}`, times.map(({ askedMs }) => askedMs)] as const),
    ),
  )

/** Partitions read at one time, each over a connection of its own: more would only wait for the bucket in another place. */
const readersMax = 4

export function takeFingerprint(order: FingerprintOrder): Promise<Fingerprint> {
  return withWire(order.port, async (wire) => {
    const { clusterId, topics } = await wire.ask('Metadata', metadataRequest({ topics: null, allowAutoTopicCreation: false }))
    const sorted = [...topics].sort((left, right) => ((left.name ?? '') < (right.name ?? '') ? -1 : 1))
    for (const { name, errorCode } of sorted) mustBeFine(errorCode, `metadata of ${name}`)
    const wanted = sorted.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex }) => ({ topic: name ?? '', partition: partitionIndex })),
    )
    const read = await printPartitions(order, wanted)
    const prints: TopicPrint[] = []
    for (const { name, topicId, isInternal } of sorted) {
      const partitions = (read.get(name ?? '') ?? []).sort((left, right) => left.partition - right.partition)
      prints.push({ name: name ?? '', id: topicId, isInternal, configs: await configsOf(wire, name ?? ''), partitions })
    }
    return { clusterId: clusterId ?? '', topics: prints, groups: await groupsOf(wire) }
  })
}

/** By topic, in whatever order they were done. */
async function printPartitions(
  order: FingerprintOrder,
  wanted: ReadonlyArray<{ readonly topic: string; readonly partition: number }>,
): Promise<ReadonlyMap<string, PartitionPrint[]>> {
  const read = new Map<string, PartitionPrint[]>()
  const left = [...wanted].reverse()
  const reader = (): Promise<void> =>
    withWire(order.port, async (wire) => {
      for (let next = left.pop(); next !== undefined; next = left.pop()) {
        const print = await printPartition(wire, order, next.topic, next.partition)
        read.set(next.topic, [...(read.get(next.topic) ?? []), print])
        order.progress?.(`${next.topic}-${next.partition}`)
      }
    })
  await Promise.all(Array.from({ length: readersMax }, reader))
  return read
}

async function configsOf(wire: WireClient, topic: string): Promise<TopicPrint['configs']> {
  const resources = [describeConfigsResource({ resourceType: 2, resourceName: topic, configurationKeys: null })]
  const { results } = await wire.ask('DescribeConfigs', describeConfigsRequest({ resources }))
  const [result] = results
  if (result === undefined) throw new Error(`no configs of ${topic}`)
  mustBeFine(result.errorCode, `configs of ${topic}`, result.errorMessage)
  return result.configs.map(({ name, value, configSource }) => ({ name, value, source: configSource }))
}

async function printPartition(
  wire: WireClient,
  order: FingerprintOrder,
  topic: string,
  partition: number,
): Promise<PartitionPrint> {
  const startOffset = (await offsetAt(wire, topic, partition, -2)).offset
  const endOffset = (await offsetAt(wire, topic, partition, -1)).offset
  const batches: BatchPrint[] = []
  for (let next = startOffset; next < endOffset;) {
    const got = await fetchFrom(wire, topic, partition, next)
    let position = next
    for (const bytes of got) {
      const print = printBatch(bytes)
      if (computedCrc(bytes) !== print.crc) throw new Error(`${topic}-${partition}@${print.baseOffset}: the CRC is wrong`)
      if (print.lastOffset < position) continue
      order.onBatch?.(topic, partition, bytes)
      batches.push(print)
      position = print.lastOffset + 1
    }
    if (position === next) throw new Error(`${topic}-${partition}: nothing was fetched at ${next}, the end is ${endOffset}`)
    next = position
  }
  const times: TimeAnswer[] = []
  for (const askedMs of order.askedTimes?.get(`${topic}-${partition}`) ?? chooseTimes(batches)) {
    times.push(await offsetAt(wire, topic, partition, askedMs))
  }
  return { partition, startOffset, endOffset, batches, times }
}

/** Kafka's "newest record" (−3) and some of the partition's own times: the first, one in the middle, just after the last. */
function chooseTimes(batches: readonly BatchPrint[]): readonly number[] {
  if (batches.length === 0) return [-3]
  const middle = batches[Math.floor(batches.length / 2)]
  const times = batches.map(({ maxTimestampMs }) => maxTimestampMs)
  const last = times.reduce((greatest, one) => Math.max(greatest, one), 0)
  return [...new Set([-3, batches[0]?.baseTimestampMs ?? 0, middle?.maxTimestampMs ?? 0, last, last + 1])].filter(
    (one) => one === -3 || one >= 0,
  )
}

/** A crash of the broker's first second or two leaves a topic's leader unknown; nobody asks that early here, so no retries. */
async function offsetAt(wire: WireClient, topic: string, partition: number, askedMs: number): Promise<TimeAnswer> {
  const partitions = [listOffsetsPartition({ partitionIndex: partition, timestamp: BigInt(askedMs) })]
  const { topics } = await wire.ask(
    'ListOffsets',
    listOffsetsRequest({ replicaId: -1, topics: [listOffsetsTopic({ name: topic, partitions })] }),
  )
  const answer = topics[0]?.partitions[0]
  if (answer === undefined) throw new Error(`no offset of ${topic}-${partition}`)
  mustBeFine(answer.errorCode, `offset of ${topic}-${partition} at ${askedMs}`)
  return { askedMs, offset: Number(answer.offset), foundMs: Number(answer.timestamp), leaderEpoch: answer.leaderEpoch }
}

const fetchBytes = 8 * 1024 * 1024

async function fetchFrom(wire: WireClient, topic: string, partition: number, from: number): Promise<readonly Uint8Array[]> {
  const partitions = [fetchPartition({ partition, fetchOffset: BigInt(from), partitionMaxBytes: fetchBytes })]
  const request = fetchRequest({
    maxWaitMs: 5_000,
    minBytes: 1,
    maxBytes: fetchBytes,
    sessionEpoch: -1,
    topics: [fetchTopic({ topic, partitions })],
  })
  const { errorCode, responses } = await wire.ask('Fetch', request)
  mustBeFine(errorCode, 'fetch')
  const answer = responses[0]?.partitions[0]
  if (answer === undefined) throw new Error(`no answer to a fetch of ${topic}-${partition}`)
  mustBeFine(answer.errorCode, `fetch of ${topic}-${partition} at ${from}`)
  return batchesIn(answer.records ?? [])
}

/** Whole batches; a fetch may end in the middle of one. */
function batchesIn(chunks: readonly Uint8Array[]): readonly Uint8Array[] {
  const [first = new Uint8Array(0)] = chunks
  const bytes = chunks.length <= 1 ? first : Buffer.concat(chunks)
  const batches: Uint8Array[] = []
  for (let at = 0; at < bytes.length;) {
    if (batchEnd(bytes, at) < 0) break
    const size = batchBytesOf(bytes, at)
    batches.push(bytes.subarray(at, at + size))
    at += size
  }
  return batches
}

const computedCrc = (batch: Uint8Array): number => crc32c(batch.subarray(batchOffset.attributes)) >>> 0

function printBatch(batch: Uint8Array): BatchPrint {
  return {
    baseOffset: baseOffsetOf(batch, 0),
    lastOffset: lastOffsetOf(batch, 0),
    records: recordCountOf(batch, 0),
    sizeBytes: batch.length,
    baseTimestampMs: baseTimestampOf(batch, 0),
    maxTimestampMs: maxTimestampOf(batch, 0),
    crc: crcOf(batch, 0) >>> 0,
    sha256: createHash('sha256').update(batch).digest('base64'),
  }
}

const shortDigest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64').slice(0, 16)

async function groupsOf(wire: WireClient): Promise<readonly GroupPrint[]> {
  const listed = await wire.ask('ListGroups', listGroupsRequest({}))
  mustBeFine(listed.errorCode, 'list of groups')
  const ids = listed.groups.map(({ groupId }) => groupId).sort()
  if (ids.length === 0) return []
  const { groups } = await wire.ask('DescribeGroups', describeGroupsRequest({ groups: ids }))
  const prints: GroupPrint[] = []
  for (const group of [...groups].sort((left, right) => (left.groupId < right.groupId ? -1 : 1))) {
    mustBeFine(group.errorCode, `group ${group.groupId}`)
    prints.push({
      id: group.groupId,
      state: group.groupState,
      protocolType: group.protocolType,
      protocol: group.protocolData,
      members: group.members.map((one) => ({
        memberId: one.memberId,
        instanceId: one.groupInstanceId,
        clientId: one.clientId,
        subscription: shortDigest(one.memberMetadata),
        assignment: shortDigest(one.memberAssignment),
      })),
      offsets: await committedOf(wire, group.groupId),
    })
  }
  return prints
}

export async function committedOf(wire: WireClient, groupId: string): Promise<GroupPrint['offsets']> {
  const answer = await wire.ask('OffsetFetch', offsetFetchRequest({ groupId, topics: null }))
  mustBeFine(answer.errorCode, `committed offsets of ${groupId}`)
  return answer.topics.flatMap(({ name, partitions }) =>
    partitions.map((one) => {
      mustBeFine(one.errorCode, `committed offset of ${groupId} in ${name}-${one.partitionIndex}`)
      return {
        topic: name,
        partition: one.partitionIndex,
        offset: Number(one.committedOffset),
        leaderEpoch: one.committedLeaderEpoch,
        metadata: one.metadata,
      }
    }),
  )
}
