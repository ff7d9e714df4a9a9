/** Owns the loads: what one run of each does to a broker and which figures it yields. Knows nothing of alternation or judging. */
import { join } from 'node:path'
import { run, runOrThrow } from '../../../localstack/index.ts'
import { javaArgs } from '../../support/tools/kafka.ts'
import { compactionLoad } from './compaction-load.ts'
import type { Contestant, Kind } from './contestant.ts'
import { groupLoads } from './group-loads.ts'

/** Figures of one run by name; a name ends in its unit. */
export type Figures = Readonly<Record<string, number>>

export interface Outcome {
  readonly figures: Figures
  /** Payload moved through the broker, for CPU per GB. 0 where that says nothing. */
  readonly payloadBytes: number
}

export interface Load {
  readonly name: string
  readonly bench: BenchName
  /** Whom our broker is put beside. */
  readonly peer: Kind
  /** The brokers need a listener with TLS. */
  readonly secured?: boolean
  /** Once per broker, unmeasured; the topic it makes is handed to every run. */
  readonly prepare?: (contestant: Contestant) => Promise<void>
  readonly run: (contestant: Contestant, runName: string) => Promise<Outcome>
}

export type BenchName = 'produce' | 'consume' | 'latency' | 'groups' | 'compaction' | 'start'

export interface Scale {
  /** Payload of one saturating run. */
  readonly runBytes: number
  readonly fsyncRunBytes: number
  readonly pacedSeconds: number
  readonly endToEndRecords: number
  readonly rawFetchBytes: number
  readonly idleSeconds: number
  readonly rebalanceRounds: number
  readonly compactionBytes: number
  /** Payload moved before anything is measured: a JVM's figures keep improving for about that long. */
  readonly warmUpBytes: number
}

export const fullScale: Scale = {
  warmUpBytes: 1e9,
  runBytes: 512e6,
  fsyncRunBytes: 256e6,
  pacedSeconds: 15,
  endToEndRecords: 5_000,
  rawFetchBytes: 4e9,
  idleSeconds: 30,
  rebalanceRounds: 3,
  compactionBytes: 256e6,
}

export const quickScale: Scale = {
  warmUpBytes: 512e6,
  runBytes: 256e6,
  fsyncRunBytes: 32e6,
  pacedSeconds: 5,
  endToEndRecords: 2_000,
  rawFetchBytes: 1e9,
  idleSeconds: 10,
  rebalanceRounds: 1,
  compactionBytes: 64e6,
}

const tools = 'org.apache.kafka.tools'
/** A bench's client may compile itself fully: it lives long enough. */
const jvm = ['-Xms512M', '-Xmx512M']
const timeoutMs = 10 * 60_000

const java = (className: string, args: readonly string[]): Promise<string> =>
  runOrThrow({ command: 'java', args: javaArgs(`${tools}.${className}`, args, jvm), timeoutMs })

interface ProduceOrder {
  readonly topic: string
  readonly records: number
  readonly recordBytes: number
  /** Records per second; -1: as fast as they go. */
  readonly throughput: number
  /** More of the tool's arguments. */
  readonly args?: readonly string[]
  /** More of the producer's settings. */
  readonly settings?: Readonly<Record<string, string>>
}

/** A fifth of the records warm up the client's JVM; rate and percentiles are of the rest. */
async function producePerf({ bootstrap }: Pick<Contestant, 'bootstrap'>, order: ProduceOrder): Promise<Outcome> {
  const warmUp = Math.floor(order.records / 5)
  const settings = { acks: 'all', 'batch.size': '65536', 'linger.ms': '5', ...order.settings }
  const stdout = await java('ProducerPerformance', [
    ...['--bootstrap-server', bootstrap, '--topic', order.topic, '--num-records', String(order.records)],
    ...['--record-size', String(order.recordBytes), '--throughput', String(order.throughput), '--warmup-records', String(warmUp)],
    ...(order.args ?? []),
    ...['--command-property', ...Object.entries(settings).map(([name, value]) => `${name}=${value}`)],
  ])
  return { figures: readProducePerf(stdout), payloadBytes: order.records * order.recordBytes }
}

