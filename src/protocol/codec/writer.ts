// Owns writing the primitives of Kafka's wire. Does not own messages (generated/) nor frames (frame.ts).
//
// Small fields go into one growing scratch; record batches and other large byte fields are not copied but remembered with the
// scratch position they belong at. `finish` deals out both in order, ready for one gathering write:
//
//   scratch    [size header topic index len | throttle tags]
//   references                          ^ batch, batch            -> chunks: scratch[0..a] batch batch scratch[a..]

import { assert } from '../../base/assert.ts'
import { newSlab, type ScratchPool, type Slab } from './scratch.ts'
import type { UnknownTaggedFields } from './tagged-field.ts'
import { encodeUtf8, encodeUuid, isShortAscii, stringBytesMax, uuidBytesLength } from './text.ts'

/** Below this a copy costs less than one more chunk in the gathering write. */
const referenceBytesMin = 512
const firstBytes = 1024

interface Reference {
  readonly at: number
  readonly bytes: Uint8Array
}

export class ByteWriter {
  private readonly pool: ScratchPool | undefined
  private slab: Slab
  private bytes: Uint8Array
  private view: DataView
  private start: number
  private at: number
  private limit: number
  private references: Reference[] = []
  private referencedBytes = 0
  private finished = false

  /**
   * Writers of one event loop share a pool; without one the writer brings its own memory, `bytes` at first. What is kept must not hold
   * more memory than it has bytes, so that whoever keeps it can count: such a writer is told exactly how many it will write.
   */
  constructor(pool?: ScratchPool, bytes = firstBytes) {
    this.pool = pool
    this.slab = pool?.borrow(bytes) ?? newSlab(bytes)
    this.bytes = this.slab.bytes
    this.view = this.slab.view
    this.start = this.slab.used
    this.at = this.start
    this.limit = this.bytes.length
  }

  get byteLength(): number {
    return this.at - this.start + this.referencedBytes
  }

  /** Makes room for `size` more bytes and answers where they go. */
  private room(size: number): number {
    if (this.limit - this.at < size) this.grow(size)
    const at = this.at
    this.at = at + size
    return at
  }

  private grow(size: number): void {
    assert(!this.finished, 'a finished writer is not written to')
    const used = this.at - this.start
    const next = newSlab(Math.max(used * 2, used + size))
    next.bytes.set(this.bytes.subarray(this.start, this.at), next.used)
    for (let index = 0; index < this.references.length; index++) {
      const reference = this.references[index] as Reference
      this.references[index] = { at: reference.at - this.start, bytes: reference.bytes }
    }
    // What was written so far has moved, so the slab it came from is free again from `start` on.
    this.pool?.giveBack(this.slab)
    this.slab = next
    this.bytes = next.bytes
    this.view = next.view
    this.start = 0
    this.at = used
    this.limit = next.bytes.length
  }

  int8(value: number): void {
    // `room` may move the scratch, so it is asked first, here and below: `this.view` must be the one after the move.
    const at = this.room(1)
    this.view.setInt8(at, value)
  }

  bool(value: boolean): void {
    const at = this.room(1)
    this.view.setInt8(at, value ? 1 : 0)
  }

  int16(value: number): void {
    const at = this.room(2)
    this.view.setInt16(at, value)
  }

  uint16(value: number): void {
    const at = this.room(2)
    this.view.setUint16(at, value)
  }

  int32(value: number): void {
    const at = this.room(4)
    this.view.setInt32(at, value)
  }

  uint32(value: number): void {
    const at = this.room(4)
    this.view.setUint32(at, value)
  }

  int64(value: bigint): void {
    const at = this.room(8)
    this.view.setBigInt64(at, value)
  }

  float64(value: number): void {
    const at = this.room(8)
    this.view.setFloat64(at, value)
  }

  uuid(value: string): void {
    const at = this.room(uuidBytesLength)
    assert(encodeUuid(value, this.bytes, at), 'a UUID is written as 22 characters of base64url')
  }

