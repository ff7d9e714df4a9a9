/** Types of mutants.mjs. */
export interface Mutant {
  readonly name: string
  readonly file: string
  /** Stands in the file exactly once. */
  readonly find: string
  readonly put: string
  /** Where it is looked for; default: everywhere. */
  readonly profile?: string
}
export const mutants: readonly Mutant[]
