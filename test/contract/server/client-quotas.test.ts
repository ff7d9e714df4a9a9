// Owns how client quotas are described and altered: what Kafka accepts and refuses, in its words, in each version served.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AlterClientQuotasRequest } from '../../../src/protocol/generated/alter-client-quotas.ts'
import { componentData, describeClientQuotasRequest } from '../../../src/protocol/generated/describe-client-quotas.ts'
import { ErrorCode } from '../../../src/protocol/index.ts'
import type { RawClient } from './support/raw-client.ts'
import { type RunningFront, startFront } from './support/running-front.ts'

let running: RunningFront
let client: RawClient

beforeEach(async () => {
  running = await startFront()
  client = await running.client()
})
afterEach(() => running.stop())

type Entity = Readonly<Record<string, string | null>>
type Values = Readonly<Record<string, number | null>>

const entry = (entity: Entity, values: Values): AlterClientQuotasRequest['entries'][number] => ({
  entity: Object.entries(entity).map(([entityType, entityName]) => ({ entityType, entityName })),
  ops: Object.entries(values).map(([key, value]) => ({ key, value: value ?? 0, remove: value === null })),
})

async function alter(entity: Entity, values: Values, version = 1, validateOnly = false) {
  const { entries } = await client.ask('AlterClientQuotas', version, { entries: [entry(entity, values)], validateOnly })
  expect(entries).toHaveLength(1)
  expect(Object.fromEntries(entries[0]!.entity.map(({ entityType, entityName }) => [entityType, entityName]))).toEqual(entity)
  const { errorCode, errorMessage } = entries[0]!
  return { errorCode, errorMessage }
}

async function all(version = 1) {
  const { entries, ...rest } = await client.ask('DescribeClientQuotas', version, describeClientQuotasRequest())
  expect(rest).toMatchObject({ errorCode: 0, errorMessage: null, throttleTimeMs: 0 })
  return (entries ?? []).map(({ entity, values }) => [
    Object.fromEntries(entity.map(({ entityType, entityName }) => [entityType, entityName])),
    Object.fromEntries(values.map(({ key, value }) => [key, value])),
  ])
}

const fine = { errorCode: 0, errorMessage: null }
const refused = (errorMessage: string) => ({ errorCode: ErrorCode.INVALID_REQUEST, errorMessage })

describe('AlterClientQuotas', () => {
  it.each([0, 1])('in version %i sets quotas and takes them away', async (version) => {
    expect(await alter({ user: 'alice', 'client-id': null }, { producer_byte_rate: 1024, request_percentage: 12.5 }, version)).toEqual(fine) // prettier-ignore
    expect(await alter({ ip: null }, { connection_creation_rate: 5 }, version)).toEqual(fine)
    expect(await all(version)).toEqual([
      [
        { user: 'alice', 'client-id': null },
        { producer_byte_rate: 1024, request_percentage: 12.5 },
      ],
      [{ ip: null }, { connection_creation_rate: 5 }],
    ])
    expect(await alter({ user: 'alice', 'client-id': null }, { producer_byte_rate: null, nonsense: null }, version)).toEqual(fine)
    expect(await alter({ ip: null }, { connection_creation_rate: null }, version)).toEqual(fine)
    expect(await all(version)).toEqual([[{ user: 'alice', 'client-id': null }, { request_percentage: 12.5 }]])
  })

  it('changes nothing when it is only to validate', async () => {
    expect(await alter({ user: 'alice' }, { producer_byte_rate: 1 }, 1, true)).toEqual(fine)
    expect(await alter({ user: 'alice' }, { producer_byte_rate: 0 }, 1, true)).toMatchObject({ errorCode: 42 })
    expect(await all()).toEqual([])
  })

  const user = { user: 'alice' }
  it.each<[Entity, Values, string]>([
    [{}, { producer_byte_rate: 1 }, 'Invalid empty client quota entity'],
    [{ group: 'g' }, { producer_byte_rate: 1 }, 'Unhandled client quota entity type: group'],
    [{ user: '' }, { producer_byte_rate: 1 }, 'Empty user not supported'],
    [{ user: 'a', ip: '1.2.3.4' }, {}, 'Invalid quota entity combination, IP entity should not be combined with User or ClientId'], // prettier-ignore
    [{ ip: 'nowhere' }, {}, 'nowhere is not a valid IP or resolvable host. Host names are not looked up here.'],
    [{ ip: '0:0:0:0:0:0:0:1' }, {}, '0:0:0:0:0:0:0:1 is not how that IP address shows; write ::1.'],
    [{ ip: '::ffff:1.2.3.4' }, {}, '::ffff:1.2.3.4 is not how that IP address shows; write 1.2.3.4.'],
    [user, { connection_creation_rate: 1 }, 'Invalid configuration key connection_creation_rate'],
    [{ ip: '::1' }, { producer_byte_rate: 1 }, 'Invalid configuration key producer_byte_rate'],
    [user, { producer_byte_rate: 0 }, 'Quota producer_byte_rate must be greater than 0'],
    [user, { request_percentage: -1 }, 'Quota request_percentage must be greater than 0'],
    [user, { request_percentage: NaN }, 'Quota request_percentage must be greater than 0'],
    [user, { consumer_byte_rate: 1.5 }, 'consumer_byte_rate cannot be a fractional value.'],
    [user, { consumer_byte_rate: 1e20 }, 'Proposed value for consumer_byte_rate is too large for a LONG.'],
    [
      { ip: '::1' },
      { connection_creation_rate: 2 ** 31 },
      'Proposed value for connection_creation_rate is too large for an INT.',
    ],
    [user, { controller_mutation_rate: Infinity }, 'Proposed value for controller_mutation_rate is too large for a DOUBLE.'],
  ])('refuses %j %j: %s', async (entity, values, message) => {
    expect(await alter(entity, values)).toEqual(refused(message))
    expect(await all()).toEqual([])
  })

  it('refuses the changes of one entity and makes those of another', async () => {
    const twice = entry({ user: 'twice' }, { producer_byte_rate: 1 })
    const doubled = { ...twice, entity: entry({ user: 'doubled' }, {}).entity, ops: [...twice.ops, ...twice.ops] }
    const named = { ...twice, entity: [...twice.entity, ...twice.entity] }
    const good = entry({ user: 'good' }, { producer_byte_rate: 1 })
    const bad = entry({ user: 'bad' }, { consumer_byte_rate: 1, producer_byte_rate: 0.5 })
    const entries = [twice, doubled, named, good, bad, twice]
    const answer = await client.ask('AlterClientQuotas', 1, { entries, validateOnly: false })
    expect(answer.entries.map(({ errorMessage }) => errorMessage)).toEqual([
      'Ignoring duplicate entity user=twice',
      'Duplicate quota key producer_byte_rate not updating quota for this entity user=doubled',
      'Invalid client quota entity, duplicate entity entry user',
      null,
      'producer_byte_rate cannot be a fractional value.',
      'Ignoring duplicate entity user=twice',
    ])
    expect(await all()).toEqual([[{ user: 'good' }, { producer_byte_rate: 1 }]])
  })
})

