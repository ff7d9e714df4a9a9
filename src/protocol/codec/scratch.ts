// Owns the memory small fields of outgoing messages are written into. Does not own what is written (writer.ts).
//
// A fresh Uint8Array per answer costs more than encoding it. Many answers share one slab: a writer borrows the rest of the
// slab, gives back what it did not use, and what it did use is never written again, so finished chunks stay valid while
// they wait for a socket. The collector frees a slab once no answer in it is left.

const slabBytes = 64 * 1024

export interface Slab {
  readonly bytes: Uint8Array
  readonly view: DataView
  /** First byte no finished message occupies. */
  used: number
}

/** Memory of one writer alone. */
export function newSlab(size: number): Slab {
  const bytes = new Uint8Array(size)
  return { bytes, view: new DataView(bytes.buffer), used: 0 }
}

export class ScratchPool {
  private spare: Slab | undefined = undefined

  /** A slab with at least `size` bytes left, the borrower's alone until `giveBack`. */
  borrow(size: number): Slab {
    const slab = this.spare
    this.spare = undefined
    if (slab !== undefined && slab.bytes.length - slab.used >= size) return slab
    return newSlab(Math.max(size, slabBytes))
  }

  /** The bytes before `slab.used` stay as they are; the rest may be borrowed again. */
  giveBack(slab: Slab): void {
    // A slab grown for one huge message is not worth keeping alive for the sake of its tail.
    if (slab.bytes.length === slabBytes) this.spare = slab
  }
}
