// Owns rebuilding the state machines from the bucket: newest snapshots that verify, then what was streamed since. Reads metadata
// only: footers, never data (B3). Not the local WAL (overlay-wal.ts).

import { default as PQueue } from 'p-queue'
import { OpError } from '../../src/base/op-error.ts'
import { ClusterState, decodeCommand, decodeControl, PartitionState } from '../../src/broker/core/index.ts'
import { groupNumber, type GroupNumber, type LifeNumber, metadataGroup, type NodeId } from '../../src/model/ids.ts'
import type { ObjectStore } from '../../tiers/ports.ts'
import { type Snapshot, SnapshotStore } from '../../tiers/snapshot/index.ts'
import {
  extentOf,
  groupSnapshotPrefix,
  metadataSnapshotPrefix,
  numberedKey,
  readStreamedHead,
  type StreamedEntry,
  type StreamedObjectHead,
  type StreamFooter,
} from '../../tiers/stream/index.ts'
import type { WriterObject } from '../fence.ts'
import type { RecoveryWorld } from '../ports.ts'
import type { RecoveryReport } from '../report.ts'

export interface LoadedMetadata {
  readonly cluster: ClusterState
  lastIndex: number
  term: number
}

export interface LoadedGroups {
  readonly partitions: Map<GroupNumber, { readonly state: PartitionState; streamedIndex: number }>
  readonly coordinators: Map<GroupNumber, { readonly appliedIndex: number; readonly bytes: Uint8Array }>
  term: number
}

/** Footers are small and independent: read side by side. */
const footersAtOnce = 32

export function snapshotStores(
  store: ObjectStore,
  life: LifeNumber,
  node: NodeId,
  crc32c: RecoveryWorld['crc32c'],
): { readonly metadata: SnapshotStore; readonly groups: SnapshotStore } {
  const named = (prefix: string): SnapshotStore =>
    new SnapshotStore(store, { prefix, keyOf: (sequence) => numberedKey(prefix, sequence) }, crc32c)
  return { metadata: named(metadataSnapshotPrefix(life)), groups: named(groupSnapshotPrefix(life, node)) }
}

/** The newest snapshot that verifies; those that do not are named. None at all is damage that cannot be repaired here. */
export async function newestSnapshot(store: SnapshotStore, what: string, report: RecoveryReport): Promise<Snapshot> {
  const { found, damaged } = await store.newest()
  for (const one of damaged) report.damage.push(`${what} snapshot ${one.key} is passed over: ${one.reason}`)
  if (found !== undefined) return found.snapshot
  throw new OpError('corrupt', {
    code: 'NO_SNAPSHOT',
    detail: `no ${what} snapshot of the life verifies; restore the bucket's snapshots/ and metadata/ folders from its versions`,
  })
}

/** What loading needs of the world: `verify` loads with no node around it. */
export type LoadWorld = Pick<RecoveryWorld, 'store' | 'crc32c' | 'clock'>

async function heads(world: LoadWorld, objects: readonly WriterObject[]): Promise<readonly StreamedObjectHead[]> {
  const queue = new PQueue({ concurrency: footersAtOnce })
  return Promise.all(objects.map((object) => queue.add(() => readStreamedHead(world.store, object.key, world.crc32c))))
}

export function metadataFrom(snapshot: Snapshot): LoadedMetadata {
  const section = snapshot.sections.find((one) => one.group === metadataGroup)
  const cluster = new ClusterState()
  if (section === undefined || !cluster.restore(section.bytes)) {
    throw new OpError('corrupt', {
      code: 'METADATA_SNAPSHOT_UNKNOWN',
      detail: 'the metadata snapshot verifies, but this build cannot read it',
    })
  }
  return { cluster, lastIndex: section.appliedIndex, term: snapshot.term }
}

/** Applies metadata commands in order, each once. */
export function replayMetadata(loaded: LoadedMetadata, index: number, payload: Uint8Array): void {
  if (index <= loaded.lastIndex) return
  if (index !== loaded.lastIndex + 1) {
    throw new OpError('corrupt', {
      code: 'METADATA_GAP',
      detail: `metadata entry ${loaded.lastIndex + 1} is missing, ${index} is there; restore metadata/wal/ from the bucket's versions`,
    })
  }
  const command = decodeCommand(payload)
  if (!command.ok) throw new OpError('corrupt', { code: 'METADATA_UNKNOWN', detail: command.failure })
  loaded.cluster.apply(command.value)
  loaded.lastIndex = index
}

export async function loadMetadata(world: LoadWorld, loaded: LoadedMetadata, objects: readonly WriterObject[]): Promise<void> {
  for (const head of await heads(world, objects)) replayMetadataObject(loaded, head)
}

