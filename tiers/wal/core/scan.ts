// Owns the reading of one WAL file from its first commit to its end: which frames are good, and whether a bad place is a torn tail
// or corruption. Fed with windows of bytes; what is read when, the shell decides (scan-files.ts).
//
//   commit --header good--> frames --commit's end--> commit
//   commit --header bad---> judge      frames --bad frame--> judge
//   judge: a place known to have been synced --> corrupt, go on behind it
//          else search the rest of the file for a commit header that says so --> corrupt, or the end (clean or torn)

import { assertDefined } from '../../../src/base/assert.ts'
import type { Crc32c } from '../../../src/base/crc32c.ts'
import type { LogEntry } from '../../../src/model/entry.ts'
import { type CommitHeader, commitHeaderBytes, looksLikeCommitHeader, readCommitHeader } from './commit.ts'
import { chainSeed, sameBytes } from './file-header.ts'
import { type Bytes, chainAt, entryAt, frameHeaderBytes, frameVerdict, kindAt, payloadLengthAt, storedCrcAt } from './frame.ts'
import { alignUp, walLimits } from './limits.ts'

export type DamageReason =
  'file missing' | 'file header' | 'commit header' | 'frame' | 'batch checksum' | 'chain' | 'padding' | 'foreign file'

/** Bytes [from, to) of a file that had been synced and are not what was written. */
export interface Corruption {
  readonly file: number
  readonly from: number
  readonly to: number
  readonly reason: DamageReason
  /** Named when the frame's own header is intact: then nothing else is lost here. */
  readonly entry?: { readonly group: number; readonly term: number; readonly index: number }
}

export interface ScanListener {
  /** The payload is a view, valid during the call only. `payloadAt` is where it stands in the file. */
  onEntry(entry: LogEntry, payloadAt: number): void
  onCommit(header: CommitHeader): void
  onCorruption(corruption: Corruption): void
}

export interface ScanPlan {
  readonly file: number
  readonly walId: Uint8Array
  /** Nothing of this file counts from here on: where the next file says it ended, or the file's length. */
  readonly limit: number
  /** All before is known to have been synced: `limit` when a later file says so, else 0. */
  readonly syncedTo: number
  /** A later file is in use, though it does not tell where this one ended: a bad frame cannot be a torn one. */
  readonly followed: boolean
  /** Never held another file's bytes: what is not zero behind the end was written to. */
  readonly fresh: boolean
}

/** Some bytes of the file, from `base` on. */
export interface ScanWindow {
  readonly bytes: Bytes
  readonly base: number
  /** How many of the bytes are the file's. */
  readonly length: number
}

/** The scan goes on when a window holds [from, from + length). */
export interface ScanNeed {
  readonly from: number
  readonly length: number
}

type Phase = 'commit' | 'frames' | 'search' | 'done'

interface BadPlace {
  readonly at: number
  readonly reason: DamageReason
  /** Of a bad commit header: what stands in its salt's place, and whether somebody had begun to write a commit there. */
  readonly salt?: number
  readonly written?: boolean
}

export class FileScan {
  readonly #plan: ScanPlan
  readonly #listener: ScanListener
  readonly #crc32c: Crc32c
  #phase: Phase = 'commit'
  #at = walLimits.fileHeaderBytes
  #padFrom = walLimits.fileHeaderBytes
  #commitAt = walLimits.fileHeaderBytes
  #commitEnd = 0
  /** The commit's header is lost: its end is that of the bytes before the next commit, padding included. */
  #headless = false
  #chain: number | undefined
  #syncedTo: number
  #searched = false
  #searchAt = 0
  #nextCommitAt: number | undefined
  #bad: BadPlace | undefined
  #tornAt: number | undefined
  #damaged = false
  frames = 0

  constructor(plan: ScanPlan, listener: ScanListener, crc32c: Crc32c) {
    this.#plan = plan
    this.#listener = listener
    this.#crc32c = crc32c
    this.#syncedTo = plan.syncedTo
    this.#chain = chainSeed(plan.walId, plan.file, crc32c)
  }

