// Owns the answers of one connection on their way to its socket: gathered per turn, written in windows, counted until taken. Does
// not own their order (connection.ts).

import type { Socket } from 'node:net'
import type { Budget } from './budget.ts'

/** Neighbours below this are copied into one buffer: an iovec of its own costs more (limits.md of the measurements: 2 ×). */
const gatherBytesMax = 2048
const noChunks: Uint8Array[] = []

/** Runs of small neighbours become one chunk each; large chunks stay as they are. */
export function gathered(chunks: readonly Uint8Array[]): Uint8Array[] {
  const result: Uint8Array[] = []
  let at = 0
  while (at < chunks.length) {
    let end = at
    let bytes = 0
    while (end < chunks.length && chunks[end]!.length < gatherBytesMax) bytes += chunks[end++]!.length
    if (end - at <= 1) {
      result.push(chunks[at]!)
      at += 1
      continue
    }
    const joined = Buffer.allocUnsafe(bytes)
    let to = 0
    for (; at < end; at += 1) {
      joined.set(chunks[at]!, to)
      to += chunks[at]!.length
    }
    result.push(joined)
  }
  return result
}

export class AnswerQueue {
  readonly #socket: Socket
  readonly #budget: Budget
  readonly #windowBytes: number
  readonly #taken: () => void
  #chunks: Uint8Array[] = noChunks
  /** Queued here and handed to the socket but not yet taken by the client's kernel. */
  #bytes = 0
  #writingBytes = 0
  #closed = false

  /** `taken` is called whenever the socket has let go of a window. */
  constructor(socket: Socket, budget: Budget, windowBytes: number, taken: () => void) {
    this.#socket = socket
    this.#budget = budget
    this.#windowBytes = windowBytes
    this.#taken = taken
  }

  get bytes(): number {
    return this.#bytes
  }

  push(chunks: readonly Uint8Array[]): void {
    if (this.#closed) return
    if (this.#chunks === noChunks) this.#chunks = []
    let bytes = 0
    for (const chunk of chunks) {
      bytes += chunk.length
      this.#chunks.push(chunk)
    }
    this.#bytes += bytes
    this.#budget.take(bytes)
  }

  /** Hands the next window to the socket, unless the one before is still there. Returns the bytes handed over. */
  flush(): number {
    if (this.#closed || this.#writingBytes > 0 || this.#chunks.length === 0) return 0
    const window = gathered(this.#nextWindow())
    let bytes = 0
    const last = window.length - 1
    this.#socket.cork()
    for (const [index, chunk] of window.entries()) {
      bytes += chunk.length
      if (index < last) this.#socket.write(chunk)
      else this.#socket.write(chunk, this.#onWritten)
    }
    this.#writingBytes = bytes
    this.#socket.uncork()
    return bytes
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#chunks = noChunks
    this.#budget.giveBack(this.#bytes)
    this.#bytes = 0
  }

  /** At least one chunk, and no more than the window allows. */
  #nextWindow(): Uint8Array[] {
    let bytes = 0
    let count = 0
    while (count < this.#chunks.length && (count === 0 || bytes + this.#chunks[count]!.length <= this.#windowBytes)) {
      bytes += this.#chunks[count]!.length
      count += 1
    }
    if (count === this.#chunks.length) {
      const all = this.#chunks
      this.#chunks = noChunks
      return all
    }
    return this.#chunks.splice(0, count)
  }

  // After an error the socket closes, and with it the connection and this queue.
  readonly #onWritten = (): void => {
    if (this.#closed) return
    const bytes = this.#writingBytes
    this.#writingBytes = 0
    this.#bytes -= bytes
    this.#budget.giveBack(bytes)
    this.#taken()
  }
}
