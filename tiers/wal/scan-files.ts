// Owns reading the files of a WAL directory from the oldest to the newest: which belong to the log, where each ends, what is
// damaged. Read-only, for opening and for inspection alike. The judgement over one file is core/scan.ts.

import { assertDefined } from '../../src/base/assert.ts'
import type { Crc32c } from '../../src/base/crc32c.ts'
import type { LogEntry } from '../../src/model/entry.ts'
import { OpError } from '../../src/base/op-error.ts'
import type { WalPosition } from '../ports.ts'
import {
  type Bytes,
  bytesOf,
  type CommitHeader,
  commitHeaderBytes,
  type Corruption,
  decodeFileHeader,
  type FileHeader,
  FileScan,
  findCommit,
  sameBytes,
  type ScanListener,
  type ScanNeed,
  type ScanPlan,
  type ScanWindow,
  walLimits,
} from './core/index.ts'
import { walFileName, walFileNumber } from './file-names.ts'
import type { WalFile, WalFiles } from './ports.ts'

export interface FilesListener {
  onFile?(file: number, header: FileHeader | undefined): void
  onCommit?(header: CommitHeader): void
  /** The payload is a view, valid during the call only. */
  onEntry(entry: LogEntry, position: WalPosition): void
  onCorruption(corruption: Corruption): void
}

export interface ScannedFile {
  readonly number: number
  readonly bytes: number
}

/** Of the newest file that holds data: its end, its chain, where its last commit begins. */
interface NewestFile {
  readonly end: number
  readonly chain: number
  readonly lastCommitAt: number
  readonly tornAt: WalPosition | undefined
  /** It ends where it should and nothing in it is damaged. */
  readonly clean: boolean
}

const nothingWritten: NewestFile = { end: 0, chain: 0, lastCommitAt: 0, tornAt: undefined, clean: false }

export interface FilesScan extends NewestFile {
  readonly walId: Uint8Array | undefined
  /** Files that hold data, ascending; what else lay there is `unused`. */
  readonly files: readonly ScannedFile[]
  readonly unused: readonly ScannedFile[]
  readonly frames: number
  /** Payload bytes. */
  readonly bytes: number
}

interface Candidate extends ScannedFile {
  readonly header: FileHeader | undefined
}

/** A file read through one reused buffer; behind the file's end stand zeros. */
class FileWindow {
  readonly #file: WalFile
  #buffer: Bytes

  constructor(file: WalFile, buffer: Bytes) {
    this.#file = file
    this.#buffer = buffer
  }

  get buffer(): Bytes {
    return this.#buffer
  }

