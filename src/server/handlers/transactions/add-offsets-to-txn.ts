// Owns answering AddOffsetsToTxn: the partition in which a group keeps its offsets becomes part of the transaction.

import { offsetsTopic } from '../../../broker/index.ts'
import { ApiKey, ErrorCode } from '../../../protocol/index.ts'
import {
  type AddOffsetsToTxnRequest,
  type AddOffsetsToTxnResponse,
  addOffsetsToTxnResponse,
  readAddOffsetsToTxnRequest,
  writeAddOffsetsToTxnResponse,
} from '../../../protocol/generated/add-offsets-to-txn.ts'
import { type ServedApi, serve } from '../../front/served-api.ts'
import type { HandlerPorts } from '../../ports.ts'
import { codeFor, producerOf } from './transaction-errors.ts'

const fencedFrom = 2

export function addOffsetsToTxnApi({ groups, transactions }: HandlerPorts): ServedApi {
  return serve<AddOffsetsToTxnRequest, AddOffsetsToTxnResponse>({
    key: ApiKey.AddOffsetsToTxn,
    order: 'serial',
    read: readAddOffsetsToTxnRequest,
    write: writeAddOffsetsToTxnResponse,
    handle: async ({ transactionalId, producerId, producerEpoch, groupId }, call) => {
      if (transactionalId === '' || groupId === '') return addOffsetsToTxnResponse({ errorCode: ErrorCode.INVALID_REQUEST })
      const partitions = [{ topic: offsetsTopic, partition: groups.partitionFor(groupId) }]
      const ask = { producer: producerOf(producerId, producerEpoch), partitions, clientVersion: 0 }
      const added = await transactions.add(transactionalId, ask)
      const errorCode = added.ok ? ErrorCode.NONE : codeFor(added.failure, call.version, fencedFrom)
      call.countError(errorCode)
      return addOffsetsToTxnResponse({ errorCode })
    },
    failed: (_request, errorCode) => addOffsetsToTxnResponse({ errorCode }),
  })
}
