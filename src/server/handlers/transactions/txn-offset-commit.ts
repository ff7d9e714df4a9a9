// Owns answering TxnOffsetCommit: may this producer commit offsets for the group now? The commit itself is the coordinator of groups'.

import { offsetsTopic } from '../../../broker/index.ts'
import { ApiKey, ErrorCode } from '../../../protocol/index.ts'
import {
  readTxnOffsetCommitRequest,
  type TxnOffsetCommitRequest,
  type TxnOffsetCommitResponse,
  txnOffsetCommitResponse,
  txnOffsetCommitResponsePartition,
  txnOffsetCommitResponseTopic,
  writeTxnOffsetCommitResponse,
} from '../../../protocol/generated/txn-offset-commit.ts'
import type { Call } from '../../front/call.ts'
import { type ServedApi, serve } from '../../front/served-api.ts'
import type { HandlerPorts } from '../../ports.ts'
import { clientOf } from '../groups.ts'
import { partitionCodeOf, producerOf } from './transaction-errors.ts'

/** From here on the client does not add the offsets' partition itself (KIP-890). */
const addsFrom = 5

export function txnOffsetCommitApi(ports: HandlerPorts): ServedApi {
  return serve<TxnOffsetCommitRequest, TxnOffsetCommitResponse>({
    key: ApiKey.TxnOffsetCommit,
    order: 'serial',
    read: readTxnOffsetCommitRequest,
    write: writeTxnOffsetCommitResponse,
    handle: async (request, call) => {
      const errorCode = await refusalOf(ports, request, call)
      if (errorCode === ErrorCode.NONE) return ports.groups.txnOffsetCommit(clientOf(call), request, call.version)
      call.countError(errorCode)
      return refuseAll(request, errorCode)
    },
    failed: refuseAll,
  })
}

async function refusalOf(
  { groups, transactions }: HandlerPorts,
  { transactionalId, groupId, producerId, producerEpoch }: TxnOffsetCommitRequest,
  call: Call,
): Promise<number> {
  if (transactionalId === '') return ErrorCode.INVALID_REQUEST
  if (groupId === '') return ErrorCode.INVALID_GROUP_ID
  const at = { topic: offsetsTopic, partition: groups.partitionFor(groupId) }
  const producer = producerOf(producerId, producerEpoch)
  if (call.version < addsFrom) return partitionCodeOf(transactions.verify(transactionalId, producer, at), false)
  const added = await transactions.add(transactionalId, { producer, partitions: [at], clientVersion: 2 })
  return added.ok ? ErrorCode.NONE : partitionCodeOf(added.failure, true)
}

function refuseAll(request: TxnOffsetCommitRequest, errorCode: number): TxnOffsetCommitResponse {
  return txnOffsetCommitResponse({
    topics: request.topics.map(({ name, topicId, partitions }) =>
      txnOffsetCommitResponseTopic({
        name,
        topicId,
        partitions: partitions.map(({ partitionIndex }) => txnOffsetCommitResponsePartition({ partitionIndex, errorCode })),
      }),
    ),
  })
}
