// Owns the text of a point in time that somebody else told: ISO 8601 in UTC, and back. Not what time it is (clock.ts).

/** 1767225600000 becomes `2026-01-01T00:00:00.000Z`. */
export function isoTime(atMs: number): string {
  // Pure: a Date made from a given number asks no clock.
  // eslint-disable-next-line no-restricted-globals
  return new Date(atMs).toISOString()
}

/** Of any text that names a point in time whole, with its zone; NaN for one that does not. */
export function atMsOf(text: string): number {
  // Pure, as above.
  // eslint-disable-next-line no-restricted-globals
  return Date.parse(text)
}

/** For libraries that take nothing else. */
export function dateAt(atMs: number): Date {
  // Pure, as above.
  // eslint-disable-next-line no-restricted-globals
  return new Date(atMs)
}