describe('DescribeClientQuotas', () => {
  const component = (entityType: string, matchType: number, match: string | null = null) =>
    componentData({ entityType, matchType, match })

  it('finds entities exactly, by default, and of any name', async () => {
    for (const entity of [user('alice'), user(null), { ...user('alice'), 'client-id': 'app' }])
      await alter(entity, { producer_byte_rate: 1 })
    const count = async (strict: boolean, ...components: ReturnType<typeof component>[]): Promise<number> => {
      const { entries } = await client.ask('DescribeClientQuotas', 1, describeClientQuotasRequest({ components, strict }))
      return entries!.length
    }
    expect(await count(false, component('user', 0, 'alice'))).toBe(2)
    expect(await count(true, component('user', 0, 'alice'))).toBe(1)
    expect(await count(true, component('user', 1))).toBe(1)
    expect(await count(false, component('user', 2))).toBe(3)
    expect(await count(true, component('user', 2), component('client-id', 2))).toBe(1)
    expect(await count(true)).toBe(0)
  })

  const user = (name: string | null): Entity => ({ user: name })

  it.each<[ReturnType<typeof component>[], number, string]>([
    [[component('', 2)], ErrorCode.INVALID_REQUEST, 'Invalid empty entity type.'],
    [[component('group', 2)], ErrorCode.UNSUPPORTED_VERSION, 'Unsupported entity type group'],
    [[component('user', 2), component('user', 1)], ErrorCode.INVALID_REQUEST, 'Entity type user cannot appear more than once in the filter.'], // prettier-ignore
    [[component('user', 0)], ErrorCode.INVALID_REQUEST, 'Request specified MATCH_TYPE_EXACT, but set match string to null.'],
    [[component('user', 1, 'a')], ErrorCode.INVALID_REQUEST, 'Request specified MATCH_TYPE_DEFAULT, but also specified a match string.'], // prettier-ignore
    [[component('user', 2, 'a')], ErrorCode.INVALID_REQUEST, 'Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.'], // prettier-ignore
    [[component('user', 9)], ErrorCode.INVALID_REQUEST, 'Unknown match type 9'],
    [[component('ip', 2), component('user', 2)], ErrorCode.INVALID_REQUEST, 'Invalid entity filter component combination. IP filter component should not be used with user or clientId filter component.'], // prettier-ignore
  ])('refuses %j', async (components, errorCode, errorMessage) => {
    const answer = await client.ask('DescribeClientQuotas', 1, describeClientQuotasRequest({ components }))
    expect(answer).toMatchObject({ errorCode, errorMessage, entries: null })
  })
})
