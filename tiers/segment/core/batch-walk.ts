// Owns walking over batches that arrive in arbitrary pieces, checking each one's CRC, in constant memory. Not where the pieces
// come from (verify.ts, inspect.ts).

import type { Crc32c } from '../../../src/base/crc32c.ts'
import { batchHeaderBytes, batchOffset } from '../../../src/protocol/index.ts'
import { type BatchHeader, readBatchHeader } from './batch-scan.ts'

export interface WalkedBatch {
  readonly header: BatchHeader
  readonly position: number
  readonly isSound: boolean
}

export class BatchWalk {
  readonly #crc32c: Crc32c
  readonly #headerBytes = new Uint8Array(batchHeaderBytes)
  #headerFill = 0
  #position = 0
  #header: BatchHeader | undefined
  #bodyLeft = 0
  #crc = 0

  constructor(crc32c: Crc32c) {
    this.#crc32c = crc32c
  }

  /** Where the batch begins that is being walked, or the next one. */
  get position(): number {
    return this.#position
  }

  get isBetweenBatches(): boolean {
    return this.#headerFill === 0
  }

  /** Takes the next bytes and calls `each` for every batch that ended in them. A failure ends the walk: the next batch is lost. */
  push(bytes: Uint8Array, each: (batch: WalkedBatch) => void): string | undefined {
    let at = 0
    // An empty body (a batch without records) ends with its header.
    while (at < bytes.length) {
      if (this.#header === undefined) {
        const taken = Math.min(bytes.length - at, batchHeaderBytes - this.#headerFill)
        this.#headerBytes.set(bytes.subarray(at, at + taken), this.#headerFill)
        this.#headerFill += taken
        at += taken
        if (this.#headerFill < batchHeaderBytes) break
        const failure = this.#begin()
        if (failure !== undefined) return failure
      } else {
        const taken = Math.min(bytes.length - at, this.#bodyLeft)
        this.#crc = this.#crc32c(bytes.subarray(at, at + taken), this.#crc)
        this.#bodyLeft -= taken
        at += taken
      }
      if (this.#header !== undefined && this.#bodyLeft === 0) this.#end(this.#header, each)
    }
    return undefined
  }

  #begin(): string | undefined {
    const header = readBatchHeader(this.#headerBytes, 0)
    if (!header.ok) return header.failure
    this.#header = header.value
    this.#bodyLeft = header.value.sizeBytes - batchHeaderBytes
    this.#crc = this.#crc32c(this.#headerBytes.subarray(batchOffset.attributes))
    return undefined
  }

  #end(header: BatchHeader, each: (batch: WalkedBatch) => void): void {
    each({ header, position: this.#position, isSound: this.#crc === header.crc32c })
    this.#position += header.sizeBytes
    this.#header = undefined
    this.#headerFill = 0
  }
}
