/** Owns the steps of kafka-configs. */
import { expect, it } from 'vitest'
import type { Differential } from './differential.ts'
import { group, slowMs, topic } from './names.ts'

const configs = 'kafka.admin.ConfigCommand'

export function configSteps(kafka: Differential): void {
  it('kafka-configs alters, describes and refuses', { timeout: slowMs }, async () => {
    const entity = ['--entity-type', 'topics', '--entity-name', topic]
    await kafka.same(configs, ...entity, '--alter', '--add-config', 'max.message.bytes=2000000,cleanup.policy=[compact,delete]')
    await kafka.same(configs, ...entity, '--alter', '--delete-config', 'cleanup.policy')
    await kafka.same(configs, ...entity, '--describe')
    expect((await kafka.same(configs, ...entity, '--alter', '--add-config', 'retention.sm=1')).code).toBe(1)
    const nowhere = ['--entity-type', 'topics', '--entity-name', 'nowhere']
    expect(
      (await kafka.both(configs, [...nowhere, '--alter', '--add-config', 'retention.ms=1'])).map(({ code }) => code),
    ).toEqual([1, 1])
  })

  it('kafka-configs sets, describes and takes away client quotas', { timeout: 3 * slowMs }, async () => {
    const alice = ['--entity-type', 'users', '--entity-name', 'alice']
    const anyone = ['--entity-type', 'users', '--entity-default']
    const app = ['--entity-type', 'clients', '--entity-name', 'app']
    const here = ['--entity-type', 'ips', '--entity-name', '127.0.0.1']
    const rates = 'producer_byte_rate=1048576,consumer_byte_rate=2097152,request_percentage=12.5'
    expect((await kafka.same(configs, ...alice, '--alter', '--add-config', rates)).code).toBe(0)
    await kafka.same(configs, ...alice, ...app, '--alter', '--add-config', 'controller_mutation_rate=7')
    await kafka.same(configs, ...anyone, '--alter', '--add-config', 'producer_byte_rate=100')
    await kafka.same(configs, ...here, '--alter', '--add-config', 'connection_creation_rate=500')
    await kafka.same(configs, ...alice, '--describe')
    await kafka.same(configs, ...alice, ...app, '--describe')
    await kafka.same(configs, '--entity-type', 'users', '--describe')
    await kafka.same(configs, '--entity-type', 'ips', '--describe')
    await kafka.same(configs, ...alice, '--alter', '--delete-config', 'request_percentage')
    await kafka.same(configs, ...alice, '--describe')
    for (const wrong of ['producer_byte_rate=0', 'consumer_byte_rate=-1', 'connection_creation_rate=5', 'producer_rate=5'])
      expect((await kafka.same(configs, ...alice, '--alter', '--add-config', wrong)).code, wrong).toBe(1)
    expect((await kafka.same(configs, ...here, '--alter', '--add-config', 'connection_creation_rate=0')).code).toBe(1)
    // The producers and connections of what follows are to be as fast as they were.
    await kafka.same(configs, ...anyone, '--alter', '--delete-config', 'producer_byte_rate')
    await kafka.same(configs, ...here, '--alter', '--delete-config', 'connection_creation_rate')
    await kafka.same(configs, '--entity-type', 'ips', '--describe')
  })

  it('kafka-configs changes brokers, one and all of them', { timeout: 2 * slowMs }, async () => {
    const one = ['--entity-type', 'brokers', '--entity-name', '1']
    const all = ['--entity-type', 'brokers', '--entity-default']
    // A new Kafka cluster sets this itself, for its replicas.
    const described = async (...args: readonly string[]): Promise<void> => {
      const [mine, theirs] = await kafka.both(configs, [...args, '--describe'])
      expect(mine).toEqual({ ...theirs, lines: theirs.lines.filter((line) => !line.startsWith('min.insync.replicas=')) })
    }
    await kafka.same(configs, ...one, '--alter', '--add-config', 'log.retention.ms=3600000,message.max.bytes=2000000')
    await kafka.same(
      configs,
      ...all,
      '--alter',
      '--add-config',
      'log.retention.ms=7200000,log.cleanup.policy=[compact,delete],max.connections=1000',
    )
    await described(...one)
    await described(...all)
    await kafka.same(configs, '--entity-type', 'topics', '--entity-name', topic, '--describe')
    for (const bad of ['num.partitions=3', 'message.max.bytes=abc', 'message.max.bytes=-5', 'ssl.keystore.location=/x'])
      expect((await kafka.same(configs, ...one, '--alter', '--add-config', bad)).code, bad).toBe(1)
    const prefixed = ['--alter', '--add-config', 'listener.name.plaintext.ssl.keystore.location=/x']
    expect((await kafka.same(configs, ...all, ...prefixed)).code).toBe(1)
    await kafka.same(configs, ...one, '--alter', '--delete-config', 'log.retention.ms,message.max.bytes')
    await kafka.same(configs, ...one, '--alter', '--delete-config', 'log.retention.ms')
    await described(...one)
    await kafka.same(configs, ...all, '--alter', '--delete-config', 'log.retention.ms,log.cleanup.policy,max.connections')
    await described(...all)
    await kafka.same(configs, '--entity-type', 'brokers', '--entity-name', '2', '--describe')
  })

  it('kafka-configs changes groups', { timeout: 2 * slowMs }, async () => {
    const entity = ['--entity-type', 'groups', '--entity-name', group]
    await kafka.same(configs, ...entity, '--describe')
    const [mine, theirs] = await kafka.both(configs, [...entity, '--describe', '--all'])
    const timed = (line: string): boolean => /^All |^consumer\.(session|heartbeat)/.test(line)
    expect(mine).toEqual({ ...theirs, lines: theirs.lines.filter(timed) })
    await kafka.same(
      configs,
      ...entity,
      '--alter',
      '--add-config',
      'consumer.session.timeout.ms=50000,consumer.heartbeat.interval.ms=6000',
    )
    await kafka.same(configs, ...entity, '--describe')
    for (const bad of [
      'consumer.session.timeout.ms=10',
      'consumer.session.timeout.ms=100000',
      'consumer.session.timeout.ms=abc',
      'consumer.heartbeat.interval.ms=100',
      'consumer.nonsense=1',
    ])
      expect((await kafka.same(configs, ...entity, '--alter', '--add-config', bad)).code, bad).toBe(1)
    await kafka.same(configs, '--entity-type', 'groups', '--describe')
    await kafka.same(
      configs,
      ...entity,
      '--alter',
      '--delete-config',
      'consumer.session.timeout.ms,consumer.heartbeat.interval.ms',
    )
    await kafka.same(configs, ...entity, '--describe')
  })

  it('kafka-configs changes subscriptions of client metrics', { timeout: 2 * slowMs }, async () => {
    const entity = ['--entity-type', 'client-metrics', '--entity-name', 'm']
    await kafka.same(configs, ...entity, '--describe')
    await kafka.same(
      configs,
      ...entity,
      '--alter',
      '--add-config',
      'interval.ms=1000,metrics=[org.a.,org.b],match=[client_id=a.*]',
    )
    await kafka.same(configs, ...entity, '--describe')
    await kafka.same(configs, ...entity, '--describe', '--all')
    for (const bad of ['interval.ms=10', 'match=[nonsense=a]', 'nonsense=a'])
      expect((await kafka.same(configs, ...entity, '--alter', '--add-config', bad)).code, bad).toBe(1)
    await kafka.same(configs, '--entity-type', 'client-metrics', '--describe')
    await kafka.same(configs, ...entity, '--alter', '--delete-config', 'interval.ms,metrics,match')
    await kafka.same(configs, ...entity, '--describe')
  })

  it('kafka-configs changes the loggers of a broker', { timeout: 2 * slowMs }, async () => {
    const entity = ['--entity-type', 'broker-loggers', '--entity-name', '1']
    // Which loggers there are is each program's own.
    const levelsOf = async (): Promise<readonly string[]> =>
      (await kafka.both(configs, [...entity, '--describe', '--all']))[0].lines
    expect((await levelsOf()).some((line) => line.startsWith('root=INFO '))).toBe(true)
    await kafka.same(configs, ...entity, '--alter', '--add-config', 'root=DEBUG')
    expect((await levelsOf()).every((line) => line.includes('=DEBUG ') || !line.includes('sensitive'))).toBe(true)
    await kafka.same(configs, ...entity, '--alter', '--add-config', 'nonsense=INFO')
    expect((await kafka.same(configs, ...entity, '--alter', '--delete-config', 'root')).code).toBe(1)
    await kafka.same(configs, ...entity, '--alter', '--add-config', 'root=INFO')
    await kafka.same(configs, '--entity-type', 'broker-loggers', '--entity-name', '2', '--describe')
  })
}
