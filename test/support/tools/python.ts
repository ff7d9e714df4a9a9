/** Owns the private Python environment with the Kafka clients for Python, and running a script in it. */
import { join } from 'node:path'
import {
  cacheFolder,
  type CommandOutcome,
  installOnce,
  isInstalled,
  run,
  runOrThrow,
  ToolMissing,
} from '../../../localstack/index.ts'

/** With the codecs the pure-Python clients borrow: gzip needs none. */
const packages = [
  'confluent-kafka==2.16.1',
  'kafka-python==3.0.12',
  'aiokafka==0.14.0',
  'cramjam==2.14.0',
  'lz4==4.4.5',
  'python-snappy==0.7.3',
  'zstandard==0.25.0',
]
const fingerprint = packages.join(' ')
const venv = (): string => join(cacheFolder(), 'python-clients')
const marker = (): string => join(venv(), '.installed')

export const pythonPath = (): string => join(venv(), 'bin', 'python')
export const pythonRemedy = 'install Python 3.10–3.13 with its venv module, and let pip reach a package index'
export const isPythonInstalled = (): boolean => isInstalled(marker(), fingerprint)

export async function installPython(): Promise<void> {
  await installOnce({
    tool: 'python-clients',
    marker: marker(),
    fingerprint,
    build: async (progress) => {
      const fail = (missing: string) => (cause: unknown) => {
        throw new ToolMissing('python-clients', missing, pythonRemedy, cause)
      }
      await runOrThrow({ command: 'python3', args: ['-m', 'venv', '--clear', venv()] }).catch(fail('python3 made no environment'))
      await runOrThrow({
        command: pythonPath(),
        args: ['-m', 'pip', 'install', '--no-input', '--disable-pip-version-check', ...packages],
        timeoutMs: 20 * 60_000,
        onLine: progress,
      }).catch(fail('pip could not install the clients'))
    },
  })
}

/** `script` is a path; its input, if any, arrives on standard input. */
export const runPython = (script: string, args: readonly string[], input?: string): Promise<CommandOutcome> =>
  run({
    command: pythonPath(),
    args: ['-u', script, ...args],
    timeoutMs: 120_000,
    env: { PYTHONDONTWRITEBYTECODE: '1' },
    ...(input === undefined ? {} : { input }),
  })
