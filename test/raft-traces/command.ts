// Owns running the core against a folder of traces, and telling the first difference of each that fails.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { differenceIn } from './compare.ts'
import type { TraceFile } from './trace-file.ts'

const help = `usage: node test/raft-traces/run.mjs DIR [options]

Runs the Raft core against recordings of a reference, every *.json under DIR, at level 3: every event in order, all state.

options
  --only TEXT   files whose name contains it
  --json        one JSON object on standard output
  --help
exit codes: 0 all passed · 1 some failed · 2 wrong usage
`

const filesUnder = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .map((name) => join(dir, name))
    .sort()

export function main(argv: readonly string[]): number {
  let given
  try {
    const options = { only: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean' } } as const
    given = parseArgs({ args: [...argv], allowPositionals: true, options })
  } catch (cause) {
    process.stderr.write(`raft:traces: ${(cause as Error).message}\n`)
    return 2
  }
  const { values, positionals } = given
  const [dir] = positionals
  if (values.help === true || dir === undefined) {
    process.stdout.write(help)
    return values.help === true ? 0 : 2
  }
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true) {
    process.stderr.write(`raft:traces: ${dir} is not a folder\n`)
    return 2
  }
  const failed: Record<string, string> = {}
  let passed = 0
  for (const file of filesUnder(dir)) {
    const name = relative(dir, file)
    if (values.only !== undefined && !name.includes(values.only)) continue
    const difference = differenceOf(file)
    if (difference === undefined) passed += 1
    else failed[name] = difference
  }
  const failures = Object.entries(failed)
  if (values.json === true) process.stdout.write(`${JSON.stringify({ passed, failed }, null, 2)}\n`)
  else {
    for (const [name, difference] of failures) process.stdout.write(`${name}: ${difference}\n`)
    process.stdout.write(`${passed} passed, ${failures.length} failed\n`)
  }
  return failures.length === 0 && passed > 0 ? 0 : 1
}

function differenceOf(file: string): string | undefined {
  try {
    return differenceIn(JSON.parse(readFileSync(file, 'utf8')) as TraceFile)
  } catch (error) {
    return `cannot be read: ${(error as Error).message}`
  }
}
