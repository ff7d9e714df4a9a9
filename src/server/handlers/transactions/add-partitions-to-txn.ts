// Owns answering AddPartitionsToTxn: for clients up to version 3, for brokers (several transactions, or only asking) from 4 on.

import { ApiKey, ErrorCode } from '../../../protocol/index.ts'
import {
  type AddPartitionsToTxnRequest,
  addPartitionsToTxnPartitionResult,
  type AddPartitionsToTxnResponse,
  addPartitionsToTxnResponse,
  addPartitionsToTxnResult,
  type AddPartitionsToTxnTopic,
  type AddPartitionsToTxnTopicResult,
  addPartitionsToTxnTopicResult,
  readAddPartitionsToTxnRequest,
  writeAddPartitionsToTxnResponse,
} from '../../../protocol/generated/add-partitions-to-txn.ts'
import type { Call } from '../../front/call.ts'
import { type ServedApi, serve } from '../../front/served-api.ts'
import type { HandlerPorts } from '../../ports.ts'
import { codeFor, producerOf } from './transaction-errors.ts'

const batchedFrom = 4
const fencedFrom = 2

interface Wanted {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly topics: readonly AddPartitionsToTxnTopic[]
  readonly verifyOnly: boolean
}

type CodeOf = (topic: string, partition: number) => number

export function addPartitionsToTxnApi(ports: HandlerPorts): ServedApi {
  return serve<AddPartitionsToTxnRequest, AddPartitionsToTxnResponse>({
    key: ApiKey.AddPartitionsToTxn,
    order: 'serial',
    read: readAddPartitionsToTxnRequest,
    write: writeAddPartitionsToTxnResponse,
    handle: async (request, call) => {
      if (call.version < batchedFrom) {
        const resultsByTopicV3AndBelow = await addOne(ports, call, { ...ofClient(request), verifyOnly: false })
        return addPartitionsToTxnResponse({ resultsByTopicV3AndBelow })
      }
      const resultsByTransaction = await Promise.all(
        request.transactions.map(async (wanted) =>
          addPartitionsToTxnResult({
            transactionalId: wanted.transactionalId,
            topicResults: await addOne(ports, call, wanted),
          }),
        ),
      )
      return addPartitionsToTxnResponse({ resultsByTransaction })
    },
    failed: (request, errorCode, { version }) =>
      version < batchedFrom
        ? addPartitionsToTxnResponse({ resultsByTopicV3AndBelow: resultsOf(ofClient(request).topics, () => errorCode) })
        : addPartitionsToTxnResponse({ errorCode }),
  })
}

const ofClient = (request: AddPartitionsToTxnRequest): Omit<Wanted, 'verifyOnly'> => ({
  transactionalId: request.v3AndBelowTransactionalId,
  producerId: request.v3AndBelowProducerId,
  producerEpoch: request.v3AndBelowProducerEpoch,
  topics: request.v3AndBelowTopics,
})

async function addOne(ports: HandlerPorts, call: Call, wanted: Wanted): Promise<AddPartitionsToTxnTopicResult[]> {
  const results = resultsOf(wanted.topics, await codesOf(ports, call, wanted))
  for (const { resultsByPartition } of results) {
    for (const { partitionErrorCode } of resultsByPartition) call.countError(partitionErrorCode)
  }
  return results
}

async function codesOf({ broker, transactions }: HandlerPorts, call: Call, wanted: Wanted): Promise<CodeOf> {
  const { transactionalId, topics, verifyOnly } = wanted
  if (transactionalId === '') return () => ErrorCode.INVALID_REQUEST
  const producer = producerOf(wanted.producerId, wanted.producerEpoch)
  if (verifyOnly) {
    return (topic, partition) =>
      codeFor(transactions.verify(transactionalId, producer, { topic, partition }), call.version, fencedFrom)
  }
  const partitions = topics.flatMap(({ name: topic, partitions: ids }) => ids.map((partition) => ({ topic, partition })))
  const isThere: (topic: string, partition: number) => boolean = (topic, partition) =>
    broker.topicByName(topic)?.partitions[partition] !== undefined
  // As Kafka: all or nothing.
  if (partitions.some(({ topic, partition }) => !isThere(topic, partition))) {
    return (topic, partition) =>
      isThere(topic, partition) ? ErrorCode.OPERATION_NOT_ATTEMPTED : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  }
  const added = await transactions.add(transactionalId, { producer, partitions, clientVersion: 0 })
  return () => (added.ok ? ErrorCode.NONE : codeFor(added.failure, call.version, fencedFrom))
}

const resultsOf = (topics: readonly AddPartitionsToTxnTopic[], codeOf: CodeOf): AddPartitionsToTxnTopicResult[] =>
  topics.map(({ name, partitions }) =>
    addPartitionsToTxnTopicResult({
      name,
      resultsByPartition: partitions.map((partitionIndex) =>
        addPartitionsToTxnPartitionResult({ partitionIndex, partitionErrorCode: codeOf(name, partitionIndex) }),
      ),
    }),
  )
