// Owns the bytes of one group commit, format version 1: its header and its frames back to back, zero-padded to a sector. Not when
// it is written (writer.ts) nor in which file it stands (hot-wal.ts).
//
// A commit header is a frame of kind `commit` (group, term, index 0) whose chain is the CRC of the last frame before it, or the
// file's seed. Its payload:
//   0  8 bytes  "CHRCOMIT"          36 u32  bytes of the commit with this header, without padding
//   8  16 bytes WAL id              40 u32  synced: all of this file before it was synced when this commit was written
//   24 u64      file number         44 u32  frames
//   32 u32      this position       48 u32  salt: what the first frame chains to        52 u32  0
//
// The salt holds chance of the process's own, so that no frame left behind by a commit that was torn in an earlier life ever
// continues a commit of this one (WAL-6).

import { assert } from '../../../src/base/assert.ts'
import type { Crc32c } from '../../../src/base/crc32c.ts'
import type { LogEntry } from '../../../src/model/entry.ts'
import { readU64, sameBytes, walIdBytes, writeU64 } from './file-header.ts'
import {
  batchBytesMin,
  type Bytes,
  bytesOf,
  chainAt,
  frameHeaderBytes,
  frameVerdict,
  kindAt,
  payloadLengthAt,
  sealFrame,
  sealFrameInPlace,
  writeFrameHeader,
} from './frame.ts'
import { alignUp, walLimits } from './limits.ts'

const commitPayloadBytes = 56
export const commitHeaderBytes = frameHeaderBytes + commitPayloadBytes
/** A buffer of this size takes every commit's small frames: its bytes, then the zeros up to the sector. */
export const gatherBytes = walLimits.commitBytesPreferred + walLimits.sectorBytes

const magic = Uint8Array.from('CHRCOMIT', (letter) => letter.charCodeAt(0))
const magicAt = frameHeaderBytes

export interface CommitHeader {
  readonly walId: Uint8Array
  readonly file: number
  readonly at: number
  readonly bytes: number
  readonly syncedTo: number
  readonly frames: number
  readonly salt: number
  readonly chain: number
}

export function writeCommitHeader(into: Bytes, start: number, header: CommitHeader, crc32c: Crc32c): void {
  writeFrameHeader(into, start, { kind: 'commit', group: 0, term: 0, index: 0, chain: header.chain }, commitPayloadBytes)
  const at = start + frameHeaderBytes
  into.array.set(magic, at)
  into.array.set(header.walId, at + 8)
  writeU64(into.view, at + 24, header.file)
  into.view.setUint32(at + 32, header.at)
  into.view.setUint32(at + 36, header.bytes)
  into.view.setUint32(at + 40, header.syncedTo)
  into.view.setUint32(at + 44, header.frames)
  into.view.setUint32(at + 48, header.salt)
  into.view.setUint32(at + 52, 0)
  sealFrameInPlace(into, start, commitPayloadBytes, crc32c)
}

/** Whether the bytes begin like a commit header: cheap, for a search at every sector. */
export function looksLikeCommitHeader(from: Bytes, start: number): boolean {
  return sameBytes(magic, from.array, start + magicAt)
}

/** The commit header at `start`, when its checksum holds; whose commit it is, the caller compares. */
export function readCommitHeader(from: Bytes, start: number, crc32c: Crc32c): CommitHeader | undefined {
  if (!looksLikeCommitHeader(from, start)) return undefined
  if (kindAt(from, start) !== 'commit' || payloadLengthAt(from, start) !== commitPayloadBytes) return undefined
  if (frameVerdict(from, start, crc32c) !== 'good') return undefined
  const at = start + frameHeaderBytes
  return {
    walId: from.array.slice(at + 8, at + 8 + walIdBytes),
    file: readU64(from.view, at + 24),
    at: from.view.getUint32(at + 32),
    bytes: from.view.getUint32(at + 36),
    syncedTo: from.view.getUint32(at + 40),
    frames: from.view.getUint32(at + 44),
    salt: from.view.getUint32(at + 48),
    chain: chainAt(from, start),
  }
}

export interface CommitPlace {
  readonly walId: Uint8Array
  readonly file: number
  readonly at: number
  /** CRC of the last frame before this commit, or the file's seed. */
  readonly chain: number
  readonly salt: number
}

