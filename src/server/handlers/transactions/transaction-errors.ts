// Owns how the outcomes of the transaction coordinator are told to clients of each API's age. Not when they come about.

import { ErrorCode } from '../../../protocol/index.ts'
import type { TransactionError } from '../../../transactions/index.ts'

export const codeOf = (error: TransactionError | 'NONE'): number => ErrorCode[error]

/** Clients from before the error PRODUCER_FENCED was made know only the older one. */
export function codeFor(error: TransactionError | 'NONE', version: number, fencedFrom: number): number {
  return error === 'PRODUCER_FENCED' && version < fencedFrom ? ErrorCode.INVALID_PRODUCER_EPOCH : codeOf(error)
}

/**
 * For Produce and TxnOffsetCommit, whose clients take trouble of the coordinator for trouble of the partition: what passes is to be tried
 * again, and a newer producer shows as a newer epoch. As Kafka's AddPartitionsToTxnManager maps it.
 */
export function partitionCodeOf(error: TransactionError | 'NONE', understandsConcurrent: boolean): number {
  if (error === 'PRODUCER_FENCED') return ErrorCode.INVALID_PRODUCER_EPOCH
  if (error === 'CONCURRENT_TRANSACTIONS' && understandsConcurrent) return ErrorCode.CONCURRENT_TRANSACTIONS
  return passing.has(error) ? ErrorCode.NOT_ENOUGH_REPLICAS : codeOf(error)
}

const passing: ReadonlySet<string> = new Set<TransactionError>([
  'CONCURRENT_TRANSACTIONS',
  'COORDINATOR_NOT_AVAILABLE',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'NOT_COORDINATOR',
])

/** What producers say of themselves as a number; an id beyond 2^53 was never given out. */
export const producerOf = (
  producerId: bigint,
  producerEpoch: number,
): { readonly producerId: number; readonly producerEpoch: number } => ({
  producerId: Number.isSafeInteger(Number(producerId)) ? Number(producerId) : -1,
  producerEpoch,
})
