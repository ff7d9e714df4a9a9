/** Owns driving @platformatic/kafka for the drill. */
import { Producer } from '@platformatic/kafka'
import type { ProducingClient } from './client.ts'

export const platformatic: ProducingClient = {
  produce: async (bootstrap, _, batches) => {
    const producer = new Producer({ clientId: 'drill', bootstrapBrokers: [bootstrap], timeout: 60_000 })
    try {
      for (const { load, records } of batches) {
        const messages = records.map(({ partition, timestampMs, key, value, headers }) => ({
          topic: load.topic,
          partition,
          timestamp: BigInt(timestampMs),
          ...(key === null ? {} : { key }),
          ...(value === null ? {} : { value }),
          headers: new Map(headers.map(([name, bytes]) => [Buffer.from(name), bytes])),
        }))
        await producer.send({ messages, acks: -1, compression: load.codec })
      }
    } finally {
      await producer.close()
    }
  },
}
