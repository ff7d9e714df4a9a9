// Owns the claims about the state machine of an authentication: what is admitted when, what is answered, how a session ends.

import { describe, expect, it } from 'vitest'
import { ManualClock, turns } from '../../../../support/manual-clock.ts'
import { ApiKey, ErrorCode } from '../../../../../src/protocol/index.ts'
import {
  type AuthenticateAnswer,
  type HandshakeAnswer,
  OpenAuthentication,
  SaslAuthentication,
} from '../../../../../src/server/security/authentication.ts'
import { userNamed } from '../../../../../src/server/security/principal.ts'
import type { ExchangeStep, SaslMechanism, SaslName } from '../../../../../src/server/security/sasl-mechanism.ts'

/** `more` goes on, `name` or `name@expiry` is that user, all else fails. */
function mechanism(name: SaslName): SaslMechanism {
  return {
    name,
    begin: () => ({
      evaluate: (token): ExchangeStep => {
        const said = Buffer.from(token).toString()
        if (said === 'more') return { kind: 'continue', reply: Buffer.from('go on') }
        const [, user, expiry] = /^([a-z]+)(?:@(\d+))?$/.exec(said) ?? []
        if (user === undefined || user === 'bad') return { kind: 'failed', detail: 'wrong' }
        const expiresAtMs = expiry === undefined ? {} : { expiresAtMs: clockStart + Number(expiry) }
        return { kind: 'done', reply: Buffer.from('hello'), name: user, ...expiresAtMs }
      },
    }),
  }
}

const clockStart = new ManualClock().nowMs()
const { ApiVersions, SaslHandshake, SaslAuthenticate, Metadata } = ApiKey

class Run {
  readonly clock = new ManualClock()
  readonly sasl: SaslAuthentication

  constructor(sessionMsMax = 0) {
    this.sasl = new SaslAuthentication({
      mechanisms: new Map([
        ['PLAIN', mechanism('PLAIN')],
        ['SCRAM-SHA-256', mechanism('SCRAM-SHA-256')],
      ]),
      sessionMsMax,
      clock: this.clock,
      frameBytesMax: 1000,
      failureDelayMs: 100,
    })
  }

  async #late<Result>(answer: Promise<Result> | Result): Promise<Result> {
    await turns(2)
    this.clock.advance(100)
    return answer
  }

  handshake(name = 'PLAIN', version = 1): Promise<HandshakeAnswer> {
    expect(this.sasl.admit(SaslHandshake)).toBe('serve')
    return this.#late(this.sasl.handshake(name, version))
  }

  token(said: string): Promise<AuthenticateAnswer> {
    expect(this.sasl.admit(SaslAuthenticate)).toBe('serve')
    return this.#late(this.sasl.authenticate(Buffer.from(said)))
  }

  async logIn(as = 'alice', name = 'PLAIN'): Promise<AuthenticateAnswer> {
    await this.handshake(name)
    return this.token(as)
  }
}

describe('an authentication', () => {
  it('goes from versions over the handshake and any number of tokens to a principal', async () => {
    const run = new Run()
    expect(run.sasl.admit(ApiVersions)).toBe('serve')
    run.sasl.versionsTold()
    expect(await run.handshake()).toEqual({ errorCode: ErrorCode.NONE, mechanisms: ['PLAIN', 'SCRAM-SHA-256'] })
    expect((await run.token('more')).token.toString()).toBe('go on')
    expect(run.sasl.principal.name).toBe('ANONYMOUS')
    expect(run.sasl.pendingSinceMs).toBe(0)
    const last = await run.token('alice')
    expect(last).toMatchObject({ errorCode: ErrorCode.NONE, errorMessage: null, sessionLifetimeMs: 0 })
    expect(run.sasl.principal).toEqual({ type: 'User', name: 'alice' })
    expect(run.sasl.pendingSinceMs).toBeUndefined()
    expect(run.sasl.frameBounds).toBeUndefined()
    expect(run.sasl.admit(Metadata)).toBe('serve')
  })

  it('admits nothing else before it is complete, and nothing at all after that', async () => {
    for (const key of [Metadata, SaslAuthenticate, ApiKey.Produce]) {
      const run = new Run()
      expect(run.sasl.admit(key)).toHaveProperty('refused')
      expect(run.sasl.admit(SaslHandshake)).toHaveProperty('refused')
    }
    const told = new Run()
    told.sasl.versionsTold()
    expect(told.sasl.admit(ApiVersions)).toHaveProperty('refused')
    const exchanging = new Run()
    await exchanging.handshake()
    expect(exchanging.sasl.admit(Metadata)).toBe('illegal')
    expect(exchanging.sasl.admit(SaslAuthenticate)).toHaveProperty('refused')
  })

  it('tells a client whose versions were unknown again, before the handshake', () => {
    const run = new Run()
    expect(run.sasl.admit(ApiVersions)).toBe('serve')
    expect(run.sasl.admit(ApiVersions)).toBe('serve')
  })

  it('names the mechanisms there are to who asks for another, and closes', async () => {
    const run = new Run()
    const answer = await run.handshake('GSSAPI')
    expect(answer).toMatchObject({ errorCode: ErrorCode.UNSUPPORTED_SASL_MECHANISM, mechanisms: ['PLAIN', 'SCRAM-SHA-256'] })
    expect(answer.close).toContain('not enabled')
    expect(run.sasl.admit(SaslHandshake)).toHaveProperty('refused')
  })

  it('says no late, in general words, and closes', async () => {
    const run = new Run()
    await run.handshake()
    let answer: AuthenticateAnswer | undefined
    void run.sasl.authenticate(Buffer.from('bad')).then((came) => (answer = came))
    await turns()
    run.clock.advance(99)
    await turns()
    expect(answer).toBeUndefined()
    run.clock.advance(1)
    await turns()
    expect(answer).toMatchObject({
      errorCode: ErrorCode.SASL_AUTHENTICATION_FAILED,
      errorMessage: 'Authentication failed during authentication due to invalid credentials with SASL mechanism PLAIN',
      close: 'PLAIN: wrong',
    })
    expect(run.sasl.principal.name).toBe('ANONYMOUS')
    expect(run.sasl.admit(Metadata)).toHaveProperty('refused')
  })

  it('takes bare tokens after a handshake of version 0 alone, small ones too', async () => {
    const run = new Run()
    expect(run.sasl.frameBounds).toEqual({ bytesMin: 8, bytesMax: 1000 })
    await run.handshake('PLAIN', 0)
    expect(run.sasl.tokensAreBare).toBe(true)
    expect(run.sasl.frameBounds).toEqual({ bytesMin: 1, bytesMax: 1000 })
    await run.sasl.authenticate(Buffer.from('alice'))
    expect(run.sasl.tokensAreBare).toBe(false)
    const other = new Run()
    await other.handshake('PLAIN', 1)
    expect(other.sasl.tokensAreBare).toBe(false)
  })

  it('refuses handshake and tokens in a session without an end, and lets it go on', async () => {
    const run = new Run()
    await run.logIn()
    expect((await run.handshake()).errorCode).toBe(ErrorCode.ILLEGAL_SASL_STATE)
    expect((await run.token('alice')).errorCode).toBe(ErrorCode.ILLEGAL_SASL_STATE)
    expect(run.sasl.admit(Metadata)).toBe('serve')
  })
})

