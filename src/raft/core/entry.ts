// Owns what an entry of a group's log is to Raft: a payload it never looks into, or a change of membership. Not their bytes.

import type { EntryKind } from '../../model/entry.ts'
import type { MembershipChange } from './configuration.ts'

export interface RaftEntry {
  readonly term: number
  readonly index: number
  /** What the payload is to its owner. `node`: Raft's own, a change of membership or the empty entry of a new leader. */
  readonly kind: EntryKind
  /** Present in entries that change the membership; absent in all others. */
  readonly change: MembershipChange | undefined
  /** Never looked into. Empty in the entry with which a leader begins its term. */
  readonly payload: Uint8Array
}

/** What is proposed becomes an entry once a leader has numbered it. */
export type Proposal = Pick<RaftEntry, 'kind' | 'change' | 'payload'>

export interface EntryId {
  readonly term: number
  readonly index: number
}

/** What an entry costs beside its payload, in a message or in what is applied at once: term, index, kind, framing. */
const entryOverheadBytes = 12

export function payloadBytesOf(entries: readonly Proposal[]): number {
  let sum = 0
  for (const { payload } of entries) sum += payload.length
  return sum
}

export function sizeBytesOf(entries: readonly RaftEntry[]): number {
  return payloadBytesOf(entries) + entries.length * entryOverheadBytes
}

/** The longest beginning that is not larger than `bytesMax`, and always one entry. */
export function limited(entries: readonly RaftEntry[], bytesMax: number): readonly RaftEntry[] {
  let size = 0
  for (const [at, entry] of entries.entries()) {
    size += entry.payload.length + entryOverheadBytes
    if (size > bytesMax && at > 0) return entries.slice(0, at)
  }
  return entries
}
