// Owns whose turn it is in a consumer group: one change at a time is planned, stored, and taken into account before the next. Not what
// a turn does (the files beside this one).
//
// GROUP-15: one change of a consumer group is on its way. So every change is planned on what is stored, nothing is to be taken back
// when one fails, and what is told to a member is stored.

import { assertNever } from '../../../base/assert.ts'
import type { Group } from '../group.ts'
import { planJoin } from '../join.ts'
import { planLeave } from '../leave.ts'
import type { Append, ConsumerChanged, GroupError, Instant, Turn } from '../messages.ts'
import { prepareRebalance } from '../rebalance.ts'
import { planDeleteGroup } from '../remove.ts'
import { reviveClassic } from '../revive.ts'
import { dueAgainMs, turnsWaitingMax } from '../settings.ts'
import { refuseJoin, type Shard } from '../shard.ts'
import { Draft, storeChange, turnsOf } from './change.ts'
import { hasJoined, planClassicJoin } from './classic-join.ts'
import { removeFrom } from './departure.ts'
import { isDowngradeDue, planDowngrade } from './downgrade.ts'
import { planConsumerHeartbeat, refuseConsumer } from './heartbeat.ts'
import { burialOf } from './state.ts'
import { followRecords, isDue, reviveTimers, setTimer, startTimer } from './timers.ts'
import { resumeClassic } from './upgrade.ts'

/** Whether a group follows the consumer protocol, or is just being changed by it. */
export function isConsumerGroup(shard: Shard, group: Group | undefined): group is Group {
  if (group === undefined) return false
  if (shard.durable.get(group.groupId)?.consumer !== undefined) return true
  return group.turns !== undefined && (group.turns.isBusy || group.turns.queue.length > 0)
}

export function takeTurn(shard: Shard, group: Group, turn: Turn, now: Instant): void {
  const turns = turnsOf(group)
  if (turns.queue.length >= turnsWaitingMax && 'ticket' in turn) return refuseTurn(shard, turn, 'COORDINATOR_NOT_AVAILABLE')
  turns.queue.push(turn)
  nextTurns(shard, group, now)
}

function nextTurns(shard: Shard, group: Group, now: Instant): void {
  const turns = turnsOf(group)
  while (!turns.isBusy) {
    const turn = turns.queue.shift()
    if (turn === undefined) break
    runTurn(shard, group, turn, now)
  }
  if (shard.groups.get(group.groupId) === group) shard.forgetIfVoid(group)
}

function refuseTurn(shard: Shard, turn: Turn, error: GroupError): void {
  if (turn.kind === 'heartbeat') shard.answer(turn.ticket, refuseConsumer(turn.ask, { error, message: '' }))
  else if (turn.kind === 'join') shard.answer(turn.ticket, refuseJoin(error, turn.ask.memberId))
  else if (turn.kind === 'delete') shard.answer(turn.ticket, { kind: 'delete', error })
}

function runTurn(shard: Shard, group: Group, turn: Turn, now: Instant): void {
  // Its tombstones are on their way.
  if (group.state === 'Dead') return refuseTurn(shard, turn, 'COORDINATOR_NOT_AVAILABLE')
  switch (turn.kind) {
    case 'heartbeat':
      return planConsumerHeartbeat(shard, group, turn, now)
    case 'join':
      return joinTurn(shard, group, turn, now)
    case 'leave':
      return leaveTurn(shard, group, turn.memberId, now)
    case 'due':
      return dueTurn(shard, group, turn)
    case 'delete':
      return planDeleteGroup(shard, turn.ticket, group.groupId, now)
    case 'downgrade':
      return planDowngrade(shard, group, now)
    default:
      return assertNever(turn, 'GROUP-10: every turn is known')
  }
}

/** An empty consumer group makes room for a classic one. */
function joinTurn(shard: Shard, group: Group, turn: Turn & { readonly kind: 'join' }, now: Instant): void {
  const state = shard.durable.get(group.groupId)?.consumer
  if (state === undefined) return planJoin(shard, turn.ticket, turn.ask, now)
  if (state.subscribers.size > 0) return planClassicJoin(shard, group, turn, { state, now })
  storeChange(shard, group, burialOf(group.groupId, state), { resume: turn })
}

