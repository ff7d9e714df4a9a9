// Owns the control records that end transactions: their batch and the reading of their keys. Does not own when they are
// written (broker/transaction).

import type { Crc32c } from '../../base/crc32c.ts'
import { encodeVersioned } from '../codec/versioned.ts'
import { int16At } from '../codec/int64.ts'
import { endTxnMarker, writeEndTxnMarker } from '../generated/data/end-txn-marker.ts'
import { ControlRecordType } from '../generated/enums.ts'
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
