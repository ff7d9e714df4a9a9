// Owns the claims about client quotas as metadata: which one holds for whom, what a filter finds, and that they come back after a crash
// and on an empty disk, by log and by snapshot.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  ClientQuotas,
  ClusterState,
  decodeCommand,
  type QuotaChange,
  type QuotaEntity,
  type QuotaEntityType,
  type QuotaMatch,
} from '../../../../src/broker/core/index.ts'
import { memoryStore } from '../../../../tiers/object-store/memory.ts'
import { drive, ManualClock } from '../../../support/manual-clock.ts'
import { startTestNode, type TestNode } from '../../../support/test-node.ts'

const set = (entity: QuotaEntity, value: number, key: QuotaChange['key'] = 'producer_byte_rate'): QuotaChange => ({
  entity,
  key,
  value,
})
const unset = (entity: QuotaEntity): QuotaChange => ({ ...set(entity, 1), value: null })

describe('the quota that holds for a client', () => {
  // In Kafka's order: each is beaten by all before it.
  const levels: ReadonlyArray<readonly [QuotaEntity, user: string | undefined, clientId: string | undefined]> = [
    [{ user: 'alice', 'client-id': 'app' }, 'alice', 'app'],
    [{ user: 'alice', 'client-id': null }, 'alice', 'app'],
    [{ user: 'alice' }, 'alice', undefined],
    [{ user: null, 'client-id': 'app' }, 'alice', 'app'],
    [{ user: null, 'client-id': null }, 'alice', 'app'],
    [{ user: null }, 'alice', undefined],
    [{ 'client-id': 'app' }, undefined, 'app'],
    [{ 'client-id': null }, undefined, 'app'],
  ]

  it.each(levels.map((level, at) => ({ at, entity: level[0], level })))('is at level $at that of $entity', ({ at, level }) => {
    const quotas = new ClientQuotas()
    for (const [below, [entity]] of [...levels.entries()].reverse()) {
      if (below >= at) quotas.apply([set(entity, below + 1)])
    }
    const [, user, clientId] = level
    expect(quotas.quotaOf('producer_byte_rate', 'alice', 'app')).toEqual({ bound: at + 1, user, clientId })
  })

  it('is looked for by key: an entity with another quota does not hide the one below', () => {
    const quotas = new ClientQuotas()
    quotas.apply([set({ user: 'alice' }, 1, 'consumer_byte_rate'), set({ user: null }, 2)])
    expect(quotas.quotaOf('producer_byte_rate', 'alice', 'app')?.bound).toBe(2)
    expect(quotas.quotaOf('consumer_byte_rate', 'alice', 'app')?.bound).toBe(1)
    expect(quotas.quotaOf('consumer_byte_rate', 'bob', 'app')).toBeUndefined()
    expect(quotas.quotaOf('request_percentage', 'alice', 'app')).toBeUndefined()
  })

  it('knows no client id that is empty', () => {
    const quotas = new ClientQuotas()
    quotas.apply([set({ 'client-id': null }, 1), set({ user: 'alice', 'client-id': null }, 2)])
    expect(quotas.quotaOf('producer_byte_rate', 'alice', '')).toBeUndefined()
    quotas.apply([set({ user: null }, 3)])
    expect(quotas.quotaOf('producer_byte_rate', 'alice', '')).toEqual({ bound: 3, user: 'alice', clientId: undefined })
  })

  it('is that of the address before the default, for connections', () => {
    const quotas = new ClientQuotas()
    expect(quotas.connectionRateOf('10.0.0.1')).toBeUndefined()
    quotas.apply([set({ ip: null }, 5, 'connection_creation_rate'), set({ ip: '10.0.0.1' }, 7, 'connection_creation_rate')])
    expect(quotas.connectionRateOf('10.0.0.1')).toBe(7)
    expect(quotas.connectionRateOf('10.0.0.2')).toBe(5)
  })

  it('is used as long as one entity has it', () => {
    const quotas = new ClientQuotas()
    quotas.apply([set({ user: 'a' }, 1), set({ user: 'b' }, 1), set({ user: 'b' }, 2)])
    const before = quotas.version
    quotas.apply([unset({ user: 'a' }), unset({ user: 'nobody' })])
    expect(quotas.version).not.toBe(before)
    expect(quotas.isUsed('producer_byte_rate')).toBe(true)
    quotas.apply([unset({ user: 'b' })])
    expect(quotas.isUsed('producer_byte_rate')).toBe(false)
    expect(quotas.isUsed('consumer_byte_rate')).toBe(false)
  })
})

