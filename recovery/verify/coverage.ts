// Owns the question whether every offset of a partition is held by something in the bucket. Not whether those objects are there.

import type { PartitionState } from '../../src/broker/core/index.ts'

export interface OffsetRange {
  readonly startOffset: number
  readonly endOffset: number
}

export interface Coverage {
  /** Offsets of the log that neither a segment nor an extent holds. */
  readonly holes: readonly OffsetRange[]
  /** Offsets that two segments hold. Extents may repeat: entries are immutable, readers take the first that holds an offset. */
  readonly doubled: readonly OffsetRange[]
}

interface Piece extends OffsetRange {
  readonly isSegment: boolean
}

export function coverageOf(state: Pick<PartitionState, 'logStartOffset' | 'endOffset' | 'segments' | 'extents'>): Coverage {
  const pieces: Piece[] = [
    ...state.segments.map((one) => ({ startOffset: one.baseOffset, endOffset: one.endOffset, isSegment: true })),
    ...state.extents.map((one) => ({ startOffset: one.baseOffset, endOffset: one.endOffset, isSegment: false })),
  ].sort((left, right) => left.startOffset - right.startOffset)
  const holes: OffsetRange[] = []
  const doubled: OffsetRange[] = []
  let covered = state.logStartOffset
  let segmentEnd = -1
  for (const piece of pieces) {
    if (piece.startOffset > covered) holes.push({ startOffset: covered, endOffset: Math.min(piece.startOffset, state.endOffset) })
    if (piece.isSegment && piece.startOffset < segmentEnd)
      doubled.push({ startOffset: piece.startOffset, endOffset: Math.min(segmentEnd, piece.endOffset) })
    if (piece.isSegment) segmentEnd = Math.max(segmentEnd, piece.endOffset)
    covered = Math.max(covered, piece.endOffset)
  }
  if (covered < state.endOffset) holes.push({ startOffset: covered, endOffset: state.endOffset })
  return { holes, doubled }
}
