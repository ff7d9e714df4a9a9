// Owns the bytes of what Raft itself puts into the WAL, in frames of kind `node`, and of what messages carry of it: format version 1.
//
//   hard state    group, term; index 0          u8 1, u32 vote, u64 commit
//   snapshot      group, term, index 0          u8 2, u64 index, configuration, u32 length, pointer
//   boot          group 0; index 0              u8 3, u32 boot
//   first entry   group, term, index            u8 4
//   change        group, term, index            u8 5, u8 transition, u16 count, count × (u8 kind, u32 node)
//
//   configuration                               4 × (u16 count, count × u32 node): voters, outgoing, learners, next; u8 autoLeave

import { fail, type Outcome, succeed } from '../../base/outcome.ts'
import { ByteReader, ByteWriter } from '../../protocol/index.ts'
import type { Configuration, MembershipChange, NodeChange, RaftSnapshot } from '../core/index.ts'

export type NodeFrame =
  | { readonly kind: 'hard'; readonly vote: number; readonly commit: number }
  | { readonly kind: 'snapshot'; readonly snapshot: RaftSnapshot }
  | { readonly kind: 'boot'; readonly boot: number }
  | { readonly kind: 'first' }
  | { readonly kind: 'change'; readonly change: MembershipChange }

const codes = { hard: 1, snapshot: 2, boot: 3, first: 4, change: 5 } as const
const transitions = ['auto', 'implicit', 'explicit'] as const
const changeKinds = ['voter', 'learner', 'remove', 'update'] as const
const wordRange = 2 ** 32
/** Of one list of nodes, or of changes: far beyond any cluster. */
const listMax = 1024

const begun = (kind: keyof typeof codes): ByteWriter => {
  const w = new ByteWriter()
  w.int8(codes[kind])
  return w
}

export function writeIndex(w: ByteWriter, index: number): void {
  w.uint32(Math.floor(index / wordRange))
  w.uint32(index >>> 0)
}

export function readIndex(r: ByteReader): number {
  const high = r.uint32()
  const value = high * wordRange + r.uint32()
  if (!Number.isSafeInteger(value)) r.fail('an index beyond 2^53')
  return value
}

function writeNodes(w: ByteWriter, nodes: readonly number[]): void {
  w.uint16(nodes.length)
  for (const node of nodes) w.uint32(node)
}

function readNodes(r: ByteReader): readonly number[] {
  const count = r.uint16()
  if (count > listMax) r.fail('too many nodes')
  const nodes: number[] = []
  while (nodes.length < count && r.failure === undefined) nodes.push(r.uint32())
  return nodes
}

export function writeSnapshot(w: ByteWriter, { index, term, configuration, pointer }: RaftSnapshot): void {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = configuration
  const bytes = pointer as Uint8Array
  writeIndex(w, index)
  w.uint32(term)
  for (const nodes of [voters, votersOutgoing, learners, learnersNext]) writeNodes(w, nodes)
  w.bool(autoLeave)
  w.uint32(bytes.length)
  w.raw(bytes)
}

export function readSnapshot(r: ByteReader): RaftSnapshot {
  const index = readIndex(r)
  const term = r.uint32()
  const [voters, votersOutgoing, learners, learnersNext] = [readNodes(r), readNodes(r), readNodes(r), readNodes(r)]
  const configuration: Configuration = { voters, votersOutgoing, learners, learnersNext, autoLeave: r.bool() }
  return { index, term, configuration, pointer: new Uint8Array(r.raw(r.uint32())) }
}

export function encodeHard(vote: number, commit: number): Uint8Array {
  const w = begun('hard')
  w.uint32(vote)
  writeIndex(w, commit)
  return w.concat()
}

export function encodeSnapshot(snapshot: RaftSnapshot): Uint8Array {
  const w = begun('snapshot')
  writeSnapshot(w, snapshot)
  return w.concat()
}

export function encodeBoot(boot: number): Uint8Array {
  const w = begun('boot')
  w.uint32(boot)
  return w.concat()
}

const first = begun('first').concat()

/** The payload of an entry of Raft's own. */
export function encodeOwnEntry(change: MembershipChange | undefined): Uint8Array {
  if (change === undefined) return first
  const w = begun('change')
  w.int8(transitions.indexOf(change.transition))
  w.uint16(change.changes.length)
  for (const { kind, node } of change.changes) {
    w.int8(changeKinds.indexOf(kind))
    w.uint32(node)
  }
  return w.concat()
}

export function decodeNodeFrame(payload: Uint8Array, term: number): Outcome<NodeFrame, string> {
  const r = new ByteReader(payload)
  const frame = readFrame(r, term)
  if (r.failure !== undefined) return fail(r.failure)
  return r.remaining === 0 ? succeed(frame) : fail(`${r.remaining} bytes are left over`)
}

function readFrame(r: ByteReader, term: number): NodeFrame {
  const code = r.int8()
  switch (code) {
    case codes.hard:
      return { kind: 'hard', vote: r.uint32(), commit: readIndex(r) }
    case codes.snapshot: {
      const snapshot = readSnapshot(r)
      if (snapshot.term > term) r.fail('a snapshot of a later term')
      return { kind: 'snapshot', snapshot }
    }
    case codes.boot:
      return { kind: 'boot', boot: r.uint32() }
    case codes.change:
      return { kind: 'change', change: readChange(r) }
    default:
      if (code !== codes.first) r.fail(`kind ${code} is unknown`)
      return { kind: 'first' }
  }
}

function readChange(r: ByteReader): MembershipChange {
  const transition = transitions[r.int8()]
  const count = r.uint16()
  if (transition === undefined || count > listMax) r.fail('a change of no kind')
  const changes: NodeChange[] = []
  while (changes.length < count && r.failure === undefined) {
    const kind = changeKinds[r.int8()]
    const node = r.uint32()
    if (kind === undefined) r.fail('a change of no kind')
    else changes.push({ kind, node })
  }
  return { transition: transition ?? 'auto', changes }
}
