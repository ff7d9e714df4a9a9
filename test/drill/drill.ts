/**
 * Owns the order of a drill against one store: fill -> read as groups -> print -> kill -9, disk gone, cold start -> print again and
 * compare -> go on -> the same once more, killed in the midst of producing. Not how a step is done.
 */
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  compareFingerprints,
  type Difference,
  type Durability,
  type Fingerprint,
  judgeLoss,
  type LossReport,
  type PrintSize,
  sizeOf,
} from '../../recovery/drill/core/index.ts'
import { loadBatchCompression } from '../../src/base/node/compression.ts'
import { creatableTopic, creatableTopicConfig, createTopicsRequest } from '../../src/protocol/generated/create-topics.ts'
import { type Broker, startBroker } from '../support/tools/broker.ts'
import { installPython } from '../support/tools/python.ts'
import { memoryOf, recoveryFacts, type RecoveryFacts, scrape, untilStreamed } from './broker-facts.ts'
import { burst, burstGroup, burstPartitions, burstTopics } from './burst.ts'
import type { Batch, GroupOutcome, ProducingClient } from './clients/client.ts'
import { confluent } from './clients/confluent.ts'
import { kafkajs } from './clients/kafkajs.ts'
import { platformatic } from './clients/platformatic.ts'
import { FoundRecords, RecordLedger } from './data/record-ledger.ts'
import type { Tables } from './data/tables.ts'
import {
  type ClientName,
  loadOrders,
  type LoadOrder,
  recordCountOf,
  recordsOf,
  shortenedTopics,
  topicOrders,
  type TopicOrder,
} from './data/topic-set.ts'
import type { Phases, PhaseTime } from './phases.ts'
import { startStore, type StoreName } from './stores.ts'
import { askedTimesOf, takeFingerprint } from './wire/fingerprint-reader.ts'
import { mustBeFine, withWire } from './wire/wire-client.ts'
import { standAfter, standBefore, witnessTopic, type Witnesses } from './witnesses.ts'

export interface DrillOrder {
  readonly store: StoreName
  readonly records: number
  readonly seed: number
  /** Read once, and shared by drills. */
  readonly tables: Tables
  /** Everything the drill writes is in here; whoever made it takes it away. */
  readonly folder: string
  /** The most a `quorum` topic may lose of what was acknowledged. */
  readonly quorumWindowMsMax: number
  /** How long is produced before a kill in the midst of it. */
  readonly burstMs: number
  readonly phases: Phases
  /** Ends after the first comparison. */
  readonly isComparisonOnly?: boolean
  /** Harms a bucket that is a folder while the broker is down: to prove that a drill can fail. */
  readonly sabotage?: (bucket: string) => void
}

export interface ColdStartReport {
  readonly takeover: boolean
  /** From the spawn to the Kafka port accepting connections. */
  readonly startMs: number
  readonly recovery: RecoveryFacts
}

export interface DrillReport {
  readonly store: StoreName
  readonly seed: number
  readonly sent: {
    readonly records: number
    readonly payloadBytes: number
    /** Bytes of record batches as the broker stores them. */
    readonly storedBytes: number
    readonly topics: number
    readonly partitions: number
    readonly clients: Readonly<Record<string, { readonly records: number; readonly seconds: number }>>
    readonly seconds: number
  }
  /** Records before the log starts: retention took them while the drill ran. */
  readonly expiredRecords: number
  readonly consumed: Readonly<Record<string, number>>
  readonly segments: number
  readonly requests: { readonly beforeTheCrash: Requests; readonly afterTheColdStart: Requests }
  readonly bucketBytes: number | undefined
  readonly compared: PrintSize
  readonly coldStart: ColdStartReport
  /** The crashes in the midst of producing. */
  readonly withoutWaiting: readonly CrashReport[]
  readonly memory: Readonly<Record<'beforeTheCrash' | 'afterTheColdStart', { residentMb: number; residentMbMax: number }>>
  readonly phases: readonly PhaseTime[]
  readonly differences: readonly Difference[]
}

export interface CrashReport {
  readonly durabilities: readonly Durability[]
  readonly coldStart: ColdStartReport
  readonly loss: LossReport
  readonly compared: PrintSize
}

type Requests = Readonly<Record<string, number>>

