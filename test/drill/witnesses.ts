/**
 * Owns two hand-made clients that stand through a cold start: an idempotent producer, whose resent batch must be known as a
 * duplicate, and a group's member, whose membership must still be good.
 */
import type { Difference } from '../../recovery/drill/core/index.ts'
import { crc32c } from '../../src/base/node/native-crc32c.ts'
import { heartbeatRequest } from '../../src/protocol/generated/heartbeat.ts'
import { initProducerIdRequest } from '../../src/protocol/generated/init-producer-id.ts'
import { joinGroupRequest, joinGroupRequestProtocol } from '../../src/protocol/generated/join-group.ts'
import { listOffsetsPartition, listOffsetsRequest, listOffsetsTopic } from '../../src/protocol/generated/list-offsets.ts'
import {
  offsetCommitRequest,
  offsetCommitRequestPartition,
  offsetCommitRequestTopic,
} from '../../src/protocol/generated/offset-commit.ts'
import { partitionProduceData, produceRequest, topicProduceData } from '../../src/protocol/generated/produce.ts'
import { syncGroupRequest, syncGroupRequestAssignment } from '../../src/protocol/generated/sync-group.ts'
import { encodeBatch, ErrorCode, errorName } from '../../src/protocol/index.ts'
import { mustBeFine, type WireClient, withWire } from './wire/wire-client.ts'

export interface BatchOrder {
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly records: number
  readonly text: string
  readonly timestampMs: number
}

export function handMadeBatch({ records, text, timestampMs, ...producer }: BatchOrder): Uint8Array {
  const all = Array.from({ length: records }, (_, index) => ({
    offset: index,
    timestamp: timestampMs + index,
    key: Buffer.from(String(index)),
    value: Buffer.from(`${text} ${index}`),
    headers: [{ key: 'by', value: Buffer.from('hand') }],
  }))
  return encodeBatch({ records: all, ...producer }, { crc32c })
}

export interface ProduceAnswer {
  readonly errorCode: number
  readonly baseOffset: number
}

export async function produceBatch(
  wire: WireClient,
  topic: string,
  partition: number,
  batch: Uint8Array,
): Promise<ProduceAnswer> {
  const partitionData = [partitionProduceData({ index: partition, records: [batch] })]
  const request = produceRequest({ acks: -1, timeoutMs: 60_000, topicData: [topicProduceData({ name: topic, partitionData })] })
  const answer = (await wire.ask('Produce', request)).responses[0]?.partitionResponses[0]
  if (answer === undefined) throw new Error(`no answer to a batch for ${topic}-${partition}`)
  return { errorCode: answer.errorCode, baseOffset: Number(answer.baseOffset) }
}

export const witnessTopic = 'witness.idempotence'

const recordsPerBatch = 5

interface Idempotent {
  readonly id: number
  readonly epoch: number
}

export interface Witnesses {
  readonly producer: Idempotent
  readonly member: { readonly memberId: string; readonly generationId: number }
}

const witnessGroup = 'drill-standing'

const sequenced = ({ id, epoch }: Idempotent, baseSequence: number): Uint8Array =>
  handMadeBatch({
    producerId: id,
    producerEpoch: epoch,
    baseSequence,
    records: recordsPerBatch,
    text: `sequence ${baseSequence}`,
    timestampMs: 1_700_000_000_000 + baseSequence,
  })

export function standBefore(port: number): Promise<Witnesses> {
  return withWire(port, async (wire) => {
    const producer = await newProducer(wire)
    for (const baseSequence of [0, recordsPerBatch]) {
      const { errorCode } = await produceBatch(wire, witnessTopic, 0, sequenced(producer, baseSequence))
      mustBeFine(errorCode, 'a batch of an idempotent producer')
    }
    return { producer, member: await joinAlone(wire) }
  })
}

async function newProducer(wire: WireClient): Promise<Idempotent> {
  const answer = await wire.ask(
    'InitProducerId',
    initProducerIdRequest({ transactionalId: null, producerId: -1n, producerEpoch: -1 }),
  )
  mustBeFine(answer.errorCode, 'a producer id')
  return { id: Number(answer.producerId), epoch: answer.producerEpoch }
}