function leaveTurn(shard: Shard, group: Group, memberId: string, now: Instant): void {
  const state = shard.durable.get(group.groupId)?.consumer
  if (state === undefined) planLeave(shard, group.groupId, [{ memberId, instanceId: undefined }], now)
  else if (state.subscribers.has(memberId)) {
    const draft = new Draft(group.groupId, state)
    removeFrom(shard, draft, memberId)
    storeChange(shard, group, draft.records, {})
  }
}

/** What fell due may have been put off while it waited for its turn. */
function dueTurn(shard: Shard, group: Group, { memberId, timer }: Turn & { readonly kind: 'due' }): void {
  const state = shard.durable.get(group.groupId)?.consumer
  if (state?.subscribers.has(memberId) !== true || !isDue(group, memberId, timer)) return
  if (timer === 'rebalance' && state.currentOf(memberId).state !== 'UnrevokedPartitions') return
  const draft = new Draft(group.groupId, state)
  removeFrom(shard, draft, memberId)
  shard.counts.expiredMembers += 1
  storeChange(shard, group, draft.records, { dueAgain: { memberId, timer } })
}

/** A change is stored, and applied, or is not: whoever waited is told, and the next has its turn. */
export function consumerChanged(
  shard: Shard,
  { records, then }: { readonly records: Append['records']; readonly then: ConsumerChanged },
  error: GroupError,
  now: Instant,
): void {
  const group = shard.groups.get(then.groupId)!
  const turns = turnsOf(group)
  turns.isBusy = false
  if (error === 'NONE') stored(shard, group, { records, then }, now)
  else notStored(shard, group, then, { error, now })
  nextTurns(shard, group, now)
}

function stored(
  shard: Shard,
  group: Group,
  { records, then }: { readonly records: Append['records']; readonly then: ConsumerChanged },
  now: Instant,
): void {
  const turns = turnsOf(group)
  followRecords(shard, group, records, now)
  followProtocol(shard, group, now)
  if (then.topicsVersion !== undefined) turns.topicsVersion = then.topicsVersion
  if (then.heardOf !== undefined) heardOf(shard, group, then.heardOf, now)
  if (then.answer !== undefined) shard.answer(then.answer.ticket, then.answer.reply)
  if (then.resume !== undefined) turns.queue.unshift(then.resume)
  if (isDowngradeDue(shard, group.groupId)) turns.queue.unshift({ kind: 'downgrade' })
}

/** What the group was in the other protocol is gone, and what it is in this one begins. */
function followProtocol(shard: Shard, group: Group, now: Instant): void {
  const { consumer, metadata } = shard.durable.get(group.groupId) ?? {}
  const hasClassicMembers = group.members.size > 0
  if (consumer !== undefined) {
    group.retire(now.wallMs)
    if (hasClassicMembers) reviveTimers(shard, group, now)
  } else if (metadata !== undefined && metadata.members.length > 0 && !hasClassicMembers) {
    reviveClassic(shard, group, now)
    prepareRebalance(shard, group, now)
  }
}

function heardOf(shard: Shard, group: Group, memberId: string, now: Instant): void {
  const subscriber = shard.durable.get(group.groupId)?.consumer?.subscribers.get(memberId)
  if (subscriber?.classic !== undefined) hasJoined(shard, group, memberId, now)
  else startTimer(shard, group, { memberId, timer: 'session' }, now)
}

function notStored(
  shard: Shard,
  group: Group,
  then: ConsumerChanged,
  { error: cause, now }: { readonly error: GroupError; readonly now: Instant },
): void {
  const error: GroupError = cause === 'INVALID_COMMIT_OFFSET_SIZE' ? 'UNKNOWN_SERVER_ERROR' : cause
  if (then.answer !== undefined) {
    const { ticket, reply } = then.answer
    if (reply.kind === 'join') shard.answer(ticket, refuseJoin(error, reply.memberId))
    else shard.answer(ticket, { ...reply, error, message: undefined, assigned: undefined })
  }
  if (then.resume !== undefined) refuseTurn(shard, then.resume, error)
  if (then.dueAgain !== undefined) setTimer(shard, group, then.dueAgain, now.monotonicMs + dueAgainMs)
  if (shard.durable.get(group.groupId)?.consumer === undefined && group.state !== 'Empty') resumeClassic(shard, group, now)
}
