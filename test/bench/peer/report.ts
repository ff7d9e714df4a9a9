/** Owns turning duels into figures to read: least, median, most of each side, and how ours stands to the peer's. */
import type { Duel, Side } from './duel.ts'
import { round } from './duel.ts'

export interface Row {
  readonly figure: string
  readonly ours: Spread
  readonly peer: Spread
  /** Median of ours by median of the peer's. */
  readonly ratio: number
}

export interface Spread {
  readonly min: number
  readonly median: number
  readonly max: number
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (index: number): number => sorted[index] ?? Number.NaN
  const middle = (sorted.length - 1) / 2
  return { min: at(0), median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2, max: at(sorted.length - 1) }
}

export function rowsOf({ ours, peer }: Duel): Row[] {
  if (ours.runs.length === 0 || peer.runs.length === 0) return []
  const names = Object.keys(ours.runs[0]?.figures ?? peer.runs[0]?.figures ?? {})
  const valuesOf = (side: Side, name: string): number[] => side.runs.map(({ figures }) => figures[name] ?? Number.NaN)
  return names.map((figure) => {
    const [a, b] = [spread(valuesOf(ours, figure)), spread(valuesOf(peer, figure))]
    return { figure, ours: a, peer: b, ratio: a.median / b.median }
  })
}

export function render(duel: Duel): string {
  const show = ({ min, median, max }: Spread): string => `${round(min)} / ${round(median)} / ${round(max)}`
  const counts = [duel.ours, duel.peer]
    .map(({ kind, runs, discarded }) => `${kind} ${runs.length} runs, ${discarded.length} discarded`)
    .join(' · ')
  const head = ['min / median / max', `${duel.ours.kind} (ours)`, `${duel.peer.kind} (peer)`, 'ours : peer']
  const title = `${duel.load}   (${counts})`
  if (rowsOf(duel).length === 0)
    return `${title}\n  no undisturbed pair: run it on a quiet machine, or raise --other-cpu-max and say so\n`
  const body = rowsOf(duel).map((row) => [
    row.figure,
    show(row.ours),
    show(row.peer),
    Number.isNaN(row.ratio) ? '–' : row.ratio.toFixed(2),
  ])
  const table = [head, ...body]
  const widths = head.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)))
  const lines = table.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
  return [title, ...lines, ''].join('\n')
}
