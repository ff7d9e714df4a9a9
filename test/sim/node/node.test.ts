import { expect, test } from 'vitest'
import { type Outcome, Simulation, type Tally } from './simulation.ts'

/** More by CHRONIK_SIM_SEEDS, from CHRONIK_SIM_FROM on: `CHRONIK_SIM_SEEDS=5000 npx vitest run test/sim/node`. */
const seeds = Number(process.env['CHRONIK_SIM_SEEDS'] ?? 200)
const from = Number(process.env['CHRONIK_SIM_FROM'] ?? 1)
const stepsPerSeed = Number(process.env['CHRONIK_SIM_STEPS'] ?? 120)

async function run(seed: number, steps: number): Promise<Outcome> {
  try {
    return await new Simulation(seed).run(steps)
  } catch (error) {
    throw new Error(`seed ${seed}, ${steps} steps: ${String(error)}`, { cause: error })
  }
}

test(
  'under any schedule of work, crashes and a failing network a standalone node keeps what it acknowledged',
  async () => {
    const sum: Record<string, number> = {}
    for (let seed = from; seed < from + seeds; seed += 1) {
      const { tally } = await run(seed, stepsPerSeed)
      for (const [name, count] of Object.entries(tally) as Array<[keyof Tally, number]>) sum[name] = (sum[name] ?? 0) + count
    }
    if (process.env['CHRONIK_SIM_TALLY'] !== undefined) process.stdout.write(`${JSON.stringify(sum)}\n`)
    // The schedules reach what they are meant to reach.
    const perSeed = (name: keyof Tally): number => (sum[name] ?? 0) / seeds
    expect(perSeed('acked')).toBeGreaterThan(10)
    expect(perSeed('starts')).toBeGreaterThan(3)
    for (const name of [
      'duplicatesAnswered',
      'segments',
      'snapshots',
      'swept',
      'takeovers',
      'powerCuts',
      'timeSearches',
      'deletions',
    ] as const)
      expect(perSeed(name), name).toBeGreaterThan(0.05)
    // A request of a dead process that lands late can make its successor start once more; nothing else may.
    expect(perSeed('nodeFailures')).toBeLessThan(0.005)
  },
  30_000 + seeds * 500,
)

test('one seed gives one run, another seed another', async () => {
  const [first, again, other] = [await run(7, 150), await run(7, 150), await run(8, 150)]
  expect(again.trace).toEqual(first.trace)
  expect(other.trace).not.toEqual(first.trace)
}, 30_000)
