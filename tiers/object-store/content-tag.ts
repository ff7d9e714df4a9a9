// Owns the etag of the stores that make their own (local, memory): a function of the content alone, so that it survives a copied
// folder, like S3's. Does not own S3's etags.

import { createHash } from 'node:crypto'
import { crc32c } from '../../src/base/node/native-crc32c.ts'
import { strongTagBytesMax } from './limits.ts'

/**
 * Feed pieces in any split: the same content has the same tag. Up to `strongTagBytesMax` 128 bits of SHA-256, as conditional
 * replacement stakes correctness on it; above, size and CRC32C, as large objects are created once and never replaced.
 */
export class ContentTag {
  #crc = 0
  #sizeBytes = 0
  #small: Uint8Array[] = []

  add(piece: Uint8Array): void {
    this.#crc = crc32c(piece, this.#crc)
    this.#sizeBytes += piece.length
    if (this.#sizeBytes <= strongTagBytesMax) this.#small.push(piece)
    else this.#small.length = 0
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  finish(): string {
    const size = this.#sizeBytes.toString(16)
    if (this.#sizeBytes > strongTagBytesMax) return `"${size}-${this.#crc.toString(16).padStart(8, '0')}"`
    const hash = createHash('sha256')
    for (const piece of this.#small) hash.update(piece)
    return `"${size}-${hash.digest('hex').slice(0, 32)}"`
  }
}

export function contentTag(body: readonly Uint8Array[]): string {
  const tag = new ContentTag()
  for (const piece of body) tag.add(piece)
  return tag.finish()
}
