/**
 * Owns one run of brokers in a cluster under faults: producers that repeat what was not answered, with sequences and in transactions, against partitions
 * on real Raft logs. S17 at every acknowledgement and every change of leader; at the end all replicas are the same, byte by byte, and hold each
 * acknowledged record once and in order.
 */
import { crc32c } from '../../../src/base/node/native-crc32c.ts'
import { type Prng, seededPrng } from '../../../src/base/prng.ts'
import type { AppendResult } from '../../../src/broker/api.ts'
import type { Partition } from '../../../src/broker/index.ts'
import { offset } from '../../../src/model/ids.ts'
import { decodeRecords, encodeBatch, ErrorCode, isControlBatch, leaderEpochOf } from '../../../src/protocol/index.ts'
import { emptyConfiguration } from '../../../src/raft/core/index.ts'
import { multiRaftDefaults } from '../../../src/raft/driver/settings.ts'
import { Breach } from '../raft/invariants.ts'
import { goodLinks, Network, Timeline } from '../raft/world.ts'
import { ReplicaNode } from './replica-node.ts'

export interface ReplicasOptions {
  readonly seed: number
  /** Of faults, by true time. */
  readonly faultyMs?: number
  /** Faults that are left out, by their number. */
  readonly without?: ReadonlySet<number>
}

export interface ReplicasResult {
  readonly seed: number
  readonly breach: { readonly invariant: string; readonly detail: string; readonly atMs: number } | undefined
  readonly schedule: readonly string[]
  readonly events: number
  readonly counts: Readonly<Record<string, number>>
}

const healMs = 8_000
const answerMs = 400
const groups = [1, 2]

const turnOver = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve)
  })

interface Producer {
  readonly id: number
  readonly group: number
  readonly isTransactional: boolean
  sequence: number
  /** Batches in the transaction that is open, as far as it was told. */
  inTransaction: number
  coordinatorEpoch: number
}

/** What a record was acknowledged at. */
interface Acked {
  readonly offset: number
  readonly value: string
}

export async function simulateReplicas(options: ReplicasOptions): Promise<ReplicasResult> {
  return new Run(options).go()
}

class Run {
  readonly #options: ReplicasOptions
  readonly #prng: Prng
  readonly #timeline: Timeline
  readonly #network: Network
  readonly #nodes = new Map<number, ReplicaNode>()
  readonly #producers: Producer[] = []
  readonly #acked = new Map<number, Acked[]>()
  /** The highest end that any leader has acknowledged, and the highest term that has led. */
  readonly #ends = new Map<number, { end: number; term: number }>()
  readonly #counts: Record<string, number> = {}
  readonly #schedule: string[] = []
  #isFaulty = true
  #fault = 0
  #events = 0
  #failure: unknown

