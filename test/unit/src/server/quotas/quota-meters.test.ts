// Owns the claims about who shares a meter, that a changed quota is followed, and that meters do not grow without bound.

import { describe, expect, it } from 'vitest'
import { ClientQuotas, type QuotaEntity } from '../../../../../src/broker/core/index.ts'
import { defaultLimits } from '../../../../../src/server/index.ts'
import { ConnectionRates } from '../../../../../src/server/quotas/connection-rates.ts'
import { QuotaMeters } from '../../../../../src/server/quotas/quota-meters.ts'
import { ManualClock } from '../../../../support/manual-clock.ts'

function made(limits: Partial<typeof defaultLimits.quotas> = {}) {
  const quotas = new ClientQuotas()
  const clock = new ManualClock()
  let next = 0
  const meters = new QuotaMeters(quotas, 'producer_byte_rate', () => (next += 1), {
    limits: { ...defaultLimits.quotas, ...limits },
    clock,
  })
  const set = (entity: QuotaEntity, value: number | null): void => {
    quotas.apply([{ entity, key: 'producer_byte_rate', value }])
  }
  const meterOf = (name: string, clientId: string | null): readonly [number, number] | undefined => {
    const metered = meters.of({ principal: { name }, clientId })
    return metered === undefined ? undefined : [metered.bound, metered.meter]
  }
  return { quotas, clock, meters, set, meterOf }
}

describe('the meters of a quota', () => {
  it('are none while no quota is set', () => {
    const { meters, meterOf, set } = made()
    expect(meterOf('alice', 'app')).toBeUndefined()
    set({ user: 'bob' }, 1)
    expect(meterOf('alice', 'app')).toBeUndefined()
    expect(meters.count).toBe(0)
  })

  it('are shared by those whom the quota does not tell apart', () => {
    const { meterOf, set } = made()
    set({ user: null }, 10)
    expect(meterOf('alice', 'a')).toEqual([10, 1])
    expect(meterOf('alice', 'b')).toEqual([10, 1])
    expect(meterOf('bob', 'a')).toEqual([10, 2])
    set({ user: 'alice', 'client-id': 'b' }, 20)
    expect(meterOf('alice', 'b')).toEqual([20, 3])
    expect(meterOf('alice', null)).toEqual([10, 1])
  })

  it('go on with a bound that changes, and end when it goes', () => {
    const { meterOf, set } = made()
    set({ user: 'alice' }, 10)
    expect(meterOf('alice', 'a')).toEqual([10, 1])
    set({ user: 'alice' }, 30)
    expect(meterOf('alice', 'a')).toEqual([30, 1])
    set({ user: 'alice' }, null)
    expect(meterOf('alice', 'a')).toBeUndefined()
  })

  it('do not take one client for another, whatever their names are made of', () => {
    const { meterOf, set } = made()
    set({ user: null, 'client-id': null }, 10)
    expect(meterOf('a', 'bc')).not.toEqual(meterOf('ab', 'c'))
    expect(meterOf('a', '1:b')).not.toEqual(meterOf('a1:', 'b'))
  })

  it('are forgotten after an hour without use, and those in use are not', () => {
    const { clock, meters, meterOf, set } = made()
    set({ user: null }, 10)
    for (let user = 0; user < 10; user += 1) meterOf(`idle-${user}`, 'a')
    const busy = meterOf('busy', 'a')
    for (let minutes = 0; minutes < 61; minutes += 10) {
      clock.advance(10 * 60_000)
      meterOf('busy', 'a')
    }
    meterOf('new', 'a')
    expect(meters.count).toBe(2)
    expect(meterOf('busy', 'a')).toEqual(busy)
  })

  it('are never more than the maximum', () => {
    const { meters, meterOf, set } = made({ metersMax: 8 })
    set({ user: null }, 10)
    for (let user = 0; user < 100; user += 1) expect(meterOf(`user-${user}`, 'a')).toBeDefined()
    expect(meters.count).toBe(8)
  })
})

describe('the rates of connections', () => {
  const key = 'connection_creation_rate'

  it('refuse what is over the bound of the address, and count it not', () => {
    const quotas = new ClientQuotas()
    const clock = new ManualClock()
    const rates = new ConnectionRates(quotas, defaultLimits.quotas, clock)
    expect(rates.throttleMs('10.0.0.1')).toBe(0)
    quotas.apply([{ entity: { ip: '10.0.0.1' }, key, value: 2 }])
    const outcomes = Array.from({ length: 25 }, () => rates.throttleMs('10.0.0.1'))
    // 2 a second over ten windows.
    expect(outcomes.filter((ms) => ms === 0)).toHaveLength(20)
    expect(outcomes.at(-1)).toBe(500)
    expect(rates.throttleMs('10.0.0.2')).toBe(0)
    expect(rates.counters).toMatchObject({ measured: 20, throttled: 5 })
    clock.advance(11_000)
    expect(rates.throttleMs('10.0.0.1')).toBe(0)
  })

  it('are never more than the maximum, and idle ones go', () => {
    const quotas = new ClientQuotas()
    const clock = new ManualClock()
    const rates = new ConnectionRates(quotas, { ...defaultLimits.quotas, metersMax: 5 }, clock)
    quotas.apply([{ entity: { ip: null }, key, value: 2 }])
    for (let host = 0; host < 50; host += 1) rates.throttleMs(`10.0.0.${host}`)
    expect(rates.count).toBe(5)
    clock.advance(defaultLimits.quotas.meterIdleMs)
    rates.throttleMs('10.0.1.1')
    expect(rates.count).toBe(1)
  })
})
