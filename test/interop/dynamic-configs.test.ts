/** Configs set while the broker runs (KIP-226, KIP-848) with Kafka's own tools and clients: what they do, and that they stay. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { waitUntil } from '../../localstack/index.ts'
import { type Broker, startBroker } from '../support/tools/broker.ts'
import { javaTool } from '../support/tools/kafka.ts'
import { createTopic } from '../support/tools/topic.ts'
import { describeWithTools } from '../support/tools/tools.ts'
import { verifiableMember } from './clients/java.ts'
import { kafkajs } from './clients/kafkajs.ts'
import { makeRecords } from './records.ts'

const slowMs = 180_000

describeWithTools(['kafka'], 'configs set while the broker runs', () => {
  let broker: Broker

  beforeAll(async () => {
    const extra = ['--groups-consumer-heartbeat-interval-ms', '500', '--groups-consumer-session-timeout-min-ms', '1s']
    broker = await startBroker({ extra })
  }, slowMs)
  afterAll(() => broker.stop(), slowMs)

  async function configs(...args: readonly string[]): Promise<string> {
    const told = await javaTool('kafka.admin.ConfigCommand', ['--bootstrap-server', broker.bootstrap, ...args])
    expect(told.code, `${told.stdout}${told.stderr}`).toBe(0)
    return told.stdout
  }

  const heartbeats = async (): Promise<number> => {
    const metrics = await (await fetch(`http://127.0.0.1:${broker.httpPort}/metrics`)).text()
    const count = /chronik_kafka_requests_total\{[^}]*api="ConsumerGroupHeartbeat"[^}]*\} (\d+)/.exec(metrics)?.[1]
    if (count === undefined) throw new Error('heartbeats are counted')
    return Number(count)
  }

  it('a lower message.max.bytes refuses the next large record, and its removal takes it again', { timeout: slowMs }, async () => {
    await createTopic(broker.bootstrap, 'limited', 1)
    const produce = async (): Promise<void> => {
      const records = makeRecords(30, 1, 'x'.repeat(500), { textOnly: true, withoutHeaders: true })
      await kafkajs.produce(broker.bootstrap, [{ topic: 'limited', compression: 'none', idempotent: false, records }])
    }
    await produce()
    await configs('--entity-type', 'brokers', '--entity-default', '--alter', '--add-config', 'message.max.bytes=300')
    await expect(produce()).rejects.toThrow()
    await configs('--entity-type', 'brokers', '--entity-default', '--alter', '--delete-config', 'message.max.bytes')
    await produce()
  })

  it('a group’s own session time-out decides when its dead member is given up', { timeout: slowMs }, async () => {
    await createTopic(broker.bootstrap, 'sessions', 4)
    const order = { bootstrap: broker.bootstrap, topic: 'sessions', group: 'quick', protocol: 'consumer' } as const
    const [stays, dies] = [verifiableMember(order), verifiableMember(order)]
    try {
      const held = (): number[] => [stays.assigned().length, dies.assigned().length]
      await waitUntil(() => held().every((count) => count === 2), {
        until: 'two members to share 4 partitions',
        timeoutMs: 60_000,
      })
      // While both live: their next heartbeats begin sessions of the new length.
      await configs(
        '--entity-type',
        'groups',
        '--entity-name',
        'quick',
        '--alter',
        '--add-config',
        'consumer.session.timeout.ms=3000',
      )
      const before = await heartbeats()
      // Of each of the two: neither sends six while the other sends none.
      await waitUntil(async () => (await heartbeats()) >= before + 6, { until: 'heartbeats after the change', timeoutMs: 30_000 })
      const killedAt = Date.now()
      await dies.die?.()
      await waitUntil(() => stays.assigned().length === 4, { until: 'the other to have all partitions', timeoutMs: 60_000 })
      // The broker's own is 45 s.
      expect(Date.now() - killedAt).toBeLessThan(30_000)
    } finally {
      await Promise.allSettled([stays.leave(), dies.leave()])
    }
  })

  it('all of them come back on an empty disk, but for the levels of loggers', { timeout: slowMs }, async () => {
    const one = ['--entity-type', 'brokers', '--entity-name', '1']
    const all = ['--entity-type', 'brokers', '--entity-default']
    const group = ['--entity-type', 'groups', '--entity-name', 'kept']
    const metrics = ['--entity-type', 'client-metrics', '--entity-name', 'kept']
    const loggers = ['--entity-type', 'broker-loggers', '--entity-name', '1']
    await configs(...one, '--alter', '--add-config', 'log.retention.ms=3600000')
    await configs(...all, '--alter', '--add-config', 'max.connections=777')
    await configs(...group, '--alter', '--add-config', 'consumer.session.timeout.ms=50000')
    await configs(...metrics, '--alter', '--add-config', 'interval.ms=1000')
    await configs(...loggers, '--alter', '--add-config', 'groups=DEBUG')
    expect(await configs(...loggers, '--describe', '--all')).toContain('groups=DEBUG')
    const told = () => Promise.all([one, all, group, metrics].map((entity) => configs(...entity, '--describe')))
    const before = await told()
    expect(before.map((text) => text.includes('='))).toEqual([true, true, true, true])
    await broker.kill9()
    broker.wipeDisk()
    await broker.restart()
    expect(await told()).toEqual(before)
    expect(await configs(...loggers, '--describe', '--all')).toContain('groups=INFO')
  })
})
