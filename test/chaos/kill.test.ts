/** Sudden death on an intact disk. The long run: `node test/chaos/run.mjs kill --times 200`. */
import { expect, it } from 'vitest'
import { killDrill } from './kill.ts'
import { toldSeed } from './support/world.ts'

it('nothing acknowledged is lost and nothing appears twice over 15 kills at random moments', { timeout: 180_000 }, async () => {
  const { prng } = toldSeed('kill')
  const report = await killDrill({ times: 15, prng })
  process.stdout.write(`${JSON.stringify(report)}\n`)
  expect(report.breaches).toEqual([])
  expect(report.acknowledged).toBeGreaterThan(100)
  expect(report.commits).toBeGreaterThan(0)
  // The load met the kills: answers were lost, and the batches sent once more.
  expect(report.resent).toBeGreaterThan(0)
})
