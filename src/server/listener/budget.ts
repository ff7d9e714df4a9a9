// Owns a bound over bytes that all connections share, and who waits for it. Does not own what the bytes are.

export class Budget {
  readonly max: number
  #used = 0
  readonly #waiting = new Set<() => void>()

  constructor(max: number) {
    this.max = max
  }

  get used(): number {
    return this.#used
  }

  get full(): boolean {
    return this.#used >= this.max
  }

  /** True while somebody waits for bytes. */
  get contended(): boolean {
    return this.#waiting.size > 0
  }

  /** True when the bytes were free, or when nothing at all is taken: one taker may always go on. */
  tryTake(bytes: number): boolean {
    if (this.#used > 0 && this.#used + bytes > this.max) return false
    this.#used += bytes
    return true
  }

  /** For bytes that are here already: they are counted even beyond the bound. */
  take(bytes: number): void {
    this.#used += bytes
  }

  giveBack(bytes: number): void {
    this.#used -= bytes
    if (this.#waiting.size > 0 && !this.full) this.#wake()
  }

  /** Calls back once when bytes have come free; who still finds too few waits again, behind the others. */
  wait(callback: () => void): void {
    this.#waiting.add(callback)
  }

  stopWaiting(callback: () => void): void {
    this.#waiting.delete(callback)
  }

  #wake(): void {
    const woken = [...this.#waiting]
    this.#waiting.clear()
    for (const [position, callback] of woken.entries()) {
      if (this.full) {
        for (const later of woken.slice(position)) this.#waiting.add(later)
        return
      }
      callback()
    }
  }
}
