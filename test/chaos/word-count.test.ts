/** Kafka Streams, exactly once, under sudden death. The long run: `npm run chaos -- words`. */
import { expect, it } from 'vitest'
import { describeWithTools } from '../support/tools/tools.ts'
import { toldSeed } from './support/world.ts'
import { wordCountDrill } from './word-count.ts'

describeWithTools(['kafka'], 'A word count with Kafka Streams, exactly once:', () => {
  it('every word is counted once, in order, while application and broker die', { timeout: 400_000 }, async () => {
    const { prng } = toldSeed('word count')
    const report = await wordCountDrill({ times: 3, prng })
    process.stdout.write(`${JSON.stringify(report)}\n`)
    expect(report.breaches).toEqual([])
    expect(report.words).toBe(3 * 300 * 5)
  })
})
