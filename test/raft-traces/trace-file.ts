/** Owns what a trace file holds: recordings of a reference Raft under scripts, and vectors of quorums and membership changes. */

export type TraceArg = string | readonly [string, readonly string[]]

export interface TraceCommand {
  readonly i: number
  readonly line?: number
  readonly cmd: string
  readonly args: readonly TraceArg[]
  readonly input?: string
  readonly err?: string
  readonly events?: readonly object[]
  /** Per node the keys that changed since the previous command. */
  readonly state?: Readonly<Record<string, object>>
  readonly net: number
}

export interface Trace {
  readonly format: 'raft-trace/1'
  readonly mode: 'etcd' | 'extended'
  readonly commands: readonly TraceCommand[]
}

export interface QuorumCase {
  readonly op: 'committed' | 'vote'
  readonly voters: readonly number[]
  readonly outgoing: readonly number[] | null
  readonly acks?: Readonly<Record<string, number>>
  readonly votes?: Readonly<Record<string, boolean>>
  readonly result: number | string
}

export interface ChangeStep {
  readonly op: 'simple' | 'enter-joint' | 'leave-joint'
  readonly autoLeave?: boolean
  readonly changes: readonly string[]
  readonly lastIndex: number
  readonly err?: string
  readonly conf?: object
  readonly progress?: readonly object[]
}

export type TraceFile =
  | Trace
  | { readonly format: 'quorum-vectors/1'; readonly cases: readonly QuorumCase[] }
  | { readonly format: 'confchange-vectors/1'; readonly cases: readonly ChangeStep[] }
  | { readonly format: 'confchange-sequences/1'; readonly cases: ReadonlyArray<{ readonly steps: readonly ChangeStep[] }> }

/** Arguments by their kind: bare ones in order, the others by name. */
export function argsOf({ args }: Pick<TraceCommand, 'args'>): {
  readonly bare: readonly string[]
  readonly named: ReadonlyMap<string, readonly string[]>
} {
  const bare = args.filter((arg): arg is string => typeof arg === 'string')
  const named = new Map(args.filter((arg) => typeof arg !== 'string'))
  return { bare, named }
}
