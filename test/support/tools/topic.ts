/**
 * Owns making a topic and waiting until its broker serves every partition of it, through kafkajs. A leader in the metadata is not
 * enough: a broker may name itself before it hosts the partition, and a producer without idempotence that meets this sends records
 * it has already stored once more.
 */
import { Kafka, logLevel } from 'kafkajs'
import { waitUntil } from '../../../localstack/index.ts'

export async function createTopic(
  bootstrap: string,
  topic: string,
  partitions: number,
  configs: Readonly<Record<string, string>> = {},
): Promise<void> {
  const admin = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    // kafkajs's own waiting throws when it asks a moment before the topic is known.
    const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
    await admin.createTopics({
      topics: [{ topic, numPartitions: partitions, replicationFactor: 1, configEntries }],
      waitForLeaders: false,
    })
    await waitUntil(
      async () => {
        const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
        const known = topics.find(({ name }) => name === topic)?.partitions ?? []
        if (known.length !== partitions || known.some(({ leader }) => leader < 0)) return false
        return (await admin.fetchTopicOffsets(topic)).length === partitions
      },
      { until: `${topic} to be served`, timeoutMs: 20_000, everyMs: 20 },
    )
  } finally {
    await admin.disconnect()
  }
}
