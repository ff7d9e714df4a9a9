// Owns how damage to a segment is told: one code, naming the object, the range and what is wrong. Not what happens then (the
// caller quarantines it).

import { OpError } from '../../src/base/op-error.ts'

export function segmentCorrupt(key: string, range: { readonly start: number; readonly end: number }, what: string): OpError {
  return new OpError('corrupt', { code: 'SEGMENT_CORRUPT', detail: `${key}, bytes ${range.start} to ${range.end}: ${what}` })
}
