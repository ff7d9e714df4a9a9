// Owns the proof, in a few seeds of each profile, that the groups of several nodes keep what they promise; `npm run sim` runs thousands.

import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { mutants } from './mutants.mjs'
import { profiles, simulate } from './simulation.ts'

it.each(profiles)('under %s every invariant holds, and all comes together again', { timeout: 60_000 }, async (profile) => {
  for (let seed = 1; seed <= 4; seed += 1) {
    const { breach, schedule, counts } = await simulate({ seed, profile, faultyMs: 3_000 })
    expect(breach, `seed ${seed}\n${schedule.join('\n')}`).toBeUndefined()
    expect(counts['acknowledged']).toBeGreaterThan(0)
  }
})

it('one seed is one run', { timeout: 60_000 }, async () => {
  const [first, second] = [await simulate({ seed: 12, faultyMs: 2_000 }), await simulate({ seed: 12, faultyMs: 2_000 })]
  expect(second).toEqual(first)
})

it.each(mutants)('the place of the planted fault “$name” is there', ({ file, find }) => {
  expect(readFileSync(file, 'utf8').split(find)).toHaveLength(2)
})
