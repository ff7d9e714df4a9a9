// Owns the set of connections of all listeners: the maximum, the sweep for idle ones, the flush at the end of a turn, draining. Does
// not own accepting (acceptor.ts) nor what happens on one connection (connection.ts).

import type { Socket } from 'node:net'
import { assert } from '../../base/assert.ts'
import type { Cancel, Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { ListenerLimits } from '../limits.ts'
import { type Authentication, OpenAuthentication } from '../security/authentication.ts'
import type { ConnectionRates } from '../quotas/connection-rates.ts'
import type { Principal } from '../security/principal.ts'
import { usesSasl } from '../security/protocol.ts'
import type { TlsIdentity } from '../security/tls-identity.ts'
import { Acceptor } from './acceptor.ts'
import { addressOf } from './address.ts'
import { Budget } from './budget.ts'
import { type CloseReason, Connection, type ListenerShared, type RequestIntake } from './connection.ts'
import { ListenerCounters } from './counters.ts'
import type { Endpoint, HostAndPort, ListenerPlan } from './endpoint.ts'
import { LogLimiter } from './log-limiter.ts'

export interface BoundAddress {
  readonly host: string
  readonly port: number
}

/** How clients prove who they are. */
export interface ListenerSecurity {
  /** By the name of the listener. */
  readonly tls: ReadonlyMap<string, TlsIdentity>
  /** For a new connection of a listener with SASL. */
  authentication(endpoint: Endpoint): Authentication
}

/** How many connections there may be. */
export interface ConnectionCaps {
  readonly all: number
  /** From one address; `Infinity` is no limit. */
  readonly of: (address: string) => number
}

export interface KafkaListenerOptions {
  readonly listeners: readonly ListenerPlan[]
  readonly security: ListenerSecurity
  readonly limits: ListenerLimits
  /** Of the moment: they may change while the node runs. */
  readonly caps: () => ConnectionCaps
  readonly intake: RequestIntake
  readonly connectionRates: ConnectionRates
  readonly clock: Clock
  readonly log: Log
  /** Calls back when acknowledgements may leave: at once, later, or never when this process may not acknowledge any more. */
  readonly whenAllowed: (flush: () => void) => void
}

/** A connection that did something this recently is not closed for a newcomer. */
const evictableIdleMs = 10_000
const sweepMsMax = 5_000

export class KafkaListener {
  readonly counters = new ListenerCounters()
  readonly #options: KafkaListenerOptions
  readonly #acceptors: readonly Acceptor[]
  readonly #connections = new Set<Connection>()
  readonly #byAddress = new Map<string, number>()
  readonly #shared: ListenerShared
  readonly #limiter: LogLimiter
  #toFlush: Connection[] = []
  #nextConnectionId = 1
  #stopSweeping: Cancel = () => undefined
  #draining = false
  #onEmpty: (() => void) | undefined = undefined

  constructor(options: KafkaListenerOptions) {
    this.#options = options
    this.#limiter = new LogLimiter(options.log, options.clock)
    this.#shared = this.#share(options)
    this.#acceptors = options.listeners.map((plan) => this.#acceptor(plan))
  }

  /** Requests received and not yet answered, and answers not yet taken, in bytes. */
  get bytesHeld(): { readonly requests: number; readonly assembling: number; readonly answers: number } {
    const { requestBudget, assemblyBudget, answerBudget } = this.#shared
    return { requests: requestBudget.used, assembling: assemblyBudget.used, answers: answerBudget.used }
  }

  /** Where each listener is bound, in the order of the settings. */
  async start(): Promise<readonly BoundAddress[]> {
    const bound: HostAndPort[] = []
    for (const acceptor of this.#acceptors) {
      const address = await acceptor.start()
      const { name, protocol } = acceptor.endpoint
      this.#options.log.info('listening for Kafka clients', { ...address, listener: name, protocol })
      bound.push(address)
    }
    this.#scheduleSweep()
    return bound
  }

  /**
   * Stops accepting, lets every connection finish what it has asked for, and closes the rest after `drainMs`. `at-once` waits for
   * nobody: for a process that may not answer any more.
   */
  async close(how: 'drained' | 'at-once' = 'drained'): Promise<void> {
    if (this.#draining) return
    this.#draining = true
    const closed = Promise.all(this.#acceptors.map((acceptor) => acceptor.close()))
    if (how === 'drained') {
      for (const connection of [...this.#connections]) connection.drain()
      await this.#untilEmpty()
    }
    const detail = how === 'drained' ? 'the drain limit has passed' : 'this process may not answer any more'
    for (const connection of [...this.#connections]) connection.close({ kind: 'server', detail })
    this.#stopSweeping()
    await closed
  }

  #untilEmpty(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#connections.size === 0) {
        resolve()
        return
      }
      const cancel = this.#options.clock.after(this.#options.limits.drainMs, resolve)
      this.#onEmpty = () => {
        cancel()
        resolve()
      }
    })
  }

  #share(options: KafkaListenerOptions): ListenerShared {
    const { limits, clock, intake, whenAllowed } = options
    return {
      whenAllowed,
      limits,
      intake,
      counters: this.counters,
      requestBudget: new Budget(limits.inFlightBytesMax),
      assemblyBudget: new Budget(limits.assemblyBytesMax),
      answerBudget: new Budget(limits.answerBytesMax),
      nowMs: () => clock.monotonicMs(),
      after: (delayMs, callback) => clock.after(delayMs, callback),
      flushSoon: (connection) => {
        if (this.#toFlush.length === 0) clock.afterTurn(this.#flush)
        this.#toFlush.push(connection)
      },
      closed: (connection, why) => {
        this.#onConnectionClosed(connection, why)
      },
    }
  }

  // A connection may be in the list several times; the second flush finds nothing to do.
  readonly #flush = (): void => {
    const connections = this.#toFlush
    this.#toFlush = []
    for (const connection of connections) connection.flush()
  }

  #acceptor(plan: ListenerPlan): Acceptor {
    const { security, limits, clock, connectionRates } = this.#options
    return new Acceptor(plan, {
      throttleMs: (address) => connectionRates.throttleMs(address),
      after: (delayMs, callback) => clock.after(delayMs, callback),
      tls: security.tls.get(plan.name),
      handshakeMs: limits.handshakeMs,
      admit: (address) => this.#admit(address),
      ready: (socket, endpoint, principal) => {
        this.#begin(socket, endpoint, principal)
      },
      handshakeFailed: (client, endpoint, detail) => {
        this.counters.handshakesFailed += 1
        const fields = { client, listener: endpoint.name, reason: detail }
        this.#limiter.warn('handshake', 'closed a connection whose TLS handshake failed', fields)
      },
      troubled: (endpoint, error) => {
        const fields = { listener: endpoint.name, error: error.message }
        this.#limiter.warn('listener', 'the Kafka listener reports an error', fields)
      },
    })
  }

  #admit(address: string): boolean {
    this.counters.connectionsAccepted += 1
    const caps = this.#options.caps()
    if (this.#isFull(address, caps)) return false
    if (!this.#draining && this.#makeRoom(caps.all)) return true
    this.counters.connectionsRefused += 1
    const limit = caps.all
    this.#limiter.warn('refused', 'refused a connection: the maximum is open and none is idle', { limit })
    return false
  }

  #isFull(address: string, { of }: ConnectionCaps): boolean {
    const limit = of(address)
    if ((this.#byAddress.get(address) ?? 0) < limit) return false
    this.counters.connectionsRefused += 1
    this.#limiter.warn('refused-address', 'refused a connection: its address has as many as it may', { address, limit })
    return true
  }

  #begin(socket: Socket, endpoint: Endpoint, principal: Principal): void {
    const { security, caps } = this.#options
    // Others may have come first while it shook hands.
    if (this.#isFull(addressOf(socket), caps())) {
      socket.on('error', () => undefined)
      socket.destroy()
      return
    }
    const authentication = usesSasl(endpoint.protocol) ? security.authentication(endpoint) : new OpenAuthentication(principal)
    const identity = { id: this.#nextConnectionId, endpoint, authentication }
    const connection = new Connection(socket, identity, this.#shared)
    this.#nextConnectionId += 1
    this.#connections.add(connection)
    this.#byAddress.set(connection.remoteHost, (this.#byAddress.get(connection.remoteHost) ?? 0) + 1)
    this.counters.connectionsOpen = this.#connections.size
    // Its handshake ended after the drain had begun.
    if (this.#draining) connection.drain()
  }

  #makeRoom(connectionsMax: number): boolean {
    const waiting = this.#acceptors.reduce((sum, acceptor) => sum + acceptor.waiting, 0)
    if (this.#connections.size + waiting < connectionsMax) return true
    const before = this.#options.clock.monotonicMs() - evictableIdleMs
    let oldest: Connection | undefined
    for (const connection of this.#connections) {
      if (connection.busy || connection.activeAtMs > before) continue
      if (oldest === undefined || connection.activeAtMs < oldest.activeAtMs) oldest = connection
    }
    oldest?.close({ kind: 'evicted', detail: 'the connection maximum is reached and it was idle longest' })
    return oldest !== undefined
  }

  #scheduleSweep(): void {
    const { limits, clock } = this.#options
    const everyMs = Math.max(1, Math.min(sweepMsMax, limits.idleMs / 4, limits.stalledWriteMs / 4))
    this.#stopSweeping = clock.after(everyMs, () => {
      const nowMs = clock.monotonicMs()
      for (const connection of this.#connections) connection.sweep(nowMs)
      this.#scheduleSweep()
    })
  }

  #onConnectionClosed(connection: Connection, why: CloseReason): void {
    assert(this.#connections.delete(connection), 'a connection closes once')
    const left = (this.#byAddress.get(connection.remoteHost) ?? 1) - 1
    if (left > 0) this.#byAddress.set(connection.remoteHost, left)
    else this.#byAddress.delete(connection.remoteHost)
    this.counters.connectionsOpen = this.#connections.size
    const fields = { client: connection.remoteAddress, listener: connection.endpoint.name, reason: why.detail }
    switch (why.kind) {
      case 'bad':
        this.counters.connectionsClosedBad += 1
        this.#limiter.warn('bad', 'closed a connection whose bytes cannot be served', fields)
        break
      case 'unauthenticated':
        this.counters.connectionsUnauthenticated += 1
        this.#limiter.warn('unauthenticated', 'closed a connection that failed to authenticate', fields)
        break
      case 'stalled':
        this.counters.connectionsClosedStalled += 1
        this.#limiter.warn('stalled', 'closed a connection that does not read its answers', fields)
        break
      case 'evicted':
        this.counters.connectionsClosedIdle += 1
        this.#limiter.warn('evicted', 'closed an idle connection to make room', fields)
        break
      case 'idle':
        this.counters.connectionsClosedIdle += 1
        this.#options.log.debug('closed an idle connection', fields)
        break
      case 'client':
      case 'broken':
      case 'drained':
      case 'server':
        this.#options.log.debug('connection closed', fields)
    }
    if (this.#connections.size === 0) this.#onEmpty?.()
  }
}
