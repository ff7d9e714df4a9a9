// Owns where each batch of a partition's hot tail lies: in memory, or in the WAL file. A ring of numbers, no object per batch.
// Not what has been archived (partition-state.ts).

import { assert } from '../../base/assert.ts'
import type { WalPosition } from '../../model/entry.ts'

const firstCapacity = 8
const stride = 7
const column = { index: 0, baseOffset: 1, endOffset: 2, maxTimestampMs: 3, length: 4, walFile: 5, walAt: 6 } as const

export interface TailBatch {
  readonly index: number
  readonly baseOffset: number
  readonly endOffset: number
  readonly maxTimestampMs: number
  readonly position: WalPosition
}

export class TailIndex {
  #numbers = new Float64Array(firstCapacity * stride)
  #payloads: Array<Uint8Array | undefined> = new Array<Uint8Array | undefined>(firstCapacity).fill(undefined)
  #capacity = firstCapacity
  #head = 0
  #count = 0
  /** Batches before this one are no longer in memory. */
  #hotFrom = 0
  bytes = 0

  get count(): number {
    return this.#count
  }

  /** How many of the newest batches are in memory. */
  get hotCount(): number {
    return this.#count - this.#hotFrom
  }

  get firstOffset(): number | undefined {
    return this.#count === 0 ? undefined : this.#number(0, column.baseOffset)
  }

  get endOffset(): number | undefined {
    return this.#count === 0 ? undefined : this.#number(this.#count - 1, column.endOffset)
  }

  push(batch: TailBatch, payload: Uint8Array | undefined): void {
    assert(this.#count === 0 || batch.baseOffset === this.endOffset, 'TAIL-1: batches of the tail are contiguous')
    if (this.#count === this.#capacity) this.#grow()
    const slot = this.#slot(this.#count)
    const at = slot * stride
    this.#numbers[at + column.index] = batch.index
    this.#numbers[at + column.baseOffset] = batch.baseOffset
    this.#numbers[at + column.endOffset] = batch.endOffset
    this.#numbers[at + column.maxTimestampMs] = batch.maxTimestampMs
    this.#numbers[at + column.length] = batch.position.length
    this.#numbers[at + column.walFile] = batch.position.file
    this.#numbers[at + column.walAt] = batch.position.at
    this.#payloads[slot] = payload
    this.#count += 1
    this.bytes += batch.position.length
    if (payload === undefined) this.#hotFrom = this.#count
  }

  /** The position in the tail of the batch that holds `offset`, or of the first after it; `count` when there is none. */
  find(offset: number): number {
    let low = 0
    let high = this.#count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#number(middle, column.endOffset) <= offset) low = middle + 1
      else high = middle
    }
    return low
  }

  batch(place: number): TailBatch {
    assert(place >= 0 && place < this.#count, 'a place within the tail')
    return {
      index: this.#number(place, column.index),
      baseOffset: this.#number(place, column.baseOffset),
      endOffset: this.#number(place, column.endOffset),
      maxTimestampMs: this.#number(place, column.maxTimestampMs),
      position: {
        file: this.#number(place, column.walFile),
        at: this.#number(place, column.walAt),
        length: this.#number(place, column.length),
      },
    }
  }

  endOffsetAt(place: number): number {
    return this.#number(place, column.endOffset)
  }

  lengthAt(place: number): number {
    return this.#number(place, column.length)
  }

  maxTimestampAt(place: number): number {
    return this.#number(place, column.maxTimestampMs)
  }

  /** The batch itself while it is in memory. */
  payloadAt(place: number): Uint8Array | undefined {
    return this.#payloads[this.#slot(place)]
  }

  /** Lets go of the oldest batch in memory; answers its bytes, 0 when none is. */
  coolOldest(): number {
    if (this.#hotFrom >= this.#count) return 0
    const slot = this.#slot(this.#hotFrom)
    this.#payloads[slot] = undefined
    const length = this.#number(this.#hotFrom, column.length)
    this.#hotFrom += 1
    return length
  }

  /** The batch of a log entry stands there in the WAL, now or again. */
  place(index: number, { file, at }: WalPosition): void {
    let low = 0
    let high = this.#count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#number(middle, column.index) < index) low = middle + 1
      else high = middle
    }
    if (low === this.#count || this.#number(low, column.index) !== index) return
    const slot = this.#slot(low) * stride
    this.#numbers[slot + column.walFile] = file
    this.#numbers[slot + column.walAt] = at
  }

  /** Forgets batches at the end that end after `offset`; answers what of it was in memory. */
  dropBack(offset: number): { readonly batches: number; readonly bytes: number } {
    let batches = 0
    let bytes = 0
    while (this.#count > 0 && this.#number(this.#count - 1, column.endOffset) > offset) {
      const place = this.#count - 1
      const length = this.#number(place, column.length)
      if (place >= this.#hotFrom) {
        batches += 1
        bytes += length
      } else this.#hotFrom = place
      this.#payloads[this.#slot(place)] = undefined
      this.#count = place
      this.bytes -= length
    }
    return { batches, bytes }
  }

  /** Forgets batches at the front that lie below WAL file `file` and end at or before `offset`; answers what of it was in memory. */
  dropFront(file: number, offset: number): { readonly batches: number; readonly bytes: number } {
    let batches = 0
    let bytes = 0
    while (this.#count > 0 && this.#number(0, column.walFile) < file && this.#number(0, column.endOffset) <= offset) {
      const length = this.#number(0, column.length)
      if (this.#hotFrom > 0) this.#hotFrom -= 1
      else {
        batches += 1
        bytes += length
      }
      this.#payloads[this.#head] = undefined
      this.#head = (this.#head + 1) % this.#capacity
      this.#count -= 1
      this.bytes -= length
    }
    return { batches, bytes }
  }

  #slot(place: number): number {
    return (this.#head + place) % this.#capacity
  }

  #number(place: number, which: number): number {
    return this.#numbers[this.#slot(place) * stride + which] as number
  }

  #grow(): void {
    const numbers = new Float64Array(this.#capacity * 2 * stride)
    const payloads = new Array<Uint8Array | undefined>(this.#capacity * 2).fill(undefined)
    for (let place = 0; place < this.#count; place += 1) {
      const slot = this.#slot(place)
      numbers.set(this.#numbers.subarray(slot * stride, (slot + 1) * stride), place * stride)
      payloads[place] = this.#payloads[slot]
    }
    this.#numbers = numbers
    this.#payloads = payloads
    this.#capacity *= 2
    this.#head = 0
  }
}
