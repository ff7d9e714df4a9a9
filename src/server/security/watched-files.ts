// Owns noticing that files have changed: it reads them at intervals and compares what is in them. Events of the file system are not
// used: they miss files that are swapped by a link (as Kubernetes does), and files on network disks. Not what is in the files.

import { readFile } from 'node:fs/promises'
import type { Cancel, Clock } from '../../base/clock.ts'
import { OpError } from '../../base/op-error.ts'

export interface NamedFile {
  /** The setting that names it, for messages. */
  readonly setting: string
  readonly path: string
}

/** By setting. */
export type FileContents = ReadonlyMap<string, Buffer>

export interface WatchOptions {
  readonly files: readonly NamedFile[]
  readonly intervalMs: number
  readonly clock: Clock
  /** Takes other contents than before; what it throws as `invalid` is told once, and the contents before stay in use. */
  readonly onChanged: (contents: FileContents) => void
  readonly onTrouble: (error: OpError) => void
}

async function readOne({ setting, path }: NamedFile): Promise<readonly [string, Buffer]> {
  try {
    return [setting, await readFile(path)]
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'it cannot be read'
    const detail = `${setting} names ${path}, which cannot be read (${reason}); name a file this process may read`
    throw new OpError('invalid', { code: 'FILE_UNREADABLE', detail, cause })
  }
}

export const readFiles = async (files: readonly NamedFile[]): Promise<FileContents> =>
  new Map(await Promise.all(files.map(readOne)))

const same = (one: FileContents, other: FileContents): boolean =>
  [...one].every(([setting, bytes]) => other.get(setting)?.equals(bytes) === true)

export class WatchedFiles {
  readonly #options: WatchOptions
  #contents: FileContents
  #trouble = ''
  #stop: Cancel = () => undefined
  #closed = false

  /** `contents` are what is in use now. */
  constructor(contents: FileContents, options: WatchOptions) {
    this.#contents = contents
    this.#options = options
    this.#arm()
  }

  close(): void {
    this.#closed = true
    this.#stop()
  }

  /** Looks now. Files that are being replaced one by one do not fit together for a moment: the next look finds them whole. */
  async look(): Promise<void> {
    const { files, onChanged, onTrouble } = this.#options
    try {
      const contents = await readFiles(files)
      if (this.#closed || same(contents, this.#contents)) return
      this.#contents = contents
      this.#trouble = ''
      onChanged(contents)
    } catch (error) {
      if (!(error instanceof OpError)) throw error
      if (this.#closed || error.detail === this.#trouble) return
      this.#trouble = error.detail
      onTrouble(error)
    }
  }

  #arm(): void {
    this.#stop = this.#options.clock.after(this.#options.intervalMs, () => {
      void this.look().finally(() => {
        if (!this.#closed) this.#arm()
      })
    })
  }
}
