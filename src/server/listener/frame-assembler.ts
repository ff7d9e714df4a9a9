// Owns cutting the byte stream of one connection into requests. Does not own what is in them, nor reading the socket.
//
//   frame: size int32 | size bytes
//
// A request that arrived within one chunk is a view on the chunk; whoever keeps bytes of it for long asks `isWorthKeeping`
// (retained-bytes.ts). One that spans chunks gets its own buffer and is copied there once, chunk by chunk. The buffer is not
// taken on the word of the size field: it starts at 64 times what has arrived (a full chunk of 64 KiB makes 4 MiB) and grows
// by the same factor, so a claimed 100 MiB costs a liar at most 64 bytes per byte sent, all of it counted by the
// assembly budget, which is not the one whole requests count in: half requests cannot starve whole ones.

import type { Budget } from './budget.ts'

const sizeBytes = 4
const growthFactor = 64
const firstCapacityBytes = 4096
/** Record type handshake, protocol version 3.x: what a TLS client sends first, read as the size of a frame. */
const tlsHandshakeStart = 0x1603_01
/** Header version 0: key, version, correlation id. */
export const requestBytesMin = 8

/** What a frame may have; narrower while a client has not said who it is. */
export interface FrameBounds {
  readonly bytesMin: number
  readonly bytesMax: number
}

export type NextFrame =
  | { readonly kind: 'frame'; readonly bytes: Uint8Array }
  /** More bytes must arrive first. */
  | { readonly kind: 'partial' }
  /** The budget has no room for the frame that has begun; ask again when it has. */
  | { readonly kind: 'waiting' }
  | { readonly kind: 'bad'; readonly reason: string }

const partial: NextFrame = { kind: 'partial' }
const waiting: NextFrame = { kind: 'waiting' }

export class FrameAssembler {
  readonly #budget: Budget
  readonly #bounds: () => FrameBounds
  /** Chunks not yet cut up; `#at` is the position in the first. More than one only while reading is paused. */
  readonly #chunks: Uint8Array[] = []
  #at = 0
  /** The size field as far as it has come. */
  #sizeSeen = 0
  #size = 0
  /** The request under way when it spans chunks. */
  #body: Uint8Array | undefined = undefined
  #filled = 0

  /** `bounds` is asked when the size of a frame is known. */
  constructor(budget: Budget, bounds: () => FrameBounds) {
    this.#budget = budget
    this.#bounds = bounds
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
  }

  /** True while some but not all bytes of a request are here. */
  get midFrame(): boolean {
    return this.#sizeSeen > 0 || this.#body !== undefined
  }

  get holdsBytes(): boolean {
    return this.#chunks.length > 0
  }

  /** The next whole request; nothing of the budget is held for it any more. */
  next(): NextFrame {
    if (this.#sizeSeen < sizeBytes && !this.#readSize()) return partial
    if (this.#body !== undefined) return this.#fill(this.#body)
    const { bytesMin, bytesMax } = this.#bounds()
    if (this.#size >= bytesMin && this.#size <= bytesMax) return this.#begin()
    const hint = this.#size >>> 8 === tlsHandshakeStart ? '; it begins like a TLS handshake, and this listener is not TLS' : ''
    return { kind: 'bad', reason: `a request of ${this.#size} bytes, where ${bytesMin} to ${bytesMax} are allowed${hint}` }
  }

  /** Gives back what a request under way holds of the budget. */
  discard(): void {
    if (this.#body !== undefined) this.#budget.giveBack(this.#body.length)
    this.#body = undefined
    this.#sizeSeen = 0
    this.#chunks.length = 0
    this.#at = 0
  }

  #readSize(): boolean {
    while (this.#sizeSeen < sizeBytes) {
      const chunk = this.#chunks[0]
      if (chunk === undefined) return false
      this.#size = (this.#size << 8) | chunk[this.#at]!
      this.#sizeSeen += 1
      this.#advance(1)
    }
    return true
  }

  #begin(): NextFrame {
    const chunk = this.#chunks[0]
    if (chunk === undefined) return partial
    const end = this.#at + this.#size
    if (end <= chunk.length) {
      const bytes = chunk.subarray(this.#at, end)
      this.#advance(this.#size)
      return this.#finish(bytes)
    }
    const capacity = Math.min(this.#size, Math.max(firstCapacityBytes, (chunk.length - this.#at) * growthFactor))
    if (!this.#budget.tryTake(capacity)) return waiting
    this.#filled = 0
    this.#body = Buffer.allocUnsafeSlow(capacity)
    return this.#fill(this.#body)
  }

  #fill(begun: Uint8Array): NextFrame {
    let body = begun
    for (;;) {
      const chunk = this.#chunks[0]
      if (chunk === undefined) return partial
      if (this.#filled === body.length) {
        const capacity = Math.min(this.#size, body.length * growthFactor)
        if (!this.#budget.tryTake(capacity - body.length)) return waiting
        const grown = Buffer.allocUnsafeSlow(capacity)
        grown.set(body)
        body = grown
        this.#body = grown
      }
      const count = Math.min(chunk.length - this.#at, body.length - this.#filled)
      body.set(chunk.subarray(this.#at, this.#at + count), this.#filled)
      this.#filled += count
      this.#advance(count)
      if (this.#filled < this.#size) continue
      this.#budget.giveBack(body.length)
      return this.#finish(body)
    }
  }

  #finish(bytes: Uint8Array): NextFrame {
    this.#body = undefined
    this.#sizeSeen = 0
    this.#size = 0
    return { kind: 'frame', bytes }
  }

  #advance(count: number): void {
    this.#at += count
    if (this.#at < this.#chunks[0]!.length) return
    this.#chunks.shift()
    this.#at = 0
  }
}
