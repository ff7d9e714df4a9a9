// Owns how bytes of a sound request are bent: what a broken client, a broken network or an attacker may make of them. Pure; does not
// know what the bytes mean.

import type { Prng } from '../../../src/base/prng.ts'

/** Numbers at which lengths and counts go wrong: around zero, around powers of two, the largest, the smallest. */
const hostileNumbers = [0, 1, -1, 2, 127, 128, 255, 256, 32_767, -32_768, 65_535, 2 ** 20, 2 ** 31 - 1, -(2 ** 31)] as const
/** Varints of 1 to 10 bytes, the last ones longer than any number needs. */
const hostileVarints = ['00', '01', 'ff01', '8080808008', 'ffffffff0f', 'ffffffffffffffffff01', '80808080808080808080'] as const

const bends: readonly ((bytes: Buffer, prng: Prng) => Buffer)[] = [
  // One bit.
  (bytes, prng) => {
    const bent = Buffer.from(bytes)
    const at = prng.below(bent.length)
    bent[at] = bent[at]! ^ (1 << prng.below(8))
    return bent
  },
  // One byte.
  (bytes, prng) => {
    const bent = Buffer.from(bytes)
    bent[prng.below(bent.length)] = prng.below(256)
    return bent
  },
  // A number of 2 or 4 bytes.
  (bytes, prng) => {
    const width = bytes.length < 4 || prng.below(2) === 0 ? 2 : 4
    if (bytes.length < width) return bytes
    const bent = Buffer.from(bytes)
    const number = hostileNumbers[prng.below(hostileNumbers.length)]!
    const at = prng.below(bent.length - width + 1)
    if (width === 4) bent.writeInt32BE(number, at)
    else bent.writeInt16BE((number << 16) >> 16, at)
    return bent
  },
  // A varint in place of a byte.
  (bytes, prng) => {
    const at = prng.below(bytes.length)
    const varint = Buffer.from(hostileVarints[prng.below(hostileVarints.length)]!, 'hex')
    return Buffer.concat([bytes.subarray(0, at), varint, bytes.subarray(at + 1)])
  },
  // The end is missing.
  (bytes, prng) => bytes.subarray(0, prng.below(bytes.length)),
  // A piece is missing.
  (bytes, prng) => {
    const at = prng.below(bytes.length)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + 1 + prng.below(16)))])
  },
  // A piece stands there twice.
  (bytes, prng) => {
    const at = prng.below(bytes.length)
    const end = Math.min(bytes.length, at + 1 + prng.below(64))
    return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)])
  },
  // Something strange in between.
  (bytes, prng) => {
    const at = prng.below(bytes.length + 1)
    const strange = Buffer.from(Array.from({ length: 1 + prng.below(16) }, () => prng.below(256)))
    return Buffer.concat([bytes.subarray(0, at), strange, bytes.subarray(at)])
  },
]

/** The same bytes, bent one to four times; the given ones are left alone. */
export function bent(bytes: Uint8Array, prng: Prng): Buffer {
  let result = Buffer.from(bytes)
  for (let left = 1 + prng.below(4); left > 0 && result.length > 0; left -= 1)
    result = Buffer.from(bends[prng.below(bends.length)]!(result, prng))
  return result
}
