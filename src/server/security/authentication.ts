// Owns how far the authentication of one connection is, and what may be sent meanwhile: Kafka's SaslServerAuthenticator as a state
// machine. Does not own the mechanisms (sasl-mechanism.ts and beside it), bytes on the wire (handlers/) nor the connection.
//
//   initial --ApiVersions--> versions-told --SaslHandshake--> exchanging --last token--> complete
//      \--------------------SaslHandshake----------------------^                            |  SaslHandshake, in a session with an end
//   failed: from everywhere; the connection closes                     re-handshake <-------+
//
// While it is neither complete nor open, the connection reads one request at a time, so what is admitted and what is carried out
// cannot fall apart.

import type { Clock } from '../../base/clock.ts'
import { sleep } from '../../base/clock.ts'
import { ApiKey, ErrorCode } from '../../protocol/index.ts'
import type { FrameBounds } from '../listener/frame-assembler.ts'
import { anonymous, type Principal, samePrincipal, showPrincipal, userNamed } from './principal.ts'
import type { ExchangeStep, SaslExchange, SaslMechanism } from './sasl-mechanism.ts'

/** Whether a request of this API may be served now. */
export type Admission =
  | 'serve'
  /** To be answered with ILLEGAL_SASL_STATE, and then the connection closes. */
  | 'illegal'
  | { readonly refused: string }

/** What SaslHandshake and SaslAuthenticate are answered with; with a `close` the connection ends after it. */
export interface HandshakeAnswer {
  readonly errorCode: number
  readonly mechanisms: readonly string[]
  readonly close?: string
}

export interface AuthenticateAnswer {
  readonly errorCode: number
  readonly errorMessage: string | null
  readonly token: Uint8Array
  readonly sessionLifetimeMs: number
  readonly close?: string
}

export interface Authentication {
  readonly principal: Principal
  /** Since when (monotonic) it is not known who asks; undefined when it is, or when nobody is asked. */
  readonly pendingSinceMs: number | undefined
  /** What a frame may have meanwhile; undefined: what the listener allows. */
  readonly frameBounds: FrameBounds | undefined
  /** The next frame is a bare token without a Kafka header, as after SaslHandshake version 0. */
  readonly tokensAreBare: boolean
  admit(apiKey: number): Admission
  versionsTold(): void
  handshake(mechanism: string, version: number): HandshakeAnswer | Promise<HandshakeAnswer>
  authenticate(token: Uint8Array): AuthenticateAnswer | Promise<AuthenticateAnswer>
}

const noToken = new Uint8Array(0)

const illegal = (errorMessage: string): AuthenticateAnswer => ({
  errorCode: ErrorCode.ILLEGAL_SASL_STATE,
  errorMessage,
  token: noToken,
  sessionLifetimeMs: 0,
})

/** On PLAINTEXT and SSL: who it is is known from the start. */
export class OpenAuthentication implements Authentication {
  readonly principal: Principal
  readonly pendingSinceMs = undefined
  readonly frameBounds = undefined
  readonly tokensAreBare = false

  constructor(principal: Principal) {
    this.principal = principal
  }

  admit(): Admission {
    return 'serve'
  }

  versionsTold(): void {
    // Nothing follows from it here.
  }

  handshake(): HandshakeAnswer {
    return { errorCode: ErrorCode.ILLEGAL_SASL_STATE, mechanisms: [] }
  }

  authenticate(): AuthenticateAnswer {
    return illegal('SaslAuthenticate request received on a listener without SASL.')
  }
}

export interface SaslOptions {
  readonly mechanisms: ReadonlyMap<string, SaslMechanism>
  /** A session ends after so long unless it is renewed; 0: only with the token it began with. */
  readonly sessionMsMax: number
  readonly clock: Clock
  readonly frameBytesMax: number
  readonly failureDelayMs: number
}

type Phase = 'initial' | 'versions-told' | 're-handshake' | 'exchanging' | 'complete' | 'failed'

/** Kafka's: who renews more often gets an error. */
const renewalMsMin = 1000
const bareBytesMin = 1
const requestBytesMin = 8

interface Session {
  readonly principal: Principal
  readonly mechanism: string
  readonly endsAtMs: number | undefined
}

export class SaslAuthentication implements Authentication {
  readonly #options: SaslOptions
  #phase: Phase = 'initial'
  #pendingSinceMs: number | undefined
  #exchange: { readonly mechanism: SaslMechanism; readonly steps: SaslExchange } | undefined
  #tokensAreBare = false
  #session: Session | undefined
  #lastRenewalMs = -Infinity

  constructor(options: SaslOptions) {
    this.#options = options
    this.#pendingSinceMs = options.clock.monotonicMs()
  }

  get principal(): Principal {
    return this.#session?.principal ?? anonymous
  }

  get pendingSinceMs(): number | undefined {
    return this.#pendingSinceMs
  }

  get tokensAreBare(): boolean {
    return this.#tokensAreBare && this.#phase === 'exchanging'
  }