  constructor(options: ReplicasOptions) {
    this.#options = options
    this.#prng = seededPrng(options.seed)
    this.#timeline = new Timeline(this.#prng)
    this.#network = new Network(this.#timeline, this.#prng)
    const ids = [1, 2, 3]
    const members = { ...emptyConfiguration, voters: ids }
    for (const group of groups) {
      this.#acked.set(group, [])
      this.#ends.set(group, { end: 0, term: 0 })
    }
    for (const id of ids) {
      const options = {
        id,
        seed: this.#prng.below(2 ** 31),
        timeline: this.#timeline,
        network: this.#network,
        settings: { ...multiRaftDefaults, peers: ids.filter((other) => other !== id), rememberedBytesMax: 0 },
        bucket: { objects: new Map(), missing: 0 },
        observer: {
          onApplied: () => undefined,
          onInstalled: () => undefined,
          onSent: () => undefined,
          onDelivered: () => undefined,
          onRole: () => undefined,
          onFatal: (_: unknown, error: unknown) => this.#fail(error),
        },
        nodeOf: (other: number) => this.#nodes.get(other),
        firstMembers: new Map(groups.map((group) => [group, members])),
      }
      const node = new ReplicaNode(options, 1 + (this.#prng.next() * 2 - 1) * 0.01)
      node.observed = {
        onLeading: (at, group, term) => this.#onLeading(at, group, term),
        onCounted: (what) => this.#count(what),
      }
      this.#nodes.set(id, node)
    }
    for (let id = 1; id <= 6; id += 1) {
      const group = groups[id % groups.length]!
      this.#producers.push({ id, group, isTransactional: id > 3, sequence: 0, inTransaction: 0, coordinatorEpoch: 0 })
    }
  }

  async go(): Promise<ReplicasResult> {
    const onRejection = (error: unknown): void => this.#fail(error)
    process.on('unhandledRejection', onRejection)
    try {
      for (const node of this.#nodes.values()) this.#do(() => node.start())
      for (const producer of this.#producers) this.#do(() => this.#produce(producer))
      for (const group of groups) this.#do(() => this.#consume(group))
      this.#faultEvery(200)
      await this.#until(this.#options.faultyMs ?? 6_000)
      this.#heal()
      await this.#until(this.#timeline.nowMs + healMs)
      await this.#checkEnd()
      return this.#result(undefined)
    } catch (error) {
      return this.#result(error)
    } finally {
      for (const node of this.#nodes.values()) node.stop('kill', this.#prng)
      process.off('unhandledRejection', onRejection)
    }
  }

  #result(error: unknown): ReplicasResult {
    const isBreach = error instanceof Breach
    const detail = isBreach ? error.message : String((error as Error | undefined)?.stack)
    const atMs = Math.round(this.#timeline.nowMs)
    return {
      seed: this.#options.seed,
      breach: error === undefined ? undefined : { invariant: isBreach ? error.invariant : 'crash', detail, atMs },
      schedule: this.#schedule,
      events: this.#events,
      counts: this.#counts,
    }
  }

  #count(what: string): void {
    this.#counts[what] = (this.#counts[what] ?? 0) + 1
  }

  #fail(error: unknown): void {
    this.#failure ??= error
  }

  #do(work: () => Promise<unknown>): void {
    work().catch((error: unknown) => this.#fail(error))
  }

  async #until(endMs: number): Promise<void> {
    for (;;) {
      const event = this.#timeline.next(endMs)
      if (event === undefined) return
      event()
      await turnOver()
      this.#events += 1
      if (this.#failure !== undefined) throw this.#failure as Error
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#timeline.at(this.#timeline.nowMs + ms, resolve)
    })
  }

  #one<Value>(values: readonly Value[]): Value {
    return values[this.#prng.below(values.length)]!
  }

  // --- producers

  async #produce(producer: Producer): Promise<void> {
    while (this.#isFaulty) {
      await this.#sleep(10 + this.#prng.below(60))
      const wantsEnd = producer.inTransaction > 0 && this.#prng.next() < 0.4
      if (wantsEnd) await this.#endTransaction(producer)
      else await this.#sendBatch(producer)
    }
  }

  /** Until it is acknowledged, by whoever leads. */
  async #sendBatch(producer: Producer): Promise<void> {
    const { id, group, sequence, isTransactional } = producer
    const count = 1 + this.#prng.below(3)
    const values = Array.from({ length: count }, (_, at) => `${id}:${sequence + at}`)
    for (;;) {
      const answer = await this.#ask(group, (replica, done) => {
        const records = values.map((value, at) => ({
          offset: at,
          timestamp: 1,
          key: null,
          value: Buffer.from(value),
          headers: [],
        }))
        const batch = { records, producerId: id, producerEpoch: 0, baseSequence: sequence, isTransactional }
        replica.append({ records: encodeBatch(batch, { crc32c }), acks: -1 }, done)
      })
      if (answer?.kind === 'appended') {
        for (const [at, value] of values.entries()) this.#onAcked(group, { offset: answer.baseOffset + at, value })
        producer.sequence += count
        if (isTransactional) producer.inTransaction += 1
        return
      }
      if (!this.#mayRepeat(answer)) throw new Breach('S17', `producer ${id}, sequence ${sequence}: ${JSON.stringify(answer)}`)
    }
  }

  async #endTransaction(producer: Producer): Promise<void> {
    const result = this.#prng.next() < 0.5 ? 'commit' : 'abort'
    producer.coordinatorEpoch += 1
    const marker = { result, producerId: producer.id, producerEpoch: 0, coordinatorEpoch: producer.coordinatorEpoch } as const
    for (;;) {
      const answer = await this.#ask(producer.group, (replica, done) => replica.appendMarker(marker, done))
      if (answer?.kind === 'appended') {
        producer.inTransaction = 0
        this.#count('transactions')
        return
      }
      if (!this.#mayRepeat(answer)) throw new Breach('S17', `marker of producer ${producer.id}: ${JSON.stringify(answer)}`)
    }
  }

  #mayRepeat(answer: AppendResult | undefined): boolean {
    if (answer === undefined) return true
    this.#count('refused')
    // Both are retriable: another node leads, or this one takes nothing while it hands over.
    const { NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR } = ErrorCode
    return answer.kind === 'error' && [NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR].some((code) => code === answer.errorCode)
  }

  /** Any node, most often one that leads; undefined: no answer in time, so that it is not known what became of it. */
  async #ask(
    group: number,
    ask: (replica: Partition, done: (result: AppendResult) => void) => void,
  ): Promise<AppendResult | undefined> {
    const up = [...this.#nodes.values()].filter(({ isUp }) => isUp)
    const leading = up.filter(({ replicas }) => replicas.get(group)?.log.isLeading === true)
    const node = leading.length > 0 && this.#prng.next() < 0.9 ? this.#one(leading) : up.length > 0 ? this.#one(up) : undefined
    const answer = await new Promise<AppendResult | undefined>((resolve) => {
      this.#timeline.at(this.#timeline.nowMs + answerMs, () => resolve(undefined))
      const replica = node?.replicas.get(group)
      if (replica === undefined) return
      const { process } = node!
      process?.do(() => ask(replica, (result) => process.do(() => resolve(result))))
    })
    if (answer?.kind !== 'appended') await this.#sleep(30)
    return answer
  }

  // --- consumers

  /** S13, seen from a consumer: whoever answers shows all that was acknowledged before it was asked. */
  async #consume(group: number): Promise<void> {
    while (this.#isFaulty) {
      await this.#sleep(10 + this.#prng.below(60))
      const node = this.#one([...this.#nodes.values()])
      const replica = node.replicas.get(group)
      const { end } = this.#ends.get(group)!
      node.process?.do(() => {
        if (replica !== undefined) this.#do(() => this.#read({ node: node.id, group, replica, end }))
      })
    }
  }

  async #read(asked: { node: number; group: number; replica: Partition; end: number }): Promise<void> {
    const { node, group, replica, end } = asked
    const isCurrent = replica.log.isCurrent
    const read = await replica.read({ offset: offset(0), maxBytes: 1, minOneBatch: true })
    if (read.kind === 'error') return
    this.#count(isCurrent ? 'read by lease' : 'read once confirmed')
    if (read.highWatermark < end)
      throw new Breach('S13', `node ${node} shows group ${group} up to ${read.highWatermark}, ${end} were acknowledged`)
  }

  #onAcked(group: number, acked: Acked): void {
    this.#count('acknowledged')
    this.#acked.get(group)!.push(acked)
    const ends = this.#ends.get(group)!
    ends.end = Math.max(ends.end, acked.offset + 1)
  }

  /** S17: what was acknowledged is in the log of every later leader; leader epochs grow. */
  #onLeading(node: ReplicaNode, group: number, term: number): void {
    const ends = this.#ends.get(group)!
    const replica = node.replicas.get(group)!
    if (term < ends.term) return
    if (term === ends.term) throw new Breach('S1', `two nodes lead group ${group} in term ${term}`)
    ends.term = term
    this.#count('led')
    if (replica.highWatermark < ends.end)
      throw new Breach(
        'S17',
        `node ${node.id} leads group ${group} with ${replica.highWatermark} visible, ${ends.end} were acknowledged`,
      )
  }

  // --- faults

  #faultEvery(ms: number): void {
    const again = (): void => {
      this.#timeline.at(this.#timeline.nowMs + ms * (0.5 + this.#prng.next()), () => {
        if (!this.#isFaulty) return
        this.#fault += 1
        this.#happen()
        again()
      })
    }
    again()
  }

  #happen(): void {
    const up = [...this.#nodes.values()].filter(({ isUp }) => isUp)
    // A leader, most often: it is what has something to take back.
    const leaders = up.filter(({ replicas }) => [...replicas.values()].some(({ log }) => log.isLeading))
    const node = leaders.length > 0 && this.#prng.next() < 0.7 ? this.#one(leaders) : up.length > 0 ? this.#one(up) : undefined
    if (node === undefined) return
    const note = (what: string): boolean => {
      if (this.#options.without?.has(this.#fault) === true) return false
      this.#schedule.push(`#${this.#fault} at ${Math.round(this.#timeline.nowMs)} ms: ${what}`)
      return true
    }
    const others = [...this.#nodes.keys()].filter((id) => id !== node.id)
    const choices: Array<() => void> = [
      () => {
        const how = this.#prng.next() < 0.5 ? 'kill' : 'power'
        const backMs = 50 + this.#prng.below(1_000)
        if (!note(`node ${node.id} ends (${how}), back after ${backMs} ms`)) return
        node.stop(how, this.#prng)
        for (const id of others) this.#nodes.get(id)?.process?.do(() => this.#nodes.get(id)?.raft?.disconnected(node.id))
        this.#timeline.at(this.#timeline.nowMs + backMs, () => {
          if (!node.isUp && node.process?.isAlive !== true) this.#do(() => node.start())
        })
      },
      () => {
        if (!note(`node ${node.id} is cut off`)) return
        for (const id of others) {
          if (this.#prng.next() < 0.9) this.#network.cut(node.id, id)
          if (this.#prng.next() < 0.9) this.#network.cut(id, node.id)
        }
      },
      () => {
        const ms = 50 + this.#prng.below(1_500)
        if (!note(`node ${node.id} stands still for ${ms} ms`)) return
        node.hold(ms)
      },
      () => {
        if (!note('the network heals')) return
        this.#reconnect()
      },
      () => {
        if (!note('messages are lost')) return
        this.#network.faults = { loss: 0.1, duplication: 0.1, reordering: 0.1, delayMsMax: 20 }
      },
      () => {
        const to = this.#one(others)
        if (!note(`node ${node.id} hands over to ${to}`)) return
        for (const group of groups) node.raft?.transfer(group, to)
      },
      () => {
        if (!note(`node ${node.id} lets go of WAL files`)) return
        const { raft, store } = node
        if (raft !== undefined && store !== undefined)
          this.#do(() => raft.releaseBelow(store.usage().newestFile).catch(() => undefined))
      },
    ]
    this.#one(choices)()
  }

  #heal(): void {
    this.#isFaulty = false
    this.#reconnect()
    for (const node of this.#nodes.values()) {
      if (!node.isUp && node.process?.isAlive !== true) this.#do(() => node.start())
    }
  }

  /** Connections are made anew: what was on its way is known to be lost. */
  #reconnect(): void {
    this.#network.heal()
    this.#network.faults = { ...goodLinks }
    for (const node of this.#nodes.values())
      for (const peer of this.#nodes.keys()) if (peer !== node.id) node.process?.do(() => node.raft?.disconnected(peer))
  }

  // --- the end

  async #checkEnd(): Promise<void> {
    for (const group of groups) {
      const replicas = [...this.#nodes.values()].map(({ replicas: of }) => of.get(group)!)
      const [first, ...others] = replicas
      for (const other of others) {
        if (Buffer.compare(first!.state.encode(), other.state.encode()) !== 0)
          throw new Breach('S17', `group ${group}: replicas differ: ${told(first!)} and ${told(other)}`)
      }
      const leader = replicas.find(({ log }) => log.isLeading)
      if (leader === undefined) throw new Breach('S17', `group ${group} has no leader`)
      await this.#whileTimeRuns(this.#checkRecords(group, leader))
    }
  }

  async #whileTimeRuns(work: Promise<void>): Promise<void> {
    let isDone = false
    const done = work.finally(() => {
      isDone = true
    })
    this.#do(() => done)
    while (!isDone) await this.#until(this.#timeline.nowMs + 10)
    await done
  }

  async #checkRecords(group: number, replica: Partition): Promise<void> {
    const found = new Map<number, string>()
    let epoch = 0
    for (let at = 0; at < replica.highWatermark;) {
      const read = await replica.read({ offset: offset(at), maxBytes: 300, minOneBatch: true })
      if (read.kind === 'error') throw new Breach('S17', `group ${group} cannot be read at ${at}: ${read.errorCode}`)
      for (const batch of read.batches) {
        const next = leaderEpochOf(batch)
        if (next < epoch) throw new Breach('S17', `group ${group}: epoch ${next} behind ${epoch}`)
        epoch = next
        const decoded = decodeRecords(batch, 0, () => new Uint8Array(0))
        if (decoded.kind === 'malformed') throw new Breach('S17', `group ${group}: ${decoded.detail}`)
        for (const record of decoded.records) {
          if (record.offset !== at) throw new Breach('S17', `group ${group}: offset ${record.offset} where ${at} is due`)
          if (!isControlBatch(batch)) found.set(record.offset, Buffer.from(record.value ?? []).toString())
          at = record.offset + 1
        }
      }
    }
    for (const { offset: at, value } of this.#acked.get(group)!)
      if (found.get(at) !== value)
        throw new Breach('S17', `group ${group}: ${value} was acknowledged at ${at}, where ${found.get(at)} is`)
    this.#checkSequences(group, [...found.values()])
  }

  /** Each record of a producer once, and in the order in which it sent them. */
  #checkSequences(group: number, values: readonly string[]): void {
    const next = new Map<string, number>()
    for (const value of values) {
      const [producer, sequence] = value.split(':') as [string, string]
      const due = next.get(producer) ?? 0
      if (Number(sequence) !== due) throw new Breach('S17', `group ${group}: ${value} where ${due} is due`)
      next.set(producer, due + 1)
    }
  }
}

const told = ({ state, log }: Partition): string =>
  JSON.stringify({ end: state.endOffset, lastIndex: state.lastIndex, epochs: state.epochs, committed: log.committedIndex })
