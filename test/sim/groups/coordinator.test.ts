import { expect, test } from 'vitest'
import { type Outcome, Simulation } from './simulation.ts'

function run(seed: number, steps: number): Outcome {
  try {
    return new Simulation(seed).run(steps)
  } catch (error) {
    throw new Error(`seed ${seed}: ${String(error)}`, { cause: error })
  }
}

test('under any schedule groups stay consistent, never stick, and lose no accepted commit', () => {
  const sum = { rebalances: 0, restarts: 0, failedAppends: 0, commits: 0 }
  for (let seed = 1; seed <= 60; seed += 1) {
    const outcome = run(seed, 1_500)
    sum.rebalances += outcome.rebalances
    sum.restarts += outcome.restarts
    sum.failedAppends += outcome.failedAppends
    sum.commits += outcome.commits
  }
  // The schedules reach what they are meant to reach.
  expect(sum.rebalances).toBeGreaterThan(500)
  expect(sum.restarts).toBeGreaterThan(50)
  expect(sum.failedAppends).toBeGreaterThan(100)
  expect(sum.commits).toBeGreaterThan(500)
}, 120_000)

test('a fresh seed each run, printed when it fails', () => {
  const seed = Date.now() % 2 ** 31
  for (let at = 0; at < 10; at += 1) run(seed + at, 1_500)
}, 60_000)

test('one seed gives one schedule', () => {
  expect(run(42, 1_000).trace).toBe(run(42, 1_000).trace)
  expect(run(42, 1_000).trace).not.toBe(run(43, 1_000).trace)
})
