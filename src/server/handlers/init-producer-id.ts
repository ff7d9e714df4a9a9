// Owns answering InitProducerId: a fresh id for idempotent producers, the coordinator's word for transactional ones.

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
import { codeFor, producerOf } from './transactions/transaction-errors.ts'

const fencedFrom = 4

const failed = (errorCode: number): InitProducerIdResponse =>
  initProducerIdResponse({ errorCode, producerId: -1n, producerEpoch: -1 })

const given = (producerId: number, producerEpoch: number): InitProducerIdResponse =>
  initProducerIdResponse({ producerId: BigInt(producerId), producerEpoch })

export function initProducerIdApi(ports: HandlerPorts): ServedApi {
  return serve<InitProducerIdRequest, InitProducerIdResponse>({
    key: ApiKey.InitProducerId,
    order: 'serial',
    read: readInitProducerIdRequest,
    write: writeInitProducerIdResponse,
    handle: async (request, call) => {
      const response =
        request.transactionalId === null ? await idempotent(ports) : await transactional(ports, request, call.version)
      call.countError(response.errorCode)
      return response
    },
    failed: (_request, errorCode) => failed(errorCode),
  })
}

/** As Kafka: a fresh id is handed out whatever the client had, since anybody could name anybody's. */
async function idempotent({ broker }: HandlerPorts): Promise<InitProducerIdResponse> {
  const made = await broker.freshProducerId()
  return made.ok ? given(made.value, 0) : failed(made.failure.errorCode)
}

async function transactional(
  { transactions }: HandlerPorts,
  request: InitProducerIdRequest,
  version: number,
): Promise<InitProducerIdResponse> {
  const { transactionalId, transactionTimeoutMs: timeoutMs, producerId, producerEpoch } = request
  if (transactionalId === null || transactionalId === '') return failed(ErrorCode.INVALID_REQUEST)
  if (producerId < 0n !== producerEpoch < 0) return failed(ErrorCode.INVALID_REQUEST)
  const expected = producerId < 0n ? undefined : producerOf(producerId, producerEpoch)
  const made = await transactions.init({ transactionalId, timeoutMs, expected })
  return made.ok ? given(made.value.producerId, made.value.producerEpoch) : failed(codeFor(made.failure, version, fencedFrom))
}
