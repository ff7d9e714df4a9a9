// Owns a Kafka client over a bare socket: it sends what it is told, byte for byte, and hands out answers in the order they come.

import { createConnection, type Socket } from 'node:net'
import {
  ApiKey,
  apiCodecs,
  type ApiMessages,
  ByteReader,
  ByteWriter,
  closeFrame,
  decodeResponseHeader,
  openRequestFrame,
} from '../../../../src/protocol/index.ts'

type Name = keyof ApiMessages & keyof typeof ApiKey

interface Expected {
  readonly key: number
  readonly version: number
}

export class RawClient {
  readonly socket: Socket
  /** Whole frames, without their size, in order of arrival. */
  readonly #frames: Uint8Array[] = []
  readonly #waiting: Array<(frame: Uint8Array | undefined) => void> = []
  readonly #expected = new Map<number, Expected>()
  #buffered: Buffer = Buffer.alloc(0)
  #nextCorrelationId = 1
  closed = false
  readonly whenClosed: Promise<void>

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk])
      while (this.#buffered.length >= 4 && this.#buffered.length >= 4 + this.#buffered.readInt32BE(0)) {
        const size = this.#buffered.readInt32BE(0)
        this.#frames.push(this.#buffered.subarray(4, 4 + size))
        this.#buffered = this.#buffered.subarray(4 + size)
      }
      this.#deliver()
    })
    socket.on('error', () => undefined)
    this.whenClosed = new Promise((resolve) => {
      socket.on('close', () => {
        this.closed = true
        resolve()
        this.#deliver()
      })
    })
  }

  static connect(port: number): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = createConnection({ host: '127.0.0.1', port, noDelay: true })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new RawClient(socket))
      })
    })
  }

  /** Over a connection that is there: TLS, for instance. */
  static over(socket: Socket): RawClient {
    return new RawClient(socket)
  }

  /** The bytes of a request frame; the answer to it is expected unless `answered` is false. */
  frame<N extends Name>(name: N, version: number, request: ApiMessages[N]['request']): Buffer {
    const key = ApiKey[name]
    const correlationId = this.#nextCorrelationId++
    this.#expected.set(correlationId, { key, version })
    const writer = new ByteWriter()
    const mark = openRequestFrame(writer, { apiKey: key, apiVersion: version, correlationId, clientId: 'raw' })
    apiCodecs.get(key)!.writeRequest(writer, request as never, version)
    closeFrame(writer, mark)
    return Buffer.from(writer.concat())
  }

  send<N extends Name>(name: N, version: number, request: ApiMessages[N]['request']): void {
    this.socket.write(this.frame(name, version, request))
  }

  /** The next answer, whatever it answers. */
  async next(): Promise<{ readonly correlationId: number; readonly key: number; readonly message: unknown } | undefined> {
    const frame = await this.nextFrame()
    if (frame === undefined) return undefined
    const correlationId = Buffer.from(frame.buffer, frame.byteOffset, 4).readInt32BE(0)
    const { key, version } = this.#expected.get(correlationId)!
    const reader = new ByteReader(frame)
    decodeResponseHeader(reader, key, version)
    const message = apiCodecs.get(key)!.readResponse(reader, version)
    if (reader.failure !== undefined || reader.remaining !== 0)
      throw new Error(`bad answer: ${reader.failure ?? 'bytes left over'}`)
    return { correlationId, key, message }
  }

  async ask<N extends Name>(name: N, version: number, request: ApiMessages[N]['request']): Promise<ApiMessages[N]['response']> {
    this.send(name, version, request)
    const answer = await this.next()
    if (answer === undefined) throw new Error('the connection was closed instead of an answer')
    if (answer.key !== ApiKey[name]) throw new Error(`an answer to API ${answer.key} instead of ${name}`)
    return answer.message as ApiMessages[N]['response']
  }

  nextFrame(): Promise<Uint8Array | undefined> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#deliver()
    })
  }

  close(): void {
    this.socket.destroy()
  }

  #deliver(): void {
    while (this.#waiting.length > 0 && (this.#frames.length > 0 || this.closed)) this.#waiting.shift()!(this.#frames.shift())
  }
}
