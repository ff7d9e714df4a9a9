import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Histogram } from '../../../../src/base/histogram.ts'

const filled = (values: readonly number[]): Histogram => {
  const histogram = new Histogram()
  for (const value of values) histogram.record(value)
  return histogram
}

describe('histogram', () => {
  test('nothing recorded', () => {
    const histogram = new Histogram()
    expect([histogram.count, histogram.sum, histogram.max, histogram.quantile(0.99)]).toEqual([0, 0, 0, 0])
    expect(histogram.cumulative([1, 10])).toEqual([0, 0])
  })

  test('small values are exact', () => {
    const histogram = filled([0, 1, 2, 3, 15])
    expect([0.2, 0.4, 0.6, 0.8, 1].map((fraction) => histogram.quantile(fraction))).toEqual([0, 1, 2, 3, 15])
    expect(histogram.cumulative([0, 2, 14, 15])).toEqual([1, 3, 4, 5])
  })

  test('fractions are cut; negatives and what is no number count as 0; what is huge counts as 2^31 − 1', () => {
    const histogram = filled([1.9, -5, Number.NaN, 1e18])
    expect([histogram.count, histogram.sum, histogram.max]).toEqual([4, 1 + 2 ** 31 - 1, 2 ** 31 - 1])
    expect(histogram.quantile(1)).toBe(2 ** 31 - 1)
  })

  test('a quantile is never too low, and at most an eighth too high', () => {
    const values = fc.array(fc.integer({ min: 0, max: 2 ** 31 - 1 }), { minLength: 1, maxLength: 200 })
    fc.assert(
      fc.property(values, fc.double({ min: 0.01, max: 1, noNaN: true }), (recorded, fraction) => {
        const sorted = recorded.toSorted((a, b) => a - b)
        const exact = sorted[Math.max(1, Math.ceil(fraction * sorted.length)) - 1]!
        const found = filled(recorded).quantile(fraction)
        expect(found >= exact && found <= exact * 1.125).toBe(true)
      }),
    )
  })

  test('cumulative counts never fall and end with all', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1e9 })), (recorded) => {
        const counts = filled(recorded).cumulative([10, 1000, 1e5, 1e7, 2 ** 32])
        expect(counts).toEqual(counts.toSorted((a, b) => a - b))
        expect(counts.at(-1)).toBe(recorded.length)
      }),
    )
  })

  test('recording costs nanoseconds: best of many rounds, with room for a busy machine', () => {
    const histogram = new Histogram()
    const round = (): number => {
      const startedAt = performance.now()
      for (let value = 0; value < 1_000_000; value += 1) histogram.record(value & 0xfffff)
      return performance.now() - startedAt
    }
    // Milliseconds per million are nanoseconds each. Quiet, it is 2–4; boxing makes it tens, a bug hundreds.
    expect(Math.min(...Array.from({ length: 10 }, round))).toBeLessThan(40)
  })
})
