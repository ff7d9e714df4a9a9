// Owns who waits for which entry of a partition to become visible, in log order. Not when that is (partition.ts).

/** Told once: the entry is visible, or (`gone`) the partition went away before it was. */
export type OnSettled = (outcome: 'visible' | 'gone') => void

interface InFlight {
  readonly index: number
  readonly endOffset: number
  readonly onSettled: OnSettled | undefined
}

const compactFrom = 1024

export class CommitQueue {
  #entries: InFlight[] = []
  #head = 0
  #others: Array<{ readonly endOffset: number; readonly onSettled: OnSettled }> = []

  get depth(): number {
    return this.#entries.length - this.#head
  }

  push(index: number, endOffset: number, onSettled: OnSettled | undefined): void {
    this.#entries.push({ index, endOffset, onSettled })
  }

  /** Waits beside the one who proposed it: the repeat of a batch that is still on its way. */
  alsoWait(endOffset: number, onSettled: OnSettled): void {
    this.#others.push({ endOffset, onSettled })
  }

  /** The end offset that became visible with entries up to `index`, and who waits for it; undefined when none did. */
  advance(index: number): { readonly endOffset: number; readonly waiting: readonly OnSettled[] } | undefined {
    let endOffset: number | undefined
    const waiting: OnSettled[] = []
    let entry = this.#entries[this.#head]
    while (entry !== undefined && entry.index <= index) {
      endOffset = entry.endOffset
      if (entry.onSettled !== undefined) waiting.push(entry.onSettled)
      this.#head += 1
      entry = this.#entries[this.#head]
    }
    if (endOffset === undefined) return undefined
    this.#compact()
    const reached = endOffset
    if (this.#others.length > 0) {
      for (const other of this.#others) if (other.endOffset <= reached) waiting.push(other.onSettled)
      this.#others = this.#others.filter((other) => other.endOffset > reached)
    }
    return { endOffset: reached, waiting }
  }

  /** Entries behind the index leave; who waited for any, these or others, is answered: it is not known here what becomes of theirs. */
  depose(committedIndex: number): readonly OnSettled[] {
    const waiting = this.#waiting()
    this.#entries = this.#entries
      .slice(this.#head)
      .filter(({ index }) => index <= committedIndex)
      .map((entry) => ({ ...entry, onSettled: undefined }))
    this.#head = 0
    this.#others = []
    return waiting
  }

  #waiting(): readonly OnSettled[] {
    const all = [...this.#entries.slice(this.#head), ...this.#others]
    return all.map(({ onSettled }) => onSettled).filter((onSettled) => onSettled !== undefined)
  }

  /** Empties the queue and answers who still waited. */
  abandon(): readonly OnSettled[] {
    const waiting = this.#waiting()
    this.#entries = []
    this.#head = 0
    this.#others = []
    return waiting
  }

  #compact(): void {
    if (this.#head === this.#entries.length) this.#entries = []
    else if (this.#head >= compactFrom && this.#head * 2 >= this.#entries.length) this.#entries = this.#entries.slice(this.#head)
    else return
    this.#head = 0
  }
}
