/** Owns how the core's values look in a trace. Absent there: what is zero, empty or false. */
import type {
  Configuration,
  MembershipChange,
  NodeChange,
  RaftEntry,
  RaftMessage,
  RaftSnapshot,
} from '../../src/raft/core/index.ts'
import { appendQueue, applyQueue } from '../../src/raft/core/index.ts'

/** A change as it was proposed: the traces tell the old form, of one change, from the new. */
export interface ShownChange extends MembershipChange {
  readonly isOldForm?: boolean
}

const letters = { voter: 'v', learner: 'l', remove: 'r', update: 'u' } as const
const kinds = { v: 'voter', l: 'learner', r: 'remove', u: 'update' } as const

export const readChanges = (texts: readonly string[]): readonly NodeChange[] =>
  texts.map((text) => ({ kind: kinds[text[0] as keyof typeof kinds], node: Number(text.slice(1)) }))

const roles = { follower: 'follower', 'pre-candidate': 'precandidate', candidate: 'candidate', leader: 'leader' } as const
export const showRole = (role: keyof typeof roles): string => roles[role]

const types: Partial<Record<RaftMessage['type'], string>> = {
  append: 'MsgApp',
  'append-response': 'MsgAppResp',
  heartbeat: 'MsgHeartbeat',
  'heartbeat-response': 'MsgHeartbeatResp',
  vote: 'MsgVote',
  'vote-response': 'MsgVoteResp',
  'pre-vote': 'MsgPreVote',
  'pre-vote-response': 'MsgPreVoteResp',
  snapshot: 'MsgSnap',
  propose: 'MsgProp',
  'read-index': 'MsgReadIndex',
  'read-index-response': 'MsgReadIndexResp',
  'timeout-now': 'MsgTimeoutNow',
  'transfer-leader': 'MsgTransferLeader',
  'storage-append': 'MsgStorageAppend',
  'storage-append-response': 'MsgStorageAppendResp',
  'storage-apply': 'MsgStorageApply',
  'storage-apply-response': 'MsgStorageApplyResp',
}
export const showType = (type: RaftMessage['type']): string => types[type] ?? type

/** Without what is zero, empty, false or absent. */
function present(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const isEmpty = (value: unknown): boolean =>
    value === undefined || value === 0 || value === '' || value === false || (Array.isArray(value) && value.length === 0)
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value)))
}

export function showEntry({ term, index, change, payload }: RaftEntry): unknown[] {
  if (change === undefined) return [term, index, 'normal', Buffer.from(payload).toString()]
  const changes = change.changes.map(({ kind, node }) => `${letters[kind]}${node}`)
  return (change as ShownChange).isOldForm === true
    ? [term, index, 'conf1', { changes }]
    : [term, index, 'conf2', { transition: change.transition, changes }]
}

export function showConfiguration({ voters, ...rest }: Configuration): object {
  return { voters, ...present(rest) }
}

export function showSnapshot({ index, term, configuration, pointer }: RaftSnapshot): object {
  return { index, term, conf: showConfiguration(configuration), data: pointer }
}

const peers = new Map([
  [appendQueue, 'append'],
  [applyQueue, 'apply'],
])
const showPeer = (id: number): number | string => peers.get(id) ?? id

export function showMessage(message: RaftMessage, withResponses = true): Record<string, unknown> {
  const read = message.readContext === '' ? message.entries.map(showEntry) : [[0, 0, 'normal', message.readContext]]
  return {
    type: showType(message.type),
    from: showPeer(message.from),
    to: showPeer(message.to),
    ...present({
      term: message.term,
      logTerm: message.logTerm,
      index: message.index,
      commit: message.commit,
      vote: message.vote,
      reject: message.reject,
      rejectHint: message.rejectHint,
      entries: read,
      snapshot: message.snapshot === undefined ? undefined : showSnapshot(message.snapshot),
      campaignTransfer: message.isTransfer,
      readSeq: message.readNumber,
      responses: withResponses ? message.responses.map((one) => showMessage(one)) : [],
    }),
  }
}
