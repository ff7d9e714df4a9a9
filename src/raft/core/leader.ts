// Owns what a leader does with each message. Not what it sends (replication.ts), nor elections (election.ts).

import { assert } from '../../base/assert.ts'
import { isJoint, isLeaving } from './configuration.ts'
import type { Proposal } from './entry.ts'
import type { Member } from './member.ts'
import { type MessageType, nobody, type RaftMessage } from './message.ts'
import type { Progress } from './progress.ts'
import { answerRead, startRead } from './reads.ts'
import { appendProposals, broadcastAppend, broadcastHeartbeat, maybeCommit, maybeSendAppend, sendAppend } from './replication.ts'

/** Why a message came to nothing and its sender should know. */
export type StepRefusal = 'proposal-dropped'

/** What is not in here is nothing to a leader. */
const steps: Partial<Record<MessageType, (member: Member, received: RaftMessage) => StepRefusal | undefined>> = {
  beat: (member) => {
    broadcastHeartbeat(member, member.reads.lastNumber)
    return undefined
  },
  'check-quorum': (member) => {
    checkQuorum(member)
    return undefined
  },
  propose: (member, { entries }) => propose(member, entries),
  'read-index': (member, received) => {
    if (member.isAlone) answerRead(member, received, member.log.committed)
    else if (member.hasCommittedInTerm()) startRead(member, received)
    else member.heldReads.push(received)
    return undefined
  },
}

/** Messages that tell of one member, if it is one. */
const stepsAbout: Partial<Record<MessageType, (member: Member, progress: Progress, received: RaftMessage) => void>> = {
  'append-response': (member, progress, received) => {
    progress.recentlyActive = true
    if (received.reject) onRejected(member, progress, received)
    else onAcknowledged(member, progress, received)
  },
  'heartbeat-response': onHeartbeatAnswered,
  'snapshot-status': (_, progress, { reject }) => {
    if (progress.state !== 'snapshot') return
    if (reject) progress.pendingSnapshotIndex = 0
    progress.becomeProbe()
    // Installed or failed: its next answer, or the next heartbeat's, tells where to go on.
    progress.hold()
  },
  unreachable: (_, progress) => {
    // What was sent ahead is probably lost.
    if (progress.state === 'replicate') progress.becomeProbe()
  },
  'transfer-leader': (member, progress, { from }) => {
    transfer(member, progress, from)
  },
}

export function stepLeader(member: Member, received: RaftMessage): StepRefusal | undefined {
  const step = steps[received.type]
  if (step !== undefined) return step(member, received)
  const progress = member.progress.get(received.from)
  if (progress !== undefined) stepsAbout[received.type]?.(member, progress, received)
  return undefined
}

function checkQuorum(member: Member): void {
  if (!member.quorumIsActive()) member.becomeFollower(member.term, nobody)
  for (const [id, progress] of member.progress) if (id !== member.id) progress.recentlyActive = false
}

function propose(member: Member, proposals: readonly Proposal[]): StepRefusal | undefined {
  assert(proposals.length > 0, 'a proposal proposes something')
  // Removed from the configuration, or about to hand over.
  if (!member.progress.has(member.id) || member.leadTransferee !== nobody) return 'proposal-dropped'
  const admitted = proposals.map((proposal, at): Proposal => {
    if (proposal.change === undefined) return proposal
    const isPending = member.pendingChangeIndex > member.log.applied
    const isImpossible = isLeaving(proposal.change) !== isJoint(member.configuration)
    // An empty entry takes its place: the numbers of what else was proposed stay.
    if (member.options.validatesChanges && (isPending || isImpossible))
      return { kind: 'node', change: undefined, payload: new Uint8Array(0) }
    member.pendingChangeIndex = member.log.lastIndex + 1 + at
    return proposal
  })
  if (!appendProposals(member, admitted)) return 'proposal-dropped'
  broadcastAppend(member)
  return undefined
}

function onRejected(member: Member, progress: Progress, { from, index, logTerm, rejectHint }: RaftMessage): void {
  // The member has told the term of its entry at the hint: behind our last entry of at most that term nothing can agree.
  const hint = logTerm > 0 ? member.log.findConflict(rejectHint, logTerm).index : rejectHint
  if (!progress.stepBack(index, hint)) return
  if (progress.state === 'replicate') progress.becomeProbe()
  sendAppend(member, from)
}

function onAcknowledged(member: Member, progress: Progress, { from, index }: RaftMessage): void {
  const isNews = progress.acknowledge(index)
  if (!isNews && !(progress.match === index && progress.state === 'probe')) return
  if (progress.state === 'probe') {
    progress.becomeReplicate()
  } else if (progress.state === 'snapshot') {
    // Its log reaches ours again, whether or not by the snapshot that was sent.
    if (progress.match + 1 >= member.log.firstIndex) {
      progress.becomeProbe()
      progress.becomeReplicate()
    }
  } else {
    progress.inflight.free(index)
  }
  if (maybeCommit(member)) {
    releaseHeldReads(member)
    broadcastAppend(member)
  } else if (from !== member.id && progress.canLearnCommit(member.log.committed)) {
    sendAppend(member, from)
  }
  if (from !== member.id) {
    // There is room again, and perhaps for several messages.
    while (maybeSendAppend(member, from, false));
  }
  if (from === member.leadTransferee && progress.match === member.log.lastIndex) member.send('timeout-now', from)
}

function onHeartbeatAnswered(member: Member, progress: Progress, { from, readNumber }: RaftMessage): void {
  progress.recentlyActive = true
  progress.release()
  // Also when full: all that fills it may be lost, and an empty append finds out.
  if (progress.match < member.log.lastIndex || progress.state === 'probe') sendAppend(member, from)
  if (member.options.reads !== 'safe' || readNumber === 0) return
  for (const { request, index } of member.reads.confirm(from, readNumber, member.voters)) answerRead(member, request, index)
}

function releaseHeldReads(member: Member): void {
  if (member.heldReads.length === 0 || !member.hasCommittedInTerm()) return
  const held = member.heldReads
  member.heldReads = []
  for (const request of held) startRead(member, request)
}

function transfer(member: Member, progress: Progress, to: number): void {
  if (progress.isLearner || member.leadTransferee === to) return
  member.leadTransferee = nobody
  if (to === member.id) return
  // It has one election timeout.
  member.electionElapsed = 0
  member.leadTransferee = to
  if (progress.match === member.log.lastIndex) member.send('timeout-now', to)
  else sendAppend(member, to)
}
