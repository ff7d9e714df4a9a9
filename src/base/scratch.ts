// Owns memory that one reader uses again and again: fresh memory is dear (page faults, and the collector runs by how much was asked for).

/** Memory of at least this many bytes, of any content. */
export type TakeMemory = (bytes: number) => Uint8Array

export class Scratch {
  readonly #bytes: number
  #buffer: Uint8Array | undefined
  #used = 0

  constructor(bytes: number) {
    this.#bytes = bytes
  }

  /** Memory that stays as it is until `reset`; fresh memory when all of it is taken. */
  readonly take: TakeMemory = (bytes) => {
    if (this.#used + bytes > this.#bytes) return new Uint8Array(bytes)
    const buffer = (this.#buffer ??= new Uint8Array(this.#bytes))
    const at = this.#used
    this.#used += bytes
    return buffer.subarray(at, at + bytes)
  }

  /** What was taken is given back: nobody may look at it any more. */
  reset(): void {
    this.#used = 0
  }
}
