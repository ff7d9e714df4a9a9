/** Owns having `kcat` (librdkafka's command line) and running it. */
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type CommandOutcome, run, runOrThrow, ToolMissing } from '../../../localstack/index.ts'

export const kcatRemedy = 'apt-get install kcat (or your system’s package of that name)'

const find = (): string | undefined =>
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'kcat'))
    .find((path) => existsSync(path))

export const isKcatInstalled = (): boolean => find() !== undefined

export async function installKcat(): Promise<void> {
  if (isKcatInstalled()) return
  const apt = await run({ command: 'apt-get', args: ['--version'] }).catch(() => undefined)
  if (process.getuid?.() !== 0 || apt?.code !== 0) throw new ToolMissing('kcat', 'it is not on the PATH', kcatRemedy)
  // apt has a lock of its own; this makes a second caller wait for it instead of failing.
  const install = {
    command: 'apt-get',
    args: ['install', '-y', '-q', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', 'kcat'],
    env: { DEBIAN_FRONTEND: 'noninteractive' },
    timeoutMs: 10 * 60_000,
  }
  const first = await run(install)
  if (first.code !== 0) {
    await run({ command: 'apt-get', args: ['update', '-q'], timeoutMs: 10 * 60_000 })
    await runOrThrow(install).catch((cause: unknown) => {
      throw new ToolMissing('kcat', 'apt-get could not install it', kcatRemedy, cause)
    })
  }
  process.stderr.write('kcat: installed by apt-get\n')
}

export const kcat = (args: readonly string[], input?: string): Promise<CommandOutcome> =>
  run({ command: find() ?? 'kcat', args, timeoutMs: 60_000, ...(input === undefined ? {} : { input }) })
