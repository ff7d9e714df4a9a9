/** Owns a group member that is another process telling, line by line, what it was assigned and what it saw. */
import { spawn } from 'node:child_process'
import type { Member } from '../client.ts'
import type { SeenRecord } from '../records.ts'

export interface LineOrder {
  readonly command: string
  readonly args: readonly string[]
  /** What a line of standard output, or of standard error, means; undefined if nothing. */
  readonly understand: (line: string, from: 'stdout' | 'stderr') => Told | undefined
}

export interface Told {
  readonly assigned?: readonly number[]
  /** Added to, and taken from, what is assigned already. */
  readonly gained?: readonly number[]
  readonly lost?: readonly number[]
  readonly seen?: readonly SeenRecord[]
}

export function joinByLines({ command, args, understand }: LineOrder): Member {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const killAtExit = (): void => void child.kill('SIGKILL')
  process.once('exit', killAtExit)
  const seen: SeenRecord[] = []
  let assigned: number[] = []
  let complaints = ''
  const take = (line: string, from: 'stdout' | 'stderr'): void => {
    const told = understand(line, from)
    if (told === undefined && from === 'stderr') complaints = `${complaints}${line}\n`.slice(-4_000)
    if (told?.assigned !== undefined) assigned = [...told.assigned]
    if (told?.lost !== undefined) assigned = assigned.filter((partition) => told.lost?.includes(partition) !== true)
    if (told?.gained !== undefined) assigned = [...new Set([...assigned, ...told.gained])]
    if (told?.seen !== undefined) seen.push(...told.seen)
  }
  for (const from of ['stdout', 'stderr'] as const) {
    let rest = ''
    child[from].setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) take(line, from)
    })
  }
  const closed = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)))
  const mustRun = (): void => {
    if (child.exitCode !== null) throw new Error(`${command} ended with ${child.exitCode}\n${complaints}`)
  }
  let leaving = false
  return {
    assigned: () => (leaving || mustRun(), assigned),
    seen: () => (leaving || mustRun(), seen),
    die: async () => {
      leaving = true
      child.kill('SIGKILL')
      await closed
      process.off('exit', killAtExit)
    },
    leave: async () => {
      leaving = true
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 20_000)
      await closed
      clearTimeout(timer)
      process.off('exit', killAtExit)
    },
  }
}
