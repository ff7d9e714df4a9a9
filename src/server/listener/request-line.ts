// Owns the order of one connection's requests: when each may start, and that answers leave in the order requests came. Does not
// own sockets, nor what a request does.
//
// Requests of the `pipelined` kind run beside each other; a `serial` one starts when all before it are answered, and nothing
// after it starts before it is: as if the connection had been served one request at a time.

import { assert } from '../../base/assert.ts'

export type RequestOrder = 'pipelined' | 'serial'

/** What became of a request: chunks to write; nothing to write (Produce with acks=0); or the connection must go. */
export type Answer =
  /** `acknowledges`: it may tell that something was stored, which only a process whose life goes on may say. */
  | {
      readonly kind: 'write'
      readonly chunks: readonly Uint8Array[]
      readonly acknowledges: boolean
      /** The last answer of a client that failed to authenticate, and why. */
      readonly thenClose?: string
      /** How long nothing more is read from the client, once it is answered (KIP-219). */
      readonly throttleMs?: number
    }
  | { readonly kind: 'none'; readonly throttleMs?: number }
  | { readonly kind: 'close'; readonly reason: string; readonly unauthenticated?: boolean }

export interface StartableRequest {
  readonly order: RequestOrder
  /** Called once. `answer` is called exactly once, possibly before `start` returns. */
  start(answer: (answer: Answer) => void): void
  /** The connection goes or the server stops: answer soon, with whatever is there. Only called after `start`. */
  hurry(): void
}

interface Slot {
  readonly request: StartableRequest
  readonly bytes: number
  started: boolean
  answer: Answer | undefined
}

export class RequestLine {
  /** Oldest first: the started ones, then those waiting to start. */
  readonly #slots: Slot[] = []
  #started = 0
  #running = 0
  #serialRunning = false
  #bytes = 0
  #stopped = false
  #hurrying = false
  readonly #onAnswer: (answer: Answer) => void
  readonly #onDone: (bytes: number) => void

  /** `onAnswer` gets answers in the order of requests; `onDone` is told, in any order, when a request lets go of its bytes. */
  constructor(onAnswer: (answer: Answer) => void, onDone: (bytes: number) => void) {
    this.#onAnswer = onAnswer
    this.#onDone = onDone
  }

  /** Requests not yet answered to the outside. */
  get length(): number {
    return this.#slots.length
  }

  /** Bytes of requests still under way. */
  get bytes(): number {
    return this.#bytes
  }

  push(request: StartableRequest, bytes: number): void {
    this.#slots.push({ request, bytes, started: false, answer: undefined })
    this.#bytes += bytes
    this.startReady()
  }

  startReady(): void {
    while (!this.#stopped && this.#started < this.#slots.length) {
      const slot = this.#slots[this.#started]!
      if (this.#serialRunning || (slot.request.order === 'serial' && this.#running > 0)) return
      this.#started += 1
      this.#running += 1
      this.#serialRunning = slot.request.order === 'serial'
      slot.started = true
      slot.request.start((answer) => {
        this.#finish(slot, answer)
      })
      if (this.#hurrying && slot.answer === undefined) slot.request.hurry()
    }
  }

  /** What runs, and what starts from now on, is to be answered soon. */
  hurry(): void {
    this.#hurrying = true
    for (const slot of [...this.#slots]) if (slot.started && slot.answer === undefined) slot.request.hurry()
  }

  /** Nothing starts or is answered any more; what runs is hurried, and its bytes are given back when it is done. */
  stop(): void {
    this.#stopped = true
    for (const slot of this.#slots) if (!slot.started) this.#release(slot)
    this.hurry()
    this.#slots.length = 0
  }

  #finish(slot: Slot, answer: Answer): void {
    assert(slot.answer === undefined, 'a request is answered once')
    slot.answer = answer
    this.#running -= 1
    if (slot.request.order === 'serial') this.#serialRunning = false
    this.#release(slot)
    while (!this.#stopped && this.#slots[0]?.answer !== undefined) {
      this.#started -= 1
      this.#onAnswer(this.#slots.shift()!.answer!)
    }
    this.startReady()
  }

  #release(slot: Slot): void {
    this.#bytes -= slot.bytes
    this.#onDone(slot.bytes)
  }
}
