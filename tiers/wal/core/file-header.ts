// Owns the bytes of a WAL file's first page, format version 1: whose file it is, which number it has, and where the file before
// it ended. Not the file's name or length on disk (file-names.ts, supply.ts).
//
//   0  8 bytes  "CHRONWAL"                          36 u64  file number
//   8  u32      CRC-32C over bytes 12 … 4096        44 u64  file bytes
//   12 u16      format version, 1                   52 u64  number of the file before, 0: none
//   14 u16      flags: 1 the file was recycled      60 u64  where that file ended: all before it was synced (WAL-4)
//   16 u32      reserved, 0                         68 u32  chain: the CRC of its last frame
//   20 16 bytes WAL id                              72 zeros to 4096
//
// It goes out in one writev with the file's first commit: a file that holds nothing has no valid header.

import type { Crc32c } from '../../../src/base/crc32c.ts'
import { type Bytes, bytesOf } from './frame.ts'
import { walLimits } from './limits.ts'

export const formatVersion = 1
export const walIdBytes = 16

const magic = Uint8Array.from('CHRONWAL', (letter) => letter.charCodeAt(0))
const recycledFlag = 1
const wordRange = 2 ** 32

export interface FileHeader {
  readonly walId: Uint8Array
  readonly file: number
  readonly fileBytes: number
  readonly recycled: boolean
  readonly previousFile: number
  readonly previousEnd: number
  readonly previousChain: number
}

export function writeU64(into: DataView, at: number, value: number): void {
  into.setUint32(at, Math.floor(value / wordRange))
  into.setUint32(at + 4, value >>> 0)
}

export function readU64(from: DataView, at: number): number {
  return from.getUint32(at) * wordRange + from.getUint32(at + 4)
}

export function sameBytes(left: Uint8Array, right: Uint8Array, rightAt = 0): boolean {
  for (let at = 0; at < left.length; at += 1) if (left[at] !== right[rightAt + at]) return false
  return true
}

export function encodeFileHeader(header: FileHeader, crc32c: Crc32c): Uint8Array {
  const { array, view } = bytesOf(new Uint8Array(walLimits.fileHeaderBytes))
  array.set(magic, 0)
  view.setUint16(12, formatVersion)
  view.setUint16(14, header.recycled ? recycledFlag : 0)
  array.set(header.walId, 20)
  writeU64(view, 36, header.file)
  writeU64(view, 44, header.fileBytes)
  writeU64(view, 52, header.previousFile)
  writeU64(view, 60, header.previousEnd)
  view.setUint32(68, header.previousChain)
  view.setUint32(8, crc32c(array.subarray(12)))
  return array
}

/** `undefined`: no header, or a damaged one. `version`: a valid header of a format this code does not know. */
export type DecodedFileHeader = FileHeader | { readonly version: number } | undefined

export function decodeFileHeader(page: Bytes, crc32c: Crc32c): DecodedFileHeader {
  const { array, view } = page
  if (array.length < walLimits.fileHeaderBytes || !sameBytes(magic, array)) return undefined
  if (crc32c(array.subarray(12, walLimits.fileHeaderBytes)) !== view.getUint32(8)) return undefined
  const version = view.getUint16(12)
  if (version !== formatVersion) return { version }
  return {
    walId: array.slice(20, 20 + walIdBytes),
    file: readU64(view, 36),
    fileBytes: readU64(view, 44),
    recycled: (view.getUint16(14) & recycledFlag) !== 0,
    previousFile: readU64(view, 52),
    previousEnd: readU64(view, 60),
    previousChain: view.getUint32(68),
  }
}

/** What the first commit of a file chains to: no frame of another file, or of another WAL, continues from it. */
export function chainSeed(walId: Uint8Array, file: number, crc32c: Crc32c): number {
  const { array, view } = bytesOf(new Uint8Array(walIdBytes + 8))
  array.set(walId, 0)
  writeU64(view, walIdBytes, file)
  return crc32c(array)
}
