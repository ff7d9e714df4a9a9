import { expect, it } from 'vitest'
import { KeyedHash } from '../../../../src/base/keyed-hash.ts'
import { seededPrng } from '../../../../src/base/prng.ts'

const bytes = (length: number, from = 0): Uint8Array => Uint8Array.from({ length }, (_, at) => from + at)
const hexOf = (words: Uint32Array): string => Buffer.from(words.buffer, words.byteOffset, words.byteLength).toString('hex')
const hash = (key: Uint8Array, value: Uint8Array): Uint32Array => {
  const out = new Uint32Array(4)
  const around = Buffer.concat([bytes(3), value, bytes(5)])
  new KeyedHash(key).into(out, around, 3, 3 + value.length)
  return out
}

/** HalfSipHash-2-4 as its specification has it, word by word. */
function plainHalf(key: Uint8Array, value: Uint8Array): Uint32Array {
  const word = (of: Uint8Array, at: number): number => Buffer.from(of).readUInt32LE(at)
  const rotated = (v: number, by: number): number => ((v << by) | (v >>> (32 - by))) >>> 0
  const v = [word(key, 0), (word(key, 4) ^ 0xee) >>> 0, (0x6c796765 ^ word(key, 0)) >>> 0, (0x74656462 ^ word(key, 4)) >>> 0]
  const round = (): void => {
    for (const [a, b, c, d, up, low] of [
      [0, 1, 2, 3, 5, 8],
      [2, 1, 0, 3, 13, 7],
    ] as const) {
      v[a] = (v[a]! + v[b]!) >>> 0
      v[c] = (v[c]! + v[d]!) >>> 0
      v[b] = (rotated(v[b]!, up) ^ v[a]) >>> 0
      v[d] = (rotated(v[d]!, low) ^ v[c]) >>> 0
      v[a] = rotated(v[a], 16)
    }
  }
  const rest = value.length % 4
  const last = Buffer.concat([value.subarray(value.length - rest), Buffer.alloc(3 - rest), Buffer.of(value.length & 0xff)])
  const padded = Buffer.concat([value.subarray(0, value.length - rest), last])
  for (let at = 0; at < padded.length; at += 4) {
    v[3] = (v[3]! ^ word(padded, at)) >>> 0
    round()
    round()
    v[0] = (v[0]! ^ word(padded, at)) >>> 0
  }
  const out = new Uint32Array(2)
  for (const [at, [index, mask]] of (
    [
      [2, 0xee],
      [1, 0xdd],
    ] as const
  ).entries()) {
    v[index] = (v[index]! ^ mask) >>> 0
    for (let rounds = 0; rounds < 4; rounds += 1) round()
    out[at] = v[1]! ^ v[3]!
  }
  return out
}

it('is HalfSipHash-2-4 twice: the vectors of its reference code', () => {
  const key = Buffer.concat([bytes(8), bytes(8)])
  const vectors = ['218d1f59b9b83cc8', 'be552412f8387315', '064f39ef7c50eb57']
  for (const [length, vector] of vectors.entries()) expect(hexOf(hash(key, bytes(length)))).toBe(vector + vector)
})

it('is the plain form of it at every length, and its halves have keys of their own', () => {
  const prng = seededPrng(5)
  const random = (length: number): Uint8Array => Uint8Array.from({ length }, () => prng.below(256))
  for (let length = 0; length < 300; length += 1) {
    const key = random(16)
    const value = random(length)
    const halves = [plainHalf(key.subarray(0, 8), value), plainHalf(key.subarray(8), value)]
    expect([...hash(key, value)], `length ${length}`).toEqual(halves.flatMap((half) => [...half]))
  }
})

it('is another one under another key, and of a value that differs in a bit or in its length', () => {
  const value = bytes(20)
  const all = [hash(bytes(16), value), hash(bytes(16, 1), value)]
  for (let bit = 0; bit < 160; bit += 1) {
    const other = Uint8Array.from(value)
    other[bit >> 3]! ^= 1 << (bit & 7)
    all.push(hash(bytes(16), other))
  }
  for (let length = 0; length < 20; length += 1) all.push(hash(bytes(16), new Uint8Array(length)))
  expect(new Set(all.map(hexOf)).size).toBe(all.length)
})
