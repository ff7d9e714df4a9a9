// Owns mutual exclusion and signs of life between processes of one machine that share a folder. Does not know what is guarded.
//
// Node has no flock, and a lock file with a time-out either blocks for ever after a crash or is stolen from a slow holder. A
// listening Unix socket is neither: the kernel refuses connections the moment its process is gone, and never before.
//
// A contender makes a sign under a name never used again, then looks for others. It holds the lock when a look taken after its own
// sign stood finds no other alive: of any two, the later one sees the earlier (LOCAL-1). If both see each other the smaller name
// stays and the larger withdraws. Waiting is waiting for the other's connection to close: no timers, no polling.
// Other machines that mount the folder are not seen: the local store is for one machine.

import { type FileHandle, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { OpError } from '../../src/base/op-error.ts'
import type { IdSource } from '../../src/base/prng.ts'
import { errnoOf, isAbsent } from './local-errors.ts'

// sun_path holds 108 bytes on Linux, 104 on macOS, a final zero included; a name of ours needs 37.
const socketFolderBytesMax = 60
// Not yet listening, so a connection to it says nothing: looked past, and removed when this old.
const unfinished = '.new'
const unfinishedAgeMsMax = 60_000

/** One folder of signs of life. */
export class Signs {
  readonly #folder: string
  /** The same folder under a name short enough for a socket. */
  readonly #socketFolder: string
  readonly #handle: FileHandle | undefined
  readonly #idSource: IdSource

  private constructor(folder: string, handle: FileHandle | undefined, idSource: IdSource) {
    this.#folder = folder
    this.#idSource = idSource
    this.#handle = handle
    this.#socketFolder = handle === undefined ? folder : `/proc/self/fd/${handle.fd}`
  }

  static async open(folder: string, idSource: IdSource): Promise<Signs> {
    await mkdir(folder, { recursive: true })
    const handle = Buffer.byteLength(folder) > socketFolderBytesMax ? await open(folder, 'r') : undefined
    const signs = new Signs(folder, handle, idSource)
    await signs.#removeUnfinished()
    return signs
  }

  freshName(): string {
    return Buffer.from(this.#idSource.nextId()).toString('hex')
  }

  /** Until `withdraw`, or the end of this process, others find the name alive. */
  async make(name: string): Promise<Sign> {
    const visitors = new Set<Socket>()
    const server = createServer((visitor) => {
      visitors.add(visitor)
      visitor.on('error', () => undefined).on('close', () => visitors.delete(visitor))
    })
    // Between bind and listen a living socket refuses: it gets its name only when it listens.
    await listen(server, join(this.#socketFolder, name + unfinished), this.#folder)
    server.unref()
    const path = join(this.#folder, name)
    await rename(path + unfinished, path)
    return {
      withdraw: async () => {
        await unlink(path).catch(ignoreAbsent)
        server.close()
        for (const visitor of visitors) visitor.destroy()
      },
    }
  }

  async names(): Promise<string[]> {
    return (await readdir(this.#folder)).filter((name) => !name.endsWith(unfinished))
  }

  /** An open connection to a living owner, or undefined: then there is none, and the sign is cleared away. */
  async visit(name: string): Promise<Visit | undefined> {
    for (;;) {
      const socket = connect(join(this.#socketFolder, name))
      const ended = new Promise<void>((resolve) =>
        socket.once('close', () => {
          resolve()
        }),
      )
      const code = await new Promise<string | undefined>((resolve) => {
        socket.once('connect', () => {
          resolve(undefined)
        })
        socket.on('error', (error) => {
          resolve(errnoOf(error) ?? 'unknown')
        })
      })
      if (code === undefined) return { ended, leave: () => socket.destroy() }
      if (code === 'ECONNREFUSED') await unlink(join(this.#folder, name)).catch(ignoreAbsent)
      if (code === 'ECONNREFUSED' || code === 'ENOENT') return undefined
      // Its queue is full (EAGAIN) or it left while we came: look again.
      if (code !== 'EAGAIN' && code !== 'ECONNRESET' && code !== 'EPIPE') throw cannotLock(this.#folder, code)
      await ended
    }
  }

  async close(): Promise<void> {
    await this.#handle?.close()
  }

  async #removeUnfinished(): Promise<void> {
    const { mtimeMs: now } = await stat(this.#folder)
    for (const name of await readdir(this.#folder)) {
      if (!name.endsWith(unfinished)) continue
      const made = await stat(join(this.#folder, name)).catch(ignoreAbsent)
      if (made !== undefined && now - made.mtimeMs > unfinishedAgeMsMax)
        await unlink(join(this.#folder, name)).catch(ignoreAbsent)
    }
  }
}

export interface Sign {
  withdraw(): Promise<void>
}

interface Visit {
  /** Resolves when the owner withdrew or died. */
  readonly ended: Promise<void>
  leave(): void
}

/** A mutex between all processes that use the same folder of signs, and within this one. Let go by the kernel when we die. */
export class ProcessLock {
  readonly #signs: Signs
  #last: Promise<unknown> = Promise.resolve()

  constructor(signs: Signs) {
    this.#signs = signs
  }

  run<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(async () => {
      const sign = await this.#acquire()
      try {
        return await work()
      } finally {
        await sign.withdraw()
      }
    })
    this.#last = turn.catch(() => undefined)
    return turn
  }

  async #acquire(): Promise<Sign> {
    for (;;) {
      const name = this.#signs.freshName()
      const sign = await this.#signs.make(name)
      try {
        if (await this.#outlast(name)) return sign
      } catch (error) {
        await sign.withdraw()
        throw error
      }
      await sign.withdraw()
      await this.#waitForOthers()
    }
  }

  /** True when nobody else is left; false when one with a smaller name is there. */
  async #outlast(name: string): Promise<boolean> {
    for (;;) {
      const others = (await this.#signs.names()).filter((other) => other !== name)
      const visits = await Promise.all(others.map(async (other) => ({ other, visit: await this.#signs.visit(other) })))
      const alive = visits.filter(({ visit }) => visit !== undefined)
      if (alive.length === 0) return true
      const mustYield = alive.some(({ other }) => other < name)
      if (!mustYield) for (const { visit } of alive) await visit?.ended
      for (const { visit } of alive) visit?.leave()
      if (mustYield) return false
    }
  }

  async #waitForOthers(): Promise<void> {
    for (const name of await this.#signs.names()) await (await this.#signs.visit(name))?.ended
  }
}

function listen(server: Server, path: string, folder: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(cannotLock(folder, errnoOf(error) ?? 'unknown', error))
    })
    server.listen(path, resolve)
  })
}

function cannotLock(folder: string, code: string, cause?: unknown): OpError {
  return new OpError('invalid', {
    code: 'STORE_CANNOT_LOCK',
    detail: `no Unix socket can be used in ${folder} (${code}); put the local store on a disk of this machine`,
    cause,
  })
}

function ignoreAbsent(error: unknown): undefined {
  if (!isAbsent(error)) throw error
}
