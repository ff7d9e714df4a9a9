// Owns the rule that one process at a time has a WAL directory. Node has no flock; a socket does as well: the owner listens on one
// beside the lock file, and the kernel closes it with the process, however that ends. A pid would say nothing about a process in
// another container on the same volume; a connection does.
//
//   wal.lock           text: the owner's pid, and the directory its socket is in; linked into place whole, never half written
//   wal.owner-XXXXXX/  the owner's socket

import { link, mkdtemp, open, readFile, readlink, rename, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { basename, join } from 'node:path'
import { isOpError, OpError } from '../../src/base/op-error.ts'
import type { Unlock } from './ports.ts'

const lockName = 'wal.lock'
const socketName = 'alive'
const attemptsMax = 5

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

function lockFailed(what: string, cause: unknown): OpError {
  return isOpError(cause) ? cause : new OpError('internal', { code: 'WAL_LOCK_FAILED', detail: `cannot ${what}`, cause })
}

/** A socket's path may have 107 bytes only; through the open directory it is short, however deep the directory lies. */
async function withShortPath<Value>(folder: string, use: (path: string) => Promise<Value>): Promise<Value> {
  const path = join(folder, socketName)
  if (Buffer.byteLength(path) <= 100) return use(path)
  const opened = await open(folder, 'r')
  try {
    return await use(`/proc/self/fd/${opened.fd}/${socketName}`)
  } finally {
    await opened.close()
  }
}

function listen(folder: string): Promise<Server> {
  return withShortPath(
    folder,
    (path) =>
      new Promise((resolve, reject) => {
        const server = createServer((socket) => {
          socket.destroy()
        })
        server.once('error', reject)
        server.listen({ path, exclusive: true }, () => {
          server.unref()
          resolve(server)
        })
      }),
  )
}

/** Whether somebody listens there. Only the kernel's plain no counts as one: whatever else fails, the owner may live. */
async function isAlive(folder: string): Promise<boolean> {
  try {
    return await withShortPath(
      folder,
      (path) =>
        new Promise<boolean>((resolve) => {
          const socket = connect({ path }, () => {
            socket.destroy()
            resolve(true)
          })
          socket.once('error', (error) => {
            resolve(codeOf(error) !== 'ECONNREFUSED' && codeOf(error) !== 'ENOENT')
          })
        }),
    )
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw lockFailed(`look for the owner of the WAL in ${folder}`, error)
  }
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw lockFailed(`read ${path}`, error)
  }
}

/** Moves a dead owner's lock away. Whose lock was moved is looked at afterwards: a living one's, taken meanwhile, is put back. */
async function breakLock(path: string, stale: string, aside: string): Promise<void> {
  try {
    await rename(path, aside)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw error
  }
  if ((await textOf(aside)) !== stale) await link(aside, path)
  await rm(aside)
}

async function take(directory: string, folder: string): Promise<void> {
  const path = join(directory, lockName)
  const draft = join(folder, 'draft')
  const pid = await readlink('/proc/self').catch(() => 'of unknown pid')
  await writeFile(draft, `${pid}\n${basename(folder)}\n`)
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    try {
      await link(draft, path)
      await rm(draft)
      return
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    }
    const text = await textOf(path)
    if (text === undefined) continue
    const [ownerPid, ownerFolder] = text.split('\n')
    if (ownerFolder !== undefined && ownerFolder !== '' && (await isAlive(join(directory, basename(ownerFolder))))) {
      const detail = `process ${ownerPid} has the WAL in ${directory}; stop it, or give this node a directory of its own`
      throw new OpError('busy', { code: 'WAL_LOCKED', detail })
    }
    await breakLock(path, text, join(folder, 'stale'))
    if (ownerFolder?.startsWith('wal.owner-') === true)
      await rm(join(directory, basename(ownerFolder)), { recursive: true, force: true })
  }
  throw new OpError('busy', { code: 'WAL_LOCKED', detail: `other processes keep taking ${path}; start one at a time` })
}

/** Takes the directory, or rejects with OpError `busy`/`WAL_LOCKED` naming the owner. */
export async function lockDirectory(directory: string): Promise<Unlock> {
  const folder = await mkdtemp(join(directory, 'wal.owner-'))
  let server: Server | undefined
  try {
    server = await listen(folder)
    await take(directory, folder)
  } catch (error) {
    server?.close()
    await rm(folder, { recursive: true, force: true })
    throw lockFailed(`lock ${directory}; it must be a writable directory of a local file system`, error)
  }
  const held = server
  return async () => {
    await rm(join(directory, lockName), { force: true })
    await new Promise((resolve) => held.close(resolve))
    await rm(folder, { recursive: true, force: true })
  }
}
