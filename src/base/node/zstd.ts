// Owns zstd by WebAssembly: loading it once, unpacking any sequence of frames within a bound, packing. Does not own the other
// codecs nor the choice between them (compression.ts).
//
// The package's own wrapper copies results through a JavaScript array (5 MB take 370 ms, without it 70 ms), takes the size of
// the first frame for that of all, and guesses where a frame does not state one, as frames of streaming encoders (the Java
// client's) do not. So its module is called directly, and the room needed is found by walking the block headers:
//
//   frame:  magic 28b52ffd | descriptor | window 0-1 | dictionary id 0-4 | content size 0-8 | blocks | checksum 0-4
//   block:  24 bits little endian: last (1), type (2), size (21) | content

import { Zstd } from '@hpcc-js/wasm-zstd'

/** What is used of the package's inside; the version is pinned, and the tests would notice. */
interface Heap {
  readonly ptr: number
  size: number
}
interface Inside {
  readonly _mainModule: {
    malloc(size: number): Heap
    free(heap: Heap): void
    dataToHeap(bytes: Uint8Array): Heap
    heapView(heap: Heap): Uint8Array
  }
  readonly _zstdClass: {
    compressBound(size: number): number
    compress(to: number, room: number, from: number, size: number, level: number): number
    decompress(to: number, room: number, from: number, size: number): number
    isError(code: number): boolean | number
    getErrorName(code: number): string
  }
}

const blockPlainBytesMax = 128 * 1024
const frameMagic = 0xfd2fb528
const skippableMagic = 0x184d2a50
const levelUsual = 3

export interface ZstdCodec {
  compress(bytes: Uint8Array, level?: number): Uint8Array
  /** Or a sentence saying what is wrong. */
  decompress(bytes: Uint8Array, plainBytesMax: number): Uint8Array | string
}

export async function loadZstd(): Promise<ZstdCodec> {
  const inside = (await Zstd.load()) as unknown as Inside
  return {
    compress: (bytes, level = levelUsual) => compress(inside, bytes, level),
    decompress: (bytes, plainBytesMax) => decompress(inside, bytes, plainBytesMax),
  }
}

function compress({ _mainModule: heap, _zstdClass: zstd }: Inside, bytes: Uint8Array, level: number): Uint8Array {
  const from = heap.dataToHeap(bytes)
  const room = zstd.compressBound(bytes.length)
  const to = heap.malloc(room)
  to.size = zstd.compress(to.ptr, room, from.ptr, from.size, level)
  const packed = heap.heapView(to).slice()
  heap.free(to)
  heap.free(from)
  return packed
}

function decompress(
  { _mainModule: heap, _zstdClass: zstd }: Inside,
  bytes: Uint8Array,
  plainBytesMax: number,
): Uint8Array | string {
  const bound = plainBytesBound(bytes)
  if (bound === undefined) return 'malformed zstd frame'
  // The bound may exceed the true size by part of a block, hence no refusal here: zstd itself stops when the room is used up.
  const room = Math.max(Math.min(bound, plainBytesMax), 1)
  const from = heap.dataToHeap(bytes)
  const to = heap.malloc(room)
  const size = zstd.decompress(to.ptr, room, from.ptr, from.size)
  const failed = Boolean(zstd.isError(size))
  to.size = failed ? 0 : size
  const plain = failed ? `zstd: ${zstd.getErrorName(size)}` : heap.heapView(to).slice()
  heap.free(to)
  heap.free(from)
  return plain
}

/** The most the frames can unpack to, or undefined when they are no frames. */
export function plainBytesBound(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let bound = 0
  let at = 0
  while (at < bytes.length) {
    if (bytes.length - at < 8) return undefined
    const magic = view.getUint32(at, true)
    if ((magic & 0xfffffff0) >>> 0 === skippableMagic) {
      at += 8 + view.getUint32(at + 4, true)
      continue
    }
    if (magic !== frameMagic) return undefined
    const frame = frameBound(view, at + 4)
    if (frame === undefined) return undefined
    bound += frame.bound
    at = frame.end
  }
  return at === bytes.length ? bound : undefined
}

/** `at` is the frame's descriptor. */
function frameBound(view: DataView, at: number): { readonly bound: number; readonly end: number } | undefined {
  const descriptor = view.getUint8(at)
  const isSingleSegment = (descriptor & 0x20) !== 0
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3] as number
  const contentSizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] as number
  let position = at + 1 + (isSingleSegment ? 0 : 1) + dictionaryIdBytes + contentSizeBytes
  let bound = 0
  for (let isLast = false; !isLast;) {
    if (position + 3 > view.byteLength) return undefined
    const header = view.getUint16(position, true) | (view.getUint8(position + 2) << 16)
    isLast = (header & 1) !== 0
    const type = (header >> 1) & 3
    const size = header >> 3
    if (type === 3 || size > blockPlainBytesMax) return undefined
    // Raw and run-length blocks state their plain size, compressed ones their packed size.
    bound += type === 2 ? blockPlainBytesMax : size
    position += 3 + (type === 1 ? 1 : size)
  }
  const end = position + ((descriptor & 4) === 0 ? 0 : 4)
  return end > view.byteLength ? undefined : { bound, end }
}
