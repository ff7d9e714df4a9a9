// Owns the files a WAL writes to next: one prepared ahead (zeroed or recycled, durable in the directory), released files kept as
// spares, and the budget they all share. Not what is written to them (hot-wal.ts).
//
//   none --begin--> preparing --zeros synced--> ready --claim and take--> in use --retire--> spare, or removed
//                   preparing --no space--> stalled --after a pause, or a spare--> preparing

import { assert } from '../../src/base/assert.ts'
import type { Cancel, Clock } from '../../src/base/clock.ts'
import { walLimits } from './core/index.ts'
import type { WalCounters } from './counters.ts'
import { spareFileName, walFileName } from './file-names.ts'
import type { WalFile, WalFiles } from './ports.ts'
import { isNoSpace, walClosed } from './wal-errors.ts'

export interface ReadyFile {
  readonly number: number
  readonly file: WalFile
  readonly recycled: boolean
}

export interface FileSupplyOptions {
  readonly files: WalFiles
  readonly clock: Clock
  readonly fileBytes: number
  readonly budgetBytes: number
  readonly counters: WalCounters
  /** Preparing failed for another reason than space: the disk is not to be trusted. */
  readonly onFailure: (error: unknown) => void
  /** There is no room for the next file, for now. */
  readonly onStall: () => void
}

interface Ahead {
  readonly number: number
  readonly ready: Promise<ReadyFile>
  claimed: boolean
  settled: boolean
}

export class FileSupply {
  readonly #options: FileSupplyOptions
  readonly #spares: string[]
  readonly #claims = new Map<number, Promise<ReadyFile>>()
  #inUseBytes = 0
  #retiringBytes = 0
  #ahead: Ahead | undefined
  #nextNumber: number
  #stalledBy: unknown
  #wake: (() => void) | undefined
  #closed = false
  #retiring: Promise<void> = Promise.resolve()

  constructor(options: FileSupplyOptions, nextNumber: number, spares: readonly string[]) {
    this.#options = options
    this.#nextNumber = nextNumber
    this.#spares = [...spares]
  }

  /** Bytes of all files the WAL holds data in. */
  get inUseBytes(): number {
    return this.#inUseBytes
  }
  /** What the last attempt to prepare a file failed with, while no space has come. */
  get stalledBy(): unknown {
    return this.#stalledBy
  }

  /** A file found at opening that holds data. */
  adopt(bytes: number): void {
    this.#inUseBytes += bytes
  }

