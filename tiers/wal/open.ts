// Owns opening a WAL: the lock, the scan, making what was found durable, and where writing goes on. Not the running log (hot-wal.ts).

import type { Clock } from '../../src/base/clock.ts'
import type { Crc32c } from '../../src/base/crc32c.ts'
import { OpError } from '../../src/base/op-error.ts'
import type { IdSource } from '../../src/base/prng.ts'
import type { LogEntry } from '../../src/model/entry.ts'
import type { WalPosition } from '../ports.ts'
import { alignUp, bytesOf, type Corruption, walLimits } from './core/index.ts'
import { isSpareFileName, spareFileName, walFileName, walFileNumber } from './file-names.ts'
import { HotWal, type HotWalSettings, type WalDurability, type WalTail } from './hot-wal.ts'
import type { Unlock, WalFiles } from './ports.ts'
import { type FilesScan, WalScan } from './scan-files.ts'

export interface WalOptions {
  readonly files: WalFiles
  readonly clock: Clock
  readonly crc32c: Crc32c
  readonly idSource: IdSource
  /** Size of each file; whole pages. Files of another size that are there already are read as they are. */
  readonly fileBytes?: number
  /** All files together; at least two. */
  readonly budgetBytes?: number
  /** Appended and not yet durable; beyond it append throws `busy`. */
  readonly queueBytesMax?: number
  readonly durability?: WalDurability
  /** Once per good frame, oldest first. The payload is a view of a reused buffer: copy what must last. */
  readonly onEntry: (entry: LogEntry, position: WalPosition) => void
  /** Told once when a write or fsync failed: the log is dead, the node must step down. */
  readonly onFatal: (error: OpError) => void
}

export interface WalOpenReport {
  readonly filesRead: number
  readonly frames: number
  /** Payload bytes. */
  readonly bytes: number
  /** Where a torn tail was cut: nothing from there on was ever known to be durable. */
  readonly tornAt?: WalPosition
  /** Damage to what had been synced. Entries behind it were delivered; which ones are missing, the owner must find out (I2). */
  readonly corruptions: readonly Corruption[]
  readonly durationMs: number
}

export interface OpenedWal {
  readonly wal: HotWal
  readonly report: WalOpenReport
}

function settingsOf(options: WalOptions): HotWalSettings {
  const fileBytes = options.fileBytes ?? walLimits.fileBytesDefault
  const budgetBytes = options.budgetBytes ?? Math.max(walLimits.budgetBytesDefault, 2 * fileBytes)
  const { fileBytesMin, fileBytesMax, fileHeaderBytes } = walLimits
  if (!Number.isInteger(fileBytes) || fileBytes < fileBytesMin || fileBytes > fileBytesMax || fileBytes % fileHeaderBytes !== 0) {
    const detail = `a WAL file has ${fileBytesMin} to ${fileBytesMax} bytes, a multiple of ${fileHeaderBytes}; ${fileBytes} is none`
    throw new OpError('invalid', { code: 'WAL_SETTING_INVALID', detail })
  }
  if (budgetBytes < 2 * fileBytes) {
    const detail = `the WAL's budget of ${budgetBytes} bytes must hold two files of ${fileBytes}; raise it`
    throw new OpError('invalid', { code: 'WAL_SETTING_INVALID', detail })
  }
  const { files, clock, crc32c, onFatal } = options
  const queueBytesMax = options.queueBytesMax ?? walLimits.queueBytesDefault
  return { files, clock, crc32c, onFatal, fileBytes, budgetBytes, queueBytesMax, durability: options.durability ?? 'fdatasync' }
}

/**
 * What was read may stand in the page cache only, even after an fsync that failed in an earlier life. The last commit is written
 * once more, its padding too, and synced: so whatever was delivered is durable before anybody acts on it (I1).
 */
async function settleTail(files: WalFiles, scan: FilesScan): Promise<void> {
  const newest = scan.files.at(-1)
  if (newest === undefined) return
  const file = await files.open(walFileName(newest.number), 'write')
  try {
    const start = scan.lastCommitAt === walLimits.fileHeaderBytes ? 0 : scan.lastCommitAt
    const piece = Buffer.allocUnsafe(Math.min(scan.end - start, walLimits.scanWindowBytes))
    for (let at = start; at < scan.end;) {
      const count = await file.read(piece.subarray(0, Math.min(piece.length, scan.end - at)), at)
      if (count === 0) break
      for (let written = 0; written < count;) written += await file.writev([piece.subarray(written, count)], at + written)
      at += count
    }
    const padding = scan.clean ? new Uint8Array(alignUp(scan.end) - scan.end) : new Uint8Array(0)
    for (let written = 0; written < padding.length;) written += await file.writev([padding.subarray(written)], scan.end + written)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Files prepared ahead, and spares, become spares of the right size; everything else that has no use is removed. */
async function collectSpares(files: WalFiles, scan: FilesScan, fileBytes: number): Promise<string[]> {
  const spares: string[] = []
  const unused = new Set(scan.unused.map(({ number }) => walFileName(number)))
  let changed = false
  for (const { name, sizeBytes } of await files.list()) {
    const isUnused = unused.has(name)
    if (!isUnused && !isSpareFileName(name)) continue
    const keep = sizeBytes === fileBytes && spares.length < walLimits.sparesMax
    const spare = isUnused ? spareFileName(walFileNumber(name) ?? 0) : name
    if (!keep) await files.remove(name)
    else if (isUnused) await files.rename(name, spare)
    if (keep) spares.push(spare)
    changed ||= isUnused || !keep
  }
  if (changed) await files.syncDirectory()
  return spares
}

async function tailOf(settings: HotWalSettings, options: WalOptions, scan: FilesScan, unlock: Unlock): Promise<WalTail> {
  const { files, fileBytes } = settings
  await settleTail(files, scan)
  const spares = await collectSpares(files, scan, fileBytes)
  const numbers = [...scan.files, ...scan.unused].map(({ number }) => number)
  return {
    walId: scan.walId ?? options.idSource.nextId(),
    chance: bytesOf(options.idSource.nextId()).view.getUint32(0),
    files: scan.files,
    end: scan.end,
    chain: scan.chain,
    continues: scan.clean && scan.files.length > 0,
    nextNumber: Math.max(0, ...numbers) + 1,
    spares,
    unlock,
  }
}

/** Reads what is there, then is ready for appends. Throws OpError `busy`/`WAL_LOCKED` when another process has the directory. */
export async function openWal(options: WalOptions): Promise<OpenedWal> {
  const settings = settingsOf(options)
  const { files, clock, crc32c } = settings
  const startedMs = clock.monotonicMs()
  const unlock = await files.lock()
  try {
    const corruptions: Corruption[] = []
    const onCorruption = (corruption: Corruption): void => {
      corruptions.push(corruption)
    }
    const scan = await new WalScan(files, crc32c, { onEntry: options.onEntry, onCorruption }).run()
    const wal = new HotWal(settings, await tailOf(settings, options, scan, unlock))
    const { frames, bytes, tornAt } = scan
    const facts = { filesRead: scan.files.length, frames, bytes, corruptions, durationMs: clock.monotonicMs() - startedMs }
    return { wal, report: tornAt === undefined ? facts : { ...facts, tornAt } }
  } catch (error) {
    await unlock()
    throw error
  }
}
