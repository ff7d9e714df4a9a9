/** Owns driving @platformatic/kafka. */
import { Consumer, type Message, MessagesStreamModes, Producer } from '@platformatic/kafka'
import { waitUntil } from '../../../localstack/index.ts'
import { freshName } from '../broker-under-test.ts'
import type { Client, Member } from '../client.ts'
import type { SeenRecord } from '../records.ts'

/** An absent key or value arrives as undefined or null, whatever the types say. */
interface Loose {
  readonly key?: Buffer | null
  readonly value?: Buffer | null
}

function seenOf(message: Message): SeenRecord {
  const { key = null, value = null } = message as Loose
  return {
    partition: message.partition,
    offset: Number(message.offset),
    key,
    value,
    headers: [...message.headers].map(([name, bytes]) => [name.toString(), bytes] as const),
  }
}

async function join(bootstrap: string, topic: string, group: string): Promise<Member> {
  const consumer = new Consumer({
    clientId: 'interop',
    bootstrapBrokers: [bootstrap],
    groupId: group,
    sessionTimeout: 6_000,
    rebalanceTimeout: 6_000,
    heartbeatInterval: 300,
    maxWaitTime: 200,
    autocommit: false,
  })
  const seen: SeenRecord[] = []
  let assigned: readonly number[] = []
  consumer.on('consumer:group:join', ({ assignments = [] }) => {
    assigned = assignments.find((assignment) => assignment.topic === topic)?.partitions ?? []
  })
  const stream = await consumer.consume({ topics: [topic], mode: MessagesStreamModes.COMMITTED, fallbackMode: 'earliest' })
  const pump = (async () => {
    for await (const message of stream) {
      await message.commit()
      seen.push(seenOf(message))
    }
  })()
  let left: Promise<void> | undefined
  return {
    assigned: () => assigned,
    seen: () => seen,
    leave: () => {
      left ??= (async () => {
        await stream.close()
        await pump
        await consumer.close()
      })()
      return left
    },
  }
}

export const platformatic: Client = {
  name: '@platformatic/kafka',
  // Its zstd is Node's own, which Node 20 has not.
  compressions: ['none', 'gzip', 'snappy', 'lz4'],
  traits: {},
  canBeIdempotent: true,
  produce: async (bootstrap, orders) => {
    for (const { topic, compression, idempotent, records } of orders) {
      const producer = new Producer({ clientId: 'interop', bootstrapBrokers: [bootstrap] })
      const messages = records.map(({ partition, key, value, headers }) => ({
        topic,
        partition,
        ...(key === null ? {} : { key }),
        ...(value === null ? {} : { value }),
        headers: new Map(headers.map(([name, bytes]) => [Buffer.from(name), bytes])),
      }))
      for (const part of [messages.slice(0, 7), messages.slice(7)]) {
        if (part.length > 0) await producer.send({ messages: part, acks: -1, compression, idempotent })
      }
      await producer.close()
    }
  },
  consume: async (bootstrap, topic, count) => {
    const member = await join(bootstrap, topic, freshName('reader'))
    try {
      await waitUntil(() => member.seen().length >= count, { until: `the client to read ${count} records`, timeoutMs: 30_000 })
    } finally {
      await member.leave()
    }
    return member.seen()
  },
  join,
}
