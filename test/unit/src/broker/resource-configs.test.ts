// Owns the claims about configs that are set while running on brokers, groups and client metrics: they are in force when they are
// answered, the defaults of topics follow them, and they come back after a crash and on an empty disk, by log and by snapshot.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  ClusterState,
  connectionOverrides,
  decodeCommand,
  encodeCommand,
  faultOfBrokerConfigs,
} from '../../../../src/broker/core/index.ts'
import { memoryStore } from '../../../../tiers/object-store/memory.ts'
import { drive, ManualClock } from '../../../support/manual-clock.ts'
import { startTestNode, type TestNode } from '../../../support/test-node.ts'

describe('what is set on a broker', () => {
  let clock: ManualClock
  let node: TestNode
  let store: ReturnType<typeof memoryStore>
  beforeEach(async () => {
    clock = new ManualClock()
    store = memoryStore()
    node = await startTestNode({ store, clock })
  })
  afterEach(async () => {
    await node.close()
  })

  const set = async (
    kind: 'broker' | 'group' | 'client-metrics',
    name: string,
    configs: Record<string, string>,
  ): Promise<void> => {
    const change = () => ({ ok: true, value: new Map(Object.entries(configs)) }) as const
    expect(await drive(clock, node.parts.broker.configs.alter(kind, name, change, false))).toEqual({ ok: true, value: undefined })
  }

  it('is the default of every topic at once, of one broker before all, and is shown with where it comes from', async () => {
    await node.createTopic('t')
    const { broker } = node.parts
    const partition = node.partition('t')
    await set('broker', '', { 'message.max.bytes': '200', 'log.retention.ms': '7' })
    expect(partition.settings).toMatchObject({ maxMessageBytes: 200, retentionMs: 7 })
    await set('broker', '1', { 'message.max.bytes': '100' })
    expect(node.partition('t')).toBe(partition)
    expect(partition.settings).toMatchObject({ maxMessageBytes: 100, retentionMs: 7 })
    await expect(node.produce('t', 1, { valueBytes: 500 })).rejects.toThrow()
    const shown = (name: string) => broker.describeTopicConfigs(broker.topicByName('t')!).find((one) => one.name === name)
    expect(shown('max.message.bytes')).toMatchObject({
      value: '100',
      source: 2,
      synonyms: [
        { value: '100', source: 2 },
        { value: '200', source: 3 },
        { value: '1048588', source: 5 },
      ],
    })
    expect(shown('retention.ms')?.synonyms).toEqual([
      { name: 'log.retention.ms', value: '7', source: 3 },
      { name: 'log.retention.hours', value: '168', source: 5 },
    ])
    await set('broker', '1', {})
    await set('broker', '', {})
    expect(partition.settings).toMatchObject({ maxMessageBytes: 1_048_588, retentionMs: 604_800_000 })
    expect(shown('retention.ms')).toMatchObject({ value: '604800000', source: 5, synonyms: [] })
    await node.produce('t', 1, { valueBytes: 500 })
  })

  it('comes back after a crash from the log alone, and on an empty disk from a snapshot and what followed it', async () => {
    await node.createTopic('t')
    await set('broker', '', { 'message.max.bytes': '200', 'max.connections': '9' })
    await set('group', 'g', { 'consumer.session.timeout.ms': '50000' })
    node.kill()
    node = await startTestNode({ store, clock, disk: node.disk, seed: 2, takeover: true })
    expect(node.partition('t').settings.maxMessageBytes).toBe(200)
    await node.snapshot()
    await set('client-metrics', 'm', { 'interval.ms': '1000' })
    await set('broker', '', { 'max.connections': '9' })
    node.kill()
    node = await startTestNode({ store, clock, seed: 3, takeover: true })
    const { configs } = node.parts.broker
    expect(node.partition('t').settings.maxMessageBytes).toBe(1_048_588)
    expect(Object.fromEntries(configs.of('broker', ''))).toEqual({ 'max.connections': '9' })
    expect(Object.fromEntries(configs.of('group', 'g'))).toEqual({ 'consumer.session.timeout.ms': '50000' })
    expect([...configs.names('client-metrics')]).toEqual(['m'])
  })

  it('is not changed by what is only to be validated, and two changes at the same time both hold', async () => {
    const { configs } = node.parts.broker
    const adding = (name: string, validateOnly: boolean) =>
      configs.alter('broker', '', (own) => ({ ok: true, value: new Map([...own, [name, '5']]) }), validateOnly)
    expect(await adding('max.connections', true)).toMatchObject({ ok: true })
    expect(configs.of('broker', '').size).toBe(0)
    await drive(clock, Promise.all([adding('max.connections', false), adding('message.max.bytes', false)]))
    expect([...configs.of('broker', '').keys()].sort()).toEqual(['max.connections', 'message.max.bytes'])
  })
})

describe('as bytes', () => {
  const command = { kind: 'alter-resource-configs', type: 'group', name: 'g', configs: { a: 'b' } } as const

  it('a command is read as it was written, and a bent one is refused', () => {
    expect(decodeCommand(encodeCommand(command))).toEqual({ ok: true, value: { v: 1, ...command } })
    const bent = (form: object): Uint8Array => new TextEncoder().encode(JSON.stringify({ v: 1, ...command, ...form }))
    for (const form of [{ type: 'planet' }, { name: 7 }, { configs: null }, { configs: { a: 1 } }])
      expect(decodeCommand(bent(form)).ok).toBe(false)
  })

  it('a snapshot says nothing of configs while there are none, as older ones, which are read', () => {
    const state = new ClusterState()
    const empty = new TextDecoder().decode(state.snapshot())
    expect(empty).not.toContain('configs')
    state.apply(command)
    const restored = new ClusterState()
    expect(restored.restore(state.snapshot())).toBe(true)
    expect(Object.fromEntries(restored.configs.of('group', 'g'))).toEqual({ a: 'b' })
    expect(restored.restore(new TextEncoder().encode(empty))).toBe(true)
    expect([...restored.configs.names('group')]).toEqual([])
    const bent = JSON.stringify({ ...(JSON.parse(empty) as object), configs: [{ type: 'group' }] })
    expect(restored.restore(new TextEncoder().encode(bent))).toBe(false)
  })
})

it('what a topic cannot have, a broker cannot give it', () => {
  expect(faultOfBrokerConfigs(new Map([['log.cleanup.policy', 'burn']]), true)).toContain(
    'String must be one of: compact, delete',
  )
  expect(faultOfBrokerConfigs(new Map([['log.message.timestamp.type', 'Never']]), true)).toContain('String must be one of')
  expect(faultOfBrokerConfigs(new Map([['log.segment.bytes', '2097152']]), false)).toBeUndefined()
})

it('overrides are addresses with counts', () => {
  expect(connectionOverrides('10.0.0.1:5, [fd00::1]:0')).toEqual(new Map([['10.0.0.1', 5], ['fd00::1', 0]])) // prettier-ignore
  for (const bad of ['10.0.0.1', 'host:5', '10.0.0.1:x', '10.0.0.1:-1']) expect(connectionOverrides(bad), bad).toBeUndefined()
})
