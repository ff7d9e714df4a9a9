// Owns a folder as an object store: whole objects, durable when answered, conditions that hold between the processes of one machine.
// Not for a folder that several machines mount.
//
//   <dir>/<names of the key>         an object (local-names.ts)
//   <dir>/.chronik/tmp/<store>/      files without a name yet; swept when their store is no longer alive
//   <dir>/.chronik/live/<store>      sign of life of an open store (local-lock.ts)
//   <dir>/.chronik/lock/<random>     holder of and contenders for the lock
//
// Order of effects: content synced -> name given (link: exclusive; rename: replaces, under the lock) -> folder synced -> answer.
// What reads a version and then replaces it, and whatever could come between the two, holds the lock: put, putIfMatch, delete.
// putIfAbsent needs none: link() refuses a name that exists.

import { type FileHandle, link, mkdir, open, readdir, rename, rm, unlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { systemIdSource } from '../../src/base/node/system-id-source.ts'
import { OpError } from '../../src/base/op-error.ts'
import type { IdSource } from '../../src/base/prng.ts'
import type {
  ListedObject,
  ListOptions,
  ObjectBody,
  ObjectFacts,
  ObjectStore,
  PutIfAbsentOutcome,
  PutIfMatchOutcome,
} from '../ports.ts'
import { ContentTag } from './content-tag.ts'
import { assertRange, assertTail, beyondEnd, missing } from './key.ts'
import { errnoOf, isAbsent, storeError } from './local-errors.ts'
import { discard, DurableFolders, type UnfinishedFile, writeUnfinished } from './local-files.ts'
import { listFolder } from './local-list.ts'
import { ProcessLock, type Sign, Signs } from './local-lock.ts'
import { type KeyPath, ownFolder, pathOf } from './local-names.ts'

export interface LocalStoreOptions {
  /** Made when absent. */
  readonly dir: string
  /** Names what must differ between processes; the operating system's when absent. */
  readonly idSource?: IdSource
}

// Read at a time when a tag is made from a file.
const tagChunkBytes = 1024 * 1024

export async function openLocalStore(options: LocalStoreOptions): Promise<ObjectStore> {
  const dir = resolve(options.dir)
  try {
    await mkdir(dir, { recursive: true })
    const idSource = options.idSource ?? systemIdSource
    const live = await Signs.open(join(dir, ownFolder, 'live'), idSource)
    const name = live.freshName()
    // Alive before its folder of unfinished files is there: else another store would sweep that.
    const sign = await live.make(name)
    const unfinished = join(dir, ownFolder, 'tmp', name)
    await mkdir(unfinished, { recursive: true })
    await sweep(join(dir, ownFolder, 'tmp'), live, name)
    return new LocalStore({ dir, live, sign, unfinished, contenders: await Signs.open(join(dir, ownFolder, 'lock'), idSource) })
  } catch (error) {
    throw storeError(`local:${dir}`, error)
  }
}

/** Removes the unfinished files of stores whose process is gone. */
async function sweep(folder: string, live: Signs, own: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name === own) continue
    const visit = await live.visit(name)
    if (visit === undefined) await rm(join(folder, name), { recursive: true, force: true })
    else visit.leave()
  }
}

interface LocalParts {
  readonly dir: string
  readonly live: Signs
  readonly contenders: Signs
  readonly sign: Sign
  readonly unfinished: string
}

class LocalStore implements ObjectStore {
  readonly location: string
  readonly #parts: LocalParts
  readonly #folders: DurableFolders
  readonly #lock: ProcessLock
  #sequence = 0
  #closed = false

  constructor(parts: LocalParts) {
    this.location = `local:${parts.dir}`
    this.#parts = parts
    this.#folders = new DurableFolders(parts.dir)
    this.#lock = new ProcessLock(parts.contenders)
  }

