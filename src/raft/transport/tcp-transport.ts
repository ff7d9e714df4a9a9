// Owns carrying Raft's messages over TCP: to each peer one connection for messages and one for support, made anew whenever they end or fall
// silent, and the listener for those of the peers. TLS on both sides where it is set. Not the bytes (wire.ts).
//
//   dialling --connected--> hello, then frames --closed, silent, too much waiting--> dialling (the driver is told)
//
// Each end sends on the connections it made, and reads on those it accepted: no end waits for the other to begin.

import { createServer, connect as connectTcp, type AddressInfo, type Server, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import type { Cancel, Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import { OpError } from '../../base/op-error.ts'
import type { Prng } from '../../base/prng.ts'
import type { SupportMessage } from '../core/index.ts'
import type { Envelope, RaftTransport, TransportHandlers } from '../ports.ts'
import { FrameReader } from './frame-reader.ts'
import {
  type Channel,
  decodeFrame,
  encodeHello,
  encodeMessages,
  encodeRefusal,
  encodeSupport,
  type Hello,
  wireVersion,
} from './wire.ts'

export interface PeerAddress {
  readonly host: string
  readonly port: number
}

/** PEM. Both sides show a certificate of the authority; a peer's has to be for the host under which it is configured. */
export interface TransportTls {
  readonly certificate: string
  readonly key: string
  readonly authority: string
}

export interface TcpTransportSettings {
  readonly frameBytesMax: number
  /** Waiting for a peer that does not read; beyond it the connection is given up, and what waited with it. */
  readonly queuedBytesMax: number
  /** A peer of which nothing was heard for so long is dialled anew: what waits for a lost packet may wait for minutes. */
  readonly silentMs: number
  readonly dialMs: number
  readonly dialAgainMsMin: number
  readonly dialAgainMsMax: number
}

export const tcpTransportDefaults: TcpTransportSettings = {
  frameBytesMax: 64 * 1024 * 1024,
  queuedBytesMax: 64 * 1024 * 1024,
  silentMs: 1_000,
  dialMs: 1_000,
  dialAgainMsMin: 25,
  dialAgainMsMax: 500,
}

export interface TcpTransportOptions {
  readonly id: number
  readonly clusterId: string
  readonly listen: PeerAddress
  readonly peers: ReadonlyMap<number, PeerAddress>
  readonly tls: TransportTls | undefined
  readonly settings: TcpTransportSettings
  readonly clock: Clock
  readonly prng: Prng
  readonly log: Log
}

export interface PeerStatus {
  readonly isConnected: boolean
  readonly sentFrames: number
  readonly sentBytes: number
  readonly droppedFrames: number
  readonly dials: number
  /** What the peer said when it refused this node; undefined while it does not. */
  readonly refusal: string | undefined
}

/** One connection that this node makes, over and over. */
class Line {
  readonly #transport: TcpTransport
  readonly #peer: number
  readonly #channel: Channel
  #socket: Socket | undefined
  #isOpen = false
  #cancel: Cancel | undefined
  #waitMs: number
  #isClosed = false
  sentFrames = 0
  sentBytes = 0
  droppedFrames = 0
  dials = 0
  refusal: string | undefined

  constructor(transport: TcpTransport, peer: number, channel: Channel) {
    this.#transport = transport
    this.#peer = peer
    this.#channel = channel
    this.#waitMs = transport.options.settings.dialAgainMsMin
    this.#dial()
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  send(frame: readonly Uint8Array[]): void {
    const socket = this.#socket
    if (!this.#isOpen || socket === undefined) {
      this.droppedFrames += 1
      return
    }
    socket.cork()
    for (const part of frame) {
      socket.write(part)
      this.sentBytes += part.length
    }
    socket.uncork()
    this.sentFrames += 1
    if (socket.writableLength > this.#transport.options.settings.queuedBytesMax) {
      this.again('it does not read what waits for it')
    }
  }

  /** Gives the connection up, and makes it anew. */
  again(why: string): void {
    const socket = this.#socket
    if (socket === undefined) return
    socket.destroy(new Error(why))
  }

  close(): void {
    this.#isClosed = true
    this.#cancel?.()
    this.#socket?.destroy()
  }

  #dial(): void {
    const { options } = this.#transport
    this.dials += 1
    const socket = this.#transport.dial(this.#peer)
    this.#socket = socket
    const cancel = options.clock.after(options.settings.dialMs, () => socket.destroy(new Error('no connection in time')))
    const frames = new FrameReader(greetingBytesMax)
    let failure: Error | undefined
    socket.once(options.tls === undefined ? 'connect' : 'secureConnect', () => {
      cancel()
      socket.setNoDelay(true)
      const { id: from, clusterId } = options
      this.#isOpen = true
      this.send(encodeHello({ version: wireVersion, clusterId, from, to: this.#peer, channel: this.#channel }))
    })
    socket.on('data', (chunk) => this.#heard(frames, chunk, socket))
    socket.on('error', (error) => {
      failure = error
    })
    socket.once('close', () => {
      cancel()
      this.#closed(failure)
    })
  }

  /** Only a refusal comes back on a connection that this node has made. */
  #heard(frames: FrameReader, chunk: Uint8Array, socket: Socket): void {
    const { log, id } = this.#transport.options
    try {
      for (const bytes of frames.push(chunk)) {
        const decoded = decodeFrame(bytes, { from: this.#peer, to: id })
        if (!decoded.ok || decoded.value.kind !== 'refusal') continue
        if (this.refusal !== decoded.value.why)
          log.error('a peer refuses this node', { peer: this.#peer, why: decoded.value.why })
        this.refusal = decoded.value.why
        // Only a change of settings helps: no hurry.
        this.#waitMs = this.#transport.options.settings.dialAgainMsMax
      }
    } catch (error) {
      socket.destroy(error as Error)
    }
  }

  #closed(failure: Error | undefined): void {
    const { settings, clock, prng, log } = this.#transport.options
    const wasOpen = this.#isOpen
    this.#isOpen = false
    this.#socket = undefined
    if (this.#isClosed) return
    if (wasOpen) {
      log.info('a connection to a peer ended', { peer: this.#peer, channel: this.#channel, why: failure?.message ?? 'closed' })
      if (this.#channel === 'messages') this.#transport.lost(this.#peer)
    } else {
      log.debug('a peer cannot be reached', { peer: this.#peer, why: failure?.message ?? 'closed' })
      this.#waitMs = Math.min(settings.dialAgainMsMax, this.#waitMs * 2)
    }
    this.#cancel = clock.after(this.#waitMs * (0.5 + prng.next()), () => this.#dial())
  }

  /** The peer has been heard of: the next time it is dialled at once. */
  heard(): void {
    if (this.#isOpen && this.refusal === undefined) this.#waitMs = this.#transport.options.settings.dialAgainMsMin
  }

  accepted(): void {
    this.refusal = undefined
  }
}

interface Lines {
  readonly messages: Line
  readonly support: Line
  heardAtMs: number
}

export class TcpTransport implements RaftTransport {
  readonly options: TcpTransportOptions
  readonly #handlers: TransportHandlers
  readonly #server: Server
  readonly #lines = new Map<number, Lines>()
  readonly #accepted = new Set<Socket>()
  /** The newest connection of each peer and channel: one that it has given up is not read any more. */
  readonly #incoming = new Map<string, Socket>()
  #cancelWatch: Cancel = () => undefined
  #isClosed = false

  constructor(options: TcpTransportOptions, handlers: TransportHandlers) {
    this.options = options
    this.#handlers = handlers
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
    const { listen, peers, clock } = this.options
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause) => {
        const detail = `cannot listen for peers on ${listen.host}:${listen.port}: ${cause.message}`
        reject(new OpError('busy', { code: 'RAFT_ADDRESS', detail, cause }))
      })
      this.#server.listen(listen.port, listen.host, resolve)
    })
    this.#server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
      this.options.log.warn('a connection for Raft failed its handshake', {
        from: socket.remoteAddress ?? '',
        why: error.message,
      })
    })
    for (const peer of peers.keys())
      this.#lines.set(peer, {
        messages: new Line(this, peer, 'messages'),
        support: new Line(this, peer, 'support'),
        heardAtMs: clock.monotonicMs(),
      })
    this.#watch()
    return this.#server.address() as AddressInfo
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelWatch()
    for (const { messages, support } of this.#lines.values()) {
      messages.close()
      support.close()
    }
    for (const socket of this.#accepted) socket.destroy()
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
    })
  }

  send(to: number, envelopes: readonly Envelope[]): void {
    this.#lines.get(to)?.messages.send(encodeMessages(envelopes))
  }

  sendSupport(to: number, message: SupportMessage): void {
    this.#lines.get(to)?.support.send(encodeSupport(message))
  }

  status(peer: number): PeerStatus | undefined {
    const messages = this.#lines.get(peer)?.messages
    if (messages === undefined) return undefined
    const { isOpen, sentFrames, sentBytes, droppedFrames, dials, refusal } = messages
    return { isConnected: isOpen && refusal === undefined, sentFrames, sentBytes, droppedFrames, dials, refusal }
  }

  dial(peer: number): Socket {
    const { tls, peers } = this.options
    const { host, port } = peers.get(peer)!
    if (tls === undefined) return connectTcp({ host, port, noDelay: true })
    const { certificate: cert, key, authority: ca } = tls
    return connectTls({ host, port, cert, key, ca, servername: isAddress(host) ? '' : host })
  }

  lost(peer: number): void {
    if (!this.#isClosed) this.#handlers.disconnected(peer)
  }

  #watch(): void {
    const { clock, settings } = this.options
    this.#cancelWatch = clock.after(settings.silentMs / 4, () => {
      if (this.#isClosed) return
      const nowMs = clock.monotonicMs()
      for (const lines of this.#lines.values()) {
        if (nowMs - lines.heardAtMs <= settings.silentMs) continue
        lines.heardAtMs = nowMs
        for (const line of [lines.messages, lines.support]) if (line.isOpen) line.again('nothing is heard of the peer')
      }
      this.#watch()
    })
  }

  // --- connections of the peers

  #accept(socket: Socket): void {
    const { settings, clock, log } = this.options
    const from = `${socket.remoteAddress}:${socket.remotePort}`
    const frames = new FrameReader(greetingBytesMax)
    let hello: Hello | undefined
    const greeted = (said: Hello): void => {
      hello = said
      frames.bytesMax = settings.frameBytesMax
    }
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
    socket.on('data', (chunk: Uint8Array) => {
      try {
        for (const bytes of frames.push(chunk)) {
          const failure = hello === undefined ? this.#greeted(bytes, socket, greeted) : this.#take(bytes, hello, socket)
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

  /** Why the connection is not wanted, if it is not. */
  #greeted(bytes: Uint8Array, socket: Socket, take: (hello: Hello) => void): string | undefined {
    const { id, clusterId, peers, tls } = this.options
    const decoded = decodeFrame(bytes, { from: 0, to: id })
    if (!decoded.ok || decoded.value.kind !== 'hello') return 'this port is for the nodes of a Chronik cluster'
    const { hello } = decoded.value
    if (hello.version !== wireVersion) return `node ${id} speaks version ${wireVersion} between nodes, not ${hello.version}`
    if (hello.clusterId !== clusterId) return `node ${id} belongs to cluster ${clusterId}, not ${hello.clusterId}`
    if (hello.to !== id) return `this is node ${id}, not ${hello.to}: the peer lists differ`
    if (hello.from === id) return `both are node ${id}: each needs an id of its own`
    const address = peers.get(hello.from)
    if (address === undefined) return `node ${id} has no peer ${hello.from}: the peer lists differ`
    if (tls !== undefined && !isCertifiedFor(socket as TLSSocket, address.host)) {
      return `the certificate of node ${hello.from} is not for ${address.host}`
    }
    const key = `${hello.from} ${hello.channel}`
    this.#incoming.get(key)?.destroy()
    this.#incoming.set(key, socket)
    take(hello)
    return undefined
  }

  #take(bytes: Uint8Array, { from, channel }: Hello, socket: Socket): string | undefined {
    const { id, clock } = this.options
    if (this.#incoming.get(`${from} ${channel}`) !== socket) return 'another connection has taken the place of this one'
    const decoded = decodeFrame(bytes, { from, to: id })
    if (!decoded.ok) return `a frame of node ${from} says nothing: ${decoded.failure}`
    const lines = this.#lines.get(from)
    if (lines !== undefined) {
      lines.heardAtMs = clock.monotonicMs()
      lines.messages.heard()
      lines.support.heard()
    }
    const frame = decoded.value
    if (frame.kind === 'messages') this.#handlers.receive(from, frame.envelopes)
    else if (frame.kind === 'support') this.#answered(from, frame.message, lines)
    else return `a frame of node ${from} is out of place`
    return undefined
  }

  /** An answer shows that what this node sends arrives there. */
  #answered(from: number, message: SupportMessage, lines: Lines | undefined): void {
    if (message.kind === 'answer') {
      lines?.messages.accepted()
      lines?.support.accepted()
    }
    this.#handlers.receiveSupport(from, message)
  }
}

/** Whoever has not said who it is may not fill memory. */
const greetingBytesMax = 4096

const isAddress = (host: string): boolean => /^[\d.]+$|:/.test(host)

/** By its subject alternative names. */
function isCertifiedFor(socket: TLSSocket, host: string): boolean {
  const names = socket.getPeerCertificate().subjectaltname ?? ''
  const wanted = isAddress(host) ? `IP Address:${host}` : `DNS:${host}`
  return names.split(', ').some((name) => name.toLowerCase() === wanted.toLowerCase())
}
