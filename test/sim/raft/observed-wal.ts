/** Owns looking at what is appended to a WAL on its way, and finding out from the disk's own bytes what of it would survive a loss of power. */
import type { LogEntry } from '../../../src/model/entry.ts'
import type { Wal, WalPosition, WalUsage } from '../../../tiers/ports.ts'
import { walFileName } from '../../../tiers/wal/file-names.ts'
import type { MemoryDisk } from '../../unit/tiers/wal/memory-disk.ts'

export interface Written {
  readonly entry: LogEntry
  readonly position: WalPosition
}

const headerBytes = 32

export class ObservedWal implements Wal {
  readonly #wal: Wal
  /** Of each group and index the places it was written to, oldest first; hard states under index 0. */
  readonly #written = new Map<string, Written[]>()

  /** `found`: what an earlier process has left. */
  constructor(wal: Wal, found: readonly Written[]) {
    this.#wal = wal
    for (const one of found) this.#note(one)
  }

  append(entry: LogEntry): WalPosition {
    const position = this.#wal.append(entry)
    this.#note({ entry, position })
    return position
  }

  #note(one: Written): void {
    const { entry } = one
    const isSnapshot = entry.kind === 'node' && entry.payload[0] === 2
    if (isSnapshot) return
    const key = `${entry.group}/${entry.index}`
    const places = this.#written.get(key) ?? []
    places.push(one)
    this.#written.set(key, places)
  }

  durable(): Promise<void> {
    return this.#wal.durable()
  }

  /** Whether something written there fits, and is on disk. */
  onDisk(disk: MemoryDisk, key: { readonly group: number; readonly index: number }, fits: (entry: LogEntry) => boolean): boolean {
    const places = this.#written.get(`${key.group}/${key.index}`) ?? []
    for (let at = places.length - 1; at >= 0; at -= 1) {
      const { entry, position } = places[at]!
      if (!fits(entry) || !isThere(disk, entry, position)) continue
      // Those before it are of no interest any more.
      places.splice(0, at)
      return true
    }
    return false
  }

  read(position: WalPosition): Promise<Uint8Array> {
    return this.#wal.read(position)
  }

  readMany(positions: readonly WalPosition[]): Promise<Uint8Array[]> {
    return this.#wal.readMany(positions)
  }

  release(beforeFile: number): void {
    this.#wal.release(beforeFile)
  }

  usage(): WalUsage {
    return this.#wal.usage()
  }

  close(): Promise<void> {
    return this.#wal.close()
  }
}

function isThere(disk: MemoryDisk, { group, term, index, payload }: LogEntry, { file, at }: WalPosition): boolean {
  const synced = disk.files.get(walFileName(file))?.synced
  if (synced === undefined || synced.length < at + payload.length) return false
  const view = new DataView(synced.buffer, synced.byteOffset + at - headerBytes, headerBytes)
  const isSame = view.getUint32(4) === payload.length && view.getUint32(8) === group && view.getUint32(12) === term
  if (!isSame || view.getUint32(20) !== index) return false
  return payload.every((byte, offset) => synced[at + offset] === byte)
}
