// Owns the running WAL: where each entry will stand, the queue of commits, one write and one fsync for all that waits, and what
// happens when they fail. Not opening (open.ts), formats (core/) nor the next files (file-supply.ts).

import { assertDefined } from '../../src/base/assert.ts'
import type { Clock } from '../../src/base/clock.ts'
import type { Crc32c } from '../../src/base/crc32c.ts'
import { OpError } from '../../src/base/op-error.ts'
import type { TakeMemory } from '../../src/base/scratch.ts'
import type { LogEntry } from '../../src/model/entry.ts'
import type { Wal, WalPosition, WalUsage } from '../ports.ts'
import {
  alignUp,
  type Bytes,
  bytesOf,
  chainSeed,
  commitHeaderBytes,
  type CommitPlace,
  commitSalt,
  encodeFileHeader,
  frameHeaderBytes,
  gatherBytes,
  OpenCommit,
  walLimits,
} from './core/index.ts'
import { countSync, newCounters, type WalCounters } from './counters.ts'
import { walFileName } from './file-names.ts'
import { FileSupply } from './file-supply.ts'
import type { Unlock, WalFile, WalFiles } from './ports.ts'
import { freshMemory, WalReader } from './reader.ts'
import { walClosed, walDead, walFull } from './wal-errors.ts'

/** `unsafe-no-fsync` acknowledges what only the page cache holds: a power cut or kernel crash loses acknowledged entries. */
export type WalDurability = 'fdatasync' | 'unsafe-no-fsync'

export interface HotWalSettings {
  readonly files: WalFiles
  readonly clock: Clock
  readonly crc32c: Crc32c
  readonly fileBytes: number
  readonly budgetBytes: number
  readonly queueBytesMax: number
  readonly durability: WalDurability
  /** Told once, when the log died; all that was not durable by then has been rejected. */
  readonly onFatal: (error: OpError) => void
}

export interface UsedFile {
  readonly number: number
  readonly bytes: number
}

/** Where writing goes on, as the scan at opening left it. */
export interface WalTail {
  readonly walId: Uint8Array
  /** Chance of this process, for the salts of its commits. */
  readonly chance: number
  /** Ascending; the last is the newest. */
  readonly files: readonly UsedFile[]
  /** The newest file's end and chain. */
  readonly end: number
  readonly chain: number
  /** May the newest file be written further? Not after a cut or damage. */
  readonly continues: boolean
  readonly nextNumber: number
  readonly spares: readonly string[]
  readonly unlock: Unlock
}

interface Deferred {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: OpError) => void
}

interface QueuedCommit {
  readonly commit: OpenCommit
  /** Of a file's first commit: what the file's header says about the file before. */
  readonly previous?: { readonly file: number; readonly end: number; readonly chain: number }
  done?: Deferred
}

