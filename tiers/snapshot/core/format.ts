// Owns the bytes of a snapshot object: the state of many groups at one moment, each as its owner encoded it. Not what a section
// means, nor when a snapshot is taken.
//
//   magic "CHRKSNAP" · version u16 · compression u16 (0 none) · life u32 · node u32 · term u32 · replay-from u64 · created ms u64
//   section count u32, then per section: group u32 · kind u8 · applied index u64 · length u32 · bytes
//   CRC32C u32 over all before
//
// `replay-from` is the number of the first WAL object that may hold entries this snapshot does not cover.

import type { Crc32c } from '../../../src/base/crc32c.ts'
import { fail, type Outcome, succeed } from '../../../src/base/outcome.ts'
import { groupNumber, type GroupNumber, leaderEpoch, type LeaderEpoch, logIndex, type LogIndex } from '../../../src/model/ids.ts'
import { ByteReader, ByteWriter } from '../../../src/protocol/index.ts'

export const snapshotFormatVersion = 1
const magic = 'CHRKSNAP'
const crcBytes = 4

/** `log`: a partition's or the metadata machine's own state. `coordinator`: a group coordinator's view of that partition. */
export type SectionKind = 'log' | 'coordinator'
const kindCodes: Readonly<Record<SectionKind, number>> = { log: 1, coordinator: 2 }

export interface SnapshotSection {
  readonly group: GroupNumber
  readonly kind: SectionKind
  /** The state is that after the entry at this index. */
  readonly appliedIndex: LogIndex
  readonly bytes: Uint8Array
}

export interface Snapshot {
  readonly life: number
  readonly node: number
  readonly term: LeaderEpoch
  readonly replayFrom: number
  readonly createdMs: number
  readonly sections: readonly SnapshotSection[]
}

export function encodeSnapshot(snapshot: Snapshot, crc32c: Crc32c): Uint8Array {
  const w = new ByteWriter()
  for (let at = 0; at < magic.length; at += 1) w.int8(magic.charCodeAt(at))
  w.uint16(snapshotFormatVersion)
  w.uint16(0)
  w.uint32(snapshot.life)
  w.uint32(snapshot.node)
  w.uint32(snapshot.term)
  w.int64(BigInt(snapshot.replayFrom))
  w.int64(BigInt(snapshot.createdMs))
  w.uint32(snapshot.sections.length)
  for (const section of snapshot.sections) {
    w.uint32(section.group)
    w.int8(kindCodes[section.kind])
    w.int64(BigInt(section.appliedIndex))
    w.uint32(section.bytes.length)
    w.raw(section.bytes)
  }
  const body = w.concat()
  const whole = new Uint8Array(body.length + crcBytes)
  whole.set(body)
  new DataView(whole.buffer).setUint32(body.length, crc32c(body))
  return whole
}

function readSection(r: ByteReader): SnapshotSection | undefined {
  const group = groupNumber(r.uint32())
  const code = r.int8()
  const appliedIndex = logIndex(Number(r.int64()))
  const bytes = r.raw(r.uint32())
  if (code === kindCodes.log) return { group, kind: 'log', appliedIndex, bytes }
  if (code === kindCodes.coordinator) return { group, kind: 'coordinator', appliedIndex, bytes }
  r.fail(`unknown section kind ${code}`)
  return undefined
}

export function decodeSnapshot(bytes: Uint8Array, crc32c: Crc32c): Outcome<Snapshot, string> {
  const end = bytes.length - crcBytes
  if (end < 0) return fail('too short for a snapshot')
  for (let at = 0; at < magic.length; at += 1) if (bytes[at] !== magic.charCodeAt(at)) return fail('not a snapshot')
  const stated = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(end)
  if (crc32c(bytes.subarray(0, end)) !== stated) return fail('the snapshot does not match its checksum')
  const r = new ByteReader(bytes, magic.length, end)
  const version = r.uint16()
  if (version !== snapshotFormatVersion) return fail(`format version ${version}, this build reads ${snapshotFormatVersion}`)
  r.uint16()
  const head = {
    life: r.uint32(),
    node: r.uint32(),
    term: leaderEpoch(r.uint32()),
    replayFrom: Number(r.int64()),
    createdMs: Number(r.int64()),
  }
  const sections: SnapshotSection[] = []
  for (let left = r.uint32(); left > 0 && r.failure === undefined; left -= 1) {
    const section = readSection(r)
    if (section !== undefined) sections.push(section)
  }
  return r.failure === undefined ? succeed({ ...head, sections }) : fail(r.failure)
}
