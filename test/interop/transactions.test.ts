/**
 * Transactions by other clients than those of the bank (test/chaos/bank.ts, librdkafka): Apache Kafka's own, which raises its epoch at every
 * end (KIP-890), kafkajs, which adds its partitions itself, and the tools for transactions that hang.
 */
import { Kafka, logLevel, type Producer } from 'kafkajs'
import { expect, it } from 'vitest'
import { javaTool } from '../support/tools/kafka.ts'
import { describeInterop } from './broker-under-test.ts'
import { javaOrThrow } from './clients/java.ts'

const slowMs = 120_000

describeInterop(['kafka'], 'Transactions of', (broker) => {
  const kafkajs = async (transactionalId: string): Promise<Producer> => {
    const kafka = new Kafka({ clientId: 'transactions', brokers: [broker.bootstrap()], logLevel: logLevel.NOTHING })
    const producer = kafka.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    return producer
  }

  /**
   * What Apache Kafka's consumer prints of each partition, to the end of what it may see: it ends when it has seen nothing for five seconds. It may be as
   * long in starting when the machine is busy, so it starts again until there are at least so many.
   */
  const printed = async (
    topic: string,
    partitions: number,
    isolation: 'read_committed' | 'read_uncommitted',
    least: number,
  ): Promise<string[]> => {
    for (;;) {
      const lines = await printedOnce(topic, partitions, isolation)
      if (lines.length >= least) return lines
    }
  }

  const printedOnce = async (topic: string, partitions: number, isolation: string): Promise<string[]> => {
    const reads = Array.from({ length: partitions }, (_, partition) =>
      javaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [
        ...['--bootstrap-server', broker.bootstrap(), '--topic', topic, '--partition', String(partition), '--offset', 'earliest'],
        ...['--timeout-ms', '5000', '--command-property', `isolation.level=${isolation}`],
      ]),
    )
    return (await Promise.all(reads)).flatMap(({ stdout }) => stdout.split('\n').filter((line) => line !== '')).sort()
  }

  /** The fields of the tool's one row below its heading. */
  const row = (told: string): string[] =>
    told
      .split('\n')[1]
      ?.split('\t')
      .map((field) => field.trim())
      .filter((field) => field !== '') ?? []

  const transactions = (...args: string[]): Promise<string> =>
    javaOrThrow('TransactionsCommand', ['--bootstrap-server', broker.bootstrap(), ...args])

  it(
    'kafkajs: what was committed is seen, what was aborted is not, and nothing behind what is open',
    { timeout: slowMs },
    async () => {
      const topic = await broker.createTopic(2, 'transactions')
      const one = await kafkajs(`${topic}-1`)
      const two = await kafkajs(`${topic}-2`)
      const send = async (producer: Producer, value: string, end: 'commit' | 'abort'): Promise<void> => {
        const transaction = await producer.transaction()
        for (const partition of [0, 1])
          await transaction.send({ topic, messages: [{ value: `${value}-${partition}`, partition }] })
        await transaction[end]()
      }
      await send(one, 'kept', 'commit')
      await send(two, 'dropped', 'abort')
      await send(two, 'kept-too', 'commit')
      const open = await one.transaction()
      await open.send({ topic, messages: [{ value: 'open', partition: 0 }] })
      await send(two, 'behind', 'commit')
      const kept = ['behind-1', 'kept-0', 'kept-1', 'kept-too-0', 'kept-too-1']
      const [committed, all] = await Promise.all([
        printed(topic, 2, 'read_committed', 5),
        printed(topic, 2, 'read_uncommitted', 9),
      ])
      expect(committed).toEqual(kept)
      expect(all).toEqual([...kept, 'behind-0', 'dropped-0', 'dropped-1', 'open'].sort())
      await open.commit()
      expect(await printed(topic, 2, 'read_committed', 7)).toEqual([...kept, 'behind-0', 'open'].sort())
      await Promise.all([one.disconnect(), two.disconnect()])
    },
  )

  it('kafkajs: offsets go with the transaction, or not at all', { timeout: slowMs }, async () => {
    const topic = await broker.createTopic(1, 'transactions')
    const producer = await kafkajs(topic)
    const kafka = new Kafka({ clientId: 'offsets', brokers: [broker.bootstrap()], logLevel: logLevel.NOTHING })
    const admin = kafka.admin()
    await admin.connect()
    const committed = async (): Promise<string> =>
      (await admin.fetchOffsets({ groupId: topic, topics: [topic] }))[0]!.partitions[0]!.offset
    for (const [offset, end, expected] of [
      ['3', 'commit', '3'],
      ['5', 'abort', '3'],
      ['7', 'commit', '7'],
    ] as const) {
      const transaction = await producer.transaction()
      await transaction.send({ topic, messages: [{ value: offset }] })
      await transaction.sendOffsets({ consumerGroupId: topic, topics: [{ topic, partitions: [{ partition: 0, offset }] }] })
      await transaction[end]()
      await expect.poll(committed, { timeout: 10_000 }).toBe(expected)
    }
    await Promise.all([producer.disconnect(), admin.disconnect()])
  })

  it(
    'Apache Kafka: every end raises the epoch, and no partition is added by a request of its own',
    { timeout: slowMs },
    async () => {
      const topic = await broker.createTopic(3, 'transactions')
      await javaOrThrow('ProducerPerformance', [
        ...['--bootstrap-server', broker.bootstrap(), '--topic', topic, '--num-records', '20000', '--record-size', '100'],
        ...['--throughput', '20000', '--transaction-duration-ms', '50', '--transactional-id', topic],
      ])
      expect(await printed(topic, 3, 'read_committed', 20_000)).toHaveLength(20_000)
      const described = await transactions('describe', '--transactional-id', topic)
      const [, , , epoch, state] = described
        .split('\n')[1]!
        .split('\t')
        .map((field) => field.trim())
      expect(state).toBe('CompleteCommit')
      expect(Number(epoch)).toBeGreaterThan(5)
      expect(await transactions('list')).toContain(topic)
      expect(await transactions('list', '--transactional-id-pattern', `${topic}|nobody`)).toContain(topic)
      expect(await transactions('list', '--transactional-id-pattern', 'nobody.*')).not.toContain(topic)
    },
  )

  it('a producer that is gone can be found and aborted by hand', { timeout: slowMs }, async () => {
    const topic = await broker.createTopic(1, 'transactions')
    const producer = await kafkajs(topic)
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [{ value: 'hanging' }] })
    const found = await transactions('describe-producers', '--topic', topic, '--partition', '0')
    expect(row(found).at(-1)).toBe('0')
    await transactions('abort', '--topic', topic, '--partition', '0', '--start-offset', '0')
    const after = await transactions('describe-producers', '--topic', topic, '--partition', '0')
    expect(row(after).at(-1)).toBe('None')
    await transaction.abort()
    await producer.disconnect()
  })
})
