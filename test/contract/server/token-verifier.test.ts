// Owns the claims about bearer tokens: which are good, why others are not, and where the keys come from.

import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/base/node/system-clock.ts'
import { OauthBearerMechanism } from '../../../src/server/security/oauth-bearer.ts'
import { openTokenVerifier, type TokenSettings, type VerifyToken } from '../../../src/server/security/token-verifier.ts'
import { RecordingLog } from './support/running-front.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const issuer = 'https://login.example'

let folder: string
let jwks: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'chronik-tokens-'))
  jwks = join(folder, 'jwks.json')
  const keys = [
    { ...(await exportJWK(rsa.publicKey)), kid: 'r', alg: 'RS256' },
    { ...(await exportJWK(curve.publicKey)), kid: 'c', alg: 'ES256' },
  ]
  writeFileSync(jwks, JSON.stringify({ keys }))
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

const nowSeconds = (): number => Math.floor(Date.now() / 1000)
const usual = (): JWTPayload => ({ sub: 'olga', iss: issuer, aud: 'chronik', exp: nowSeconds() + 600 })

const without = (claim: string): JWTPayload => Object.fromEntries(Object.entries(usual()).filter(([name]) => name !== claim))

function sign(
  payload: JWTPayload,
  order: { readonly alg?: string; readonly kid?: string; readonly key?: KeyObject } = {},
): Promise<string> {
  const { alg = 'ES256', kid = 'c', key = curve.privateKey } = order
  return new SignJWT(payload).setProtectedHeader({ alg, kid }).sign(key)
}

async function verifier(change: Partial<TokenSettings> = {}): Promise<{ verify: VerifyToken; close(): void; log: RecordingLog }> {
  const log = new RecordingLog()
  const settings: TokenSettings = {
    jwksFile: jwks,
    jwksUrl: undefined,
    issuer,
    audience: 'chronik, other-service',
    subjectClaim: 'sub',
    clockSkewMs: 5_000,
    reloadIntervalMs: 20,
    ...change,
  }
  return { ...(await openTokenVerifier(settings, { clock: systemClock, log })), log }
}

async function reasonFor(token: string): Promise<string> {
  const { verify, close } = await verifier()
  const verified = await verify(token)
  close()
  return verified.ok ? 'good' : verified.failure
}

describe('a bearer token', () => {
  test.each([
    ['ES256', 'c', curve.privateKey],
    ['RS256', 'r', rsa.privateKey],
  ])('signed by %s is good, and its session ends with it', async (alg, kid, key) => {
    const { verify, close } = await verifier()
    const payload = usual()
    const verified = await verify(await sign(payload, { alg, kid, key }))
    expect(verified).toEqual({ ok: true, value: { name: 'olga', expiresAtMs: payload.exp! * 1000 } })
    close()
  })

  test.each<[string, () => Promise<string> | string, RegExp]>([
    ['is expired', () => sign({ ...usual(), exp: nowSeconds() - 10 }), /ERR_JWT_EXPIRED/],
    ['is not valid yet', () => sign({ ...usual(), nbf: nowSeconds() + 60 }), /ERR_JWT_CLAIM_VALIDATION_FAILED/],
    ['never expires', () => sign(without('exp')), /ERR_JWT_CLAIM_VALIDATION_FAILED/],
    ['is meant for another', () => sign({ ...usual(), aud: 'another' }), /ERR_JWT_CLAIM_VALIDATION_FAILED/],
    ['is meant for nobody', () => sign(without('aud')), /ERR_JWT_CLAIM_VALIDATION_FAILED/],
    ['is from another', () => sign({ ...usual(), iss: 'https://evil.example' }), /ERR_JWT_CLAIM_VALIDATION_FAILED/],
    ['names nobody', () => sign(without('sub')), /ERR_JWT_CLAIM_VALIDATION_FAILED/],
    ['names nobody at length', () => sign({ ...usual(), sub: '' }), /names nobody/],
    ['has another’s signature', () => sign(usual(), { key: other.privateKey }), /ERR_JWS_SIGNATURE_VERIFICATION_FAILED/],
    ['names a key that is not there', () => sign(usual(), { kid: 'x', key: other.privateKey }), /ERR_JWKS_NO_MATCHING_KEY/],
    ['has no signature', () => new UnsecuredJWT(usual()).encode(), /refused/],
    [
      'is signed with a secret',
      () => new SignJWT(usual()).setProtectedHeader({ alg: 'HS256', kid: 'c' }).sign(Buffer.alloc(32, 1)),
      /ERR_JOSE_ALG_NOT_ALLOWED/,
    ],
    ['is none', () => 'a.b.c', /refused/],
    ['is nothing', () => '', /refused/],
  ])('that %s is refused, and the reason tells nothing of it', async (_what, make, expected) => {
    const token = await make()
    const reason = await reasonFor(token)
    expect(reason).toMatch(expected)
    if (token !== '') expect(reason).not.toContain(token)
  })

  test('may be a little late by the issuer’s clock, and name its user by another claim', async () => {
    const { verify, close } = await verifier({ subjectClaim: 'email' })
    const verified = await verify(await sign({ ...usual(), email: 'o@x.example', exp: nowSeconds() - 2 }))
    expect(verified.ok && verified.value.name).toBe('o@x.example')
    close()
  })
})

