// Owns laying the local WAL over what the bucket gave: entries that were durable here and not in the bucket yet. Only a WAL of the
// life that is being continued may be laid over.

import { OpError } from '../../src/base/op-error.ts'
import type { TailBatch } from '../../src/broker/core/index.ts'
import { type GroupNumber, metadataGroup } from '../../src/model/ids.ts'
import { digestOf } from '../../tiers/stream/index.ts'
import type { LocalEntry, LocalWal, RecoveryWorld } from '../ports.ts'
import type { RecoveryReport } from '../report.ts'
import { addNewPartitions, type LoadedGroups, type LoadedMetadata, replayMetadata } from './load-bucket.ts'

export interface Overlay {
  readonly toStream: readonly LocalEntry[]
  readonly tails: ReadonlyMap<GroupNumber, readonly TailBatch[]>
}

export const noOverlay: Overlay = { toStream: [], tails: new Map() }

function refuseLoss(world: RecoveryWorld, report: RecoveryReport, what: string): void {
  report.damage.push(what)
  if (world.acceptWalLoss) return
  throw new OpError('corrupt', {
    code: 'WAL_DAMAGED',
    detail: `${what}. The bucket does not hold these entries either. To go on without them start with --accept-wal-loss`,
  })
}

export function overlayWal(
  world: RecoveryWorld,
  local: LocalWal,
  loaded: { readonly metadata: LoadedMetadata; readonly groups: LoadedGroups },
  report: RecoveryReport,
): Overlay {
  const toStream: LocalEntry[] = []
  const tails = new Map<GroupNumber, TailBatch[]>()
  const abandoned = new Set<GroupNumber>()
  for (const what of local.damage) report.damage.push(`local WAL: ${what}`)
  const nowMs = world.clock.nowMs()
  for (const entry of local.entries) {
    if (entry.kind === 'node' || abandoned.has(entry.group)) continue
    const state = entry.group === metadataGroup ? loaded.metadata : loaded.groups.partitions.get(entry.group)?.state
    if (state === undefined || entry.index <= state.lastIndex) continue
    if (entry.index !== state.lastIndex + 1) {
      abandoned.add(entry.group)
      refuseLoss(
        world,
        report,
        `the local WAL lacks entries ${state.lastIndex + 1} to ${entry.index - 1} of group ${entry.group}`,
      )
      continue
    }
    if (entry.group === metadataGroup) {
      loaded.metadata.term = Math.max(loaded.metadata.term, entry.term)
      replayMetadata(loaded.metadata, entry.index, entry.bytes)
      addNewPartitions(loaded.groups, loaded.metadata.cluster)
    } else replayLocal(loaded.groups, entry, { nowMs, tails })
    toStream.push(entry)
  }
  report.localEntries = toStream.length
  return { toStream, tails }
}

function replayLocal(
  groups: LoadedGroups,
  entry: LocalEntry,
  at: { readonly nowMs: number; readonly tails: Map<GroupNumber, TailBatch[]> },
): void {
  const partition = groups.partitions.get(entry.group)
  if (partition === undefined) return
  groups.term = Math.max(groups.term, entry.term)
  if (entry.kind !== 'batch') {
    partition.state.replayControl(entry.index, entry.bytes)
    return
  }
  const digest = digestOf(entry.bytes)
  partition.state.replayBatch({ index: entry.index, term: entry.term, digest, nowMs: at.nowMs })
  const tail = at.tails.get(entry.group) ?? []
  if (tail.length === 0) at.tails.set(entry.group, tail)
  const { baseOffset, endOffset, maxTimestampMs } = digest
  tail.push({ index: entry.index, baseOffset, endOffset, maxTimestampMs, position: entry.position })
}
