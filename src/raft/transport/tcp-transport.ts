// Owns carrying Raft's frames over TCP, with TLS on both sides where it is set. Not when a link is made, nor who is welcome (peer-links.ts).

import { createServer, connect as connectTcp, type AddressInfo, type Server, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { OpError } from '../../base/op-error.ts'
import type { SupportMessage } from '../core/index.ts'
import type { Envelope, RaftTransport, TransportHandlers } from '../ports.ts'
import { FrameReader } from './frame-reader.ts'
import {
  type AcceptedLink,
  greetingBytesMax,
  isAddress,
  isNamed,
  type Link,
  type LinkEvents,
  type LinkOptions,
  PeerLinks,
  type PeerStatus,
} from './peer-links.ts'
import { decodeFrame, encodeRefusal, type Hello } from './wire.ts'

class TcpLink implements Link {
  readonly #socket: Socket

  constructor(socket: Socket) {
    this.#socket = socket
  }

  get queuedBytes(): number {
    return this.#socket.writableLength
  }

  send(frame: readonly Uint8Array[]): void {
    this.#socket.cork()
    for (const part of frame) this.#socket.write(part)
    this.#socket.uncork()
  }

  destroy(why: Error): void {
    this.#socket.destroy(why)
  }
}

export class TcpTransport implements RaftTransport {
  readonly #options: LinkOptions
  readonly #links: PeerLinks
  readonly #server: Server
  readonly #accepted = new Set<Socket>()

  constructor(options: LinkOptions, handlers: TransportHandlers) {
    this.#options = options
    this.#links = new PeerLinks(options, handlers, (peer, hello, events) => this.#dial(peer, hello, events))
    const { tls } = options
    const onSocket = (socket: Socket): void => this.#accept(socket)
    this.#server =
      tls === undefined
        ? createServer({ noDelay: true }, onSocket)
        : createTlsServer(
            {
              cert: tls.certificate,
              key: tls.key,
              ca: tls.authority,
              requestCert: true,
              rejectUnauthorized: true,
              noDelay: true,
            },
            onSocket,
          )
  }

  /** Listens, and dials the peers. Rejects with OpError `busy`/`RAFT_ADDRESS` when the address cannot be had. */
  async start(): Promise<AddressInfo> {
    const { listen, log } = this.#options
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause) => {
        const detail = `cannot listen for peers on ${listen.host}:${listen.port}: ${cause.message}`
        reject(new OpError('busy', { code: 'RAFT_ADDRESS', detail, cause }))
      })
      this.#server.listen(listen.port, listen.host, resolve)
    })
    this.#server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
      log.warn('a connection for Raft failed its handshake', { from: socket.remoteAddress ?? '', why: error.message })
    })
    this.#links.start()
    return this.#server.address() as AddressInfo
  }

  async close(): Promise<void> {
    this.#links.close()
    for (const socket of this.#accepted) socket.destroy()
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
    })
  }

  send(to: number, envelopes: readonly Envelope[]): void {
    this.#links.send(to, envelopes)
  }

  sendSupport(to: number, message: SupportMessage): void {
    this.#links.sendSupport(to, message)
  }

  status(peer: number): PeerStatus | undefined {
    return this.#links.status(peer)
  }

  // --- links of this node

  #dial(peer: number, hello: readonly Uint8Array[], events: LinkEvents): Link {
    const socket = this.#connect(peer)
    const link = new TcpLink(socket)
    const frames = new FrameReader(greetingBytesMax)
    let failure: Error | undefined
    socket.once(this.#options.tls === undefined ? 'connect' : 'secureConnect', () => {
      socket.setNoDelay(true)
      link.send(hello)
      events.onOpen()
    })
    socket.on('data', (chunk) => {
      try {
        // Only a refusal comes back on a link that this node has made.
        for (const bytes of frames.push(chunk)) {
          const decoded = decodeFrame(bytes, { from: peer, to: this.#options.id })
          if (decoded.ok && decoded.value.kind === 'refusal') events.onRefused(decoded.value.why)
        }
      } catch (error) {
        socket.destroy(error as Error)
      }
    })
    socket.on('error', (error) => {
      failure = error
    })
    socket.once('close', () => events.onClosed(failure))
    return link
  }

  #connect(peer: number): Socket {
    const { tls, peers } = this.#options
    const { host, port } = peers.get(peer)!
    if (tls === undefined) return connectTcp({ host, port, noDelay: true })
    const { certificate: cert, key, authority: ca } = tls
    return connectTls({ host, port, cert, key, ca, servername: isAddress(host) ? '' : host })
  }

  // --- links of the peers

  #accept(socket: Socket): void {
    const { settings, clock, log } = this.#options
    const from = `${socket.remoteAddress}:${socket.remotePort}`
    const frames = new FrameReader(greetingBytesMax)
    const link: AcceptedLink = {
      isCertifiedFor: (host) => isNamed((socket as TLSSocket).getPeerCertificate().subjectaltname, host),
      destroy: () => socket.destroy(),
    }
    let hello: Hello | undefined
    this.#accepted.add(socket)
    const cancel = clock.after(settings.dialMs, () => {
      if (hello === undefined) socket.destroy()
    })
    const refuse = (why: string): void => {
      log.warn('a connection for Raft was refused', { from, why })
      for (const part of encodeRefusal(why)) socket.write(part)
      socket.end()
      socket.removeAllListeners('data').resume()
      clock.after(settings.dialMs, () => socket.destroy())
    }
    const take = (bytes: Uint8Array): string | undefined => {
      if (hello !== undefined) return this.#links.take(bytes, hello, link)
      const greeted = this.#links.greet(bytes, link)
      if (typeof greeted === 'string') return greeted
      hello = greeted
      frames.bytesMax = settings.frameBytesMax
      return undefined
    }
    socket.on('data', (chunk: Uint8Array) => {
      try {
        for (const bytes of frames.push(chunk)) {
          const failure = take(bytes)
          if (failure === undefined) continue
          refuse(failure)
          return
        }
      } catch (error) {
        refuse((error as Error).message)
      }
    })
    socket.on('error', () => undefined)
    socket.once('close', () => {
      cancel()
      this.#accepted.delete(socket)
    })
  }
}
