// Owns one listening socket and what happens on it before there is a connection to serve: accepting, the TLS handshake and its end,
// good or bad. Does not own the connections (kafka-listener.ts) nor the certificates (security/).

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from 'node:tls'
import type { Cancel } from '../../base/clock.ts'
import { OpError } from '../../base/op-error.ts'
import { anonymous, type Principal } from '../security/principal.ts'
import { usesTls } from '../security/protocol.ts'
import type { TlsIdentity } from '../security/tls-identity.ts'
import { addressOf } from './address.ts'
import type { Endpoint, HostAndPort, ListenerPlan } from './endpoint.ts'

const backlog = 1024

export interface AcceptorPorts {
  /** Undefined where the listener uses none. */
  readonly tls: TlsIdentity | undefined
  readonly handshakeMs: number
  /** Whether there is room for one more from this address. What is refused is closed. */
  admit(address: string): boolean
  /** How long a connection from this address waits for its end, for it is one too many; 0: it is served. */
  throttleMs(address: string): number
  after(delayMs: number, callback: () => void): Cancel
  ready(socket: Socket, endpoint: Endpoint, principal: Principal): void
  handshakeFailed(client: string, endpoint: Endpoint, detail: string): void
  /** The listening socket itself reports an error and goes on, for instance EMFILE. */
  troubled(endpoint: Endpoint, error: Error): void
}

const showClient = (socket: Socket): string => `${socket.remoteAddress ?? 'unknown'}:${String(socket.remotePort ?? 0)}`

/** OpenSSL's words for what people get wrong most, in ours. */
const plainWords: ReadonlyMap<string, string> = new Map([
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'it does not speak TLS; its client may be set to PLAINTEXT'],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', 'it does not speak TLS; its client may be set to PLAINTEXT'],
  ['ERR_SSL_HTTP_REQUEST', 'it speaks HTTP'],
  ['ERR_SSL_UNSUPPORTED_PROTOCOL', 'its version of TLS is older than tls.min-version'],
  ['ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE', 'it presents no certificate, and tls.client-auth requires one'],
  ['ERR_TLS_HANDSHAKE_TIMEOUT', 'it did not finish the handshake in time'],
  ['ECONNRESET', 'it went away during the handshake; it may not trust our certificate'],
])

function wordsFor(error: Error): string {
  const code = 'code' in error ? String(error.code) : ''
  return plainWords.get(code) ?? (code === '' ? error.message : `${error.message} (${code})`)
}

export class Acceptor {
  readonly endpoint: Endpoint
  readonly #plan: ListenerPlan
  readonly #ports: AcceptorPorts
  readonly #server: Server
  readonly #tls: TlsServer | undefined
  /** Sockets whose handshake is under way, by the client's address: TLS wraps the socket in another. */
  readonly #handshakes = new Map<string, Socket>()
  /** Connections too many (KIP-612): they are closed late, so that who tries again at once gains nothing. */
  readonly #held = new Set<Socket>()
  #bound: HostAndPort | undefined

