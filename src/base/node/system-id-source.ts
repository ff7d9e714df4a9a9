// Owns real chance: 128-bit ids and a seed for jitter, both from the operating system.

import { randomBytes } from 'node:crypto'
import { type IdSource, type Prng, seededPrng } from '../prng.ts'

export const systemIdSource: IdSource = { nextId: () => randomBytes(16) }

export function systemPrng(): Prng {
  return seededPrng(randomBytes(4).readUInt32LE(0))
}