export function readProducePerf(stdout: string): Figures {
  const pattern =
    /steady state records sent, ([\d.]+) records\/sec \(([\d.]+) MB\/sec\), ([\d.]+) ms avg latency, ([\d.]+) ms max latency, (\d+) ms 50th, (\d+) ms 95th, (\d+) ms 99th/
  const found = pattern.exec(stdout)
  if (found === null) throw new Error(`kafka-producer-perf-test said something else:\n${stdout.slice(-1_000)}`)
  const [, records, mebibytes, mean, , p50, , p99] = found.map(Number)
  return { recordsPerSecond: records ?? 0, mibPerSecond: mebibytes ?? 0, meanMs: mean ?? 0, p50Ms: p50 ?? 0, p99Ms: p99 ?? 0 }
}

export function readConsumePerf(stdout: string): Figures {
  const lines = stdout.trim().split('\n')
  const head = lines.find((line) => line.startsWith('start.time'))?.split(', ') ?? []
  const row = lines.at(-1)?.split(', ') ?? []
  const column = (name: string): number => Number(row[head.indexOf(name)])
  const figures = {
    recordsPerSecond: column('nMsg.sec'),
    mibPerSecond: column('MB.sec'),
    fetchMibPerSecond: column('fetch.MB.sec'),
  }
  if (Object.values(figures).some((value) => !Number.isFinite(value))) {
    throw new Error(`kafka-consumer-perf-test said something else:\n${stdout.slice(-1_000)}`)
  }
  return figures
}

export function readEndToEnd(stdout: string): Figures {
  const mean = /Avg latency: ([\d.]+) ms/.exec(stdout)
  const percentiles = /50th = (\d+), 99th = (\d+), 99\.9th = (\d+)/.exec(stdout)
  if (mean === null || percentiles === null) throw new Error(`EndToEndLatency said something else:\n${stdout.slice(-1_000)}`)
  return { meanMs: Number(mean[1]), p50Ms: Number(percentiles[1]), p99Ms: Number(percentiles[2]) }
}

function produceLoad(recordBytes: number, partitions: number, scale: Scale, peer: Kind = 'kafka'): Load {
  const runBytes = peer === 'kafka-fsync' ? scale.fsyncRunBytes : scale.runBytes
  return {
    name: `produce ${recordBytes} B x ${partitions}${peer === 'kafka-fsync' ? ' beside fsync' : ''}`,
    bench: 'produce',
    peer,
    run: async (contestant, topic) => {
      await contestant.createTopic(topic, partitions)
      return producePerf(contestant, { topic, records: Math.floor(runBytes / recordBytes), recordBytes, throughput: -1 })
    },
  }
}

const recordsOf = (scale: Scale): number => Math.floor(scale.runBytes / 1024)

const tlsLoad = (scale: Scale): Load => ({
  name: 'produce 1024 B x 6, TLS',
  bench: 'produce',
  peer: 'kafka',
  secured: true,
  run: async ({ tls, createTopic }, topic) => {
    if (tls === undefined) throw new Error('this load needs a listener with TLS')
    await createTopic(topic, 6)
    const settings = {
      'security.protocol': 'SSL',
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': tls.authorityFile,
    }
    return producePerf(tls, { topic, records: recordsOf(scale), recordBytes: 1024, throughput: -1, settings })
  },
})

/** As long as a stream processor's, so that ends of transactions are a part of the work. */
const transactionMs = 100

const transactionalLoad = (scale: Scale): Load => ({
  name: `produce 1024 B x 6, transactions of ${transactionMs} ms`,
  bench: 'produce',
  peer: 'kafka',
  run: async (contestant, topic) => {
    await contestant.createTopic(topic, 6)
    const args = ['--transactional-id', topic, '--transaction-duration-ms', String(transactionMs)]
    return producePerf(contestant, { topic, records: recordsOf(scale), recordBytes: 1024, throughput: -1, args })
  },
})

