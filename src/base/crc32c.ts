// Owns CRC32C (Castagnoli, RFC 3720 appendix B.4) in plain TypeScript: the reference, and the faster one below some hundred
// bytes. Large inputs use base/node/native-crc32c.ts, tested equal to this.

/** Checksum of `bytes`, continuing from `seed`, the result over what came before (0 at the start). Unsigned 32 bits. */
export type Crc32c = (bytes: Uint8Array, seed?: number) => number

const polynomialReversed = 0x82f63b78

const table = ((): Uint32Array => {
  const built = new Uint32Array(256)
  for (let byte = 0; byte < 256; byte += 1) {
    let value = byte
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ polynomialReversed : value >>> 1
    built[byte] = value >>> 0
  }
  return built
})()

export const crc32cReference: Crc32c = (bytes, seed = 0) => {
  let crc = ~seed >>> 0
  for (let at = 0; at < bytes.length; at += 1) crc = (table[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8)) >>> 0
  return ~crc >>> 0
}
