// Owns the control records that end transactions: their batch, and reading it back. Does not own when they are
// written (broker/transaction).

import type { Crc32c } from '../../base/crc32c.ts'
import { decodeVersioned, encodeVersioned } from '../codec/versioned.ts'
import { int16At } from '../codec/int64.ts'
import { endTxnMarker, readEndTxnMarker, writeEndTxnMarker } from '../generated/data/end-txn-marker.ts'
import { ControlRecordType } from '../generated/enums.ts'
import { batchBytesOf, batchHeaderBytes } from './batch-header.ts'
import { RecordCursor } from './record-cursor.ts'
import { encodeBatch } from './records.ts'

export interface TransactionMarker {
  readonly result: 'commit' | 'abort'
  readonly producerId: number
  readonly producerEpoch: number
  readonly coordinatorEpoch: number
  readonly timestamp: number
  /** Both are stamped again on append. */
  readonly baseOffset?: number
  readonly leaderEpoch?: number
}

/** The batch of one control record that ends a producer's transaction on a partition. */
export function encodeTransactionMarker(marker: TransactionMarker, crc32c: Crc32c): Uint8Array {
  const type = marker.result === 'commit' ? ControlRecordType.COMMIT : ControlRecordType.ABORT
  const value = encodeVersioned(writeEndTxnMarker, endTxnMarker({ coordinatorEpoch: marker.coordinatorEpoch }), 0)
  const record = {
    offset: marker.baseOffset ?? 0,
    timestamp: marker.timestamp,
    key: new Uint8Array([0, 0, 0, type]),
    value,
    headers: [],
  }
  const { producerId, producerEpoch, leaderEpoch = -1 } = marker
  return encodeBatch(
    { records: [record], leaderEpoch, producerId, producerEpoch, isTransactional: true, isControl: true },
    { crc32c },
  )
}

/** What a control record says by its key (version int16, type int16); undefined for a key too short to say anything. */
export function controlRecordTypeOf(key: Uint8Array | null): number | undefined {
  return key === null || key.length < 4 ? undefined : int16At(key, 2)
}

/** How a control batch at `at` ends its producer's transaction; undefined for a control batch of another kind, or a malformed one. */
export function readTransactionMarker(
  batch: Uint8Array,
  at = 0,
): Pick<TransactionMarker, 'result' | 'coordinatorEpoch'> | undefined {
  const cursor = new RecordCursor(batch, at + batchHeaderBytes, at + batchBytesOf(batch, at), 1)
  if (!cursor.next()) return undefined
  const type = controlRecordTypeOf(cursor.key())
  if (type !== ControlRecordType.COMMIT && type !== ControlRecordType.ABORT) return undefined
  const value = cursor.value()
  const marker = value === null ? undefined : decodeVersioned(readEndTxnMarker, value, 0)
  if (marker === undefined) return undefined
  return { result: type === ControlRecordType.COMMIT ? 'commit' : 'abort', coordinatorEpoch: marker.coordinatorEpoch }
}
