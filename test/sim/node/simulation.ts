// Owns a seeded schedule against one cluster: who produces, commits, creates and deletes, when the process crashes and with what left,
// how the network is; and what must hold after every recovery. A seed is a schedule is a result.

import { encodeBatch, ErrorCode, recordCountOf } from '../../../src/protocol/index.ts'
import { crc32c } from '../../../src/base/node/native-crc32c.ts'
import { type Prng, seededPrng } from '../../../src/base/prng.ts'
import type { AppendResult, NewTopic } from '../../../src/broker/api.ts'
import type { Partition } from '../../../src/broker/partition/partition.ts'
import { isOpError, OpError } from '../../../src/base/op-error.ts'
import { offset } from '../../../src/model/ids.ts'
import {
  offsetCommitRequest,
  offsetCommitRequestPartition,
  offsetCommitRequestTopic,
} from '../../../src/protocol/generated/offset-commit.ts'
import { decodeRecords } from '../../../src/protocol/index.ts'
import type { ObjectStore } from '../../../tiers/ports.ts'
import { memoryStore } from '../../../tiers/object-store/memory.ts'
import { drive, ManualClock, turns } from '../../support/manual-clock.ts'
import { emptyDisk, type SimDisk, SimProcess, type Weather } from './sim-process.ts'

interface SentBatch {
  readonly producerId: number
  readonly sequence: number
  readonly values: readonly string[]
  readonly bytes: Uint8Array
  /** An answer is awaited from the process that runs now. */
  isUnderWay: boolean
}

/** What the clients of one partition know. */
interface SimPartition {
  readonly topic: SimTopic
  readonly index: number
  producerId: number
  nextSequence: number
  unanswered: SentBatch[]
  /** Acknowledged: the offset by value, and whether it was in the bucket when it was last known. */
  acked: Map<string, { readonly offset: number; inBucket: boolean }>
  /** Where the log begins: as a deletion was answered, and at most as one was asked for. */
  start: { asked: number; answered: { readonly offset: number; inBucket: boolean } }
}

interface SimTopic {
  readonly name: string
  readonly durability: 'quorum' | 'bucket'
  state: 'wanted' | 'there' | 'unwanted' | 'gone'
  partitions: SimPartition[]
}

interface SimCommit {
  readonly topic: SimTopic
  readonly partition: number
  answered: { readonly offset: number; inBucket: boolean }
  /** The newest that was asked for and perhaps stored. */
  asked: number
}

export interface Tally {
  acked: number
  lateAcks: number
  duplicatesAnswered: number
  refused: number
  starts: number
  failedStarts: number
  kills: number
  powerCuts: number
  wipes: number
  takeovers: number
  orderlyEnds: number
  nodeFailures: number
  lostByWipe: number
  setBacks: number
  segments: number
  snapshots: number
  swept: number
  expired: number
  timeSearches: number
  deletions: number
}

export interface Outcome {
  readonly trace: readonly string[]
  readonly tally: Tally
}

type Crash = 'kill' | 'power' | 'wipe' | 'takeover' | 'close' | 'close-wipe'
const crashes: readonly Crash[] = ['kill', 'kill', 'power', 'power', 'wipe', 'wipe', 'takeover', 'close', 'close-wipe']
const zeroTally = (): Tally => ({
  acked: 0,
  lateAcks: 0,
  duplicatesAnswered: 0,
  refused: 0,
  starts: 0,
  failedStarts: 0,
  kills: 0,
  powerCuts: 0,
  wipes: 0,
  takeovers: 0,
  orderlyEnds: 0,
  nodeFailures: 0,
  lostByWipe: 0,
  setBacks: 0,
  segments: 0,
  snapshots: 0,
  swept: 0,
  expired: 0,
  timeSearches: 0,
  deletions: 0,
})
const startAttemptsMax = 12
const calmWeather: Weather = { lost: 0, unanswered: 0, latencyMs: 15 }

