// Owns reading the primitives of Kafka's wire from bytes nobody vouches for. Does not own messages (generated/) nor frames (frame.ts).
//
// The error is sticky: the first thing wrong is noted in `failure`, the position moves to the end, and every later read
// answers zero. Whoever decodes asks once, at the end. Nothing throws, and no length is believed before it is compared with
// the bytes that are there, so decoding n bytes allocates O(n).

import { decodeUtf8, decodeUuid, encodeUtf8, stringBytesMax, uuidBytesLength, zeroUuid } from './text.ts'
import type { UnknownTaggedField, UnknownTaggedFields } from './tagged-field.ts'

/** Kafka defines fewer than ten per struct. A kept field costs some 200 bytes of memory for two on the wire, hence a limit. */
const tagCountMax = 1024

const noBytes = new Uint8Array(0)

export class ByteReader {
  readonly bytes: Uint8Array
  position: number
  /** What was wrong, and where; undefined while all is well. */
  failure: string | undefined
  private end: number
  private readonly view: DataView

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.position = start
    this.end = end
    this.failure = undefined
  }

  get remaining(): number {
    return this.end - this.position
  }

  /** Notes the first failure and makes every later read answer zero. */
  fail(what: string): void {
    if (this.failure !== undefined) return
    this.failure = `${what} at byte ${this.position}`
    this.position = this.end
  }

  /** The position before `size` more bytes, or -1 (and the failure noted) when they are not there. */
  private take(size: number, what: string): number {
    const at = this.position
    if (size > this.end - at) {
      this.fail(`truncated ${what}`)
      return -1
    }
    this.position = at + size
    return at
  }

  int8(): number {
    const at = this.take(1, 'int8')
    return at < 0 ? 0 : this.view.getInt8(at)
  }

  bool(): boolean {
    return this.int8() !== 0
  }

  int16(): number {
    const at = this.take(2, 'int16')
    return at < 0 ? 0 : this.view.getInt16(at)
  }

  uint16(): number {
    const at = this.take(2, 'uint16')
    return at < 0 ? 0 : this.view.getUint16(at)
  }

  int32(): number {
    const at = this.take(4, 'int32')
    return at < 0 ? 0 : this.view.getInt32(at)
  }

  uint32(): number {
    const at = this.take(4, 'uint32')
    return at < 0 ? 0 : this.view.getUint32(at)
  }

  int64(): bigint {
    const at = this.take(8, 'int64')
    return at < 0 ? 0n : this.view.getBigInt64(at)
  }

  float64(): number {
    const at = this.take(8, 'float64')
    return at < 0 ? 0 : this.view.getFloat64(at)
  }

  uuid(): string {
    const at = this.take(uuidBytesLength, 'uuid')
    return at < 0 ? zeroUuid : decodeUuid(this.bytes, at)
  }

  /** Unsigned, at most 32 bits. */
  uvarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const at = this.take(1, 'varint')
      if (at < 0) return 0
      const byte = this.bytes[at] as number
      if (shift === 28 && byte > 0x0f) break
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    this.fail('varint longer than 32 bits')
    return 0
  }

  /** Zigzag, at most 32 bits. */
  varint(): number {
    const value = this.uvarint()
    return (value >>> 1) ^ -(value & 1)
  }

  /** Zigzag, at most 64 bits. */
  varlong(): bigint {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const at = this.take(1, 'varlong')
      if (at < 0) return 0n
      const byte = this.bytes[at] as number
      if (shift === 63n && byte > 1) break
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n))
    }
    this.fail('varlong longer than 64 bits')
    return 0n
  }

  string(flexible: boolean): string {
    const length = flexible ? this.uvarint() - 1 : this.int16()
    return length < 0 ? this.nullNotAllowed('string') : this.text(length)
  }

  nullableString(flexible: boolean): string | null {
    const length = flexible ? this.uvarint() - 1 : this.int16()
    return length < 0 ? null : this.text(length)
  }

  private nullNotAllowed(what: string): string {
    this.fail(`null where a ${what} must be`)
    return ''
  }

  private text(length: number): string {
    if (length > stringBytesMax) this.fail(`string of ${length} bytes`)
    const at = this.take(length, 'string')
    if (at < 0) return ''
    const text = decodeUtf8(this.bytes, at, at + length)
    // Malformed text grows to three bytes for one when it is written again, in an answer for instance.
    if (length * 3 > stringBytesMax && encodeUtf8(text).length > stringBytesMax) this.fail('malformed string that grows')
    return text
  }

  /** A view into the input, not a copy. */
  raw(length: number): Uint8Array {
    const at = length <= 0 ? -1 : this.take(length, 'bytes')
    return at < 0 ? noBytes : this.bytes.subarray(at, at + length)
  }

  bytesField(flexible: boolean): Uint8Array {
    const length = flexible ? this.uvarint() - 1 : this.int32()
    if (length < 0) this.nullNotAllowed('byte array')
    return this.raw(length)
  }

  nullableBytesField(flexible: boolean): Uint8Array | null {
    const length = flexible ? this.uvarint() - 1 : this.int32()
    return length < 0 ? null : this.raw(length)
  }

  /** One view over all batches; whoever reads them knows where each ends. */
  records(flexible: boolean): readonly Uint8Array[] {
    return [this.bytesField(flexible)]
  }

  nullableRecords(flexible: boolean): readonly Uint8Array[] | null {
    const bytes = this.nullableBytesField(flexible)
    return bytes === null ? null : [bytes]
  }

  /** How many elements follow, each at least `elementBytesMin` long. */
  arrayLength(flexible: boolean, elementBytesMin: number): number {
    const length = this.nullableArrayLength(flexible, elementBytesMin)
    if (length < 0) this.nullNotAllowed('array')
    return length
  }

  /** As `arrayLength`, and -1 for null. */
  nullableArrayLength(flexible: boolean, elementBytesMin: number): number {
    const length = flexible ? this.uvarint() - 1 : this.int32()
    if (length < 0) return this.failure === undefined ? -1 : 0
    if (length * elementBytesMin <= this.end - this.position) return length
    this.fail(`array of ${length} elements in ${this.remaining} bytes`)
    return 0
  }

  /** The leading byte of a nullable struct. */
  structPresent(): boolean {
    return this.int8() >= 0
  }

  /** How many tagged fields follow. */
  tagCount(): number {
    const count = this.uvarint()
    if (count <= tagCountMax && count * 2 <= this.end - this.position) return count
    this.fail(`${count} tagged fields in ${this.remaining} bytes`)
    return 0
  }

  /** Reads the size of a tagged field; answers where it ends. */
  openTag(): number {
    const size = this.uvarint()
    if (size <= this.end - this.position) return this.position + size
    this.fail(`tagged field of ${size} bytes in ${this.remaining}`)
    return this.position
  }

  closeTag(end: number): void {
    if (this.position !== end) this.fail('tagged field of another size than it says')
  }

  unknownTag(kept: UnknownTaggedFields, tag: number, end: number): UnknownTaggedFields {
    const field: UnknownTaggedField = { tag, bytes: this.raw(end - this.position) }
    if (kept === undefined) return [field]
    // The list is this decoding's own until it is handed out.
    ;(kept as UnknownTaggedField[]).push(field)
    return kept
  }

  /** The tagged section of a struct that has no tagged field this build knows. */
  unknownTags(): UnknownTaggedFields {
    const count = this.tagCount()
    if (count === 0) return undefined
    const kept: UnknownTaggedField[] = []
    for (let tags = count; tags > 0 && this.failure === undefined; tags--) {
      const tag = this.uvarint()
      kept.push({ tag, bytes: this.raw(this.openTag() - this.position) })
    }
    return kept
  }
}
