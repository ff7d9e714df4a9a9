/** Owns the drill's command line. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { brokerProgram, brokerRemedy, isBrokerBuilt } from '../support/tools/broker.ts'
import { BrokenOff, drill, type DrillReport } from './drill.ts'
import { Tables } from './data/tables.ts'
import { Phases } from './phases.ts'
import { render } from './report.ts'
import { type StoreName, storeNames } from './stores.ts'

/** So many that a million are still there to be compared after retention took its part. */
const recordsUsual = 1_050_000
export const recordsQuick = 20_000
/** One stream interval, and as much again for the upload that was under way. */
export const quorumWindowMsUsual = 2_000
/** Three intervals: what is lost is the end of it, not all. */
const burstMs = 3_000

const help = `usage: npm run drill -- [options]

Loads a topic set of real data through three Kafka clients, has two groups read it, kills the broker with kill -9, deletes its disk,
starts it again on nothing but the bucket, and compares every batch, offset, time, config, group and committed offset. Then it does
the same once more in the midst of producing, and judges what was lost.

  --store NAME       localstack, minio or local; may be repeated; default localstack, then minio
  --records N        records sent; default ${recordsUsual}
  --quick            ${recordsQuick} records
  --seed N           another part of the data, another moment of the second kill; default 1
  --window-ms N      what a quorum topic may lose, before the kill; default ${quorumWindowMsUsual}
  --json             one JSON object on standard output
  --keep             leave the folder with the report, the broker's log and MinIO's data, and say where it is
  --help

Progress goes to standard error.
exit codes: 0 no difference · 1 a difference, each named in the report, or the broker did not come back to be compared · 2 wrong\nusage · 3 the drill could not be carried out so far as to crash anything
`

class WrongUsage extends Error {}

export async function main(argv: readonly string[]): Promise<number> {
  try {
    return await dispatch(argv)
  } catch (error) {
    process.stderr.write(`drill: ${error instanceof Error ? describe(error) : String(error)}\n`)
    if (error instanceof WrongUsage) return 2
    return error instanceof BrokenOff ? 1 : 3
  }
}

function describe(error: Error): string {
  if (error instanceof WrongUsage) return error.message
  const { cause } = error
  return `${error.stack ?? error.message}${cause instanceof Error ? `\ncause: ${cause.message}` : ''}`
}

async function dispatch(argv: readonly string[]): Promise<number> {
  const values = parse(argv)
  if (values.help === true) {
    process.stdout.write(help)
    return 0
  }
  const stores = (values.store ?? ['localstack', 'minio']).map((name) => {
    if (!(storeNames as readonly string[]).includes(name)) throw new WrongUsage(`--store ${name}: ${storeNames.join(', ')}`)
    return name as StoreName
  })
  const records = whole(values.records ?? String(values.quick === true ? recordsQuick : recordsUsual), '--records', 1)
  const seed = whole(values.seed ?? '1', '--seed', 0)
  const quorumWindowMsMax = whole(values['window-ms'] ?? String(quorumWindowMsUsual), '--window-ms', 1)
  if (!isBrokerBuilt()) throw new Error(`there is no ${brokerProgram()}. Remedy: ${brokerRemedy}`)
  const reports: DrillReport[] = []
  const tables = new Tables(findRoot())
  for (const store of stores) {
    const folder = mkdtempSync(join(tmpdir(), `chronik-drill-${store}-`))
    try {
      const phases = new Phases(`drill ${store}`, process.stderr)
      const report = await drill({ store, records, seed, tables, folder, quorumWindowMsMax, burstMs, phases })
      reports.push(report)
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, 'report.json'), `${JSON.stringify(report, null, 2)}\n`)
      if (values.json !== true) process.stdout.write(render(report))
    } finally {
      if (values.keep === true) process.stderr.write(`drill ${store}: kept ${folder}\n`)
      else rmSync(folder, { recursive: true, force: true })
    }
  }
  if (values.json === true) process.stdout.write(`${JSON.stringify({ drills: reports })}\n`)
  return reports.every(({ differences }) => differences.length === 0) ? 0 : 1
}

function parse(argv: readonly string[]) {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  try {
    return parseArgs({
      args: [...argv],
      options: {
        store: { type: 'string', multiple: true },
        records: text,
        seed: text,
        'window-ms': text,
        quick: flag,
        json: flag,
        keep: flag,
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (cause) {
    throw new WrongUsage(`${(cause as Error).message} (see --help)`, { cause })
  }
}

function whole(text: string, option: string, least: number): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < least)
    throw new WrongUsage(`${option} ${text}: a whole number from ${least} is needed`)
  return value
}

/** The program runs bundled or in a test; both lie below the root. */
export function findRoot(folder = import.meta.dirname): string {
  return existsSync(join(folder, 'package.json')) ? folder : findRoot(dirname(folder))
}