/** A commit being gathered: every frame's place and bytes are settled as it is added; `seal` adds the header. */
export class OpenCommit {
  readonly place: CommitPlace
  /** Lent to this commit until it is written. */
  readonly gather: Bytes
  readonly #crc32c: Crc32c
  readonly #parts: Uint8Array[] = []
  readonly #payloadsAt: number[] = []
  readonly #payloads: Uint8Array[] = []
  #used = commitHeaderBytes
  #partStart = 0
  #bytes = commitHeaderBytes
  #chain: number
  #lastCrc: number

  constructor(place: CommitPlace, gather: Bytes, crc32c: Crc32c) {
    assert(gather.array.length >= gatherBytes, 'a gather buffer takes a whole commit')
    this.place = place
    this.gather = gather
    this.#crc32c = crc32c
    this.#chain = place.salt
    this.#lastCrc = place.chain
  }

  get bytes(): number {
    return this.#bytes
  }
  get frames(): number {
    return this.#payloads.length
  }
  /** Where the last frame ends. */
  get end(): number {
    return this.place.at + this.#bytes
  }
  /** CRC of the newest frame: what the next commit's header chains to. */
  get lastCrc(): number {
    return this.#lastCrc
  }

  /** Whether one more payload keeps the commit below the preferred size. The first one always fits, however big. */
  takes(payloadLength: number): boolean {
    return this.frames === 0 || this.#bytes + frameHeaderBytes + payloadLength <= walLimits.commitBytesPreferred
  }

  /** Adds a frame and returns where its payload will stand in the file. */
  add(entry: LogEntry): number {
    const { payload } = entry
    assert(entry.kind !== 'batch' || payload.length >= batchBytesMin, 'WAL-7: a payload of kind batch is a Kafka batch v2')
    assert(entry.group >>> 0 === entry.group && entry.term >>> 0 === entry.term, 'WAL-7: group and term are unsigned 32 bits')
    assert(Number.isSafeInteger(entry.index) && entry.index >= 0, 'WAL-7: an index is a safe integer')
    const { kind, group, term, index } = entry
    const at = this.#used
    writeFrameHeader(this.gather, at, { kind, group, term, index, chain: this.#chain }, payload.length)
    const payloadAt = this.end + frameHeaderBytes
    this.#used += frameHeaderBytes
    if (payload.length >= walLimits.referencedBytesMin) {
      this.#lastCrc = sealFrame(this.gather, at, payload, this.#crc32c)
      this.#parts.push(this.gather.array.subarray(this.#partStart, this.#used), payload)
      this.#partStart = this.#used
    } else {
      this.gather.array.set(payload, this.#used)
      this.#used += payload.length
      this.#lastCrc = sealFrameInPlace(this.gather, at, payload.length, this.#crc32c)
    }
    this.#chain = this.#lastCrc
    this.#bytes += frameHeaderBytes + payload.length
    this.#payloadsAt.push(payloadAt)
    this.#payloads.push(payload)
    return payloadAt
  }

  /** The payload standing at `payloadAt`, for reads of what is not written yet. */
  payloadAt(payloadAt: number): Uint8Array | undefined {
    let low = 0
    let high = this.#payloadsAt.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#payloadsAt[middle]! < payloadAt) low = middle + 1
      else high = middle
    }
    return this.#payloadsAt[low] === payloadAt ? this.#payloads[low] : undefined
  }

  /** Writes header and padding and returns the pieces, back to back from `place.at`. Nothing may be added afterwards. */
  seal(syncedTo: number): Uint8Array[] {
    const { walId, file, at, chain, salt } = this.place
    const header = { walId, file, at, chain, salt, bytes: this.#bytes, syncedTo, frames: this.frames }
    writeCommitHeader(this.gather, 0, header, this.#crc32c)
    const padding = alignUp(this.end) - this.end
    this.gather.array.fill(0, this.#used, this.#used + padding)
    const rest = this.gather.array.subarray(this.#partStart, this.#used + padding)
    if (rest.length > 0) this.#parts.push(rest)
    this.#partStart = this.#used += padding
    return this.#parts
  }
}

/** What the first frame of a commit chains to: the place, what came before, and the process's own chance. */
export function commitSalt(chain: number, at: number, chance: number, crc32c: Crc32c): number {
  const { array, view } = bytesOf(new Uint8Array(8))
  view.setUint32(0, at)
  view.setUint32(4, chance)
  return crc32c(array, chain)
}
