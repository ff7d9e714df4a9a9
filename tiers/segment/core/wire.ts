// Owns reading and writing the numbers of the segment formats: big-endian, like Kafka's records. Not any layout.

const two32 = 4294967296
const highMax = 0x1fffff

/** A 64-bit number that must be a safe integer ≥ 0; anything else is undefined. */
export function readCount64(view: DataView, at: number): number | undefined {
  const high = view.getUint32(at)
  return high > highMax ? undefined : high * two32 + view.getUint32(at + 4)
}

/**
 * A signed 64-bit timestamp, held to the range of safe integers. Producers may send any 64 bits; held like this, order is kept,
 * and no look-up by a real time (years up to 287,000) can tell the difference.
 */
export function readTimestamp64(view: DataView, at: number): number {
  const value = view.getInt32(at) * two32 + view.getUint32(at + 4)
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value))
}

export function writeInt64(view: DataView, at: number, value: number): void {
  const high = Math.floor(value / two32)
  view.setInt32(at, high)
  view.setUint32(at + 4, value - high * two32)
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, at) => byte === right[at])
}

export function joinBytes(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!
  const joined = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    joined.set(piece, at)
    at += piece.length
  }
  return joined
}
