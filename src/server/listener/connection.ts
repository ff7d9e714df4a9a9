// Owns one client's connection: when it is read, when its requests start, when it has to go. Does not own framing
// (frame-assembler.ts), order (request-line.ts), writing (answer-queue.ts) or what requests mean (the intake).

import type { Socket } from 'node:net'
import type { Cancel } from '../../base/clock.ts'
import type { ListenerLimits } from '../limits.ts'
import type { Authentication } from '../security/authentication.ts'
import { addressOf } from './address.ts'
import { AnswerQueue } from './answer-queue.ts'
import type { Budget } from './budget.ts'
import type { ListenerCounters } from './counters.ts'
import type { Endpoint } from './endpoint.ts'
import { type FrameBounds, FrameAssembler, type NextFrame, requestBytesMin } from './frame-assembler.ts'
import { type Answer, RequestLine, type StartableRequest } from './request-line.ts'

/** What handlers may know of a connection. */
export interface ConnectionFacts {
  readonly id: number
  readonly remoteHost: string
  /** With the port, for log lines. */
  readonly remoteAddress: string
  readonly localPort: number
  /** The listener it came in by. */
  readonly endpoint: Endpoint
  /** Who is at the other end, or how far that is known. */
  readonly authentication: Authentication
  /** How many more bytes of answers fit before the client must read. */
  answerRoomBytes(): number
}

export interface Refusal {
  readonly refused: string
  /** It would have to say who it is first. */
  readonly unauthenticated?: boolean
}

export interface RequestIntake {
  /** Reads a request's header and says how to run it, or why the connection must be closed. */
  accept(frame: Uint8Array, connection: ConnectionFacts): StartableRequest | Refusal
}

/** What all connections of a listener share. */
export interface ListenerShared {
  readonly limits: ListenerLimits
  readonly counters: ListenerCounters
  readonly requestBudget: Budget
  readonly assemblyBudget: Budget
  readonly answerBudget: Budget
  readonly intake: RequestIntake
  nowMs(): number
  /** Calls back when acknowledgements may leave. */
  whenAllowed(flush: () => void): void
  after(delayMs: number, callback: () => void): Cancel
  /** Flushes the connection's answers at the end of the turn. */
  flushSoon(connection: Connection): void
  closed(connection: Connection, why: CloseReason): void
}

export type CloseKind = 'client' | 'idle' | 'bad' | 'unauthenticated' | 'stalled' | 'broken' | 'drained' | 'server' | 'evicted'
export interface CloseReason {
  readonly kind: CloseKind
  readonly detail: string
}

/** What is known of a connection before its first byte. */
export interface ConnectionIdentity {
  readonly id: number
  readonly endpoint: Endpoint
  readonly authentication: Authentication
}

export class Connection implements ConnectionFacts {
  readonly id: number
  readonly remoteHost: string
  readonly remoteAddress: string
  readonly localPort: number
  readonly endpoint: Endpoint
  readonly authentication: Authentication
  readonly #socket: Socket
  readonly #shared: ListenerShared
  readonly #assembler: FrameAssembler
  readonly #bounds: FrameBounds
  readonly #line: RequestLine
  readonly #answers: AnswerQueue
  /** When the client last sent something or took an answer. */
  #activeAtMs: number
  #frameBegunAtMs = 0
  #reading = true
  #pumping = false
  #waitingForBudget = false
  #draining = false
  /** What follows a request we cannot answer is not read. */
  #deaf = false
  #closed = false
  /** An acknowledgement waits among the answers. */
  #acknowledging = false
  #closeAfterAnswers: CloseReason | undefined = undefined
  /** Until when nothing is read, for the client has been over a quota; undefined when it is read. */
  #mutedUntilMs: number | undefined = undefined
  #cancelUnmute: Cancel = () => undefined

