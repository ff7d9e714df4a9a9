// Owns what a leader sends: entries, commit indexes, snapshots, heartbeats. Not its reaction to answers (leader.ts).

import { assert } from '../../base/assert.ts'
import { payloadBytesOf, type Proposal, type RaftEntry } from './entry.ts'
import type { Member } from './member.ts'

/** Numbers the proposals in this term and appends them. False when too much is uncommitted. */
export function appendProposals(member: Member, proposals: readonly Proposal[]): boolean {
  if (!member.takeUncommitted(payloadBytesOf(proposals))) return false
  const { lastIndex } = member.log
  const entries = proposals.map(({ kind, change, payload }, at): RaftEntry => ({
    term: member.term,
    index: lastIndex + 1 + at,
    kind,
    change,
    payload,
  }))
  member.log.append(entries)
  // Its own acknowledgement, counted like any other once the entries are durable (I1).
  member.send('append-response', member.id, { index: member.log.lastIndex })
  return true
}

/** An append, empty if need be, or a snapshot where the entries are gone. */
export function sendAppend(member: Member, to: number): void {
  maybeSendAppend(member, to, true)
}

/** False when nothing was sent. */
export function maybeSendAppend(member: Member, to: number, evenIfEmpty: boolean): boolean {
  const progress = member.progressOf(to)
  if (progress.isPaused) return false
  const previousIndex = progress.next - 1
  const previousTerm = member.log.termAt(previousIndex)
  if (typeof previousTerm === 'string') return maybeSendSnapshot(member, to)
  // Full: an empty append still tells a commit index, and its answer makes room.
  const isHeld = progress.state === 'replicate' && progress.inflight.isFull
  const entries = isHeld ? [] : member.log.entriesFrom(progress.next, member.options.messageBytesMax)
  if (entries.length === 0 && !evenIfEmpty) return false
  if (typeof entries === 'string') return maybeSendSnapshot(member, to)
  const commit = member.log.committed
  member.send('append', to, { index: previousIndex, logTerm: previousTerm, entries, commit })
  progress.sentEntries(entries.length, payloadBytesOf(entries))
  progress.sentCommit(commit)
  return true
}

function maybeSendSnapshot(member: Member, to: number): boolean {
  const progress = member.progressOf(to)
  if (!progress.recentlyActive) return false
  const snapshot = member.log.maybeSnapshot()
  if (snapshot === undefined) return false
  assert(snapshot.index > 0, 'a snapshot stands for entries')
  progress.becomeSnapshot(snapshot.index)
  member.send('snapshot', to, { snapshot })
  return true
}

export function broadcastAppend(member: Member): void {
  for (const id of member.memberIds) if (id !== member.id) sendAppend(member, id)
}

/** `readNumber`: what an answer confirms. */
export function broadcastHeartbeat(member: Member, readNumber: number): void {
  for (const id of member.memberIds) {
    if (id === member.id) continue
    const progress = member.progressOf(id)
    // What it has not acknowledged it may not have: it must not commit that.
    const commit = Math.min(progress.match, member.log.committed)
    member.send('heartbeat', id, { commit, readNumber })
    progress.sentCommit(commit)
  }
}

/** Commits what a quorum holds of this term. False when that is no news. */
export function maybeCommit(member: Member): boolean {
  return member.log.maybeCommit({ term: member.term, index: member.quorumIndex() })
}
