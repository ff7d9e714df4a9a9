// Owns loading the newest life as a cold start would, through the same code, and naming everything that would stop or mislead it. Not
// what the loaded state refers to (references.ts).

import { isOpError } from '../../src/base/op-error.ts'
import { lifeNumber, nodeId, type NodeId } from '../../src/model/ids.ts'
import type { Snapshot } from '../../tiers/snapshot/index.ts'
import { decodeSnapshot } from '../../tiers/snapshot/index.ts'
import { groupSnapshotPrefix, metadataSnapshotPrefix, metadataWalPrefix, walPrefix } from '../../tiers/stream/index.ts'
import type { OpenRecord } from '../core/life-records.ts'
import { type WriterEnd, writerEnd } from '../fence.ts'
import {
  groupsFrom,
  type LoadedGroups,
  type LoadedMetadata,
  type LoadWorld,
  metadataFrom,
  replayGroupsObject,
  replayMetadataObject,
} from '../stages/load-bucket.ts'
import { type Findings, fromVersions } from './findings.ts'
import type { Inventory } from './inventory.ts'
import type { WalObjects } from './wal-objects.ts'

/** `stream.uploads-in-flight-max` is at most this: a killed writer leaves no more objects beyond a gap. */
const uploadsInFlightMax = 64

export interface LoadedState {
  readonly metadata: LoadedMetadata
  readonly groups: LoadedGroups
  /** False when damage stopped the replay: what lies beyond is not known. */
  readonly isComplete: boolean
}

export interface KeptSnapshots {
  readonly newest: Snapshot | undefined
  /** The first object that the oldest of them needs. */
  readonly neededFrom: number
}

export interface NewestLife {
  readonly source: OpenRecord
  readonly isClosed: boolean
  readonly inventory: Inventory
  readonly objects: WalObjects
  readonly findings: Findings
}

/** Every snapshot under the prefix is decoded; the newest that verifies counts. */
export async function checkSnapshots(world: LoadWorld, life: NewestLife, prefix: string): Promise<KeptSnapshots> {
  const { inventory, findings } = life
  const listed = inventory.snapshots.get(prefix) ?? []
  let newest: Snapshot | undefined
  let neededFrom = Infinity
  let damaged = 0
  for (const { key } of listed) {
    const decoded = decodeSnapshot(await world.store.get(key), world.crc32c)
    if (decoded.ok) {
      newest = decoded.value
      neededFrom = Math.min(neededFrom, decoded.value.replayFrom)
      continue
    }
    damaged += 1
    findings.damage(
      'SNAPSHOT_DAMAGED',
      key,
      decoded.failure,
      'restore or delete it: a start falls back to an older one that verifies',
    )
  }
  if (newest === undefined && damaged === 0) findings.damage('SNAPSHOT_MISSING', prefix, 'a life that serves has one')
  else if (newest === undefined)
    findings.damage('NO_SNAPSHOT', prefix, 'none verifies: no node can start from this bucket', fromVersions)
  return { newest, neededFrom: newest === undefined ? 0 : neededFrom }
}

/** What stands in a writer's sequence from where it is needed on; a gap is named. */
export function checkWriter(life: NewestLife, prefix: string, from: number): WriterEnd {
  const { inventory, findings, isClosed } = life
  const end = writerEnd(inventory.writers.get(prefix) ?? [], from)
  const beyond = end.beyondGap.length
  if (beyond === 0) return end
  const key = `${prefix}${String(end.next).padStart(16, '0')}`
  const what = `it is missing, ${beyond} later objects are there`
  if (isClosed) findings.damage('WAL_GAP', key, `${what}, and the node had stopped in order`)
  else if (beyond > uploadsInFlightMax) findings.damage('WAL_GAP', key, `${what}, more than a writer has under way at a time`)
  else
    findings.note(
      'WAL_TAIL_LOOSE',
      key,
      `${what}: the writer was killed while it stored them, so that they never counted; or this one was deleted`,
      'nothing, if the node was killed; the next cold start cuts here',
    )
  return end
}

/** The state after everything the bucket holds; undefined when there is nothing to start from. */
export async function loadNewestLife(
  world: LoadWorld,
  life: NewestLife,
): Promise<{ readonly state: LoadedState; readonly needed: ReadonlyMap<string, number> } | undefined> {
  const number = lifeNumber(life.source.life)
  const nodes: readonly NodeId[] = life.source.nodes.map(nodeId)
  const first = nodes[0] ?? nodeId(0)
  const metadataSnapshots = await checkSnapshots(world, life, metadataSnapshotPrefix(number))
  const groupSnapshots = await checkSnapshots(world, life, groupSnapshotPrefix(number, first))
  const needed = new Map([
    [metadataWalPrefix(number), metadataSnapshots.neededFrom],
    ...nodes.map((node) => [walPrefix(number, node), groupSnapshots.neededFrom] as const),
  ])
  const ends = new Map([...needed].map(([prefix, from]) => [prefix, checkWriter(life, prefix, from)] as const))
  if (metadataSnapshots.newest === undefined || groupSnapshots.newest === undefined) return undefined
  const state = await replay(world, life, {
    metadata: metadataSnapshots.newest,
    groups: groupSnapshots.newest,
    metadataObjects: keysOf(ends.get(metadataWalPrefix(number))),
    groupObjects: nodes.flatMap((node) => keysOf(ends.get(walPrefix(number, node)))),
  })
  return state === undefined ? undefined : { state, needed }
}

const keysOf = (end: WriterEnd | undefined): readonly string[] => end?.objects.map((object) => object.key) ?? []

async function replay(
  world: LoadWorld,
  life: NewestLife,
  from: {
    readonly metadata: Snapshot
    readonly groups: Snapshot
    readonly metadataObjects: readonly string[]
    readonly groupObjects: readonly string[]
  },
): Promise<LoadedState | undefined> {
  let isComplete = true
  let metadata: LoadedMetadata
  let groups: LoadedGroups
  try {
    metadata = metadataFrom(from.metadata)
    isComplete &&= await replayAll(life, from.metadataObjects, (head) => {
      replayMetadataObject(metadata, head)
    })
    groups = groupsFrom(from.groups, metadata.cluster)
  } catch (error) {
    if (!isOpError(error, 'corrupt')) throw error
    life.findings.damage(error.code, metadataSnapshotPrefix(lifeNumber(life.source.life)), error.detail)
    return undefined
  }
  isComplete =
    (await replayAll(life, from.groupObjects, (head) => {
      replayGroupsObject(groups, head, world.clock.nowMs())
    })) && isComplete
  return { metadata, groups, isComplete }
}

type Head = Parameters<typeof replayMetadataObject>[1]

/** Objects that only an older snapshot needs were applied already: replaying them changes nothing. */
async function replayAll(life: NewestLife, keys: readonly string[], apply: (head: Head) => void): Promise<boolean> {
  const heads = await Promise.all(keys.map((key) => life.objects.check(key)))
  for (const [at, head] of heads.entries()) {
    // Its damage was named when it was checked.
    if (head === undefined) return false
    if (head.kind === 'fence') {
      life.findings.note(
        'LIFE_FENCED',
        head.key,
        `life ${head.fence.byLife} has ended this writer and has not begun to serve`,
        'start a node: it finishes the cold start',
      )
      return true
    }
    try {
      apply(head)
    } catch (error) {
      if (!isOpError(error, 'corrupt')) throw error
      life.findings.damage(error.code, keys[at] ?? '', error.detail)
      return false
    }
  }
  return true
}
