// Owns the small things every drill of this folder needs: a seed that is told, folders that go, metrics, the words of a dead broker.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Prng, seededPrng } from '../../../src/base/prng.ts'
import type { Broker } from '../../support/tools/broker.ts'
import { type Judgement, judge, type LaneRecord } from './ledger.ts'
import { readPartition } from './requests.ts'
import { Wire } from './wire.ts'

/** CHRONIK_SEED repeats a run, as far as real processes can be repeated. */
export function toldSeed(title: string): { readonly seed: number; readonly prng: Prng } {
  const given = process.env['CHRONIK_SEED']
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given)
  process.stdout.write(`${title}: CHRONIK_SEED=${seed}\n`)
  return { seed, prng: seededPrng(seed) }
}

export function scratchFolder(): { readonly dir: string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), 'chronik-chaos-'))
  return {
    dir,
    remove: () => {
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** The sum over all label sets of one metric that begin so (`name`, or `name{label="x"`); undefined when it is not exposed. */
export async function metric(broker: Pick<Broker, 'httpPort'>, name: string): Promise<number | undefined> {
  const response = await fetch(`http://127.0.0.1:${broker.httpPort}/metrics`, { signal: AbortSignal.timeout(5_000) })
  const lines = (await response.text())
    .split('\n')
    .filter((line) => line.startsWith(name) && /[{ ,]/.test(line.charAt(name.length)))
  if (lines.length === 0) return undefined
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}

/** Settings that make a node quick to turn over: small files, frequent objects and snapshots. */
export const quickSettings = [
  ...[
    '--wal-file-bytes',
    '1MiB',
    '--wal-budget-bytes',
    '64MiB',
    '--wal-retain-bytes',
    '2MiB',
    '--kafka-request-bytes-max',
    '900KiB',
  ],
  ...['--segment-bytes-max', '1MiB', '--segment-age-ms-max', '2s', '--snapshot-interval-ms', '2s'],
  ...['--groups-offsets-partitions', '2', '--log-format', 'json'],
] as const

export const totalOf = (judgements: readonly Judgement[]): Omit<Judgement, 'breaches' | 'lost'> => {
  const sum = (of: (one: Judgement) => number): number => judgements.reduce((total, one) => total + of(one), 0)
  return {
    acknowledged: sum((one) => one.acknowledged),
    found: sum((one) => one.found),
    unacknowledged: sum((one) => one.unacknowledged),
  }
}

/** Reads every partition that the lanes wrote to and judges it. */
export async function judgeAll(port: number, lanes: readonly LaneRecord[]): Promise<readonly Judgement[]> {
  const wire = await Wire.connect(port)
  try {
    const judgements: Judgement[] = []
    for (const place of new Set(lanes.map(({ topic, partition }) => `${topic}-${partition}`))) {
      const own = lanes.filter(({ topic, partition }) => `${topic}-${partition}` === place)
      const { topic, partition } = own[0]!
      const { records } = await readPartition(wire, topic, partition)
      judgements.push(judge(place, own, records))
    }
    return judgements
  } finally {
    wire.close()
  }
}
