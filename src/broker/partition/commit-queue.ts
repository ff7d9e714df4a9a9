// Owns who waits for which entry of a partition to become visible, in log order. Not when that is (partition.ts).

interface InFlight {
  readonly index: number
  readonly endOffset: number
  readonly onVisible: (() => void) | undefined
}

const compactFrom = 1024

export class CommitQueue {
  #entries: InFlight[] = []
  #head = 0
  #others: Array<{ readonly endOffset: number; readonly onVisible: () => void }> = []

  get depth(): number {
    return this.#entries.length - this.#head
  }

  push(index: number, endOffset: number, onVisible: (() => void) | undefined): void {
    this.#entries.push({ index, endOffset, onVisible })
  }

  /** Waits beside the one who proposed it: the repeat of a batch that is still on its way. */
  alsoWait(endOffset: number, onVisible: () => void): void {
    this.#others.push({ endOffset, onVisible })
  }

  /** The end offset that became visible with entries up to `index`, undefined when none did; `tell` then tells the waiters. */
  advance(index: number): { readonly endOffset: number; readonly waiting: ReadonlyArray<() => void> } | undefined {
    let endOffset: number | undefined
    const waiting: Array<() => void> = []
    let entry = this.#entries[this.#head]
    while (entry !== undefined && entry.index <= index) {
      endOffset = entry.endOffset
      if (entry.onVisible !== undefined) waiting.push(entry.onVisible)
      this.#head += 1
      entry = this.#entries[this.#head]
    }
    if (endOffset === undefined) return undefined
    if (this.#head >= compactFrom && this.#head * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    } else if (this.#head === this.#entries.length) {
      this.#entries.length = 0
      this.#head = 0
    }
    const reached = endOffset
    if (this.#others.length > 0) {
      for (const other of this.#others) if (other.endOffset <= reached) waiting.push(other.onVisible)
      this.#others = this.#others.filter((other) => other.endOffset > reached)
    }
    return { endOffset: reached, waiting }
  }
}