export class Simulation {
  readonly #seed: number
  readonly #prng: Prng
  readonly #clock = new ManualClock()
  readonly #bucket: ObjectStore
  readonly #weather: Weather = { ...calmWeather }
  readonly #topics: SimTopic[] = []
  readonly #commits = new Map<string, SimCommit>()
  readonly #trace: string[] = []
  readonly #tally = zeroTally()
  /** Found where nobody could be told: in an answer. */
  readonly #violations: string[] = []
  #process: SimProcess
  #processes = 0
  #nextValue = 0
  #nextProducerId = 1000

  constructor(seed: number) {
    this.#seed = seed
    this.#prng = seededPrng(seed)
    this.#bucket = memoryStore({ clock: this.#clock })
    this.#process = this.#newProcess(emptyDisk(), false)
  }

  async run(steps: number): Promise<Outcome> {
    await this.#start(this.#process)
    await this.#createTopic()
    await this.#createTopic()
    for (let step = 0; step < steps; step += 1) {
      await this.#step()
      if (this.#process.failure !== undefined) await this.#afterFailure()
      this.#must(this.#violations.length === 0, this.#violations[0] ?? '')
    }
    this.#calm()
    await this.#pass(3_000)
    if (this.#process.failure !== undefined) await this.#afterFailure()
    await this.#resend()
    await drive(this.#clock, this.#process.parts.logs.flush())
    this.#noteInBucket()
    await this.#crash('wipe')
    return { trace: this.#trace, tally: this.#tally }
  }

  // --- what happens

  async #step(): Promise<void> {
    const dice = this.#prng.below(1000)
    if (dice < 468) this.#produce()
    else if (dice < 480) await this.#deleteRecords()
    else if (dice < 700) await this.#pass(this.#prng.below(400))
    else if (dice < 740) await this.#resend()
    else if (dice < 800) this.#commit()
    else if (dice < 815) await this.#createTopic()
    else if (dice < 831) await this.#deleteTopic()
    else if (dice < 837) await this.#addPartitions()
    else if (dice < 862) await this.#flush()
    else if (dice < 892) await this.#snapshot()
    else if (dice < 922) await this.#archive()
    else if (dice < 936) await this.#sweep()
    else if (dice < 945) await this.#searchByTime()
    else if (dice < 968) this.#changeWeather()
    else await this.#crash(this.#oneOf(crashes))
  }

  #oneOf<Item>(items: readonly Item[]): Item {
    return items[this.#prng.below(items.length)] as Item
  }

  #note(what: string): void {
    this.#trace.push(`${this.#clock.monotonicMs()} ${what}`)
  }

  async #pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 20) {
      this.#clock.advance(Math.min(20, left))
      await turns(2)
    }
    await turns(3)
  }

