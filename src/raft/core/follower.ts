// Owns what a follower, and a candidate, does with each message. Not votes (election.ts).

import type { StepRefusal } from './leader.ts'
import { hup, onVoteTold } from './election.ts'
import type { Member } from './member.ts'
import { type MessageType, nobody, type RaftMessage, type RaftSnapshot } from './message.ts'
import { membersOf } from './configuration.ts'

type Steps = Partial<Record<MessageType, (member: Member, received: RaftMessage) => StepRefusal | undefined>>

/** Somebody else has won the term. */
const onWon = (member: Member, received: RaftMessage): undefined => {
  member.becomeFollower(received.term, received.from)
  onLed(member, received)
}

const candidateSteps: Steps = {
  propose: () => 'proposal-dropped',
  append: onWon,
  heartbeat: onWon,
  snapshot: onWon,
  'pre-vote-response': (member, received) => {
    if (member.role === 'pre-candidate') onVoteTold(member, received)
    return undefined
  },
  'vote-response': (member, received) => {
    if (member.role === 'candidate') onVoteTold(member, received)
    return undefined
  },
}

const onHeard = (member: Member, received: RaftMessage): undefined => {
  member.electionElapsed = 0
  member.lead = received.from
  onLed(member, received)
}

const followerSteps: Steps = {
  propose: (member, { from, entries }) => {
    if (member.lead === nobody || !member.options.forwardsProposals) return 'proposal-dropped'
    member.send('propose', member.lead, { from, entries })
    return undefined
  },
  append: onHeard,
  heartbeat: onHeard,
  snapshot: onHeard,
  'transfer-leader': (member, { from }) => {
    if (member.lead !== nobody) member.send('transfer-leader', member.lead, { from })
    return undefined
  },
  'forget-leader': (member) => {
    // Its lease may still be believed in.
    if (member.options.reads !== 'lease-based') member.lead = nobody
    return undefined
  },
  'timeout-now': (member) => {
    // No pre-vote: the leader itself has asked for the election.
    hup(member, 'transfer')
    return undefined
  },
  'read-index': (member, { from, readContext }) => {
    if (member.lead !== nobody) member.send('read-index', member.lead, { from, readContext })
    return undefined
  },
  'read-index-response': (member, { index, readContext }) => {
    member.readStates.push({ index, context: readContext })
    return undefined
  },
}

/** What is not among the steps is nothing in that role. */
export const stepCandidate = (member: Member, received: RaftMessage): StepRefusal | undefined =>
  candidateSteps[received.type]?.(member, received)

export const stepFollower = (member: Member, received: RaftMessage): StepRefusal | undefined =>
  followerSteps[received.type]?.(member, received)

function onLed(member: Member, received: RaftMessage): void {
  if (received.type === 'append') onAppend(member, received)
  else if (received.type === 'heartbeat') onHeartbeat(member, received)
  else onSnapshot(member, received)
}

function onAppend(member: Member, { from, index, logTerm, entries, commit }: RaftMessage): void {
  const { log } = member
  if (index < log.committed) {
    member.send('append-response', from, { index: log.committed })
    return
  }
  if (log.maybeAppend({ term: logTerm, index }, entries)) {
    const last = index + entries.length
    // Behind its entries this log may hold others than the leader's.
    log.commitTo(Math.min(commit, last))
    member.send('append-response', from, { index: last })
    return
  }
  const hint = log.findConflict(Math.min(index, log.lastIndex), logTerm)
  member.send('append-response', from, { index, reject: true, rejectHint: hint.index, logTerm: hint.term })
}

function onHeartbeat(member: Member, { from, commit, readNumber }: RaftMessage): void {
  member.log.commitTo(commit)
  member.send('heartbeat-response', from, { readNumber })
}

function onSnapshot(member: Member, { from, snapshot }: RaftMessage): void {
  const isInstalled = snapshot !== undefined && restore(member, snapshot)
  member.send('append-response', from, { index: isInstalled ? member.log.lastIndex : member.log.committed })
}

/** False when the log needs no snapshot, or it is not for us. */
function restore(member: Member, snapshot: RaftSnapshot): boolean {
  const { log } = member
  if (snapshot.index <= log.committed) return false
  if (!membersOf(snapshot.configuration).includes(member.id)) return false
  if (log.matches(snapshot)) {
    // All it stands for is here.
    log.commitTo(snapshot.index)
    return false
  }
  log.restore(snapshot)
  member.adoptAfresh(snapshot.configuration)
  return true
}
