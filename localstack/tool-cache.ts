/**
 * Owns the cache folder in which downloaded and built tools are kept, and the rule by which one is installed exactly once even
 * when two processes ask at the same moment. Does not own what a tool is or how it is built: the caller hands in `build`.
 *
 *   <cache>/<tool>/            the tool's own files
 *   <cache>/<tool>/.installed  the fingerprint (pins) of what is there; written last, so its presence means "complete"
 *   <cache>/locks/<tool>       "pid startTime" of the process that is building now
 */
import { existsSync, readFileSync } from 'node:fs'
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { isSameProcessAlive, processStartTime } from './child-process.ts'

/** A tool that cannot be had here: what is missing, and what to do about it. */
export class ToolMissing extends Error {
  readonly tool: string
  readonly remedy: string

  constructor(tool: string, missing: string, remedy: string, cause?: unknown) {
    super(`${tool}: ${missing}. Remedy: ${remedy}`, { cause })
    this.name = 'ToolMissing'
    this.tool = tool
    this.remedy = remedy
  }
}

export function cacheFolder(): string {
  const chosen = process.env['CHRONIK_TOOLS_DIR']
  if (chosen !== undefined && chosen !== '') return chosen
  const base = process.env['XDG_CACHE_HOME']
  return join(base !== undefined && base !== '' ? base : join(homedir(), '.cache'), 'chronik')
}

/** `marker` is the file whose content says which pins are installed. */
export const isInstalled = (marker: string, fingerprint: string): boolean =>
  existsSync(marker) && readFileSync(marker, 'utf8').trim() === fingerprint

export interface Installation {
  /** Name in messages and of the lock. */
  readonly tool: string
  /** File written last; lives inside what `build` makes. */
  readonly marker: string
  /** Every pin in one line: another fingerprint means "build again". */
  readonly fingerprint: string
  readonly build: (progress: (line: string) => void) => Promise<void>
}

const lockPollMs = 250
/** A cold MinIO build on a loaded machine has been seen to need more than 18 minutes. */
const lockWaitMsMax = 45 * 60_000

export async function installOnce(installation: Installation): Promise<void> {
  const { tool, marker, fingerprint, build } = installation
  if (isInstalled(marker, fingerprint)) return
  const release = await acquireLock(join(cacheFolder(), 'locks', tool), tool)
  const report = startReport(tool)
  try {
    // Somebody else may have finished it while this process waited for the lock.
    if (isInstalled(marker, fingerprint)) return report.silent()
    await build(report.progress)
    await mkdir(dirname(marker), { recursive: true })
    await writeFile(`${marker}.${process.pid}`, `${fingerprint}\n`)
    await rename(`${marker}.${process.pid}`, marker)
    report.done()
  } catch (cause) {
    report.silent()
    throw cause
  } finally {
    await release()
  }
}

/** The lock is a hard link to a file that already has its content, so nobody ever reads a half-written owner. */
async function acquireLock(path: string, tool: string): Promise<() => Promise<void>> {
  await mkdir(dirname(path), { recursive: true })
  const owner = `${process.pid} ${processStartTime(process.pid) ?? ''}`.trim()
  const draft = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`
  await writeFile(draft, owner)
  try {
    const deadline = Date.now() + lockWaitMsMax
    while (!(await tryLink(draft, path))) {
      await removeIfOrphaned(path)
      if (Date.now() > deadline) throw new ToolMissing(tool, `another process holds ${path}`, 'end it, or delete that file')
      await pause(lockPollMs)
    }
  } finally {
    await rm(draft, { force: true })
  }
  return () => rm(path, { force: true })
}

async function tryLink(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function removeIfOrphaned(path: string): Promise<void> {
  const owner = await readFile(path, 'utf8').catch(() => undefined)
  if (owner === undefined) return
  const [pid, startTime] = owner.split(' ')
  if (isSameProcessAlive(Number(pid), startTime)) return
  // Move it away first: of two processes that see the same orphan only one rename succeeds, and it checks what it got.
  const grave = `${path}.orphan.${process.pid}`
  await rename(path, grave).catch(() => undefined)
  if ((await readFile(grave, 'utf8').catch(() => owner)) !== owner) await tryLink(grave, path)
  await rm(grave, { force: true })
}

interface Report {
  progress(line: string): void
  done(): void
  silent(): void
}

/** A terminal sees a line that moves; a pipe gets one line when it is over. */
function startReport(tool: string): Report {
  const startedAt = Date.now()
  const seconds = (): string => `${Math.round((Date.now() - startedAt) / 1000)} s`
  const live = process.stderr.isTTY
  let last = ''
  const draw = (): void => {
    process.stderr.write(`\r\x1b[2K${tool}: installing … ${seconds()} ${last.slice(0, 90)}`)
  }
  const timer = live ? setInterval(draw, 500) : undefined
  const clear = (): void => {
    if (timer === undefined) return
    clearInterval(timer)
    process.stderr.write('\r\x1b[2K')
  }
  return {
    progress: (line) => void (last = line),
    done: () => (clear(), void process.stderr.write(`${tool}: installed in ${seconds()}\n`)),
    silent: clear,
  }
}