  #partitions(): SimPartition[] {
    return this.#topics.filter((topic) => topic.state === 'there').flatMap((topic) => topic.partitions)
  }

  #live(partition: SimPartition): Partition | undefined {
    return this.#process.parts.broker.topicByName(partition.topic.name)?.partitions[partition.index] as Partition | undefined
  }

  #produce(): void {
    const partitions = this.#partitions()
    if (partitions.length === 0) return
    this.#sendTo(this.#oneOf(partitions))
  }

  #sendTo(partition: SimPartition): void {
    if (partition.unanswered.length >= 5) return
    const count = 1 + this.#prng.below(3)
    const padding = this.#prng.below(4) === 0 ? this.#prng.below(4000) : this.#prng.below(100)
    const timestamp = this.#clock.nowMs() - this.#prng.below(500)
    const values = Array.from({ length: count }, () => `v${(this.#nextValue += 1)}.${'x'.repeat(padding)}`)
    const records = values.map((value, at) => ({
      offset: at,
      timestamp: timestamp + this.#prng.below(50),
      key: null,
      value: Buffer.from(value),
      headers: [],
    }))
    const producer = { producerId: partition.producerId, producerEpoch: 0, baseSequence: partition.nextSequence }
    const bytes = encodeBatch({ records, ...producer }, { crc32c })
    const sequence = partition.nextSequence
    partition.nextSequence += count
    const batch = { producerId: partition.producerId, sequence, values, bytes, isUnderWay: false }
    partition.unanswered.push(batch)
    this.#send(partition, batch)
  }

  #send(partition: SimPartition, batch: SentBatch): void {
    const live = this.#live(partition)
    if (live === undefined || !this.#process.serves) return
    const process = this.#process
    batch.isUnderWay = true
    live.append({ records: batch.bytes.slice(), acks: -1 }, (result) => {
      // The client hung up when its broker died.
      if (process !== this.#process) {
        if (!process.isDead) this.#answeredByZombie(partition, batch, result)
        return
      }
      batch.isUnderWay = false
      this.#answered(partition, batch, result)
    })
  }

  /** It may still hear from the bucket that an object had arrived before the fence: then the new life has it. Nothing else. */
  #answeredByZombie(partition: SimPartition, batch: SentBatch, result: AppendResult): void {
    if (result.kind === 'error') return
    this.#tally.lateAcks += 1
    if (partition.topic.durability === 'quorum') this.#violations.push(`I7: a zombie acknowledged ${batch.values.join()}`)
    batch.values.forEach((value, at) => {
      partition.acked.set(value, { offset: result.baseOffset + at, inBucket: true })
    })
  }

  #answered(partition: SimPartition, batch: SentBatch, result: AppendResult): void {
    if (result.kind === 'error') {
      this.#tally.refused += 1
      this.#note(`${partition.topic.name}-${partition.index} ${batch.sequence} refused ${result.errorCode}`)
      const isFirst = partition.unanswered[0] === batch
      if (result.errorCode === ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER && isFirst && batch.producerId === partition.producerId)
        this.#freshProducer(partition)
      return
    }
    if (!partition.unanswered.includes(batch)) return
    partition.unanswered = partition.unanswered.filter((other) => other !== batch)
    this.#tally.acked += 1
    this.#note(`${partition.topic.name}-${partition.index} ${batch.sequence} at ${result.baseOffset}`)
    batch.values.forEach((value, at) => {
      partition.acked.set(value, { offset: result.baseOffset + at, inBucket: partition.topic.durability === 'bucket' })
    })
  }

  /** As a client whose sequences the broker has lost: what was under way may be there or not, and is not sent again. */
  #freshProducer(partition: SimPartition): void {
    partition.producerId = this.#nextProducerId += 1
    partition.nextSequence = 0
    partition.unanswered = []
  }

  async #resend(): Promise<void> {
    for (const partition of this.#partitions()) {
      for (const batch of partition.unanswered) if (!batch.isUnderWay) this.#send(partition, batch)
    }
    await this.#pass(20)
  }

  #commit(): void {
    const partitions = this.#partitions()
    if (partitions.length === 0 || !this.#process.serves) return
    const { topic, index, acked } = this.#oneOf(partitions)
    const highest = Math.max(0, ...[...acked.values()].map((one) => one.offset + 1))
    if (highest === 0) return
    const wanted = 1 + this.#prng.below(highest)
    const key = `${topic.name}/${index}`
    const commit = this.#commits.get(key) ?? { topic, partition: index, answered: { offset: 0, inBucket: false }, asked: 0 }
    // A consumer goes on, it does not go back.
    if (wanted <= commit.asked) return
    commit.asked = wanted
    this.#commits.set(key, commit)
    const process = this.#process
    const request = offsetCommitRequest({
      groupId: 'readers',
      topics: [
        offsetCommitRequestTopic({
          name: topic.name,
          partitions: [offsetCommitRequestPartition({ partitionIndex: index, committedOffset: BigInt(wanted) })],
        }),
      ],
    })
    void process.parts.groups.offsetCommit({ clientId: 'sim', clientHost: 'sim' }, request, 7).then((answer) => {
      const isStored = answer.topics[0]?.partitions[0]?.errorCode === ErrorCode.NONE
      if (process !== this.#process) {
        if (!process.isDead && isStored) this.#violations.push(`I7: a zombie stored the commit ${key}`)
        return
      }
      if (!isStored || wanted <= commit.answered.offset) return
      this.#note(`committed ${key} ${wanted}`)
      commit.answered = { offset: wanted, inBucket: false }
    })
  }

  async #createTopic(): Promise<void> {
    if (this.#topics.filter((topic) => topic.state === 'there').length >= 5) return
    const name = `t${this.#topics.length}`
    const durability = this.#prng.below(3) === 0 ? 'bucket' : 'quorum'
    const topic: SimTopic = { name, durability, state: 'wanted', partitions: [] }
    this.#topics.push(topic)
    const partitionCount = 1 + this.#prng.below(2)
    const configs = new Map<string, string | null>([['chronik.durability', durability]])
    const order: NewTopic = {
      name,
      partitionCount,
      replicationFactor: -1,
      assignments: new Map(),
      configs,
      validateOnly: false,
    }
    const made = await this.#ask(() => this.#process.parts.broker.createTopic(order))
    if (made?.ok !== true) return
    this.#note(`created ${name}`)
    topic.state = 'there'
    this.#growTo(topic, partitionCount)
  }

  #growTo(topic: SimTopic, count: number): void {
    for (let index = topic.partitions.length; index < count; index += 1) {
      const producerId = (this.#nextProducerId += 1)
      const start = { asked: 0, answered: { offset: 0, inBucket: true } }
      topic.partitions.push({ topic, index, producerId, nextSequence: 0, unanswered: [], acked: new Map(), start })
    }
  }

  async #deleteTopic(): Promise<void> {
    const there = this.#topics.filter((topic) => topic.state === 'there')
    if (there.length < 2) return
    const topic = this.#oneOf(there)
    const id = this.#process.parts.broker.topicByName(topic.name)?.id
    if (id === undefined) return
    topic.state = 'unwanted'
    if (this.#prng.below(3) === 0) {
      // Something of it is on its way when it goes, and then the process goes too.
      for (let sends = 0; sends < 3; sends += 1) this.#sendTo(this.#oneOf(topic.partitions))
      return this.#crashAmid(() => this.#process.parts.broker.deleteTopic(id))
    }
    const deleted = await this.#ask(() => this.#process.parts.broker.deleteTopic(id))
    if (deleted?.ok !== true) return
    this.#note(`deleted ${topic.name}`)
    topic.state = 'gone'
  }

  async #addPartitions(): Promise<void> {
    const there = this.#topics.filter((topic) => topic.state === 'there' && topic.partitions.length < 3)
    if (there.length === 0) return
    const topic = this.#oneOf(there)
    const live = this.#process.parts.broker.topicByName(topic.name)
    if (live === undefined) return
    const count = live.partitions.length + 1
    const grown = await this.#ask(() => this.#process.parts.broker.createPartitions(live.id, count, false))
    if (grown?.ok === true) this.#growTo(topic, count)
  }

  /** Up to any record, also in the midst of a batch. */
  async #deleteRecords(): Promise<void> {
    const partitions = this.#partitions()
    if (partitions.length === 0 || !this.#process.serves) return
    const partition = this.#oneOf(partitions)
    const live = this.#live(partition)
    if (live === undefined) return
    const { start } = partition
    const wanted = this.#prng.below(live.highWatermark + 1)
    start.asked = Math.max(start.asked, wanted)
    const deleted = await this.#ask(() => live.deleteRecords(wanted))
    if (deleted?.ok !== true || deleted.value <= start.answered.offset) return
    this.#note(`${partition.topic.name}-${partition.index} begins at ${deleted.value}`)
    start.answered = { offset: deleted.value, inBucket: false }
    this.#tally.deletions += 1
  }

  async #crashAmid(action: () => Promise<unknown>): Promise<void> {
    if (this.#process.serves) action().catch(() => undefined)
    for (let left = this.#prng.below(6); left > 0; left -= 1) {
      this.#clock.advance(this.#prng.below(12))
      await turns(3)
    }
    await this.#crash(this.#oneOf(['kill', 'power']))
  }

  /** The answer, or undefined when none came within a while. */
  async #ask<Answer>(question: () => Promise<Answer>): Promise<Answer | undefined> {
    if (!this.#process.serves) return undefined
    const asked: { answer?: Answer } = {}
    question().then(
      (answer) => {
        asked.answer = answer
      },
      () => undefined,
    )
    for (let waitedMs = 0; waitedMs < 400 && asked.answer === undefined; waitedMs += 40) await this.#pass(40)
    return asked.answer
  }

  async #flush(): Promise<void> {
    const before = this.#acksNow()
    const flushed = await this.#ask(async () => {
      await this.#process.parts.logs.flush()
      return true
    })
    if (flushed === true) for (const one of before) one.inBucket = true
  }

  #acksNow(): Array<{ inBucket: boolean }> {
    return [
      ...this.#topics.flatMap((topic) => topic.partitions.flatMap((one) => [...one.acked.values(), one.start.answered])),
      ...[...this.#commits.values()].map((commit) => commit.answered),
    ]
  }

  #noteInBucket(): void {
    for (const one of this.#acksNow()) one.inBucket = true
  }

  async #snapshot(): Promise<void> {
    if (!this.#process.serves) return
    const { snapshotter } = this.#process.parts
    snapshotter.run().catch(() => undefined)
    // Now and then the schedule goes on while it is under way.
    if (this.#prng.below(2) === 0) await this.#pass(150)
    this.#tally.snapshots += 1
  }

  async #archive(): Promise<void> {
    const partitions = this.#partitions()
    if (partitions.length === 0 || !this.#process.serves) return
    const live = this.#live(this.#oneOf(partitions))
    if (live === undefined) return
    void this.#process.parts.archiver.roll(live)
    if (this.#prng.below(2) === 0) await this.#pass(100)
  }

  async #sweep(): Promise<void> {
    if (!this.#process.serves) return
    this.#process.parts.sweeper.sweep(this.#clock.nowMs()).catch(() => undefined)
    await this.#pass(this.#prng.below(300))
  }

  #changeWeather(): void {
    const isFoul = this.#prng.below(2) === 0
    this.#calm()
    if (isFoul && this.#prng.below(2) === 0) this.#weather.latencyMs = 200 + this.#prng.below(1_500)
    else if (isFoul) Object.assign(this.#weather, { lost: this.#prng.next() * 0.9, unanswered: this.#prng.next() * 0.3 })
    const { lost, unanswered, latencyMs } = this.#weather
    this.#note(`weather ${lost.toFixed(2)} ${unanswered.toFixed(2)} ${latencyMs} ms`)
  }

  #calm(): void {
    Object.assign(this.#weather, calmWeather)
  }

  // --- ends and beginnings

  #newProcess(disk: SimDisk, takeover: boolean): SimProcess {
    this.#processes += 1
    const seed = this.#seed * 1000 + this.#processes
    return new SimProcess({ clock: this.#clock, bucket: this.#bucket, disk, seed, weather: this.#weather, takeover })
  }

  async #afterFailure(): Promise<void> {
    const { failure } = this.#process
    this.#note(`failed: ${failure instanceof Error ? failure.message : 'for an unknown reason'}`)
    this.#must(isOpError(failure), 'a node ends by the world, not by a bug')
    this.#tally.nodeFailures += 1
    await this.#comeBack(this.#process.kill(), false)
  }

  async #crash(crash: Crash): Promise<void> {
    this.#note(crash)
    this.#countLife()
    switch (crash) {
      case 'kill':
        this.#tally.kills += 1
        return this.#comeBack(this.#process.kill(), false)
      case 'power':
        this.#tally.powerCuts += 1
        return this.#comeBack(this.#process.powerCut(this.#prng), false)
      case 'wipe':
        this.#tally.wipes += 1
        this.#process.kill()
        return this.#comeBack(emptyDisk(), true)
      case 'takeover':
        return this.#takeOver()
      case 'close':
      case 'close-wipe':
        return this.#endInOrder(crash === 'close-wipe')
    }
  }

  #countLife(): void {
    const parts = this.#process.maybeParts
    if (parts === undefined) return
    this.#tally.segments += parts.archiver.counters.segments
    this.#tally.swept += parts.sweeper.deletedObjects
    for (const partition of parts.broker.partitions()) this.#tally.duplicatesAnswered += partition.counters.duplicates
  }

  async #endInOrder(isWiped: boolean): Promise<void> {
    this.#tally.orderlyEnds += 1
    this.#calm()
    const { parts } = this.#process
    const disk = await drive(this.#clock, this.#process.close())
    if (this.#process.failure === undefined) {
      this.#must(parts.logs.allStreamed, 'an orderly end leaves everything in the bucket')
      this.#noteInBucket()
    }
    await this.#comeBack(isWiped ? emptyDisk() : disk, isWiped)
  }

  /** The old process is held still, another takes its life, then the old one goes on: it must notice before it says anything. */
  async #takeOver(): Promise<void> {
    this.#tally.takeovers += 1
    const zombie = this.#process
    zombie.pause()
    await this.#pass(600)
    await this.#comeBack(emptyDisk(), true)
    zombie.resume()
    this.#zombieTries(zombie)
    await this.#pass(this.#prng.below(3_000))
    zombie.kill()
  }

  /** Clients that have not noticed go on talking to it. */
  #zombieTries(zombie: SimProcess): void {
    for (const topic of zombie.parts.broker.topics()) {
      if (topic.internal) continue
      const records = [{ offset: 0, timestamp: this.#clock.nowMs(), key: null, value: Buffer.from('to a zombie'), headers: [] }]
      topic.partitions[0]?.append({ records: encodeBatch({ records }, { crc32c }), acks: -1 }, (result) => {
        if (!zombie.isDead && result.kind !== 'error') this.#violations.push('I7: a zombie acknowledged what it was sent')
      })
    }
  }

  async #comeBack(disk: SimDisk, isWiped: boolean): Promise<void> {
    for (const partition of this.#topics.flatMap((topic) => topic.partitions)) {
      for (const batch of partition.unanswered) batch.isUnderWay = false
    }
    let left = disk
    for (let attempt = 1; ; attempt += 1) {
      const process = this.#newProcess(left, isWiped && attempt === 1)
      this.#process = process
      try {
        await this.#start(process)
        break
      } catch (error) {
        // The world may fail; we may not.
        if (!isOpError(error) || (process.failure !== undefined && !isOpError(process.failure))) throw error
        this.#tally.failedStarts += 1
        this.#note(`start failed: ${String(error)}`)
        if (attempt > startAttemptsMax) throw error
        if (attempt > 2) this.#calm()
        left = process.kill()
      }
    }
    // Looking closely takes many reads: in calm weather.
    const weather = { ...this.#weather }
    this.#calm()
    await this.#check(isWiped)
    Object.assign(this.#weather, weather)
  }

  async #start(process: SimProcess): Promise<void> {
    await drive(this.#clock, process.start(), 120_000)
    if (process.failure !== undefined) {
      const { failure: cause } = process
      throw new OpError('closed', {
        code: 'ENDED',
        detail: `it ended while it started: ${cause instanceof Error ? cause.message : '?'}`,
        cause,
      })
    }
    this.#tally.starts += 1
    const { report, life } = process.recovered!
    this.#note(`${report.mode} of life ${life}: ${report.records} records, ${report.localEntries} from the WAL`)
    this.#must(report.damage.length === 0, 'nothing is damaged', report.damage.join('; '))
    this.#tally.setBacks += report.setBackOffsets.length
  }

  // --- what must hold

  #must(holds: boolean, what: string, detail = ''): void {
    if (!holds)
      throw new Error(`${what}${detail === '' ? '' : `: ${detail.slice(0, 200)}`}\n${this.#trace.slice(-25).join('\n')}`)
  }

  async #check(isWiped: boolean): Promise<void> {
    const { broker } = this.#process.parts
    for (const topic of this.#topics) {
      const live = broker.topicByName(topic.name)
      if (topic.state === 'there') this.#must(live !== undefined, 'a created topic is there', topic.name)
      if (topic.state === 'gone') this.#must(live === undefined, 'a deleted topic stays away', topic.name)
      // Whoever heard no answer looks.
      if (topic.state === 'unwanted') topic.state = live === undefined ? 'gone' : 'there'
      if (topic.state === 'wanted') topic.state = live === undefined ? 'gone' : 'there'
      if (live === undefined) continue
      this.#must(live.partitions.length >= topic.partitions.length, 'partitions do not vanish', topic.name)
      this.#growTo(topic, live.partitions.length)
      for (const partition of topic.partitions) await this.#checkPartition(partition, isWiped)
    }
    this.#checkCommits(isWiped)
  }

  async #checkPartition(partition: SimPartition, isWiped: boolean): Promise<void> {
    const what = `${partition.topic.name}-${partition.index}`
    const live = this.#live(partition)!
    this.#checkStart(partition, { start: live.logStartOffset, what, isWiped })
    const found = await this.#readAll(live, what)
    this.#must(live.highWatermark === live.logEndOffset, 'all that was recovered is visible', what)
    for (const [value, { offset: at, inBucket }] of [...partition.acked]) {
      if (found.get(value) === at) continue
      if (at < live.logStartOffset) {
        this.#must(found.get(value) === undefined, 'what was deleted is nowhere else', what)
        partition.acked.delete(value)
        continue
      }
      this.#must(found.get(value) === undefined, 'a record keeps its offset', what)
      this.#must(isWiped && !inBucket, 'what was acknowledged is there', `${what} ${value.slice(0, 20)} at ${at}`)
      this.#must(at >= live.logEndOffset || !this.#isIn(found, at, value), 'only the end is lost', what)
      partition.acked.delete(value)
      this.#tally.lostByWipe += 1
    }
  }

  #checkStart(
    partition: SimPartition,
    { start, what, isWiped }: { readonly start: number; readonly what: string; readonly isWiped: boolean },
  ): void {
    const { asked, answered } = partition.start
    this.#must(start <= asked, 'nothing is gone that nobody deleted', `${what}: begins at ${start}, asked for was ${asked}`)
    const least = isWiped && !answered.inBucket ? 0 : answered.offset
    this.#must(start >= least, 'what was deleted stays away', `${what}: begins at ${start} instead of ${answered.offset}`)
    const inBucket = isWiped || (answered.inBucket && answered.offset === start)
    partition.start = { asked: start, answered: { offset: start, inBucket } }
  }

  /** After a loss the offset may hold another record, never the same. */
  #isIn(found: ReadonlyMap<string, number>, _at: number, value: string): boolean {
    return found.has(value)
  }

  /** The offset of every value; asserts that offsets are dense and no value is there twice. */
  async #readAll(live: Partition, what: string): Promise<Map<string, number>> {
    const found = new Map<string, number>()
    const start: number = live.logStartOffset
    let at = start
    while (at < live.highWatermark) {
      const maxBytes = 1 + this.#prng.below(20_000)
      const read = await drive(this.#clock, Promise.resolve(live.read({ offset: offset(at), maxBytes, minOneBatch: true })))
      if (read.kind === 'error')
        throw new Error(`${what} cannot be read at ${at}: ${read.errorCode}\n${this.#trace.slice(-25).join('\n')}`)
      this.#must(read.batches.length > 0, 'a read before the end answers something', `${what} at ${at}`)
      for (const run of read.batches) at = this.#take(run, { at, start, what, found })
    }
    this.#must(at === live.highWatermark, 'the log ends where it says', what)
    return found
  }

  #take(
    run: Uint8Array,
    into: { readonly at: number; readonly start: number; readonly what: string; readonly found: Map<string, number> },
  ): number {
    let next = into.at
    for (let position = 0; position < run.length;) {
      const decoded = decodeRecords(run, position, () => ({ failure: 'nothing is compressed here' }))
      if (decoded.kind === 'malformed') throw new Error(`${into.what} at ${next}: ${decoded.detail}`)
      this.#must(decoded.records.length === recordCountOf(run, position), 'a batch is whole', into.what)
      for (const record of decoded.records) {
        // The log may begin in the midst of its first batch.
        if (record.offset < into.start && next === into.start) continue
        this.#must(record.offset === next, 'offsets are dense', `${into.what}: ${record.offset} instead of ${next}`)
        const value = Buffer.from(record.value ?? []).toString()
        this.#must(!into.found.has(value), 'no record is there twice', `${into.what} ${value.slice(0, 20)}`)
        into.found.set(value, next)
        next += 1
      }
      position += new DataView(run.buffer, run.byteOffset + position).getInt32(8) + 12
    }
    return next
  }

  #checkCommits(isWiped: boolean): void {
    const { groups, broker } = this.#process.parts
    const stored = new Map<string, number>()
    for (const { topic, partition, offset: at } of groups.committedOffsets()) {
      stored.set(`${topic}/${partition}`, at)
      const end = broker.topicByName(topic)?.partitions[partition]?.logEndOffset
      if (end !== undefined) this.#must(at <= end, 'I8: no commit lies beyond the end', `${topic}-${partition}: ${at} of ${end}`)
    }
    for (const [key, commit] of [...this.#commits]) {
      const end = broker.topicByName(commit.topic.name)?.partitions[commit.partition]?.logEndOffset
      if (end === undefined) {
        this.#commits.delete(key)
        continue
      }
      const at = stored.get(key) ?? 0
      const { answered } = commit
      const least = isWiped && !answered.inBucket ? 0 : Math.min(answered.offset, end)
      this.#must(at >= least, 'a commit that was answered is there', `${key}: ${at} instead of ${answered.offset}`)
      this.#must(at <= commit.asked, 'no commit is made up', key)
      commit.answered = { offset: at, inBucket: answered.inBucket && at === answered.offset }
      commit.asked = at
    }
  }

  /** By time over all tiers, against a plain scan. */
  async #searchByTime(): Promise<void> {
    const partitions = this.#partitions()
    if (partitions.length === 0 || !this.#process.serves) return
    const live = this.#live(this.#oneOf(partitions))
    if (live === undefined || live.highWatermark === 0) return
    const wanted = this.#clock.nowMs() - this.#prng.below(20_000)
    const end = live.highWatermark
    const start = live.logStartOffset
    const answered = await this.#ask(async () => ({ found: await live.offsetForTimestamp(wanted) }))
    if (answered === undefined || live.isGone || !this.#process.serves) return
    const plain = await this.#ask(() => this.#plainSearch(live, wanted, end))
    // A deletion that was never answered may take effect while both search.
    if (plain === undefined || live.logStartOffset !== start) return
    this.#tally.timeSearches += 1
    const got = answered.found?.offset ?? -1
    // What came in while it searched may be found, or not.
    this.#must(
      got === plain.offset || (plain.offset < 0 && got >= end),
      'a search by time finds what a scan finds',
      `${got} ${plain.offset}`,
    )
  }

  async #plainSearch(live: Partition, wanted: number, end: number): Promise<{ readonly offset: number }> {
    for (let at: number = live.logStartOffset; at < end;) {
      const read = await live.read({ offset: offset(at), maxBytes: 50_000, minOneBatch: true })
      if (read.kind === 'error' || read.batches.length === 0) throw new Error('cannot be read now')
      for (const run of read.batches) {
        for (let position = 0; position < run.length;) {
          const decoded = decodeRecords(run, position, () => ({ failure: 'nothing is compressed here' }))
          if (decoded.kind === 'malformed') throw new Error(decoded.detail)
          for (const record of decoded.records) {
            const isThere = record.offset >= live.logStartOffset && record.offset < end
            if (record.timestamp >= wanted && isThere) return { offset: record.offset }
            at = record.offset + 1
          }
          position += new DataView(run.buffer, run.byteOffset + position).getInt32(8) + 12
        }
      }
    }
    return { offset: -1 }
  }
}
