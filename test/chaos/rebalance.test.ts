/** A small crowd; the whole one: `npm run chaos -- rebalance`, and beside Apache Kafka: `npm run bench -- groups`. */
import { describe, expect, it } from 'vitest'
import { describeWithTools } from '../support/tools/tools.ts'
import { rebalanceOurs } from './rebalance.ts'
import { CrowdLedger } from './support/crowd-ledger.ts'
import { toldSeed } from './support/world.ts'

describeWithTools(['kafka'], 'A crowd of consumers:', () => {
  it('loses no record and sees none again that was committed, in both protocols', { timeout: 400_000 }, async () => {
    const { prng } = toldSeed('rebalance')
    const { breaches, protocols } = await rebalanceOurs({ times: 1, prng, members: 10, partitions: 24 })
    process.stdout.write(`${JSON.stringify(protocols)}\n`)
    expect(breaches).toEqual([])
    for (const { seen, settledMs } of Object.values(protocols)) {
      expect(seen).toBeGreaterThan(100)
      expect(Object.values(settledMs).every((took) => took.length === 1)).toBe(true)
    }
  })
})

describe('The ledger of a crowd', () => {
  const judged = (lines: readonly string[]): readonly string[] => {
    const ledger = new CrowdLedger(2)
    for (const line of lines) ledger.take(line)
    return ledger.breaches
  }
  const first = ['assigned a 0,1', 'got a 0 0 4', 'committed a 0 5', 'got a 0 5 6']

  it('takes what a commit did not cover seen again for what it is', () => {
    expect(judged([...first, 'revoked a 0', 'assigned b 0', 'got b 0 5 9'])).toEqual([])
  })
  it.each([
    ['a committed record seen again', ['revoked a 0', 'assigned b 0', 'got b 0 4 9']],
    ['a record nobody saw', ['revoked a 0', 'assigned b 0', 'got b 0 8 9']],
    ['a member that jumps', ['got a 0 8 9']],
    ['a partition with two owners', ['assigned b 0']],
    ['a record of a partition that was revoked', ['revoked a 0', 'got a 0 7 7']],
    ['a record that was not written', ['unsent TimeoutException']],
  ])('finds %s', (_, lines) => {
    expect(judged([...first, ...lines])).not.toEqual([])
  })
  it('knows a settled crowd, and one that has seen everything', () => {
    const ledger = new CrowdLedger(2)
    for (const line of first) ledger.take(line)
    expect(ledger.isSettled(new Set(['a']))).toBe(true)
    expect(ledger.isSettled(new Set(['a', 'b']))).toBe(false)
    for (const line of ['end 0 8', 'ended']) ledger.take(line)
    expect(ledger.isDone).toBe(false)
    ledger.take('got a 0 7 7')
    expect(ledger.isDone).toBe(true)
  })
})
