import { describe, expect, test } from 'vitest'
import { SingleFlight } from '../../../../src/base/single-flight.ts'

describe('single flight', () => {
  test('however many ask at once, the work is done once, and all get the same value', async () => {
    const flights = new SingleFlight<string, object>()
    let starts = 0
    let land: ((value: object) => void) | undefined
    const start = (): Promise<object> => {
      starts += 1
      return new Promise((resolve) => {
        land = resolve
      })
    }
    const waiting = Array.from({ length: 100 }, () => flights.run('key', start))
    expect([starts, flights.inFlight]).toEqual([1, 1])
    const value = {}
    land?.(value)
    expect((await Promise.all(waiting)).every((got) => got === value)).toBe(true)
    expect(flights.inFlight).toBe(0)
  })

  test('a flight that failed fails all who joined, and is forgotten', async () => {
    const flights = new SingleFlight<number, string>()
    const crashed = new Error('crashed')
    const both = [flights.run(1, () => Promise.reject(crashed)), flights.run(1, () => Promise.resolve('never started'))]
    expect(await Promise.allSettled(both)).toEqual([
      { status: 'rejected', reason: crashed },
      { status: 'rejected', reason: crashed },
    ])
    expect(await flights.run(1, () => Promise.resolve('again'))).toBe('again')
  })

  test('different keys fly apart', async () => {
    const flights = new SingleFlight<number, number>()
    expect(await Promise.all([1, 2].map((key) => flights.run(key, () => Promise.resolve(key * 10))))).toEqual([10, 20])
  })
})
