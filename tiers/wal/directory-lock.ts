// Owns the rule that one process at a time has a WAL directory: a lock file naming its owner, and the proof that an owner is gone.
// Node has no flock, so the owner is known by pid and by when it started, both as the kernel tells them.

import { link, readFile, rename, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { OpError } from '../../src/base/op-error.ts'
import type { Unlock } from './ports.ts'

const lockName = 'wal.lock'
const attemptsMax = 5
/** Field 22 of /proc/<pid>/stat, counted behind the parenthesised name: when the process started, in ticks since boot. */
const startTimeField = 19

interface Owner {
  readonly pid: number
  /** A pid names a process only with its start and the machine's boot. */
  readonly started: string
  readonly boot: string
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return undefined
    throw new OpError('internal', { code: 'WAL_LOCK_UNREADABLE', detail: `cannot read ${path}`, cause: error })
  }
}

async function startOf(pid: number): Promise<string | undefined> {
  const stat = await textOf(`/proc/${pid}/stat`)
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[startTimeField]
}

async function bootId(): Promise<string> {
  return (await textOf('/proc/sys/kernel/random/boot_id'))?.trim() ?? ''
}

function decodeOwner(text: string): Owner | undefined {
  const [pid, started, boot] = text.trim().split(' ')
  return pid === undefined || started === undefined ? undefined : { pid: Number(pid), started, boot: boot ?? '' }
}

async function isAlive(owner: Owner): Promise<boolean> {
  if (owner.boot !== (await bootId())) return false
  return (await startOf(owner.pid)) === owner.started
}

/** Moves a dead owner's lock away; true when it was still that one. */
async function breakLock(path: string, stale: string): Promise<boolean> {
  const aside = `${path}.stale-${process.pid}`
  try {
    await rename(path, aside)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return true
    throw new OpError('internal', { code: 'WAL_LOCK_UNREADABLE', detail: `cannot move ${path} aside`, cause: error })
  }
  const moved = await textOf(aside)
  // Another process broke the lock first and took it: what was moved is its lock. It gets it back.
  if (moved !== undefined && moved !== stale) await link(aside, path).catch(() => undefined)
  await unlink(aside)
  return moved === stale
}

/** Takes the directory, or rejects with OpError `busy`/`WAL_LOCKED` naming the owner. */
export async function lockDirectory(directory: string): Promise<Unlock> {
  const path = join(directory, lockName)
  const mine = `${process.pid} ${(await startOf(process.pid)) ?? '0'} ${await bootId()}\n`
  // Written aside and linked, so that a lock is never seen half written.
  const draft = `${path}.draft-${process.pid}-${process.hrtime.bigint()}`
  await writeFile(draft, mine)
  try {
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      try {
        await link(draft, path)
        return () => unlink(path)
      } catch (error) {
        if (codeOf(error) !== 'EEXIST')
          throw new OpError('internal', { code: 'WAL_LOCK_FAILED', detail: `cannot create ${path}`, cause: error })
      }
      const text = await textOf(path)
      if (text === undefined) continue
      const owner = decodeOwner(text)
      if (owner !== undefined && (await isAlive(owner))) {
        const detail = `process ${owner.pid} has the WAL in ${directory}; stop it, or give this node a directory of its own`
        throw new OpError('busy', { code: 'WAL_LOCKED', detail })
      }
      await breakLock(path, text)
    }
  } finally {
    await unlink(draft)
  }
  throw new OpError('busy', { code: 'WAL_LOCKED', detail: `other processes keep taking ${path}; start one at a time` })
}