const producers: Readonly<Record<ClientName, ProducingClient>> = {
  'confluent-kafka': confluent,
  '@platformatic/kafka': platformatic,
  kafkajs,
}

/** Of what the JavaScript clients are given at once; confluent-kafka makes batches itself. */
const recordsPerSend = 500

const groups = { all: 'drill-reads-all', part: 'drill-reads-part' } as const

/** Longer than the interval at which retention looks: between two looks of ours there is one of its. */
const retentionLookMs = 2_500

/** The heartbeat decides how long a start without takeover waits; retention is looked at often enough to be seen at work. */
const brokerArgs = [
  ...['--stream-heartbeat-ms', '1s', '--retention-check-interval-ms', '2s', '--groups-initial-rebalance-delay-ms', '100ms'],
  ...['--segment-age-ms-max', '6h'],
]
/** The first life stores no snapshot after its first: its cold start has every object to replay. The later ones start from snapshots. */
const firstLifeArgs = ['--snapshot-interval-ms', '1d']
const laterLifeArgs = ['--snapshot-interval-ms', '20s']
const takeover = ['--takeover', 'true']

export async function drill(order: DrillOrder): Promise<DrillReport> {
  const { phases } = order
  await installPython()
  const store = await phases.run('start the store', () => startStore(order.store, order.folder))
  try {
    const dir = join(order.folder, 'disk')
    mkdirSync(dir, { recursive: true })
    const broker = await phases.run('start the broker', () =>
      startBroker({ dir, store: store.store, extra: [...brokerArgs, ...firstLifeArgs] }),
    )
    try {
      const report = await new Drill(order, broker).run()
      return { ...report, bucketBytes: store.dir === undefined ? undefined : folderBytes(store.dir) }
    } finally {
      writeFileSync(join(order.folder, 'broker.log'), broker.logs())
      await broker.stop()
    }
  } finally {
    await store.stop()
  }
}

function folderBytes(folder: string): number {
  // The store is still at work: what is listed may be gone a moment later.
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + (statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0), 0)
}

interface Consumed {
  readonly all: GroupOutcome
  readonly part: GroupOutcome
  /** Records there were for the group that read a part. */
  readonly partTotal: number
}

