// Owns a small world around one GroupMachine for tests: time by hand, appends that end when told, replies by ticket.

import type { KnownTopic, TopicView } from '../../../../src/groups/core/consumer/topics.ts'
import { GroupMachine } from '../../../../src/groups/core/machine.ts'
import type {
  Append,
  ConsumerHeartbeatAsk,
  ConsumerHeartbeatReply,
  GroupError,
  Instant,
  JoinAsk,
  JoinReply,
  OffsetToCommit,
  Producer,
  ReplyBody,
  SyncReply,
  Ticket,
} from '../../../../src/groups/core/messages.ts'
import { type GroupSettings, standardGroupSettings } from '../../../../src/groups/core/settings.ts'
import type { GroupRecord } from '../../../../src/groups/core/durable.ts'

const utf8 = new TextEncoder()
export const bytesOf = (text: string): Uint8Array => utf8.encode(text)
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** A consumer's subscription, version 0. */
export function subscription(...topics: string[]): Uint8Array {
  const names = topics.map((topic) => bytesOf(topic))
  const bytes = new Uint8Array(10 + names.reduce((sum, name) => sum + 2 + name.length, 0))
  const view = new DataView(bytes.buffer)
  view.setInt32(2, topics.length)
  let at = 6
  for (const name of names) {
    view.setInt16(at, name.length)
    bytes.set(name, at + 2)
    at += 2 + name.length
  }
  view.setInt32(at, -1)
  return bytes
}

export const idOfT = 'AAAAAAAAAAAAAAAAAAAAAQ'
export const idOfU = 'AAAAAAAAAAAAAAAAAAAAAg'