  /** Starts preparing the next file, unless one is there or the budget has no room for it. */
  prepare(): void {
    if (this.#ahead === undefined) this.#begin(Promise.resolve())
  }

  /** Prepares one more file once `before` is there: files are prepared one at a time. */
  #begin(before: Promise<unknown>): void {
    if (this.#closed) return
    const { budgetBytes, fileBytes } = this.#options
    const heldBytes = this.#inUseBytes + this.#retiringBytes + this.#spares.length * fileBytes
    if (this.#spares.length === 0 && heldBytes + fileBytes > budgetBytes) return
    if (this.#inUseBytes + fileBytes > budgetBytes) return
    const number = this.#nextNumber
    this.#nextNumber += 1
    const ready = before.then(() => this.#prepare(number))
    const ahead: Ahead = { number, ready, claimed: false, settled: false }
    this.#ahead = ahead
    ready.then(
      () => {
        ahead.settled = true
        if (ahead.claimed && this.#ahead === ahead) this.#moveOn()
      },
      (error: unknown) => {
        if (!this.#closed) this.#options.onFailure(error)
      },
    )
  }

  /** The number of the next file, now in use; it may still be under way. `undefined`: the budget or the disk has no room. */
  claim(): number | undefined {
    if (this.#stalledBy !== undefined) return undefined
    // A burst may claim faster than files are prepared: the next one is promised too.
    if (this.#ahead?.claimed === true) this.#begin(this.#ahead.ready)
    const ahead = this.#ahead
    if (ahead === undefined || ahead.claimed) return undefined
    ahead.claimed = true
    this.#inUseBytes += this.#options.fileBytes
    this.#claims.set(ahead.number, ahead.ready)
    if (ahead.settled) this.#moveOn()
    return ahead.number
  }

  /** Resolves with a claimed file once it is ready; whoever takes it closes it. */
  take(number: number): Promise<ReadyFile> {
    const ready = this.#claims.get(number)
    assert(ready !== undefined, 'a file is taken once, after it was claimed')
    this.#claims.delete(number)
    return ready
  }

  /** Files that are no longer needed, ascending: kept as spares or removed, one after the other so that no gap can appear. */
  retire(files: ReadonlyArray<{ readonly number: number; readonly bytes: number }>): void {
    for (const { number, bytes } of files) {
      this.#inUseBytes -= bytes
      this.#retiringBytes += bytes
      this.#retiring = this.#retiring.then(() => this.#retire(number, bytes))
    }
    this.#retiring = this.#retiring.catch((error: unknown) => {
      if (!this.#closed) this.#options.onFailure(error)
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#wake?.()
    await this.#retiring
    const ahead = this.#ahead
    const unclaimed = ahead === undefined || ahead.claimed ? [] : [ahead.ready]
    for (const ready of [...unclaimed, ...this.#claims.values()]) {
      await ready.then(
        (taken) => taken.file.close(),
        () => undefined,
      )
    }
  }

  #moveOn(): void {
    this.#ahead = undefined
    this.prepare()
  }

  async #retire(number: number, bytes: number): Promise<void> {
    const { files, fileBytes } = this.#options
    const keep = bytes === fileBytes && this.#spares.length < walLimits.sparesMax
    if (keep) await files.rename(walFileName(number), spareFileName(number))
    else await files.remove(walFileName(number))
    await files.syncDirectory()
    this.#retiringBytes -= bytes
    if (keep) this.#spares.push(spareFileName(number))
    this.#wake?.()
    this.prepare()
  }

  async #prepare(number: number): Promise<ReadyFile> {
    let begun: WalFile | undefined
    try {
      for (;;) {
        if (this.#closed) throw walClosed('the WAL was closed while a file was being prepared')
        try {
          const spare = this.#spares.pop()
          if (spare !== undefined) {
            if (begun !== undefined) await this.#abandon(begun, number)
            begun = undefined
            return await this.#recycle(spare, number)
          }
          begun ??= await this.#options.files.open(walFileName(number), 'create')
          const ready = await this.#zero(begun, number)
          begun = undefined
          return ready
        } catch (error) {
          if (!isNoSpace(error)) throw error
          this.#stalledBy = error
          this.#options.onStall()
          await this.#pause()
        }
      }
    } finally {
      await begun?.close()
    }
  }

  async #recycle(spare: string, number: number): Promise<ReadyFile> {
    const { files, counters } = this.#options
    await files.rename(spare, walFileName(number))
    await files.syncDirectory()
    const file = await files.open(walFileName(number), 'write')
    counters.filesRecycled += 1
    this.#stalledBy = undefined
    return { number, file, recycled: true }
  }

  async #zero(file: WalFile, number: number): Promise<ReadyFile> {
    const { files, fileBytes, counters } = this.#options
    const zeros = new Uint8Array(Math.min(walLimits.preallocateStepBytes, fileBytes))
    for (let at = 0; at < fileBytes;) {
      if (this.#closed) throw walClosed('the WAL was closed while a file was being prepared')
      const end = Math.min(at + zeros.length, fileBytes)
      while (at < end) at += await file.writev([zeros.subarray(0, end - at)], at)
      await file.sync()
    }
    await files.syncDirectory()
    counters.filesPrepared += 1
    this.#stalledBy = undefined
    return { number, file, recycled: false }
  }

  async #abandon(begun: WalFile, number: number): Promise<void> {
    await begun.close()
    await this.#options.files.remove(walFileName(number))
  }

  /** Until a spare comes, the WAL closes, or the disk deserves another try. */
  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const cancel: Cancel = this.#options.clock.after(walLimits.preallocateRetryMs, () => {
        this.#wake?.()
      })
      this.#wake = () => {
        this.#wake = undefined
        cancel()
        resolve()
      }
    })
  }
}
