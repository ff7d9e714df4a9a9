/** Owns making a topic and waiting until every partition of it has a leader, through kafkajs. */
import { Kafka, logLevel } from 'kafkajs'
import { waitUntil } from '../../../localstack/index.ts'

export async function createTopic(bootstrap: string, topic: string, partitions: number): Promise<void> {
  const admin = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    // kafkajs's own waiting throws when it asks a moment before the topic is known.
    await admin.createTopics({ topics: [{ topic, numPartitions: partitions, replicationFactor: 1 }], waitForLeaders: false })
    await waitUntil(
      async () => {
        const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
        const known = topics.find(({ name }) => name === topic)?.partitions ?? []
        return known.length === partitions && known.every(({ leader }) => leader >= 0)
      },
      { until: `${topic} to have its leaders`, timeoutMs: 20_000, everyMs: 20 },
    )
  } finally {
    await admin.disconnect()
  }
}
