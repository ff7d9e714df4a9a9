// The pieces of base that fit a line or two: assertions, outcomes, errors, chance, sleep.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AssertionFailed, assert, assertDefined, assertNever } from '../../../../src/base/assert.ts'
import { type Clock, sleep } from '../../../../src/base/clock.ts'
import { isoTime } from '../../../../src/base/iso-time.ts'
import { silentLog } from '../../../../src/base/log.ts'
import { OpError, isOpError } from '../../../../src/base/op-error.ts'
import { fail, succeed } from '../../../../src/base/outcome.ts'
import { seededPrng } from '../../../../src/base/prng.ts'

describe('assertions', () => {
  test('a breach names the invariant; what holds says nothing', () => {
    assert(true, 'X-1')
    expect(() => {
      assert(false, 'WAL-2')
    }).toThrow(new AssertionFailed('WAL-2'))
    expect(assertDefined(0, 'there')).toBe(0)
    expect(() => assertDefined(undefined, 'there')).toThrow('there')
    expect(() => assertDefined(null, 'there')).toThrow('there')
    expect(() => assertNever('odd' as never, 'kinds')).toThrow('kinds: odd')
  })
})

describe('errors and outcomes', () => {
  test('an OpError tells code and detail, keeps its cause, and is known by its kind', () => {
    const cause = new Error('ECONNREFUSED')
    const error = new OpError('retry', { code: 'BUCKET_UNREACHABLE', detail: 'no answer', cause })
    expect(error.message).toBe('BUCKET_UNREACHABLE: no answer')
    expect(error.cause).toBe(cause)
    expect(isOpError(error)).toBe(true)
    expect(isOpError(error, 'retry', 'busy')).toBe(true)
    expect(isOpError(error, 'fenced')).toBe(false)
    expect(isOpError(cause)).toBe(false)
    expect('cause' in new OpError('busy', { code: 'X', detail: 'y' })).toBe(false)
  })

  test('an outcome is a value or a failure', () => {
    expect(succeed(1)).toEqual({ ok: true, value: 1 })
    expect(fail('no')).toEqual({ ok: false, failure: 'no' })
  })
})

describe('chance', () => {
  test('the same seed draws the same lots, on every machine and version', () => {
    const prng = seededPrng(42)
    expect(Array.from({ length: 5 }, () => prng.below(1000))).toEqual([601, 448, 852, 669, 174])
  })

  test('two generators do not disturb each other', () => {
    const [one, other] = [seededPrng(7), seededPrng(7)]
    other.next()
    const alone = seededPrng(7)
    expect([one.next(), one.next()]).toEqual([alone.next(), alone.next()])
  })

  test('values are in range and spread over it', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 1 << 30 }), (seed, bound) => {
        const value = seededPrng(seed).below(bound)
        expect(Number.isInteger(value) && value >= 0 && value < bound).toBe(true)
      }),
    )
    const prng = seededPrng(1)
    const counts = new Array<number>(16).fill(0)
    for (let draw = 0; draw < 16_000; draw += 1) counts[prng.below(16)]! += 1
    expect(Math.min(...counts)).toBeGreaterThan(850)
    expect(Math.max(...counts)).toBeLessThan(1150)
  })
})

test('sleep resolves when its clock says so', async () => {
  let wake: (() => void) | undefined
  const clock: Clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    after: (delayMs, callback) => {
      expect(delayMs).toBe(250)
      wake = callback
      return () => undefined
    },
    afterTurn: () => undefined,
  }
  let isAwake = false
  const slept = sleep(clock, 250).then(() => {
    isAwake = true
  })
  await Promise.resolve()
  expect(isAwake).toBe(false)
  wake?.()
  await slept
  expect(isAwake).toBe(true)
})

test('the silent log says nothing, however it is narrowed', () => {
  silentLog.with({ a: 1 }).error('nobody hears')
  expect(silentLog.with({})).toBe(silentLog)
})

test('a time somebody told is written in UTC', () => {
  expect(isoTime(1_767_225_600_000)).toBe('2026-01-01T00:00:00.000Z')
})
