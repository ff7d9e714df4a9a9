/** Requests no client would send. The long run: `npm run chaos -- fuzz --minutes 10`. */
import { expect, it } from 'vitest'
import { fuzzDrill } from './fuzz.ts'
import { toldSeed } from './support/world.ts'

it('bent requests and bytes that are none harm nobody but their own connection', { timeout: 180_000 }, async () => {
  const { prng } = toldSeed('fuzz')
  const report = await fuzzDrill({ seconds: 12, prng })
  process.stdout.write(`${JSON.stringify(report)}\n`)
  expect(report.breaches).toEqual([])
  expect(report.turnsOfTheGood).toBeGreaterThan(5)
  // They got through to the APIs, and not all of them.
  expect(report.outcomes.answered).toBeGreaterThan(1_000)
  expect(report.outcomes.closed).toBeGreaterThan(1_000)
  expect(report.neverAnswered.length).toBeLessThan(report.versions / 2)
})
