/**
 * Owns the private Python environment LocalStack runs in: which interpreter, which pins, where. Needs no Docker, no account.
 */
import { join } from 'node:path'
import { run, runOrThrow } from './child-process.ts'
import { cacheFolder, installOnce, isInstalled, ToolMissing } from './tool-cache.ts'

interface Pins {
  readonly localstack: string
  /** The first of these interpreters that exists is used. */
  readonly interpreters: readonly string[]
  /** Newer ones of these break the release named above: it starts, says it is healthy, and fails. */
  readonly packages: readonly string[]
}

const companions = ['cbor2<6', 'pyOpenSSL<26', 'service-identity<26'] as const

/**
 * Tried pairs only. 4.14.0 on 3.11 is healthy and answers 500 to every S3 call; 2026.3.0 fails on 3.12. On 3.10 and 3.12 the
 * release tested on 3.11 is used, which is the best guess there is.
 */
const pinsByPython: Readonly<Record<string, string>> = {
  '3.11': '4.13.1',
  '3.13': '2026.3.0',
  '3.10': '4.13.1',
  '3.12': '4.13.1',
}

const pinsFor = (python: string): Pins => ({
  localstack: pinsByPython[python] ?? '',
  interpreters: [`python${python}`, 'python3', 'python'],
  packages: [`localstack-core[base-runtime]==${pinsByPython[python] ?? ''}`, ...companions],
})

const venvFolder = (): string => join(cacheFolder(), 'localstack', 'venv')
const marker = (): string => join(venvFolder(), '.installed')
const fingerprintOf = (python: string): string => `python ${python} ${pinsFor(python).packages.join(' ')}`

export const localStackPython = (): string => join(venvFolder(), 'bin', 'python')

export const isLocalStackInstalled = (): boolean =>
  Object.keys(pinsByPython).some((python) => isInstalled(marker(), fingerprintOf(python)))

export const localStackRemedy =
  'install Python 3.11 (3.10, 3.12 and 3.13 may do) with its venv module, or name a LocalStack that runs: CHRONIK_LOCALSTACK_ENDPOINT'

export async function installLocalStack(): Promise<void> {
  if (isLocalStackInstalled()) return
  const { python, interpreter } = await findInterpreter()
  await installOnce({
    tool: 'localstack',
    marker: marker(),
    fingerprint: fingerprintOf(python),
    build: async (progress) => {
      const venv = venvFolder()
      await runOrThrow({ command: interpreter, args: ['-m', 'venv', '--clear', venv] }).catch((cause: unknown) => {
        throw new ToolMissing('localstack', `${interpreter} cannot make a virtual environment`, 'install its venv module', cause)
      })
      await runOrThrow({
        command: join(venv, 'bin', 'python'),
        args: ['-m', 'pip', 'install', '--no-input', '--disable-pip-version-check', ...pinsFor(python).packages],
        timeoutMs: 20 * 60_000,
        onLine: progress,
      }).catch((cause: unknown) => {
        throw new ToolMissing(
          'localstack',
          'pip could not install it',
          'see the output above; is a package index reachable?',
          cause,
        )
      })
    },
  })
}

async function findInterpreter(): Promise<{ python: string; interpreter: string }> {
  for (const python of Object.keys(pinsByPython)) {
    for (const interpreter of pinsFor(python).interpreters) {
      const asked = await run({ command: interpreter, args: ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'] }).catch(
        () => undefined,
      )
      if (asked?.code === 0 && asked.stdout.trim() === python) return { python, interpreter }
    }
  }
  throw new ToolMissing('localstack', 'no Python 3.10–3.13 found', localStackRemedy)
}
