// Owns running clients' own suites against our broker and Apache Kafka, and telling where they differ.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startBroker } from '../support/tools/broker.ts'
import { startApacheKafka } from '../support/tools/kafka.ts'
import { kafkaPython } from './kafka-python.ts'
import { exclusionOf, type Results, type Suite } from './suite.ts'

const suites: readonly Suite[] = [kafkaPython]

const help = `usage: node test/compat/run.mjs SUITE [options]

A client library's own integration suite, unmodified, against a broker of ours and a real Apache Kafka. Build first: npm run build.

${suites.map(({ name, about }) => `  ${name.padEnd(14)} ${about}`).join('\n')}

options
  --against chronik|kafka|both   default both
  --only TEXT                    tests whose name contains it
  --list                         what is excluded, and why
  --json                         one JSON object on standard output
  --help
exit codes: 0 nothing fails here that passes on Apache Kafka, but what is excluded · 1 something does · 2 wrong usage
`

const sides = ['chronik', 'kafka'] as const
type Side = (typeof sides)[number]

export interface Verdict {
  readonly results: Readonly<Partial<Record<Side, Results>>>
  /** Fail here and not there, without a reason. */
  readonly findings: readonly string[]
}

export async function main(argv: readonly string[]): Promise<number> {
  let given
  try {
    const text = { type: 'string' } as const
    const flag = { type: 'boolean' } as const
    const options = { against: text, only: text, list: flag, json: flag, help: flag }
    given = parseArgs({ args: [...argv], allowPositionals: true, options })
  } catch (cause) {
    process.stderr.write(`compat: ${(cause as Error).message}\n`)
    return 2
  }
  const { values, positionals } = given
  const suite = suites.find(({ name }) => name === positionals[0])
  const against = sides.filter((side) => [side, 'both'].includes(values.against ?? 'both'))
  if (values.help === true || suite === undefined || against.length === 0) {
    process.stdout.write(help)
    return values.help === true ? 0 : 2
  }
  if (values.list === true) {
    for (const [name, because] of suite.excluded) process.stdout.write(`${name}: ${because}\n`)
    return 0
  }
  const onLine = process.stderr.isTTY ? (line: string): void => void process.stderr.write(`${line.slice(0, 120)}\n`) : undefined
  const verdict = await judge(suite, {
    against,
    ...(values.only === undefined ? {} : { only: values.only }),
    ...(onLine === undefined ? {} : { onLine }),
  })
  if (values.json === true) process.stdout.write(`${JSON.stringify(plainOf(suite, verdict), null, 2)}\n`)
  else process.stdout.write(render(suite, verdict))
  return verdict.findings.length === 0 ? 0 : 1
}

export interface CompatOrder {
  readonly against: readonly Side[]
  readonly only?: string
  readonly onLine?: (line: string) => void
}

/** Without a run against Kafka all that is not excluded has to pass. */
export async function judge(suite: Suite, { against, ...order }: CompatOrder): Promise<Verdict> {
  await suite.install()
  const results: Partial<Record<Side, Results>> = {}
  for (const side of against) results[side] = await runAgainst(suite, side, order)
  const findings = [...(results.chronik ?? [])].flatMap(([test, outcome]) => {
    if (outcome !== 'failed' || exclusionOf(suite, test) !== undefined) return []
    const there = results.kafka === undefined ? 'passed' : (results.kafka.get(test) ?? 'not run')
    return there === 'failed' ? [] : [test]
  })
  return { results, findings }
}

async function runAgainst(suite: Suite, side: Side, order: Omit<CompatOrder, 'against'>): Promise<Results> {
  if (side === 'chronik') {
    const broker = await startBroker({ extra: suite.chronikArgs })
    try {
      return await suite.run({ port: broker.kafkaPort, ...order })
    } finally {
      await broker.stop()
    }
  }
  const dir = mkdtempSync(join(tmpdir(), 'chronik-compat-kafka-'))
  const kafka = await startApacheKafka({ dir, overrides: suite.kafkaOverrides })
  try {
    return await suite.run({ port: kafka.port, ...order })
  } finally {
    await kafka.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

const countsOf = (results: Results): string =>
  (['passed', 'failed', 'skipped'] as const)
    .map((outcome) => `${[...results.values()].filter((one) => one === outcome).length} ${outcome}`)
    .join(', ')

function render(suite: Suite, { results, findings }: Verdict): string {
  const lines = [suite.about]
  for (const side of sides) {
    const of = results[side]
    if (of !== undefined) lines.push(`  ${side.padEnd(8)} ${countsOf(of)}`)
  }
  for (const [test, outcome] of results.chronik ?? []) {
    const there = results.kafka?.get(test)
    const because = exclusionOf(suite, test)
    if (outcome === 'failed' || (there !== undefined && there !== outcome))
      lines.push(`  ${test}: ${outcome} here, ${there ?? 'not run'} on Kafka${because === undefined ? '' : ` (${because})`}`)
  }
  lines.push(findings.length === 0 ? 'no findings' : `${findings.length} findings`, '')
  return lines.join('\n')
}

const plainOf = (suite: Suite, { results, findings }: Verdict): object => ({
  suite: suite.about,
  results: Object.fromEntries(Object.entries(results).map(([side, of]) => [side, Object.fromEntries(of)])),
  excluded: Object.fromEntries(suite.excluded),
  findings,
})