describe('the keys', () => {
  test('are taken anew when their file changes', async () => {
    const file = join(folder, 'changing.json')
    writeFileSync(file, JSON.stringify({ keys: [] }))
    const { verify, close } = await verifier({ jwksFile: file })
    expect((await verify(await sign(usual()))).ok).toBe(false)
    writeFileSync(file, JSON.stringify({ keys: [{ ...(await exportJWK(curve.publicKey)), kid: 'c' }] }))
    await expect.poll(async () => (await verify(await sign(usual()))).ok).toBe(true)
    close()
  })

  test('that are none end the start with the setting’s name', async () => {
    const file = join(folder, 'bad.json')
    for (const text of ['', '{}', '[]', '{"keys":5}']) {
      writeFileSync(file, text)
      await expect(verifier({ jwksFile: file })).rejects.toThrow(/sasl\.oauth-jwks-file names .*bad\.json, which holds no JWKS/)
    }
    await expect(verifier({ jwksFile: join(folder, 'missing') })).rejects.toThrow(/sasl\.oauth-jwks-file .* cannot be read/)
  })

  test('come from a URL as well, and a token cannot be checked while that is away', async () => {
    const server: Server = createServer((_request, response) => {
      void exportJWK(curve.publicKey).then((key) => response.end(JSON.stringify({ keys: [{ ...key, kid: 'c' }] })))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`
    const good = await verifier({ jwksFile: undefined, jwksUrl: url })
    expect((await good.verify(await sign(usual()))).ok).toBe(true)
    await new Promise((resolve) => server.close(resolve))
    const away = await verifier({ jwksFile: undefined, jwksUrl: url })
    const verified = await away.verify(await sign(usual()))
    expect(!verified.ok && verified.failure).toMatch(/could not be checked|was refused/)
  })
})

describe('OAUTHBEARER', () => {
  const refusals: string[] = []
  const mechanism = new OauthBearerMechanism(
    (token) =>
      Promise.resolve(
        token === 'good' ? { ok: true, value: { name: 'olga', expiresAtMs: 5 } } : { ok: false, failure: 'it is bad' },
      ),
    (reason) => refusals.push(reason),
  )
  const ask = (message: string) => mechanism.begin().evaluate(Buffer.from(message))

  test.each(['n,,\u0001auth=Bearer good\u0001\u0001', 'n,a=olga,\u0001auth=bearer good\u0001traceId=5\u0001\u0001'])(
    'lets %j in',
    async (message) => {
      expect(await ask(message)).toMatchObject({ kind: 'done', name: 'olga', expiresAtMs: 5 })
    },
  )

  test.each([
    '',
    'n,,',
    'n,,\u0001\u0001',
    'n,,\u0001auth=Basic good\u0001\u0001',
    'n,,auth=Bearer good',
    'n,a=bob,\u0001auth=Bearer good\u0001\u0001',
  ])('refuses %j', async (message) => {
    expect(await ask(message)).toMatchObject({ kind: 'failed' })
  })

  test('tells a refusal as RFC 7628 wants it, waits for the client to confirm it, and fails', async () => {
    const exchange = mechanism.begin()
    const step = await exchange.evaluate(Buffer.from('n,,\u0001auth=Bearer bad\u0001\u0001'))
    expect(step).toEqual({ kind: 'continue', reply: Buffer.from('{"status":"invalid_token"}') })
    expect(await exchange.evaluate(Buffer.from('\u0001'))).toMatchObject({ kind: 'failed', detail: 'it is bad' })
    expect(refusals).toContain('it is bad')
  })
})