  /** A window from `need.from` on, as large as the buffer (or `lengthMax`) allows. */
  async at(need: ScanNeed, lengthMax = Number.POSITIVE_INFINITY): Promise<ScanWindow> {
    if (need.length > this.#buffer.array.length) this.#buffer = bytesOf(Buffer.allocUnsafeSlow(need.length))
    const { array } = this.#buffer
    const count = await this.#file.read(lengthMax < array.length ? array.subarray(0, lengthMax) : array, need.from)
    array.fill(0, count, Math.max(count, need.length))
    return { bytes: this.#buffer, base: need.from, length: Math.max(count, need.length) }
  }
}

function newestOf(scan: FileScan, file: number, headed: boolean): NewestFile {
  const { end, lastChain, lastCommitAt, damaged, tornAt } = scan
  return {
    end,
    chain: lastChain ?? 0,
    lastCommitAt,
    tornAt: tornAt === undefined ? undefined : { file, at: tornAt, length: 0 },
    clean: headed && !damaged && tornAt === undefined,
  }
}

export class WalScan {
  readonly #files: WalFiles
  readonly #crc32c: Crc32c
  readonly #listener: FilesListener
  #buffer: Bytes = bytesOf(Buffer.allocUnsafeSlow(walLimits.scanWindowBytes))
  #walId: Uint8Array | undefined
  #frames = 0
  #bytes = 0

  constructor(files: WalFiles, crc32c: Crc32c, listener: FilesListener) {
    this.#files = files
    this.#crc32c = crc32c
    this.#listener = listener
  }

  async run(): Promise<FilesScan> {
    const candidates = await this.#candidates()
    this.#walId = candidates.findLast((candidate) => candidate.header !== undefined)?.header?.walId
    const unused: ScannedFile[] = []
    const used: Candidate[] = []
    for (const candidate of candidates) {
      if (await this.#isUsed(candidate, candidates)) used.push(candidate)
      else unused.push(candidate)
    }
    let newest: NewestFile = nothingWritten
    for (const [at, candidate] of used.entries()) {
      this.#reportGap(candidate, used[at - 1])
      newest = await this.#scanFile(candidate, used[at + 1])
    }
    const files = used.map(({ number, bytes }) => ({ number, bytes }))
    return { walId: this.#walId, files, unused, frames: this.#frames, bytes: this.#bytes, ...newest }
  }

  async #candidates(): Promise<Candidate[]> {
    const candidates: Candidate[] = []
    for (const { name, sizeBytes } of await this.#files.list()) {
      const number = walFileNumber(name)
      if (number === undefined) continue
      const header = await this.#withFile(number, async (window) => {
        const page = await window.at({ from: 0, length: walLimits.fileHeaderBytes }, walLimits.fileHeaderBytes)
        return decodeFileHeader(page.bytes, this.#crc32c)
      })
      if (header !== undefined && 'version' in header) {
        const detail = `${name} in ${this.#files.location} has format version ${header.version}; start the release that wrote it`
        throw new OpError('invalid', { code: 'WAL_VERSION_UNKNOWN', detail })
      }
      const own = header?.file === number ? header : undefined
      candidates.push({ number, bytes: own?.fileBytes ?? sizeBytes, header: own })
    }
    return candidates.sort((left, right) => left.number - right.number)
  }

  /** A file without a valid header is one prepared ahead, unless a later one followed it or a commit in it was known synced. */
  async #isUsed(candidate: Candidate, candidates: readonly Candidate[]): Promise<boolean> {
    if (candidate.header !== undefined) return true
    const next = candidates.find((other) => other.number > candidate.number && other.header !== undefined)
    if (next?.header !== undefined) return next.header.previousFile === candidate.number
    const proof = await this.#findCommit(candidate, (header) => header.syncedTo > 0)
    this.#walId ??= proof?.walId
    return proof !== undefined
  }

  #findCommit(candidate: Candidate, accepts: (header: CommitHeader) => boolean): Promise<CommitHeader | undefined> {
    return this.#withFile(candidate.number, async (window) => {
      for (let at: number = walLimits.fileHeaderBytes; at + commitHeaderBytes <= candidate.bytes;) {
        const part = await window.at({ from: at, length: commitHeaderBytes })
        const found = findCommit(part, this.#crc32c, (header) => {
          const own = header.file === candidate.number && (this.#walId === undefined || sameBytes(this.#walId, header.walId))
          return own && accepts(header)
        })
        if (found.header !== undefined) return found.header
        at = found.next
      }
      return undefined
    })
  }

  /** The file that came before must be there, unless it is older than all that are left. */
  #reportGap(candidate: Candidate, before: Candidate | undefined): void {
    const previous = candidate.header?.previousFile
    if (before === undefined || previous === undefined || previous <= before.number) return
    const to = assertDefined(candidate.header, 'a file that names another has a header').previousEnd
    this.#listener.onCorruption({ file: previous, from: 0, to, reason: 'file missing' })
  }

  async #scanFile(candidate: Candidate, next: Candidate | undefined): Promise<NewestFile> {
    const { number, bytes, header } = candidate
    this.#listener.onFile?.(number, header)
    const walId = this.#walId ?? new Uint8Array(0)
    const after = next?.header?.previousFile === number ? next.header : undefined
    const limit = after?.previousEnd ?? bytes
    if (header !== undefined && !sameBytes(walId, header.walId)) {
      this.#listener.onCorruption({ file: number, from: 0, to: limit, reason: 'foreign file' })
      return { ...nothingWritten, end: limit, lastCommitAt: limit }
    }
    if (header === undefined) {
      this.#listener.onCorruption({ file: number, from: 0, to: walLimits.fileHeaderBytes, reason: 'file header' })
    }
    const syncedTo = after === undefined ? 0 : limit
    const plan: ScanPlan = {
      file: number,
      walId,
      limit,
      syncedTo,
      followed: next !== undefined,
      fresh: header?.recycled === false,
    }
    const scan = new FileScan(plan, this.#fileListener(number), this.#crc32c)
    await this.#withFile(number, async (window) => {
      let need = scan.advance({ bytes: this.#buffer, base: 0, length: 0 })
      while (need !== undefined) need = scan.advance(await window.at(need))
    })
    if (after !== undefined && !scan.damaged && scan.lastChain !== after.previousChain) {
      this.#listener.onCorruption({ file: number, from: scan.end, to: scan.end, reason: 'chain' })
    }
    return newestOf(scan, number, header !== undefined)
  }

  #fileListener(file: number): ScanListener {
    return {
      onCommit: (commit) => {
        this.#listener.onCommit?.(commit)
      },
      onCorruption: (corruption) => {
        this.#listener.onCorruption(corruption)
      },
      onEntry: (entry, at) => {
        this.#frames += 1
        this.#bytes += entry.payload.length
        this.#listener.onEntry(entry, { file, at, length: entry.payload.length })
      },
    }
  }

  async #withFile<Value>(number: number, use: (window: FileWindow) => Promise<Value>): Promise<Value> {
    const file = await this.#files.open(walFileName(number), 'read')
    const window = new FileWindow(file, this.#buffer)
    try {
      return await use(window)
    } finally {
      this.#buffer = window.buffer
      await file.close()
    }
  }
}
