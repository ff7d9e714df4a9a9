// Owns what falls due for the members of a consumer group: silence, revocations that take too long, members of the classic protocol
// that do not rejoin or do not fetch their assignment. Follows what is stored. Not what happens then (turns.ts).

import { Deadline } from '../deadlines.ts'
import type { GroupRecord } from '../durable.ts'
import type { Group, Subject } from '../group.ts'
import { consumerTimesOf } from '../group-configs.ts'
import type { Instant, MemberTimer } from '../messages.ts'
import type { Shard } from '../shard.ts'
import { turnsOf } from './change.ts'
import type { Subscriber } from './state.ts'

function durationMs(shard: Shard, groupId: string, subscriber: Subscriber, timer: MemberTimer): number {
  const sessionTimeoutMs = subscriber.classic?.sessionTimeoutMs ?? consumerTimesOf(shard.settings, groupId).sessionTimeoutMs
  if (timer === 'session' || subscriber.rebalanceTimeoutMs < 0) return sessionTimeoutMs
  return subscriber.rebalanceTimeoutMs
}

export interface TimerOfMember {
  readonly memberId: string
  readonly timer: MemberTimer
}

/** Starts the timer of a member that is stored; anew if it runs. */
export function startTimer(shard: Shard, group: Group, { memberId, timer }: TimerOfMember, now: Instant): void {
  const subscriber = shard.durable.get(group.groupId)?.consumer?.subscribers.get(memberId)
  if (subscriber === undefined) return
  setTimer(shard, group, { memberId, timer }, now.monotonicMs + durationMs(shard, group.groupId, subscriber, timer))
}

export function setTimer(shard: Shard, group: Group, { memberId, timer }: TimerOfMember, dueMs: number): void {
  const { timers } = turnsOf(group)
  let own = timers.get(memberId)
  if (own === undefined) {
    own = new Map()
    timers.set(memberId, own)
  }
  let deadline = own.get(timer)
  if (deadline === undefined) {
    deadline = new Deadline<Subject>({ kind: 'consumer', group, memberId, timer })
    own.set(timer, deadline)
  }
  shard.deadlines.set(deadline, dueMs)
}

export function isTimerSet(group: Group, memberId: string, timer: MemberTimer): boolean {
  return (group.turns?.timers.get(memberId)?.get(timer)?.dueMs ?? Infinity) !== Infinity
}

/** Whether the timer has fallen due and was neither started anew nor cancelled since: what waited for its turn may be past. */
export function isDue(group: Group, memberId: string, timer: MemberTimer): boolean {
  return group.turns?.timers.get(memberId)?.get(timer)?.dueMs === Infinity
}

export function cancelTimer(shard: Shard, group: Group, memberId: string, timer: MemberTimer): void {
  const own = group.turns?.timers.get(memberId)
  const deadline = own?.get(timer)
  if (deadline === undefined) return
  shard.deadlines.cancel(deadline)
  own?.delete(timer)
}

function cancelAll(shard: Shard, group: Group, memberId: string): void {
  for (const deadline of group.turns?.timers.get(memberId)?.values() ?? []) shard.deadlines.cancel(deadline)
  group.turns?.timers.delete(memberId)
}

/** After records were stored: who is gone has no timers, who must give partitions up has until the end of its rebalance time-out. */
export function followRecords(shard: Shard, group: Group, records: readonly GroupRecord[], now: Instant): void {
  const subscribers = shard.durable.get(group.groupId)?.consumer?.subscribers
  for (const record of records) {
    if (record.kind === 'consumer-member' && subscribers?.has(record.memberId) !== true) cancelAll(shard, group, record.memberId)
    if (record.kind === 'consumer-current' && record.value !== undefined) followMember(shard, group, record.memberId, now)
  }
}

function followMember(shard: Shard, group: Group, memberId: string, now: Instant): void {
  const state = shard.durable.get(group.groupId)?.consumer
  const mustGiveUp = state?.currentOf(memberId).state === 'UnrevokedPartitions'
  // Members of the classic protocol are held to their joins and syncs instead.
  if (mustGiveUp && state.subscribers.get(memberId)?.classic === undefined)
    startTimer(shard, group, { memberId, timer: 'rebalance' }, now)
  else cancelTimer(shard, group, memberId, 'rebalance')
}

/** A group that was loaded: every session starts afresh. */
export function reviveTimers(shard: Shard, group: Group, now: Instant): void {
  for (const memberId of shard.durable.get(group.groupId)?.consumer?.subscribers.keys() ?? []) {
    startTimer(shard, group, { memberId, timer: 'session' }, now)
    followMember(shard, group, memberId, now)
  }
}