  /** Where the last good frame ends (or the torn tail was cut). */
  get end(): number {
    return this.#tornAt ?? this.#padFrom
  }
  /** Where the last commit that was read begins: what stands before is known to have been synced. */
  get lastCommitAt(): number {
    return this.#commitAt
  }
  get lastChain(): number | undefined {
    return this.#chain
  }
  get tornAt(): number | undefined {
    return this.#tornAt
  }
  get damaged(): boolean {
    return this.#damaged
  }

  /** Reads as far as the window reaches; answers what is needed next, or `undefined` at the end. */
  advance(window: ScanWindow): ScanNeed | undefined {
    for (;;) {
      const need =
        this.#phase === 'frames' ? this.#frame(window) : this.#phase === 'commit' ? this.#commit(window) : this.#search(window)
      if (need !== undefined) return need
      if (this.#phase === 'done') return undefined
    }
  }

  #missing(window: ScanWindow, from: number, length: number): ScanNeed | undefined {
    return from >= window.base && from + length <= window.base + window.length ? undefined : { from, length }
  }

  #commit(window: ScanWindow): ScanNeed | undefined {
    const at = this.#at
    const more = at + commitHeaderBytes <= this.#plan.limit
    const need = this.#missing(window, this.#padFrom, at - this.#padFrom + (more ? commitHeaderBytes : 0))
    if (need !== undefined) return need
    const header = more ? this.#headerAt(window, at) : undefined
    const paddingSynced = header === undefined ? this.#syncedTo >= at : header.syncedTo >= at
    if (paddingSynced && !isZero(window, this.#padFrom, at)) this.#report({ at: this.#padFrom, reason: 'padding' }, at)
    if (!more) {
      this.#phase = 'done'
      return undefined
    }
    if (header === undefined) return this.#judge(this.#badHeader(window, at), window)
    if (this.#chain !== undefined && header.chain !== this.#chain) this.#report({ at, reason: 'chain' }, at + commitHeaderBytes)
    this.#listener.onCommit(header)
    this.#syncedTo = Math.max(this.#syncedTo, header.syncedTo)
    this.#commitAt = at
    this.#commitEnd = at + header.bytes
    this.#headless = false
    // An empty commit passes the chain on unchanged.
    this.#chain = header.frames === 0 ? header.chain : header.salt
    this.#at = this.#padFrom = at + commitHeaderBytes
    this.#phase = 'frames'
    return undefined
  }

  #frame(window: ScanWindow): ScanNeed | undefined {
    const at = this.#at
    const end = Math.min(this.#commitEnd, this.#plan.limit)
    if (at >= end) {
      this.#padFrom = at
      this.#at = alignUp(at)
      this.#phase = 'commit'
      return undefined
    }
    if (at + frameHeaderBytes > end)
      return this.#headless ? this.#tail(window, at, end) : this.#judge({ at, reason: 'frame' }, window)
    const needHeader = this.#missing(window, at, frameHeaderBytes)
    if (needHeader !== undefined) return needHeader
    const inWindow = at - window.base
    const length = frameHeaderBytes + payloadLengthAt(window.bytes, inWindow)
    if (at + length > end) return this.#headless ? this.#tail(window, at, end) : this.#judge({ at, reason: 'frame' }, window)
    const needAll = this.#missing(window, at, length)
    if (needAll !== undefined) return needAll
    const verdict = frameVerdict(window.bytes, inWindow, this.#crc32c)
    const kind = kindAt(window.bytes, inWindow)
    if (
      verdict === 'header' ||
      kind === 'commit' ||
      (this.#chain !== undefined && chainAt(window.bytes, inWindow) !== this.#chain)
    ) {
      if (this.#headless) return this.#tail(window, at, end)
      return this.#judge({ at, reason: verdict === 'header' ? 'frame' : 'chain' }, window)
    }
    if (verdict === 'payload') return this.#judge({ at, reason: 'batch checksum' }, window)
    this.#chain = storedCrcAt(window.bytes, inWindow)
    this.#at = this.#padFrom = at + length
    this.frames += 1
    this.#listener.onEntry(entryAt(window.bytes, inWindow), at + frameHeaderBytes)
    return undefined
  }

  /** Behind the frames of a commit without a header: padding, or more damage. Then the next commit. */
  #tail(window: ScanWindow, at: number, end: number): ScanNeed | undefined {
    const length = Math.min(end - at, walLimits.sectorBytes)
    const need = this.#missing(window, at, length)
    if (need !== undefined) return need
    if (end - at >= walLimits.sectorBytes || !isZero(window, at, end)) this.#report({ at, reason: 'frame' }, end)
    this.#chain = undefined
    this.#at = this.#padFrom = end
    this.#phase = 'commit'
    return undefined
  }

  #badHeader(window: ScanWindow, at: number): BadPlace {
    const from = at - window.base
    const { view, array } = window.bytes
    const payloadAt = from + frameHeaderBytes
    const number = view.getUint32(payloadAt + 24) * 2 ** 32 + view.getUint32(payloadAt + 28)
    const claimed =
      looksLikeCommitHeader(window.bytes, from) && sameBytes(this.#plan.walId, array, payloadAt + 8) && number === this.#plan.file
    const written = claimed || (this.#plan.fresh && !isZero(window, at, at + commitHeaderBytes))
    return { at, reason: 'commit header', salt: view.getUint32(payloadAt + 48), written }
  }

  #headerAt(window: ScanWindow, at: number): CommitHeader | undefined {
    const header = readCommitHeader(window.bytes, at - window.base, this.#crc32c)
    if (header === undefined || header.file !== this.#plan.file || header.at !== at) return undefined
    return sameBytes(this.#plan.walId, header.walId) && header.bytes >= commitHeaderBytes ? header : undefined
  }

  #isKnownSynced(bad: BadPlace): boolean {
    return bad.at < this.#syncedTo || (this.#plan.followed && bad.written !== false)
  }

  /** A bad place: corruption when it is known to have been synced; else the rest of the file is searched for a proof. */
  #judge(bad: BadPlace, window: ScanWindow): ScanNeed | undefined {
    const known = this.#isKnownSynced(bad)
    if (known && bad.reason !== 'commit header') {
      const need = this.#skipFrame(bad, window)
      if (need !== 'unknown') return need
      const to = Math.min(alignUp(this.#commitEnd), this.#plan.limit)
      this.#report(bad, to)
      this.#chain = undefined
      this.#at = this.#padFrom = to
      this.#phase = 'commit'
      return undefined
    }
    if (!known && this.#searched) return this.#finish(bad)
    this.#bad = bad
    this.#nextCommitAt = undefined
    this.#searchAt = alignUp(bad.at + 1)
    this.#phase = 'search'
    return undefined
  }

  /** Corruption within one frame: goes on with the frame behind it, when that one proves to be the next. */
  #skipFrame(bad: BadPlace, window: ScanWindow): ScanNeed | undefined | 'unknown' {
    const inWindow = bad.at - window.base
    if (bad.at + frameHeaderBytes > Math.min(this.#commitEnd, this.#plan.limit)) return 'unknown'
    const next = bad.at + frameHeaderBytes + payloadLengthAt(window.bytes, inWindow)
    if (next > Math.min(this.#commitEnd, this.#plan.limit) || bad.reason === 'chain') return 'unknown'
    const stored = storedCrcAt(window.bytes, inWindow)
    if (bad.reason !== 'batch checksum' && next < this.#commitEnd) {
      if (next + frameHeaderBytes > Math.min(this.#commitEnd, this.#plan.limit)) return 'unknown'
      const need = this.#missing(window, bad.at, next + frameHeaderBytes - bad.at)
      if (need !== undefined) return need
      if (chainAt(window.bytes, next - window.base) !== stored) return 'unknown'
    }
    const entry = bad.reason === 'batch checksum' ? entryAt(window.bytes, inWindow) : undefined
    this.#report(bad, next, entry)
    this.#chain = stored
    this.#at = this.#padFrom = next
    this.#phase = 'frames'
    // A damaged checksum field breaks the chain to the next commit, too: it was reported once, here.
    if (bad.reason === 'frame' && next >= this.#commitEnd) this.#chain = undefined
    return undefined
  }

  /** Looks at every sector for commit headers of this file: the first is where to go on, any may prove the bad place synced. */
  #search(window: ScanWindow): ScanNeed | undefined {
    const bad = assertDefined(this.#bad, 'a search follows a bad place')
    for (; this.#searchAt + commitHeaderBytes <= this.#plan.limit; this.#searchAt += walLimits.sectorBytes) {
      const need = this.#missing(window, this.#searchAt, commitHeaderBytes)
      if (need !== undefined) return need
      if (!looksLikeCommitHeader(window.bytes, this.#searchAt - window.base)) continue
      const header = this.#headerAt(window, this.#searchAt)
      if (header === undefined) continue
      this.#nextCommitAt ??= this.#searchAt
      this.#syncedTo = Math.max(this.#syncedTo, header.syncedTo)
      if (this.#isKnownSynced(bad)) break
    }
    if (this.#searchAt + commitHeaderBytes > this.#plan.limit) this.#searched = true
    if (!this.#isKnownSynced(bad)) return this.#finish(bad)
    if (bad.reason === 'commit header') this.#goHeadless(bad)
    this.#phase = 'frames'
    return undefined
  }

  /** The header is lost, its frames need not be: they lie before the next commit, and the first one names the header's salt. */
  #goHeadless(bad: BadPlace): void {
    const end = this.#nextCommitAt ?? this.#plan.limit
    const framesAt = Math.min(bad.at + commitHeaderBytes, end)
    this.#report(bad, framesAt)
    this.#headless = true
    this.#commitEnd = end
    this.#chain = bad.salt
    this.#at = this.#padFrom = framesAt
  }

  /** Nothing proves that the place was ever synced: the log ends here. Torn, if somebody had begun to write here. */
  #finish(bad: BadPlace): undefined {
    if (bad.reason !== 'commit header') this.#tornAt = bad.at
    else if (bad.written === true) this.#tornAt = this.#padFrom
    this.#phase = 'done'
    return undefined
  }

  #report(bad: BadPlace, to: number, entry?: LogEntry): void {
    this.#damaged = true
    const { file } = this.#plan
    const region = { file, from: bad.at, to, reason: bad.reason }
    if (entry === undefined) this.#listener.onCorruption(region)
    else this.#listener.onCorruption({ ...region, entry: { group: entry.group, term: entry.term, index: entry.index } })
  }
}

/**
 * The first commit header in the window, sector by sector from its beginning, that the caller accepts; else where to look next.
 */
export function findCommit(
  window: ScanWindow,
  crc32c: Crc32c,
  accepts: (header: CommitHeader) => boolean,
): { readonly header: CommitHeader | undefined; readonly next: number } {
  let at = 0
  for (; at + commitHeaderBytes <= window.length; at += walLimits.sectorBytes) {
    if (!looksLikeCommitHeader(window.bytes, at)) continue
    const header = readCommitHeader(window.bytes, at, crc32c)
    if (header?.at === window.base + at && accepts(header)) return { header, next: header.at }
  }
  return { header: undefined, next: window.base + at }
}

function isZero(window: ScanWindow, from: number, to: number): boolean {
  for (let at = from - window.base; at < to - window.base; at += 1) if (window.bytes.array[at] !== 0) return false
  return true
}
