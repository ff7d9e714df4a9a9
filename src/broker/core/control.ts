// Owns the control entries of a partition's log: changes of its own state that take no offset. Not their effect
// (partition-state.ts).
//
//   kind u8 · version u8 · then   segment-published: the segment's facts (tiers/segment)      log-start: offset u64
//     segments-replaced: facts of the new segment, with their length as uvarint + 1 · cleaned end offset i64 · count uvarint
//                        · of each segment replaced: base offset i64, leader epoch i32, attempt u16

import { fail, type Outcome, succeed } from '../../base/outcome.ts'
import { leaderEpoch, offset, type Offset } from '../../model/ids.ts'
import { ByteReader, ByteWriter } from '../../protocol/index.ts'
import { decodeSegmentFacts, encodeSegmentFacts, type SegmentFacts } from '../../../tiers/segment/core/index.ts'

export type ControlEntry =
  | { readonly kind: 'segment-published'; readonly segment: SegmentFacts }
  /** Records before `offset` are gone; segments that end at or before it are forgotten. */
  | { readonly kind: 'log-start'; readonly offset: Offset }
  /** Compaction has written neighbouring segments anew as one. It has no effect where these are not the log's any more. */
  | {
      readonly kind: 'segments-replaced'
      readonly replaced: readonly ReplacedSegment[]
      readonly segment: SegmentFacts
      /** Up to here every record has been looked at. */
      readonly cleanedEndOffset: number
    }

/** What tells a segment from all others of its partition. */
export type ReplacedSegment = Pick<SegmentFacts, 'baseOffset' | 'leaderEpoch' | 'attempt'>

const version = 1
const codes = { 'segment-published': 1, 'log-start': 2, 'segments-replaced': 3 } as const

export function encodeControl(entry: ControlEntry): Uint8Array {
  const w = new ByteWriter()
  w.int8(codes[entry.kind])
  w.int8(version)
  if (entry.kind === 'segment-published') w.raw(encodeSegmentFacts(entry.segment))
  else if (entry.kind === 'log-start') w.int64(BigInt(entry.offset))
  else writeReplacement(w, entry)
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
  if (code === codes['segments-replaced']) return readReplacement(r)
  if (code !== codes['segment-published']) return fail(`a control entry of unknown kind ${code}`)
  const segment = decodeSegmentFacts(bytes.subarray(r.position))
  return segment.ok ? succeed({ kind: 'segment-published', segment: segment.value }) : segment
}

type Replacement = Extract<ControlEntry, { kind: 'segments-replaced' }>

function writeReplacement(w: ByteWriter, { segment, cleanedEndOffset, replaced }: Replacement): void {
  w.bytesField(encodeSegmentFacts(segment), true)
  w.int64(BigInt(cleanedEndOffset))
  w.uvarint(replaced.length)
  for (const one of replaced) {
    w.int64(BigInt(one.baseOffset))
    w.int32(one.leaderEpoch)
    w.uint16(one.attempt)
  }
}

function readReplacement(r: ByteReader): Outcome<Replacement, string> {
  const segment = decodeSegmentFacts(r.bytesField(true))
  const cleanedEndOffset = Number(r.int64())
  const replaced: ReplacedSegment[] = []
  for (let left = r.uvarint(); left > 0 && r.failure === undefined; left -= 1)
    replaced.push({ baseOffset: offset(Number(r.int64())), leaderEpoch: leaderEpoch(r.int32()), attempt: r.uint16() })
  if (r.failure !== undefined) return fail(r.failure)
  return segment.ok ? succeed({ kind: 'segments-replaced', replaced, segment: segment.value, cleanedEndOffset }) : segment
}
