// Owns answering InitProducerId for idempotent producers. Transactional ones are refused until transactions are served.

import { ApiKey, ErrorCode } from '../../protocol/index.ts'
import {
  type InitProducerIdRequest,
  type InitProducerIdResponse,
  initProducerIdResponse,
  readInitProducerIdRequest,
  writeInitProducerIdResponse,
} from '../../protocol/generated/init-producer-id.ts'
import { type ServedApi, serve } from '../front/served-api.ts'
import type { HandlerPorts } from '../ports.ts'

const failed = (errorCode: number): InitProducerIdResponse =>
  initProducerIdResponse({ errorCode, producerId: -1n, producerEpoch: -1 })

export function initProducerIdApi(ports: HandlerPorts): ServedApi {
  return serve<InitProducerIdRequest, InitProducerIdResponse>({
    key: ApiKey.InitProducerId,
    order: 'serial',
    read: readInitProducerIdRequest,
    write: writeInitProducerIdResponse,
    handle: async (request, call) => {
      const refusal = refusalOf(request.transactionalId)
      // As Kafka: without a transactional id a fresh id is handed out whatever the client had, since anybody could name anybody's.
      const made = refusal === ErrorCode.NONE ? await ports.broker.initProducerId(undefined) : undefined
      if (made?.ok === true) {
        return initProducerIdResponse({ producerId: BigInt(made.value.producerId), producerEpoch: made.value.producerEpoch })
      }
      const errorCode = made === undefined ? refusal : made.failure.errorCode
      call.countError(errorCode)
      return failed(errorCode)
    },
    failed: (_request, errorCode) => failed(errorCode),
  })
}

function refusalOf(transactionalId: string | null): number {
  if (transactionalId === null) return ErrorCode.NONE
  // The one answer every client takes as final at once; "not available" would be retried for ever.
  return transactionalId === '' ? ErrorCode.INVALID_REQUEST : ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
}