/** The cluster was crashed, and could not be compared to the end: that is no failure of the surroundings, but what a drill looks for. */
export class BrokenOff extends Error {
  constructor(cause: unknown) {
    super(`after the crash the drill could not go on: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.name = 'BrokenOff'
  }
}

class Drill {
  readonly #order: DrillOrder
  readonly #phases: Phases
  readonly #broker: Broker
  readonly #ledger = new RecordLedger()
  readonly #differences: Difference[] = []
  #isCrashed = false

  constructor(order: DrillOrder, broker: Broker) {
    this.#order = order
    this.#phases = order.phases
    this.#broker = broker
  }

  async run(): Promise<Omit<DrillReport, 'bucketBytes'>> {
    try {
      return await this.#run()
    } catch (error) {
      throw this.#isCrashed ? new BrokenOff(error) : error
    }
  }

  async #run(): Promise<Omit<DrillReport, 'bucketBytes'>> {
    const broker = this.#broker
    await this.#phases.run('load the tables', () => this.#order.tables.load(loadOrders.map(({ table }) => table)))
    // Its times are of long ago.
    const witness = { name: witnessTopic, partitions: 1, configs: { 'retention.ms': '-1' } }
    await this.#phases.run('create topics', () => this.#createTopics([...topicOrders, witness]))
    const produced = await this.#produce()
    const witnesses = await this.#phases.run('leave witnesses', () => standBefore(broker.kafkaPort))
    const consumed = await this.#consume()
    await this.#phases.run('wait for the bucket', () => this.#untilQuiet())
    const before = await this.#phases.run('fingerprint before', () => this.#print())
    const metricsBefore = await scrape(broker)
    const memoryBefore = memoryOf(broker)
    await this.#phases.run('wait for the bucket again', () => untilStreamed(broker))
    const coldStart = await this.#crash('kill -9, wipe the disk, cold start', takeover)
    const found = new FoundRecords((await loadBatchCompression()).decompress)
    const after = await this.#phases.run('fingerprint after', () => this.#print(before, found))
    this.#differences.push(...compareFingerprints(before, after))
    this.#compareWithSent(after, found)
    const goesOn = this.#order.isComparisonOnly !== true
    if (goesOn) await this.#goOn(witnesses, consumed)
    const memoryAfter = memoryOf(broker)
    const metricsAfter = await scrape(broker)
    const withoutWaiting = goesOn ? await this.#crashInTheMidst() : []
    return {
      store: this.#order.store,
      seed: this.#order.seed,
      sent: {
        records: this.#ledger.records,
        payloadBytes: this.#ledger.payloadBytes,
        storedBytes: metricsBefore.total('chronik_appended_bytes_total'),
        topics: before.topics.length,
        partitions: sizeOf(before).partitions,
        ...produced,
      },
      expiredRecords: before.topics
        .flatMap(({ partitions }) => partitions)
        .reduce((sum, { startOffset }) => sum + startOffset, 0),
      consumed: { [groups.all]: consumed.all.seen, [groups.part]: consumed.part.seen },
      segments: metricsBefore.total('chronik_segments_archived_total'),
      requests: {
        beforeTheCrash: metricsBefore.byLabel('chronik_store_requests_total'),
        afterTheColdStart: metricsAfter.byLabel('chronik_store_requests_total'),
      },
      compared: sizeOf(before),
      coldStart,
      withoutWaiting,
      memory: { beforeTheCrash: memoryBefore, afterTheColdStart: memoryAfter },
      phases: this.#phases.times,
      differences: this.#differences,
    }
  }

  async #createTopics(orders: readonly TopicOrder[]): Promise<void> {
    await withWire(this.#broker.kafkaPort, async (wire) => {
      const topics = orders.map(({ name, partitions, configs }) =>
        creatableTopic({
          name,
          numPartitions: partitions,
          replicationFactor: 1,
          configs: Object.entries(configs).map(([config, value]) => creatableTopicConfig({ name: config, value })),
        }),
      )
      const answer = await wire.ask('CreateTopics', createTopicsRequest({ topics, timeoutMs: 60_000 }))
      for (const { name, errorCode, errorMessage } of answer.topics) mustBeFine(errorCode, `creating ${name}`, errorMessage)
    })
  }

  /** All clients at once, as producers are. */
  async #produce(): Promise<Pick<DrillReport['sent'], 'clients' | 'seconds'>> {
    const clients: Record<string, { records: number; seconds: number }> = {}
    const startedAt = performance.now()
    const total = loadOrders.reduce((sum, load) => sum + recordCountOf(load, this.#order.records), 0)
    await this.#phases.run('produce', async () => {
      const work = (Object.keys(producers) as ClientName[]).map(async (client) => {
        const loads = loadOrders.filter((load) => load.client === client)
        await producers[client].produce(this.#broker.bootstrap, loads, this.#batches(loads, total))
        const records = loads.reduce((sum, load) => sum + recordCountOf(load, this.#order.records), 0)
        clients[client] = { records, seconds: (performance.now() - startedAt) / 1000 }
      })
      await Promise.all(work)
    })
    return { clients, seconds: (performance.now() - startedAt) / 1000 }
  }

  /** Loads in turn, a batch each, written into the ledger as they go. */
  *#batches(loads: readonly LoadOrder[], total: number): Generator<Batch> {
    const order = {
      tables: this.#order.tables,
      seed: this.#order.seed,
      total: this.#order.records,
      sinceMs: Date.now() - 3_600_000,
    }
    const open = new Map(loads.map((load) => [load, recordsOf(load, order)]))
    while (open.size > 0) {
      for (const [load, source] of open) {
        const records = []
        for (let next = source.next(); next.done !== true; next = source.next()) {
          this.#ledger.add(load.topic, load.client, next.value)
          records.push(next.value)
          if (records.length === recordsPerSend) break
        }
        if (records.length < recordsPerSend) open.delete(load)
        if (records.length > 0) yield { load, records }
        this.#phases.detail(`${this.#ledger.records} of ${total} records`)
      }
    }
  }

