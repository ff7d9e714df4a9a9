/**
 * Owns the command line of localstack/: start, stop, status, bucket. One LocalStack per port; what runs is remembered in the cache
 * folder by pid and start time, so that `stop` ends the process it started and no other.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { isSameProcessAlive, processStartTime, signalGroup, waitUntil } from './child-process.ts'
import { createLocalStackBucket, isLocalStackReady, localStackHome, localStackLog, startLocalStack } from './local-stack.ts'

const help = `usage: node localstack/run.mjs COMMAND [options]

Starts and stops a real LocalStack (S3) without Docker, bound to 127.0.0.1.

  start             install it if need be, start it, wait until S3 answers, leave it running
  stop              end it (only the one that 'start' started)
  status            is it running?
  bucket NAME...    make buckets

options
  --port N          default 4566
  --endpoint URL    bucket, status: another LocalStack (or CHRONIK_LOCALSTACK_ENDPOINT)
  --bucket NAME     start: make this bucket; may be repeated
  --json            one JSON object on standard output
  --help

exit codes: 0 done, or running · 1 failed · 2 wrong usage · 3 status: not running
`

class WrongUsage extends Error {}

interface Settings {
  readonly port: number
  readonly endpoint: string
  readonly buckets: readonly string[]
  readonly names: readonly string[]
}

type Report = Readonly<Record<string, unknown>> & { readonly text: string; readonly exitCode: number }

export async function main(argv: readonly string[]): Promise<number> {
  const json = argv.includes('--json')
  try {
    const report = await dispatch(argv)
    const { text, exitCode, ...facts } = report
    process.stdout.write(json && Object.keys(facts).length > 0 ? `${JSON.stringify(facts)}\n` : `${text}\n`)
    return exitCode
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (json) process.stdout.write(`${JSON.stringify({ error: message })}\n`)
    process.stderr.write(`localstack: ${message}\n`)
    return error instanceof WrongUsage ? 2 : 1
  }
}

async function dispatch(argv: readonly string[]): Promise<Report> {
  const { values, positionals } = parse(argv)
  const [command, ...names] = positionals
  if (values.help === true || command === 'help') return { text: help.trimEnd(), exitCode: 0 }
  const port = Number(values.port ?? 4566)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new WrongUsage(`--port ${values.port}: not a port`)
  const endpoint = values.endpoint ?? process.env['CHRONIK_LOCALSTACK_ENDPOINT'] ?? `http://127.0.0.1:${port}`
  const settings: Settings = { port, endpoint: endpoint.replace(/\/+$/, ''), buckets: values.bucket ?? [], names }
  if (command === 'bucket') return bucket(settings)
  if (names.length > 0) throw new WrongUsage(`'${names.join(' ')}' is too much`)
  if (command === 'start') return start(settings)
  if (command === 'stop') return stop(settings)
  if (command === 'status') return status(settings)
  throw new WrongUsage(command === undefined ? 'a command is missing; see --help' : `no such command: ${command}; see --help`)
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        port: { type: 'string' },
        endpoint: { type: 'string' },
        bucket: { type: 'string', multiple: true },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (cause) {
    throw new WrongUsage((cause as Error).message, { cause })
  }
}

const pidFile = (port: number): string => join(localStackHome(port), 'running.json')

interface Remembered {
  readonly pid: number
  readonly startTime: string
}

function remembered(port: number): Remembered | undefined {
  if (!existsSync(pidFile(port))) return undefined
  const found = JSON.parse(readFileSync(pidFile(port), 'utf8')) as Remembered
  return isSameProcessAlive(found.pid, found.startTime) ? found : undefined
}

async function start({ port, buckets }: Settings): Promise<Report> {
  const endpoint = `http://127.0.0.1:${port}`
  const already = remembered(port)
  if (already !== undefined && (await isLocalStackReady(endpoint).catch(() => false))) {
    for (const name of buckets) await createLocalStackBucket(endpoint, name)
    return { endpoint, pid: already.pid, buckets, started: false, text: `runs already at ${endpoint}`, exitCode: 0 }
  }
  const startedAt = Date.now()
  const stack = await startLocalStack({ port, buckets, endpoint: '', outlivesParent: true })
  const pid = stack.pid ?? 0
  writeFileSync(pidFile(port), JSON.stringify({ pid, startTime: processStartTime(pid) ?? '' }))
  const seconds = (Date.now() - startedAt) / 1000
  const text = `LocalStack (S3) at ${endpoint} after ${seconds.toFixed(1)} s; log: ${localStackLog(port)}`
  return { endpoint, pid, buckets, started: true, seconds, text, exitCode: 0 }
}

async function stop({ port }: Settings): Promise<Report> {
  const found = remembered(port)
  rmSync(pidFile(port), { force: true })
  if (found === undefined) return { stopped: false, text: `nothing that was started here runs on port ${port}`, exitCode: 0 }
  signalGroup(found.pid, 'SIGTERM')
  const isGone = (): boolean => !isSameProcessAlive(found.pid, found.startTime)
  await waitUntil(isGone, { until: 'LocalStack to end', timeoutMs: 5_000 }).catch(() => signalGroup(found.pid, 'SIGKILL'))
  await waitUntil(isGone, { until: 'LocalStack to end after SIGKILL', timeoutMs: 5_000 })
  return { stopped: true, pid: found.pid, text: `stopped (pid ${found.pid})`, exitCode: 0 }
}

async function status({ port, endpoint }: Settings): Promise<Report> {
  const running = await isLocalStackReady(endpoint).catch(() => false)
  const pid = remembered(port)?.pid ?? null
  return { running, endpoint, pid, text: running ? `running at ${endpoint}` : 'not running', exitCode: running ? 0 : 3 }
}

async function bucket({ endpoint, names }: Settings): Promise<Report> {
  if (names.length === 0) throw new WrongUsage('bucket: a name is missing')
  for (const name of names) await createLocalStackBucket(endpoint, name)
  return { endpoint, buckets: names, text: `made ${names.join(', ')} at ${endpoint}`, exitCode: 0 }
}
