/** The consumer group protocol (KIP-848) with the clients that speak it: Apache Kafka's own, and librdkafka. */
import { expect, it } from 'vitest'
import { waitUntil } from '../../localstack/index.ts'
import { startBroker } from '../support/tools/broker.ts'
import { createTopic } from '../support/tools/topic.ts'
import { describeWithTools } from '../support/tools/tools.ts'
import { type BrokerUnderTest, describeInterop, freshName } from './broker-under-test.ts'
import type { Member } from './client.ts'
import { consoleConsume, javaOrThrow, verifiableMember } from './clients/java.ts'
import { kafkajs } from './clients/kafkajs.ts'
import { confluentKafkaConsumer } from './clients/python.ts'
import { digestsByPartition, makeRecords, type SentRecord } from './records.ts'
import { storyOfAGroup } from './scenarios.ts'

const slowMs = 120_000
const often = ['--groups-consumer-heartbeat-interval-ms', '500']

async function produce(broker: BrokerUnderTest, topic: string, round: string): Promise<SentRecord[]> {
  const records = makeRecords(20, 4, round, { textOnly: true, withoutHeaders: true })
  await kafkajs.produce(broker.bootstrap(), [{ topic, compression: 'none', idempotent: true, records }])
  return records
}

function until(members: readonly Member[], counts: readonly number[], what: string): Promise<void> {
  const shares = (): boolean => {
    const held = members.map((member) => member.assigned())
    const all = held.flat()
    return new Set(all).size === all.length && held.every(({ length }, at) => length === counts[at])
  }
  return waitUntil(shares, { until: what, timeoutMs: 60_000 })
}

function valuesSeen(members: readonly Member[]): Set<string | undefined> {
  return new Set(members.flatMap((member) => member.seen().map(({ value }) => value?.toString())))
}

function untilRead(members: readonly Member[], count: number, what: string): Promise<void> {
  return waitUntil(() => valuesSeen(members).size === count, { until: what, timeoutMs: 40_000 })
}

describeInterop(
  ['python'],
  'the consumer protocol with librdkafka',
  (broker) => {
    storyOfAGroup(confluentKafkaConsumer, broker)

    it('a subscription by expression takes in topics that come later', { timeout: slowMs }, async () => {
      const prefix = freshName('pattern')
      const first = await broker.createTopic(2, `${prefix}-a`)
      const { join } = confluentKafkaConsumer
      if (join === undefined) throw new Error('librdkafka has groups')
      const member = await join(broker.bootstrap(), `^${prefix}-.*`, freshName('group'))
      try {
        await waitUntil(() => member.assigned().length === 2, { until: 'the first topic to be assigned', timeoutMs: 30_000 })
        const second = await broker.createTopic(4, `${prefix}-b`)
        // Numbers of partitions are told, not topics: of two and of four there are four different ones.
        await waitUntil(() => member.assigned().length === 4, { until: 'the second topic to be assigned', timeoutMs: 30_000 })
        await produce(broker, second, 'later')
        await untilRead([member], 20, 'the second topic to be read')
        expect(first).not.toBe(second)
      } finally {
        await member.leave()
      }
    })
  },
  often,
)