  head(key: string): Promise<ObjectFacts> {
    return this.#reading(key, async (file) => {
      const { size, mtimeMs } = await file.stat()
      return { key, sizeBytes: size, etag: await tagOf(file), lastModifiedMs: Math.floor(mtimeMs) }
    })
  }

  get(key: string): Promise<Uint8Array> {
    return this.#reading(key, async (file) => readAt(file, 0, (await file.stat()).size))
  }

  getRange(key: string, start: number, end: number): Promise<Uint8Array> {
    assertRange(start, end)
    return this.#reading(key, async (file) => {
      const { size } = await file.stat()
      if (start >= size) throw beyondEnd(this.location, key, start)
      return readAt(file, start, Math.min(end, size) - start)
    })
  }

  getTail(key: string, length: number): Promise<{ bytes: Uint8Array; sizeBytes: number }> {
    assertTail(length)
    return this.#reading(key, async (file) => {
      const { size } = await file.stat()
      const start = Math.max(0, size - length)
      return { bytes: await readAt(file, start, size - start), sizeBytes: size }
    })
  }

  async *list(prefix: string, options?: ListOptions): AsyncIterable<ListedObject> {
    this.#assertOpen()
    try {
      yield* listFolder(this.#parts.dir, prefix, options)
    } catch (error) {
      throw storeError(this.location, error)
    }
  }

  put(key: string, body: ObjectBody): Promise<{ etag: string }> {
    const tag = new ContentTag()
    const named = async (file: UnfinishedFile, path: KeyPath): Promise<{ etag: string }> => {
      await this.#replace(file, path)
      return { etag: tag.finish() }
    }
    return this.#writing(key, [body], named, tag)
  }

  putIfAbsent(key: string, body: ObjectBody): Promise<PutIfAbsentOutcome> {
    return this.#writing(key, [body], (file, path) => this.#create(file, path))
  }

  putIfMatch(key: string, body: ObjectBody, etag: string): Promise<PutIfMatchOutcome> {
    const tag = new ContentTag()
    const named = async (file: UnfinishedFile, path: KeyPath): Promise<PutIfMatchOutcome> => {
      const outcome = await this.#lock.run(async (): Promise<PutIfMatchOutcome | undefined> => {
        const current = await this.#currentTag(path)
        if (current === undefined) return undefined
        if (current !== etag) return { kind: 'conflict' }
        await rename(file.path, this.#pathOf(path))
        return { kind: 'replaced', etag: tag.finish() }
      })
      if (outcome === undefined) return { kind: 'conflict' }
      // Also after a conflict: who reads back what stands there and finds its own bytes counts on them.
      await this.#folders.sync(path.folder)
      return outcome
    }
    return this.#writing(key, [body], named, tag)
  }

  putMultipart(key: string, parts: AsyncIterable<Uint8Array>): Promise<PutIfAbsentOutcome> {
    return this.#writing(key, eachAlone(parts), (file, path) => this.#create(file, path))
  }

  async delete(key: string): Promise<void> {
    const [failure] = await this.#remove([key])
    if (failure !== undefined) throw failure.error
  }

  async deleteMany(keys: readonly string[]): Promise<{ key: string; reason: string }[]> {
    const failures = await this.#remove(keys)
    return failures.map(({ key, error }) => ({ key, reason: error instanceof OpError ? error.detail : String(error) }))
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const { live, contenders, sign, unfinished } = this.#parts
    await rm(unfinished, { recursive: true, force: true })
    await sign.withdraw()
    await live.close()
    await contenders.close()
  }

  /** One turn of the lock and one sync per folder, however many keys. */
  async #remove(keys: readonly string[]): Promise<{ key: string; error: unknown }[]> {
    this.#assertOpen()
    const paths = keys.map((key) => ({ key, path: pathOf(key) }))
    const failures: { key: string; error: unknown }[] = []
    const folders = new Set<string>()
    try {
      await this.#lock.run(async () => {
        for (const { key, path } of paths) {
          try {
            await unlink(this.#pathOf(path))
            folders.add(path.folder)
          } catch (error) {
            if (!isAbsent(error)) failures.push({ key, error: storeError(this.location, error) })
          }
        }
      })
      for (const folder of folders) await this.#folders.sync(folder)
    } catch (error) {
      throw storeError(this.location, error)
    }
    return failures
  }

  async #reading<Result>(key: string, read: (file: FileHandle) => Promise<Result>): Promise<Result> {
    this.#assertOpen()
    const path = this.#pathOf(pathOf(key))
    try {
      const file = await open(path, 'r')
      try {
        return await read(file)
      } finally {
        await file.close()
      }
    } catch (error) {
      throw isAbsent(error) ? missing(this.location, key, error) : storeError(this.location, error)
    }
  }

  async #writing<Result>(
    key: string,
    pieces: Iterable<ObjectBody> | AsyncIterable<ObjectBody>,
    name: (file: UnfinishedFile, path: KeyPath) => Promise<Result>,
    tag?: ContentTag,
  ): Promise<Result> {
    this.#assertOpen()
    const path = pathOf(key)
    this.#sequence += 1
    try {
      const file = await writeUnfinished(join(this.#parts.unfinished, String(this.#sequence)), pieces, tag)
      try {
        return await name(file, path)
      } finally {
        // Not awaited: nobody sees it, and it is swept should we die before it is gone.
        void discard(file.path)
      }
    } catch (error) {
      throw storeError(this.location, error)
    }
  }

  async #create(file: UnfinishedFile, path: KeyPath): Promise<PutIfAbsentOutcome> {
    const created = await this.#naming(path, () =>
      link(file.path, this.#pathOf(path)).then(
        () => true,
        (error: unknown) => {
          if (errnoOf(error) === 'EEXIST') return false
          throw error
        },
      ),
    )
    // Also when it exists: who reads it back and finds its own bytes counts on them.
    await this.#folders.sync(path.folder)
    return created ? { kind: 'created' } : { kind: 'exists' }
  }

  async #replace(file: UnfinishedFile, path: KeyPath): Promise<void> {
    await this.#naming(path, () => this.#lock.run(() => rename(file.path, this.#pathOf(path))))
    await this.#folders.sync(path.folder)
  }

  /** Gives a name in a folder that is durable; once more should the folder have been removed behind our back. */
  async #naming<Result>(path: KeyPath, give: () => Promise<Result>): Promise<Result> {
    await this.#folders.ensure(path.folder)
    try {
      return await give()
    } catch (error) {
      if (!isAbsent(error)) throw error
      this.#folders.forget()
      await this.#folders.ensure(path.folder)
      return give()
    }
  }

  async #currentTag(path: KeyPath): Promise<string | undefined> {
    try {
      const file = await open(this.#pathOf(path), 'r')
      return await tagOf(file).finally(() => file.close())
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  }

  #pathOf({ folder, file }: KeyPath): string {
    return join(this.#parts.dir, folder, file)
  }

  #assertOpen(): void {
    if (this.#closed)
      throw new OpError('closed', { code: 'STORE_CLOSED', detail: `${this.location} has been closed; open it again` })
  }
}

async function* eachAlone(parts: AsyncIterable<Uint8Array>): AsyncIterable<ObjectBody> {
  for await (const part of parts) yield [part]
}

async function readAt(file: FileHandle, start: number, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(length)
  for (let at = 0; at < length;) {
    const { bytesRead } = await file.read(bytes, at, length - at, start + at)
    // Objects never shrink: a file that does was changed by somebody else.
    if (bytesRead === 0) return bytes.subarray(0, at)
    at += bytesRead
  }
  return bytes
}

async function tagOf(file: FileHandle): Promise<string> {
  const tag = new ContentTag()
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(tagChunkBytes), 0, tagChunkBytes, tag.sizeBytes)
    if (bytesRead === 0) return tag.finish()
    tag.add(buffer.subarray(0, bytesRead))
  }
}
