// Owns one connection that speaks Kafka: requests go out pipelined, answers come in order, a closed connection fails what waits.
// Retries nothing: what a lost answer means, the caller decides.

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
} from '../../../src/protocol/index.ts'

export type RequestName = keyof ApiMessages & keyof typeof ApiKey

/** The connection ended, or never came to be: nobody knows what became of the request. */
export class ConnectionLost extends Error {}

interface Waiting {
  readonly key: number
  readonly version: number
  readonly resolve: (message: never) => void
  readonly reject: (error: Error) => void
}

const connectMsMax = 5_000

export class Wire {
  readonly socket: Socket
  readonly #waiting: Waiting[] = []
  #buffered: Buffer = Buffer.alloc(0)
  #nextCorrelationId = 1
  #closed = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#take(chunk)
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#closed = true
      for (const one of this.#waiting.splice(0)) one.reject(new ConnectionLost('the connection was closed instead of an answer'))
    })
  }

  static connect(port: number): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const socket = createConnection({ host: '127.0.0.1', port, noDelay: true })
      socket.setTimeout(connectMsMax, () => socket.destroy(new Error('no connection in time')))
      socket.once('error', (cause) => {
        reject(new ConnectionLost(cause.message, { cause }))
      })
      socket.once('connect', () => {
        socket.setTimeout(0)
        socket.removeAllListeners('error')
        resolve(new Wire(socket))
      })
    })
  }

  get isClosed(): boolean {
    return this.#closed
  }

  ask<N extends RequestName>(name: N, version: number, request: ApiMessages[N]['request']): Promise<ApiMessages[N]['response']> {
    if (this.#closed) return Promise.reject(new ConnectionLost('the connection is closed'))
    const key = ApiKey[name]
    const correlationId = this.#nextCorrelationId
    this.#nextCorrelationId += 1
    const writer = new ByteWriter()
    const mark = openRequestFrame(writer, { apiKey: key, apiVersion: version, correlationId, clientId: 'chaos' })
    apiCodecs.get(key)!.writeRequest(writer, request as never, version)
    closeFrame(writer, mark)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, version, resolve, reject })
      this.socket.write(Buffer.from(writer.concat()))
    })
  }

  close(): void {
    this.socket.destroy()
  }

  #take(chunk: Buffer): void {
    this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk])
    while (this.#buffered.length >= 4 && this.#buffered.length >= 4 + this.#buffered.readInt32BE(0)) {
      const end = 4 + this.#buffered.readInt32BE(0)
      const frame = this.#buffered.subarray(4, end)
      this.#buffered = this.#buffered.subarray(end)
      const waiting = this.#waiting.shift()
      if (waiting === undefined) throw new Error('an answer to nothing')
      const reader = new ByteReader(frame)
      decodeResponseHeader(reader, waiting.key, waiting.version)
      const message = apiCodecs.get(waiting.key)!.readResponse(reader, waiting.version)
      if (reader.failure === undefined && reader.remaining === 0) waiting.resolve(message as never)
      else waiting.reject(new Error(`a bad answer to API ${waiting.key}: ${reader.failure ?? 'bytes left over'}`))
    }
  }
}

/** One question on a connection of its own. */
export async function askOnce<N extends RequestName>(
  port: number,
  name: N,
  version: number,
  request: ApiMessages[N]['request'],
): Promise<ApiMessages[N]['response']> {
  const wire = await Wire.connect(port)
  try {
    return await wire.ask(name, version, request)
  } finally {
    wire.close()
  }
}
