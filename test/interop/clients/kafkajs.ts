/** Owns driving kafkajs. */
import { CompressionTypes, type IHeaders, Kafka, type KafkaMessage, logLevel, Partitioners } from 'kafkajs'
import { waitUntil } from '../../../localstack/index.ts'
import { freshName } from '../broker-under-test.ts'
import type { Client, Compression, Member } from '../client.ts'
import type { SeenRecord } from '../records.ts'

const types: Partial<Record<Compression, CompressionTypes>> = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP }

const connect = (bootstrap: string): Kafka => new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING, clientId: 'interop' })

const bytes = (value: Buffer | string): Buffer => (typeof value === 'string' ? Buffer.from(value) : value)

const headersOf = (headers: IHeaders = {}): [string, Buffer][] =>
  Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, bytes(value as Buffer)]]))

const seenOf = (partition: number, message: KafkaMessage): SeenRecord => ({
  partition,
  offset: Number(message.offset),
  key: message.key,
  value: message.value,
  headers: headersOf(message.headers),
})

async function join(bootstrap: string, topic: string, group: string): Promise<Member> {
  // 6 s is the least session timeout a default Kafka accepts; the heartbeat is how a member learns of a rebalance.
  const consumer = connect(bootstrap).consumer({
    groupId: group,
    sessionTimeout: 6_000,
    heartbeatInterval: 300,
    maxWaitTimeInMs: 200,
  })
  const seen: SeenRecord[] = []
  let assigned: readonly number[] = []
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => void (assigned = payload.memberAssignment[topic] ?? []))
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({
    eachMessage: ({ partition, message }) => {
      seen.push(seenOf(partition, message))
      return Promise.resolve()
    },
  })
  return {
    assigned: () => assigned,
    seen: () => seen,
    leave: async () => {
      await consumer.stop()
      await consumer.disconnect()
    },
  }
}

export const kafkajs: Client = {
  name: 'kafkajs',
  compressions: ['none', 'gzip'],
  traits: {},
  canBeIdempotent: true,
  produce: async (bootstrap, orders) => {
    for (const { topic, compression, idempotent, records } of orders) {
      const producer = connect(bootstrap).producer({
        idempotent,
        createPartitioner: Partitioners.DefaultPartitioner,
        ...(idempotent ? { maxInFlightRequests: 1 } : {}),
      })
      await producer.connect()
      const messages = records.map(({ partition, key, value, headers }) => ({
        partition,
        key,
        value,
        headers: Object.fromEntries(headers),
      }))
      // Three requests, so that an idempotent producer has sequences to count.
      for (const part of [messages.slice(0, 7), messages.slice(7, 30), messages.slice(30)]) {
        if (part.length > 0) await producer.send({ topic, acks: -1, compression: types[compression] ?? 0, messages: part })
      }
      await producer.disconnect()
    }
  },
  consume: async (bootstrap, topic, count) => {
    // kafkajs knows no reading without a group.
    const member = await join(bootstrap, topic, freshName('reader'))
    try {
      await waitUntil(() => member.seen().length >= count, { until: `kafkajs to read ${count} records`, timeoutMs: 30_000 })
    } finally {
      await member.leave()
    }
    return member.seen()
  },
  join,
}
