// Owns the records of `__transaction_state` in Kafka's own format, version 1. Not what they mean (core/transaction.ts).

import { fail, type Outcome, succeed } from '../base/outcome.ts'
import {
  partitionsSchema,
  readTransactionLogKey,
  readTransactionLogValue,
  transactionLogKey,
  transactionLogRecordType,
  transactionLogValue,
  writeTransactionLogKey,
  writeTransactionLogValue,
} from '../protocol/generated/records/transaction-log.ts'
import { decodeVersioned, encodeVersioned, versionPrefixOf } from '../protocol/index.ts'
import { noPartitions, type Transaction, type TransactionStatus } from './core/transaction.ts'
import type { KeyedRecord } from './ports.ts'

const valueVersion = 1

/** By their codes. */
const statuses: readonly TransactionStatus[] = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
]

/** Undefined: the id is forgotten. */
export interface TransactionRecord {
  readonly transactionalId: string
  readonly value: Transaction | undefined
}

export function encodeRecord({ transactionalId, value }: TransactionRecord): KeyedRecord {
  const key = encodeVersioned(writeTransactionLogKey, transactionLogKey({ transactionalId }), 0, transactionLogRecordType)
  return { key, value: value === undefined ? null : encodeTransaction(value) }
}

function encodeTransaction(value: Transaction): Uint8Array {
  const partitions = [...value.partitions].map(([topic, ids]) => partitionsSchema({ topic, partitionIds: [...ids] }))
  const record = transactionLogValue({
    producerId: BigInt(value.producerId),
    previousProducerId: BigInt(value.previousProducerId),
    nextProducerId: BigInt(value.nextProducerId),
    producerEpoch: value.producerEpoch,
    transactionTimeoutMs: value.timeoutMs,
    transactionStatus: statuses.indexOf(value.status),
    // As Kafka: null, not an empty list, where there can be none.
    transactionPartitions: value.status === 'Empty' ? null : partitions,
    transactionLastUpdateTimestampMs: BigInt(value.lastUpdateMs),
    transactionStartTimestampMs: BigInt(value.startMs),
    clientTransactionVersion: value.clientVersion,
  })
  return encodeVersioned(writeTransactionLogValue, record, valueVersion)
}

/** A failure says what is wrong with the bytes. */
export function decodeRecord({ key, value }: KeyedRecord): Outcome<TransactionRecord, string> {
  if (versionPrefixOf(key) !== transactionLogRecordType) return fail(`a key of type ${versionPrefixOf(key) ?? 'none'}`)
  const decodedKey = decodeVersioned(readTransactionLogKey, key, 0)
  if (decodedKey === undefined) return fail('a malformed key')
  const { transactionalId } = decodedKey
  if (value === null) return succeed({ transactionalId, value: undefined })
  const version = versionPrefixOf(value)
  const known = version === 0 || version === valueVersion
  const read = known ? decodeVersioned(readTransactionLogValue, value, version) : undefined
  const status = read === undefined ? undefined : statuses[read.transactionStatus]
  if (read === undefined || status === undefined) return fail(`a malformed transaction of ${transactionalId}`)
  const partitions = new Map(
    (read.transactionPartitions ?? []).map(({ topic, partitionIds }) => [topic, new Set(partitionIds)] as const),
  )
  return succeed({
    transactionalId,
    value: {
      transactionalId,
      producerId: Number(read.producerId),
      previousProducerId: Number(read.previousProducerId),
      nextProducerId: Number(read.nextProducerId),
      producerEpoch: read.producerEpoch,
      lastProducerEpoch: -1,
      timeoutMs: read.transactionTimeoutMs,
      status,
      partitions: partitions.size === 0 ? noPartitions : partitions,
      startMs: Number(read.transactionStartTimestampMs),
      lastUpdateMs: Number(read.transactionLastUpdateTimestampMs),
      clientVersion: read.clientTransactionVersion,
    },
  })
}
