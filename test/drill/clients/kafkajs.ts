/** Owns driving kafkajs for the drill. */
import { CompressionTypes, Kafka, logLevel, Partitioners, type Producer } from 'kafkajs'
import { waitUntil } from '../../../localstack/index.ts'
import type { Codec } from '../data/topic-set.ts'
import type { ConsumingClient, ProducingClient } from './client.ts'

const types: Partial<Record<Codec, CompressionTypes>> = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP }

const connect = (bootstrap: string): Kafka =>
  new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING, clientId: 'drill', requestTimeout: 60_000 })

export const kafkajs: ProducingClient & ConsumingClient = {
  produce: async (bootstrap, _, batches) => {
    const producer: Producer = connect(bootstrap).producer({ createPartitioner: Partitioners.DefaultPartitioner })
    await producer.connect()
    try {
      for (const { load, records } of batches) {
        const messages = records.map(({ partition, timestampMs, key, value, headers }) => ({
          partition,
          timestamp: String(timestampMs),
          key,
          value,
          headers: Object.fromEntries(headers),
        }))
        await producer.send({ topic: load.topic, acks: -1, compression: types[load.codec] ?? CompressionTypes.None, messages })
      }
    } finally {
      await producer.disconnect()
    }
  },
  consume: async ({ bootstrap, group, topics, count, note, timeoutMs }) => {
    const consumer = connect(bootstrap).consumer({ groupId: group, maxWaitTimeInMs: 100, sessionTimeout: 30_000 })
    const first = new Map<string, number>()
    const last = new Map<string, number>()
    let seen = 0
    await consumer.connect()
    try {
      await consumer.subscribe({ topics: [...topics], fromBeginning: true })
      await consumer.run({
        autoCommit: false,
        eachBatch: ({ batch, resolveOffset }) => {
          const where = `${batch.topic}-${batch.partition}`
          for (const message of batch.messages) {
            // What arrives beyond the order is left to the member that comes after.
            if (seen >= count) break
            const offset = Number(message.offset)
            if (!first.has(where)) first.set(where, offset)
            last.set(where, offset)
            resolveOffset(message.offset)
            seen += 1
          }
          return Promise.resolve()
        },
      })
      await waitUntil(() => seen >= count, { until: `kafkajs to read ${count} records`, timeoutMs, everyMs: 20 })
      // While it is still a member: one that has stopped has no group to commit to.
      await consumer.commitOffsets(
        [...last].map(([where, offset]) => {
          const at = where.lastIndexOf('-')
          const partition = Number(where.slice(at + 1))
          return { topic: where.slice(0, at), partition, offset: String(offset + 1), metadata: note }
        }),
      )
    } finally {
      await consumer.disconnect()
    }
    return { seen, first: Object.fromEntries(first), last: Object.fromEntries(last) }
  },
}
