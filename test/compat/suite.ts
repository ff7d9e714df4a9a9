// Owns what a client's own suite is to whoever runs it: its name, how it gets here, what it needs of a broker, and what came of it.

export type Outcome = 'passed' | 'failed' | 'skipped'

/** By the suite's own name of each test. */
export type Results = ReadonlyMap<string, Outcome>

export interface Suite {
  readonly name: string
  /** What it is, in which version, and where from. */
  readonly about: string
  /** What a broker must be configured with for it, of ours and of Apache Kafka. */
  readonly chronikArgs: readonly string[]
  readonly kafkaOverrides: Readonly<Record<string, string>>
  /** Tests that are not run, or may fail here, each with its reason; a name ends with `*` for all that begin so. */
  readonly excluded: ReadonlyArray<readonly [name: string, because: string]>
  install(): Promise<void>
  run(order: { readonly port: number; readonly only?: string; readonly onLine?: (line: string) => void }): Promise<Results>
}

export const exclusionOf = (suite: Suite, test: string): string | undefined =>
  suite.excluded.find(([name]) => (name.endsWith('*') ? test.startsWith(name.slice(0, -1)) : test === name))?.[1]
