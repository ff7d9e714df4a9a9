// Owns what every connected transport of Raft has in common: to each peer one link for messages and one for support, made anew whenever they end
// or fall silent; who is welcome on a link that a peer has made; and telling the driver what may be lost. Not how bytes travel
// (tcp-transport.ts, grpc-transport.ts) nor what they are (wire.ts).
//
//   dialling --open--> frames --closed, silent, too much waiting--> dialling (the driver is told)
//
// Each end sends on the links it made, and reads on those it accepted: no end waits for the other to begin.

import type { Cancel, Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { Prng } from '../../base/prng.ts'
import type { SupportMessage } from '../core/index.ts'
import type { Envelope, RaftTransport, TransportHandlers } from '../ports.ts'
import { type Channel, decodeFrame, encodeHello, encodeMessages, encodeSupport, type Hello, wireVersion } from './wire.ts'

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

export interface LinkSettings {
  readonly frameBytesMax: number
  /** Waiting for a peer that does not read; beyond it the link is given up, and what waited with it. */
  readonly queuedBytesMax: number
  /** A peer of which nothing was heard for so long is dialled anew: what waits for a lost packet may wait for minutes. */
  readonly silentMs: number
  readonly dialMs: number
  readonly dialAgainMsMin: number
  readonly dialAgainMsMax: number
}

export const linkDefaults: LinkSettings = {
  frameBytesMax: 64 * 1024 * 1024,
  queuedBytesMax: 64 * 1024 * 1024,
  silentMs: 1_000,
  dialMs: 1_000,
  dialAgainMsMin: 25,
  dialAgainMsMax: 500,
}

/** Whoever has not said who it is may not fill memory. */
export const greetingBytesMax = 4096

export interface LinkOptions {
  readonly id: number
  readonly clusterId: string
  readonly listen: PeerAddress
  readonly peers: ReadonlyMap<number, PeerAddress>
  readonly tls: TransportTls | undefined
  readonly settings: LinkSettings
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

/** What becomes of a link that is being made. */
export interface LinkEvents {
  /** The greeting is on its way, and frames may follow. */
  onOpen(): void
  onRefused(why: string): void
  /** Once, whether it was open or not. */
  onClosed(failure: Error | undefined): void
}

export interface Link {
  /** A frame with its length in front, in parts that do not change. */
  send(frame: readonly Uint8Array[]): void
  readonly queuedBytes: number
  destroy(why: Error): void
}

/** Makes a link to the peer and says hello. */
export type Dial = (peer: number, hello: readonly Uint8Array[], events: LinkEvents) => Link

/** A link that somebody has made to this node. */
export interface AcceptedLink {
  /** By the certificate that was shown; asked only where there is TLS. */
  isCertifiedFor(host: string): boolean
  destroy(): void
}

/** One link that this node makes, over and over. */
class Line {
  readonly #links: PeerLinks
  readonly #peer: number
  readonly #channel: Channel
  #link: Link | undefined
  #isOpen = false
  #cancel: Cancel | undefined
  #waitMs: number
  #isClosed = false
  sentFrames = 0
  sentBytes = 0
  droppedFrames = 0
  dials = 0
  refusal: string | undefined

  constructor(links: PeerLinks, peer: number, channel: Channel) {
    this.#links = links
    this.#peer = peer
    this.#channel = channel
    this.#waitMs = links.options.settings.dialAgainMsMin
    this.#dial()
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  send(frame: readonly Uint8Array[]): void {
    const link = this.#link
    if (!this.#isOpen || link === undefined) {
      this.droppedFrames += 1
      return
    }
    link.send(frame)
    for (const part of frame) this.sentBytes += part.length
    this.sentFrames += 1
    if (link.queuedBytes > this.#links.options.settings.queuedBytesMax) this.again('it does not read what waits for it')
  }

  /** Gives the link up, and makes it anew. */
  again(why: string): void {
    this.#link?.destroy(new Error(why))
  }

  close(): void {
    this.#isClosed = true
    this.#cancel?.()
    this.#link?.destroy(new Error('this node ends'))
  }

  #dial(): void {
    const { id: from, clusterId, clock, settings } = this.#links.options
    this.dials += 1
    const hello = encodeHello({ version: wireVersion, clusterId, from, to: this.#peer, channel: this.#channel })
    const link = this.#links.dial(this.#peer, hello, {
      onOpen: () => {
        cancel()
        this.#isOpen = true
      },
      onRefused: (why) => this.#refused(why),
      onClosed: (failure) => {
        cancel()
        this.#closed(failure)
      },
    })
    this.#link = link
    const cancel = clock.after(settings.dialMs, () => link.destroy(new Error('no connection in time')))
  }

  #refused(why: string): void {
    const { log, settings } = this.#links.options
    if (this.refusal !== why) log.error('a peer refuses this node', { peer: this.#peer, why })
    this.refusal = why
    // Only a change of settings helps: no hurry.
    this.#waitMs = settings.dialAgainMsMax
  }

  #closed(failure: Error | undefined): void {
    const { settings, clock, prng, log } = this.#links.options
    const wasOpen = this.#isOpen
    this.#isOpen = false
    this.#link = undefined
    if (this.#isClosed) return
    if (wasOpen) {
      log.info('a connection to a peer ended', { peer: this.#peer, channel: this.#channel, why: failure?.message ?? 'closed' })
      if (this.#channel === 'messages') this.#links.lost(this.#peer)
    } else {
      log.debug('a peer cannot be reached', { peer: this.#peer, why: failure?.message ?? 'closed' })
      this.#waitMs = Math.min(settings.dialAgainMsMax, this.#waitMs * 2)
    }
    this.#cancel = clock.after(this.#waitMs * (0.5 + prng.next()), () => this.#dial())
  }

  /** The peer has been heard of: the next time it is dialled at once. */
  heard(): void {
    if (this.#isOpen && this.refusal === undefined) this.#waitMs = this.#links.options.settings.dialAgainMsMin
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

export class PeerLinks implements RaftTransport {
  readonly options: LinkOptions
  readonly dial: Dial
  readonly #handlers: TransportHandlers
  readonly #lines = new Map<number, Lines>()
  /** The newest link of each peer and channel: one that it has given up is not read any more. */
  readonly #incoming = new Map<string, AcceptedLink>()
  #cancelWatch: Cancel = () => undefined
  #isClosed = false

  constructor(options: LinkOptions, handlers: TransportHandlers, dial: Dial) {
    this.options = options
    this.#handlers = handlers
    this.dial = dial
  }

  /** Dials the peers. */
  start(): void {
    const { peers, clock } = this.options
    for (const peer of peers.keys())
      this.#lines.set(peer, {
        messages: new Line(this, peer, 'messages'),
        support: new Line(this, peer, 'support'),
        heardAtMs: clock.monotonicMs(),
      })
    this.#watch()
  }

  close(): void {
    this.#isClosed = true
    this.#cancelWatch()
    for (const { messages, support } of this.#lines.values()) {
      messages.close()
      support.close()
    }
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

  // --- links of the peers

  /** Who has made the link, from its first frame; or why it is not wanted. */
  greet(bytes: Uint8Array, link: AcceptedLink): Hello | string {
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
    if (tls !== undefined && !link.isCertifiedFor(address.host))
      return `the certificate of node ${hello.from} is not for ${address.host}`
    const key = keyOf(hello)
    this.#incoming.get(key)?.destroy()
    this.#incoming.set(key, link)
    return hello
  }

  /** A frame behind the greeting. Why the link is not wanted any more, if it is not. */
  take(bytes: Uint8Array, hello: Hello, link: AcceptedLink): string | undefined {
    const { id, clock } = this.options
    const { from } = hello
    if (this.#incoming.get(keyOf(hello)) !== link) return 'another connection has taken the place of this one'
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

const keyOf = ({ from, channel }: Hello): string => `${from} ${channel}`

export const isAddress = (host: string): boolean => /^[\d.]+$|:/.test(host)

/** By the subject alternative names of a certificate. */
export function isNamed(subjectAltNames: string | undefined, host: string): boolean {
  const wanted = isAddress(host) ? `IP Address:${host}` : `DNS:${host}`
  return (subjectAltNames ?? '').split(', ').some((name) => name.toLowerCase() === wanted.toLowerCase())
}
