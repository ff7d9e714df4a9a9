// Owns a simulated population of consumers around one coordinator: a seed decides who joins, crashes, returns, leaves, commits, when
// appends end or fail, and when the coordinator restarts. Checks what must hold at every step, and returns a trace.

import { crc32cReference } from '../../../src/base/crc32c.ts'
import { type Prng, seededPrng } from '../../../src/base/prng.ts'
import type { JoinReply, SyncReply, Ticket } from '../../../src/groups/core/messages.ts'
import { decodeSnapshot, encodeSnapshot } from '../../../src/groups/core/snapshot.ts'
import { DurableState } from '../../../src/groups/core/durable.ts'
import { decodeRecord, encodeRecord } from '../../../src/groups/record-codec.ts'
import { Play, subscription, textOf } from '../../unit/src/groups/play.ts'

interface Consumer {
  readonly name: string
  readonly groupId: string
  readonly instanceId: string | undefined
  readonly requireKnownMemberId: boolean
  alive: boolean
  memberId: string
  generation: number
  phase: 'out' | 'joining' | 'syncing' | 'in'
  ticket: Ticket | undefined
  askedAtMs: number
  nextHeartbeatMs: number
  commits: { readonly ticket: Ticket; readonly offset: number }[]
}

export interface Outcome {
  readonly trace: string
  readonly rebalances: number
  readonly restarts: number
  readonly failedAppends: number
  readonly commits: number
}

const heartbeatMs = 3_000
const requestTimeoutMs = 120_000

export class Simulation {
  readonly #play = new Play({ initialRebalanceDelayMs: 1_000 })
  readonly #prng: Prng
  readonly #consumers: Consumer[] = []
  readonly #trace: string[] = []
  /** By incarnation, group and generation: who leads, by name. */
  readonly #leaders = new Map<string, string>()
  /** Who stands behind a member id. */
  readonly #names = new Map<string, string>()
  readonly #accepted = new Map<string, number>()
  readonly #seen = new Map<string, number>()
  #incarnation = 0
  #nextOffset = 1
  #chaos = true
  #failed = 0
  #committed = 0
  #rebalances = 0

