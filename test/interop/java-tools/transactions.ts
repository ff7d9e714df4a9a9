/** Owns the steps of kafka-transactions and of kafka-features. */
import { expect, it } from 'vitest'
import { waitUntil } from '../../../localstack/index.ts'
import { transactionalPerf } from './clients.ts'
import { type Differential, tools } from './differential.ts'
import { slowMs } from './names.ts'

const transactions = `${tools}.TransactionsCommand`
const ledger = 'ledger'

/** Ids and epochs are each broker's own, and times each moment's; the columns stay. */
const withoutIds = (lines: readonly string[]): string[] => lines.map((line) => line.replace(/\b\d+\b/g, '<number>')).sort()

export function transactionSteps(kafka: Differential): void {
  it('kafka-transactions lists, describes, and finds nothing hanging', { timeout: slowMs }, async () => {
    await kafka.same(transactions, 'list')
    await kafka.same(`${tools}.TopicCommand`, '--create', '--topic', ledger, '--partitions', '1')
    await transactionalPerf(kafka, { topic: ledger, transactionalId: 'desk', records: 40 })
    // A commit is answered before its markers are written.
    const isComplete = async (): Promise<boolean> =>
      (await kafka.both(transactions, ['list'])).every(({ lines }) => lines.join('\n').includes('CompleteCommit'))
    await waitUntil(isComplete, { until: 'the last transaction is complete', timeoutMs: 30_000 })
    const [mine, theirs] = await kafka.both(transactions, ['list'])
    expect(withoutIds(mine.lines)).toEqual(withoutIds(theirs.lines))
    expect(theirs.lines.join('\n')).toContain('CompleteCommit')
    for (const args of [
      ['describe', '--transactional-id', 'desk'],
      ['describe-producers', '--topic', ledger, '--partition', '0'],
    ]) {
      const [here, there] = await kafka.both(transactions, args)
      expect([here.code, withoutIds(here.lines)], args.join(' ')).toEqual([there.code, withoutIds(there.lines)])
      expect(there.code).toBe(0)
    }
    await kafka.same(transactions, 'find-hanging', '--broker-id', '1')
    await kafka.same(transactions, 'find-hanging', '--topic', ledger)
    for (const wrong of [
      ['describe', '--transactional-id', 'nobody'],
      ['abort', '--topic', ledger, '--partition', '0', '--start-offset', '100000'],
      ['abort', '--topic', ledger, '--partition', '0'],
      ['find-hanging'],
    ])
      expect((await kafka.same(transactions, ...wrong)).code, wrong.join(' ')).toBe(1)
    // Nothing of that producer is open: there is nothing to abort.
    await kafka.same(transactions, 'forceTerminateTransaction', '--transactional-id', 'desk')
    await kafka.same(`${tools}.TopicCommand`, '--delete', '--topic', ledger)
  })

  it('kafka-features describes what is finalized', { timeout: slowMs }, async () => {
    const [mine, theirs] = await kafka.both(`${tools}.FeatureCommand`, ['describe'])
    expect([mine.code, theirs.code]).toEqual([0, 0])
    const clientFacing = (lines: readonly string[]): string[] =>
      lines
        .filter((line) => /^Feature: (group|transaction)\.version\b/.test(line))
        .map((line) => line.replace(/Epoch: \d+/, 'Epoch: <number>'))
    expect(clientFacing(theirs.lines)).toHaveLength(2)
    expect(clientFacing(mine.lines)).toEqual(clientFacing(theirs.lines))
  })
}
