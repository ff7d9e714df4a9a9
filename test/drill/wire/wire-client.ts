/**
 * Owns one connection to a broker that speaks Kafka by the repository's own codecs and hands out record batches byte for byte, as no
 * client library does. Does not know what anybody asks.
 */
import { createConnection, type Socket } from 'node:net'
import {
  ApiKey,
  apiCodecs,
  type ApiMessages,
  ByteReader,
  ByteWriter,
  closeFrame,
  decodeResponseHeader,
  errorName,
  openRequestFrame,
} from '../../../src/protocol/index.ts'

export type WireApi = keyof ApiMessages & keyof typeof ApiKey

interface Waiting {
  readonly key: number
  readonly version: number
  readonly resolve: (message: unknown) => void
  readonly reject: (error: Error) => void
}

/** One version of each API: any would do, as long as it is the same before and after. */
const versions: Partial<Record<WireApi, number>> = {
  Produce: 9,
  Fetch: 12,
  ListOffsets: 7,
  Metadata: 12,
  OffsetCommit: 8,
  OffsetFetch: 7,
  JoinGroup: 7,
  SyncGroup: 5,
  Heartbeat: 4,
  DescribeGroups: 5,
  ListGroups: 4,
  CreateTopics: 7,
  InitProducerId: 4,
  DescribeConfigs: 4,
}

const answerTimeoutMs = 60_000

export class WireClient {
  readonly #socket: Socket
  readonly #waiting = new Map<number, Waiting>()
  #chunks: Buffer[] = []
  #chunkBytes = 0
  #wanted = 4
  #nextCorrelationId = 1
  #closed: Error | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
      this.#chunkBytes += chunk.length
      this.#takeFrames()
    })
    socket.on('error', (error) => this.#end(error))
    socket.on('close', () => this.#end(new Error('the broker closed the connection')))
  }

  static connect(port: number): Promise<WireClient> {
    return new Promise((resolve, reject) => {
      const socket = createConnection({ host: '127.0.0.1', port, noDelay: true })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new WireClient(socket))
      })
    })
  }

  async ask<Name extends WireApi>(name: Name, request: ApiMessages[Name]['request']): Promise<ApiMessages[Name]['response']> {
    if (this.#closed !== undefined) throw this.#closed
    const version = versions[name]
    const key = ApiKey[name]
    const codec = apiCodecs.get(key)
    if (version === undefined || codec === undefined) throw new Error(`the drill does not ask ${name}`)
    const correlationId = this.#nextCorrelationId++
    const writer = new ByteWriter()
    const mark = openRequestFrame(writer, { apiKey: key, apiVersion: version, correlationId, clientId: 'drill' })
    codec.writeRequest(writer, request as never, version)
    closeFrame(writer, mark)
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(correlationId, { key, version, resolve, reject })
    })
    this.#socket.write(writer.concat())
    const timer = setTimeout(() => this.#end(new Error(`no answer to ${name} within ${answerTimeoutMs} ms`)), answerTimeoutMs)
    try {
      return (await answer) as ApiMessages[Name]['response']
    } finally {
      clearTimeout(timer)
    }
  }

  close(): void {
    this.#end(new Error('closed'))
  }

  /** Chunks are joined once per frame: a frame of many megabytes arrives in hundreds of them. */
  #takeFrames(): void {
    while (this.#chunkBytes >= this.#wanted) {
      const all = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks)
      const size = all.readInt32BE(0)
      this.#chunks = [all]
      if (all.length < 4 + size) {
        this.#wanted = 4 + size
        return
      }
      this.#wanted = 4
      this.#chunkBytes = all.length - 4 - size
      this.#chunks = this.#chunkBytes === 0 ? [] : [all.subarray(4 + size)]
      this.#deliver(all.subarray(4, 4 + size))
    }
  }

  #deliver(frame: Buffer): void {
    const correlationId = frame.readInt32BE(0)
    const waiting = this.#waiting.get(correlationId)
    if (waiting === undefined) return this.#end(new Error(`an answer to a question never asked: ${correlationId}`))
    this.#waiting.delete(correlationId)
    const reader = new ByteReader(frame)
    decodeResponseHeader(reader, waiting.key, waiting.version)
    const message = apiCodecs.get(waiting.key)?.readResponse(reader, waiting.version)
    if (reader.failure === undefined && reader.remaining === 0) waiting.resolve(message)
    else waiting.reject(new Error(`an answer that cannot be read: ${reader.failure ?? 'bytes left over'}`))
  }

  #end(error: Error): void {
    this.#closed ??= error
    for (const { reject } of this.#waiting.values()) reject(this.#closed)
    this.#waiting.clear()
    this.#socket.destroy()
  }
}

/** Throws, with Kafka's name of the error, unless the code is 0. */
export function mustBeFine(errorCode: number, what: string, detail?: string | null): void {
  if (errorCode === 0) return
  throw new Error(`${what}: ${errorName(errorCode)}${detail === undefined || detail === null ? '' : ` (${detail})`}`)
}

/** One connection, closed whatever happens. */
export async function withWire<Value>(port: number, use: (wire: WireClient) => Promise<Value>): Promise<Value> {
  const wire = await WireClient.connect(port)
  try {
    return await use(wire)
  } finally {
    wire.close()
  }
}
