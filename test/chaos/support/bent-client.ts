// Owns one hostile connection: it sends frames, waits for what comes of each, and ends. It knows only three outcomes: answered, closed, or
// neither in time. What was sent, and why, is its caller's.

import { createConnection, type Socket } from 'node:net'

export type Outcome = 'answered' | 'closed' | 'silent'

const connectMsMax = 20_000

export class BentClient {
  readonly #socket: Socket
  #received = 0
  #expected = 0
  #closed = false
  #wake: () => void = () => undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => {
      // Answers are counted by bytes coming at all: what they say is for tests that know what they asked.
      this.#received += chunk.length
      this.#wake()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#closed = true
      this.#wake()
    })
  }

  /** From one of many addresses of the loopback range, for the ports of one are soon used up. */
  static connect(port: number, localAddress: string): Promise<BentClient> {
    return new Promise((resolve, reject) => {
      const socket = createConnection({ host: '127.0.0.1', port, localAddress, noDelay: true })
      const timer = setTimeout(() => socket.destroy(new Error('no connection in time')), connectMsMax)
      socket.once('error', reject)
      socket.once('connect', () => {
        clearTimeout(timer)
        socket.removeListener('error', reject)
        resolve(new BentClient(socket))
      })
    })
  }

  get isClosed(): boolean {
    return this.#closed
  }

  async send(bytes: Uint8Array, waitMs: number): Promise<Outcome> {
    this.#expected = this.#received
    if (!this.#closed) this.#socket.write(bytes)
    await this.#until(() => this.#closed || this.#received > this.#expected, waitMs)
    if (this.#received > this.#expected) return 'answered'
    return this.#closed ? 'closed' : 'silent'
  }

  /** Says that nothing more will come; the other side has to end the connection by itself. */
  async end(waitMs: number): Promise<Outcome> {
    if (!this.#closed) this.#socket.end()
    await this.#until(() => this.#closed, waitMs)
    const outcome = this.#closed ? 'closed' : 'silent'
    this.#socket.destroy()
    return outcome
  }

  #until(holds: () => boolean, waitMs: number): Promise<void> {
    if (holds()) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, waitMs)
      this.#wake = () => {
        if (!holds()) return
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
