// Owns the compressors of record batches, bounded in what they unpack to. Does not own batches (protocol/records); no I/O.
//
// What clients send under one codec number differs, and all of it is accepted: gzip of several members; snappy bare
// (librdkafka, franz-go) or in the framing of Java's xerial library; lz4 and zstd frames one after another.

import { gunzipSync, gzipSync } from 'node:zlib'
import lz4 from 'lz4-napi'
import snappy from 'snappy'
import { loadZstd, type ZstdCodec } from './zstd.ts'

export type BatchCodec = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

export interface BatchCompression {
  /** Answers a failure when the bytes are malformed or would unpack to more than the bound. Never throws on bad bytes. */
  decompress(codec: BatchCodec, bytes: Uint8Array): Uint8Array | { readonly failure: string }
  /**
   * In the form Java clients read. Without a level as the codec usually does; lz4 has one speed here, its fast one, and snappy has no
   * levels at all.
   */
  compress(codec: BatchCodec, bytes: Uint8Array, level?: number): Uint8Array
}

/** Sixty-four times the largest batch of the default `message.max.bytes`; legitimate batches stay far below. */
export const plainBytesMaxUsual = 64 * 1024 * 1024

/** Loads what needs loading. Once per process is enough; the result holds no state of its callers. */
export async function loadBatchCompression(plainBytesMax = plainBytesMaxUsual): Promise<BatchCompression> {
  const zstd = await loadZstd()
  return {
    decompress(codec, bytes) {
      try {
        const plain = decompress(codec, bytes, { zstd, plainBytesMax })
        return typeof plain === 'string' ? { failure: plain } : plain
      } catch (error) {
        // The libraries throw on malformed input, each in its own way; to the caller it is one expected outcome.
        return { failure: `${codec}: ${error instanceof Error ? error.message : String(error)}` }
      }
    },
    compress: (codec, bytes, level) => compress(codec, bytes, { zstd, level }),
  }
}

interface Bounds {
  readonly zstd: ZstdCodec
  readonly plainBytesMax: number
}

function decompress(codec: BatchCodec, bytes: Uint8Array, bounds: Bounds): Uint8Array | string {
  switch (codec) {
    case 'none':
      return bytes
    case 'gzip':
      return gunzipSync(bytes, { maxOutputLength: bounds.plainBytesMax })
    case 'snappy':
      return isXerial(bytes) ? unpackXerial(bytes, bounds.plainBytesMax) : unpackSnappy(bytes, bounds.plainBytesMax)
    case 'lz4':
      return unpackLz4(bytes, bounds.plainBytesMax)
    case 'zstd':
      return bounds.zstd.decompress(bytes, bounds.plainBytesMax)
  }
}

function compress(
  codec: BatchCodec,
  bytes: Uint8Array,
  { zstd, level }: { readonly zstd: ZstdCodec; readonly level: number | undefined },
): Uint8Array {
  switch (codec) {
    case 'none':
      return bytes
    case 'gzip':
      return level === undefined ? gzipSync(bytes) : gzipSync(bytes, { level })
    case 'snappy':
      return packXerial(bytes)
    case 'lz4':
      return lz4.compressFrameSync(asBuffer(bytes))
    case 'zstd':
      return zstd.compress(bytes, level)
  }
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
const tooLarge = (plainBytesMax: number): string => `unpacks to more than ${plainBytesMax} bytes`

// Snappy. A bare block starts with its plain length as a varint; xerial's stream is
//   82 "SNAPPY" 00 | version int32 | oldest compatible version int32 | (length int32 | bare block)*

const xerialMagic = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]
const xerialHeaderBytes = 16
const xerialBlockBytes = 32 * 1024

function isXerial(bytes: Uint8Array): boolean {
  return bytes.length >= xerialHeaderBytes && xerialMagic.every((byte, index) => bytes[index] === byte)
}

function snappyPlainBytes(block: Uint8Array): number {
  let length = 0
  for (let index = 0; index < 5; index++) {
    const byte = block[index]
    if (byte === undefined) return Infinity
    length += (byte & 0x7f) * 128 ** index
    if (byte < 0x80) return length
  }
  return Infinity
}

