/**
 * Owns starting, watching and ending child processes: each gets a process group of its own, its output goes to a file, and an end
 * always addresses that group only. Does not know what the processes are.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface ProcessOrder {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Standard output and error, appended. */
  readonly logFile: string
  /** Left running when this process ends (the command line's `start`). Otherwise its group is killed at exit. */
  readonly outlivesParent?: boolean
}

export interface RunningProcess {
  readonly pid: number
  readonly exited: Promise<Exit>
  maybeExit(): Exit | undefined
  logs(): string
  /** To the whole process group; a group that is gone is not an error. */
  signal(name: NodeJS.Signals): void
  /** SIGTERM, then SIGKILL after `graceMs`; resolves when it is gone. */
  stop(graceMs?: number): Promise<Exit>
  kill9(): Promise<Exit>
}

const living = new Set<number>()
process.once('exit', () => {
  for (const pid of living) signalGroup(pid, 'SIGKILL')
})

export function startProcess(order: ProcessOrder): RunningProcess {
  mkdirSync(dirname(order.logFile), { recursive: true })
  const log = openSync(order.logFile, 'a')
  let child: ChildProcess
  try {
    child = spawn(order.command, order.args, {
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...process.env, ...order.env },
      ...(order.cwd === undefined ? {} : { cwd: order.cwd }),
    })
  } finally {
    closeSync(log)
  }
  const { pid } = child
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once('error', (cause) => reject(new Error(`cannot start ${order.command}`, { cause })))
    child.once('exit', (code, signal) => {
      if (pid !== undefined) living.delete(pid)
      resolve({ code, signal })
    })
  })
  if (pid === undefined) {
    exited.catch(() => undefined)
    throw new Error(`cannot start ${order.command}: no such program, or no permission to run it`)
  }
  exited.catch(() => undefined)
  if (order.outlivesParent === true) child.unref()
  else living.add(pid)
  const maybeExit = (): Exit | undefined =>
    child.exitCode === null && child.signalCode === null ? undefined : { code: child.exitCode, signal: child.signalCode }
  const end = async (name: NodeJS.Signals, graceMs: number): Promise<Exit> => {
    if (maybeExit() !== undefined) return exited
    signalGroup(pid, name)
    if (name === 'SIGKILL') return exited
    const timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), graceMs)
    return exited.finally(() => clearTimeout(timer))
  }
  return {
    pid,
    exited,
    maybeExit,
    logs: () => readFileSync(order.logFile, 'utf8'),
    signal: (name) => signalGroup(pid, name),
    stop: (graceMs = 10_000) => end('SIGTERM', graceMs),
    kill9: () => end('SIGKILL', 0),
  }
}

export function signalGroup(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

export interface CommandOrder {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly input?: string
  readonly timeoutMs?: number
  readonly onLine?: (line: string) => void
}

export interface CommandOutcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs to the end and keeps the output. A code other than 0 is the caller's to judge; `runOrThrow` judges it. */
export function run(order: CommandOrder): Promise<CommandOutcome> {
  const name = `${order.command} ${order.args.join(' ').slice(0, 120)}`
  return new Promise((resolve, reject) => {
    const child = spawn(order.command, order.args, {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...order.env },
      ...(order.cwd === undefined ? {} : { cwd: order.cwd }),
    })
    if (child.pid !== undefined) living.add(child.pid)
    const out = { stdout: '', stderr: '' }
    const timeoutMs = order.timeoutMs ?? 120_000
    const timer = setTimeout(() => {
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL')
      reject(new Error(`${name}: not done after ${timeoutMs} ms\n${tail(out.stdout + out.stderr)}`))
    }, timeoutMs)
    for (const key of ['stdout', 'stderr'] as const) {
      child[key].setEncoding('utf8').on('data', (text: string) => {
        out[key] += text
        order.onLine?.(text.trimEnd().split('\n').at(-1) ?? '')
      })
    }
    child.once('error', (cause) => {
      clearTimeout(timer)
      reject(new Error(`cannot start ${order.command}`, { cause }))
    })
    child.once('close', (code) => {
      clearTimeout(timer)
      if (child.pid !== undefined) living.delete(child.pid)
      resolve({ code: code ?? -1, ...out })
    })
    // A child that does not read its input to the end is its own business.
    child.stdin.on('error', () => undefined)
    child.stdin.end(order.input ?? '')
  })
}

export async function runOrThrow(order: CommandOrder): Promise<string> {
  const { code, stdout, stderr } = await run(order)
  if (code === 0) return stdout
  throw new Error(`${order.command} ${order.args.join(' ').slice(0, 200)} ended with ${code}\n${tail(`${stdout}\n${stderr}`)}`)
}

export interface WaitOrder {
  /** Ends the sentence "waited for …". */
  readonly until: string
  readonly timeoutMs: number
  readonly everyMs?: number
  /** Gives up at once, with the end of its output, if this process ends meanwhile. */
  readonly process?: RunningProcess
}

/** Polls a condition; a condition that throws counts as "not yet", and its last error is told if time runs out. */
export async function waitUntil(condition: () => Promise<boolean> | boolean, order: WaitOrder): Promise<void> {
  const deadline = Date.now() + order.timeoutMs
  let lastError: unknown
  for (;;) {
    const exit = order.process?.maybeExit()
    if (exit !== undefined) {
      const how = exit.signal ?? `code ${exit.code}`
      throw new Error(`the process ended (${how}) before ${order.until}\n${tail(order.process?.logs() ?? '')}`)
    }
    try {
      if (await condition()) return
    } catch (error) {
      lastError = error
    }
    if (Date.now() > deadline) {
      const logs = order.process === undefined ? '' : `\n${tail(order.process.logs())}`
      throw new Error(`waited ${order.timeoutMs} ms for ${order.until}, in vain${logs}`, { cause: lastError })
    }
    await pause(order.everyMs ?? 50)
  }
}

/** True when the URL answers 2xx (and, if given, the body pleases) within a second. */
export async function answers(url: string, pleases: (body: string) => boolean = () => true): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(1000) })
  return pleases(await response.text()) && response.ok
}

/** Below the range from which the kernel takes the ports of outgoing connections, so that nobody gets it between now and `listen`. */
const portRange = { start: 12_000, end: 32_000 }

export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = portRange.start + Math.floor(Math.random() * (portRange.end - portRange.start))
    if (await canListen(port)) return port
  }
  throw new Error(`no free loopback port found in ${portRange.start}–${portRange.end}`)
}

const canListen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })

/** Clock ticks after boot at which the process started: with the pid it names a process for good. Undefined without /proc. */
export function processStartTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The program's name stands in parentheses and may itself hold spaces and parentheses: count fields from the last one.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}

export function isSameProcessAlive(pid: number, startTime: string | undefined): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  return startTime === undefined || startTime === '' || processStartTime(pid) === startTime
}

export const tail = (text: string, lines = 25): string => text.trimEnd().split('\n').slice(-lines).join('\n')
