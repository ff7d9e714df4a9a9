/** Owns how the core's values look in a trace. Absent there: what is zero, empty or false. */
import type {
  Configuration,
  MembershipChange,
  NodeChange,
  RaftEntry,
  RaftMessage,
  RaftSnapshot,
  Ready,
} from '../../src/raft/core/index.ts'
import { appendQueue, applyQueue } from '../../src/raft/core/index.ts'
import type { Replica } from './replica.ts'

export type Event = Record<string, unknown>

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

export function showReady({ soft, hard, entries, snapshot, committed, messages, readStates, mustSync }: Ready): Event {
  return {
    mustSync,
    ...(soft === undefined ? {} : { soft: { lead: soft.lead, role: showRole(soft.role) } }),
    ...(hard === undefined ? {} : { hard }),
    ...(readStates.length === 0 ? {} : { readStates: readStates.map(({ index, context }) => ({ index, ctx: context })) }),
    ...(entries.length === 0 ? {} : { entries: entries.map(showEntry) }),
    ...(snapshot === undefined ? {} : { snapshot: showSnapshot(snapshot) }),
    ...(committed.length === 0 ? {} : { committed: committed.map(showEntry) }),
    ...(messages.length === 0 ? {} : { messages: messages.map((one) => showMessage(one)) }),
  }
}

export function showState(replica: Replica): Event {
  const { node, disk, machine } = replica
  const { raft } = node
  const { log } = raft
  const { snapshot, offset, entries } = log.unstable
  return {
    term: raft.term,
    vote: raft.vote,
    lead: raft.lead,
    role: showRole(raft.role),
    commit: log.committed,
    applied: log.applied,
    leadTransferee: raft.leadTransferee,
    // Recorded without it.
    conf: showConfiguration({ ...raft.configuration, autoLeave: false }),
    progress: raft.role === 'leader' ? showProgress(replica) : [],
    stable: {
      first: disk.firstIndex(),
      prevTerm: disk.previous.term,
      last: disk.lastIndex(),
      entries: disk.entriesKept.map(showEntry),
    },
    stableHard: disk.hard,
    unstable: {
      offset,
      entries: entries.map(showEntry),
      ...(snapshot === undefined ? {} : { snapshot: showSnapshot(snapshot) }),
    },
    lastIndex: log.lastIndex,
    hasReady: node.hasReady(),
    appendQueue: replica.appendQueue.length,
    applyQueue: replica.applyQueue.length,
    sm: [machine.index, machine.text],
  }
}

function showProgress({ node: { raft } }: Replica): object[] {
  return [...raft.progress]
    .sort(([left], [right]) => left - right)
    .map(([id, progress]) => ({
      id,
      match: progress.match,
      next: progress.next,
      state: progress.state,
      ...(progress.isLearner ? { learner: true } : {}),
      ...(progress.isPaused ? { paused: true } : {}),
      ...(progress.pendingSnapshotIndex === 0 ? {} : { pendingSnap: progress.pendingSnapshotIndex }),
      ...(progress.recentlyActive ? { recentActive: true } : {}),
      ...(progress.inflight.count === 0 ? {} : { inflight: progress.inflight.count }),
      ...(progress.inflight.isFull ? { inflightFull: true } : {}),
    }))
}
