// Owns walking over the records of one uncompressed run of bytes (magic 2), cheaply and without believing any length. Does
// not own the batch around them (batch-header.ts) nor decompression (records.ts).
//
//   record: length varint | attributes int8 | timestampDelta varlong | offsetDelta varint
//           | key length varint, key | value length varint, value | header count varint, headers
//   header: key length varint, key | value length varint, value            (length -1 is null)
//
// `next` moves to the next record and leaves its parts in the cursor's fields: no object per record for those who only look.

import { decodeUtf8 } from '../codec/text.ts'

export interface RecordHeader {
  readonly key: string
  readonly value: Uint8Array | null
}

const two32 = 0x1_0000_0000

export class RecordCursor {
  readonly bytes: Uint8Array
  failure: string | undefined = undefined
  timestampDelta = 0
  offsetDelta = 0
  /** Start of the key, and its length; -1 for null. */
  keyAt = 0
  keyLength = -1
  valueAt = 0
  valueLength = -1
  headerCount = 0
  private headersAt = 0
  private position: number
  private recordEnd: number
  private readonly end: number
  private left: number

  /** `count` is what the batch says; disagreement with the bytes is a failure. */
  constructor(bytes: Uint8Array, start: number, end: number, count: number) {
    this.bytes = bytes
    this.position = start
    this.recordEnd = start
    this.end = end
    this.left = count
    if (count < 0) this.fail('negative record count')
  }

  private fail(what: string): void {
    this.failure ??= what
    this.left = 0
    this.position = this.recordEnd = this.end
  }

  /** False at the end and at the first malformed record; `failure` tells which. */
  next(): boolean {
    if (this.left === 0) {
      if (this.failure === undefined && this.recordEnd !== this.end) this.fail('bytes left over after the last record')
      return false
    }
    this.left--
    this.position = this.recordEnd
    this.recordEnd = this.end
    const length = this.varint()
    if (this.failure !== undefined || length < 0 || length > this.end - this.position) {
      this.fail('record longer than its batch')
      return false
    }
    this.recordEnd = this.position + length
    this.skip(1)
    this.timestampDelta = this.varlong()
    this.offsetDelta = this.varint()
    this.keyLength = this.varint()
    this.keyAt = this.position
    this.skip(this.keyLength)
    this.valueLength = this.varint()
    this.valueAt = this.position
    this.skip(this.valueLength)
    this.headerCount = this.varint()
    this.headersAt = this.position
    if (this.headerCount < 0 || this.headerCount * 2 > this.recordEnd - this.position) this.fail('header count beyond the record')
    for (let header = this.headerCount; header > 0 && this.failure === undefined; header--) {
      const keyLength = this.varint()
      if (keyLength < 0) this.fail('header without a key')
      this.skip(keyLength)
      this.skip(this.varint())
    }
    if (this.failure === undefined && this.position !== this.recordEnd) this.fail('record of another length than it says')
    return this.failure === undefined
  }

  key(): Uint8Array | null {
    return this.keyLength < 0 ? null : this.bytes.subarray(this.keyAt, this.keyAt + this.keyLength)
  }

  value(): Uint8Array | null {
    return this.valueLength < 0 ? null : this.bytes.subarray(this.valueAt, this.valueAt + this.valueLength)
  }

  headers(): readonly RecordHeader[] {
    if (this.headerCount === 0) return noHeaders
    const headers: RecordHeader[] = []
    this.position = this.headersAt
    for (let header = this.headerCount; header > 0; header--) {
      const keyLength = this.varint()
      const key = decodeUtf8(this.bytes, this.position, this.position + keyLength)
      this.skip(keyLength)
      const valueLength = this.varint()
      const value = valueLength < 0 ? null : this.bytes.subarray(this.position, this.position + valueLength)
      this.skip(valueLength)
      headers.push({ key, value })
    }
    return headers
  }

  /** A length of -1 is null and skips nothing. */
  private skip(length: number): void {
    if (length <= 0) return
    if (length > this.recordEnd - this.position) this.fail('field longer than its record')
    else this.position += length
  }

  private varint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.position >= this.recordEnd) break
      const byte = this.bytes[this.position++] as number
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1)
    }
    this.fail('malformed varint')
    return 0
  }

  /** Deltas of time are small; beyond 2^53 the record is malformed for us. */
  private varlong(): number {
    let low = 0
    let scale = 1
    for (let byteCount = 0; byteCount < 10; byteCount++) {
      if (this.position >= this.recordEnd) break
      const byte = this.bytes[this.position++] as number
      low += (byte & 0x7f) * scale
      scale *= 128
      if (byte >= 0x80) continue
      if (low > Number.MAX_SAFE_INTEGER) break
      const half = low < two32 ? low >>> 1 : Math.floor(low / 2)
      return low % 2 === 0 ? half : -half - 1
    }
    this.fail('malformed time')
    return 0
  }
}

const noHeaders: readonly RecordHeader[] = []