describe('a filter of DescribeClientQuotas', () => {
  const quotas = new ClientQuotas()
  const entities: readonly QuotaEntity[] = [
    { user: 'alice' },
    { user: null },
    { user: 'alice', 'client-id': 'app' },
    { user: 'alice', 'client-id': null },
    { 'client-id': 'app' },
    { ip: '10.0.0.1' },
  ]
  quotas.apply(entities.map((entity) => set(entity, 1, 'ip' in entity ? 'connection_creation_rate' : 'producer_byte_rate')))
  const exact = (name: string | null): QuotaMatch => ({ kind: 'exact', name })
  const any: QuotaMatch = { kind: 'any' }
  const found = (filter: Partial<Record<QuotaEntityType, QuotaMatch>>, strict: boolean): QuotaEntity[] =>
    [...quotas.matching(new Map(Object.entries(filter) as Array<[QuotaEntityType, QuotaMatch]>), strict)].map(
      ({ entity }) => entity,
    )

  it.each<[string, Partial<Record<QuotaEntityType, QuotaMatch>>, boolean, number[]]>([
    ['nothing', {}, false, [0, 1, 2, 3, 4, 5]],
    ['nothing, strictly', {}, true, []],
    ['a user', { user: exact('alice') }, false, [0, 2, 3]],
    ['a user, strictly', { user: exact('alice') }, true, [0]],
    ['the default user', { user: exact(null) }, false, [1]],
    ['any user', { user: any }, false, [0, 1, 2, 3]],
    ['any user, strictly', { user: any }, true, [0, 1]],
    ['a user and any client id', { user: exact('alice'), 'client-id': any }, true, [2, 3]],
    ['a client id', { 'client-id': exact('app') }, false, [2, 4]],
    ['any address', { ip: any }, true, [5]],
  ])('for %s finds what Kafka finds', (_what, filter, strict, at) => {
    expect(found(filter, strict)).toEqual(at.map((index) => entities[index]))
  })
})

describe('the quotas of a cluster', () => {
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

  const alter = async (...changes: QuotaChange[]): Promise<void> => {
    expect((await drive(clock, node.parts.broker.quotas.alter(changes))).ok).toBe(true)
  }
  const form = (): unknown => node.parts.broker.quotas.set.form()

  it('come back after a crash, from the log alone', async () => {
    await alter(set({ user: 'alice' }, 1024), set({ user: 'bob' }, 1))
    await alter(unset({ user: 'bob' }), set({ user: 'alice' }, 2.5, 'request_percentage'))
    node.kill()
    node = await startTestNode({ store, clock, disk: node.disk, seed: 2, takeover: true })
    expect(form()).toEqual([set({ user: 'alice' }, 1024), set({ user: 'alice' }, 2.5, 'request_percentage')])
  })

  it('come back on an empty disk, from a snapshot and what followed it', async () => {
    await alter(set({ user: 'alice' }, 1024), set({ user: 'bob' }, 1))
    await node.snapshot()
    await alter(unset({ user: 'bob' }), set({ 'client-id': null }, 7))
    node.kill()
    node = await startTestNode({ store, clock, seed: 2, takeover: true })
    expect(form()).toEqual([set({ user: 'alice' }, 1024), set({ 'client-id': null }, 7)])
  })
})

describe('the state of quotas', () => {
  it('goes through a snapshot and back, and a snapshot without any is what it was before there were some', () => {
    const state = new ClusterState()
    const before = Buffer.from(state.snapshot()).toString()
    expect(before).not.toContain('quotas')
    const changes = [set({ user: '__proto__', 'client-id': null }, 0.5), set({ ip: '::1' }, 3, 'connection_creation_rate')]
    state.apply({ kind: 'alter-client-quotas', changes })
    const other = new ClusterState()
    expect(other.restore(state.snapshot())).toBe(true)
    expect(other.quotas.form()).toEqual(changes)
    expect(other.restore(Buffer.from(before))).toBe(true)
    expect(other.quotas.form()).toEqual([])
    expect(other.quotas.isUsed('producer_byte_rate')).toBe(false)
  })

  it.each([
    { changes: 5 },
    { changes: [null] },
    { changes: [{ entity: {}, key: 'producer_byte_rate', value: 1 }] },
    { changes: [{ entity: { group: 'g' }, key: 'producer_byte_rate', value: 1 }] },
    { changes: [{ entity: { user: 5 }, key: 'producer_byte_rate', value: 1 }] },
    { changes: [{ entity: { user: 'a' }, key: 'byte_rate', value: 1 }] },
    { changes: [{ entity: { user: 'a' }, key: 'producer_byte_rate', value: 0 }] },
    { changes: [{ entity: { user: 'a' }, key: 'producer_byte_rate', value: '1' }] },
  ])('refuses the damaged command %j, and a snapshot with the same damage', ({ changes }) => {
    const bytes = Buffer.from(JSON.stringify({ v: 1, kind: 'alter-client-quotas', changes }))
    expect(decodeCommand(bytes).ok).toBe(false)
    const snapshot = { v: 1, nextGroup: 1, nextProducerId: 0, topics: [], quotas: changes }
    expect(new ClusterState().restore(Buffer.from(JSON.stringify(snapshot)))).toBe(false)
  })
})
