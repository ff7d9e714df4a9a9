// Owns which assignors there are. Not their rules (uniform.ts, range.ts) nor what becomes of the answer (targets.ts).

import type { AssignorAsk } from './assignor-ask.ts'
import type { Partitions } from './partitions.ts'
import { assignRange } from './range.ts'
import { assignUniform } from './uniform.ts'

export type Assignor = (ask: AssignorAsk) => ReadonlyMap<string, Partitions>

export type AssignorName = 'uniform' | 'range'

export const assignors: Readonly<Record<AssignorName, Assignor>> = { uniform: assignUniform, range: assignRange }

export function isAssignorName(name: string): name is AssignorName {
  return Object.hasOwn(assignors, name)
}