const paceRecordsPerSecond = 10_000

const pacedLoad = (scale: Scale): Load => ({
  name: 'latency 10 K/s of 1024 B x 1',
  bench: 'latency',
  peer: 'kafka',
  run: async (contestant, topic) => {
    await contestant.createTopic(topic, 1)
    const records = paceRecordsPerSecond * scale.pacedSeconds
    return producePerf(contestant, { topic, records, recordBytes: 1024, throughput: paceRecordsPerSecond })
  },
})

const endToEndLoad = (scale: Scale): Load => ({
  name: 'latency end to end, one at a time',
  bench: 'latency',
  peer: 'kafka',
  run: async (contestant, topic) => {
    await contestant.createTopic(topic, 1)
    const many = ['--num-records', String(scale.endToEndRecords), '--record-size', '1024', '--producer-acks', 'all']
    const stdout = await java('EndToEndLatency', ['--bootstrap-server', contestant.bootstrap, '--topic', topic, ...many])
    return { figures: readEndToEnd(stdout), payloadBytes: 0 }
  },
})

const consumeTopic = 'bench-consume'

const fill = (partitions: number, scale: Scale) => async (contestant: Contestant) => {
  await contestant.createTopic(consumeTopic, partitions)
  const records = Math.floor(scale.runBytes / 1024)
  await producePerf(contestant, { topic: consumeTopic, records, recordBytes: 1024, throughput: -1 })
}

const consumeLoad = (scale: Scale): Load => ({
  name: 'consume 1024 B x 6, kafka-consumer-perf-test',
  bench: 'consume',
  peer: 'kafka',
  prepare: fill(6, scale),
  run: async (contestant, runName) => {
    const records = Math.floor(scale.runBytes / 1024)
    const where = ['--bootstrap-server', contestant.bootstrap, '--topic', consumeTopic, '--group', runName]
    const stdout = await java('ConsumerPerformance', [...where, '--num-records', String(records)])
    return { figures: readConsumePerf(stdout), payloadBytes: records * 1024 }
  },
})

const rawFetchLoad = (partitions: number, scale: Scale, script: string): Load => ({
  name: `raw fetch 1024 B x ${partitions}, 2 connections`,
  bench: 'consume',
  peer: 'kafka',
  prepare: fill(partitions, scale),
  run: async (contestant) => {
    const args = [script, contestant.bootstrap, consumeTopic, String(partitions), String(scale.rawFetchBytes)]
    const stdout = await runOrThrow({ command: process.execPath, args, timeoutMs })
    const told = JSON.parse(stdout) as { bytes: number; seconds: number; p50Ms: number; p99Ms: number }
    const mibPerSecond = told.bytes / 2 ** 20 / told.seconds
    return { figures: { mibPerSecond, p50Ms: told.p50Ms, p99Ms: told.p99Ms }, payloadBytes: told.bytes }
  },
})

export const loads = (scale: Scale, root: string): readonly Load[] => [
  produceLoad(1024, 6, scale),
  produceLoad(1024, 1, scale),
  produceLoad(256, 6, scale),
  produceLoad(256, 1, scale),
  produceLoad(1024, 6, scale, 'kafka-fsync'),
  tlsLoad(scale),
  transactionalLoad(scale),
  consumeLoad(scale),
  rawFetchLoad(6, scale, join(root, 'test/bench/peer/raw-fetch.mjs')),
  rawFetchLoad(1, scale, join(root, 'test/bench/peer/raw-fetch.mjs')),
  pacedLoad(scale),
  endToEndLoad(scale),
  ...groupLoads(scale),
  compactionLoad(scale),
]

/** Dirty pages one broker left behind must not be written out during the other's run. */
export const settleDisk = async (): Promise<void> => void (await run({ command: 'sync', args: [] }))
