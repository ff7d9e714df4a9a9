// Owns a disk for tests of the WAL: what a program wrote, what was synced, what a power cut leaves of the rest, and faults on
// demand. Not the WAL's own rules.

import { OpError } from '../../../../src/base/op-error.ts'
import type { Prng } from '../../../../src/base/prng.ts'
import type { ListedFile, OpenMode, WalFile, WalFiles } from '../../../../tiers/wal/index.ts'

export type DiskCall = 'read' | 'writev' | 'sync' | 'open' | 'rename' | 'remove' | 'syncDirectory'

export interface DiskFault {
  /** Called before the effect: throws to fail the call; a number caps the bytes of a `writev`. */
  (call: DiskCall, name: string, at: number, bytes: number): number | undefined | Promise<number | undefined>
}

export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code })
}

interface StoredFile {
  current: Uint8Array
  synced: Uint8Array
}

function grown(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length >= length) return bytes
  const longer = new Uint8Array(length)
  longer.set(bytes)
  return longer
}

export class MemoryDisk implements WalFiles {
  readonly location = 'memory:wal'
  readonly files = new Map<string, StoredFile>()
  fault: DiskFault = () => undefined
  readonly calls: Record<DiskCall, number> = { read: 0, writev: 0, sync: 0, open: 0, rename: 0, remove: 0, syncDirectory: 0 }
  #locked = false
  /** After a crash every call of the old process hangs: it is gone. */
  #gone = false

  async #call(call: DiskCall, name: string, at = 0, bytes = 0): Promise<number | undefined> {
    this.calls[call] += 1
    const cap = await this.fault(call, name, at, bytes)
    if (this.#gone) await new Promise(() => undefined)
    return cap
  }

  list(): Promise<readonly ListedFile[]> {
    return Promise.resolve([...this.files].map(([name, file]) => ({ name, sizeBytes: file.current.length })))
  }

  async open(name: string, mode: OpenMode): Promise<WalFile> {
    await this.#call('open', name)
    if (mode === 'create') this.files.set(name, { current: new Uint8Array(0), synced: new Uint8Array(0) })
    const file = this.files.get(name)
    if (file === undefined) throw systemError('ENOENT')
    const writev: WalFile['writev'] = async (parts, at) => {
      const bytes = Buffer.concat(parts)
      const cap = (await this.#call('writev', name, at, bytes.length)) ?? bytes.length
      file.current = grown(file.current, at + Math.min(cap, bytes.length))
      file.current.set(bytes.subarray(0, cap), at)
      return Math.min(cap, bytes.length)
    }
    const sync = async (): Promise<void> => {
      await this.#call('sync', name)
      file.synced = file.current.slice()
    }
    return {
      sizeBytes: file.current.length,
      read: async (into, at) => {
        await this.#call('read', name, at, into.length)
        const piece = file.current.subarray(at, at + into.length)
        into.set(piece)
        return piece.length
      },
      writev,
      sync,
      // The system may be cut off between the two, however they are asked for.
      writevSynced: async (parts, at) => {
        const count = await writev(parts, at)
        await sync()
        return count
      },
      close: () => Promise.resolve(),
    }
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#call('rename', from)
    const file = this.files.get(from)
    if (file === undefined) throw systemError('ENOENT')
    this.files.delete(from)
    this.files.set(to, file)
  }

  async remove(name: string): Promise<void> {
    await this.#call('remove', name)
    if (!this.files.delete(name)) throw systemError('ENOENT')
  }

  async syncDirectory(): Promise<void> {
    await this.#call('syncDirectory', '')
  }

  lock(): Promise<() => Promise<void>> {
    if (this.#locked) return Promise.reject(new OpError('busy', { code: 'WAL_LOCKED', detail: 'another test has it' }))
    this.#locked = true
    return Promise.resolve(() => {
      this.#locked = false
      return Promise.resolve()
    })
  }

  /** The process died: what it wrote stays. A copy, so that the dead one cannot write any more. */
  killed(): MemoryDisk {
    this.#gone = true
    const disk = new MemoryDisk()
    for (const [name, { current }] of this.files) disk.files.set(name, { current: current.slice(), synced: current.slice() })
    return disk
  }

  /** The power went: every sector written since the last sync of its file is there or not, as chance will have it. */
  powerCut(prng: Prng, sectorBytes: 512 | 4096): MemoryDisk {
    this.#gone = true
    const disk = new MemoryDisk()
    for (const [name, { current, synced }] of this.files) {
      const left = grown(synced, current.length).slice()
      for (let at = 0; at < current.length; at += sectorBytes) {
        if (prng.next() < 0.5) left.set(current.subarray(at, at + sectorBytes), at)
      }
      disk.files.set(name, { current: left, synced: left.slice() })
    }
    return disk
  }

  bytes(name: string): Uint8Array {
    const file = this.files.get(name)
    if (file === undefined) throw systemError('ENOENT')
    return file.current
  }
}
