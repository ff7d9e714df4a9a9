// Owns what one reader's accesses look like from the cache's side: whether they are sequential, and how far ahead was asked
// for already. Not the fetching (block-cache.ts).

/** One per reader (a consumer's fetch session of a partition), passed to every read of it. Cheap; forgotten with its reader. */
export class ReadCursor {
  #key = ''
  #start = 0
  #end = 0
  #sequential = false
  /** The first chunk of the current object that was not asked for ahead of time. */
  aheadChunk = 0

  /**
   * Notes an access and answers whether it goes on where the last one ended: it begins inside or right at the end of the last
   * range and reaches further (readers of batches begin at an index entry, a little before), or it begins the next object
   * after sequential reads of the one before.
   */
  note(key: string, start: number, end: number): boolean {
    if (key === this.#key) {
      this.#sequential =
        start >= this.#start && start <= this.#end && (end > this.#end || (this.#sequential && end === this.#end))
    } else {
      this.#sequential = this.#sequential && start === 0
      this.aheadChunk = 0
    }
    this.#key = key
    this.#start = start
    this.#end = end
    return this.#sequential
  }
}
