// Owns the front with real groups behind it: kafkajs administers, produces and consumes; a stop does not wait for members.

import { Kafka, logLevel } from 'kafkajs'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { GroupCoordinator } from '../../../src/groups/index.ts'
import { joinGroupRequest, joinGroupRequestProtocol } from '../../../src/protocol/generated/join-group.ts'
import { ErrorCode } from '../../../src/protocol/index.ts'
import { MemoryBroker } from './support/memory-broker.ts'
import { memoryGroups } from './support/memory-groups.ts'
import { later } from './support/requests.ts'
import { type RunningFront, startFront } from './support/running-front.ts'

let running: RunningFront
let groups: GroupCoordinator
let kafka: Kafka

beforeEach(async () => {
  const broker = new MemoryBroker()
  groups = memoryGroups(broker)
  running = await startFront({ broker, groups })
  kafka = new Kafka({
    clientId: 'smoke',
    brokers: [`127.0.0.1:${running.port}`],
    logLevel: logLevel.NOTHING,
    retry: { retries: 2 },
  })
})
afterEach(async () => {
  await Promise.all([groups.close(), running.stop()])
})

it('kafkajs creates a topic, produces to it, consumes it in a group and finds its offsets', async () => {
  const admin = kafka.admin()
  await admin.connect()
  expect(await admin.createTopics({ topics: [{ topic: 'smoke', numPartitions: 3 }], waitForLeaders: true })).toBe(true)
  expect(await admin.listTopics()).toEqual(['smoke'])
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  const sent = Array.from({ length: 60 }, (_, index) => ({ key: `k${index}`, value: `value ${index}` }))
  for (let at = 0; at < sent.length; at += 10)
    await producer.send({ topic: 'smoke', acks: -1, messages: sent.slice(at, at + 10) })
  const offsets = await admin.fetchTopicOffsets('smoke')
  expect(offsets.reduce((sum, { high }) => sum + Number(high), 0)).toBe(60)

  const seen: string[] = []
  const consumer = kafka.consumer({ groupId: 'readers', maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topics: ['smoke'], fromBeginning: true })
  await new Promise<void>((resolve, reject) => {
    consumer.on('consumer.crash', ({ payload }) => {
      reject(payload.error)
    })
    void consumer.run({
      eachMessage: ({ message }) => {
        seen.push(String(message.value))
        if (seen.length === 60) resolve()
        return Promise.resolve()
      },
    })
  })
  expect([...seen].sort()).toEqual(sent.map(({ value }) => value).sort())
  await consumer.stop()
  await consumer.disconnect()
  const committed = await admin.fetchOffsets({ groupId: 'readers', topics: ['smoke'] })
  expect(committed[0]!.partitions.reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0)).toBe(60)
  expect((await admin.listGroups()).groups).toMatchObject([{ groupId: 'readers', protocolType: 'consumer' }])
  await admin.deleteGroups(['readers'])
  await admin.deleteTopics({ topics: ['smoke'] })
  expect(await admin.listTopics()).toEqual([])
  await producer.disconnect()
  await admin.disconnect()
  expect(running.log.warnings()).toEqual([])
})

it('a transactional kafkajs producer commits, and aborts', async () => {
  const producer = kafka.producer({ transactionalId: 'tx', idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  for (const end of ['commit', 'abort'] as const) {
    const transaction = await producer.transaction()
    await transaction.send({ topic: 'smoke', messages: [{ value: end }] })
    await transaction[end]()
  }
  await producer.disconnect()
  expect(running.log.warnings()).toEqual([])
})

it('a stop does not wait for members who wait for others', async () => {
  const client = await running.client()
  const protocols = [joinGroupRequestProtocol({ name: 'range' })]
  const join = { groupId: 'g', sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 60_000, protocolType: 'consumer', protocols }
  const first = await client.ask('JoinGroup', 3, joinGroupRequest(join))
  expect(first.errorCode).toBe(0)
  // The second waits until the first joins again, which it will not.
  const other = await running.client()
  other.send('JoinGroup', 3, joinGroupRequest(join))
  await later(50)
  const begunAt = performance.now()
  await running.front.close()
  expect(performance.now() - begunAt).toBeLessThan(1000)
  expect((await other.next())!.message).toMatchObject({ errorCode: ErrorCode.NOT_COORDINATOR })
})
