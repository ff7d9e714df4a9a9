// Owns reading from a record batch's header what the footer says of it. Not validation: the batch was admitted long ago.

import { offset } from '../../../src/model/ids.ts'
import type { BatchDigest } from './format.ts'

/** Kafka's record batch v2 header: positions of the fields read here. */
const at = { lastOffsetDelta: 23, maxTimestamp: 35, producerId: 43, producerEpoch: 51, baseSequence: 53 } as const

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
  }
}