function unpackSnappy(block: Uint8Array, plainBytesMax: number): Uint8Array | string {
  if (snappyPlainBytes(block) > plainBytesMax) return tooLarge(plainBytesMax)
  return snappy.uncompressSync(block, { asBuffer: true })
}

function unpackXerial(bytes: Uint8Array, plainBytesMax: number): Uint8Array | string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const blocks: Uint8Array[] = []
  let left = plainBytesMax
  for (let at = xerialHeaderBytes; at < bytes.length;) {
    const size = at + 4 <= bytes.length ? view.getUint32(at) : Infinity
    if (size > bytes.length - at - 4) return 'snappy block cut off'
    const block = unpackSnappy(bytes.subarray(at + 4, at + 4 + size), left)
    if (typeof block === 'string') return tooLarge(plainBytesMax)
    blocks.push(block)
    left -= block.length
    at += 4 + size
  }
  return Buffer.concat(blocks)
}

function packXerial(bytes: Uint8Array): Uint8Array {
  const header = Buffer.alloc(xerialHeaderBytes)
  header.set(xerialMagic)
  header.writeInt32BE(1, 8)
  header.writeInt32BE(1, 12)
  const parts: Buffer[] = [header]
  for (let at = 0; at < bytes.length; at += xerialBlockBytes) {
    const block = snappy.compressSync(asBuffer(bytes.subarray(at, at + xerialBlockBytes)))
    const size = Buffer.alloc(4)
    size.writeInt32BE(block.length)
    parts.push(size, block)
  }
  return Buffer.concat(parts)
}

// LZ4 frame: magic 04224d18 | flags, block size code | content size 0-8 | dictionary id 0-4 | header checksum
//            | (size uint32 LE, top bit: stored | block | checksum 0-4)* | 00000000 | content checksum 0-4

const lz4Magic = 0x184d2204
const lz4SkippableMagic = 0x184d2a50
const lz4Flag = { blockChecksum: 0x10, contentSize: 0x08, contentChecksum: 0x04, dictionaryId: 0x01 }

function unpackLz4(bytes: Uint8Array, plainBytesMax: number): Uint8Array | string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const parts: Uint8Array[] = []
  let left = plainBytesMax
  for (let at = 0; at < bytes.length;) {
    if (at + 8 > bytes.length) return 'lz4 frame cut off'
    if ((view.getUint32(at, true) & 0xfffffff0) >>> 0 === lz4SkippableMagic) {
      at += 8 + view.getUint32(at + 4, true)
      continue
    }
    const frame = lz4Frame(view, at)
    if (frame === undefined) return 'malformed lz4 frame'
    // The last block counts as full though it seldom is: one block's worth of a legitimate batch may be lost at the limit.
    if (frame.bound > left) return tooLarge(plainBytesMax)
    const part = lz4.decompressFrameSync(asBuffer(bytes.subarray(at, frame.end)))
    parts.push(part)
    left -= part.length
    at = frame.end
  }
  return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts)
}

/** Where the frame ends and the most it can unpack to. */
function lz4Frame(view: DataView, start: number): { readonly end: number; readonly bound: number } | undefined {
  if (view.getUint32(start, true) !== lz4Magic) return undefined
  const flags = view.getUint8(start + 4)
  const blockBytesMax = 2 ** (8 + 2 * ((view.getUint8(start + 5) >> 4) & 7))
  let at = start + 7 + ((flags & lz4Flag.contentSize) === 0 ? 0 : 8) + ((flags & lz4Flag.dictionaryId) === 0 ? 0 : 4)
  let bound = 0
  for (;;) {
    if (at + 4 > view.byteLength) return undefined
    const header = view.getUint32(at, true)
    at += 4
    if (header === 0) break
    const size = header & 0x7fffffff
    if (size > blockBytesMax) return undefined
    bound += Math.min(blockBytesMax, size * 255)
    at += size + ((flags & lz4Flag.blockChecksum) === 0 ? 0 : 4)
  }
  const end = at + ((flags & lz4Flag.contentChecksum) === 0 ? 0 : 4)
  return end > view.byteLength ? undefined : { end, bound }
}
