/**
 * Client quotas as people use them: set by kafka-configs, felt by Apache Kafka's own producer and consumer, and there again after the disk
 * is lost. How long something takes is only ever asked from below: nothing here fails for being slow.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Broker, startBroker } from '../support/tools/broker.ts'
import { javaTool } from '../support/tools/kafka.ts'
import { createTopic } from '../support/tools/topic.ts'
import { describeWithTools } from '../support/tools/tools.ts'

const slowMs = 180_000
const topic = 'held'
const records = 1_200
const recordBytes = 1_000
/** Six seconds for all records; the windows of this broker hold one second of it. */
const bytesPerSecond = 200_000
const secondsMin = (records * recordBytes) / bytesPerSecond - 1

describeWithTools(['kafka'], 'Clients with quotas', () => {
  let broker: Broker
  let folder: string

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'chronik-quotas-'))
    broker = await startBroker({ dir: join(folder, 'broker'), extra: ['--quota-window-num', '2'] })
    await createTopic(broker.bootstrap, topic, 1)
  }, slowMs)
  afterAll(async () => {
    await broker.stop()
    rmSync(folder, { recursive: true, force: true })
  }, slowMs)

  async function tool(className: string, args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await javaTool(className, args, { timeoutMs: slowMs })
    expect(code, `${className} ${args.join(' ')}: ${stdout}\n${stderr}`).toBe(0)
    return stdout
  }
  const configs = (...args: string[]): Promise<string> =>
    tool('kafka.admin.ConfigCommand', ['--bootstrap-server', broker.bootstrap, ...args])

  async function metric(name: string, quota: string): Promise<number> {
    const answer = await fetch(`http://127.0.0.1:${broker.httpPort}/metrics`)
    const line = (await answer.text()).split('\n').find((one) => one.startsWith(`${name}{`) && one.includes(`quota="${quota}"`))
    return Number(line?.split(' ').at(-1))
  }

  /** Of a tool that prints its client's metrics. */
  const printed = (output: string, name: string): number =>
    Number(new RegExp(`:${name}:.*? : ([\\d.]+)`).exec(output)?.[1] ?? Number.NaN)

  it('a producer writes no faster than its rate, and is told why', { timeout: slowMs }, async () => {
    await configs('--alter', '--entity-type', 'clients', '--entity-name', 'writer', '--add-config', `producer_byte_rate=${bytesPerSecond}`) // prettier-ignore
    const startedAt = performance.now()
    const output = await tool('org.apache.kafka.tools.ProducerPerformance', [
      ...['--topic', topic, '--num-records', String(records), '--record-size', String(recordBytes), '--throughput', '-1'],
      ...['--print-metrics', '--producer-props', `bootstrap.servers=${broker.bootstrap}`, 'client.id=writer', 'batch.size=16000'],
    ])
    expect((performance.now() - startedAt) / 1000).toBeGreaterThan(secondsMin * 0.8)
    expect(printed(output, 'produce-throttle-time-max')).toBeGreaterThan(0)
    expect(await metric('chronik_kafka_throttle_seconds_total', 'produce')).toBeGreaterThan(0)
    expect(await metric('chronik_kafka_quota_measured_total', 'produce')).toBeGreaterThan(records * recordBytes)
    expect(await metric('chronik_kafka_throttled_total', 'fetch')).toBe(0)
  })

  it('a consumer reads no faster than its rate, and misses nothing', { timeout: slowMs }, async () => {
    await configs('--alter', '--entity-type', 'users', '--entity-default', '--add-config', `consumer_byte_rate=${bytesPerSecond}`)
    const startedAt = performance.now()
    const output = await tool('org.apache.kafka.tools.consumer.ConsoleConsumer', [
      ...['--bootstrap-server', broker.bootstrap, '--topic', topic, '--from-beginning'],
      ...['--max-messages', String(records), '--timeout-ms', '60000'],
    ])
    expect(output.split('\n').filter((line) => line.length === recordBytes)).toHaveLength(records)
    expect((performance.now() - startedAt) / 1000).toBeGreaterThan(secondsMin * 0.8)
    expect(await metric('chronik_kafka_throttle_seconds_total', 'fetch')).toBeGreaterThan(0)
  })

  it('an administrator is refused topics beyond the rate', { timeout: slowMs }, async () => {
    await configs('--alter', '--entity-type', 'users', '--entity-default', '--add-config', 'controller_mutation_rate=1')
    const create = (name: string) =>
      javaTool('org.apache.kafka.tools.TopicCommand', [
        ...['--bootstrap-server', broker.bootstrap, '--create', '--topic', name, '--partitions', '100'],
      ])
    // One request may take more than the eleven that are there; then it takes a minute and a half until there are some again.
    expect((await create('many-1')).stdout).toContain('Created topic many-1.')
    const { code, stdout, stderr } = await create('many-2')
    expect(code).toBe(1)
    expect(`${stdout}${stderr}`).toMatch(/ThrottlingQuotaExceededException|throttling quota has been exceeded/)
    expect(await metric('chronik_kafka_throttled_total', 'controller-mutation')).toBeGreaterThan(0)
    await configs('--alter', '--entity-type', 'users', '--entity-default', '--delete-config', 'controller_mutation_rate')
    expect((await create('many-2')).code).toBe(0)
  })

  it('quotas are there again on an empty disk', { timeout: slowMs }, async () => {
    await configs(
      '--alter',
      '--entity-type',
      'ips',
      '--entity-name',
      '127.0.0.1',
      '--add-config',
      'connection_creation_rate=1000',
    )
    await broker.kill9()
    broker.wipeDisk()
    await broker.restart()
    expect(await configs('--describe', '--entity-type', 'clients')).toContain(`producer_byte_rate=${bytesPerSecond}`)
    expect(await configs('--describe', '--entity-type', 'users')).toContain(`consumer_byte_rate=${bytesPerSecond}`)
    expect(await configs('--describe', '--entity-type', 'ips')).toContain('connection_creation_rate=1000')
  })
})