  constructor(plan: ListenerPlan, ports: AcceptorPorts) {
    this.#plan = plan
    this.#ports = ports
    const { name, protocol, listen, advertised } = plan
    this.endpoint = { name, protocol, advertised: () => this.#advertised(advertised ?? listen) }
    this.#server = createServer({ noDelay: true, keepAlive: true }, this.#onSocket)
    this.#tls = usesTls(protocol) ? this.#tlsServer() : undefined
  }

  /** Sockets that are here and are no connections. */
  get waiting(): number {
    return this.#handshakes.size + this.#held.size
  }

  start(): Promise<HostAndPort> {
    const { host, port } = this.#plan.listen
    return new Promise((resolve, reject) => {
      const onFailure = (cause: Error): void => {
        const detail = `Cannot listen on ${host}:${port} (listener ${this.#plan.name}): ${cause.message}`
        reject(new OpError('invalid', { code: 'LISTEN_FAILED', detail, cause }))
      }
      this.#server.once('error', onFailure)
      this.#server.listen({ host, port, backlog }, () => {
        this.#server.off('error', onFailure)
        this.#server.on('error', (error) => {
          this.#ports.troubled(this.endpoint, error)
        })
        const bound = this.#server.address() as AddressInfo
        this.#bound = { host: bound.address, port: bound.port }
        resolve(this.#bound)
      })
    })
  }

  /** Accepts no more, and gives up handshakes under way; connections that are there are not touched. Resolves when those are gone. */
  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve()
      })
    })
    for (const socket of [...this.#handshakes.values(), ...this.#held]) socket.destroy()
    return closed
  }

  /** A port the system chose is known once the socket is bound. */
  #advertised({ host, port }: HostAndPort): HostAndPort {
    return { host, port: port === 0 ? (this.#bound?.port ?? 0) : port }
  }

  #tlsServer(): TlsServer {
    const { tls, handshakeMs } = this.#ports
    if (tls === undefined) {
      const detail = `listener ${this.#plan.name} speaks ${this.#plan.protocol}, but there is no certificate; set tls.certificate-file`
      throw new OpError('invalid', { code: 'TLS_CERTIFICATE_MISSING', detail })
    }
    // As Kafka does it: where SASL says who the client is, its certificate is not asked for.
    const asksClient = this.#plan.protocol === 'SSL'
    const server = createTlsServer({ ...tls.options(asksClient), handshakeTimeout: handshakeMs })
    tls.onRenewed(() => {
      server.setSecureContext(tls.options(asksClient))
    })
    server.on('secureConnection', (socket) => {
      this.#onSecure(socket, tls)
    })
    server.on('tlsClientError', (error, socket) => {
      this.#fail(socket, wordsFor(error))
    })
    return server
  }

  readonly #onSocket = (socket: Socket): void => {
    const address = addressOf(socket)
    if (!this.#ports.admit(address)) {
      socket.on('error', () => undefined)
      socket.destroy()
      return
    }
    const throttleMs = this.#ports.throttleMs(address)
    if (throttleMs > 0) this.#hold(socket, throttleMs)
    else if (this.#tls === undefined) this.#ports.ready(socket, this.endpoint, anonymous)
    else this.#beginHandshake(socket, this.#tls)
  }

  #hold(socket: Socket, ms: number): void {
    this.#held.add(socket)
    const cancel = this.#ports.after(ms, () => {
      socket.destroy()
    })
    socket.on('error', () => undefined)
    socket.once('close', () => {
      cancel()
      this.#held.delete(socket)
    })
  }

  #beginHandshake(socket: Socket, tls: TlsServer): void {
    const client = showClient(socket)
    this.#handshakes.set(client, socket)
    socket.on('error', () => undefined)
    socket.once('close', () => {
      if (this.#handshakes.get(client) === socket) this.#handshakes.delete(client)
    })
    tls.emit('connection', socket)
  }

  #onSecure(socket: TLSSocket, tls: TlsIdentity): void {
    // From the handshake on it counts as a connection.
    this.#handshakes.delete(showClient(socket))
    const shown = this.#plan.protocol === 'SSL' ? (socket.getPeerCertificate() as { raw?: Uint8Array } | null) : undefined
    const certificate = shown?.raw
    // A client may leave its certificate at home where it is only requested, but not show a wrong one.
    if (certificate !== undefined && !socket.authorized) {
      this.#fail(socket, `its certificate is not good: ${String(socket.authorizationError)}`)
      return
    }
    const principal = tls.principalOf(certificate)
    if (principal.ok) this.#ports.ready(socket, this.endpoint, principal.value)
    else this.#fail(socket, principal.failure)
  }

  #fail(socket: TLSSocket, detail: string): void {
    const client = showClient(socket)
    socket.on('error', () => undefined)
    socket.destroy()
    this.#ports.handshakeFailed(client, this.endpoint, detail)
  }
}
