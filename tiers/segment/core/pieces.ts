// Owns looking at batches that lie across several pieces of memory, without joining them. Not where the pieces come from.

import { assert, assertDefined } from '../../../src/base/assert.ts'
import { type Outcome, fail } from '../../../src/base/outcome.ts'
import { batchHeaderBytes } from '../../../src/protocol/index.ts'
import { type BatchHeader, readBatchHeader } from './batch-scan.ts'
import { joinBytes } from './wire.ts'

/** Pieces that together hold positions [start, end) of an object. Looks mostly forward: it remembers where it was. */
export class Pieces {
  readonly start: number
  readonly end: number
  readonly #pieces: readonly Uint8Array[]
  #index = 0
  #indexStart: number

  constructor(pieces: readonly Uint8Array[], start: number) {
    this.#pieces = pieces
    this.start = start
    this.end = pieces.reduce((sum, piece) => sum + piece.length, start)
    this.#indexStart = start
  }

  /** The header at a position; fails when the batch is malformed, or `short` when fewer than 61 bytes are here. */
  header(at: number): Outcome<BatchHeader, string> {
    if (at + batchHeaderBytes > this.end) return fail('short')
    this.#seek(at)
    const piece = this.#piece()
    const within = at - this.#indexStart
    if (within + batchHeaderBytes <= piece.length) return readBatchHeader(piece, within)
    return readBatchHeader(joinBytes(this.slice(at, at + batchHeaderBytes)), 0)
  }

  /** Whether [from, to) lies in one piece. */
  isOnePiece(from: number, to: number): boolean {
    this.#seek(from)
    return to - this.#indexStart <= (this.#pieces[this.#index]?.length ?? 0)
  }

  /** Views of [from, to). */
  slice(from: number, to: number): Uint8Array[] {
    assert(from >= this.start && to <= this.end, 'a slice lies inside its pieces')
    const views: Uint8Array[] = []
    this.#seek(from)
    let index = this.#index
    let pieceStart = this.#indexStart
    for (let at = from; at < to;) {
      const piece = assertDefined(this.#pieces[index], 'pieces reach their end')
      const end = Math.min(to, pieceStart + piece.length)
      if (end > at) views.push(piece.subarray(at - pieceStart, end - pieceStart))
      at = end
      pieceStart += piece.length
      index += 1
    }
    return views
  }

  #piece(): Uint8Array {
    return assertDefined(this.#pieces[this.#index], 'pieces reach their end')
  }

  #seek(at: number): void {
    if (at < this.#indexStart) {
      this.#index = 0
      this.#indexStart = this.start
    }
    while (this.#index < this.#pieces.length && at >= this.#indexStart + this.#piece().length) {
      this.#indexStart += this.#piece().length
      this.#index += 1
    }
  }
}