  uvarint(value: number): void {
    let rest = value >>> 0
    let at = this.room(5)
    while (rest > 0x7f) {
      this.bytes[at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.bytes[at++] = rest
    this.at = at
  }

  varint(value: number): void {
    this.uvarint((value << 1) ^ (value >> 31))
  }

  varlong(value: bigint): void {
    let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
    let at = this.room(10)
    while (rest > 0x7fn) {
      this.bytes[at++] = Number(rest & 0x7fn) | 0x80
      rest >>= 7n
    }
    this.bytes[at++] = Number(rest)
    this.at = at
  }

  string(value: string, flexible: boolean): void {
    if (isShortAscii(value)) {
      this.stringLength(value.length, flexible)
      let at = this.room(value.length)
      for (let index = 0; index < value.length; index++) this.bytes[at++] = value.charCodeAt(index)
      return
    }
    const encoded = encodeUtf8(value)
    this.stringLength(encoded.length, flexible)
    this.raw(encoded)
  }

  nullableString(value: string | null, flexible: boolean): void {
    if (value !== null) this.string(value, flexible)
    else if (flexible) this.uvarint(0)
    else this.int16(-1)
  }

  private stringLength(length: number, flexible: boolean): void {
    assert(length <= stringBytesMax, 'a string on the wire has at most 32767 bytes')
    if (flexible) this.uvarint(length + 1)
    else this.int16(length)
  }

  /** Copies the bytes as they are. */
  raw(value: Uint8Array): void {
    const at = this.room(value.length)
    this.bytes.set(value, at)
  }

  /** Takes the bytes as they are, without copying large ones: they must not change until the chunks are sent. */
  reference(value: Uint8Array): void {
    if (value.length < referenceBytesMin) {
      this.raw(value)
      return
    }
    this.references.push({ at: this.at, bytes: value })
    this.referencedBytes += value.length
  }

  bytesField(value: Uint8Array, flexible: boolean): void {
    this.arrayLength(value.length, flexible)
    this.reference(value)
  }

  nullableBytesField(value: Uint8Array | null, flexible: boolean): void {
    if (value === null) this.nullArray(flexible)
    else this.bytesField(value, flexible)
  }

  records(chunks: readonly Uint8Array[], flexible: boolean): void {
    let size = 0
    for (const chunk of chunks) size += chunk.length
    this.arrayLength(size, flexible)
    for (const chunk of chunks) this.reference(chunk)
  }

  nullableRecords(chunks: readonly Uint8Array[] | null, flexible: boolean): void {
    if (chunks === null) this.nullArray(flexible)
    else this.records(chunks, flexible)
  }

  arrayLength(length: number, flexible: boolean): void {
    if (flexible) this.uvarint(length + 1)
    else this.int32(length)
  }

  nullArray(flexible: boolean): void {
    if (flexible) this.uvarint(0)
    else this.int32(-1)
  }

  /** Leaves four bytes to be filled by `closeSize`; answers the mark to hand to it. */
  openSize(): number {
    const mark = this.byteLength
    assert(this.referencedBytes === 0, 'a size is reserved before any bytes are referenced')
    this.int32(0)
    return mark
  }

  /** Fills the four bytes reserved at `mark` with the number of bytes written since. */
  closeSize(mark: number): void {
    this.view.setInt32(this.start + mark, this.byteLength - mark - 4)
  }

  /** Starts tagged field `tag`; answers the mark to hand to `closeTag`. */
  openTag(tag: number): number {
    this.uvarint(tag)
    this.room(1)
    return this.at - this.start
  }

  /** Puts the size before the field's body, moving the body when one byte does not hold the size. */
  closeTag(mark: number): void {
    const body = this.start + mark
    const size = this.at - body
    const last = this.references.at(-1)
    assert(last === undefined || last.at < body, 'large byte fields are never tagged')
    if (size < 0x80) {
      this.bytes[body - 1] = size
      return
    }
    let sizeBytes = 2
    while (size >= 2 ** (7 * sizeBytes)) sizeBytes++
    this.room(sizeBytes - 1)
    // `room` may have moved the scratch.
    const from = this.start + mark
    this.bytes.copyWithin(from + sizeBytes - 1, from, from + size)
    const end = this.at
    this.at = from - 1
    this.uvarint(size)
    this.at = end
  }

  /** The tagged section of a struct none of whose known tagged fields is written. */
  unknownTags(fields: UnknownTaggedFields): void {
    if (fields === undefined) {
      const at = this.room(1)
      this.bytes[at] = 0
      return
    }
    this.uvarint(fields.length)
    this.unknownTagsBetween(fields, -1, Infinity)
  }

  /** Those with a tag after `low` and before `high`: known and unknown fields are sent in one ascending order. */
  unknownTagsBetween(fields: UnknownTaggedFields, low: number, high: number): void {
    if (fields === undefined) return
    for (const { tag, bytes } of fields) {
      if (tag <= low || tag >= high) continue
      this.uvarint(tag)
      this.uvarint(bytes.length)
      this.raw(bytes)
    }
  }

  /** The message in order, as few chunks as it takes. Ends the writer. */
  finish(): readonly Uint8Array[] {
    assert(!this.finished, 'a writer finishes once')
    const chunks: Uint8Array[] = []
    let from = this.start
    for (const { at, bytes } of this.references) {
      if (at > from) chunks.push(this.bytes.subarray(from, at))
      chunks.push(bytes)
      from = at
    }
    if (this.at > from) chunks.push(this.bytes.subarray(from, this.at))
    this.slab.used = this.at
    this.pool?.giveBack(this.slab)
    this.finished = true
    this.limit = this.at
    return chunks
  }

  /** As `finish`, in one piece. For small messages and tests. */
  concat(): Uint8Array {
    const size = this.byteLength
    const chunks = this.finish()
    if (chunks.length === 1) return chunks[0] as Uint8Array
    const whole = new Uint8Array(size)
    let at = 0
    for (const chunk of chunks) {
      whole.set(chunk, at)
      at += chunk.length
    }
    return whole
  }
}