/** A member that joins, is assigned something, commits, and then only stands: its session outlasts the drill. */
async function joinAlone(wire: WireClient): Promise<Witnesses['member']> {
  const join = (memberId: string) =>
    wire.ask(
      'JoinGroup',
      joinGroupRequest({
        groupId: witnessGroup,
        sessionTimeoutMs: 1_800_000,
        rebalanceTimeoutMs: 10_000,
        memberId,
        protocolType: 'consumer',
        protocols: [joinGroupRequestProtocol({ name: 'range', metadata: Buffer.from('what it subscribes to') })],
      }),
    )
  const asked = await join('')
  const joined = asked.errorCode === ErrorCode.MEMBER_ID_REQUIRED ? await join(asked.memberId) : asked
  mustBeFine(joined.errorCode, 'joining a group')
  const { memberId, generationId } = joined
  const assignments = [syncGroupRequestAssignment({ memberId, assignment: Buffer.from('what it is assigned') })]
  const synced = await wire.ask(
    'SyncGroup',
    syncGroupRequest({
      groupId: witnessGroup,
      generationId,
      memberId,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments,
    }),
  )
  mustBeFine(synced.errorCode, 'the assignment of a group')
  const errorCode = await commitOffset(wire, {
    group: witnessGroup,
    generationId,
    memberId,
    topic: witnessTopic,
    offset: recordsPerBatch,
    note: 'half way',
  })
  mustBeFine(errorCode, 'a commit')
  return { memberId, generationId }
}

export interface CommitOrder {
  readonly group: string
  readonly generationId?: number
  readonly memberId?: string
  readonly topic: string
  readonly offset: number
  readonly note: string
}

export async function commitOffset(wire: WireClient, order: CommitOrder): Promise<number> {
  const partitions = [
    offsetCommitRequestPartition({ partitionIndex: 0, committedOffset: BigInt(order.offset), committedMetadata: order.note }),
  ]
  const { topics } = await wire.ask(
    'OffsetCommit',
    offsetCommitRequest({
      groupId: order.group,
      generationIdOrMemberEpoch: order.generationId ?? -1,
      memberId: order.memberId ?? '',
      topics: [offsetCommitRequestTopic({ name: order.topic, partitions })],
    }),
  )
  return topics[0]?.partitions[0]?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR
}

/** After the cold start. Answers what is not as it should be. */
export function standAfter(port: number, { producer, member }: Witnesses): Promise<readonly Difference[]> {
  return withWire(port, async (wire) => {
    const differences: Difference[] = []
    const check = (where: string, before: string, after: string): void => {
      if (before !== after) differences.push({ kind: 'check', where, before, after })
    }
    const show = ({ errorCode, baseOffset }: ProduceAnswer): string => `${errorName(errorCode)}, offset ${baseOffset}`
    const send = async (from: Idempotent, baseSequence: number): Promise<string> =>
      show(await produceBatch(wire, witnessTopic, 0, sequenced(from, baseSequence)))
    const fine = (baseOffset: number): string => show({ errorCode: 0, baseOffset })
    const wrong = (errorCode: number): string => show({ errorCode, baseOffset: -1 })

    const alive = await wire.ask(
      'Heartbeat',
      heartbeatRequest({ groupId: witnessGroup, generationId: member.generationId, memberId: member.memberId }),
    )
    check('heartbeat of a member that joined before', errorName(0), errorName(alive.errorCode))
    for (const baseSequence of [0, recordsPerBatch]) {
      check(`batch of sequence ${baseSequence} sent again`, fine(baseSequence), await send(producer, baseSequence))
    }
    check('log end after the duplicates', String(2 * recordsPerBatch), String(await endOf(wire)))
    const tooFar = 4 * recordsPerBatch
    check('batch beyond the next sequence', wrong(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER), await send(producer, tooFar))
    check('batch of the next sequence', fine(2 * recordsPerBatch), await send(producer, 2 * recordsPerBatch))
    const newcomer = await newProducer(wire)
    check('a producer id given twice', 'no', newcomer.id === producer.id ? 'yes' : 'no')
    check('first batch of a new producer', fine(3 * recordsPerBatch), await send(newcomer, 0))
    return differences
  })
}

async function endOf(wire: WireClient): Promise<number> {
  const partitions = [listOffsetsPartition({ partitionIndex: 0, timestamp: -1n })]
  const { topics } = await wire.ask(
    'ListOffsets',
    listOffsetsRequest({ replicaId: -1, topics: [listOffsetsTopic({ name: witnessTopic, partitions })] }),
  )
  return Number(topics[0]?.partitions[0]?.offset ?? -1)
}