  async #consume(): Promise<Consumed> {
    const count = (topics: readonly string[]): number =>
      loadOrders
        .filter(({ topic }) => topics.includes(topic))
        .reduce((sum, load) => sum + recordCountOf(load, this.#order.records), 0)
    const partTotal = count(partTopics)
    const bootstrap = { bootstrap: this.#broker.bootstrap, timeoutMs: 600_000 }
    const all = await this.#phases.run('a group of confluent-kafka reads all', () =>
      confluent.consume({ ...bootstrap, group: groups.all, topics: allTopics, count: count(allTopics), note: 'read to the end' }),
    )
    const part = await this.#phases.run('a group of kafkajs reads a part', () =>
      kafkajs.consume({
        ...bootstrap,
        group: groups.part,
        topics: partTopics,
        count: Math.floor(partTotal * 0.6),
        note: 'half way',
      }),
    )
    return { all, part, partTotal }
  }

  /** Streamed, and retention at rest: nothing that a client sees moves any more by itself. */
  async #untilQuiet(): Promise<void> {
    await untilStreamed(this.#broker)
    const expired = async (): Promise<string> => {
      const metrics = await scrape(this.#broker)
      return ['chronik_segments_archived_total', 'chronik_segments_expired_total'].map((name) => metrics.total(name)).join()
    }
    for (let last = '', now = await expired(); now !== last; now = await expired()) {
      last = now
      await new Promise((resolve) => setTimeout(resolve, retentionLookMs))
    }
    await untilStreamed(this.#broker)
  }

  #print(like?: Fingerprint, found?: FoundRecords): Promise<Fingerprint> {
    return takeFingerprint({
      port: this.#broker.kafkaPort,
      progress: (topic) => this.#phases.detail(topic),
      ...(like === undefined ? {} : { askedTimes: askedTimesOf(like) }),
      ...(found === undefined
        ? {}
        : {
            onBatch: (topic, partition, batch) => {
              if (this.#ledger.knows(topic, partition)) found.addBatch(topic, partition, batch)
            },
          }),
    })
  }

  async #crash(name: string, more: readonly string[]): Promise<ColdStartReport> {
    const broker = this.#broker
    this.#isCrashed = true
    await this.#phases.run(name, async () => {
      await broker.kill9()
      broker.wipeDisk()
      if (broker.store.kind === 'local') this.#order.sabotage?.(broker.store.dir)
      await broker.restart({ extra: [...brokerArgs, ...laterLifeArgs, ...more] })
    })
    const recovery = recoveryFacts(broker)
    if (recovery.mode !== 'cold-start') {
      this.#differences.push({ kind: 'check', where: 'the start', before: 'cold-start', after: recovery.mode })
    }
    return { takeover: more.length > 0, startMs: Math.round(broker.startMs()), recovery }
  }

  #compareWithSent(after: Fingerprint, found: FoundRecords): void {
    const starts = new Map(
      after.topics.flatMap(({ name, partitions }) =>
        partitions.map(({ partition, startOffset }) => [`${name}-${partition}`, startOffset] as const),
      ),
    )
    this.#differences.push(...this.#ledger.compare(found, starts))
  }

  /** Producers know their sequences, members their groups, and groups go on where they were. */
  async #goOn(witnesses: Witnesses, consumed: Consumed): Promise<void> {
    const broker = this.#broker
    const stood = await this.#phases.run('ask the witnesses', () => standAfter(broker.kafkaPort, witnesses))
    this.#differences.push(...stood)
    const more = { bootstrap: broker.bootstrap, timeoutMs: 600_000 }
    const part = await this.#phases.run('the kafkajs group reads on', () =>
      kafkajs.consume({
        ...more,
        group: groups.part,
        topics: partTopics,
        count: consumed.partTotal - consumed.part.seen,
        note: 'read to the end',
      }),
    )
    this.#checkResumed('the kafkajs group', consumed.part, part)
    const again = loadOrders.filter(({ client, topic }) => client === 'kafkajs' && allTopics.includes(topic))
    const count = again.length * newRecords
    const all = await this.#phases.run('the confluent-kafka group reads what is new', async () => {
      await kafkajs.produce(broker.bootstrap, again, this.#newRecords(again))
      return confluent.consume({ ...more, group: groups.all, topics: allTopics, count, note: 'read what is new' })
    })
    this.#checkResumed('the confluent-kafka group', consumed.all, all)
  }

  *#newRecords(loads: readonly LoadOrder[]): Generator<Batch> {
    for (const load of loads) {
      const order = { tables: this.#order.tables, seed: this.#order.seed + 1, total: 1_000 * newRecords, sinceMs: Date.now() }
      yield { load, records: [...recordsOf({ ...load, share: 1 }, order)].slice(0, newRecords) }
    }
  }

  /** A group goes on at the very offset after the last it had committed, and in a partition it had not begun at the beginning. */
  #checkResumed(who: string, before: GroupOutcome, after: GroupOutcome): void {
    for (const [where, offset] of Object.entries(after.first)) {
      const wanted = (before.last[where] ?? -1) + 1
      if (offset !== wanted) {
        this.#differences.push({
          kind: 'check',
          where: `${who} goes on in ${where}`,
          before: String(wanted),
          after: String(offset),
        })
      }
    }
  }

  /** First with `quorum` topics alone, which are at most an interval behind; then with both, which start without takeover. */
  async #crashInTheMidst(): Promise<DrillReport['withoutWaiting']> {
    const topics = Object.entries(burstTopics).map(([durability, name]) => ({
      name,
      partitions: burstPartitions,
      configs: { 'chronik.durability': durability },
    }))
    await this.#createTopics(topics)
    const both = ['quorum', 'bucket'] as const
    await untilStreamed(this.#broker)
    const before = await this.#phases.run('fingerprint before the crash of quorum', () => this.#print())
    const first = await this.#crashWhileProducing(before, ['quorum'], takeover)
    const second = await this.#crashWhileProducing(first.after, both, [])
    return [first.report, second.report]
  }

  async #crashWhileProducing(
    before: Fingerprint,
    durabilities: readonly Durability[],
    more: readonly string[],
  ): Promise<{ readonly after: Fingerprint; readonly report: CrashReport }> {
    const { kafkaPort: port, kill9 } = this.#broker
    const name = durabilities.join(' and ')
    const durationMs = this.#order.burstMs + (this.#order.seed % 1_000)
    const { acknowledged, killedAtMs } = await this.#phases.run(`produce to ${name} topics until kill -9`, () =>
      burst({ port, durabilities, durationMs, kill: kill9 }),
    )
    const coldStart = await this.#crash('wipe the disk, cold start', more)
    const after = await this.#phases.run(`fingerprint after the crash of ${name}`, () => this.#print(before))
    this.#differences.push(...compareFingerprints(withoutBurst(before), withoutBurst(after)))
    const loss = judgeLoss(acknowledged, after, { killedAtMs, quorumWindowMsMax: this.#order.quorumWindowMsMax })
    this.#differences.push(...loss.differences, ...committedBeyondTheEnd(after))
    return { after, report: { durabilities, coldStart, loss, compared: sizeOf(withoutBurst(before)) } }
  }
}

