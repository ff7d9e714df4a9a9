// Owns a node's disk for tests above the WAL: entries that were durable outlive the process, others do not. Honest about order (I1);
// the real WAL has tests of its own.

import { OpError } from '../../src/base/op-error.ts'
import type { LogEntry, WalPosition } from '../../src/model/entry.ts'
import { batchHeaderBytes, isControlBatch } from '../../src/protocol/index.ts'
import type { LocalEntry, LocalWal, WalIdentity } from '../../recovery/index.ts'
import type { Wal, WalUsage } from '../../tiers/ports.ts'

interface Stored {
  readonly entry: LogEntry
  readonly position: WalPosition
}

export class WalDisk {
  identity: WalIdentity | undefined
  /** What survives the process. */
  stored: Stored[] = []
  damage: LocalWal['damage'] = []
  /** While set, nothing becomes durable. */
  held = false
  /** What can be read, written or not: payloads by place. */
  readonly payloads = new Map<number, Uint8Array>()
  nextAt = 4096
  #wal: TestWal | undefined

  /** As a process opens it: what the last one left, and a log that goes on behind it. The last one is dead from now on. */
  open(): LocalWal & { readonly wal: TestWal } {
    this.#wal?.kill()
    const wal = new TestWal(this)
    this.#wal = wal
    return {
      wal,
      identity: this.identity,
      entries: this.stored.map(localEntry),
      damage: this.damage,
      tornAt: undefined,
      writeIdentity: (identity) => {
        this.identity = identity
        return Promise.resolve()
      },
    }
  }

  /** Lets go on what waits to become durable. */
  release(): void {
    this.held = false
    this.#wal?.sync()
  }
}

function localEntry({ entry, position }: Stored): LocalEntry {
  const { group, term, index, kind, payload } = entry
  const isData = kind === 'batch' && !isControlBatch(payload)
  const bytes = new Uint8Array(isData ? payload.subarray(0, batchHeaderBytes) : payload)
  return { group, term, index, kind, position, bytes }
}

interface Ticket {
  readonly promise: Promise<void>
  readonly resolve: () => void
}

export class TestWal implements Wal {
  readonly #disk: WalDisk
  #pending: Stored[] = []
  #ticket: Ticket | undefined
  #dead = false

  constructor(disk: WalDisk) {
    this.#disk = disk
  }

  append(entry: LogEntry): WalPosition {
    if (this.#dead) throw new OpError('closed', { code: 'WAL_CLOSED', detail: 'the process is gone' })
    const position = { file: 1, at: this.#disk.nextAt, length: entry.payload.length }
    this.#disk.nextAt += entry.payload.length + 32
    this.#disk.payloads.set(position.at, entry.payload)
    this.#pending.push({ entry, position })
    return position
  }

  durable(): Promise<void> {
    if (this.#pending.length === 0) return Promise.resolve()
    if (this.#ticket === undefined) {
      let resolve = (): void => undefined
      const promise = new Promise<void>((settle) => {
        resolve = settle
      })
      this.#ticket = { promise, resolve }
      setImmediate(() => {
        if (!this.#disk.held) this.sync()
      })
    }
    return this.#ticket.promise
  }

  sync(): void {
    if (this.#dead) return
    this.#disk.stored.push(...this.#pending)
    this.#pending = []
    this.#ticket?.resolve()
    this.#ticket = undefined
  }

  read(position: WalPosition): Promise<Uint8Array> {
    const payload = this.#disk.payloads.get(position.at)
    if (payload === undefined) return Promise.reject(new OpError('missing', { code: 'WAL_RELEASED', detail: 'not there' }))
    return Promise.resolve(payload)
  }

  readMany(positions: readonly WalPosition[]): Promise<Uint8Array[]> {
    return Promise.all(positions.map((position) => this.read(position)))
  }

  release(): void {
    // One file for ever.
  }

  usage(): WalUsage {
    return { usedBytes: this.#disk.nextAt, budgetBytes: 2 ** 30, oldestFile: 1, newestFile: 1 }
  }

  close(): Promise<void> {
    this.sync()
    this.#dead = true
    return Promise.resolve()
  }

  /** The process is gone: nothing more becomes durable. */
  kill(): void {
    this.#dead = true
    this.#pending = []
  }
}