function defer(): Deferred {
  let resolve!: () => void
  let reject!: (error: OpError) => void
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

export class HotWal implements Wal {
  readonly counters: WalCounters = newCounters()
  readonly #settings: HotWalSettings
  readonly #walId: Uint8Array
  readonly #chance: number
  readonly #unlock: Unlock
  readonly #supply: FileSupply
  readonly #reader: WalReader
  readonly #files: UsedFile[]
  readonly #queue: QueuedCommit[] = []
  readonly #pool: Bytes[] = []
  /** The last of the queue while it still takes frames. */
  #open: QueuedCommit | undefined
  /** Where the next commit may stand: file, first free byte, room, chain. `cut`: the exact end, after which nothing is written. */
  #newest: { file: number; end: number; bytes: number; chain: number; cut: boolean }
  #writing: { number: number; file: WalFile } | undefined
  #running: Promise<void> | undefined
  #scheduled = false
  #closing = false
  #dead: OpError | undefined
  /** Of the file being written: it held another file's bytes before. */
  #recycled = false
  #marked = true
  #markTimer = false
  #lastCommitMs = 0

  constructor(settings: HotWalSettings, tail: WalTail) {
    this.#settings = settings
    this.#walId = tail.walId
    this.#chance = tail.chance
    this.#unlock = tail.unlock
    this.#files = [...tail.files]
    this.#reader = new WalReader(settings.files, settings.crc32c)
    const { files, clock, fileBytes, budgetBytes } = settings
    const onFailure = (error: unknown): void => {
      this.#die(error)
    }
    const onStall = (): void => {
      if (this.#closing) this.#giveUp()
    }
    const options = { files, clock, fileBytes, budgetBytes, counters: this.counters, onFailure, onStall }
    this.#supply = new FileSupply(options, tail.nextNumber, tail.spares)
    for (const file of tail.files) this.#supply.adopt(file.bytes)
    const newest = tail.files.at(-1)
    this.#newest = {
      file: newest?.number ?? 0,
      end: tail.end,
      bytes: tail.continues ? (newest?.bytes ?? 0) : 0,
      chain: tail.chain,
      cut: !tail.continues,
    }
    this.#supply.prepare()
  }

  append(entry: LogEntry): WalPosition {
    if (this.#dead !== undefined) throw this.#dead
    if (this.#closing) throw walClosed('the WAL is being closed')
    const { payload } = entry
    const frameBytes = frameHeaderBytes + payload.length
    this.#refuseOversize(frameBytes)
    let queued = this.#open
    if (queued !== undefined && !(queued.commit.takes(payload.length) && queued.commit.end + frameBytes <= this.#newest.bytes)) {
      this.#open = queued = undefined
    }
    queued ??= this.#begin(frameBytes)
    const at = queued.commit.add(entry)
    this.#newest.end = queued.commit.end
    this.#newest.chain = queued.commit.lastCrc
    this.counters.queuedFrames += 1
    this.counters.queuedBytes += payload.length
    this.#schedule()
    return { file: queued.commit.place.file, at, length: payload.length }
  }

  durable(): Promise<void> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead)
    const last = this.#queue.at(-1)
    if (last === undefined) return Promise.resolve()
    last.done ??= defer()
    return last.done.promise
  }

  async read(position: WalPosition): Promise<Uint8Array> {
    const queued = this.#queuedPayload(position)
    if (queued !== undefined) return queued
    this.#refuseReleased(position)
    try {
      return await this.#reader.read(position)
    } finally {
      // A file that was released meanwhile may hold another file's frames by now, and valid ones.
      this.#refuseReleased(position)
    }
  }

  /** As `read` for each, in the order asked; neighbouring frames share one read. */
  async readMany(positions: readonly WalPosition[], take: TakeMemory = freshMemory): Promise<Uint8Array[]> {
    const payloads = new Array<Uint8Array>(positions.length)
    const onDisk: number[] = []
    positions.forEach((position, slot) => {
      const queued = this.#queuedPayload(position)
      if (queued === undefined) {
        this.#refuseReleased(position)
        onDisk.push(slot)
      } else payloads[slot] = queued
    })
    try {
      await this.#reader.readInto(payloads, { positions, slots: onDisk, take })
    } finally {
      for (const slot of onDisk) this.#refuseReleased(assertDefined(positions[slot], 'a slot names a position'))
    }
    return payloads
  }

  release(beforeFile: number): void {
    if (this.#dead !== undefined || this.#closing) return
    const unwritten = this.#queue[0]?.commit.place.file ?? this.#newest.file
    const before = Math.min(beforeFile, unwritten, this.#newest.file)
    const released: UsedFile[] = []
    while (this.#files[0] !== undefined && this.#files[0].number < before) released.push(this.#files.shift()!)
    for (const file of released) this.#reader.drop(file.number)
    this.#supply.retire(released)
  }

  usage(): WalUsage {
    const newest = this.#files.at(-1)
    return {
      usedBytes: newest === undefined ? 0 : this.#supply.inUseBytes - newest.bytes + this.#newest.end,
      budgetBytes: this.#settings.budgetBytes,
      oldestFile: this.#files[0]?.number ?? this.#newest.file,
      newestFile: this.#newest.file,
    }
  }

  async close(): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    if (this.#supply.stalledBy !== undefined) this.#giveUp()
    this.#start()
    if (this.#dead === undefined) await this.#running
    if (this.#dead === undefined && !this.#marked) await this.#mark()
    await this.#supply.close()
    await this.#running
    this.#reader.close()
    await this.#writing?.file.close()
    this.#writing = undefined
    await this.#unlock()
  }

  #refuseOversize(frameBytes: number): void {
    const room = this.#settings.fileBytes - walLimits.fileHeaderBytes - commitHeaderBytes
    if (frameBytes > room) {
      const detail = `an entry of ${frameBytes} bytes does not fit a WAL file of ${this.#settings.fileBytes}; raise the WAL's file size`
      throw new OpError('invalid', { code: 'WAL_ENTRY_TOO_LARGE', detail })
    }
    const { queuedBytes } = this.counters
    if (queuedBytes > 0 && queuedBytes + frameBytes > this.#settings.queueBytesMax) {
      this.counters.refusals += 1
      throw new OpError('busy', {
        code: 'WAL_QUEUE_FULL',
        detail: `${queuedBytes} bytes wait for the disk; try again when it caught up`,
      })
    }
  }

  #refuseReleased(position: WalPosition): void {
    const { oldestFile, newestFile } = this.usage()
    if (position.file >= oldestFile && position.file <= newestFile) return
    const detail = `WAL file ${position.file} is gone (the oldest is ${oldestFile}, the newest ${newestFile}); the bucket has its entries`
    throw new OpError('missing', { code: 'WAL_FILE_RELEASED', detail })
  }

  #queuedPayload(position: WalPosition): Uint8Array | undefined {
    const first = this.#queue[0]?.commit.place
    if (first === undefined || position.file < first.file || (position.file === first.file && position.at < first.at))
      return undefined
    for (const { commit } of this.#queue) {
      if (commit.place.file === position.file && position.at < commit.end) return commit.payloadAt(position.at)
    }
    return undefined
  }

  /** A new commit at the log's end, in a new file when this one has no room. Throws `WAL_FULL` when there is none. */
  #begin(frameBytes: number): QueuedCommit {
    const newest = this.#newest
    const { crc32c, fileBytes } = this.#settings
    let at = alignUp(newest.end)
    let queued: QueuedCommit
    if (at + commitHeaderBytes + frameBytes <= newest.bytes) {
      queued = { commit: this.#openCommit(newest.file, at, newest.chain) }
    } else {
      const file = this.#supply.claim()
      if (file === undefined) {
        this.counters.refusals += 1
        throw this.#fullError()
      }
      const previous = { file: newest.file, end: newest.cut ? newest.end : at, chain: newest.chain }
      at = walLimits.fileHeaderBytes
      this.#files.push({ number: file, bytes: fileBytes })
      queued = { commit: this.#openCommit(file, at, chainSeed(this.#walId, file, crc32c)), previous }
      this.#newest = { file, end: at, bytes: fileBytes, chain: queued.commit.lastCrc, cut: false }
    }
    this.#queue.push(queued)
    this.#open = queued
    return queued
  }

  #fullError(): OpError {
    const stalledBy = this.#supply.stalledBy
    if (stalledBy !== undefined) {
      return walFull(`the disk of ${this.#settings.files.location} has no room for the next WAL file; free some`, stalledBy)
    }
    const { usedBytes, budgetBytes } = this.usage()
    return walFull(
      `${usedBytes} of ${budgetBytes} bytes of the WAL hold entries that are still needed; try again when the streamer moved on`,
    )
  }

  #openCommit(file: number, at: number, chain: number): OpenCommit {
    const gather = this.#pool.pop() ?? bytesOf(Buffer.allocUnsafeSlow(gatherBytes))
    const salt = commitSalt(chain, at, this.#chance, this.#settings.crc32c)
    const place: CommitPlace = { walId: this.#walId, file, at, chain, salt }
    return new OpenCommit(place, gather, this.#settings.crc32c)
  }

  /** At the end of this turn, so that all of the turn's appends share one commit. */
  #schedule(): void {
    if (this.#scheduled || this.#running !== undefined || this.#queue.length === 0) return
    this.#scheduled = true
    const start = (): void => {
      this.#scheduled = false
      this.#start()
    }
    this.#settings.clock.afterTurn(start)
  }

  #start(): void {
    if (this.#running !== undefined || this.#dead !== undefined || this.#queue.length === 0) return
    this.#running = this.#run().catch((error: unknown) => {
      this.#die(error)
    })
  }

  async #run(): Promise<void> {
    for (;;) {
      const queued = this.#queue[0]
      if (queued === undefined || this.#dead !== undefined) break
      const file = await this.#fileOf(queued)
      if (this.#isDead()) break
      // Sealed only now: all that was appended while the file was awaited goes along.
      if (this.#open === queued) this.#open = undefined
      await this.#write(queued, file)
      if (this.#isDead()) break
      this.#queue.shift()
      this.#settle(queued)
    }
    this.#running = undefined
    this.#armMark()
  }

  async #fileOf(queued: QueuedCommit): Promise<WalFile> {
    const { file: number } = queued.commit.place
    if (this.#writing?.number === number) return this.#writing.file
    const { files } = this.#settings
    if (queued.previous === undefined) {
      // The file the last process left: opened at its first commit.
      const file = await files.open(walFileName(number), 'write')
      this.#writing = { number, file }
      return file
    }
    const ready = await this.#supply.take(number)
    const before = this.#writing
    this.#writing = { number, file: ready.file }
    this.#recycled = ready.recycled
    await before?.file.close()
    return ready.file
  }

  async #write(queued: QueuedCommit, file: WalFile): Promise<void> {
    const { commit, previous } = queued
    const { clock, durability, crc32c, fileBytes } = this.#settings
    const syncing = durability === 'fdatasync'
    // A file's first commit goes out together with the file's header: nothing of the file was synced before it.
    const parts = commit.seal(syncing && previous === undefined ? commit.place.at : 0)
    let at = commit.place.at
    if (previous !== undefined) {
      const { file: previousFile, end: previousEnd, chain: previousChain } = previous
      const facts = { walId: this.#walId, file: commit.place.file, fileBytes, recycled: this.#recycled }
      parts.unshift(encodeFileHeader({ ...facts, previousFile, previousEnd, previousChain }, crc32c))
      at = 0
    }
    const startedMs = clock.monotonicMs()
    this.counters.writtenBytes += await writeAll(file, parts, { at, syncing })
    if (syncing) countSync(this.counters, clock.monotonicMs() - startedMs)
  }

  #settle(queued: QueuedCommit): void {
    const { commit, done } = queued
    const { counters } = this
    const payloadBytes = commit.bytes - commitHeaderBytes - commit.frames * frameHeaderBytes
    counters.commits += 1
    counters.frames += commit.frames
    counters.payloadBytes += payloadBytes
    counters.queuedFrames -= commit.frames
    counters.queuedBytes -= payloadBytes
    this.#marked = commit.frames === 0
    this.#lastCommitMs = this.#settings.clock.monotonicMs()
    if (this.#pool.length < walLimits.pooledBuffersMax) this.#pool.push(commit.gather)
    done?.resolve()
  }

  #armMark(): void {
    if (this.#marked || this.#markTimer || this.#closing || this.#dead !== undefined) return
    if (this.#settings.durability !== 'fdatasync') return
    this.#markTimer = true
    const { clock } = this.#settings
    const waitMs = Math.max(1, walLimits.idleMarkMs - (clock.monotonicMs() - this.#lastCommitMs))
    clock.after(waitMs, () => {
      this.#markTimer = false
      const idleMs = clock.monotonicMs() - this.#lastCommitMs
      if (this.#running !== undefined || this.#queue.length > 0 || this.#closing || this.#marked) return
      if (idleMs + 1 >= walLimits.idleMarkMs) void this.#mark()
      else this.#armMark()
    })
  }

  /** An empty commit: it states that the last one was synced, so that damage to it is told from a torn write (WAL-5). */
  #mark(): Promise<void> {
    const newest = this.#newest
    const at = alignUp(newest.end)
    if (this.#settings.durability !== 'fdatasync' || at + commitHeaderBytes > newest.bytes) return Promise.resolve()
    const queued = { commit: this.#openCommit(newest.file, at, newest.chain) }
    newest.end = queued.commit.end
    this.#queue.push(queued)
    this.#start()
    return this.#running ?? Promise.resolve()
  }

  #die(cause: unknown): void {
    if (this.#dead !== undefined) return
    const error = walDead(this.#settings.files.location, cause)
    this.#reject(error)
    this.#settings.onFatal(error)
  }

  /** Closing must not wait for space that may never come. */
  #giveUp(): void {
    const next = this.#queue[0]
    if (this.#dead !== undefined || next === undefined || next.commit.place.file === this.#writing?.number) return
    this.#reject(walClosed('the WAL was closed while the disk had no room for what was queued'))
  }

  /** Asked again after each await: the compiler believes what was true before. */
  #isDead(): boolean {
    return this.#dead !== undefined
  }

  #reject(error: OpError): void {
    this.#dead = error
    this.#open = undefined
    for (const queued of this.#queue.splice(0)) queued.done?.reject(error)
  }
}

async function writeAll(
  file: WalFile,
  parts: Uint8Array[],
  how: { readonly at: number; readonly syncing: boolean },
): Promise<number> {
  let rest = parts
  let { at } = how
  while (rest.length > 0) {
    let count = await (how.syncing ? file.writevSynced(rest, at) : file.writev(rest, at))
    if (count === 0)
      throw new OpError('internal', { code: 'WAL_SHORT_WRITE', detail: 'the file system took no bytes of a write' })
    at += count
    const whole = rest.findIndex((part) => {
      if (count < part.length) return true
      count -= part.length
      return false
    })
    if (whole < 0) break
    rest = rest.slice(whole)
    rest[0] = rest[0]!.subarray(count)
  }
  return at - how.at
}