  constructor(seed: number) {
    this.#prng = seededPrng(seed)
    this.#play.autoCommit = false
    const count = 3 + this.#prng.below(10)
    for (let at = 0; at < count; at += 1) {
      const isStatic = this.#prng.below(3) === 0
      this.#consumers.push({
        name: `c${at}`,
        groupId: `group-${this.#prng.below(2)}`,
        instanceId: isStatic ? `i${at}` : undefined,
        requireKnownMemberId: this.#prng.below(2) === 0,
        alive: true,
        memberId: '',
        generation: -1,
        phase: 'out',
        ticket: undefined,
        askedAtMs: 0,
        nextHeartbeatMs: 0,
        commits: [],
      })
    }
  }

  run(steps: number): Outcome {
    for (let step = 0; step < steps; step += 1) {
      this.#step()
      if (step % 50 === 0) this.#checkDurable()
    }
    this.#calm()
    this.#checkDurable()
    return {
      trace: this.#trace.join('\n'),
      rebalances: this.#rebalances + this.#play.machine.counts.rebalances,
      restarts: this.#incarnation,
      failedAppends: this.#failed,
      commits: this.#committed,
    }
  }

  #step(): void {
    const dice = this.#prng.below(100)
    if (dice < 40) this.#play.pass(this.#prng.below(1_500))
    else if (dice < 75) this.#endAppend()
    else if (dice < 80) this.#crashOrRevive()
    else if (dice < 83) this.#leave()
    else if (dice < 95) this.#commit()
    else if (dice === 99 && this.#prng.below(4) === 0) this.#restart()
    this.#everybody()
    this.#check()
  }

  /** No more faults: within a few time-outs, every group must be stable with exactly those who live. */
  #calm(): void {
    this.#chaos = false
    for (let turn = 0; turn < 600; turn += 1) {
      this.#play.pass(500)
      while (this.#play.waiting.length > 0) this.#endAppend()
      this.#everybody()
      this.#check()
    }
    for (const groupId of new Set(this.#consumers.map((consumer) => consumer.groupId))) {
      const living = this.#consumers.filter((consumer) => consumer.groupId === groupId && consumer.alive)
      const group = this.#play.machine.groups.get(groupId)
      const state = group?.state ?? 'Empty'
      this.#must(
        state === (living.length > 0 ? 'Stable' : 'Empty'),
        `${groupId} is stuck in ${state} with ${living.length} living`,
      )
      const members = [...(group?.members.keys() ?? [])].sort()
      this.#must(
        members.join() ===
          living
            .map((consumer) => consumer.memberId)
            .sort()
            .join(),
        `${groupId} has exactly the living`,
      )
      this.#must(
        living.every((consumer) => consumer.phase === 'in' && consumer.generation === group?.generation),
        `${groupId} agrees`,
      )
    }
  }

  #endAppend(): void {
    if (this.#play.waiting.length === 0) return
    if (this.#chaos && this.#prng.below(12) === 0) {
      this.#failed += 1
      this.#play.failNext()
    } else this.#play.commitNext()
  }

  #crashOrRevive(): void {
    const consumer = this.#consumers[this.#prng.below(this.#consumers.length)]!
    consumer.alive = !consumer.alive
    this.#forget(consumer)
    this.#note(`${consumer.name} ${consumer.alive ? 'starts' : 'crashes'}`)
  }

  #leave(): void {
    const consumer = this.#consumers[this.#prng.below(this.#consumers.length)]!
    if (!consumer.alive || consumer.memberId === '') return
    const { groupId, memberId, instanceId } = consumer
    this.#play.machine.leave(groupId, [{ memberId, instanceId }], this.#play.now)
    this.#play.step()
    consumer.alive = false
    this.#forget(consumer)
    this.#note(`${consumer.name} leaves`)
  }

  #forget(consumer: Consumer): void {
    Object.assign(consumer, { memberId: '', generation: -1, phase: 'out', ticket: undefined, commits: [] })
  }

  #commit(): void {
    const consumer = this.#consumers[this.#prng.below(this.#consumers.length)]!
    if (!consumer.alive || consumer.phase !== 'in') return
    const offset = this.#nextOffset
    this.#nextOffset += 1
    const { memberId, generation, groupId, instanceId } = consumer
    const who = { memberId, generation, groupId, ...(instanceId !== undefined && { instanceId }) }
    consumer.commits.push({ ticket: this.#play.commit(who, { topic: 't', partition: 0, offset }), offset })
  }

  /** The coordinator dies: its state is what the log says. What was on its way may have got into the log all the same. */
  #restart(): void {
    const landed = this.#prng.below(this.#play.waiting.length + 1)
    for (const append of this.#play.waiting.slice(0, landed)) {
      for (const record of append.records) this.#play.log.push({ record, producer: append.producer })
    }
    this.#rebalances += this.#play.machine.counts.rebalances
    this.#play.restart()
    this.#incarnation += 1
    for (const consumer of this.#consumers) {
      consumer.commits = []
      if (consumer.ticket !== undefined) Object.assign(consumer, { phase: 'out', ticket: undefined })
    }
    this.#note('the coordinator restarts')
  }

  #everybody(): void {
    for (const consumer of this.#consumers) if (consumer.alive) this.#act(consumer)
  }

  #act(consumer: Consumer): void {
    this.#takeCommits(consumer)
    if (consumer.phase === 'out') return this.#join(consumer)
    if (consumer.phase === 'in') return this.#heartbeat(consumer)
    const body = this.#play.replies.get(consumer.ticket!)
    if (body === undefined) {
      this.#must(this.#play.nowMs - consumer.askedAtMs <= requestTimeoutMs + 200_000, `${consumer.name} waits for ever`)
      return
    }
    consumer.ticket = undefined
    if (body.kind === 'join') this.#joined(consumer, body)
    else if (body.kind === 'sync') this.#synced(consumer, body)
  }

  #takeCommits(consumer: Consumer): void {
    for (const { ticket, offset } of consumer.commits) {
      const body = this.#play.replies.get(ticket)
      if (body?.kind !== 'commit' || body.errors[0] !== 'NONE') continue
      this.#committed += 1
      this.#accepted.set(consumer.groupId, Math.max(offset, this.#accepted.get(consumer.groupId) ?? 0))
    }
    consumer.commits = consumer.commits.filter(({ ticket }) => !this.#play.replies.has(ticket))
  }

  #join(consumer: Consumer): void {
    const { groupId, memberId, instanceId, requireKnownMemberId } = consumer
    const protocols = [{ name: 'range', metadata: subscription('t') }]
    const times = { sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 20_000 }
    consumer.ticket = this.#play.join({ groupId, memberId, instanceId, requireKnownMemberId, protocols, ...times })
    consumer.phase = 'joining'
    consumer.askedAtMs = this.#play.nowMs
  }

  #joined(consumer: Consumer, reply: JoinReply): void {
    this.#note(`${consumer.name} joined: ${reply.error} ${reply.memberId} ${reply.generation}`)
    consumer.phase = 'out'
    if (reply.error === 'UNKNOWN_MEMBER_ID' || reply.error === 'FENCED_INSTANCE_ID') consumer.memberId = ''
    if (reply.error === 'MEMBER_ID_REQUIRED') consumer.memberId = reply.memberId
    if (reply.error !== 'NONE') return
    consumer.memberId = reply.memberId
    consumer.generation = reply.generation
    this.#names.set(reply.memberId, consumer.name)
    const key = `${this.#incarnation}/${consumer.groupId}/${reply.generation}`
    // A leader whose join is answered later than its followers' is not known by name yet.
    const leader = this.#nameOf(reply.leaderId, consumer.groupId)
    if (leader !== undefined) {
      this.#must((this.#leaders.get(key) ?? leader) === leader, `generation ${key} has one leader`)
      this.#leaders.set(key, leader)
    }
    const { memberId, generation, groupId } = consumer
    const leads = reply.leaderId === memberId && !reply.skipAssignment
    if (leads)
      this.#must(
        reply.members.some((member) => member.memberId === memberId),
        'a leader is a member',
      )
    const assignments = leads
      ? Object.fromEntries(reply.members.map((member) => [member.memberId, `${generation}:${member.memberId}`]))
      : {}
    const more = { groupId, ...(consumer.instanceId !== undefined && { instanceId: consumer.instanceId }) }
    consumer.ticket = this.#play.sync(memberId, generation, assignments, more)
    consumer.phase = 'syncing'
    consumer.askedAtMs = this.#play.nowMs
  }

  #nameOf(memberId: string, groupId: string): string | undefined {
    const instanceId = this.#play.machine.groups.get(groupId)?.members.get(memberId)?.instanceId
    return instanceId === undefined ? this.#names.get(memberId) : `c${instanceId.slice(1)}`
  }

  #synced(consumer: Consumer, reply: SyncReply): void {
    this.#note(`${consumer.name} synced: ${reply.error} ${textOf(reply.assignment)}`)
    consumer.phase = reply.error === 'NONE' ? 'in' : 'out'
    if (reply.error === 'UNKNOWN_MEMBER_ID' || reply.error === 'FENCED_INSTANCE_ID') consumer.memberId = ''
    if (reply.error !== 'NONE') return
    const [generation, memberId] = textOf(reply.assignment).split(':')
    this.#must(Number(generation) === consumer.generation, `${consumer.name} got an assignment of its generation`)
    this.#must(this.#nameOf(memberId!, consumer.groupId) === consumer.name || consumer.instanceId !== undefined, 'and its own')
    consumer.nextHeartbeatMs = this.#play.nowMs + heartbeatMs
  }

  #heartbeat(consumer: Consumer): void {
    if (this.#play.nowMs < consumer.nextHeartbeatMs) return
    consumer.nextHeartbeatMs = this.#play.nowMs + heartbeatMs
    const error = this.#play.heartbeat(consumer.memberId, consumer.generation, consumer.instanceId, consumer.groupId)
    if (error === 'NONE') return
    this.#note(`${consumer.name} heartbeat: ${error}`)
    if (error === 'UNKNOWN_MEMBER_ID' || error === 'FENCED_INSTANCE_ID') consumer.memberId = ''
    consumer.phase = 'out'
  }

  #check(): void {
    for (const [groupId, group] of this.#play.machine.groups) {
      const stored = this.#play.machine.durable.get(groupId)?.metadata
      if (group.state !== 'Stable' || group.appendsInFlight > 0) continue
      this.#must(stored?.generation === group.generation, `${groupId} is stable in the generation that is stored`)
      const expected = [...group.members.values()].map((member) => textOf(member.assignment).split(':')[0])
      this.#must(
        expected.every((generation) => Number(generation) === group.generation),
        `${groupId} is assigned as a whole`,
      )
      this.#must(stored?.members.length === group.members.size, `${groupId} covers exactly its members`)
    }
    for (const [groupId, accepted] of this.#accepted) {
      const offset = this.#play.offset('t', 0, groupId) ?? 0
      this.#must(offset >= accepted, `an accepted commit of ${groupId} is never lost`)
      this.#must(offset >= (this.#seen.get(groupId) ?? 0), `the committed offset of ${groupId} follows the order of commits`)
      this.#seen.set(groupId, offset)
    }
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
    this.#must(equal(encodeSnapshot(replayed, crc32cReference), live), 'replay gives the live state')
    const restored = decodeSnapshot(live, crc32cReference)
    this.#must(restored.ok && equal(encodeSnapshot(restored.value, crc32cReference), live), 'a snapshot gives the live state')
  }

  #note(line: string): void {
    this.#trace.push(`${this.#play.nowMs} ${line}`)
  }

  #must(holds: boolean, what: string): void {
    if (!holds) throw new Error(`${what}\n${this.#trace.slice(-40).join('\n')}`)
  }
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, at) => byte === right[at])
}
