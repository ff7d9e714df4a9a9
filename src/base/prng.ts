// Owns chance: a seedable generator passed in wherever something is random. Not cryptographic: ids that must not be guessed or
// collide between clusters come from an `IdSource`.

export interface Prng {
  /** Uniform in [0, 1). */
  next(): number
  /** Uniform integer in [0, bound). */
  below(bound: number): number
}

/** Fresh 128-bit ids, as 16 bytes. The real source is base/node/system-id-source.ts. */
export interface IdSource {
  nextId(): Uint8Array
}

/** mulberry32 (public domain, Tommy Ettinger): 32 bits of state are plenty for jitter and for simulation schedules. */
export function seededPrng(seed: number): Prng {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  return { next, below: (bound) => Math.floor(next() * bound) }
}
