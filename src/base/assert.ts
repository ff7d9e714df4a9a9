// Owns the one way our own bugs surface: an assertion that stays on in production. Not for bad input or a failing world;
// those are outcomes (outcome.ts) or OpError (op-error.ts).

/** Thrown when the code itself is wrong. Nothing catches it: the process dies with a dump. */
export class AssertionFailed extends Error {
  override readonly name = 'AssertionFailed'
}

/**
 * States what must hold here. `invariant` is the short name of a documented invariant (for instance `WAL-2`) or a sentence.
 */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new AssertionFailed(invariant)
}

/** Narrows away `undefined` and `null` where the surrounding logic guarantees a value. */
export function assertDefined<T>(value: T | undefined | null, invariant: string): T {
  if (value === undefined || value === null) throw new AssertionFailed(invariant)
  return value
}

/** The last branch of an exhaustive switch. */
export function assertNever(value: never, invariant: string): never {
  throw new AssertionFailed(`${invariant}: ${String(value)}`)
}
