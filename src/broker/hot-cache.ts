// Owns how many bytes of recent batches all partitions together keep in memory. Not the batches (tail-index.ts).

/** A partition's tail, which lets go of its oldest batch in memory and answers how many bytes that were. */
export interface Coolable {
  coolOldest(): number
}

export class HotCache {
  readonly #bytesMax: number
  #queue: Array<Coolable | undefined> = []
  #head = 0
  bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** A batch of `owner` came into memory. The oldest batches of all leave, until the budget holds. */
  admit(owner: Coolable, length: number): void {
    this.#queue.push(owner)
    this.bytes += length
    while (this.bytes > this.#bytesMax && this.#head < this.#queue.length) {
      const oldest = this.#queue[this.#head]
      this.#queue[this.#head] = undefined
      this.#head += 1
      this.bytes -= oldest?.coolOldest() ?? 0
    }
    if (this.#head > 4096 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
  }

  /** Batches left memory by another way. */
  released(bytes: number): void {
    this.bytes -= bytes
  }
}
