// Owns what a partition knows of transactions: which are open, up to where the log is decided (the last stable offset), and which ones
// were aborted, so that a reader of committed records can leave theirs out. As Kafka's ProducerStateManager and TransactionIndex, for
// the whole log in whichever tier. Not the producers' sequences (producer-state.ts), nor who ends a transaction (transactions).

import { assert } from '../../base/assert.ts'
import type { ByteReader, ByteWriter } from '../../protocol/index.ts'

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
  /** Of the marker. */
  readonly lastOffset: number
  /** The last stable offset once the marker stood in the log: who read up to there has met all that were aborted before. */
  readonly lastStableOffset: number
}

interface EndedTransaction {
  readonly firstOffset: number
  readonly markerOffset: number
}

export class TransactionIndex {
  /** First offset by producer, oldest first: a transaction begins at the end of the log. */
  readonly #open = new Map<number, number>()
  /** Ended by a marker that is not visible yet, by marker. */
  #ended: EndedTransaction[] = []
  /** By marker. */
  #aborted: AbortedTransaction[] = []

  get openCount(): number {
    return this.#open.size
  }

  get abortedCount(): number {
    return this.#aborted.length
  }

  /** Where the producer's open transaction begins; undefined when it has none. */
  firstOffsetOf(producerId: number): number | undefined {
    return this.#open.get(producerId)
  }

  /** A transactional batch stands in the log. */
  replayBatch(producerId: number, baseOffset: number): void {
    if (!this.#open.has(producerId)) this.#open.set(producerId, baseOffset)
  }

  /** A marker stands in the log. */
  replayMarker(producerId: number, markerOffset: number, aborted: boolean): void {
    const firstOffset = this.#open.get(producerId)
    if (firstOffset === undefined) return
    this.#open.delete(producerId)
    this.#ended.push({ firstOffset, markerOffset })
    if (!aborted) return
    const lastStableOffset = this.#firstOpen() ?? markerOffset + 1
    this.#aborted.push({ producerId, firstOffset, lastOffset: markerOffset, lastStableOffset })
  }

  /** The newest entry of the log, which stood at `baseOffset`, left it again; the producer's transaction began at `firstOffset` before it. */
  undo(producerId: number, firstOffset: number | undefined, baseOffset: number): void {
    if (this.#ended.at(-1)?.markerOffset === baseOffset) this.#ended.pop()
    if (this.#aborted.at(-1)?.lastOffset === baseOffset) this.#aborted.pop()
    const isOpen = this.#open.has(producerId)
    if (firstOffset === undefined) this.#open.delete(producerId)
    else if (!isOpen) this.#reopen(producerId, firstOffset)
  }

  #reopen(producerId: number, firstOffset: number): void {
    const younger = [...this.#open].filter(([, first]) => first > firstOffset)
    for (const [id] of younger) this.#open.delete(id)
    this.#open.set(producerId, firstOffset)
    for (const [id, first] of younger) this.#open.set(id, first)
  }

  /** Everything below is decided: committed, aborted, or outside of transactions. `visibleEnd` is the high watermark. */
  lastStableOffset(visibleEnd: number): number {
    let stable = Math.min(visibleEnd, this.#firstOpen() ?? visibleEnd)
    for (const { firstOffset, markerOffset } of this.#ended) {
      if (markerOffset >= visibleEnd) stable = Math.min(stable, firstOffset)
    }
    return stable
  }

  /** The high watermark has moved: markers below it need no watching any more. */
  seen(visibleEnd: number): void {
    if ((this.#ended[0]?.markerOffset ?? Infinity) >= visibleEnd) return
    this.#ended = this.#ended.filter(({ markerOffset }) => markerOffset >= visibleEnd)
  }

  /** Those with records in [start, end), by marker. */
  abortedWithin(start: number, end: number): readonly AbortedTransaction[] {
    const found: AbortedTransaction[] = []
    for (let place = this.#firstEndingFrom(start); place < this.#aborted.length; place += 1) {
      const one = this.#aborted[place]
      assert(one !== undefined, 'a place within the list')
      if (one.firstOffset < end) found.push(one)
      if (one.lastStableOffset >= end) break
    }
    return found
  }

  /** The log begins at `logStartOffset` now. */
  forgetBefore(logStartOffset: number): void {
    const kept = this.#firstEndingFrom(logStartOffset)
    if (kept > 0) this.#aborted.splice(0, kept)
  }

  encode(w: ByteWriter): void {
    w.uvarint(this.#open.size)
    for (const [producerId, firstOffset] of this.#open) {
      w.int64(BigInt(producerId))
      w.int64(BigInt(firstOffset))
    }
    w.uvarint(this.#aborted.length)
    for (const one of this.#aborted) {
      w.int64(BigInt(one.producerId))
      w.int64(BigInt(one.firstOffset))
      w.int64(BigInt(one.lastOffset))
      w.int64(BigInt(one.lastStableOffset))
    }
  }

  /** Reads what `encode` wrote; on malformed bytes the reader's failure is set. */
  decode(r: ByteReader): void {
    for (let left = r.uvarint(); left > 0 && r.failure === undefined; left -= 1) {
      this.#open.set(Number(r.int64()), Number(r.int64()))
    }
    for (let left = r.uvarint(); left > 0 && r.failure === undefined; left -= 1) {
      this.#aborted.push({
        producerId: Number(r.int64()),
        firstOffset: Number(r.int64()),
        lastOffset: Number(r.int64()),
        lastStableOffset: Number(r.int64()),
      })
    }
  }

  #firstOpen(): number | undefined {
    const first = this.#open.values().next()
    return first.done === true ? undefined : first.value
  }

  /** The place of the first aborted transaction whose marker is at or after the offset. */
  #firstEndingFrom(offset: number): number {
    let low = 0
    let high = this.#aborted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#aborted[middle]?.lastOffset ?? Infinity) < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
