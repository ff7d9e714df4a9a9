// Owns what one member of a group says to another, to its own storage, and to itself. Not how it travels (transport).
//
// One shape for all of them: thousands of groups make messages all the time, and objects of one shape are what the engine is quick with.

import type { Configuration } from './configuration.ts'
import type { RaftEntry } from './entry.ts'

/** Says nobody: no leader, no vote. Real nodes count from 1. */
export const nobody = 0
/** The queues of a node's own storage, as sender and receiver of messages (asynchronous storage writes). */
export const appendQueue = -1
export const applyQueue = -2

export type MessageType =
  // What a node says to itself: its clock, its owner, its storage.
  | 'hup'
  | 'beat'
  | 'check-quorum'
  | 'unreachable'
  | 'snapshot-status'
  | 'storage-append'
  | 'storage-append-response'
  | 'storage-apply'
  | 'storage-apply-response'
  | 'forget-leader'
  // What members say to each other.
  | 'append'
  | 'append-response'
  | 'heartbeat'
  | 'heartbeat-response'
  | 'vote'
  | 'vote-response'
  | 'pre-vote'
  | 'pre-vote-response'
  | 'snapshot'
  | 'timeout-now'
  | 'transfer-leader'
  | 'propose'
  | 'read-index'
  | 'read-index-response'

/** A member's state up to an index, by reference: what `pointer` means is the owner's business. */
export interface RaftSnapshot {
  readonly index: number
  readonly term: number
  readonly configuration: Configuration
  readonly pointer: unknown
}

export interface RaftMessage {
  readonly type: MessageType
  readonly from: number
  readonly to: number
  /** 0 in what a node says to itself, in forwarded proposals and reads. */
  readonly term: number
  /** Of the entry at `index`; in a rejection, of the entry at `rejectHint`. */
  readonly logTerm: number
  readonly index: number
  readonly commit: number
  /** Only `storage-append`: what is to be stored beside term and commit. */
  readonly vote: number
  readonly reject: boolean
  /** The last index of the rejecting log that may agree with the sender's. */
  readonly rejectHint: number
  readonly entries: readonly RaftEntry[]
  readonly snapshot: RaftSnapshot | undefined
  /** The vote is asked for on the old leader's behalf: a live lease does not refuse it. */
  readonly isTransfer: boolean
  /** Numbers the reads of one leader; a heartbeat that carries it, answered, confirms all up to it. 0: none. */
  readonly readNumber: number
  /** What a read was asked with, given back with its answer. */
  readonly readContext: string
  /** Delivered when the storage has done what the message asks for. */
  readonly responses: readonly RaftMessage[]
}

const none: readonly never[] = []

/** A message with everything absent that is not said. */
export function message(type: MessageType, to: number, said: Partial<Omit<RaftMessage, 'type' | 'to'>> = {}): RaftMessage {
  return {
    type,
    from: said.from ?? nobody,
    to,
    term: said.term ?? 0,
    logTerm: said.logTerm ?? 0,
    index: said.index ?? 0,
    commit: said.commit ?? 0,
    vote: said.vote ?? nobody,
    reject: said.reject ?? false,
    rejectHint: said.rejectHint ?? 0,
    entries: said.entries ?? none,
    snapshot: said.snapshot,
    isTransfer: said.isTransfer ?? false,
    readNumber: said.readNumber ?? 0,
    readContext: said.readContext ?? '',
    responses: said.responses ?? none,
  }
}

const toItself: ReadonlySet<MessageType> = new Set([
  'hup',
  'beat',
  'check-quorum',
  'unreachable',
  'snapshot-status',
  'storage-append',
  'storage-append-response',
  'storage-apply',
  'storage-apply-response',
])

/** No other member may send it. */
export const isToItself = (type: MessageType): boolean => toItself.has(type)

const responses: ReadonlySet<MessageType> = new Set([
  'append-response',
  'vote-response',
  'pre-vote-response',
  'heartbeat-response',
  'unreachable',
  'read-index-response',
  'storage-append-response',
  'storage-apply-response',
])

/** Means something only from a member the node knows. */
export const isResponse = (type: MessageType): boolean => responses.has(type)

export const isStorageQueue = (id: number): boolean => id === appendQueue || id === applyQueue
