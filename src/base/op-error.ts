// Owns the one error class for the world failing (disk, network, store) and for input a caller got wrong. Not for our own
// bugs (assert.ts) nor for expected outcomes, which are plain return values.

/** What the caller should do about it. */
export type OpErrorKind = 'retry' | 'fenced' | 'busy' | 'invalid' | 'missing' | 'corrupt' | 'closed' | 'denied' | 'internal'

export interface OpErrorFacts {
  /** Stable, upper-case, for instance `WAL_FULL` or `BUCKET_UNREACHABLE`. */
  readonly code: string
  /** One sentence: names the thing and the remedy. */
  readonly detail: string
  readonly cause?: unknown
}

export class OpError extends Error {
  override readonly name = 'OpError'
  readonly kind: OpErrorKind
  readonly code: string
  readonly detail: string

  constructor(kind: OpErrorKind, facts: OpErrorFacts) {
    super(`${facts.code}: ${facts.detail}`, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.kind = kind
    this.code = facts.code
    this.detail = facts.detail
  }
}

/** True for an OpError of one of the kinds; anything else must be rethrown by the caller. */
export function isOpError(error: unknown, ...kinds: readonly OpErrorKind[]): error is OpError {
  return error instanceof OpError && (kinds.length === 0 || kinds.includes(error.kind))
}
