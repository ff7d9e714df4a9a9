// Owns laying the local WAL over what the bucket gave: entries that were durable here and not in the bucket yet. Only a WAL of the
// life that is being continued may be laid over.
//
// OVERLAY-1  a group's newest frame for an index wins, and what stood behind the older one goes with it: after a start that accepted
//            a loss, indexes are given out a second time.
// OVERLAY-2  damage is harmless only when the bucket is proven to hold what it destroyed: objects are streamed in the WAL's order, so
//            a later batch that is in the bucket proves all before it. Metadata needs no proof: it is answered from the bucket alone.

import { OpError } from '../../src/base/op-error.ts'
import type { TailBatch } from '../../src/broker/core/index.ts'
import { type GroupNumber, metadataGroup } from '../../src/model/ids.ts'
import { digestOf } from '../../tiers/stream/index.ts'
import type { LocalEntry, LocalWal, RecoveryWorld, WalDamage } from '../ports.ts'
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
    detail: `${what}, and the bucket is not proven to hold what is missing. To go on without it start with --accept-wal-loss true`,
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
  const entries = newestFrames(local.entries)
  for (const damage of local.damage) judgeDamage(world, { damage, entries, loaded }, report)
  const nowMs = world.clock.nowMs()
  for (const entry of entries) {
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
  const kept = withoutDeleted(toStream, loaded)
  report.localEntries = kept.length
  return { toStream: kept, tails }
}

/** A topic whose deletion was in the local WAL only: its entries, laid over before, go nowhere any more. */
function withoutDeleted(
  toStream: readonly LocalEntry[],
  { metadata, groups }: { readonly metadata: LoadedMetadata; readonly groups: LoadedGroups },
): readonly LocalEntry[] {
  const living = new Set<GroupNumber>([metadataGroup, ...[...metadata.cluster.topics()].flatMap((topic) => topic.groups)])
  for (const group of groups.partitions.keys()) if (!living.has(group)) groups.partitions.delete(group)
  for (const group of groups.coordinators.keys()) if (!living.has(group)) groups.coordinators.delete(group)
  return toStream.filter((entry) => living.has(entry.group))
}

/** OVERLAY-1, in the order they were written. */
function newestFrames(entries: readonly LocalEntry[]): readonly LocalEntry[] {
  const byGroup = new Map<GroupNumber, LocalEntry[]>()
  const overwritten = new Set<LocalEntry>()
  for (const entry of entries) {
    if (entry.kind === 'node') continue
    const log = byGroup.get(entry.group) ?? []
    if (log.length === 0) byGroup.set(entry.group, log)
    for (let last = log.at(-1); last !== undefined && last.index >= entry.index; last = log.at(-1)) {
      overwritten.add(last)
      log.pop()
    }
    log.push(entry)
  }
  return overwritten.size === 0 ? entries : entries.filter((entry) => !overwritten.has(entry))
}

/** OVERLAY-2. Asked before anything is laid over: the states are still the bucket's. */
function judgeDamage(
  world: RecoveryWorld,
  found: {
    readonly damage: WalDamage
    readonly entries: readonly LocalEntry[]
    readonly loaded: { readonly groups: LoadedGroups }
  },
  report: RecoveryReport,
): void {
  const { file, at, lost, what } = found.damage
  const { partitions } = found.loaded.groups
  const inBucket = (group: GroupNumber, index: number): boolean => index <= (partitions.get(group)?.state.lastIndex ?? -1)
  const isLater = ({ position }: LocalEntry): boolean => position.file > file || (position.file === file && position.at > at)
  const isProven = (): boolean =>
    (typeof lost === 'object' && (lost.group === metadataGroup || inBucket(lost.group, lost.index))) ||
    found.entries.some((entry) => entry.group !== metadataGroup && isLater(entry) && inBucket(entry.group, entry.index))
  if (lost === 'none' || isProven()) report.damage.push(`local WAL: ${what}; nothing is lost by it`)
  else refuseLoss(world, report, `the local WAL is damaged (${what})`)
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
