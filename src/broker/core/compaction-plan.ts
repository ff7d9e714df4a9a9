// Owns whether a partition is due to be compacted, and which of its segments: as Kafka's LogCleanerManager decides. Not the cleaning
// (compaction-filter.ts), nor who is cleaned first (compactor.ts).
//
//   segments  [ clean | dirty … | too young, or not decided ]      clean ends at `cleanedEndOffset`

import type { SegmentFacts } from '../../../tiers/segment/core/index.ts'
import type { PartitionState } from './partition-state.ts'
import type { TopicSettings } from './topic-settings.ts'

export interface CompactionPlan {
  /** Records from here on were never looked at; before it each key has one record, but for tombstones that wait. */
  readonly dirtyFrom: number
  /** From the log's start to the last one that may be cleaned. */
  readonly segments: readonly SegmentFacts[]
  readonly dirtyBytes: number
  /** Of what may be cleaned, 0 to 1. */
  readonly dirtyRatio: number
  /** Records in what is dirty: at most so many keys. */
  readonly dirtyRecords: number
  readonly isDue: boolean
}

export interface CompactionMoment {
  readonly settings: Pick<TopicSettings, 'compacts' | 'minCleanableDirtyRatio' | 'minCompactionLagMs' | 'maxCompactionLagMs'>
  readonly nowMs: number
  /** The last stable offset: what lies beyond is not decided. */
  readonly stableOffset: number
}

/** Undefined when there is nothing that may be cleaned. */
export function planCompaction(
  state: PartitionState,
  { settings, nowMs, stableOffset }: CompactionMoment,
): CompactionPlan | undefined {
  if (!settings.compacts) return undefined
  const tooYoung = (one: SegmentFacts): boolean =>
    settings.minCompactionLagMs > 0 && one.maxTimestampMs > nowMs - settings.minCompactionLagMs
  const end = state.segments.findIndex(
    (one) => one.endOffset > stableOffset || (one.endOffset > state.cleanedEndOffset && tooYoung(one)),
  )
  const segments = state.segments.slice(0, end < 0 ? state.segments.length : end)
  const dirty = segments.filter((one) => one.endOffset > state.cleanedEndOffset)
  if (dirty.length === 0) return undefined
  const bytesOf = (of: readonly SegmentFacts[]): number => of.reduce((sum, one) => sum + one.dataBytes, 0)
  const dirtyBytes = bytesOf(dirty)
  const dirtyRatio = dirtyBytes / bytesOf(segments)
  const isOverdue = dirty.some(
    ({ minTimestampMs }) => minTimestampMs >= 0 && nowMs - minTimestampMs > settings.maxCompactionLagMs,
  )
  return {
    dirtyFrom: Math.max(state.cleanedEndOffset, state.logStartOffset),
    segments,
    dirtyBytes,
    dirtyRatio,
    dirtyRecords: dirty.reduce((sum, one) => sum + one.recordCount, 0),
    isDue: isOverdue || dirtyRatio > settings.minCleanableDirtyRatio,
  }
}

/** Neighbours that become one segment of at most `bytesMax`, so that a log of small remains does not keep as many objects. */
export function groupSegments(segments: readonly SegmentFacts[], bytesMax: number): SegmentFacts[][] {
  const groups: SegmentFacts[][] = []
  let bytes = 0
  for (const segment of segments) {
    const last = groups.at(-1)
    if (last !== undefined && bytes + segment.dataBytes <= bytesMax) {
      last.push(segment)
      bytes += segment.dataBytes
    } else {
      groups.push([segment])
      bytes = segment.dataBytes
    }
  }
  return groups
}
