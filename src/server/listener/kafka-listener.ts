// Owns the listening socket and the set of its connections: accepting, the maximum, the sweep for idle ones, the flush at the end
// of a turn, draining. Does not own what happens on one connection (connection.ts).

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { assert } from '../../base/assert.ts'
import type { Cancel, Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import { OpError } from '../../base/op-error.ts'
import type { ListenerLimits } from '../limits.ts'
import { Budget } from './budget.ts'
import { type CloseReason, Connection, type ListenerShared, type RequestIntake } from './connection.ts'
import { ListenerCounters } from './counters.ts'
import { LogLimiter } from './log-limiter.ts'

export interface BoundAddress {
  readonly host: string
  readonly port: number
}

export interface KafkaListenerOptions {
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  readonly limits: ListenerLimits
  readonly intake: RequestIntake
  readonly clock: Clock
  readonly log: Log
  /** Calls back when acknowledgements may leave: at once, later, or never when this process may not acknowledge any more. */
  readonly whenAllowed: (flush: () => void) => void
}

/** A connection that did something this recently is not closed for a newcomer. */
const evictableIdleMs = 10_000
const sweepMsMax = 5_000
const backlog = 1024

export class KafkaListener {
  readonly counters = new ListenerCounters()
  readonly #options: KafkaListenerOptions
  readonly #server: Server
  readonly #connections = new Set<Connection>()
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
    this.#server = createServer({ noDelay: true, keepAlive: true }, this.#onSocket)
    this.#shared = this.#share(options)
  }

  /** Requests received and not yet answered, and answers not yet taken, in bytes. */
  get bytesHeld(): { readonly requests: number; readonly assembling: number; readonly answers: number } {
    const { requestBudget, assemblyBudget, answerBudget } = this.#shared
    return { requests: requestBudget.used, assembling: assemblyBudget.used, answers: answerBudget.used }
  }

  start(): Promise<BoundAddress> {
    const { host, port, log } = this.#options
    return new Promise((resolve, reject) => {
      const onFailure = (cause: Error): void => {
        reject(
          new OpError('invalid', { code: 'LISTEN_FAILED', detail: `Cannot listen on ${host}:${port}: ${cause.message}`, cause }),
        )
      }
      this.#server.once('error', onFailure)
      this.#server.listen({ host, port, backlog }, () => {
        this.#server.off('error', onFailure)
        // For instance EMFILE on accept: the listener goes on, and says so.
        this.#server.on('error', (error) => {
          this.#limiter.warn('listener', 'the Kafka listener reports an error', { error: error.message })
        })
        const bound = this.#server.address() as AddressInfo
        log.info('listening for Kafka clients', { host: bound.address, port: bound.port })
        this.#scheduleSweep()
        resolve({ host: bound.address, port: bound.port })
      })
    })
  }

  /**
   * Stops accepting, lets every connection finish what it has asked for, and closes the rest after `drainMs`. `at-once` waits for
   * nobody: for a process that may not answer any more.
   */
  async close(how: 'drained' | 'at-once' = 'drained'): Promise<void> {
    if (this.#draining) return
    this.#draining = true
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve()
      })
    })
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
      after: (delayMs, callback) => {
        clock.after(delayMs, callback)
      },
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

  readonly #onSocket = (socket: Socket): void => {
    this.counters.connectionsAccepted += 1
    if (this.#draining || !this.#makeRoom()) {
      this.counters.connectionsRefused += 1
      const limit = this.#options.limits.connectionsMax
      this.#limiter.warn('refused', 'refused a connection: the maximum is open and none is idle', { limit })
      socket.on('error', () => undefined)
      socket.destroy()
      return
    }
    const connection = new Connection(socket, this.#nextConnectionId, this.#shared)
    this.#nextConnectionId += 1
    this.#connections.add(connection)
    this.counters.connectionsOpen = this.#connections.size
  }

  #makeRoom(): boolean {
    if (this.#connections.size < this.#options.limits.connectionsMax) return true
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
    this.counters.connectionsOpen = this.#connections.size
    const fields = { client: connection.remoteAddress, reason: why.detail }
    switch (why.kind) {
      case 'bad':
        this.counters.connectionsClosedBad += 1
        this.#limiter.warn('bad', 'closed a connection whose bytes cannot be served', fields)
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
