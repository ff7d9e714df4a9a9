// The drill, with a small load: against every store it finds no difference, and it finds one when the bucket is robbed.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { describeWithTools } from '../support/tools/tools.ts'
import { findRoot, main, quorumWindowMsUsual } from './command.ts'
import { Tables } from './data/tables.ts'
import { BrokenOff, drill, type DrillOrder, type DrillReport } from './drill.ts'
import { Phases } from './phases.ts'
import type { StoreName } from './stores.ts'

const records = 4_000
/** The work takes some 20 s where nothing else runs. */
const timeoutMs = 240_000

const tables = new Tables(findRoot())
let folder = ''
let told = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chronik-drill-test-'))
  told = ''
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const run = (store: StoreName, more: Partial<DrillOrder> = {}): Promise<DrillReport> => {
  const phases = new Phases(store, { write: (text: string) => (told += text) })
  return drill({
    store,
    records,
    burstMs: 1_500,
    seed: 7,
    tables,
    folder,
    quorumWindowMsMax: quorumWindowMsUsual,
    phases,
    ...more,
  })
}

function expectWhole(report: DrillReport): void {
  expect(report.differences).toEqual([])
  expect(report.compared.topics).toBeGreaterThan(24)
  expect(report.compared.records).toBeGreaterThanOrEqual(report.sent.records)
  expect(report.compared.groups).toBe(3)
  expect(report.coldStart.recovery.mode).toBe('cold-start')
  expect(report.withoutWaiting.map(({ coldStart }) => coldStart.recovery.mode)).toEqual(['cold-start', 'cold-start'])
  // The crashes were in the midst of something.
  for (const { loss } of report.withoutWaiting) expect(loss.quorum.acknowledgedRecords).toBeGreaterThan(0)
  expect(report.withoutWaiting[1]?.loss.bucket.acknowledgedRecords).toBeGreaterThan(0)
}

describeWithTools(['python'], 'the drill with a folder as bucket', () => {
  it('finds no difference after the disk is gone', async () => expectWhole(await run('local')), timeoutMs)

  it(
    'finds what is missing when the newest object of records is gone too',
    async () => {
      const robbed: string[] = []
      const attempt = run('local', {
        isComparisonOnly: true,
        sabotage: (bucket) => robbed.push(...removeNewest(bucket, robbed.length > 0)),
      })
      const outcome = await attempt.catch((error: unknown) => error)
      expect(robbed).toHaveLength(1)
      if (outcome instanceof BrokenOff) return
      const { differences } = outcome as DrillReport
      expect(differences.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['batches-missing', 'end-offset']))
    },
    timeoutMs,
  )

  it('tells what it does, and does nothing, with --help or a wrong option', async () => {
    expect(await main(['--help'])).toBe(0)
    expect(await main(['--store', 'tape'])).toBe(2)
    expect(await main(['--records', 'many'])).toBe(2)
    expect(await main(['--nonsense'])).toBe(2)
  })
})

describeWithTools(['python', 'minio'], 'the drill with MinIO', () => {
  it('finds no difference after the disk is gone', async () => expectWhole(await run('minio')), timeoutMs)
})

describeWithTools(['python', 'localstack'], 'the drill with LocalStack', () => {
  it(
    'finds no difference after the disk is gone, and tells each phase in a line',
    async () => {
      expectWhole(await run('localstack'))
      expect(told).toMatch(/^localstack: kill -9, wipe the disk, cold start, \d+\.\d s$/m)
    },
    timeoutMs,
  )
})

/** The last WAL object of the first life's data, once. */
function removeNewest(bucket: string, isDone: boolean): string[] {
  if (isDone) return []
  const objects = readdirSync(bucket, { recursive: true, encoding: 'utf8' }).filter((path) =>
    /^wal\/.*\d{16}\.object$/.test(path),
  )
  const newest = objects.sort().at(-1)
  if (newest === undefined) throw new Error('there is no WAL object to remove')
  rmSync(join(bucket, newest))
  return [newest]
}