describe('a session with an end', () => {
  it('has the shorter of the setting and the token, and then serves nothing but its renewal', async () => {
    const run = new Run(60_000)
    expect((await run.logIn('alice')).sessionLifetimeMs).toBe(60_000)
    const short = new Run(60_000)
    expect((await short.logIn('alice@10100')).sessionLifetimeMs).toBe(10_000)
    expect((await new Run(0).logIn('alice@10100')).sessionLifetimeMs).toBe(10_000)
    short.clock.advance(9_800)
    expect(short.sasl.admit(Metadata)).toBe('serve')
    short.clock.advance(200)
    expect(short.sasl.admit(Metadata)).toHaveProperty('refused')
    run.clock.advance(60_001)
    expect(run.sasl.admit(SaslHandshake)).toBe('serve')
    expect(run.sasl.pendingSinceMs).toBe(run.clock.monotonicMs())
    await run.sasl.handshake('PLAIN', 1)
    expect((await run.token('alice')).sessionLifetimeMs).toBe(60_000)
    expect(run.sasl.admit(Metadata)).toBe('serve')
  })

  it('keeps user and mechanism when it is renewed', async () => {
    const other = new Run(60_000)
    await other.logIn('alice')
    await other.handshake()
    const refused = await other.token('bob')
    expect(refused).toMatchObject({ errorCode: ErrorCode.SASL_AUTHENTICATION_FAILED })
    expect(refused.errorMessage).toContain('Cannot change principals')
    expect(other.sasl.principal.name).toBe('alice')
    expect(other.sasl.admit(Metadata)).toHaveProperty('refused')
    const changed = new Run(60_000)
    await changed.logIn('alice')
    expect(await changed.handshake('SCRAM-SHA-256')).toMatchObject({ errorCode: ErrorCode.ILLEGAL_SASL_STATE })
    expect(changed.sasl.admit(SaslAuthenticate)).toHaveProperty('refused')
  })

  it('is renewed at most once a second', async () => {
    const run = new Run(60_000)
    await run.logIn()
    await run.handshake()
    await run.token('alice')
    expect((await run.handshake()).errorCode).toBe(ErrorCode.ILLEGAL_SASL_STATE)
    expect(run.sasl.admit(Metadata)).toBe('serve')
    run.clock.advance(1000)
    expect((await run.handshake()).errorCode).toBe(ErrorCode.NONE)
  })

  it('admits only tokens while it is being renewed', async () => {
    const run = new Run(60_000)
    await run.logIn()
    expect(run.sasl.admit(SaslHandshake)).toBe('serve')
    expect(run.sasl.admit(Metadata)).toHaveProperty('refused')
  })
})

describe('a listener without SASL', () => {
  it('knows its client from the start, serves everything, and answers SASL with the error Kafka has', () => {
    const open = new OpenAuthentication(userNamed('CN=a'))
    expect(open.admit()).toBe('serve')
    expect(open.principal.name).toBe('CN=a')
    expect(open.handshake().errorCode).toBe(ErrorCode.ILLEGAL_SASL_STATE)
    expect(open.authenticate().errorCode).toBe(ErrorCode.ILLEGAL_SASL_STATE)
  })
})
