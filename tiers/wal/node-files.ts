// Owns the real file system behind the WAL: node:fs with callbacks, on the main loop (a worker's hand-over costs more than the call).
// Not the lock's rules (directory-lock.ts).

import { close, constants, fdatasync, fstat, fsync, mkdir, open, read, readdir, rename, stat, unlink, writev } from 'node:fs'
import { dirname, join } from 'node:path'
import { lockDirectory } from './directory-lock.ts'
import type { ListedFile, OpenMode, WalFile, WalFiles } from './ports.ts'

type Callback<Value> = (error: NodeJS.ErrnoException | null, value: Value) => void

function settle<Value>(start: (done: Callback<Value>) => void): Promise<Value> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error === null) resolve(value)
      else reject(error)
    })
  })
}

function settleVoid(start: (done: (error: NodeJS.ErrnoException | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => {
      if (error === null) resolve()
      else reject(error)
    })
  })
}

class NodeWalFile implements WalFile {
  readonly #path: string
  readonly #descriptor: number
  /** The same file opened with O_DSYNC, at its first use. */
  #synced: Promise<number> | undefined
  readonly sizeBytes: number

  constructor(path: string, descriptor: number, sizeBytes: number) {
    this.#path = path
    this.#descriptor = descriptor
    this.sizeBytes = sizeBytes
  }

  async read(into: Uint8Array, at: number): Promise<number> {
    let filled = 0
    while (filled < into.length) {
      const from = filled
      const count = await settle<number>((done) => {
        read(this.#descriptor, into, from, into.length - from, at + from, done)
      })
      if (count === 0) break
      filled += count
    }
    return filled
  }

  writev(parts: readonly Uint8Array[], at: number): Promise<number> {
    return settle<number>((done) => {
      writev(this.#descriptor, parts, at, done)
    })
  }

  /**
   * One write to a descriptor with O_DSYNC (open(2)) in place of a write and an fdatasync: half as many jobs of the thread pool, and
   * waking its threads is a quarter of what a small commit costs.
   */
  async writevSynced(parts: readonly Uint8Array[], at: number): Promise<number> {
    this.#synced ??= settle<number>((done) => {
      open(this.#path, constants.O_WRONLY | constants.O_DSYNC, done)
    })
    const descriptor = await this.#synced
    return settle<number>((done) => {
      writev(descriptor, parts, at, done)
    })
  }

  sync(): Promise<void> {
    return settleVoid((done) => {
      fdatasync(this.#descriptor, done)
    })
  }

  async close(): Promise<void> {
    const synced = await this.#synced?.catch(() => undefined)
    for (const descriptor of synced === undefined ? [this.#descriptor] : [synced, this.#descriptor]) {
      await settleVoid((done) => {
        close(descriptor, done)
      })
    }
  }
}

const flags: Readonly<Record<OpenMode, string>> = { read: 'r', write: 'r+', create: 'w+' }

async function openFile(path: string, mode: OpenMode): Promise<WalFile> {
  const descriptor = await settle<number>((done) => {
    open(path, flags[mode], 0o600, done)
  })
  const facts = await settle<{ size: number }>((done) => {
    fstat(descriptor, done)
  })
  return new NodeWalFile(path, descriptor, facts.size)
}

async function listFiles(directory: string): Promise<readonly ListedFile[]> {
  const names = await settle<string[]>((done) => {
    readdir(directory, done)
  })
  return Promise.all(
    names.map(async (name) => {
      const facts = await settle<{ size: number }>((done) => {
        stat(join(directory, name), done)
      })
      return { name, sizeBytes: facts.size }
    }),
  )
}

async function syncDirectory(directory: string): Promise<void> {
  const descriptor = await settle<number>((done) => {
    open(directory, 'r', done)
  })
  try {
    await settleVoid((done) => {
      fsync(descriptor, done)
    })
  } finally {
    await settleVoid((done) => {
      close(descriptor, done)
    })
  }
}

/** The files of one directory on the local disk. */
export function nodeWalFiles(directory: string): WalFiles {
  return {
    location: directory,
    list: () => listFiles(directory),
    open: (name, mode) => openFile(join(directory, name), mode),
    rename: (from, to) =>
      settleVoid((done) => {
        rename(join(directory, from), join(directory, to), done)
      }),
    remove: (name) =>
      settleVoid((done) => {
        unlink(join(directory, name), done)
      }),
    syncDirectory: () => syncDirectory(directory),
    lock: async () => {
      await settleVoid((done) => {
        mkdir(directory, { recursive: true, mode: 0o700 }, done)
      })
      // The directory's own name must survive, too.
      await syncDirectory(dirname(directory))
      return lockDirectory(directory)
    },
  }
}
