/**
 * Apache Kafka's administration tools, run step by step against our broker and against a real Apache Kafka: what they print and how they
 * end must be the same but for ids, times, hosts and folders.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ApacheKafka, javaTool, startApacheKafka } from '../support/tools/kafka.ts'
import { type Broker, startBroker } from '../support/tools/broker.ts'
import { describeWithTools } from '../support/tools/tools.ts'
import { kafkajs } from './clients/kafkajs.ts'
import { makeRecords } from './records.ts'

const topic = 'differential'
const group = 'differential-readers'
const modern = 'differential-modern'
const tools = 'org.apache.kafka.tools'
const slowMs = 120_000

interface Outcome {
  readonly code: number | null
  readonly lines: readonly string[]
}

/** One line a fact: what is random or belongs to the machine is named instead, and what has no order is sorted. */
function normalized(printed: string): string[] {
  return printed
    .split('\n')
    .filter((line) => !/\bWARN\b/.test(line))
    .map((line) =>
      line
        .replace(/TopicId: [\w-]{22}/g, 'TopicId: <id>')
        .replace(/127\.0\.0\.1:\d+/g, '<host>')
        .replace(/"logDir":"[^"]*"/g, '"logDir":"<folder>"')
        .replace(/"log_dirs":\["[^"]*"\]/g, '"log_dirs":["<folder>"]')
        .replace(/console-consumer-[0-9a-f-]+/g, '<member>')
        .replace(/CreateTime:\d+/g, '<time>')
        .replace(/\s+/g, ' ')
        .trim(),
    )
    .filter((line) => line !== '' && !/^at |^\[\d{4}-/.test(line))
    .sort()
}

describeWithTools(['kafka'], 'Kafka’s administration tools say of us what they say of Apache Kafka:', () => {
  let ours: Broker
  let peer: ApacheKafka
  let folder: string

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'chronik-admin-'))
    mkdirSync(join(folder, 'kafka'))
    ours = await startBroker({ dir: join(folder, 'ours'), extra: ['--groups-initial-rebalance-delay-ms', '0'] })
    peer = await startApacheKafka({ dir: join(folder, 'kafka') })
  }, slowMs)
  afterAll(async () => {
    await Promise.allSettled([ours.stop(), peer.stop()])
    rmSync(folder, { recursive: true, force: true })
  }, slowMs)

  const file = (name: string, content: object): string => {
    const path = join(folder, name)
    writeFileSync(path, JSON.stringify(content))
    return path
  }

  /** Both at once: a tool spends its time starting. */
  async function both(className: string, args: readonly string[]): Promise<readonly [Outcome, Outcome]> {
    const outcomes = [ours.bootstrap, peer.bootstrap].map(async (bootstrap) => {
      const { code, stdout, stderr } = await javaTool(className, ['--bootstrap-server', bootstrap, ...args])
      return { code, lines: normalized(`${stdout}\n${stderr}`) }
    })
    const [mine, theirs] = await Promise.all(outcomes)
    if (mine === undefined || theirs === undefined) throw new Error('two were asked')
    return [mine, theirs]
  }

  async function same(className: string, ...args: readonly string[]): Promise<Outcome> {
    const [mine, theirs] = await both(className, args)
    expect(mine, `${className} ${args.join(' ')}`).toEqual(theirs)
    return theirs
  }

  const topics = `${tools}.TopicCommand`
  const configs = 'kafka.admin.ConfigCommand'
  const groups = `${tools}.consumer.group.ConsumerGroupCommand`

  it('kafka-topics creates, describes, grows and refuses', { timeout: slowMs }, async () => {
    const created = await same(topics, '--create', '--topic', topic, '--partitions', '3', '--config', 'retention.ms=3600000')
    expect(created).toEqual({ code: 0, lines: [`Created topic ${topic}.`] })
    expect((await same(topics, '--create', '--topic', topic)).code).toBe(1)
    expect((await same(topics, '--create', '--topic', 'not legal!')).code).toBe(1)
    await same(topics, '--create', '--topic', topic, '--if-not-exists')
    await same(topics, '--alter', '--topic', topic, '--partitions', '5')
    expect((await same(topics, '--alter', '--topic', topic, '--partitions', '2')).code).toBe(1)
    expect((await same(topics, '--alter', '--topic', topic, '--partitions', '5')).code).toBe(1)
    expect((await same(topics, '--describe', '--topic', 'nowhere')).code).toBe(1)
    await same(topics, '--list')
  })

  it('kafka-configs alters, describes and refuses', { timeout: slowMs }, async () => {
    const entity = ['--entity-type', 'topics', '--entity-name', topic]
    await same(configs, ...entity, '--alter', '--add-config', 'max.message.bytes=2000000,cleanup.policy=[compact,delete]')
    await same(configs, ...entity, '--alter', '--delete-config', 'cleanup.policy')
    await same(configs, ...entity, '--describe')
    expect((await same(configs, ...entity, '--alter', '--add-config', 'retention.sm=1')).code).toBe(1)
    const nowhere = ['--entity-type', 'topics', '--entity-name', 'nowhere']
    expect((await both(configs, [...nowhere, '--alter', '--add-config', 'retention.ms=1'])).map(({ code }) => code)).toEqual([
      1, 1,
    ])
  })

  it('kafka-configs sets, describes and takes away client quotas', { timeout: 3 * slowMs }, async () => {
    const alice = ['--entity-type', 'users', '--entity-name', 'alice']
    const anyone = ['--entity-type', 'users', '--entity-default']
    const app = ['--entity-type', 'clients', '--entity-name', 'app']
    const here = ['--entity-type', 'ips', '--entity-name', '127.0.0.1']
    const rates = 'producer_byte_rate=1048576,consumer_byte_rate=2097152,request_percentage=12.5'
    expect((await same(configs, ...alice, '--alter', '--add-config', rates)).code).toBe(0)
    await same(configs, ...alice, ...app, '--alter', '--add-config', 'controller_mutation_rate=7')
    await same(configs, ...anyone, '--alter', '--add-config', 'producer_byte_rate=100')
    await same(configs, ...here, '--alter', '--add-config', 'connection_creation_rate=500')
    await same(configs, ...alice, '--describe')
    await same(configs, ...alice, ...app, '--describe')
    await same(configs, '--entity-type', 'users', '--describe')
    await same(configs, '--entity-type', 'ips', '--describe')
    await same(configs, ...alice, '--alter', '--delete-config', 'request_percentage')
    await same(configs, ...alice, '--describe')
    for (const wrong of ['producer_byte_rate=0', 'consumer_byte_rate=-1', 'connection_creation_rate=5', 'producer_rate=5'])
      expect((await same(configs, ...alice, '--alter', '--add-config', wrong)).code, wrong).toBe(1)
    expect((await same(configs, ...here, '--alter', '--add-config', 'connection_creation_rate=0')).code).toBe(1)
    // The producers and connections of what follows are to be as fast as they were.
    await same(configs, ...anyone, '--alter', '--delete-config', 'producer_byte_rate')
    await same(configs, ...here, '--alter', '--delete-config', 'connection_creation_rate')
    await same(configs, '--entity-type', 'ips', '--describe')
  })

  it('kafka-configs changes brokers, one and all of them', { timeout: 2 * slowMs }, async () => {
    const one = ['--entity-type', 'brokers', '--entity-name', '1']
    const all = ['--entity-type', 'brokers', '--entity-default']
    // A new Kafka cluster sets this itself, for its replicas.
    const described = async (...args: readonly string[]): Promise<void> => {
      const [mine, theirs] = await both(configs, [...args, '--describe'])
      expect(mine).toEqual({ ...theirs, lines: theirs.lines.filter((line) => !line.startsWith('min.insync.replicas=')) })
    }
    await same(configs, ...one, '--alter', '--add-config', 'log.retention.ms=3600000,message.max.bytes=2000000')
    await same(
      configs,
      ...all,
      '--alter',
      '--add-config',
      'log.retention.ms=7200000,log.cleanup.policy=[compact,delete],max.connections=1000',
    )
    await described(...one)
    await described(...all)
    await same(configs, '--entity-type', 'topics', '--entity-name', topic, '--describe')
    for (const bad of ['num.partitions=3', 'message.max.bytes=abc', 'message.max.bytes=-5', 'ssl.keystore.location=/x'])
      expect((await same(configs, ...one, '--alter', '--add-config', bad)).code, bad).toBe(1)
    const prefixed = ['--alter', '--add-config', 'listener.name.plaintext.ssl.keystore.location=/x']
    expect((await same(configs, ...all, ...prefixed)).code).toBe(1)
    await same(configs, ...one, '--alter', '--delete-config', 'log.retention.ms,message.max.bytes')
    await same(configs, ...one, '--alter', '--delete-config', 'log.retention.ms')
    await described(...one)
    await same(configs, ...all, '--alter', '--delete-config', 'log.retention.ms,log.cleanup.policy,max.connections')
    await described(...all)
    await same(configs, '--entity-type', 'brokers', '--entity-name', '2', '--describe')
  })

  it('kafka-configs changes groups', { timeout: 2 * slowMs }, async () => {
    const entity = ['--entity-type', 'groups', '--entity-name', group]
    await same(configs, ...entity, '--describe')
    const [mine, theirs] = await both(configs, [...entity, '--describe', '--all'])
    const timed = (line: string): boolean => /^All |^consumer\.(session|heartbeat)/.test(line)
    expect(mine).toEqual({ ...theirs, lines: theirs.lines.filter(timed) })
    await same(
      configs,
      ...entity,
      '--alter',
      '--add-config',
      'consumer.session.timeout.ms=50000,consumer.heartbeat.interval.ms=6000',
    )
    await same(configs, ...entity, '--describe')
    for (const bad of [
      'consumer.session.timeout.ms=10',
      'consumer.session.timeout.ms=100000',
      'consumer.session.timeout.ms=abc',
      'consumer.heartbeat.interval.ms=100',
      'consumer.nonsense=1',
    ])
      expect((await same(configs, ...entity, '--alter', '--add-config', bad)).code, bad).toBe(1)
    await same(configs, '--entity-type', 'groups', '--describe')
    await same(configs, ...entity, '--alter', '--delete-config', 'consumer.session.timeout.ms,consumer.heartbeat.interval.ms')
    await same(configs, ...entity, '--describe')
  })

  it('kafka-configs changes subscriptions of client metrics', { timeout: 2 * slowMs }, async () => {
    const entity = ['--entity-type', 'client-metrics', '--entity-name', 'm']
    await same(configs, ...entity, '--describe')
    await same(configs, ...entity, '--alter', '--add-config', 'interval.ms=1000,metrics=[org.a.,org.b],match=[client_id=a.*]')
    await same(configs, ...entity, '--describe')
    await same(configs, ...entity, '--describe', '--all')
    for (const bad of ['interval.ms=10', 'match=[nonsense=a]', 'nonsense=a'])
      expect((await same(configs, ...entity, '--alter', '--add-config', bad)).code, bad).toBe(1)
    await same(configs, '--entity-type', 'client-metrics', '--describe')
    await same(configs, ...entity, '--alter', '--delete-config', 'interval.ms,metrics,match')
    await same(configs, ...entity, '--describe')
  })

  it('kafka-configs changes the loggers of a broker', { timeout: 2 * slowMs }, async () => {
    const entity = ['--entity-type', 'broker-loggers', '--entity-name', '1']
    // Which loggers there are is each program's own.
    const levelsOf = async (): Promise<readonly string[]> => (await both(configs, [...entity, '--describe', '--all']))[0].lines
    expect((await levelsOf()).some((line) => line.startsWith('root=INFO '))).toBe(true)
    await same(configs, ...entity, '--alter', '--add-config', 'root=DEBUG')
    expect((await levelsOf()).every((line) => line.includes('=DEBUG ') || !line.includes('sensitive'))).toBe(true)
    await same(configs, ...entity, '--alter', '--add-config', 'nonsense=INFO')
    expect((await same(configs, ...entity, '--alter', '--delete-config', 'root')).code).toBe(1)
    await same(configs, ...entity, '--alter', '--add-config', 'root=INFO')
    await same(configs, '--entity-type', 'broker-loggers', '--entity-name', '2', '--describe')
  })

  it('kafka-get-offsets, kafka-delete-records and kafka-log-dirs see the same log', { timeout: slowMs }, async () => {
    const records = makeRecords(20, 1, 'differential', { textOnly: true })
    const order = { topic, compression: 'none', idempotent: false, records } as const
    await Promise.all([ours.bootstrap, peer.bootstrap].map((bootstrap) => kafkajs.produce(bootstrap, [order])))
    for (const time of ['latest', 'earliest', 'max-timestamp', '-1'])
      await both(`${tools}.GetOffsetShell`, ['--topic', topic, '--time', time]).then(([mine, theirs]) => {
        expect(mine).toEqual(theirs)
      })
    const cut = file('cut.json', {
      version: 1,
      partitions: [
        { topic, partition: 0, offset: 7 },
        { topic, partition: 1, offset: 9 },
      ],
    })
    await same(`${tools}.DeleteRecordsCommand`, '--offset-json-file', cut)
    await same(`${tools}.GetOffsetShell`, '--topic', topic, '--time', 'earliest')
    const [mine, theirs] = await both(`${tools}.LogDirsCommand`, ['--describe', '--topic-list', topic])
    expect([mine.code, theirs.code]).toEqual([0, 0])
    const partitionsOf = (outcome: Outcome): unknown[] => {
      const json = JSON.parse(outcome.lines.find((line) => line.startsWith('{')) ?? '{}') as {
        brokers: Array<{ logDirs: Array<{ partitions: Array<{ partition: string }> }> }>
      }
      return (json.brokers[0]?.logDirs[0]?.partitions ?? []).toSorted((a, b) => a.partition.localeCompare(b.partition))
    }
    expect(partitionsOf(mine)).toEqual(partitionsOf(theirs))
  })

  it('kafka-leader-election and kafka-reassign-partitions have nothing to do', { timeout: slowMs }, async () => {
    await same(`${tools}.LeaderElectionCommand`, '--election-type', 'preferred', '--topic', topic, '--partition', '0')
    await same(`${tools}.LeaderElectionCommand`, '--election-type', 'preferred', '--all-topic-partitions')
    const reassign = `${tools}.reassign.ReassignPartitionsCommand`
    await same(reassign, '--list')
    const stay = file('stay.json', { version: 1, partitions: [{ topic, partition: 0, replicas: [1] }] })
    await same(reassign, '--reassignment-json-file', stay, '--execute')
    await same(reassign, '--reassignment-json-file', stay, '--verify')
    const away = file('away.json', { version: 1, partitions: [{ topic, partition: 0, replicas: [2] }] })
    const [mine, theirs] = await both(reassign, ['--reassignment-json-file', away, '--execute'])
    expect(mine.code).toBe(theirs.code)
  })

  it('kafka-consumer-groups describes, resets and deletes', { timeout: slowMs }, async () => {
    const read = ['--topic', topic, '--group', group, '--from-beginning', '--max-messages', '10', '--timeout-ms', '20000']
    for (const { code } of await both(`${tools}.consumer.ConsoleConsumer`, read)) expect(code).toBe(0)
    await same(groups, '--list')
    await same(groups, '--describe', '--group', group)
    await same(groups, '--describe', '--group', group, '--state')
    await same(groups, '--group', group, '--topic', topic, '--reset-offsets', '--to-earliest', '--execute')
    await same(groups, '--group', group, '--topic', `${topic}:0`, '--reset-offsets', '--to-offset', '9', '--execute')
    await same(groups, '--group', group, '--topic', `${topic}:0`, '--delete-offsets')
    await same(groups, '--describe', '--group', group)
    await same(groups, '--delete', '--group', group)
    expect((await same(groups, '--describe', '--group', group)).lines.join('\n')).toContain(`Group ${group} not found.`)
  })

  it('kafka-consumer-groups sees a group of the consumer protocol the same', { timeout: 2 * slowMs }, async () => {
    const consumer = ['--command-property', 'group.protocol=consumer']
    const read = ['--topic', topic, '--group', modern, '--from-beginning', '--max-messages', '10', '--timeout-ms', '20000']
    for (const { code } of await both(`${tools}.consumer.ConsoleConsumer`, [...read, ...consumer])) expect(code).toBe(0)
    await same(groups, '--list', '--type')
    await same(groups, '--describe', '--group', modern)
    await same(groups, '--describe', '--group', modern, '--state')
    await same(groups, '--describe', '--group', modern, '--members', '--verbose')
    await same(groups, '--group', modern, '--topic', `${topic}:1`, '--delete-offsets')
    // Read again by a consumer of the classic protocol: the empty group changes its type.
    for (const { code } of await both(`${tools}.consumer.ConsoleConsumer`, read)) expect(code).toBe(0)
    await same(groups, '--list', '--type')
    await same(groups, '--delete', '--group', modern)
  })

  it('kafka-topics deletes', { timeout: slowMs }, async () => {
    await same(topics, '--delete', '--topic', topic)
    expect((await same(topics, '--delete', '--topic', topic)).code).toBe(1)
    await same(topics, '--list', '--exclude-internal')
  })
})
