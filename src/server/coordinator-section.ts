// Owns the bytes around a coordinator's state in a snapshot: offset u64 up to which the partition's log is taken in, then the
// coordinator's own snapshot. Not that snapshot (src/groups).

const offsetBytes = 8

export interface CoordinatorSection {
  readonly takenIn: number
  readonly snapshot: Uint8Array
}

export function encodeCoordinatorSection({ takenIn, snapshot }: CoordinatorSection): Uint8Array {
  const bytes = new Uint8Array(offsetBytes + snapshot.length)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(takenIn))
  bytes.set(snapshot, offsetBytes)
  return bytes
}

/** Undefined when the bytes are too few. */
export function decodeCoordinatorSection(bytes: Uint8Array): CoordinatorSection | undefined {
  if (bytes.length < offsetBytes) return undefined
  const takenIn = Number(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(0))
  return { takenIn, snapshot: bytes.subarray(offsetBytes) }
}
