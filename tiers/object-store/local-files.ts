// Owns durable files and folders of the local store: unfinished files, syncing, and which folders are known to be durable. Does not
// know keys or conditions.

import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { OpError } from '../../src/base/op-error.ts'
import { SingleFlight } from '../../src/base/single-flight.ts'
import type { ObjectBody } from '../ports.ts'
import type { ContentTag } from './content-tag.ts'
import { iovecsMax, knownFoldersMax, writeBytesMax } from './limits.ts'
import { errnoOf } from './local-errors.ts'

/** A file that has its whole content on the disk, and no name yet that a reader would look at. */
export interface UnfinishedFile {
  readonly path: string
}

/** `tag` is given what is written, where somebody wants it. */
export async function writeUnfinished(
  path: string,
  pieces: Iterable<ObjectBody> | AsyncIterable<ObjectBody>,
  tag?: ContentTag,
): Promise<UnfinishedFile> {
  const file = await open(path, 'wx')
  try {
    for await (const body of pieces) {
      for (const batch of batchesOf(body)) {
        const written = writeAll(file, batch)
        // The kernel copies on a thread of the pool meanwhile.
        if (tag !== undefined) for (const piece of batch) tag.add(piece)
        await written
      }
    }
    await file.datasync()
    await file.close()
    return { path }
  } catch (error) {
    await file.close().catch(() => undefined)
    await discard(path)
    throw error
  }
}

/** The body in order, in writes that hold up neither the disk's queue nor, while they are summed, the event loop. */
function* batchesOf(body: ObjectBody): Generator<ObjectBody> {
  let batch: Uint8Array[] = []
  let bytes = 0
  for (const piece of body) {
    for (let at = 0; at < piece.length; at += writeBytesMax) {
      const part = piece.subarray(at, at + writeBytesMax)
      if (batch.length > 0 && (batch.length === iovecsMax || bytes + part.length > writeBytesMax)) {
        yield batch
        batch = []
        bytes = 0
      }
      batch.push(part)
      bytes += part.length
    }
  }
  if (batch.length > 0) yield batch
}

/** An unfinished file that stays is swept at the next start: not worth failing for. */
export async function discard(path: string): Promise<void> {
  await unlink(path).catch(() => undefined)
}

async function writeAll(file: FileHandle, body: ObjectBody): Promise<void> {
  let left = body.filter((piece) => piece.length > 0)
  while (left.length > 0) {
    let { bytesWritten } = await file.writev(left)
    const next = left.findIndex((piece) => {
      if (piece.length > bytesWritten) return true
      bytesWritten -= piece.length
      return false
    })
    left = next < 0 ? [] : [left[next]!.subarray(bytesWritten), ...left.slice(next + 1)]
  }
}

export class DurableFolders {
  readonly #root: string
  readonly #known = new Set<string>()
  readonly #making = new SingleFlight<string, void>()
  readonly #syncing = new Map<string, { readonly now: Promise<void>; next: Promise<void> | undefined }>()
  #failure: OpError | undefined

  constructor(root: string) {
    this.#root = root
  }

  pathOf(folder: string): string {
    return join(this.#root, folder)
  }

  /** Makes the folder and those above it, durably. Once synced by this process a folder costs nothing. */
  async ensure(folder: string): Promise<void> {
    if (folder === '' || this.#known.has(folder)) return
    await this.#making.run(folder, async () => {
      const parent = dirname(folder)
      await this.ensure(parent === '.' ? '' : parent)
      await mkdir(this.pathOf(folder)).catch((error: unknown) => {
        if (errnoOf(error) !== 'EEXIST') throw error
      })
      // Also when it was there: whoever made it may have died before this.
      await this.sync(parent === '.' ? '' : parent)
      if (this.#known.size >= knownFoldersMax) this.#known.clear()
      this.#known.add(folder)
    })
  }

  /** Somebody removed folders behind our back: nothing is known any more. */
  forget(): void {
    this.#known.clear()
  }

  /** Makes every name durable that was given or taken in the folder before the call. Calls during one sync share the next. */
  sync(folder: string): Promise<void> {
    const running = this.#syncing.get(folder)
    if (running === undefined) return this.#start(folder)
    running.next ??= running.now.catch(() => undefined).then(() => this.#start(folder))
    return running.next
  }

  #start(folder: string): Promise<void> {
    const state = { now: this.#syncNow(folder), next: undefined as Promise<void> | undefined }
    this.#syncing.set(folder, state)
    const end = (): void => {
      if (state.next === undefined) this.#syncing.delete(folder)
    }
    state.now.then(end, end)
    return state.now
  }

  /** A failed sync of a folder is told by the kernel once only: a later success would prove nothing. So it is final. */
  async #syncNow(folder: string): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    const handle = await open(this.pathOf(folder), 'r')
    try {
      await handle.sync()
    } catch (cause) {
      this.#failure = new OpError('internal', {
        code: 'STORE_SYNC_FAILED',
        detail: `the folder ${this.pathOf(folder)} could not be synced; check the disk, then restart`,
        cause,
      })
      throw this.#failure
    } finally {
      await handle.close()
    }
  }
}
