// Owns `bucket verify`: proving a bucket whole with no broker running, reading only (B4). Loads as a cold start does, through the same
// code; then looks at everything the loaded state refers to. Safe beside a running broker: what looks like damage is looked at again.
//
//   list -> lives, fences -> snapshots -> sequences -> replay -> coverage, segments, extents -> garbage

import type { Clock } from '../../src/base/clock.ts'
import { sleep } from '../../src/base/clock.ts'
import type { Crc32c } from '../../src/base/crc32c.ts'
import { isOpError } from '../../src/base/op-error.ts'
import type { ObjectStore } from '../../tiers/ports.ts'
import { Findings, type VerifyReport } from './findings.ts'
import { reportGarbage } from './garbage.ts'
import { takeInventory } from './inventory.ts'
import { checkLives } from './life-chain.ts'
import { loadNewestLife, type NewestLife } from './load-state.ts'
import { checkReferences } from './references.ts'
import { WalObjects } from './wal-objects.ts'

export interface VerifyWorld {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly crc32c: Crc32c
  /** Steps done, and how many are known of: both grow. */
  readonly onProgress: (done: number, total: number) => void
}

export interface VerifyOptions {
  /** Read all data and check every batch. Else only what names and describes it. */
  readonly deep: boolean
}

/** A broker that is at work may have deleted or stored something between two of our requests: its next second tells. */
const secondLookAfterMs = 2000

/** Damage is a finding. Throws only what the store throws when the world fails. */
export async function verifyBucket(world: VerifyWorld, options: VerifyOptions): Promise<VerifyReport> {
  const first = await look(world, options)
  if (first.report.isWhole || first.isClosed) return first.report
  await sleep(world.clock, secondLookAfterMs)
  const second = await look(world, options)
  const before = new Set(first.report.findings.map(({ code, key }) => `${code} ${key}`))
  const lasting = new Findings()
  Object.assign(lasting.totals, second.report.totals, { damaged: 0 })
  for (const finding of second.report.findings) {
    if (finding.severity !== 'damage') lasting.list.push(finding)
    else if (before.has(`${finding.code} ${finding.key}`))
      lasting.damage(finding.code, finding.key, finding.detail, finding.remedy)
  }
  return lasting.report()
}

async function look(
  world: VerifyWorld,
  { deep }: VerifyOptions,
): Promise<{ readonly report: VerifyReport; readonly isClosed: boolean }> {
  const { store, onProgress } = world
  const findings = new Findings()
  const steps = { done: 0, total: 0 }
  const onStep = (): void => {
    steps.done += 1
    onProgress(steps.done, Math.max(steps.done, steps.total))
  }
  const inventory = await takeInventory(store, (count) => {
    onProgress(0, count)
  })
  findings.totals.objects = inventory.all.size
  findings.totals.bytes = inventory.bytes
  steps.total = inventory.segments.length + [...inventory.writers.values()].reduce((sum, objects) => sum + objects.length, 0)
  const { source, isClosed } = await checkLives(store, inventory, findings)
  if (source === undefined) {
    reportGarbage(inventory, { life: 0, referred: new Set(), neededFrom: new Map(), isComplete: false }, findings)
    return { report: findings.report(), isClosed: true }
  }
  const objects = new WalObjects(world, findings, { deep, onObject: onStep })
  const life: NewestLife = { source, isClosed, inventory, objects, findings }
  const loaded = await loadOrRetell(world, life)
  const referred =
    loaded === undefined
      ? new Set<string>()
      : await checkReferences({ world, inventory, findings, objects, depth: { deep }, onSegment: onStep }, loaded.state)
  const isComplete = loaded?.state.isComplete ?? false
  reportGarbage(inventory, { life: source.life, referred, neededFrom: loaded?.needed ?? new Map(), isComplete }, findings)
  onProgress(steps.done, steps.done)
  return { report: findings.report(), isClosed }
}

/** A snapshot that was listed may be gone when it is read: a running broker drops the oldest. */
async function loadOrRetell(world: VerifyWorld, life: NewestLife): ReturnType<typeof loadNewestLife> {
  try {
    return await loadNewestLife(world, life)
  } catch (error) {
    if (!isOpError(error, 'missing')) throw error
    life.findings.damage('OBJECT_VANISHED', '', error.detail, 'look again')
    return undefined
  }
}
