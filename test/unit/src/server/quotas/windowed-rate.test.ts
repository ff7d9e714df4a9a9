// Owns the claims about measured rates and token buckets: they say what Kafka's Rate and TokenBucket say, at every time.

import { describe, expect, it } from 'vitest'
import { TokenBucket } from '../../../../../src/server/quotas/token-bucket.ts'
import { WindowedRate } from '../../../../../src/server/quotas/windowed-rate.ts'

const windows = { count: 11, ms: 1_000 }

describe('a rate over windows', () => {
  it('is 0 before anything was added', () => {
    expect(new WindowedRate(windows).rate(5)).toBe(0)
    expect(new WindowedRate(windows).throttleMs(1, 5)).toBe(0)
  })

  it('takes a first burst as that of all windows but one', () => {
    const rate = new WindowedRate(windows)
    rate.add(1_000, 50)
    expect(rate.rate(50)).toBe(100)
    // Kafka counts full windows: the time that has passed is on top of those that are missing.
    expect(rate.rate(550)).toBeCloseTo(1_000 / 10.5)
  })

  it('is what is added a second, once it lasts longer than the windows', () => {
    const rate = new WindowedRate(windows)
    for (let nowMs = 0; nowMs <= 60_000; nowMs += 100) rate.add(10, nowMs)
    expect(rate.rate(60_000)).toBeGreaterThan(95)
    expect(rate.rate(60_000)).toBeLessThan(105)
  })

  it('forgets a window once nothing was added to it for all of them', () => {
    const rate = new WindowedRate(windows)
    rate.add(1_000, 0)
    rate.add(1_000, 900)
    expect(rate.rate(11_899)).toBeGreaterThan(0)
    expect(rate.rate(11_900)).toBe(0)
  })

  it('is as before when what was added is taken back', () => {
    const rate = new WindowedRate(windows)
    rate.add(1_000, 0)
    const before = rate.rate(400)
    rate.add(5_000, 400)
    rate.add(-5_000, 400)
    expect(rate.rate(400)).toBe(before)
  })

  it.each([1, 1.5, 7, 100])('tells who is %d times over the bound how long it takes to be back', (over) => {
    const rate = new WindowedRate(windows)
    rate.add(over * 100 * 10, 0)
    // (rate − bound) ÷ bound × 10 windows.
    expect(rate.throttleMs(100, 0)).toBe(Math.round((over - 1) * 10_000))
  })

  it('is back at the bound after the time it tells, when that is less than the windows', () => {
    const rate = new WindowedRate(windows)
    for (let nowMs = 0; nowMs < 20_000; nowMs += 500) rate.add(60, nowMs)
    const throttleMs = rate.throttleMs(100, 19_500)
    expect(throttleMs).toBeGreaterThan(1_000)
    expect(rate.rate(19_500 + throttleMs)).toBeLessThanOrEqual(100)
  })

  it('has at least one window, also when there is no more', () => {
    const rate = new WindowedRate({ count: 1, ms: 1_000 })
    rate.add(50, 7)
    expect(rate.rate(7)).toBe(50)
  })

  it('tells no time that the wire cannot hold', () => {
    const rate = new WindowedRate(windows)
    rate.add(1e18, 0)
    expect(rate.throttleMs(1, 0)).toBe(2 ** 31 - 1)
  })
})

describe('a token bucket', () => {
  it('is full at first, and lets one request take more than is there', () => {
    const bucket = new TokenBucket(windows)
    expect(bucket.tokens(5, 1_000)).toBe(55)
    bucket.take(60, 5, 1_000)
    expect(bucket.tokens(5, 1_000)).toBe(-5)
    expect(bucket.throttleMs(5, 1_000)).toBe(1_000)
    expect(bucket.throttleMs(5, 1_400)).toBe(600)
    expect(bucket.throttleMs(5, 2_000)).toBe(0)
  })

  it('fills at its rate, up to its burst', () => {
    const bucket = new TokenBucket(windows)
    bucket.take(55, 5, 0)
    expect(bucket.tokens(5, 3_000)).toBe(15)
    expect(bucket.tokens(5, 100_000)).toBe(55)
  })

  it('follows a bound that changes', () => {
    const bucket = new TokenBucket(windows)
    expect(bucket.tokens(5, 0)).toBe(55)
    expect(bucket.tokens(1, 0)).toBe(11)
    expect(bucket.tokens(2, 1_000)).toBe(13)
  })
})
