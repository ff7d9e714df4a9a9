// Owns answering EndTxn.

import { ApiKey, ErrorCode } from '../../../protocol/index.ts'
import {
  type EndTxnRequest,
  type EndTxnResponse,
  endTxnResponse,
  readEndTxnRequest,
  writeEndTxnResponse,
} from '../../../protocol/generated/end-txn.ts'
import { type ServedApi, serve } from '../../front/served-api.ts'
import type { HandlerPorts } from '../../ports.ts'
import { codeFor, producerOf } from './transaction-errors.ts'

const fencedFrom = 2
/** From here on the epoch is raised at every end, and told (KIP-890). */
const raisedEpochFrom = 5

export function endTxnApi({ transactions }: HandlerPorts): ServedApi {
  return serve<EndTxnRequest, EndTxnResponse>({
    key: ApiKey.EndTxn,
    order: 'serial',
    read: readEndTxnRequest,
    write: writeEndTxnResponse,
    handle: async ({ transactionalId, producerId, producerEpoch, committed }, call) => {
      if (transactionalId === '') return endTxnResponse({ errorCode: ErrorCode.INVALID_REQUEST })
      const raises = call.version >= raisedEpochFrom
      const ended = await transactions.end(transactionalId, {
        producer: producerOf(producerId, producerEpoch),
        result: committed ? 'commit' : 'abort',
        clientVersion: raises ? 2 : 0,
      })
      if (ended.ok)
        return raises
          ? endTxnResponse({ producerId: BigInt(ended.value.producerId), producerEpoch: ended.value.producerEpoch })
          : endTxnResponse()
      const errorCode = codeFor(ended.failure, call.version, fencedFrom)
      call.countError(errorCode)
      return endTxnResponse({ errorCode })
    },
    failed: (_request, errorCode) => endTxnResponse({ errorCode }),
  })
}
