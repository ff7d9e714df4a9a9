// Owns the state of one partition's coordinator as one value, and the few moves every rule shares: answer a ticket, ask for an
// append, find or make a group, restart a session. Not the rules themselves (the files beside this one).

import { assert } from '../../base/assert.ts'
import { Deadline, Deadlines } from './deadlines.ts'
import { noTopics, type TopicView } from './consumer/topics.ts'
import { DurableState, getAt, setAt, type CommittedOffset, type GroupRecord, type OffsetRecord } from './durable.ts'
import { Group, type Member, noBytes, type Subject } from './group.ts'
import type {
  Append,
  Continuation,
  GroupError,
  Instant,
  JoinReply,
  Producer,
  Reply,
  ReplyBody,
  SyncReply,
  Ticket,
} from './messages.ts'
import type { GroupSettings } from './settings.ts'

export interface ShardCounts {
  rebalances: number
  commits: number
  expiredOffsets: number
  expiredMembers: number
}

export class Shard {
  readonly settings: GroupSettings
  readonly topics: TopicView
  durable = new DurableState()
  readonly groups = new Map<string, Group>()
  readonly deadlines = new Deadlines<Subject>()
  readonly sweep = new Deadline<Subject>({ kind: 'sweep' })
  readonly counts: ShardCounts = { rebalances: 0, commits: 0, expiredOffsets: 0, expiredMembers: 0 }
  replies: Reply[] = []
  appends: Append[] = []

  constructor(settings: GroupSettings, topics: TopicView = noTopics) {
    this.settings = settings
    this.topics = topics
  }

  answer(ticket: Ticket, body: ReplyBody): void {
    this.replies.push({ ticket, body })
  }

  /** Asks for an append of records that are all the group's; its offsets count as in flight until `settle`. */
  append(group: Group, records: readonly GroupRecord[], then: Continuation, producer?: Producer): void {
    this.#countInFlight(group, records, 1)
    this.appends.push({ groupId: group.groupId, records, producer, then })
  }

  /** Notes that an append has ended, one way or the other. */
  settle(append: Append): void {
    const group = this.groups.get(append.groupId)
    assert(group !== undefined, 'GROUP-7: a group outlives its appends')
    this.#countInFlight(group, append.records, -1)
  }

  obtain(groupId: string, now: Instant): Group {
    let group = this.groups.get(groupId)
    if (group === undefined) {
      group = new Group(groupId, now.wallMs)
      this.groups.set(groupId, group)
    }
    return group
  }

  forget(group: Group): void {
    assert(group.members.size === 0, 'GROUP-4: only a group without members is forgotten')
    assert(group.appendsInFlight === 0, 'GROUP-7: a group outlives its appends')
    for (const pending of group.pendingMembers.values()) this.deadlines.cancel(pending)
    this.groups.delete(group.groupId)
  }

  /** Forgets a group that nothing keeps: no member, no id given out, nothing durable, nothing on its way. */
  forgetIfVoid(group: Group): void {
    if (group.state !== 'Empty' || group.pendingMembers.size > 0 || group.appendsInFlight > 0) return
    if (group.turns !== undefined && group.turns.queue.length > 0) return
    if (this.durable.get(group.groupId) === undefined && !this.durable.hasPending(group.groupId)) this.forget(group)
  }

  restartSession(member: Member, now: Instant): void {
    this.deadlines.set(member.session, now.monotonicMs + member.sessionTimeoutMs)
  }

  #countInFlight(group: Group, records: readonly GroupRecord[], step: 1 | -1): void {
    group.appendsInFlight += step
    for (const record of records) {
      if (record.kind !== 'offset') continue
      const count = (getAt(group.offsetsInFlight, record.topic, record.partition) ?? 0) + step
      assert(count >= 0, 'GROUP-6: an append ends once')
      setAt(group.offsetsInFlight, record, count === 0 ? undefined : count)
    }
  }
}

export function refuseJoin(error: GroupError, memberId: string): JoinReply {
  return {
    kind: 'join',
    error,
    memberId,
    generation: -1,
    protocolType: undefined,
    protocolName: undefined,
    leaderId: '',
    skipAssignment: false,
    members: [],
  }
}

export function refuseSync(error: GroupError): SyncReply {
  return { kind: 'sync', error, protocolType: undefined, protocolName: undefined, assignment: noBytes }
}

export function tombstone(groupId: string, topic: string, partition: number): OffsetRecord {
  return { kind: 'offset', groupId, topic, partition, value: undefined }
}

/** Every partition whose offset is committed, pending in a transaction, or on its way; in no order that matters. */
export function* offsetKeys(
  shard: Shard,
  groupId: string,
): Generator<{ topic: string; partition: number; value?: CommittedOffset }> {
  const seen = new Set<string>()
  const group = shard.durable.get(groupId)
  for (const [topic, partitions] of group?.offsets ?? []) {
    for (const [partition, value] of partitions) {
      seen.add(`${partition} ${topic}`)
      yield { topic, partition, value }
    }
  }
  const others = [
    shard.groups.get(groupId)?.offsetsInFlight,
    ...[...shard.durable.pending.values()].map((groups) => groups.get(groupId)),
  ]
  for (const offsets of others) {
    for (const [topic, partitions] of offsets ?? []) {
      for (const partition of partitions.keys()) {
        if (seen.has(`${partition} ${topic}`)) continue
        seen.add(`${partition} ${topic}`)
        yield { topic, partition }
      }
    }
  }
}