/** Topics that a test makes, grows and deletes. Here an expression is JavaScript's. */
export class PlayTopics implements TopicView {
  version = 1
  readonly #topics = new Map<string, KnownTopic>([
    ['t', { id: idOfT, partitionCount: 4 }],
    ['u', { id: idOfU, partitionCount: 2 }],
  ])

  set(name: string, topic: KnownTopic | undefined): void {
    this.version += 1
    if (topic === undefined) this.#topics.delete(name)
    else this.#topics.set(name, topic)
  }

  topic(name: string): KnownTopic | undefined {
    return this.#topics.get(name)
  }

  nameOf(topicId: string): string | undefined {
    return [...this.#topics].find(([, { id }]) => id === topicId)?.[0]
  }

  matching(expression: string): readonly string[] | undefined {
    if (expression.includes('[')) return undefined
    const pattern = new RegExp(`^(?:${expression})$`)
    return [...this.#topics.keys()].filter((name) => pattern.test(name)).sort()
  }
}

export class Play {
  readonly topics = new PlayTopics()
  machine: GroupMachine
  readonly settings: GroupSettings
  nowMs = 1_000_000
  /** While false, appends wait for `commitNext` or `failNext`. */
  autoCommit = true
  readonly replies = new Map<Ticket, ReplyBody>()
  readonly waiting: Append[] = []
  /** Every committed record, as a log would hold it. */
  readonly log: { record: GroupRecord; producer: Producer | undefined }[] = []
  #ticket = 0
  #fresh = 0

  constructor(settings: Partial<GroupSettings> = {}) {
    this.settings = { ...standardGroupSettings, initialRebalanceDelayMs: 0, ...settings }
    this.machine = new GroupMachine(this.settings, this.topics)
    this.machine.activate(this.now)
  }

  get now(): Instant {
    return { monotonicMs: this.nowMs, wallMs: 1_700_000_000_000 + this.nowMs }
  }

  get ticket(): Ticket {
    this.#ticket += 1
    return this.#ticket
  }

  step(): void {
    const ready = this.machine.takeReady()
    for (const { ticket, body } of ready.replies) {
      if (this.replies.has(ticket)) throw new Error(`ticket ${ticket} answered twice`)
      this.replies.set(ticket, body)
    }
    this.waiting.push(...ready.appends)
    if (this.autoCommit && this.waiting.length > 0) this.commitNext()
  }

  commitNext(): void {
    const append = this.waiting.shift()!
    for (const record of append.records) this.log.push({ record, producer: append.producer })
    this.machine.onAppended(append, this.now)
    this.step()
  }

  failNext(error: GroupError = 'COORDINATOR_NOT_AVAILABLE'): void {
    this.machine.onAppendFailed(this.waiting.shift()!, error, this.now)
    this.step()
  }

  /** Lets time pass, with everything that falls due in between. */
  pass(ms: number): void {
    const end = this.nowMs + ms
    while (this.machine.nextDeadlineMs <= end) {
      this.nowMs = Math.max(this.nowMs, this.machine.nextDeadlineMs)
      this.machine.onTimer(this.now)
      this.step()
    }
    this.nowMs = end
  }

  /** A fresh coordinator that has replayed the log. */
  restart(): void {
    this.machine = new GroupMachine(this.settings, this.topics)
    for (const { record, producer } of this.log) this.machine.replay(record, producer?.producerId)
    this.machine.activate(this.now)
    this.waiting.length = 0
  }

  join(ask: Partial<JoinAsk> = {}): Ticket {
    const ticket = this.ticket
    this.#fresh += 1
    const whole: JoinAsk = {
      groupId: 'g',
      memberId: '',
      instanceId: undefined,
      clientId: 'client',
      clientHost: '/10.0.0.1',
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 60_000,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: subscription('t') }],
      freshMemberId: `m${this.#fresh}`,
      requireKnownMemberId: false,
      canSkipAssignment: true,
      ...ask,
    }
    this.machine.join(ticket, whole, this.now)
    this.step()
    return ticket
  }

  /** A heartbeat of the consumer protocol; epoch 0, the default, joins and says all that is to be said. */
  beat(memberId: string, ask: Partial<ConsumerHeartbeatAsk> = {}): Ticket {
    const ticket = this.ticket
    const joins = (ask.memberEpoch ?? 0) === 0
    const whole: ConsumerHeartbeatAsk = {
      groupId: 'g',
      memberId,
      memberEpoch: 0,
      instanceId: undefined,
      rackId: undefined,
      clientId: 'client',
      clientHost: '/10.0.0.1',
      rebalanceTimeoutMs: joins ? 60_000 : undefined,
      topics: joins && ask.expression === undefined ? ['t'] : undefined,
      expression: undefined,
      assignor: undefined,
      owned: joins ? new Map() : undefined,
      ...ask,
    }
    this.machine.consumerHeartbeat(ticket, whole, this.now)
    this.step()
    return ticket
  }

  beaten(ticket: Ticket): ConsumerHeartbeatReply {
    const body = this.replies.get(ticket)
    if (body?.kind !== 'consumer-heartbeat') throw new Error(`ticket ${ticket} has no heartbeat reply`)
    return body
  }

  /** A heartbeat and its answer, in short: `error`, or the epoch and what was told, as `3 t0 t1`. */
  told(memberId: string, ask: Partial<ConsumerHeartbeatAsk> = {}): string {
    const { error, memberEpoch, assigned } = this.beaten(this.beat(memberId, ask))
    if (error !== 'NONE') return error
    if (assigned === undefined) return String(memberEpoch)
    const names = [...assigned].flatMap(([id, partitions]) =>
      [...partitions.keys()].map((partition) => `${this.topics.nameOf(id) ?? id}${partition}`),
    )
    return [memberEpoch, ...names.sort()].join(' ')
  }

  joined(ticket: Ticket): JoinReply {
    const body = this.replies.get(ticket)
    if (body?.kind !== 'join') throw new Error(`ticket ${ticket} has no join reply`)
    return body
  }

  sync(
    memberId: string,
    generation: number,
    assignments: Record<string, string> = {},
    more: { instanceId?: string; protocolName?: string; groupId?: string } = {},
  ): Ticket {
    const ticket = this.ticket
    const map = new Map(Object.entries(assignments).map(([member, text]) => [member, bytesOf(text)]))
    const { groupId = 'g', instanceId, protocolName } = more
    this.machine.sync(
      ticket,
      { groupId, memberId, instanceId, generation, protocolType: undefined, protocolName, assignments: map },
      this.now,
    )
    this.step()
    return ticket
  }

  synced(ticket: Ticket): SyncReply {
    const body = this.replies.get(ticket)
    if (body?.kind !== 'sync') throw new Error(`ticket ${ticket} has no sync reply`)
    return body
  }

  heartbeat(memberId: string, generation: number, instanceId?: string, groupId = 'g'): GroupError {
    const error = this.machine.heartbeat({ groupId, memberId, generation, instanceId }, this.now)
    this.step()
    return error
  }

  leave(memberId: string, instanceId?: string): GroupError {
    const result = this.machine.leave('g', [{ memberId, instanceId }], this.now)
    this.step()
    return result.error === 'NONE' ? result.errors[0]! : result.error
  }

  commit(
    who: {
      memberId?: string
      generation?: number
      instanceId?: string
      groupId?: string
      producer?: Producer
      retentionMs?: number
      understandsEpochs?: boolean
    },
    ...offsets: Partial<OffsetToCommit>[]
  ): Ticket {
    const ticket = this.ticket
    const { memberId = '', generation = -1, instanceId, groupId = 'g', producer, retentionMs, understandsEpochs } = who
    const whole = offsets.map((one) => ({
      topic: 't',
      partition: 0,
      topicId: undefined,
      offset: 0,
      leaderEpoch: 3,
      metadata: '',
      ...one,
    }))
    const claim = { groupId, memberId, generation, instanceId, ...(understandsEpochs === true && { understandsEpochs }) }
    this.machine.commit(ticket, { ...claim, retentionMs, offsets: whole, ...(producer && { producer }) }, this.now)
    this.step()
    return ticket
  }

  errors(ticket: Ticket): readonly GroupError[] {
    const body = this.replies.get(ticket)
    if (body?.kind !== 'commit') throw new Error(`ticket ${ticket} has no commit reply`)
    return body.errors
  }

  offset(topic = 't', partition = 0, groupId = 'g'): number | undefined {
    return this.machine.fetch(groupId, { topic, partition }, false).committed?.offset
  }

  remove(groupId = 'g'): Ticket {
    const ticket = this.ticket
    this.machine.deleteGroup(ticket, groupId, this.now)
    this.step()
    return ticket
  }

  get state(): string | undefined {
    return this.machine.groups.get('g')?.state
  }

  /** A stable group of `count` members m1 (the leader), m2, …; returns the generation. */
  stable(count: number, asks: Partial<JoinAsk>[] = []): number {
    const first = this.join(asks[0])
    const ids = [this.joined(first).memberId]
    let generation = this.joined(first).generation
    this.sync(ids[0]!, generation, { [ids[0]!]: 'a1' })
    for (let at = 1; at < count; at += 1) {
      const mine = this.join(asks[at])
      const others = ids.map((memberId, which) => this.join({ ...asks[which], memberId }))
      generation = this.joined(mine).generation
      ids.push(this.joined(mine).memberId)
      const assignments = Object.fromEntries(ids.map((id, which) => [id, `a${which + 1}`]))
      void others
      for (const id of ids) this.sync(id, generation, id === this.joined(mine).leaderId ? assignments : {})
    }
    return generation
  }
}