export function replayMetadataObject(loaded: LoadedMetadata, head: StreamedObjectHead): void {
  if (head.kind === 'fence') return
  loaded.term = Math.max(loaded.term, head.footer.term)
  for (const { entries } of head.footer.groups) {
    for (const entry of entries) if (entry.payload !== undefined) replayMetadata(loaded, entry.index, entry.payload)
  }
}

export function groupsFrom(snapshot: Snapshot, cluster: ClusterState): LoadedGroups {
  const loaded: LoadedGroups = { partitions: new Map(), coordinators: new Map(), term: snapshot.term }
  const living = new Set<number>([...cluster.topics()].flatMap((topic) => topic.groups))
  for (const section of snapshot.sections) {
    if (!living.has(section.group)) continue
    if (section.kind === 'coordinator') {
      loaded.coordinators.set(section.group, { appliedIndex: section.appliedIndex, bytes: section.bytes })
      continue
    }
    const state = PartitionState.decode(section.bytes, section.appliedIndex)
    if (typeof state === 'string')
      throw new OpError('corrupt', { code: 'GROUP_SNAPSHOT_UNKNOWN', detail: `group ${section.group}: ${state}` })
    loaded.partitions.set(section.group, { state, streamedIndex: section.appliedIndex })
  }
  addNewPartitions(loaded, cluster)
  return loaded
}

/** Partitions that were created since start empty. */
export function addNewPartitions(loaded: LoadedGroups, cluster: ClusterState): void {
  for (const topic of cluster.topics()) {
    topic.groups.forEach((group, index) => {
      if (!loaded.partitions.has(group))
        loaded.partitions.set(group, { state: new PartitionState(topic.id, index), streamedIndex: 0 })
    })
  }
}

export async function loadGroups(
  world: LoadWorld,
  loaded: LoadedGroups,
  objects: readonly WriterObject[],
  report: RecoveryReport,
): Promise<void> {
  for (const head of await heads(world, objects)) {
    if (head.kind === 'entries') report.walObjects += 1
    replayGroupsObject(loaded, head, world.clock.nowMs())
  }
}

export function replayGroupsObject(loaded: LoadedGroups, head: StreamedObjectHead, nowMs: number): void {
  if (head.kind === 'fence') return
  loaded.term = Math.max(loaded.term, head.footer.term)
  replayFooter(loaded, head.footer, { key: head.key, sizeBytes: head.sizeBytes, nowMs })
}

function replayFooter(
  loaded: LoadedGroups,
  footer: StreamFooter,
  object: { readonly key: string; readonly sizeBytes: number; readonly nowMs: number },
): void {
  for (const share of footer.groups) {
    const partition = loaded.partitions.get(groupNumber(share.group))
    // The topic was deleted after these entries were written.
    if (partition === undefined) continue
    const { state } = partition
    for (const entry of share.entries) {
      if (entry.index <= state.lastIndex) continue
      if (entry.index !== state.lastIndex + 1) {
        throw new OpError('corrupt', {
          code: 'GROUP_GAP',
          detail: `${object.key}: entry ${state.lastIndex + 1} of partition ${share.topicId}-${share.partition} is missing, ${entry.index} is there`,
        })
      }
      const contradiction = contradictionOf(state, entry)
      if (contradiction !== undefined) {
        throw new OpError('corrupt', {
          code: 'ENTRY_CONTRADICTS',
          detail: `${object.key}: entry ${entry.index} of partition ${share.topicId}-${share.partition}: ${contradiction}; restore the object from the bucket's versions`,
        })
      }
      if (entry.digest !== undefined) {
        state.replayBatch({ index: entry.index, term: entry.term, digest: entry.digest, nowMs: object.nowMs })
      } else if (entry.payload !== undefined) state.replayControl(entry.index, entry.payload)
    }
    partition.streamedIndex = state.lastIndex
    const extent = extentOf(share.entries, {
      objectKey: object.key,
      objectSizeBytes: object.sizeBytes,
      position: share.position,
      length: share.length,
    })
    if (extent !== undefined) state.addExtent(extent)
  }
}

/** Why the entry cannot follow the state: sound checksums, and yet not what a broker wrote. The state machine asserts the same. */
function contradictionOf(state: PartitionState, entry: StreamedEntry): string | undefined {
  if (entry.digest !== undefined) {
    const { baseOffset } = entry.digest
    return baseOffset === state.endOffset ? undefined : `it begins at offset ${baseOffset}, the log ends at ${state.endOffset}`
  }
  if (entry.payload === undefined) return undefined
  const control = decodeControl(entry.payload)
  if (!control.ok) return control.failure
  if (control.value.kind !== 'segment-published' || state.segments.length === 0) return undefined
  const { segment } = control.value
  if (segment.endOffset <= state.logStartOffset || segment.baseOffset === state.archivedEndOffset) return undefined
  return `segment ${segment.key} does not follow the one that ends at ${state.archivedEndOffset}`
}
