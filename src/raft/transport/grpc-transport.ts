// Owns carrying Raft's frames over gRPC, for those who want one port and a mesh: a stream of frames per peer and channel, as bytes (wire.ts), on
// HTTP/2, with TLS on both sides where it is set. A frame costs one and a half to three times what it does over TCP: `npm run bench -- transport`.
// Not when a link is made, nor who is welcome (peer-links.ts).
//
//   service chronik.raft.Peers { rpc Carry (stream Frame) returns (stream Frame); }    Frame: bytes as they are, no protobuf
//
// The first frame says hello. The answer's metadata says that it was welcome; a refusal is the status FAILED_PRECONDITION, with the reason.

import {
  type ClientDuplexStream,
  credentials,
  type handleBidiStreamingCall,
  logVerbosity,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceError,
  setLogVerbosity,
  status,
} from '@grpc/grpc-js'
import type { AddressInfo } from 'node:net'
import { Histogram } from '../../base/histogram.ts'
import { OpError } from '../../base/op-error.ts'
import type { SupportMessage } from '../core/index.ts'
import type { Envelope, RaftTransport, TransportHandlers } from '../ports.ts'
import { GrpcChannels } from './grpc-channels.ts'
import {
  type AcceptedLink,
  greetingBytesMax,
  isNamed,
  type Link,
  type LinkEvents,
  type LinkOptions,
  PeerLinks,
  type PeerStatus,
  type TransportTls,
} from './peer-links.ts'
import type { Hello } from './wire.ts'

// What it would write to standard error is told by this file's own lines, and by errors.
setLogVerbosity(logVerbosity.NONE)

/** R8. */
const channelsMax = 1_000
const path = '/chronik.raft.Peers/Carry'

const asIs = {
  serialize: (frame: Buffer): Buffer => frame,
  deserialize: (bytes: Buffer): Buffer => bytes,
}

const carry = {
  path,
  requestStream: true,
  responseStream: true,
  requestSerialize: asIs.serialize,
  requestDeserialize: asIs.deserialize,
  responseSerialize: asIs.serialize,
  responseDeserialize: asIs.deserialize,
} as const

/** What became of calls to one peer. */
export interface RpcCounts {
  started: number
  welcome: number
  /** By the name of the status they ended with. */
  readonly ended: Map<string, number>
  /** From the call to its welcome, in microseconds. */
  readonly welcomeUs: Histogram
}

/** A frame without its length: HTTP/2 keeps them apart. */
const joined = (frame: readonly Uint8Array[]): Buffer => Buffer.concat(frame.slice(1))

class GrpcLink implements Link {
  readonly #call: ClientDuplexStream<Buffer, Buffer>
  queuedBytes = 0
  /** Why this node ended it. */
  why: Error | undefined

  constructor(call: ClientDuplexStream<Buffer, Buffer>) {
    this.#call = call
  }

  send(frame: readonly Uint8Array[]): void {
    const bytes = joined(frame)
    this.queuedBytes += bytes.length
    this.#call.write(bytes, () => {
      this.queuedBytes -= bytes.length
    })
  }

  destroy(why: Error): void {
    this.why ??= why
    this.#call.cancel()
  }
}

export class GrpcTransport implements RaftTransport {
  readonly rpc = new Map<number, RpcCounts>()
  readonly channels: GrpcChannels
  readonly #options: LinkOptions
  readonly #links: PeerLinks
  readonly #server: Server

  constructor(options: LinkOptions, handlers: TransportHandlers) {
    this.#options = options
    const { frameBytesMax, dialAgainMsMin, dialAgainMsMax } = options.settings
    const sizes = { 'grpc.max_receive_message_length': frameBytesMax, 'grpc.max_send_message_length': -1 }
    this.channels = new GrpcChannels({
      credentials: clientCredentials(options.tls),
      channelsMax,
      channel: {
        ...sizes,
        // When to call again is ours to say; a channel that waits longer would let the call fail without a try.
        'grpc.initial_reconnect_backoff_ms': dialAgainMsMin,
        'grpc.min_reconnect_backoff_ms': dialAgainMsMin,
        'grpc.max_reconnect_backoff_ms': dialAgainMsMax,
        'grpc.enable_retries': 0,
        'grpc.use_local_subchannel_pool': 1,
      },
    })
    this.#links = new PeerLinks(options, handlers, (peer, hello, events) => this.#dial(peer, hello, events))
    this.#server = new Server(sizes)
    const onCall: handleBidiStreamingCall<Buffer, Buffer> = (call) => this.#accept(call)
    this.#server.addService({ carry }, { carry: onCall })
  }