  get frameBounds(): FrameBounds | undefined {
    if (this.#pendingSinceMs === undefined) return undefined
    return { bytesMin: this.tokensAreBare ? bareBytesMin : requestBytesMin, bytesMax: this.#options.frameBytesMax }
  }

  admit(apiKey: number): Admission {
    switch (this.#phase) {
      case 'complete':
        return this.#admitLater(apiKey)
      case 'initial':
        if (apiKey === ApiKey.ApiVersions || apiKey === ApiKey.SaslHandshake) return 'serve'
        return this.#refuse(`an API with key ${apiKey} before its SASL handshake`)
      case 'versions-told':
      case 're-handshake':
        if (apiKey === ApiKey.SaslHandshake) return 'serve'
        return this.#refuse(`an API with key ${apiKey} where its SASL handshake was due`)
      case 'exchanging':
        if (apiKey === ApiKey.SaslAuthenticate) return 'serve'
        this.#phase = 'failed'
        return 'illegal'
      case 'failed':
        return { refused: 'its authentication had failed' }
    }
  }

  versionsTold(): void {
    if (this.#phase === 'initial') this.#phase = 'versions-told'
  }

  async handshake(name: string, version: number): Promise<HandshakeAnswer> {
    const mechanisms = [...this.#options.mechanisms.keys()]
    if (this.#phase === 'complete') return { errorCode: ErrorCode.ILLEGAL_SASL_STATE, mechanisms: [] }
    const mechanism = this.#options.mechanisms.get(name)
    if (mechanism === undefined) {
      const close = `the SASL mechanism it asked for is not enabled; there are ${mechanisms.join(', ')}`
      await this.#failed()
      return { errorCode: ErrorCode.UNSUPPORTED_SASL_MECHANISM, mechanisms, close }
    }
    if (this.#session !== undefined && this.#session.mechanism !== name) {
      const close = `it may not change its SASL mechanism from ${this.#session.mechanism} when it authenticates again`
      await this.#failed()
      return { errorCode: ErrorCode.ILLEGAL_SASL_STATE, mechanisms, close }
    }
    this.#tokensAreBare = version === 0
    this.#exchange = { mechanism, steps: mechanism.begin() }
    this.#phase = 'exchanging'
    return { errorCode: ErrorCode.NONE, mechanisms }
  }

  async authenticate(token: Uint8Array): Promise<AuthenticateAnswer> {
    if (this.#phase !== 'exchanging' || this.#exchange === undefined)
      return illegal('SaslAuthenticate request received after successful authentication')
    const step = await this.#exchange.steps.evaluate(token)
    return this.#follow(step, this.#exchange.mechanism.name)
  }

  #follow(step: ExchangeStep, mechanism: string): AuthenticateAnswer | Promise<AuthenticateAnswer> {
    if (step.kind === 'continue')
      return { errorCode: ErrorCode.NONE, errorMessage: null, token: step.reply, sessionLifetimeMs: 0 }
    if (step.kind === 'failed') return this.#refused(step, mechanism)
    const principal = userNamed(step.name)
    const before = this.#session?.principal
    if (before !== undefined && !samePrincipal(before, principal)) {
      const toldToClient = 'Cannot change principals during re-authentication'
      const detail = `it may not become ${showPrincipal(principal)}: it was ${showPrincipal(before)}`
      return this.#refused({ kind: 'failed', detail, toldToClient }, mechanism)
    }
    const lifetimeMs = this.#lifetimeMs(step.expiresAtMs)
    const { clock } = this.#options
    this.#session = { principal, mechanism, endsAtMs: lifetimeMs === 0 ? undefined : clock.monotonicMs() + lifetimeMs }
    this.#exchange = undefined
    this.#pendingSinceMs = undefined
    this.#phase = 'complete'
    return { errorCode: ErrorCode.NONE, errorMessage: null, token: step.reply, sessionLifetimeMs: lifetimeMs }
  }

  async #refused(step: Extract<ExchangeStep, { kind: 'failed' }>, mechanism: string): Promise<AuthenticateAnswer> {
    const again = this.#session === undefined ? 'authentication' : 're-authentication'
    await this.#failed()
    return {
      errorCode: ErrorCode.SASL_AUTHENTICATION_FAILED,
      // In Kafka's words, which do not tell whether there is such a user.
      errorMessage:
        step.toldToClient ?? `Authentication failed during ${again} due to invalid credentials with SASL mechanism ${mechanism}`,
      token: noToken,
      sessionLifetimeMs: 0,
      close: `${mechanism}: ${step.detail}`,
    }
  }

  /** Whole milliseconds; 0 is a session without an end. */
  #lifetimeMs(expiresAtMs: number | undefined): number {
    const { sessionMsMax, clock } = this.#options
    // A token that expires in this very moment ends the session as soon as one can be ended.
    const ofToken = expiresAtMs === undefined ? Infinity : Math.max(1, Math.floor(expiresAtMs - clock.nowMs()))
    const shortest = Math.min(ofToken, sessionMsMax === 0 ? Infinity : sessionMsMax)
    return shortest === Infinity ? 0 : shortest
  }

  /** In a session: everything until it ends; from then on only its renewal. */
  #admitLater(apiKey: number): Admission {
    const endsAtMs = this.#session?.endsAtMs
    if (endsAtMs === undefined) return 'serve'
    const nowMs = this.#options.clock.monotonicMs()
    if (apiKey === ApiKey.SaslHandshake && nowMs - this.#lastRenewalMs >= renewalMsMin) {
      this.#lastRenewalMs = nowMs
      this.#pendingSinceMs = nowMs
      this.#phase = 're-handshake'
      return 'serve'
    }
    return nowMs >= endsAtMs ? this.#refuse('its session has ended, and it has not authenticated again') : 'serve'
  }

  #refuse(refused: string): Admission {
    this.#phase = 'failed'
    return { refused }
  }

  async #failed(): Promise<void> {
    this.#phase = 'failed'
    await sleep(this.#options.clock, this.#options.failureDelayMs)
  }
}
