// Owns the coordinator of one partition as a state machine: requests, time and the ends of appends go in, a Ready comes out. It
// never waits, reads no clock and draws no chance. Not the rules (beside this file) nor the world (../runtime.ts).

import { assert } from '../../base/assert.ts'
import { heartbeatInConsumerGroup, leaverOf, syncInConsumerGroup } from './consumer/classic-members.ts'
import { refusalOfFetch } from './consumer/offsets.ts'
import type { ConsumerGroupState } from './consumer/state.ts'
import { reviveTimers } from './consumer/timers.ts'
import type { TopicView } from './consumer/topics.ts'
import { consumerChanged, isConsumerGroup, takeTurn } from './consumer/turns.ts'
import type { DurableState, GroupRecord } from './durable.ts'
import type { Group, GroupState } from './group.ts'
import { planJoin, refusalBeforeGroup } from './join.ts'
import { type LeaveResult, planLeave } from './leave.ts'
import type {
  Append,
  CommitAsk,
  ConsumerHeartbeatAsk,
  GroupError,
  Instant,
  JoinAsk,
  Leaver,
  MemberClaim,
  Ready,
  SyncAsk,
  Ticket,
  TicketSource,
} from './messages.ts'
import {
  allOffsets,
  type DeleteOffsetsAsk,
  type FetchedOffset,
  fetchOffset,
  planCommit,
  planDeleteOffsets,
  planSetBack,
  planTopicDeleted,
  type SetBackOffset,
} from './offsets.ts'
import { buried, planDeleteGroup } from './remove.ts'
import { reviveClassic } from './revive.ts'
import type { GroupSettings } from './settings.ts'
import { refuseJoin, Shard } from './shard.ts'
import { assignmentCommitted, assignmentFailed, planHeartbeat, planSync } from './sync.ts'
import { onDue } from './timers.ts'

export class GroupMachine {
  readonly #shard: Shard
  #active = false

  constructor(settings: GroupSettings, topics?: TopicView) {
    this.#shard = new Shard(settings, topics)
  }

  get durable(): DurableState {
    return this.#shard.durable
  }

  get groups(): ReadonlyMap<string, Group> {
    return this.#shard.groups
  }

  /** The group's state as clients are told it, in either protocol. */
  stateOf(group: Group): GroupState | ConsumerGroupState {
    const consumer = this.durable.get(group.groupId)?.consumer
    return group.state === 'Dead' ? 'Dead' : (consumer?.state ?? group.state)
  }

  get counts(): Readonly<Shard['counts']> {
    return this.#shard.counts
  }

  /** When `onTimer` wants to be called next, on the monotonic clock; Infinity: not at all. */
  get nextDeadlineMs(): number {
    return this.#shard.deadlines.nextMs
  }

  get isActive(): boolean {
    return this.#active
  }

