// Owns reading from a record batch what the footer says of it: its header, and of a control batch which marker it is. Not validation:
// the batch was admitted long ago.

import { assertDefined } from '../../../src/base/assert.ts'
import { offset } from '../../../src/model/ids.ts'
import { isControlBatch, isTransactional, readTransactionMarker } from '../../../src/protocol/index.ts'
import type { BatchDigest } from './format.ts'

/** Kafka's record batch v2 header: positions of the fields read here. */
const at = { lastOffsetDelta: 23, maxTimestamp: 35, producerId: 43, producerEpoch: 51, baseSequence: 53 } as const

/** Of a control batch the whole batch is needed, of others the header. */
export function digestOf(batch: Uint8Array): BatchDigest {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength)
  const baseOffset = Number(view.getBigInt64(0))
  return {
    baseOffset: offset(baseOffset),
    endOffset: offset(baseOffset + view.getInt32(at.lastOffsetDelta) + 1),
    maxTimestampMs: Number(view.getBigInt64(at.maxTimestamp)),
    producerId: Number(view.getBigInt64(at.producerId)),
    producerEpoch: view.getInt16(at.producerEpoch),
    baseSequence: view.getInt32(at.baseSequence),
    ...roleOf(batch),
  }
}

function roleOf(batch: Uint8Array): Pick<BatchDigest, 'role' | 'coordinatorEpoch'> {
  if (!isControlBatch(batch)) return { role: isTransactional(batch) ? 'transactional' : 'plain', coordinatorEpoch: -1 }
  const { result, coordinatorEpoch } = assertDefined(readTransactionMarker(batch), 'control batches of a partition are markers')
  return { role: result, coordinatorEpoch }
}
