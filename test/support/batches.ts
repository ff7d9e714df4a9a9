// Owns record batches (v2) for tests of rooms that never open a batch: sound header and CRC, arbitrary bytes for records.

import { crc32cReference } from '../../src/base/crc32c.ts'
import type { Prng } from '../../src/base/prng.ts'

export interface TestBatch {
  readonly baseOffset: number
  readonly records?: number
  readonly leaderEpoch?: number
  readonly firstTimestampMs?: number
  readonly maxTimestampMs?: number
  readonly attributes?: number
  readonly body?: Uint8Array
}

export function testBatch(batch: TestBatch): Uint8Array {
  const { baseOffset, records = 1, body = new Uint8Array(0), maxTimestampMs = -1, firstTimestampMs = maxTimestampMs } = batch
  const bytes = new Uint8Array(61 + body.length)
  const view = new DataView(bytes.buffer)
  view.setBigInt64(0, BigInt(baseOffset))
  view.setInt32(8, bytes.length - 12)
  view.setInt32(12, batch.leaderEpoch ?? 0)
  view.setInt8(16, 2)
  view.setInt16(21, batch.attributes ?? 0)
  view.setInt32(23, records - 1)
  view.setBigInt64(27, BigInt(firstTimestampMs))
  view.setBigInt64(35, BigInt(maxTimestampMs))
  view.setBigInt64(43, -1n)
  view.setInt16(51, -1)
  view.setInt32(53, -1)
  view.setInt32(57, records)
  bytes.set(body, 61)
  view.setUint32(17, crc32cReference(bytes.subarray(21)))
  return bytes
}

export interface BatchChain {
  readonly batches: readonly Uint8Array[]
  readonly specs: ReadonlyArray<Required<Pick<TestBatch, 'baseOffset' | 'records' | 'maxTimestampMs'>>>
  readonly endOffset: number
}

export interface ChainOptions {
  readonly baseOffset: number
  readonly count: number
  readonly bodyBytesMax: number
  /** Leave out offsets between batches now and then, as compaction does. */
  readonly gaps?: boolean
}

/** Batches that follow each other, times mostly ascending, some without. */
export function randomChain(prng: Prng, options: ChainOptions): BatchChain {
  const batches: Uint8Array[] = []
  const specs: Array<BatchChain['specs'][number]> = []
  let next = options.baseOffset
  for (let made = 0; made < options.count; made += 1) {
    if (options.gaps === true && prng.below(3) === 0) next += prng.below(20)
    const records = 1 + prng.below(5)
    const maxTimestampMs = prng.below(10) === 0 ? -1 : Math.max(0, 1000 + made * 10 + prng.below(200) - 100)
    const body = Uint8Array.from({ length: prng.below(options.bodyBytesMax + 1) }, () => prng.below(256))
    batches.push(testBatch({ baseOffset: next, records, maxTimestampMs, body }))
    specs.push({ baseOffset: next, records, maxTimestampMs })
    next += records
  }
  return { batches, specs, endOffset: next }
}
