// Owns one message of each type that nodes send to each other, with everything it can say.

import { message, type MessageType, type RaftEntry, type RaftMessage } from '../../../../src/raft/core/index.ts'
import type { Envelope } from '../../../../src/raft/ports.ts'

const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => at * 7)
const far = 2 ** 40 + 5

export const configuration = { voters: [1, 2, 3], votersOutgoing: [3, 4, 5], learners: [6], learnersNext: [4], autoLeave: true }
const entries: readonly RaftEntry[] = [
  { term: 3, index: far + 1, kind: 'metadata', change: undefined, payload: bytes(5) },
  { term: 3, index: far + 2, kind: 'node', change: undefined, payload: new Uint8Array(0) },
  {
    term: 4,
    index: far + 3,
    kind: 'node',
    change: { transition: 'implicit', changes: [{ kind: 'learner', node: 9 }] },
    payload: new Uint8Array(0),
  },
  // Large enough to go by reference.
  { term: 4, index: far + 4, kind: 'batch', change: undefined, payload: bytes(300_000) },
]
const snapshot = { index: far, term: 3, configuration, pointer: bytes(40) }

const all: ReadonlyArray<readonly [MessageType, Partial<RaftMessage>]> = [
  ['append', { index: far, logTerm: 3, commit: far - 1, entries }],
  ['append-response', { index: far, reject: true, rejectHint: 7, logTerm: 2 }],
  ['heartbeat', { commit: far, readNumber: 12 }],
  ['heartbeat-response', { readNumber: 12 }],
  ['vote', { index: far, logTerm: 3, isTransfer: true }],
  ['vote-response', {}],
  ['pre-vote', { index: far, logTerm: 3 }],
  ['pre-vote-response', { reject: true }],
  ['snapshot', { snapshot }],
  ['timeout-now', {}],
  ['transfer-leader', {}],
  ['read-index', { readContext: '1.1' }],
  ['read-index-response', { index: far, readContext: '1.1' }],
  ['snapshot-status', { reject: true }],
  ['forget-leader', {}],
]

export const everyMessage = (from: number, to: number): readonly Envelope[] =>
  all.map(([type, said], at) => ({
    group: at,
    message: message(type, to, { from, term: 4, ...said }),
    supportEpoch: at % 2 === 0 ? 0 : far + at,
  }))
