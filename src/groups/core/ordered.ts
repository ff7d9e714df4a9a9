// Owns how the parts of a snapshot stand in order, so that equal states give equal bytes, and how a reader insists on it. Not what they
// are (snapshot.ts, consumer/snapshot.ts).

import type { ByteReader } from '../../protocol/index.ts'

export function ascending<Key extends string | number, Value>(map: ReadonlyMap<Key, Value>): readonly (readonly [Key, Value])[] {
  return [...map].sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0))
}

/** Runs `read` for each element, in what must be strictly ascending order of the keys it returns. */
export function readAscending(r: ByteReader, elementBytesMin: number, read: () => string | number): number {
  const count = r.arrayLength(true, elementBytesMin)
  let previous: string | number | undefined
  for (let left = count; left > 0 && r.failure === undefined; left -= 1) {
    const key = read()
    if (previous !== undefined && key <= previous) r.fail('keys out of order')
    previous = key
  }
  return count
}

export function readNumber(r: ByteReader): number {
  const value = Number(r.int64())
  if (!Number.isSafeInteger(value)) r.fail('a number beyond 2^53')
  return value
}
