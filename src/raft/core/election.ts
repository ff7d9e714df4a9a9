// Owns elections: who asks for votes, who gives one, who has won. Not what happens before and after.

import { assert } from '../../base/assert.ts'
import type { Member } from './member.ts'
import { nobody, type RaftMessage } from './message.ts'
import { appendProposals, broadcastAppend } from './replication.ts'

export type CampaignKind = 'pre-election' | 'election' | 'transfer'

/** The election timeout has passed, or the old leader has asked. */
export function hup(member: Member, kind: CampaignKind): void {
  if (member.role === 'leader' || !member.isPromotable || hasUnappliedChange(member)) return
  campaign(member, kind)
}

/** A committed change of membership that is not applied: this member does not know yet who votes. */
function hasUnappliedChange({ log }: Member): boolean {
  if (log.applied >= log.committed) return false
  const entries = log.slice(log.applied + 1, log.committed + 1, Infinity)
  assert(typeof entries !== 'string', 'what is committed and not applied is in the log')
  return entries.some(({ change }) => change !== undefined)
}

export function campaign(member: Member, kind: CampaignKind): void {
  const isPre = kind === 'pre-election'
  if (isPre) member.becomePreCandidate()
  else member.becomeCandidate()
  // A pre-vote asks about a term that it does not begin.
  const term = isPre ? member.term + 1 : member.term
  const last = member.log.lastId()
  for (const id of member.memberIds) {
    if (!member.isVoter(id)) continue
    if (id === member.id) member.send(isPre ? 'pre-vote-response' : 'vote-response', id, { term })
    else
      member.send(isPre ? 'pre-vote' : 'vote', id, {
        term,
        index: last.index,
        logTerm: last.term,
        isTransfer: kind === 'transfer',
      })
  }
}

/** One vote in a term, for a log that has all that may be committed (§5.4.1). A pre-vote costs nothing and is not remembered. */
export function onVoteAsked(member: Member, received: RaftMessage): void {
  const isPre = received.type === 'pre-vote'
  const mayVote =
    member.vote === received.from || (member.vote === nobody && member.lead === nobody) || (isPre && received.term > member.term)
  const response = isPre ? 'pre-vote-response' : 'vote-response'
  if (!mayVote || !member.log.isUpToDate({ term: received.logTerm, index: received.index })) {
    member.send(response, received.from, { term: member.term, reject: true })
    return
  }
  // In the term that was asked about: a pre-candidate's lies ahead of ours.
  member.send(response, received.from, { term: received.term })
  if (isPre) return
  member.electionElapsed = 0
  member.vote = received.from
}

export function onVoteTold(member: Member, { from, reject }: RaftMessage): void {
  const result = member.recordVote(from, !reject)
  if (result === 'won') {
    if (member.role === 'pre-candidate') campaign(member, 'election')
    else lead(member)
  } else if (result === 'lost') {
    member.becomeFollower(member.term, nobody)
  }
}

/** A leader begins its term with an empty entry: when that is committed, all before it is (§8). */
function lead(member: Member): void {
  member.becomeLeader()
  appendProposals(member, [{ kind: 'node', change: undefined, payload: new Uint8Array(0) }])
  broadcastAppend(member)
}
