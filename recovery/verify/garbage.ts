// Owns telling garbage from what a start may need, with the sweeper's eyes (UPKEEP-1, UPKEEP-2). Deletes nothing.

import type { Findings } from './findings.ts'
import type { Inventory, NumberedObject } from './inventory.ts'

export interface Needs {
  readonly life: number
  readonly referred: ReadonlySet<string>
  /** By prefix of the newest life's writers: the first number that a snapshot which is kept needs. */
  readonly neededFrom: ReadonlyMap<string, number>
  /** False: what the log refers to is not all known, so nothing of the data is called garbage. */
  readonly isComplete: boolean
}

export function reportGarbage(inventory: Inventory, needs: Needs, findings: Findings): void {
  for (const object of inventory.strays) findings.garbage('STRAY', object, 'nothing of ours is called so')
  for (const object of inventory.probes) findings.garbage('PROBE', object, 'left by a start that was cut off')
  if (!needs.isComplete && needs.life === 0) return
  if (!needs.isComplete) {
    findings.note('GARBAGE_UNKNOWN', '', 'damage hides what is still referred to', 'mend the damage, then look again')
    return
  }
  for (const object of inventory.segments)
    if (!needs.referred.has(object.key)) findings.garbage('SEGMENT_UNREFERENCED', object, 'no partition refers to this segment')
  for (const [prefix, objects] of inventory.snapshots) {
    if (lifeOf(prefix) >= needs.life) continue
    for (const object of objects) findings.garbage('OLD_LIFE', object, 'a snapshot of a life that is over')
  }
  for (const [prefix, objects] of inventory.writers) reportWriter({ prefix, objects }, needs, findings)
}

function reportWriter(
  { prefix, objects }: { readonly prefix: string; readonly objects: readonly NumberedObject[] },
  needs: Needs,
  findings: Findings,
): void {
  // The fence stands at the last number of a writer that was ended; it stays for ever.
  const last = objects.at(-1)?.sequence ?? 0
  const from = lifeOf(prefix) < needs.life ? last : (needs.neededFrom.get(prefix) ?? 0)
  for (const object of objects) {
    if (object.sequence < from && !needs.referred.has(object.key))
      findings.garbage('WAL_OBJECT_UNREFERENCED', object, 'all in it is covered by snapshots and segments')
  }
}

const lifeOf = (prefix: string): number => Number(/\d{10}/.exec(prefix)?.[0] ?? 0)
