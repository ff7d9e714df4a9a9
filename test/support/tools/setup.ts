/**
 * Owns the command that installs the tools of the tests. A tool that cannot be had is told with its remedy; it is an error if it
 * was asked for by name or under CI=true, and otherwise leaves the tests that need it skipped.
 */
import { parseArgs } from 'node:util'
import { cacheFolder } from '../../../localstack/index.ts'
import { type Tool, tools } from './tool-list.ts'

const help = `usage: node test/support/tools/setup.mjs [--only NAME,NAME…] [--list] [--json] [--help]

Installs the tools of the tests into ${cacheFolder()} (elsewhere: CHRONIK_TOOLS_DIR). What is there already is left alone.

${tools.map(({ name, purpose, ...rest }) => `  ${name.padEnd(11)} ${purpose}${'optional' in rest ? ' (only when named, or under CI=true)' : ''}`).join('\n')}

exit codes: 0 all there (or, without --only and CI=true, some missing and told) · 1 missing · 2 wrong usage
`

export async function main(argv: readonly string[]): Promise<number> {
  let values
  try {
    ;({ values } = parseArgs({
      args: [...argv],
      options: { only: { type: 'string' }, list: { type: 'boolean' }, json: { type: 'boolean' }, help: { type: 'boolean' } },
    }))
  } catch (error) {
    process.stderr.write(`setup: ${(error as Error).message}\n`)
    return 2
  }
  if (values.help === true) return tell(help, 0)
  const all: readonly Tool[] = tools
  const named = values.only?.split(',').map((name) => name.trim())
  const unknown = named?.filter((name) => !all.some((tool) => tool.name === name)) ?? []
  if (unknown.length > 0) {
    process.stderr.write(`setup: no tool is called ${unknown.join(', ')}; see --help\n`)
    return 2
  }
  const onCi = process.env['CI'] === 'true'
  const wanted = all.filter((tool) => (named === undefined ? onCi || tool.optional !== true : named.includes(tool.name)))
  const problems = values.list === true ? new Map<string, string>() : await installAll(wanted)
  const rows = wanted.map((tool) => ({
    name: tool.name,
    installed: tool.isInstalled(),
    problem: problems.get(tool.name) ?? null,
  }))
  const missing = rows.filter(({ installed }) => !installed)
  if (values.json === true) tell(`${JSON.stringify({ folder: cacheFolder(), tools: rows })}\n`, 0)
  else for (const { name, installed } of rows) tell(`${installed ? 'here   ' : 'missing'} ${name}\n`, 0)
  for (const { problem } of rows) if (problem !== null) process.stderr.write(`${problem}\n`)
  const strict = named !== undefined || onCi
  return missing.length > 0 && (strict || values.list === true) ? 1 : 0
}

/** One after the other: each download or build is content to have the machine to itself. */
async function installAll(wanted: readonly Tool[]): Promise<Map<string, string>> {
  const problems = new Map<string, string>()
  for (const tool of wanted) {
    try {
      await tool.install()
    } catch (error) {
      problems.set(tool.name, error instanceof Error ? error.message : String(error))
    }
  }
  return problems
}

function tell(text: string, exitCode: number): number {
  process.stdout.write(text)
  return exitCode
}
