// Owns who waits for a partition to become readable beyond an offset. Not when that is (partition.ts).

interface ReadWaiter {
  readonly offset: number
  readonly callback: () => void
}

export class ReadWaiters {
  #waiting: ReadWaiter[] = []

  /** Returns how to stop waiting. */
  add(offset: number, callback: () => void): () => void {
    const waiter = { offset, callback }
    this.#waiting.push(waiter)
    return () => {
      const at = this.#waiting.indexOf(waiter)
      if (at >= 0) this.#waiting.splice(at, 1)
    }
  }

  /** Calls back, once, those who wait for something below `beyond`. */
  wake(beyond: number): void {
    if (this.#waiting.length === 0) return
    const woken = this.#waiting.filter((waiter) => waiter.offset < beyond)
    if (woken.length === 0) return
    this.#waiting = this.#waiting.filter((waiter) => waiter.offset >= beyond)
    for (const waiter of woken) waiter.callback()
  }
}
