// Owns an HTTP proxy in front of a real S3 that misbehaves until it is told to stop. Requests reach the server as they were signed.

import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/**
 * pass         as it is
 * cut          every connection is cut, as if nobody listened
 * slow         as it is, 300 ms later
 * throttled    503 SlowDown, not forwarded
 * denied       403 AccessDenied, not forwarded
 * full         507 XMinioStorageFull, not forwarded
 * answer-lost  forwarded, then the connection is cut in place of the answer
 */
export type Trouble = 'pass' | 'cut' | 'slow' | 'throttled' | 'denied' | 'full' | 'answer-lost'

export interface S3Proxy {
  readonly endpoint: string
  trouble: Trouble
  /** Requests that met trouble. */
  struck: number
  stop(): Promise<void>
}

const refusals = {
  throttled: [503, 'SlowDown'],
  denied: [403, 'AccessDenied'],
  full: [507, 'XMinioStorageFull'],
} as const

const slowMs = 300

export async function startS3Proxy(target: string): Promise<S3Proxy> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  const forward = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const { method, url, headers } = incoming
    const doing = proxy.trouble
    const forwarded = request({ hostname, port, method, path: url, headers }, (answer) => {
      if (doing === 'answer-lost') {
        answer.resume()
        answer.on('end', () => outgoing.destroy())
        return
      }
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(outgoing)
    })
    forwarded.on('error', () => outgoing.destroy())
    incoming.pipe(forwarded)
  }
  const server = createServer((incoming, outgoing) => {
    const { trouble } = proxy
    if (trouble !== 'pass') proxy.struck += 1
    if (trouble === 'cut') return void incoming.socket.destroy()
    if (trouble === 'slow') return void setTimeout(() => forward(incoming, outgoing), slowMs)
    if (trouble === 'pass' || trouble === 'answer-lost') return forward(incoming, outgoing)
    const [status, code] = refusals[trouble]
    incoming.resume()
    incoming.on('end', () => {
      outgoing.writeHead(status, { 'content-type': 'application/xml' })
      outgoing.end(`<Error><Code>${code}</Code><Message>as the test told</Message></Error>`)
    })
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const proxy: S3Proxy = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    trouble: 'pass',
    struck: 0,
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((done) => server.close(done))
    },
  }
  return proxy
}

/** A store that says yes to every write, whatever stands there: nobody can fence on it. */
export async function startCarelessS3(): Promise<{ readonly endpoint: string; stop(): Promise<void> }> {
  const server = createServer((incoming, outgoing) => {
    incoming.resume()
    incoming.on('end', () => {
      const isListing = incoming.url?.includes('list-type') === true
      outgoing.writeHead(200, { etag: '"0123456789abcdef0123456789abcdef"', 'last-modified': new Date().toUTCString() })
      outgoing.end(isListing ? '<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>' : '')
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}
