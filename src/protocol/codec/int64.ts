// Owns int64 on the wire as a plain number, for offsets and times that never leave 2^53. Does not own the exact form, which
// is bigint (reader.ts, writer.ts): two int32 reads take half the time of one bigint.

const two32 = 0x1_0000_0000

export function int32At(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  )
}

export function setInt32At(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

export function int16At(bytes: Uint8Array, at: number): number {
  return (((bytes[at] as number) << 24) >> 16) | (bytes[at + 1] as number)
}

/** NaN for a value a number cannot hold exactly. */
export function safeInt64At(bytes: Uint8Array, at: number): number {
  const value = int32At(bytes, at) * two32 + (int32At(bytes, at + 4) >>> 0)
  return Number.isSafeInteger(value) ? value : NaN
}

/** `value` is a safe integer. */
export function setSafeInt64At(bytes: Uint8Array, at: number, value: number): void {
  setInt32At(bytes, at, Math.floor(value / two32))
  // The shifts in setInt32At take any number modulo 2^32, so a negative remainder comes out as two's complement.
  setInt32At(bytes, at + 4, value % two32)
}