const newRecords = 20

const allTopics = topicOrders
  .map(({ name }) => name)
  .filter((name) => !shortenedTopics.has(name) && loadOrders.some(({ topic }) => topic === name))

/** What kafkajs can unpack by itself, and no other client adds to in another codec. */
const partTopics = allTopics.filter((name) =>
  loadOrders.every(({ topic, codec }) => topic !== name || codec === 'none' || codec === 'gzip'),
)

/** The burst's own topics are judged by its acknowledgements; its group commits to a partition of the offsets topic. */
function withoutBurst(print: Fingerprint): Fingerprint {
  const names: readonly string[] = Object.values(burstTopics)
  return {
    ...print,
    topics: print.topics.filter(({ name, isInternal }) => !isInternal && !names.includes(name)),
    groups: print.groups.filter(({ id }) => id !== burstGroup),
  }
}

/** I8: a group must not skip what is written after recovery. */
function committedBeyondTheEnd(print: Fingerprint): readonly Difference[] {
  const ends = new Map(
    print.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partition, endOffset }) => [`${name}-${partition}`, endOffset] as const),
    ),
  )
  return print.groups.flatMap(({ id, offsets }) =>
    offsets
      .filter(({ topic, partition, offset }) => offset > (ends.get(`${topic}-${partition}`) ?? Infinity))
      .map(({ topic, partition, offset }) => ({
        kind: 'committed-offset' as const,
        where: `group ${id}, ${topic}-${partition}`,
        before: `at most the end, ${ends.get(`${topic}-${partition}`)}`,
        after: String(offset),
      })),
  )
}
