// Owns a simulated population around one consumer group (KIP-848): members of the consumer protocol, some static, and some of the
// classic one. A seed decides who joins, crashes, returns, leaves, dawdles over revocations, how topics change, when appends end or
// fail, and when the coordinator restarts. Checks what must hold at every step, and returns a trace.
//
// What the members themselves believe is the measure: a partition that two of them own at once is read twice.

import { crc32cReference } from '../../../src/base/crc32c.ts'
import { type Prng, seededPrng } from '../../../src/base/prng.ts'
import { DurableState } from '../../../src/groups/core/durable.ts'
import type { ConsumerHeartbeatReply, JoinReply, SyncReply, Ticket } from '../../../src/groups/core/messages.ts'
import { encodeSnapshot, decodeSnapshot } from '../../../src/groups/core/snapshot.ts'
import { decodeRecord, encodeRecord } from '../../../src/groups/record-codec.ts'
import { readConsumerProtocolAssignment } from '../../../src/protocol/generated/data/consumer-protocol-assignment.ts'
import {
  consumerProtocolSubscription,
  writeConsumerProtocolSubscription,
} from '../../../src/protocol/generated/data/consumer-protocol-subscription.ts'
import { decodeVersioned, encodeVersioned } from '../../../src/protocol/index.ts'
import { Play } from '../../unit/src/groups/play.ts'

interface Member {
  readonly name: string
  readonly instanceId: string | undefined
  readonly isClassic: boolean
  alive: boolean
  memberId: string
  epoch: number
  /** As `topic id/partition`: what it reads now. */
  owned: Set<string>
  /** What it was told to have; it gives up and takes on toward it. */
  assigned: Set<string> | undefined
  topics: readonly string[]
  expression: string | undefined
  /** Says all there is to say with its next heartbeat. */
  full: boolean
  ticket: Ticket | undefined
  phase: 'out' | 'joining' | 'syncing' | 'in'
  nextMs: number
  /** When it has finished giving up what it was told to give up. */
  revokedMs: number
  /** The coordinator would have given it up by now. */
  sessionEndMs: number
}

export interface ConsumerOutcome {
  readonly trace: string
  readonly epochs: number
  readonly restarts: number
  readonly failedAppends: number
  readonly fenced: number
  readonly conversions: number
}

const heartbeatMs = 2_000
const sessionMs = 12_000
const rebalanceMs = 15_000
const groupId = 'g'
const ids = ['AAAAAAAAAAAAAAAAAAAAAQ', 'AAAAAAAAAAAAAAAAAAAAAg', 'AAAAAAAAAAAAAAAAAAAAAw', 'AAAAAAAAAAAAAAAAAAAABA'] as const

