// Owns answering DescribeTransactions and ListTransactions (KIP-664).

import { ApiKey, ErrorCode } from '../../../protocol/index.ts'
import {
  type DescribeTransactionsRequest,
  type DescribeTransactionsResponse,
  describeTransactionsResponse,
  readDescribeTransactionsRequest,
  topicData,
  type TransactionState,
  transactionState,
  writeDescribeTransactionsResponse,
} from '../../../protocol/generated/describe-transactions.ts'
import {
  type ListTransactionsRequest,
  type ListTransactionsResponse,
  listTransactionsResponse,
  readListTransactionsRequest,
  transactionState as listedTransaction,
  writeListTransactionsResponse,
} from '../../../protocol/generated/list-transactions.ts'
import type { Transaction, TransactionStatus } from '../../../transactions/index.ts'
import { type ServedApi, serve } from '../../front/served-api.ts'
import type { HandlerPorts } from '../../ports.ts'
import { codeOf } from './transaction-errors.ts'
import { matcherOf } from './id-pattern.ts'

/** Those that Kafka knows; the last two never show here. */
const statuses: ReadonlySet<string> = new Set<TransactionStatus | 'Dead' | 'PrepareEpochFence'>([
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
  'Dead',
  'PrepareEpochFence',
])

export function describeTransactionsApi({ transactions }: HandlerPorts): ServedApi {
  return serve<DescribeTransactionsRequest, DescribeTransactionsResponse>({
    key: ApiKey.DescribeTransactions,
    order: 'serial',
    read: readDescribeTransactionsRequest,
    write: writeDescribeTransactionsResponse,
    handle: ({ transactionalIds }, call) => {
      const transactionStates = transactionalIds.map((transactionalId): TransactionState => {
        const found = transactions.describe(transactionalId)
        if (found.ok && found.value !== undefined) return described(found.value)
        const errorCode = found.ok ? ErrorCode.TRANSACTIONAL_ID_NOT_FOUND : codeOf(found.failure)
        call.countError(errorCode)
        return transactionState({ transactionalId, errorCode })
      })
      return describeTransactionsResponse({ transactionStates })
    },
    failed: ({ transactionalIds }, errorCode) =>
      describeTransactionsResponse({
        transactionStates: transactionalIds.map((transactionalId) => transactionState({ transactionalId, errorCode })),
      }),
  })
}

const described = (found: Transaction): TransactionState =>
  transactionState({
    transactionalId: found.transactionalId,
    transactionState: found.status,
    transactionTimeoutMs: found.timeoutMs,
    transactionStartTimeMs: BigInt(found.startMs),
    producerId: BigInt(found.producerId),
    producerEpoch: found.producerEpoch,
    topics: [...found.partitions].map(([topic, partitions]) => topicData({ topic, partitions: [...partitions] })),
  })

export function listTransactionsApi({ transactions, clock }: HandlerPorts): ServedApi {
  return serve<ListTransactionsRequest, ListTransactionsResponse>({
    key: ApiKey.ListTransactions,
    order: 'serial',
    read: readListTransactionsRequest,
    write: writeListTransactionsResponse,
    handle: (request, call) => {
      const matches = matcherOf(request.transactionalIdPattern)
      const found = transactions.list()
      if (matches === undefined || !found.ok) {
        const errorCode = found.ok ? ErrorCode.INVALID_REGULAR_EXPRESSION : codeOf(found.failure)
        call.countError(errorCode)
        return listTransactionsResponse({ errorCode })
      }
      const listed = found.value.filter((one) => isAsked(one, request, clock.nowMs()) && matches(one.transactionalId))
      return listTransactionsResponse({
        unknownStateFilters: request.stateFilters.filter((name) => !statuses.has(name)),
        transactionStates: listed.map((one) =>
          listedTransaction({
            transactionalId: one.transactionalId,
            producerId: BigInt(one.producerId),
            transactionState: one.status,
          }),
        ),
      })
    },
    failed: (_request, errorCode) => listTransactionsResponse({ errorCode }),
  })
}

function isAsked(
  one: Transaction,
  { stateFilters, producerIdFilters, durationFilter }: ListTransactionsRequest,
  nowMs: number,
): boolean {
  if (stateFilters.length > 0 && !stateFilters.includes(one.status)) return false
  if (producerIdFilters.length > 0 && !producerIdFilters.includes(BigInt(one.producerId))) return false
  return durationFilter < 0n || BigInt(Math.round(nowMs - one.startMs)) > durationFilter
}
