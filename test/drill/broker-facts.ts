/** Owns what a drill learns about a broker from outside: its metrics, the report it logs at start, its memory. */
import { waitUntil } from '../../localstack/index.ts'
import type { Broker } from '../support/tools/broker.ts'
import { processUsage } from '../support/tools/process-usage.ts'

export interface Metrics {
  /** The sum over all labels. */
  total(name: string): number
  byLabel(name: string): Readonly<Record<string, number>>
}

export async function scrape(broker: Broker): Promise<Metrics> {
  const response = await fetch(`http://127.0.0.1:${broker.httpPort}/metrics`, { signal: AbortSignal.timeout(10_000) })
  if (!response.ok) throw new Error(`/metrics answered ${response.status}`)
  const rows = [...(await response.text()).matchAll(/^([a-z_]+)(?:\{([^}]*)\})? (\S+)$/gm)]
  const of = (name: string): RegExpMatchArray[] => {
    const found = rows.filter(([, one]) => one === name)
    if (found.length === 0) throw new Error(`there is no metric ${name}`)
    return found
  }
  return {
    total: (name) => of(name).reduce((sum, [, , , value]) => sum + Number(value), 0),
    byLabel: (name) =>
      Object.fromEntries(of(name).map(([, , labels = '', value]) => [/"([^"]*)"/.exec(labels)?.[1] ?? '', Number(value)])),
  }
}

/** A condition, not a time: everything that was acknowledged is in the bucket. */
export async function untilStreamed(broker: Broker, timeoutMs = 120_000): Promise<void> {
  await waitUntil(async () => (await scrape(broker)).total('chronik_stream_pending_bytes') === 0, {
    until: 'everything acknowledged to be in the bucket',
    timeoutMs,
    everyMs: 50,
  })
}

export interface RecoveryFacts {
  readonly mode: string
  readonly durationMs: number
  readonly requests: number
  readonly phases: ReadonlyArray<{ readonly phase: string; readonly durationMs: number; readonly requests: number }>
  readonly records: number
  readonly segments: number
  readonly walObjects: number
  readonly lines: readonly string[]
}

/** The report of the newest start in the log. */
export function recoveryFacts(broker: Broker): RecoveryFacts {
  const lines = broker
    .logs()
    .split('\n')
    .filter((line) => line.includes('"recovery":true'))
    .map((line) => (JSON.parse(line) as { msg?: string; message?: string }).msg ?? '')
  const begin = lines.findLastIndex((line) => /^(fresh|resume|cold-start) of cluster /.test(line))
  if (begin < 0) throw new Error('the broker logged no recovery report')
  const [first = '', counts = '', times = '', ...rest] = lines.slice(begin)
  const number = (pattern: RegExp, line: string): number => Number(pattern.exec(line)?.[1] ?? Number.NaN)
  const phases = [...times.matchAll(/([a-z-]+) (\d+) ms\/(\d+)/g)]
  return {
    mode: first.split(' ')[0] ?? '',
    durationMs: number(/^(\d+) ms/, times),
    requests: number(/(\d+) requests/, times),
    phases: phases.map(([, phase = '', durationMs, requests]) => ({
      phase,
      durationMs: Number(durationMs),
      requests: Number(requests),
    })),
    records: number(/(\d+) records/, counts),
    segments: number(/(\d+) segments/, counts),
    walObjects: number(/(\d+) WAL objects/, counts),
    lines: [first, counts, times, ...rest],
  }
}

export const memoryOf = (broker: Broker): { residentMb: number; residentMbMax: number } => {
  const { residentBytes, residentBytesMax } = processUsage(broker.pid())
  return { residentMb: Math.round(residentBytes / 1e6), residentMbMax: Math.round(residentBytesMax / 1e6) }
}
