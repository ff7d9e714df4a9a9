/** A lost disk. The long run: `node test/chaos/run.mjs wipe --times 50 --minio`. */
import { expect, it } from 'vitest'
import { toldSeed } from './support/world.ts'
import { wipeDrill } from './wipe.ts'

/** The default stream interval, and what an upload may take on a busy machine. */
const windowMsMax = 1_000 + 2_000

it('bucket topics lose nothing with the disk, quorum topics at most the last interval', { timeout: 180_000 }, async () => {
  const { prng } = toldSeed('wipe')
  const report = await wipeDrill({ times: 4, prng })
  process.stdout.write(`${JSON.stringify(report)}\n`)
  expect(report.breaches).toEqual([])
  expect(report.acknowledged).toBeGreaterThan(100)
  expect(report.lostBeforeKillMsMax).toBeLessThan(windowMsMax)
  // Each cold start says what may be missing.
  expect(report.statements).toBe(report.wipes)
})

it('a cluster of quorum topics alone loses at most the last interval with the disk', { timeout: 180_000 }, async () => {
  const { prng } = toldSeed('wipe, quorum alone')
  const report = await wipeDrill({ times: 2, prng, quorumAlone: true })
  process.stdout.write(`${JSON.stringify(report)}\n`)
  expect(report.breaches).toEqual([])
  expect(report.lostBeforeKillMsMax).toBeLessThan(windowMsMax)
  expect(report.statements).toBe(report.wipes)
})
