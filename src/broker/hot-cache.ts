// Owns how many bytes of recent batches all partitions together keep in memory. Not the batches (tail-index.ts).
//
// One queue entry a batch, in the order of appends. A batch that leaves by another way (its WAL file was released, its topic
// deleted) leaves its entry behind: such an owner's oldest entries are stale, counted, and skipped or swept out when they pile up.

/** A partition's tail, which lets go of its oldest batch in memory and answers how many bytes that were. */
export interface Coolable {
  coolOldest(): number
}

const compactFrom = 4096

export class HotCache {
  readonly #bytesMax: number
  #queue: Array<Coolable | undefined> = []
  #head = 0
  readonly #staleOf = new Map<Coolable, number>()
  #stale = 0
  bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Batches known to be in memory; the queue is never much longer. */
  get batches(): number {
    return this.#queue.length - this.#head - this.#stale
  }

  /** Queue entries held, stale ones among them: bounded by what `batches` is, or was a moment ago. */
  get entries(): number {
    return this.#queue.length
  }

  /** A batch of `owner` came into memory. The oldest batches of all leave, until the budget holds. */
  admit(owner: Coolable, length: number): void {
    this.#queue.push(owner)
    this.bytes += length
    while (this.bytes > this.#bytesMax && this.#head < this.#queue.length) {
      const oldest = this.#queue[this.#head]
      this.#queue[this.#head] = undefined
      this.#head += 1
      if (oldest !== undefined && !this.#skips(oldest)) this.bytes -= oldest.coolOldest()
    }
    this.#compact()
  }

  /** The oldest `batches` of the owner left memory by another way. */
  released(owner: Coolable, batches: number, bytes: number): void {
    if (batches === 0) return
    this.bytes -= bytes
    this.#stale += batches
    this.#staleOf.set(owner, (this.#staleOf.get(owner) ?? 0) + batches)
    this.#compact()
  }

  #skips(owner: Coolable): boolean {
    const stale = this.#staleOf.get(owner)
    if (stale === undefined) return false
    if (stale === 1) this.#staleOf.delete(owner)
    else this.#staleOf.set(owner, stale - 1)
    this.#stale -= 1
    return true
  }

  #compact(): void {
    const useless = this.#head + this.#stale
    if (useless < compactFrom || useless * 2 < this.#queue.length) return
    const kept: Coolable[] = []
    for (let at = this.#head; at < this.#queue.length; at += 1) {
      const owner = this.#queue[at]
      if (owner !== undefined && !this.#skips(owner)) kept.push(owner)
    }
    this.#queue = kept
    this.#head = 0
  }
}