  /** Listens, and dials the peers. Rejects with OpError `busy`/`RAFT_ADDRESS` when the address cannot be had. */
  async start(): Promise<AddressInfo> {
    const { listen, tls } = this.#options
    const { host, port } = listen
    const bound = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(addressOf(listen), serverCredentials(tls), (cause, portBound) => {
        if (cause === null) return resolve(portBound)
        const detail = `cannot listen for peers on ${host}:${port}: ${cause.message}`
        reject(new OpError('busy', { code: 'RAFT_ADDRESS', detail, cause }))
      })
    })
    this.#links.start()
    return { address: host, port: bound, family: host.includes(':') ? 'IPv6' : 'IPv4' }
  }

  close(): Promise<void> {
    this.#links.close()
    this.channels.close()
    this.#server.forceShutdown()
    return Promise.resolve()
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
    const { peers, clock } = this.#options
    const counts = this.#countsOf(peer)
    const client = this.channels.to(addressOf(peers.get(peer)!))
    const call = client.makeBidiStreamRequest(path, asIs.serialize, asIs.deserialize)
    const link = new GrpcLink(call)
    const startedMs = clock.monotonicMs()
    counts.started += 1
    let failure: ServiceError | undefined
    call.once('metadata', (metadata) => {
      if (metadata.get(welcomeKey).length === 0) return
      counts.welcome += 1
      counts.welcomeUs.record((clock.monotonicMs() - startedMs) * 1000)
      events.onOpen()
    })
    call.on('error', (error: ServiceError) => {
      failure = error
    })
    // Nothing comes back but the end; a stream that is not read has none.
    call.resume()
    call.once('status', ({ code, details }) => {
      const name = status[code]
      counts.ended.set(name, (counts.ended.get(name) ?? 0) + 1)
      if (code === status.FAILED_PRECONDITION) events.onRefused(details)
      // After `error`, which tells the same in the same turn.
      clock.afterTurn(() => events.onClosed(link.why ?? failure))
    })
    link.send(hello)
    return link
  }

  #countsOf(peer: number): RpcCounts {
    let counts = this.rpc.get(peer)
    if (counts === undefined) {
      counts = { started: 0, welcome: 0, ended: new Map(), welcomeUs: new Histogram() }
      this.rpc.set(peer, counts)
    }
    return counts
  }

  // --- links of the peers

  #accept(call: ServerDuplexStream<Buffer, Buffer>): void {
    const { settings, clock, log } = this.#options
    const end = (code: status, details: string): void => {
      call.emit('error', { code, details })
      call.removeAllListeners('data')
    }
    const link: AcceptedLink = {
      isCertifiedFor: (host) => isNamed(call.getAuthContext().sslPeerCertificate?.subjectaltname, host),
      destroy: () => end(status.ABORTED, 'another connection has taken the place of this one'),
    }
    let hello: Hello | undefined
    const refuse = (why: string): void => {
      log.warn('a connection for Raft was refused', { from: call.getPeer(), why })
      end(status.FAILED_PRECONDITION, why)
    }
    const cancel = clock.after(settings.dialMs, () => {
      if (hello === undefined) refuse('this port is for the nodes of a Chronik cluster')
    })
    call.on('data', ({ buffer, byteOffset, length }: Buffer) => {
      const frame = new Uint8Array(buffer, byteOffset, length)
      if (hello !== undefined) {
        const failure = this.#links.take(frame, hello, link)
        if (failure !== undefined) refuse(failure)
        return
      }
      const greeted = frame.length > greetingBytesMax ? 'a greeting of that length is none' : this.#links.greet(frame, link)
      if (typeof greeted === 'string') {
        refuse(greeted)
        return
      }
      hello = greeted
      const welcome = new Metadata()
      welcome.set(welcomeKey, String(this.#options.id))
      call.sendMetadata(welcome)
    })
    call.on('error', () => undefined)
    call.once('end', () => {
      cancel()
      call.end()
    })
    call.once('cancelled', cancel)
  }
}

const welcomeKey = 'chronik-node'

const addressOf = ({ host, port }: { readonly host: string; readonly port: number }): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

const pem = (text: string): Buffer => Buffer.from(text)

function clientCredentials(tls: TransportTls | undefined): ReturnType<typeof credentials.createInsecure> {
  if (tls === undefined) return credentials.createInsecure()
  return credentials.createSsl(pem(tls.authority), pem(tls.key), pem(tls.certificate))
}

function serverCredentials(tls: TransportTls | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure()
  return ServerCredentials.createSsl(pem(tls.authority), [{ private_key: pem(tls.key), cert_chain: pem(tls.certificate) }], true)
}