export class ConsumerSimulation {
  readonly #play = new Play({
    initialRebalanceDelayMs: 0,
    consumerSessionTimeoutMs: sessionMs,
    consumerHeartbeatIntervalMs: heartbeatMs,
    sessionTimeoutMsMin: 1_000,
  })
  readonly #prng: Prng
  readonly #members: Member[] = []
  readonly #trace: string[] = []
  #fresh = 0
  #chaos = true
  #restarts = 0
  #failed = 0
  #fenced = 0
  #conversions = 0
  #wasConsumer = false
  #epoch = 0
  #topicIds = 10

  constructor(seed: number, withClassic: boolean) {
    this.#prng = seededPrng(seed)
    this.#play.autoCommit = false
    const count = 2 + this.#prng.below(6)
    for (let at = 0; at < count; at += 1) {
      const isStatic = this.#prng.below(4) === 0
      this.#members.push({
        name: `c${at}`,
        instanceId: isStatic ? `i${at}` : undefined,
        isClassic: withClassic && this.#prng.below(3) === 0,
        alive: true,
        memberId: '',
        epoch: 0,
        owned: new Set(),
        assigned: undefined,
        topics: ['t'],
        expression: undefined,
        full: false,
        ticket: undefined,
        phase: 'out',
        nextMs: 0,
        revokedMs: 0,
        sessionEndMs: 0,
      })
    }
  }

  run(steps: number): ConsumerOutcome {
    for (let step = 0; step < steps; step += 1) {
      this.#step()
      if (step % 100 === 0) this.#checkDurable()
    }
    this.#calm()
    this.#checkDurable()
    return {
      trace: this.#trace.join('\n'),
      epochs: this.#epoch,
      restarts: this.#restarts,
      failedAppends: this.#failed,
      fenced: this.#fenced,
      conversions: this.#conversions,
    }
  }

  #step(): void {
    const dice = this.#prng.below(100)
    if (dice < 45) this.#pass(this.#prng.below(1_200))
    else if (dice < 80) this.#endAppend()
    else if (dice < 84) this.#crashOrRevive()
    else if (dice < 87) this.#leave()
    else if (dice < 90) this.#changeTopics()
    else if (dice < 92) this.#changeSubscription()
    else if (dice === 99 && this.#prng.below(4) === 0) this.#restart()
    this.#everybody()
    this.#check()
  }

  /** No more faults: within a few time-outs, the group is stable, with exactly those who live, and every partition has its reader. */
  #calm(): void {
    this.#chaos = false
    for (let turn = 0; turn < 400; turn += 1) {
      this.#pass(500)
      while (this.#play.waiting.length > 0) this.#endAppend()
      this.#everybody()
      this.#check()
    }
    const living = this.#members.filter(({ alive }) => alive)
    const state = this.#play.machine.durable.get(groupId)?.consumer
    if (living.every(({ isClassic }) => isClassic)) {
      if (living.length > 0) this.#must(this.#play.state === 'Stable' || state !== undefined, 'a group of classic members lives')
      return
    }
    this.#must(state?.state === 'Stable', `the group is stuck in ${state?.state}`)
    this.#must(
      [...state!.subscribers.keys()].sort().join() ===
        living
          .map(({ memberId }) => memberId)
          .sort()
          .join(),
      'the group has exactly the living',
    )
    const wanted = new Set<string>()
    for (const member of living) {
      const names = [...member.topics, ...(member.expression === undefined ? [] : this.#play.topics.matching(member.expression)!)]
      for (const name of names) {
        const topic = this.#play.topics.topic(name)
        for (let partition = 0; partition < (topic?.partitionCount ?? 0); partition += 1) wanted.add(`${topic!.id}/${partition}`)
      }
    }
    const read = living.flatMap(({ owned }) => [...owned])
    this.#must([...read].sort().join() === [...wanted].sort().join(), 'every partition that is subscribed to has its reader')
  }

  #pass(ms: number): void {
    this.#play.pass(ms)
  }

  #endAppend(): void {
    if (this.#play.waiting.length === 0) return
    if (this.#chaos && this.#prng.below(12) === 0) {
      this.#failed += 1
      this.#play.failNext()
    } else this.#play.commitNext()
    const durable = this.#play.machine.durable.get(groupId)
    const isConsumer = durable?.consumer !== undefined
    if (durable !== undefined && isConsumer !== this.#wasConsumer) {
      this.#conversions += 1
      this.#wasConsumer = isConsumer
    }
    this.#epoch = Math.max(this.#epoch, durable?.consumer?.epoch ?? 0)
  }

  #crashOrRevive(): void {
    const member = this.#members[this.#prng.below(this.#members.length)]!
    member.alive = !member.alive
    this.#forget(member)
    this.#note(`${member.name} ${member.alive ? 'starts' : 'crashes'}`)
  }

  /** A process that is gone reads nothing more. */
  #forget(member: Member): void {
    Object.assign(member, { memberId: '', epoch: 0, owned: new Set(), assigned: undefined, phase: 'out', ticket: undefined })
    member.full = false
  }

  #leave(): void {
    const member = this.#members[this.#prng.below(this.#members.length)]!
    if (!member.alive || member.phase !== 'in') return
    const { memberId, instanceId, isClassic } = member
    if (isClassic) {
      this.#play.machine.leave(groupId, [{ memberId, instanceId }], this.#play.now)
      this.#play.step()
    } else {
      const away = instanceId !== undefined && this.#prng.below(2) === 0
      this.#play.beat(memberId, { memberEpoch: away ? -2 : -1, instanceId })
    }
    member.alive = false
    this.#forget(member)
    this.#note(`${member.name} leaves`)
  }

  #changeTopics(): void {
    const name = ['t', 'u', 'v'][this.#prng.below(3)]!
    const topic = this.#play.topics.topic(name)
    if (topic === undefined) {
      this.#topicIds += 1
      const id = `${ids[this.#topicIds % 4]!.slice(0, 20)}${this.#topicIds.toString(36).padStart(2, '0').slice(-1)}A`
      this.#play.topics.set(name, { id, partitionCount: 1 + this.#prng.below(3) })
    } else if (this.#prng.below(3) === 0) this.#play.topics.set(name, undefined)
    else if (topic.partitionCount < 8) this.#play.topics.set(name, { ...topic, partitionCount: topic.partitionCount + 1 })
    this.#note(`${name} is ${JSON.stringify(this.#play.topics.topic(name))}`)
  }

  #changeSubscription(): void {
    const member = this.#members[this.#prng.below(this.#members.length)]!
    const all = [['t'], ['t', 'u'], ['u', 'v'], ['v'], []]
    member.topics = all[this.#prng.below(member.isClassic ? 4 : 5)]!
    member.expression = member.topics.length === 0 ? 't|v' : undefined
    member.full = true
    if (member.isClassic && member.phase === 'in') member.phase = 'out'
    this.#note(`${member.name} subscribes to ${member.topics.join()} ${member.expression ?? ''}`)
  }

  /** The coordinator dies: its state is what the log says. What was on its way may have got into the log all the same. */
  #restart(): void {
    const landed = this.#prng.below(this.#play.waiting.length + 1)
    for (const append of this.#play.waiting.slice(0, landed)) {
      for (const record of append.records) this.#play.log.push({ record, producer: append.producer })
    }
    this.#play.restart()
    this.#restarts += 1
    for (const member of this.#members) {
      // No answer will come: it says again all there is to say.
      if (member.ticket === undefined) continue
      member.ticket = undefined
      member.full = true
      if (member.isClassic) member.phase = 'out'
      else if (member.phase === 'joining') member.phase = 'out'
    }
    this.#note('the coordinator restarts')
  }

  #everybody(): void {
    for (const member of this.#members) {
      if (!member.alive) continue
      if (member.isClassic) this.#actClassic(member)
      else this.#act(member)
    }
  }

  // --- A member of the consumer protocol

  #act(member: Member): void {
    this.#giveUp(member)
    if (member.ticket !== undefined) {
      const body = this.#play.replies.get(member.ticket)
      if (body === undefined) return
      member.ticket = undefined
      this.#answered(member, body as ConsumerHeartbeatReply)
      return
    }
    if (member.phase === 'out') {
      if (member.memberId === '') member.memberId = `${member.name}.${(this.#fresh += 1)}`
      const { memberId, instanceId, topics, expression } = member
      member.full = false
      member.ticket = this.#play.beat(memberId, {
        instanceId,
        topics,
        expression: expression ?? '',
        rebalanceTimeoutMs: rebalanceMs,
      })
      member.phase = 'joining'
      return
    }
    if (this.#play.nowMs < member.nextMs && !member.full) return
    const { memberId, instanceId, topics, expression, epoch } = member
    const more = member.full ? { topics, expression: expression ?? '', rebalanceTimeoutMs: rebalanceMs } : {}
    const says = member.full || this.#prng.below(3) > 0 || member.assigned !== undefined
    member.full = false
    member.ticket = this.#play.beat(memberId, {
      instanceId,
      memberEpoch: epoch,
      ...more,
      ...(says && { owned: listOf(member.owned) }),
    })
  }

  #answered(member: Member, reply: ConsumerHeartbeatReply): void {
    if (reply.error !== 'NONE') {
      this.#note(`${member.name} is told ${reply.error}`)
      const isRetriable = reply.error === 'COORDINATOR_NOT_AVAILABLE' || reply.error === 'UNKNOWN_SERVER_ERROR'
      if (isRetriable) {
        member.full = true
        if (member.phase === 'joining') member.phase = 'out'
        return
      }
      this.#fenced += 1
      member.owned = new Set()
      member.assigned = undefined
      member.phase = 'out'
      member.epoch = 0
      if (reply.error === 'UNRELEASED_INSTANCE_ID' || reply.error === 'FENCED_INSTANCE_ID') member.memberId = ''
      return
    }
    this.#must(reply.memberEpoch >= member.epoch, `${member.name} goes forward`)
    member.phase = 'in'
    member.epoch = reply.memberEpoch
    member.nextMs = this.#play.nowMs + heartbeatMs
    if (reply.assigned === undefined) return
    this.#note(`${member.name} has ${reply.memberEpoch}: ${setOf(reply.assigned).join(' ')}`)
    member.assigned = new Set(setOf(reply.assigned))
    // Most give up soon, some take longer than they are given.
    member.revokedMs =
      this.#play.nowMs + (this.#chaos && this.#prng.below(10) === 0 ? rebalanceMs + 5_000 : this.#prng.below(2_000))
  }

  #giveUp(member: Member): void {
    if (member.assigned === undefined || this.#play.nowMs < member.revokedMs) return
    const { assigned } = member
    // While a heartbeat is on its way that says what it owns, it takes nothing on that is not in it: it would be believed.
    if (member.ticket !== undefined) {
      member.owned = new Set([...member.owned].filter((one) => assigned.has(one)))
      return
    }
    // A member that was put out meanwhile learns it with its next heartbeat: until then it reads what it had, and takes nothing on.
    const isMember = this.#play.machine.durable.get(groupId)?.consumer?.subscribers.has(member.memberId) === true
    const loses = [...member.owned].some((one) => !assigned.has(one))
    member.owned = new Set(isMember ? assigned : [...member.owned].filter((one) => assigned.has(one)))
    member.assigned = undefined
    if (loses) member.nextMs = 0
  }

  // --- A member of the classic protocol

  #actClassic(member: Member): void {
    if (member.ticket !== undefined) {
      const body = this.#play.replies.get(member.ticket)
      if (body === undefined) return
      member.ticket = undefined
      if (body.kind === 'join') this.#classicJoined(member, body)
      else this.#classicSynced(member, body as SyncReply)
      return
    }
    if (member.phase === 'out') {
      const owned = listOf(member.owned)
      const ownedPartitions = [...owned].flatMap(([id, partitions]) => {
        const topic = this.#play.topics.nameOf(id)
        return topic === undefined ? [] : [{ topic, partitions: [...partitions] }]
      })
      const message = consumerProtocolSubscription({ topics: member.topics, ownedPartitions })
      const metadata = encodeVersioned(writeConsumerProtocolSubscription, message, 1)
      const { memberId, instanceId } = member
      member.ticket = this.#play.join({
        groupId,
        memberId,
        instanceId,
        protocols: [{ name: 'cooperative', metadata }],
        sessionTimeoutMs: sessionMs,
        rebalanceTimeoutMs: rebalanceMs,
      })
      member.phase = 'joining'
      return
    }
    if (this.#play.nowMs < member.nextMs) return
    member.nextMs = this.#play.nowMs + heartbeatMs
    const error = this.#play.heartbeat(member.memberId, member.epoch, member.instanceId, groupId)
    if (error !== 'NONE') this.#classicRefused(member, error)
  }

  #classicRefused(member: Member, error: string): void {
    member.phase = 'out'
    if (error === 'REBALANCE_IN_PROGRESS' || error === 'COORDINATOR_NOT_AVAILABLE') return
    this.#note(`${member.name} is told ${error}`)
    member.owned = new Set()
    if (error === 'UNKNOWN_MEMBER_ID' || error === 'FENCED_INSTANCE_ID') member.memberId = ''
  }

  #classicJoined(member: Member, reply: JoinReply): void {
    if (reply.error !== 'NONE') return this.#classicRefused(member, reply.error)
    member.memberId = reply.memberId
    member.epoch = reply.generation
    member.phase = 'syncing'
    // In a classic group its leader leaves everybody what it has: the assignment is not what is tried here.
    const ticket = this.#play.sync(
      member.memberId,
      reply.generation,
      {},
      {
        groupId,
        ...(member.instanceId !== undefined && { instanceId: member.instanceId }),
      },
    )
    member.ticket = ticket
  }

  #classicSynced(member: Member, reply: SyncReply): void {
    if (reply.error !== 'NONE') return this.#classicRefused(member, reply.error)
    member.phase = 'in'
    member.nextMs = this.#play.nowMs + heartbeatMs
    const message =
      reply.assignment.length === 0 ? undefined : decodeVersioned(readConsumerProtocolAssignment, reply.assignment, 1)
    const owned = new Set<string>()
    for (const { topic, partitions } of message?.assignedPartitions ?? []) {
      const id = this.#play.topics.topic(topic)?.id
      for (const partition of partitions) if (id !== undefined) owned.add(`${id}/${partition}`)
    }
    const loses = [...member.owned].some((one) => !owned.has(one))
    member.owned = owned
    // Cooperative: what it gave up it says by joining again.
    if (loses) member.phase = 'out'
  }

  // --- What must hold

  #check(): void {
    const state = this.#play.machine.durable.get(groupId)?.consumer
    if (state === undefined) return
    const readers = new Map<string, string>()
    for (const { name, memberId, owned, alive } of this.#members) {
      // Who was put out reads on until it hears of it: that is what time-outs are for, and commits are fenced.
      if (!alive || !state.subscribers.has(memberId)) continue
      for (const one of owned) {
        this.#must(!readers.has(one), `${one} is read by ${name} and ${readers.get(one)}`)
        readers.set(one, name)
      }
    }
    const holders = new Map<string, string>()
    for (const [memberId, current] of state.currents) {
      this.#must(state.subscribers.has(memberId), `${memberId} is assigned and a member`)
      this.#must(current.memberEpoch <= state.assignmentEpoch, `${memberId} is not ahead of the assignment`)
      for (const held of [current.assigned, current.pendingRevocation]) {
        for (const one of setOf(held)) {
          this.#must(!holders.has(one), `${one} is held by ${memberId} and ${holders.get(one)}`)
          holders.set(one, memberId)
        }
      }
    }
    const targets = [...state.targets.values()].flatMap((target) => setOf(target))
    this.#must(new Set(targets).size === targets.length, 'no partition is in two targets')
    this.#must(state.assignmentEpoch <= state.epoch, 'the assignment is not ahead of the group')
  }

  /** The log, through its bytes, gives the live state; so does a snapshot. */
  #checkDurable(): void {
    const live = encodeSnapshot(this.#play.machine.durable, crc32cReference)
    const replayed = new DurableState()
    for (const { record, producer } of this.#play.log) {
      const decoded = decodeRecord(encodeRecord(record))
      this.#must(decoded.ok && decoded.value !== undefined, 'a record reads back')
      if (decoded.ok && decoded.value !== undefined) replayed.replay(decoded.value, producer?.producerId)
    }
    this.#must(Buffer.compare(encodeSnapshot(replayed, crc32cReference), live) === 0, 'replay gives the live state')
    const restored = decodeSnapshot(live, crc32cReference)
    this.#must(
      restored.ok && Buffer.compare(encodeSnapshot(restored.value, crc32cReference), live) === 0,
      'a snapshot gives the live state',
    )
  }

  #note(line: string): void {
    this.#trace.push(`${this.#play.nowMs} ${line}`)
  }

  #must(holds: boolean, what: string): void {
    if (!holds) throw new Error(`${what}\n${this.#trace.slice(-40).join('\n')}`)
  }
}

function setOf(partitions: ReadonlyMap<string, ReadonlyMap<number, number> | readonly number[]>): string[] {
  return [...partitions].flatMap(([id, list]) => [...list.keys()].map((at) => `${id}/${Array.isArray(list) ? list[at] : at}`))
}

function listOf(owned: ReadonlySet<string>): ReadonlyMap<string, readonly number[]> {
  const list = new Map<string, number[]>()
  for (const one of [...owned].sort()) {
    const [id = '', partition] = one.split('/')
    list.set(id, [...(list.get(id) ?? []), Number(partition)])
  }
  return list
}
