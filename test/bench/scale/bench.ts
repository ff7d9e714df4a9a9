/**
 * Owns measuring a node with many partitions on MinIO: creating, producing to all, idling, ending in order, coming back with its disk
 * and without it. Prints each figure next to its floor. Not throughput (bench/peer).
 */
import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { crc32c } from '../../../src/base/node/native-crc32c.ts'
import { encodeBatch, ErrorCode } from '../../../src/protocol/index.ts'
import { partitionProduceData, produceRequest, topicProduceData } from '../../../src/protocol/generated/produce.ts'
import {
  offsetCommitRequest,
  offsetCommitRequestPartition,
  offsetCommitRequestTopic,
} from '../../../src/protocol/generated/offset-commit.ts'
import { RawClient } from '../../contract/server/support/raw-client.ts'
import { fetchFrom } from '../../contract/server/support/requests.ts'
import { type Broker, startBroker } from '../../support/tools/broker.ts'
import { type Minio, startMinio } from '../../support/tools/minio.ts'
import { processUsage } from '../../support/tools/process-usage.ts'

const idleMs = 30_000
const topicsPerRequest = 50
const roundsOfRecords = 3
const groupCount = 20
const floors = { firstServedMs: 5_000, idleCpuPercent: 2 } as const

const topicName = (at: number): string => `scale-${String(at).padStart(4, '0')}`

const sleep = (delayMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delayMs))

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return Math.round(performance.now() - started)
}

/** Asks until the answer is good: what a client sees of a start, to within a few milliseconds. */
async function untilGood(port: number, ask: (client: RawClient) => Promise<boolean>): Promise<number> {
  for (const deadline = performance.now() + 60_000; performance.now() < deadline;) {
    try {
      const client = await RawClient.connect(port)
      try {
        while (!client.closed && performance.now() < deadline) {
          if (await ask(client)) return performance.now()
          await sleep(5)
        }
      } finally {
        client.close()
      }
    } catch {
      // Not listening yet, or it hung up: asked again.
    }
    await sleep(5)
  }
  throw new Error('nothing was served within a minute')
}

const produces = async (client: RawClient): Promise<boolean> => {
  const records = [{ offset: 0, timestamp: Date.now(), key: null, value: Buffer.from('again'), headers: [] }]
  const partitionData = [partitionProduceData({ index: 1, records: [encodeBatch({ records }, { crc32c })] })]
  const request = produceRequest({
    acks: -1,
    timeoutMs: 30_000,
    topicData: [topicProduceData({ name: topicName(0), partitionData })],
  })
  const { responses } = await client.ask('Produce', 9, request)
  return responses[0]?.partitionResponses[0]?.errorCode === ErrorCode.NONE
}

const fetches = async (client: RawClient): Promise<boolean> => {
  const { responses } = await client.ask('Fetch', 11, fetchFrom({ from: [[topicName(0), 0, 0]] }))
  const partition = responses[0]?.partitions[0]
  const bytes = (partition?.records ?? []).reduce((sum, piece) => sum + piece.length, 0)
  return partition?.errorCode === ErrorCode.NONE && bytes > 0
}

/** Milliseconds from the spawn to the first produce and the first fetch of an old record. */
async function startAgain(broker: Broker, extra: readonly string[]): Promise<{ produceMs: number; fetchMs: number }> {
  const started = performance.now()
  const restarted = broker.restart({ extra, dontWait: true })
  const [produced, fetched] = await Promise.all([untilGood(broker.kafkaPort, produces), untilGood(broker.kafkaPort, fetches)])
  await restarted
  await broker.waitReady(60_000)
  return { produceMs: Math.round(produced - started), fetchMs: Math.round(fetched - started) }
}

async function metricsOf(broker: Broker): Promise<(name: string) => number> {
  const text = await (await fetch(`http://127.0.0.1:${broker.httpPort}/metrics`)).text()
  return (name) =>
    [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].reduce((sum, match) => sum + Number(match[1]), 0)
}

function line(what: string, value: string, floor = ''): void {
  process.stdout.write(`${what.padEnd(58)} ${value.padStart(14)}${floor === '' ? '' : `   floor ${floor}`}\n`)
}

async function idle(broker: Broker): Promise<void> {
  await sleep(5_000)
  const before = { usage: processUsage(broker.pid()), metrics: await metricsOf(broker) }
  await sleep(idleMs)
  const after = { usage: processUsage(broker.pid()), metrics: await metricsOf(broker) }
  const percent = ((after.usage.cpuSeconds - before.usage.cpuSeconds) / (idleMs / 1000)) * 100
  const requests = after.metrics('chronik_store_requests_total') - before.metrics('chronik_store_requests_total')
  line(`idle for ${idleMs / 1000} s: CPU of one core`, `${percent.toFixed(2)} %`, `< ${floors.idleCpuPercent} %`)
  line('idle: requests to the bucket', String(requests))
  line('idle: resident memory', `${Math.round(after.usage.residentBytes / 2 ** 20)} MiB`)
}

