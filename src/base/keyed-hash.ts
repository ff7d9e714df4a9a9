// Owns a hash of 128 bits under a secret key: two values of one hash are not found by chance, nor by somebody who does not know the key.
// Twice HalfSipHash-2-4 with an output of 64 bits (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012, and its reference
// code for the half-sized words), each time under a key of its own. In place: a call of Node's hashes costs three to six times as much as
// this whole hash of a short value. Not for anything that has to stay secret for long.

import { assert } from './assert.ts'

const keyBytes = 16
export const keyedHashWords = 4

export class KeyedHash {
  readonly #key: Uint32Array

  /** 16 random bytes. */
  constructor(key: Uint8Array) {
    assert(key.length === keyBytes, 'the key of a hash has 16 bytes')
    const view = new DataView(key.buffer, key.byteOffset, key.length)
    this.#key = Uint32Array.from({ length: keyBytes / 4 }, (_, word) => view.getUint32(word * 4, true))
  }

  /** Puts the hash into the first four words of `out`. */
  into(out: Uint32Array, value: Uint8Array): void {
    halfSipHash(out, 0, value, this.#key[0]!, this.#key[1]!)
    halfSipHash(out, 2, value, this.#key[2]!, this.#key[3]!)
  }
}

/** HalfSipHash-2-4: two words into `out` from `at` on. Written out, because it is called for each record that is compacted. */
function halfSipHash(out: Uint32Array, at: number, value: Uint8Array, key0: number, key1: number): void {
  let v0 = key0 | 0
  let v1 = (key1 ^ 0xee) | 0
  let v2 = (key0 ^ 0x6c796765) | 0
  let v3 = (key1 ^ 0x74656462) | 0
  const { length } = value
  const wholeEnd = length & ~3
  // Words of four bytes; then what is left, below the length; then two finalizations of four rounds for two words of output.
  for (let step = 0; step <= wholeEnd + 8; step += 4) {
    const isInput = step <= wholeEnd
    let word = 0
    if (step < wholeEnd) {
      word = value[step]! | (value[step + 1]! << 8) | (value[step + 2]! << 16) | (value[step + 3]! << 24)
    } else if (isInput) {
      word = length << 24
      for (let left = length - step; left > 0; left -= 1) word |= value[step + left - 1]! << (8 * (left - 1))
    } else if (step === wholeEnd + 4) {
      v2 ^= 0xee
    } else {
      v1 ^= 0xdd
    }
    v3 ^= word
    for (let rounds = isInput ? 2 : 4; rounds > 0; rounds -= 1) {
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
    }
    v0 ^= word
    if (!isInput) out[at + (step - wholeEnd) / 4 - 1] = v1 ^ v3
  }
}
