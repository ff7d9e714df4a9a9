// Owns what a message from another node must be like before the core sees it: the core asserts what a member of a group can rely on, and
// a peer that is broken, or no peer, must not end this node. Not the bytes it came in.

import type { MessageType, RaftEntry, RaftMessage } from '../core/index.ts'

type Check = (message: RaftMessage, lastIndex: number) => boolean

const hasTerm: Check = ({ term }) => term > 0
const anything: Check = () => true

/** What is not in here a node says to itself only, or is not passed on between nodes. */
const checks: Partial<Record<MessageType, Check>> = {
  append: ({ term, index, logTerm, entries }) =>
    term > 0 && logTerm <= term && areInOrder(entries, { index, term: logTerm }, term),
  // Committed is what this member has acknowledged as stored: more than it has is what only a log that was cut can be told.
  heartbeat: ({ term, commit }, lastIndex) => term > 0 && commit <= lastIndex,
  snapshot: ({ term, snapshot }) =>
    term > 0 && snapshot !== undefined && snapshot.index > 0 && snapshot.term <= term && snapshot.configuration.voters.length > 0,
  vote: hasTerm,
  'vote-response': hasTerm,
  'pre-vote': hasTerm,
  'pre-vote-response': hasTerm,
  'append-response': hasTerm,
  'heartbeat-response': hasTerm,
  'timeout-now': hasTerm,
  'forget-leader': hasTerm,
  'transfer-leader': anything,
  'read-index': anything,
  'read-index-response': anything,
  'snapshot-status': anything,
}

/** `lastIndex`: of this member's log. */
export function isSound(message: RaftMessage, lastIndex: number): boolean {
  return checks[message.type]?.(message, lastIndex) === true
}

function areInOrder(
  entries: readonly RaftEntry[],
  previous: { readonly index: number; readonly term: number },
  term: number,
): boolean {
  let { index, term: least } = previous
  for (const entry of entries) {
    index += 1
    if (entry.index !== index || entry.term < least || entry.term > term) return false
    least = entry.term
  }
  return true
}
