// Owns an HTTP proxy in front of a real S3 server that misbehaves as told. Requests reach the server as they were signed.

import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/**
 * pass       as it is
 * throttle   503 SlowDown, not forwarded
 * stall      not forwarded, never answered
 * lose       forwarded, the answer thrown away and the connection cut
 * stop-half  answers with half of the body, then nothing more
 * cut-half   answers with half of the body, then cuts the connection
 */
export type Misbehaviour = 'pass' | 'throttle' | 'stall' | 'lose' | 'stop-half' | 'cut-half'

export interface FaultyProxy {
  readonly endpoint: string
  /** What happens to the next requests, one each; then `pass`. */
  readonly script: Misbehaviour[]
  /** Method and path of every request that came. */
  readonly seen: string[]
  stop(): Promise<void>
}

export async function startFaultyProxy(target: string): Promise<FaultyProxy> {
  const { hostname, port } = new URL(target)
  const script: Misbehaviour[] = []
  const seen: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((incoming, outgoing) => {
    seen.push(`${incoming.method ?? ''} ${incoming.url ?? ''}`)
    const doing = script.shift() ?? 'pass'
    if (doing === 'stall') return void incoming.resume()
    if (doing === 'throttle') {
      incoming.resume()
      outgoing.writeHead(503, { 'content-type': 'application/xml' })
      return void outgoing.end('<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>')
    }
    const { method, url, headers } = incoming
    const forwarded = request({ hostname, port, method, path: url, headers }, (answer) => {
      deliver(doing, answer, outgoing)
    })
    forwarded.on('error', () => outgoing.destroy())
    incoming.pipe(forwarded)
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    script,
    seen,
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((done) => server.close(done))
    },
  }
}

function deliver(doing: Misbehaviour, answer: IncomingMessage, outgoing: ServerResponse): void {
  if (doing === 'lose') {
    answer.resume()
    answer.on('end', () => outgoing.destroy())
    return
  }
  outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
  if (doing === 'pass') return void answer.pipe(outgoing)
  const pieces: Buffer[] = []
  answer.on('data', (piece: Buffer) => pieces.push(piece))
  answer.on('end', () => {
    const whole = Buffer.concat(pieces)
    outgoing.write(whole.subarray(0, whole.length / 2), () => {
      if (doing === 'cut-half') outgoing.destroy()
    })
  })
}