async function load(broker: Broker, topics: number, partitions: number): Promise<void> {
  const kafka = new Kafka({ brokers: [broker.bootstrap], logLevel: logLevel.ERROR, clientId: 'scale', requestTimeout: 120_000 })
  const admin = kafka.admin()
  await admin.connect()
  const names = Array.from({ length: topics }, (_, at) => topicName(at))
  const createMs = await timed(async () => {
    for (let at = 0; at < topics; at += topicsPerRequest) {
      const some = names.slice(at, at + topicsPerRequest).map((topic) => ({ topic, numPartitions: partitions }))
      await admin.createTopics({ topics: some, waitForLeaders: false, timeout: 60_000 })
    }
  })
  line(`create ${topics} topics of ${partitions}, ${topicsPerRequest} a request (kafkajs)`, `${createMs} ms`)
  line('  the same one topic a request, 20 topics', `${await createOneByOne(admin, 20)} ms`)
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    idempotent: true,
    maxInFlightRequests: 1,
  })
  await producer.connect()
  const messages = Array.from({ length: partitions }, (_, partition) => ({ partition, value: `to ${partition}` }))
  const produceMs = await timed(async () => {
    for (let round = 0; round < roundsOfRecords; round += 1)
      await producer.sendBatch({ topicMessages: names.map((topic) => ({ topic, messages })) })
  })
  line(`produce to all ${topics * partitions} partitions, ${roundsOfRecords} times`, `${produceMs} ms`)
  line(`commit offsets of ${groupCount} groups (the first makes the topic)`, `${await commitOffsets(broker)} ms`)
  await producer.disconnect()
  await admin.disconnect()
}

async function commitOffsets(broker: Broker): Promise<number> {
  const client = await RawClient.connect(broker.kafkaPort)
  try {
    return await timed(async () => {
      for (let at = 0; at < groupCount; at += 1) {
        const partitions = [offsetCommitRequestPartition({ partitionIndex: 0, committedOffset: 1n })]
        const topics = [offsetCommitRequestTopic({ name: topicName(0), partitions })]
        const answer = await client.ask('OffsetCommit', 7, offsetCommitRequest({ groupId: `group-${at}`, topics }))
        const errorCode = answer.topics[0]?.partitions[0]?.errorCode
        if (errorCode !== ErrorCode.NONE) throw new Error(`a commit failed with ${String(errorCode)}`)
      }
    })
  } finally {
    client.close()
  }
}

async function createOneByOne(admin: ReturnType<Kafka['admin']>, count: number): Promise<number> {
  return timed(async () => {
    for (let at = 0; at < count; at += 1)
      await admin.createTopics({ topics: [{ topic: `single-${at}`, numPartitions: 1 }], waitForLeaders: false })
  })
}

async function starts(broker: Broker): Promise<void> {
  await broker.kill9()
  const resume = await startAgain(broker, [])
  line('kill -9, disk kept: spawn to first produce / fetch', `${resume.produceMs} / ${resume.fetchMs} ms`)
  await sleep(2_500)
  for (const what of ['kill -9, disk wiped, --takeover', 'the same once more']) {
    await broker.kill9()
    broker.wipeDisk()
    const cold = await startAgain(broker, ['--takeover', 'true'])
    const metrics = await metricsOf(broker)
    line(`${what}: spawn to first produce / fetch`, `${cold.produceMs} / ${cold.fetchMs} ms`, `< ${floors.firstServedMs} ms`)
    line('  requests of recovery', String(metrics('chronik_recovery_requests')))
    line('  recovery itself', `${Math.round(metrics('chronik_recovery_seconds') * 1000)} ms`)
    await sleep(2_500)
  }
  const stopMs = await timed(() => broker.sigterm())
  line('orderly stop', `${stopMs} ms`, '< 10000 ms')
  const after = await startAgain(broker, [])
  line('start after an orderly stop: first produce / fetch', `${after.produceMs} / ${after.fetchMs} ms`)
}

export async function main(args: readonly string[]): Promise<number> {
  const topics = Number(args[0] ?? 500)
  const partitions = Number(args[1] ?? 3)
  let minio: Minio | undefined
  let broker: Broker | undefined
  try {
    minio = await startMinio()
    await minio.createBucket('scale')
    const { endpoint, accessKey, secretKey } = minio
    broker = await startBroker({ store: { kind: 's3', endpoint, bucket: 'scale', accessKey, secretKey } })
    line('fresh start: spawn to listening', `${Math.round(broker.startMs())} ms`)
    await load(broker, topics, partitions)
    await idle(broker)
    await starts(broker)
    const report = broker
      .logs()
      .split('\n')
      .filter((one) => one.includes('"recovery":true'))
      .slice(-12)
    for (const one of report) process.stdout.write(`${String((JSON.parse(one) as { msg?: unknown }).msg)}\n`)
    return 0
  } catch (error) {
    process.stderr.write(
      `${String(error instanceof Error ? error.stack : error)}\n${broker?.logs().split('\n').slice(-20).join('\n') ?? ''}\n`,
    )
    return 1
  } finally {
    await broker?.stop()
    await minio?.stop()
  }
}