describeInterop(
  ['kafka'],
  'the consumer protocol with Apache Kafka’s client',
  (broker) => {
    const groups = (...args: string[]): Promise<string> =>
      javaOrThrow('consumer.group.ConsumerGroupCommand', ['--bootstrap-server', broker.bootstrap(), ...args])

    it('kafka-console-consumer resumes where its group committed', { timeout: slowMs }, async () => {
      const topic = await broker.createTopic(1, 'resume')
      const group = freshName('console')
      const records = makeRecords(30, 1, 'resume', { textOnly: true })
      await kafkajs.produce(broker.bootstrap(), [{ topic, compression: 'none', idempotent: false, records }])
      const consumer = { 'group.protocol': 'consumer' }
      const first = await consoleConsume(broker.bootstrap(), topic, 12, group, consumer)
      const row = (await groups('--describe', '--group', group)).split('\n').find((line) => line.includes(topic))
      // GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG …
      expect(row?.trim().split(/\s+/).slice(0, 6)).toEqual([group, topic, '0', '12', '30', '18'])
      expect(await groups('--list', '--type', 'consumer')).toContain(group)
      const rest = await consoleConsume(broker.bootstrap(), topic, 18, group, consumer)
      expect(digestsByPartition([...first, ...rest])).toEqual(digestsByPartition(records))
      await groups('--delete', '--group', group)
      expect((await groups('--list')).split('\n')).not.toContain(group)
    })

    it('two members share a topic, are described, and one takes over what the other leaves', { timeout: slowMs }, async () => {
      const topic = await broker.createTopic(4, 'share')
      const group = freshName('share')
      const order = { bootstrap: broker.bootstrap(), topic, group, protocol: 'consumer' } as const
      await produce(broker, topic, 'first')
      const members = [verifiableMember(order), verifiableMember(order)]
      try {
        await until(members, [2, 2], 'two members to share 4 partitions')
        await produce(broker, topic, 'second')
        await untilRead(members, 40, 'both rounds to be read')
        const told = await groups('--describe', '--members', '--verbose', '--group', group)
        const rows = told.split('\n').filter((line) => line.startsWith(group))
        expect(rows).toHaveLength(2)
        expect(told).toContain('CURRENT-EPOCH')
        // GROUP COORDINATOR (ID) ASSIGNMENT-STRATEGY STATE …
        expect(await groups('--describe', '--state', '--group', group)).toMatch(/uniform\s+Stable/)
        await members[1]!.leave()
        await until(members.slice(0, 1), [4], 'one member to have all partitions')
        await produce(broker, topic, 'third')
        await untilRead(members, 60, 'the third round to be read')
      } finally {
        await Promise.allSettled(members.map((member) => member.leave()))
      }
    })

    it('a group goes from the classic to the consumer protocol and back, member by member', { timeout: slowMs }, async () => {
      const topic = await broker.createTopic(4, 'migrate')
      const group = freshName('migrate')
      const order = { bootstrap: broker.bootstrap(), topic, group }
      await produce(broker, topic, 'first')
      const classic = verifiableMember(order)
      const members = [classic]
      try {
        await until([classic], [4], 'the classic member to have all partitions')
        await untilRead(members, 20, 'the first round to be read')
        const modern = verifiableMember({ ...order, protocol: 'consumer' })
        members.push(modern)
        await until(members, [2, 2], 'both protocols to share 4 partitions')
        expect(await groups('--list', '--type', 'consumer')).toContain(group)
        await produce(broker, topic, 'second')
        await untilRead(members, 40, 'the second round to be read')
        await modern.leave()
        await until([classic], [4], 'the classic member to have all partitions again')
        expect(await groups('--list', '--type', 'classic')).toContain(group)
        await produce(broker, topic, 'third')
        await untilRead(members, 60, 'the third round to be read')
      } finally {
        await Promise.allSettled(members.map((member) => member.leave()))
      }
    })

    it('a static member comes back to its partitions, and the other is left alone meanwhile', { timeout: slowMs }, async () => {
      const topic = await broker.createTopic(4, 'static')
      const group = freshName('static')
      const order = { bootstrap: broker.bootstrap(), topic, group, protocol: 'consumer' } as const
      const other = verifiableMember({ ...order, instanceId: 'other' })
      const members = [verifiableMember({ ...order, instanceId: 'restarted' }), other]
      try {
        await until(members, [2, 2], 'two static members to share 4 partitions')
        const [mine, theirs] = members.map((member) => [...member.assigned()].sort())
        await members[0]!.leave()
        members[0] = verifiableMember({ ...order, instanceId: 'restarted' })
        await until(members, [2, 2], 'the static member to be back')
        expect(members.map((member) => [...member.assigned()].sort())).toEqual([mine, theirs])
      } finally {
        await Promise.allSettled(members.map((member) => member.leave()))
      }
    })

    it('new partitions of a topic reach its readers', { timeout: slowMs }, async () => {
      const topic = await broker.createTopic(1, 'grow')
      const member = verifiableMember({ bootstrap: broker.bootstrap(), topic, group: freshName('grow'), protocol: 'consumer' })
      try {
        await until([member], [1], 'the first partition to be assigned')
        await javaOrThrow('TopicCommand', [
          '--bootstrap-server',
          broker.bootstrap(),
          '--alter',
          '--topic',
          topic,
          '--partitions',
          '3',
        ])
        await until([member], [3], 'the new partitions to be assigned')
      } finally {
        await member.leave()
      }
    })
  },
  often,
)

describeWithTools(['python'], 'a group of the consumer protocol', () => {
  it('goes on where it was when the broker was killed and came back on an empty disk', { timeout: slowMs }, async () => {
    const broker = await startBroker({ extra: often })
    const { bootstrap } = broker
    const { join } = confluentKafkaConsumer
    if (join === undefined) throw new Error('librdkafka has groups')
    try {
      await createTopic(bootstrap, 'survives', 4)
      const write = async (round: string): Promise<void> => {
        const records = makeRecords(20, 4, round, { textOnly: true, withoutHeaders: true })
        await kafkajs.produce(bootstrap, [{ topic: 'survives', compression: 'none', idempotent: true, records }])
      }
      await write('before')
      const members = [await join(bootstrap, 'survives', 'g'), await join(bootstrap, 'survives', 'g')]
      try {
        await until(members, [2, 2], 'two members to share 4 partitions')
        await untilRead(members, 20, 'the first round to be read')
        const held = members.map((member) => [...member.assigned()].sort())
        // What is in the bucket a second later is what an empty disk comes back to.
        await new Promise((resolve) => setTimeout(resolve, 2_500))
        await broker.kill9()
        broker.wipeDisk()
        await broker.restart()
        await write('after')
        await untilRead(members, 40, 'the second round to be read')
        expect(members.map((member) => [...member.assigned()].sort())).toEqual(held)
      } finally {
        await Promise.allSettled(members.map((member) => member.leave()))
      }
    } finally {
      await broker.stop()
    }
  })
})
