// Owns the shape of a rule between settings. The rules are in relations.ts and security-relations.ts.

import type { SettingKey, Settings } from './schema.ts'

export interface Relation {
  readonly about: readonly SettingKey[]
  /** The breach and its remedy, or undefined when it holds. */
  readonly breach: (settings: Settings) => string | undefined
}
