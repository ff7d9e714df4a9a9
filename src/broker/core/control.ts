// Owns the control entries of a partition's log: changes of its own state that take no offset. Not their effect
// (partition-state.ts).
//
//   kind u8 · version u8 · then   segment-published: the segment's facts (tiers/segment)      log-start: offset u64

import { fail, type Outcome, succeed } from '../../base/outcome.ts'
import { offset, type Offset } from '../../model/ids.ts'
import { ByteReader, ByteWriter } from '../../protocol/index.ts'
import { decodeSegmentFacts, encodeSegmentFacts, type SegmentFacts } from '../../../tiers/segment/core/index.ts'

export type ControlEntry =
  | { readonly kind: 'segment-published'; readonly segment: SegmentFacts }
  /** Records before `offset` are gone; segments that end at or before it are forgotten. */
  | { readonly kind: 'log-start'; readonly offset: Offset }

const version = 1
const codes = { 'segment-published': 1, 'log-start': 2 } as const

export function encodeControl(entry: ControlEntry): Uint8Array {
  const w = new ByteWriter()
  w.int8(codes[entry.kind])
  w.int8(version)
  if (entry.kind === 'segment-published') w.raw(encodeSegmentFacts(entry.segment))
  else w.int64(BigInt(entry.offset))
  return w.concat()
}

export function decodeControl(bytes: Uint8Array): Outcome<ControlEntry, string> {
  const r = new ByteReader(bytes)
  const code = r.int8()
  const found = r.int8()
  if (found !== version) return fail(`a control entry of version ${found}, this build reads ${version}`)
  if (code === codes['log-start']) {
    const at = Number(r.int64())
    return r.failure === undefined ? succeed({ kind: 'log-start', offset: offset(at) }) : fail(r.failure)
  }
  if (code !== codes['segment-published']) return fail(`a control entry of unknown kind ${code}`)
  const segment = decodeSegmentFacts(bytes.subarray(r.position))
  return segment.ok ? succeed({ kind: 'segment-published', segment: segment.value }) : segment
}
