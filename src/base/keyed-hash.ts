// Owns a hash of 128 bits under a secret key: two values of one hash are not found by chance, nor by somebody who does not know the key.
// Twice HalfSipHash-2-4 with an output of 64 bits (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012, and its reference
// code for the half-sized words), each time under a key of its own. In place: a call of Node's hashes costs three to six times as much as
// this whole hash of a short value. Not for anything that has to stay secret for long.

import { assert } from './assert.ts'

const keyBytes = 16

export class KeyedHash {
  readonly #key: Uint32Array

  /** 16 random bytes. */
  constructor(key: Uint8Array) {
    assert(key.length === keyBytes, 'the key of a hash has 16 bytes')
    const view = new DataView(key.buffer, key.byteOffset, key.length)
    this.#key = Uint32Array.from({ length: keyBytes / 4 }, (_, word) => view.getUint32(word * 4, true))
  }

  /**
   * Puts the hash of the bytes [start, end) into the first four words of `out`. Written out, without a call or an object: it is asked for
   * each record that is compacted, twice.
   */
  into(out: Uint32Array, bytes: Uint8Array, start: number, end: number): void {
    const wholeEnd = start + ((end - start) & ~3)
    for (let half = 0; half < 4; half += 2) {
      const key0 = this.#key[half]!
      const key1 = this.#key[half + 1]!
      let v0 = key0 | 0
      let v1 = (key1 ^ 0xee) | 0
      let v2 = (key0 ^ 0x6c796765) | 0
      let v3 = (key1 ^ 0x74656462) | 0
      // Words of four bytes; then what is left, below the length; then two finalizations of four rounds for two words of output.
      for (let at = start; at <= wholeEnd + 8; at += 4) {
        const isInput = at <= wholeEnd
        let word = 0
        if (at < wholeEnd) {
          word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
        } else if (isInput) {
          word = (end - start) << 24
          for (let left = end - at; left > 0; left -= 1) word |= bytes[at + left - 1]! << (8 * (left - 1))
        } else if (at === wholeEnd + 4) {
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
        if (!isInput) out[half + (at - wholeEnd) / 4 - 1] = v1 ^ v3
      }
    }
  }
}
