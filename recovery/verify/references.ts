// Owns proving that what the loaded state says of the bucket is true: every offset held, every segment and extent there and sound; and
// naming what nobody refers to.

import { default as PQueue } from 'p-queue'
import { isOpError } from '../../src/base/op-error.ts'
import type { PartitionState } from '../../src/broker/core/index.ts'
import { readSegmentFacts, type SegmentFacts, verifySegment } from '../../tiers/segment/index.ts'
import type { Extent } from '../../tiers/stream/index.ts'
import type { LoadWorld } from '../stages/load-bucket.ts'
import { coverageOf } from './coverage.ts'
import type { Findings } from './findings.ts'
import type { Inventory } from './inventory.ts'
import type { LoadedState } from './load-state.ts'
import type { Depth, WalObjects } from './wal-objects.ts'

const segmentsAtOnce = 4

export interface ReferenceCheck {
  readonly world: LoadWorld
  readonly inventory: Inventory
  readonly findings: Findings
  readonly objects: WalObjects
  readonly depth: Depth
  readonly onSegment: () => void
}

/** Answers the keys that are referred to. */
export async function checkReferences(check: ReferenceCheck, state: LoadedState): Promise<ReadonlySet<string>> {
  const { findings } = check
  const referred = new Set<string>()
  const queue = new PQueue({ concurrency: segmentsAtOnce })
  const work: Array<Promise<void>> = []
  for (const topic of state.metadata.cluster.topics()) {
    findings.totals.topics += 1
    for (const [index, group] of topic.groups.entries()) {
      const partition = state.groups.partitions.get(group)?.state
      if (partition === undefined) continue
      const name = `${topic.name}-${index}`
      findings.totals.partitions += 1
      findings.totals.records += partition.endOffset - partition.logStartOffset
      checkCoverage(findings, name, partition)
      for (const segment of partition.segments) {
        referred.add(segment.key)
        work.push(queue.add(() => checkSegment(check, name, segment)))
      }
      for (const extent of partition.extents) {
        referred.add(extent.objectKey)
        work.push(checkExtent(check, name, { extent, state: partition }))
      }
    }
  }
  await Promise.all(work)
  return referred
}

function checkCoverage(findings: Findings, name: string, state: PartitionState): void {
  const { holes, doubled } = coverageOf(state)
  const first = state.segments[0]?.key ?? state.extents[0]?.objectKey ?? `segments/${state.topicId}/${state.index}/`
  for (const { startOffset, endOffset } of holes)
    findings.damage('OFFSETS_MISSING', first, `offsets ${startOffset} to ${endOffset} of ${name} are in no object`)
  for (const { startOffset, endOffset } of doubled)
    findings.damage('OFFSETS_DOUBLED', first, `offsets ${startOffset} to ${endOffset} of ${name} are in two segments`)
}

async function checkSegment(check: ReferenceCheck, name: string, facts: SegmentFacts): Promise<void> {
  const { world, findings, depth, onSegment } = check
  const { key } = facts
  const which = `of ${name}, offsets ${facts.baseOffset} to ${facts.endOffset}`
  try {
    findings.totals.segments += 1
    const sizeBytes = await sizeOf(check, key)
    if (sizeBytes !== facts.sizeBytes) {
      findings.damage('SEGMENT_DAMAGED', key, `the segment ${which}, has ${sizeBytes} bytes, not ${facts.sizeBytes}`)
      return
    }
    const found = await readSegmentFacts(world.store, key, world.crc32c)
    if (found.trailerCrc32c !== facts.trailerCrc32c)
      findings.damage('SEGMENT_DAMAGED', key, `it is sound, but not the segment ${which} that the log names`)
    if (!depth.deep) return
    const { findings: inside, findingCount, bytesRead } = await verifySegment(world.store, key, world.crc32c)
    findings.totals.bytesRead += bytesRead
    for (const one of inside)
      findings.damage('SEGMENT_DAMAGED', key, `the segment ${which}, bytes ${one.start} to ${one.end}: ${one.detail}`)
    if (findingCount > inside.length)
      findings.damage('SEGMENT_DAMAGED', key, `the segment ${which}, has ${findingCount - inside.length} more such places`)
  } catch (error) {
    if (!isOpError(error, 'missing', 'corrupt')) throw error
    if (error.kind === 'missing') findings.damage('SEGMENT_MISSING', key, `the segment ${which}, is not there`)
    else findings.damage('SEGMENT_DAMAGED', key, `the segment ${which}: ${error.detail}`)
  } finally {
    onSegment()
  }
}

/** What was stored after the listing had passed its place is asked for by name. */
async function sizeOf({ world, inventory }: ReferenceCheck, key: string): Promise<number> {
  return inventory.all.get(key)?.sizeBytes ?? (await world.store.head(key)).sizeBytes
}

async function checkExtent(
  check: ReferenceCheck,
  name: string,
  { extent, state }: { readonly extent: Extent; readonly state: PartitionState },
): Promise<void> {
  const { objects, findings } = check
  const key = extent.objectKey
  const head = await objects.check(key)
  if (head === undefined) return
  const which = `offsets ${extent.baseOffset} to ${extent.endOffset} of ${name}`
  if (head.kind === 'fence') {
    findings.damage('EXTENT_WRONG', key, `it should hold ${which}, and is a fence`)
    return
  }
  if (head.sizeBytes !== extent.objectSizeBytes) {
    findings.damage(
      'EXTENT_WRONG',
      key,
      `it holds ${which} and should have ${extent.objectSizeBytes} bytes, not ${head.sizeBytes}`,
    )
  }
  const run = head.footer.groups.find((group) => group.position === extent.position && group.length === extent.length)
  const batches = run?.entries.flatMap((entry) => entry.digest ?? []) ?? []
  const isOurs =
    run?.topicId === state.topicId &&
    run.partition === state.index &&
    batches[0]?.baseOffset === extent.baseOffset &&
    batches.at(-1)?.endOffset === extent.endOffset
  if (!isOurs) findings.damage('EXTENT_WRONG', key, `it should hold ${which} at byte ${extent.position}, and does not`)
}
