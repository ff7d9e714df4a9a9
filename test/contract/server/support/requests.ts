// Owns short forms of the requests the server's tests send most. Not the sending.

import { fetchPartition, type FetchRequest, fetchRequest, fetchTopic } from '../../../../src/protocol/generated/fetch.ts'
import {
  partitionProduceData,
  type ProduceRequest,
  produceRequest,
  topicProduceData,
} from '../../../../src/protocol/generated/produce.ts'
import { testBatch } from '../../../support/batches.ts'

export interface ProduceTo {
  readonly topic: string
  readonly partition?: number
  readonly bytes?: number
  readonly acks?: number
  readonly timeoutMs?: number
}

/** One batch of one record. */
export function produceTo({ topic, partition = 0, bytes = 10, acks = -1, timeoutMs = 5000 }: ProduceTo): ProduceRequest {
  const records = [testBatch({ baseOffset: 0, maxTimestampMs: 1000, body: new Uint8Array(bytes).fill(partition + 1) })]
  const partitionData = [partitionProduceData({ index: partition, records })]
  return produceRequest({ acks, timeoutMs, topicData: [topicProduceData({ name: topic, partitionData })] })
}

export interface FetchFrom extends Partial<FetchRequest> {
  readonly from?: ReadonlyArray<readonly [topic: string, partition: number, offset: number, maxBytes?: number]>
}

export function fetchFrom({ from = [], ...rest }: FetchFrom): FetchRequest {
  const topics = from.map(([topic, partition, offset, partitionMaxBytes = 1 << 20]) =>
    fetchTopic({ topic, partitions: [fetchPartition({ partition, fetchOffset: BigInt(offset), partitionMaxBytes })] }),
  )
  return fetchRequest({ maxWaitMs: 0, minBytes: 1, maxBytes: 50 << 20, topics, ...rest })
}

export const later = (delayMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delayMs))

/** Waits until it holds, and fails the test after a while. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !holds(); tries += 1) {
    if (tries > 400) throw new Error(`in vain: ${what}`)
    await later(10)
  }
}
