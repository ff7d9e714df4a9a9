// Owns the place of a partition's batches within a WAL object. Not the object's bytes (format.ts).

import type { Offset } from '../../../src/model/ids.ts'
import type { BatchDigest } from './format.ts'

/** A run of whole batches of one partition within a WAL object: where to read them once they are no longer hot. */
export interface Extent {
  readonly objectKey: string
  readonly objectSizeBytes: number
  readonly position: number
  readonly length: number
  readonly baseOffset: Offset
  /** One past the last record. */
  readonly endOffset: Offset
  readonly maxTimestampMs: number
}

/** The run of batches among the entries, if there is one. Used alike when streaming and when reading footers back. */
export function extentOf(
  entries: ReadonlyArray<{ readonly digest?: BatchDigest }>,
  place: Pick<Extent, 'objectKey' | 'objectSizeBytes' | 'position' | 'length'>,
): Extent | undefined {
  const first = entries.find((entry) => entry.digest !== undefined)?.digest
  const last = entries.findLast((entry) => entry.digest !== undefined)?.digest
  if (first === undefined || last === undefined) return undefined
  let maxTimestampMs = -1
  for (const entry of entries) maxTimestampMs = Math.max(maxTimestampMs, entry.digest?.maxTimestampMs ?? -1)
  return { ...place, baseOffset: first.baseOffset, endOffset: last.endOffset, maxTimestampMs }
}
