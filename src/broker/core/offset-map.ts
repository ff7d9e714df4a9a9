// Owns which offset is the newest of each key, in memory of a fixed size: keys are told apart by 16 bytes of their hash, as in Kafka's
// SkimpyOffsetMap. Not the hash (a port), nor what is cleaned with it (compaction-filter.ts).

import { assert } from '../../base/assert.ts'

/** Puts 16 bytes, as four words, into `out`; nobody can make them equal for two keys. A key is the bytes [start, end). */
export interface KeyHash {
  into(out: Uint32Array, bytes: Uint8Array, start: number, end: number): void
}

/** Of one key: 16 bytes of hash and an offset of 8. */
export const offsetMapSlotBytes = 24
const wordsPerHash = 4
/** Fuller tables are slow: each search walks on to the next free slot. */
const loadFactor = 0.9
const free = -1

export const offsetMapSlots = (keys: number): number => Math.ceil((keys + 1) / loadFactor)

export class OffsetMap {
  readonly #slots: number
  readonly #hashes: Uint32Array
  readonly #offsets: Float64Array
  readonly #hash: KeyHash
  readonly #wanted = new Uint32Array(wordsPerHash)
  size = 0

  constructor(slots: number, hash: KeyHash) {
    assert(slots >= 1, 'an offset map has a slot')
    this.#slots = slots
    this.#hashes = new Uint32Array(slots * wordsPerHash)
    this.#offsets = new Float64Array(slots).fill(free)
    this.#hash = hash
  }

  /** How much of it is in use, 0 to 1. */
  get utilization(): number {
    return this.size / this.#slots
  }

  /** False when the key is new and there is no room for it: nothing was changed. */
  put(bytes: Uint8Array, start: number, end: number, offset: number): boolean {
    const slot = this.#find(bytes, start, end)
    if (this.#offsets[slot] === free) {
      if (this.size + 1 > this.#slots * loadFactor) return false
      this.#hashes.set(this.#wanted, slot * wordsPerHash)
      this.size += 1
    }
    this.#offsets[slot] = offset
    return true
  }

  /** −1 for a key that was never put. */
  latestOf(bytes: Uint8Array, start: number, end: number): number {
    return this.#offsets[this.#find(bytes, start, end)] ?? free
  }

  /** The slot of the key, or the free one where it belongs. */
  #find(bytes: Uint8Array, start: number, end: number): number {
    const wanted = this.#wanted
    this.#hash.into(wanted, bytes, start, end)
    let slot = wanted[0]! % this.#slots
    while (this.#offsets[slot] !== free && !this.#isAt(slot)) slot = slot + 1 === this.#slots ? 0 : slot + 1
    return slot
  }

  #isAt(slot: number): boolean {
    const at = slot * wordsPerHash
    const hashes = this.#hashes
    const wanted = this.#wanted
    return (
      hashes[at] === wanted[0] && hashes[at + 1] === wanted[1] && hashes[at + 2] === wanted[2] && hashes[at + 3] === wanted[3]
    )
  }
}
