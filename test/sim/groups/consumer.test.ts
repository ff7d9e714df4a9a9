import { expect, test } from 'vitest'
import { type ConsumerOutcome, ConsumerSimulation } from './consumer-simulation.ts'

function run(seed: number, steps: number, withClassic: boolean): ConsumerOutcome {
  try {
    return new ConsumerSimulation(seed, withClassic).run(steps)
  } catch (error) {
    throw new Error(`seed ${seed}: ${String(error)}`, { cause: error })
  }
}

test.each([
  ['of the consumer protocol', false],
  ['of both protocols', true],
])(
  'under any schedule members %s share no partition, and every partition gets its reader',
  (_, withClassic) => {
    const sum = { epochs: 0, restarts: 0, failedAppends: 0, fenced: 0, conversions: 0 }
    for (let seed = 1; seed <= 15; seed += 1) {
      const outcome = run(seed, 1_500, withClassic)
      sum.epochs += outcome.epochs
      sum.restarts += outcome.restarts
      sum.failedAppends += outcome.failedAppends
      sum.fenced += outcome.fenced
      sum.conversions += outcome.conversions
    }
    // The schedules reach what they are meant to reach.
    expect(sum.epochs).toBeGreaterThan(300)
    expect(sum.restarts).toBeGreaterThan(30)
    expect(sum.failedAppends).toBeGreaterThan(100)
    expect(sum.fenced).toBeGreaterThan(20)
    if (withClassic) expect(sum.conversions).toBeGreaterThan(15)
  },
  120_000,
)

test('a fresh seed each run, printed when it fails', () => {
  const seed = Date.now() % 2 ** 31
  for (let at = 0; at < 10; at += 1) run(seed + at, 1_500, at % 2 === 0)
}, 60_000)

test('one seed gives one schedule', () => {
  expect(run(42, 1_000, true).trace).toBe(run(42, 1_000, true).trace)
  expect(run(42, 1_000, true).trace).not.toBe(run(43, 1_000, true).trace)
})
