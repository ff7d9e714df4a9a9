/** Apache Kafka's own clients and command-line tools. One JVM per step, so the steps are few and each says much. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { waitUntil } from '../../localstack/index.ts'
import { describeInterop, freshName } from './broker-under-test.ts'
import { consoleConsume, digestsByKey, java, javaOrThrow } from './clients/java.ts'
import { kafkajs } from './clients/kafkajs.ts'
import { digestsByPartition, makeRecords, offsetsRise } from './records.ts'

const slowMs = 90_000

describeInterop(['kafka'], 'Apache Kafka’s tools', (broker) => {
  it('kafka-console-producer and -consumer agree on every record in every compression', { timeout: slowMs }, async () => {
    const topic = await broker.createTopic(3, 'console')
    const orders = java.compressions.map((compression) => ({
      topic,
      compression,
      idempotent: compression !== 'gzip',
      records: makeRecords(20, 3, `console-${compression}`, java.traits),
    }))
    await java.produce(broker.bootstrap(), orders)
    const seen = await java.consume(broker.bootstrap(), topic, 100)
    expect(digestsByKey(seen)).toEqual(digestsByKey(orders.flatMap(({ records }) => records)))
    expect(offsetsRise(seen)).toBe(true)
  })

  it(
    'kafka-console-consumer resumes where its group committed, and kafka-consumer-groups tells so',
    { timeout: slowMs },
    async () => {
      const topic = await broker.createTopic(1, 'resume')
      const group = freshName('console')
      const records = makeRecords(30, 1, 'resume', { textOnly: true })
      await kafkajs.produce(broker.bootstrap(), [{ topic, compression: 'none', idempotent: false, records }])
      const first = await consoleConsume(broker.bootstrap(), topic, 12, group)
      const tool = (...args: string[]): Promise<string> =>
        javaOrThrow('consumer.group.ConsumerGroupCommand', ['--bootstrap-server', broker.bootstrap(), ...args])
      const told = await tool('--describe', '--group', group)
      const row = told.split('\n').find((line) => line.includes(topic))
      // GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG …
      expect(row?.trim().split(/\s+/).slice(0, 6)).toEqual([group, topic, '0', '12', '30', '18'])
      expect((await tool('--list')).split('\n')).toContain(group)
      const rest = await consoleConsume(broker.bootstrap(), topic, 18, group)
      expect(digestsByPartition([...first, ...rest])).toEqual(digestsByPartition(records))
    },
  )

  it('two members of the Java client share a topic, rebalance, and are described', { timeout: slowMs }, async () => {
    const topic = await broker.createTopic(4, 'group')
    const group = freshName('group')
    const produce = async (round: string) => {
      const records = makeRecords(20, 4, round, { textOnly: true, withoutHeaders: true })
      await kafkajs.produce(broker.bootstrap(), [{ topic, compression: 'none', idempotent: true, records }])
      return records
    }
    const { join } = java
    if (join === undefined) throw new Error('the Java client has groups')
    const first = await produce('first')
    const alone = await join(broker.bootstrap(), topic, group)
    const other = await join(broker.bootstrap(), topic, group)
    try {
      await waitUntil(() => alone.assigned().length === 2 && other.assigned().length === 2, {
        until: 'two Java members to share 4 partitions',
        timeoutMs: 40_000,
      })
      expect([...alone.assigned(), ...other.assigned()].sort()).toEqual([0, 1, 2, 3])
      const second = await produce('second')
      await waitUntil(() => new Set([...alone.seen(), ...other.seen()].map(({ value }) => value?.toString())).size === 40, {
        until: 'two Java members to read both rounds',
        timeoutMs: 40_000,
      })
      const everything = digestsByPartition([...first, ...second])
      const both = [...alone.seen(), ...other.seen()]
      for (const [partition, digests] of Object.entries(digestsByPartition(both))) {
        expect(new Set(digests)).toEqual(new Set(everything[Number(partition)]))
      }
      const args = ['--bootstrap-server', broker.bootstrap(), '--describe', '--members', '--group', group]
      const told = await javaOrThrow('consumer.group.ConsumerGroupCommand', args)
      expect(told.split('\n').filter((line) => line.startsWith(group))).toHaveLength(2)
    } finally {
      await Promise.all([alone.leave(), other.leave()])
    }
  })

  it('kafka-topics creates, lists, describes and deletes', { timeout: slowMs }, async () => {
    const topic = freshName('topics')
    const tool = (...args: string[]): Promise<string> =>
      javaOrThrow('TopicCommand', ['--bootstrap-server', broker.bootstrap(), ...args])
    const config = ['--config', 'retention.ms=3600000']
    expect(await tool('--create', '--topic', topic, '--partitions', '5', ...config)).toContain(`Created topic ${topic}.`)
    expect((await tool('--list')).split('\n')).toContain(topic)
    const told = await tool('--describe', '--topic', topic)
    expect(told).toMatch(new RegExp(`Topic: ${topic}\\s+TopicId: \\S+\\s+PartitionCount: 5\\s+ReplicationFactor: 1`))
    expect(told).toContain('retention.ms=3600000')
    expect(told.match(/Leader: \d+/g)).toHaveLength(5)
    await tool('--delete', '--topic', topic)
    expect((await tool('--list')).split('\n')).not.toContain(topic)
  })

  it('kafka-configs alters a topic, and kafka-delete-records cuts it', { timeout: slowMs }, async () => {
    const topic = await broker.createTopic(1, 'alter')
    const bootstrap = ['--bootstrap-server', broker.bootstrap()]
    const entity = ['--entity-type', 'topics', '--entity-name', topic]
    const configs = (...args: string[]): Promise<string> =>
      javaOrThrow('kafka.admin.ConfigCommand', [...bootstrap, ...entity, ...args])
    const change = 'retention.ms=3600000,cleanup.policy=[compact,delete]'
    expect(await configs('--alter', '--add-config', change)).toContain(`Completed updating config for topic ${topic}.`)
    expect(await configs('--alter', '--delete-config', 'cleanup.policy')).toContain('Completed updating')
    const told = await configs('--describe')
    expect(told).toContain('retention.ms=3600000')
    expect(told).not.toContain('cleanup.policy')
    const records = makeRecords(10, 1, 'delete', { textOnly: true })
    await kafkajs.produce(broker.bootstrap(), [{ topic, compression: 'none', idempotent: false, records }])
    const folder = mkdtempSync(join(tmpdir(), 'chronik-java-'))
    const order = join(folder, 'order.json')
    writeFileSync(order, JSON.stringify({ version: 1, partitions: [{ topic, partition: 0, offset: 4 }] }))
    const deleted = await javaOrThrow('DeleteRecordsCommand', [...bootstrap, '--offset-json-file', order])
    rmSync(folder, { recursive: true, force: true })
    expect(deleted).toMatch(new RegExp(`partition: ${topic}-0\\s+low_watermark: 4`))
    const earliest = await javaOrThrow('GetOffsetShell', [...bootstrap, '--topic', topic, '--time', 'earliest'])
    expect(earliest.trim()).toBe(`${topic}:0:4`)
    const rest = await consoleConsume(broker.bootstrap(), topic, 6, freshName('rest'))
    expect(digestsByPartition(rest)).toEqual(digestsByPartition(records.slice(4)))
  })

  it('kafka-producer-perf-test has every record acknowledged and stored', { timeout: slowMs }, async () => {
    const topic = await broker.createTopic(2, 'perf')
    const load = ['--topic', topic, '--num-records', '20000', '--record-size', '200', '--throughput', '-1']
    const settings = ['--command-property', 'acks=all', 'compression.type=lz4', 'linger.ms=5']
    const told = await javaOrThrow('ProducerPerformance', ['--bootstrap-server', broker.bootstrap(), ...load, ...settings])
    expect(told).toContain('20000 records sent')
    const offsets = await javaOrThrow('GetOffsetShell', ['--bootstrap-server', broker.bootstrap(), '--topic', topic])
    const ends = [...offsets.matchAll(new RegExp(`^${topic}:\\d+:(\\d+)$`, 'gm'))].map(([, end]) => Number(end))
    expect(ends).toHaveLength(2)
    expect(ends.reduce((sum, end) => sum + end, 0)).toBe(20_000)
  })
})
