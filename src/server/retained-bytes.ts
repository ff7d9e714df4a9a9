// Owns the choice between keeping bytes of a request by reference and copying them out. Not what is kept, nor for how long.

/** Below this a copy is cheaper than anything that could be lost by pinning (a copy of 8 KiB costs about 1 µs). */
const copyBytesMax = 8 * 1024

/**
 * True when `bytes`, kept by reference, does not pin much more memory than it has: either it is at least half of the buffer it
 * lies in, or it is large and the bytes kept from that buffer together (`keptTogether`, itself included) are at least half of it.
 */
export function isWorthKeeping(bytes: Uint8Array, keptTogether: number): boolean {
  const pinned = bytes.buffer.byteLength
  return bytes.length * 2 >= pinned || (bytes.length > copyBytesMax && keptTogether * 2 >= pinned)
}

/** `bytes` itself, or a copy in a buffer of its own. */
export function retained(bytes: Uint8Array, keptTogether: number): Uint8Array {
  if (isWorthKeeping(bytes, keptTogether)) return bytes
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  copy.set(bytes)
  return copy
}
