// Owns which records of a partition are past their retention: by time and by size, whole segments and WAL extents at a time, as
// Kafka does. Not their deletion.

import type { PartitionState } from './partition-state.ts'
import type { TopicSettings } from './topic-settings.ts'

export interface RetentionPlan {
  readonly logStartOffset: number
  readonly segments: number
}

interface Piece {
  readonly endOffset: number
  readonly bytes: number
  readonly maxTimestampMs: number
  readonly isSegment: boolean
}

export function planRetention(
  state: PartitionState,
  at: { readonly settings: TopicSettings; readonly nowMs: number; readonly endOffset: number },
): RetentionPlan | undefined {
  if (!at.settings.deletes) return undefined
  const archivedEnd = state.archivedEndOffset
  const pieces: Piece[] = [
    ...state.segments.map((one) => ({
      endOffset: one.endOffset,
      bytes: one.dataBytes,
      maxTimestampMs: one.maxTimestampMs,
      isSegment: true,
    })),
    ...state.extents
      .filter((one) => one.endOffset > archivedEnd && one.endOffset <= at.endOffset)
      .map((one) => ({
        endOffset: one.endOffset,
        bytes: one.length,
        maxTimestampMs: one.maxTimestampMs,
        isSegment: false,
      })),
  ]
  let total = pieces.reduce((sum, piece) => sum + piece.bytes, 0)
  let plan: RetentionPlan | undefined
  let segments = 0
  for (const piece of pieces) {
    // Records without a time are as old as what was appended after them: they go when that goes.
    const isUntimed = piece.maxTimestampMs < 0 && at.settings.retentionMs !== Infinity
    const tooOld = piece.maxTimestampMs >= 0 && at.nowMs - piece.maxTimestampMs > at.settings.retentionMs
    // By size, as Kafka: a piece goes when what remains without it still reaches the limit; unarchived records stay.
    const tooMuch = piece.isSegment && total - piece.bytes >= at.settings.retentionBytes
    if (!tooOld && !tooMuch && !isUntimed) break
    total -= piece.bytes
    if (piece.isSegment) segments += 1
    if (tooOld || tooMuch) plan = { logStartOffset: piece.endOffset, segments }
  }
  return plan
}
