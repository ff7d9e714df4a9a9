/** Transactions under sudden death. The long runs: `npm run chaos -- bank`, and `-- bank --wipe`. */
import { expect, it } from 'vitest'
import { describeWithTools } from '../support/tools/tools.ts'
import { bankDrill } from './bank.ts'
import { toldSeed } from './support/world.ts'

describeWithTools(['python'], 'A bank whose tellers book in transactions:', () => {
  it.each([
    { what: 'dies', wipe: false },
    { what: 'dies and loses its disk, with everything in the bucket', wipe: true },
  ])('each order is booked once in both accounts while the broker $what', { timeout: 400_000 }, async ({ wipe }) => {
    const { prng } = toldSeed(wipe ? 'bank --wipe' : 'bank')
    const report = await bankDrill({ times: 3, prng, wipe, onDeath: (line) => process.stdout.write(`${line}\n`) })
    process.stdout.write(`${JSON.stringify(report)}\n`)
    expect(report.breaches).toEqual([])
    expect(report.bookings).toBe(report.orders * 2)
    // The deaths met the tellers at work.
    expect(report.transactionsEnded).toBeGreaterThan(5)
    expect(report.deathsUnderWay).toBeGreaterThan(0)
  })
})