  constructor(socket: Socket, identity: ConnectionIdentity, shared: ListenerShared) {
    this.id = identity.id
    this.endpoint = identity.endpoint
    this.authentication = identity.authentication
    // On a dual-stack socket an IPv4 client shows as ::ffff:a.b.c.d.
    this.remoteHost = addressOf(socket)
    this.remoteAddress = `${this.remoteHost}:${String(socket.remotePort ?? 0)}`
    this.localPort = socket.localPort ?? 0
    this.#socket = socket
    this.#shared = shared
    const { limits, assemblyBudget, answerBudget } = shared
    this.#bounds = { bytesMin: requestBytesMin, bytesMax: limits.requestBytesMax }
    this.#assembler = new FrameAssembler(assemblyBudget, this.#frameBounds)
    this.#line = new RequestLine(this.#onAnswer, this.#onRequestDone)
    this.#answers = new AnswerQueue(socket, answerBudget, limits.writeWindowBytes, this.#onTaken)
    this.#activeAtMs = shared.nowMs()
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('error', this.#onError)
    socket.on('close', this.#onClose)
  }

  get busy(): boolean {
    return this.#line.length > 0 || this.#answers.bytes > 0 || this.#mutedUntilMs !== undefined
  }

  get activeAtMs(): number {
    return this.#activeAtMs
  }

  answerRoomBytes(): number {
    const { limits, answerBudget } = this.#shared
    const ownRoom = limits.answerBytesPerConnectionMax - this.#answers.bytes
    return Math.max(0, Math.min(ownRoom, answerBudget.max - answerBudget.used))
  }

  /** What was acknowledged before a pause of this process must not leave after it unasked: hence the question right before. */
  flush(): void {
    if (this.#acknowledging) this.#shared.whenAllowed(this.#hand)
    else this.#hand()
  }

  /** Closes what has been silent or has not read for too long. */
  sweep(nowMs: number): void {
    const { limits, assemblyBudget } = this.#shared
    const { idleMs, stalledWriteMs, authenticationMs } = limits
    const { pendingSinceMs } = this.authentication
    if (pendingSinceMs !== undefined && nowMs - pendingSinceMs > authenticationMs) {
      this.close({ kind: 'unauthenticated', detail: `it did not authenticate within ${authenticationMs} ms` })
      return
    }
    const arrivalMs = assemblyBudget.contended ? limits.contendedArrivalMs : idleMs
    if (this.#reading && this.#assembler.midFrame && nowMs - this.#frameBegunAtMs > arrivalMs) {
      this.close({ kind: 'idle', detail: `one request took longer than ${arrivalMs} ms to arrive` })
      return
    }
    const silentMs = nowMs - this.#activeAtMs
    if (this.#answers.bytes > 0) {
      const detail = `${this.#answers.bytes} bytes of answers were not read for ${stalledWriteMs} ms`
      if (silentMs > stalledWriteMs) this.close({ kind: 'stalled', detail })
      return
    }
    if (this.#line.length > 0 || this.#waitingForBudget || this.#mutedUntilMs !== undefined) return
    if (silentMs > idleMs) this.close({ kind: 'idle', detail: `silent for ${idleMs} ms` })
  }

  /** Reads nothing more, answers what has come, then closes. */
  drain(): void {
    if (this.#draining || this.#closed) return
    this.#draining = true
    this.#updateReading()
    this.#line.hurry()
    this.#closeIfOver()
  }

  /** `gentle`: answers have gone out that the client should be able to read; without it the client sees a reset. */
  close(reason: CloseReason, gentle = false): void {
    if (this.#closed) return
    this.#closed = true
    this.#cancelUnmute()
    this.#shared.requestBudget.stopWaiting(this.#onBudget)
    this.#shared.assemblyBudget.stopWaiting(this.#onBudget)
    this.#assembler.discard()
    this.#answers.close()
    this.#line.stop()
    if (gentle) this.#endGently()
    else this.#socket.destroy()
    this.#shared.closed(this, reason)
  }

  readonly #onData = (chunk: Uint8Array): void => {
    if (this.#closed) return
    this.#shared.counters.bytesIn += chunk.length
    this.#activeAtMs = this.#shared.nowMs()
    this.#assembler.push(chunk)
    this.#pump()
  }

  readonly #onEnd = (): void => {
    this.close({ kind: 'client', detail: 'the client closed the connection' })
  }

  readonly #onError = (error: Error): void => {
    this.close({ kind: 'broken', detail: error.message })
  }

  readonly #onClose = (): void => {
    this.close({ kind: 'client', detail: 'the connection was closed' })
  }

  readonly #onBudget = (): void => {
    this.#waitingForBudget = false
    this.#activeAtMs = this.#shared.nowMs()
    this.#pump()
  }

  readonly #hand = (): void => {
    if (this.#closed) return
    this.#shared.counters.bytesOut += this.#answers.flush()
    if (this.#answers.bytes > 0) return
    this.#acknowledging = false
    this.#closeIfOver()
  }

  readonly #onTaken = (): void => {
    this.#activeAtMs = this.#shared.nowMs()
    this.flush()
    this.#pump()
  }

  readonly #onRequestDone = (bytes: number): void => {
    this.#shared.requestBudget.giveBack(bytes)
    if (!this.#closed) this.#pump()
  }

  readonly #onAnswer = (answer: Answer): void => {
    if (this.#closed || this.#closeAfterAnswers !== undefined) return
    // The silence of a client counts from its last answer: a long poll must not make it look idle or stalled.
    if (this.#answers.bytes === 0) this.#activeAtMs = this.#shared.nowMs()
    if (answer.kind === 'write') {
      this.#answers.push(answer.chunks)
      if (answer.acknowledges) this.#acknowledging = true
      if (answer.thenClose !== undefined) this.#closeAfter({ kind: 'unauthenticated', detail: answer.thenClose })
    } else if (answer.kind === 'close') {
      this.#closeAfter({ kind: answer.unauthenticated === true ? 'unauthenticated' : 'bad', detail: answer.reason })
    }
    if (answer.kind !== 'close' && (answer.throttleMs ?? 0) > 0) this.#mute(answer.throttleMs ?? 0)
    this.#shared.flushSoon(this)
  }

  /** KIP-219: who was over a quota is answered at once, and then not heard for a while, whatever it does with the time it was told. */
  #mute(ms: number): void {
    const untilMs = this.#shared.nowMs() + ms
    if (untilMs <= (this.#mutedUntilMs ?? 0)) return
    this.#mutedUntilMs = untilMs
    this.#cancelUnmute()
    this.#cancelUnmute = this.#shared.after(ms, this.#unmute)
    this.#updateReading()
  }

  readonly #unmute = (): void => {
    this.#mutedUntilMs = undefined
    this.#activeAtMs = this.#shared.nowMs()
    this.#pump()
  }

  /** What follows is not read; what is answered goes out first. */
  #closeAfter(reason: CloseReason): void {
    this.#deaf = true
    this.#closeAfterAnswers = reason
  }

  readonly #frameBounds = (): FrameBounds => this.authentication.frameBounds ?? this.#bounds

  #hasRoom(): boolean {
    const { limits, requestBudget, answerBudget } = this.#shared
    return (
      !this.#draining &&
      !this.#deaf &&
      this.#mutedUntilMs === undefined &&
      // Until it is known who asks, each answer decides how the next frame is to be read.
      !(this.authentication.pendingSinceMs !== undefined && this.#line.length > 0) &&
      this.#line.length < limits.inFlightRequestsPerConnectionMax &&
      this.#line.bytes < limits.inFlightBytesPerConnectionMax &&
      this.#answers.bytes < limits.answerBytesPerConnectionMax &&
      !(answerBudget.full && this.#answers.bytes > 0) &&
      !(requestBudget.full && !this.#assembler.midFrame)
    )
  }

  /** Starts what has arrived, as far as there is room for it. Answers may come back in here, hence the guard. */
  #pump(): void {
    if (this.#pumping || this.#closed) return
    this.#pumping = true
    const begunBefore = this.#assembler.midFrame
    let completed = 0
    let next: NextFrame['kind'] = 'frame'
    while (next === 'frame' && !this.#closed && this.#hasRoom()) {
      next = this.#startNext()
      completed += 1
    }
    this.#pumping = false
    if (this.#closed) return
    if (this.#assembler.midFrame && (!begunBefore || completed > 1)) this.#frameBegunAtMs = this.#shared.nowMs()
    if (next === 'waiting') this.#waitFor(this.#shared.assemblyBudget)
    else if (this.#shared.requestBudget.full && next === 'frame') this.#waitFor(this.#shared.requestBudget)
    this.#updateReading()
  }

  #startNext(): NextFrame['kind'] {
    const next = this.#assembler.next()
    if (next.kind === 'bad') this.close({ kind: 'bad', detail: next.reason })
    if (next.kind !== 'frame') return next.kind
    const request = this.#shared.intake.accept(next.bytes, this)
    if ('refused' in request) {
      // Answers to the requests before it still go out; nothing after it is read.
      this.#deaf = true
      const close: Answer = { kind: 'close', reason: request.refused, unauthenticated: request.unauthenticated === true }
      this.#line.push({ order: 'serial', start: (answer) => { answer(close) }, hurry: () => undefined }, 0) // prettier-ignore
      return 'bad'
    }
    this.#shared.requestBudget.take(next.bytes.length)
    this.#line.push(request, next.bytes.length)
    return 'frame'
  }

  #waitFor(budget: Budget): void {
    if (this.#waitingForBudget) return
    this.#waitingForBudget = true
    budget.wait(this.#onBudget)
  }

  #updateReading(): void {
    const read = this.#hasRoom() && !this.#waitingForBudget
    if (read === this.#reading) return
    this.#reading = read
    if (read) {
      // The time we did not read does not count as the client's slowness.
      this.#frameBegunAtMs = this.#shared.nowMs()
      this.#socket.resume()
    } else this.#socket.pause()
  }

  /** Ends our side and lets the client read up: closing with unread bytes in the kernel would reset the connection. */
  #endGently(): void {
    const socket = this.#socket
    socket.off('data', this.#onData)
    socket.resume()
    socket.end()
    this.#shared.after(this.#shared.limits.lingerMs, () => {
      socket.destroy()
    })
  }

  #closeIfOver(): void {
    if (this.#answers.bytes > 0 || this.#closed) return
    if (this.#closeAfterAnswers !== undefined) this.close(this.#closeAfterAnswers, true)
    else if (this.#draining && this.#line.length === 0) this.close({ kind: 'drained', detail: 'the server stops' }, true)
  }
}
