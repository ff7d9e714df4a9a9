/** A node that was only asleep. The long run: `node test/chaos/run.mjs zombie --times 10 --minio`. */
import { expect, it } from 'vitest'
import { startMinio } from '../support/tools/minio.ts'
import { describeWithTools } from '../support/tools/tools.ts'
import { toldSeed } from './support/world.ts'
import { zombieDrill } from './zombie.ts'

/** The default stream interval, and what an upload may take on a busy machine. */
const windowMsMax = 1_000 + 2_000

describeWithTools(['minio'], 'zombies', () => {
  it(
    'a zombie acknowledges nothing, deletes nothing, and ends naming the life that fenced it',
    { timeout: 180_000 },
    async () => {
      const { prng } = toldSeed('zombie')
      const minio = await startMinio()
      try {
        await minio.createBucket('chaos')
        const { endpoint, accessKey, secretKey } = minio
        const report = await zombieDrill({
          times: 2,
          prng,
          store: { kind: 's3', endpoint, bucket: 'chaos', accessKey, secretKey },
        })
        process.stdout.write(`${JSON.stringify(report)}\n`)
        expect(report.breaches).toEqual([])
        expect(report.lostBeforeStopMsMax).toBeLessThan(windowMsMax)
        expect(report.asked).toBeGreaterThan(0)
        expect(report.bySilence).toBe(1)
      } finally {
        await minio.stop()
      }
    },
  )
})