  /** Takes over a state that was read whole, in place of an empty one. */
  load(durable: DurableState): void {
    assert(!this.#active && this.#shard.durable.groups.size === 0, 'GROUP-8: a state is loaded into an empty coordinator')
    this.#shard.durable = durable
  }

  /** Applies one record of the log, in its order, before the partition is served. */
  replay(record: GroupRecord, producerId?: number): void {
    assert(!this.#active, 'GROUP-8: the log is replayed before the partition is served')
    this.#shard.durable.replay(record, producerId)
  }

  /** Applies a committed end-transaction marker; while loading and afterwards. */
  endTransaction(producerId: number, outcome: 'commit' | 'abort', now: Instant): void {
    const concerned = this.#shard.durable.endTransaction(producerId, outcome)
    if (!this.#active) return
    for (const groupId of concerned) this.#shard.obtain(groupId, now)
  }

  /** Opens for requests: stored groups come back as they were, every session starting afresh. */
  activate(now: Instant): void {
    assert(!this.#active, 'GROUP-8: a partition is activated once')
    this.#active = true
    for (const groupId of this.#shard.durable.groups.keys()) this.#revive(groupId, now)
    for (const groups of this.#shard.durable.pending.values())
      for (const groupId of groups.keys()) this.#shard.obtain(groupId, now)
    const { deadlines, sweep, settings } = this.#shard
    deadlines.set(sweep, now.monotonicMs + settings.offsetsRetentionCheckIntervalMs)
  }

  join(ticket: Ticket, ask: JoinAsk, now: Instant): void {
    const group = this.groups.get(ask.groupId)
    const refusal = isConsumerGroup(this.#shard, group) ? refusalBeforeGroup(this.#shard, ask) : undefined
    if (refusal !== undefined) this.#shard.answer(ticket, refuseJoin(refusal, ask.memberId))
    else if (isConsumerGroup(this.#shard, group)) takeTurn(this.#shard, group, { kind: 'join', ticket, ask }, now)
    else planJoin(this.#shard, ticket, ask, now)
  }

  sync(ticket: Ticket, ask: SyncAsk, now: Instant): void {
    const group = this.groups.get(ask.groupId)
    if (isConsumerGroup(this.#shard, group)) this.#shard.answer(ticket, syncInConsumerGroup(this.#shard, group, ask, now))
    else planSync(this.#shard, ticket, ask, now)
  }

  heartbeat(claim: MemberClaim, now: Instant): GroupError {
    const group = this.groups.get(claim.groupId)
    if (isConsumerGroup(this.#shard, group)) return heartbeatInConsumerGroup(this.#shard, group, claim, now)
    return planHeartbeat(this.#shard, claim, now)
  }

  leave(groupId: string, leavers: readonly Leaver[], now: Instant): LeaveResult {
    const group = this.groups.get(groupId)
    const state = this.durable.get(groupId)?.consumer
    if (!isConsumerGroup(this.#shard, group)) return planLeave(this.#shard, groupId, leavers, now)
    const errors = leavers.map((leaver): GroupError => {
      const found = state === undefined ? { memberId: leaver.memberId } : leaverOf(state, leaver)
      if (typeof found === 'string') return found
      takeTurn(this.#shard, group, { kind: 'leave', memberId: found.memberId }, now)
      return 'NONE'
    })
    return { error: 'NONE', errors }
  }

  /** A heartbeat of the consumer protocol. */
  consumerHeartbeat(ticket: Ticket, ask: ConsumerHeartbeatAsk, now: Instant): void {
    takeTurn(this.#shard, this.#shard.obtain(ask.groupId, now), { kind: 'heartbeat', ticket, ask }, now)
  }

  commit(ticket: Ticket, ask: CommitAsk, now: Instant): void {
    planCommit(this.#shard, ticket, ask, now)
  }

  /** Whether a member may read offsets in its epoch. */
  refusalOfFetch(groupId: string, memberId: string | undefined, memberEpoch: number): GroupError | undefined {
    return refusalOfFetch(this.#shard, groupId, memberId, memberEpoch)
  }

  fetch(groupId: string, at: { topic: string; partition: number }, requireStable: boolean): FetchedOffset {
    return fetchOffset(this.#shard, groupId, at, requireStable)
  }

  deleteGroup(ticket: Ticket, groupId: string, now: Instant): void {
    const group = this.groups.get(groupId)
    if (isConsumerGroup(this.#shard, group)) takeTurn(this.#shard, group, { kind: 'delete', ticket }, now)
    else planDeleteGroup(this.#shard, ticket, groupId, now)
  }

  deleteOffsets(ticket: Ticket, ask: DeleteOffsetsAsk): void {
    planDeleteOffsets(this.#shard, ticket, ask)
  }

  topicDeleted(topic: string, topicId: string | undefined, tickets: TicketSource, now: Instant): number {
    return planTopicDeleted(this.#shard, { topic, topicId }, tickets, now)
  }

  setBack(
    at: { topic: string; partition: number; endOffset: number },
    tickets: TicketSource,
    now: Instant,
  ): readonly SetBackOffset[] {
    return planSetBack(this.#shard, at, tickets, now)
  }

  onTimer(now: Instant): void {
    for (
      let due = this.#shard.deadlines.take(now.monotonicMs);
      due !== undefined;
      due = this.#shard.deadlines.take(now.monotonicMs)
    ) {
      onDue(this.#shard, due, now)
    }
  }

  /** The append is committed: its records take effect, then whoever waited for them goes on. Appends end in their order. */
  onAppended(append: Append, now: Instant): void {
    for (const record of append.records) this.#shard.durable.replay(record, append.producer?.producerId)
    this.#shard.settle(append)
    this.#continue(append, 'NONE', now)
  }

  /** Nothing of the append is in the log nor will be. */
  onAppendFailed(append: Append, error: GroupError, now: Instant): void {
    assert(error !== 'NONE', 'GROUP-9: a failure has a name')
    this.#shard.settle(append)
    this.#continue(append, error, now)
  }

  /** Takes what is to be done; what is not done is lost. */
  takeReady(): Ready {
    const { replies, appends } = this.#shard
    this.#shard.replies = []
    this.#shard.appends = []
    return { replies, appends }
  }

  #continue(append: Append, error: GroupError, now: Instant): void {
    const { then } = append
    const shard = this.#shard
    switch (then.kind) {
      case 'assignment':
        if (error === 'NONE') return assignmentCommitted(shard, then.groupId, then.generation, now)
        return assignmentFailed(shard, then.groupId, { generation: then.generation, error }, now)
      case 'returned':
        return shard.answer(then.ticket, error === 'NONE' ? then.reply : refuseJoin(error, ''))
      case 'committed':
      case 'rewritten':
        if (error === 'NONE') shard.counts.commits += then.kind === 'committed' ? 1 : 0
        if (then.ticket !== undefined)
          shard.answer(then.ticket, error === 'NONE' ? then.reply : commitFailed(then.reply.errors, error))
        return this.#forgetIfVoid(append.groupId)
      case 'deleted':
        return buried(shard, then, error, now)
      case 'emptied':
        return
      case 'consumer':
        return consumerChanged(shard, { records: append.records, then }, error, now)
    }
  }

  #forgetIfVoid(groupId: string): void {
    const group = this.#shard.groups.get(groupId)
    if (group !== undefined && this.#active) this.#shard.forgetIfVoid(group)
  }

  #revive(groupId: string, now: Instant): void {
    const group = this.#shard.obtain(groupId, now)
    if (this.durable.get(groupId)?.consumer === undefined) reviveClassic(this.#shard, group, now)
    else reviveTimers(this.#shard, group, now)
  }
}

/** What had its own error keeps it; the rest shares the failure of the append. */
function commitFailed(errors: readonly GroupError[], error: GroupError): { kind: 'commit'; errors: readonly GroupError[] } {
  return {
    kind: 'commit',
    errors: allOffsets({ offsets: errors }, error).errors.map((failed, at) => (errors[at] === 'NONE' ? failed : errors[at]!)),
  }
}
