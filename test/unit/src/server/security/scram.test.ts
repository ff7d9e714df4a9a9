// Owns the claims about SCRAM: the vectors of RFC 5802's successors, and every way an exchange must fail.

import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { seededIds } from '../../../../support/test-node.ts'
import type { ScramCredential, ScramMechanismName } from '../../../../../src/broker/core/index.ts'
import type { ExchangeStep, SaslExchange } from '../../../../../src/server/security/sasl-mechanism.ts'
import { credentialFor, credentialOf, ScramExchange, ScramMechanism } from '../../../../../src/server/security/scram.ts'

const hashOf: Readonly<Record<ScramMechanismName, string>> = { 'SCRAM-SHA-256': 'sha256', 'SCRAM-SHA-512': 'sha512' }
const text = (step: ExchangeStep): string =>
  step.kind === 'failed' ? `failed: ${step.detail}` : Buffer.from(step.reply).toString()
const say = (exchange: SaslExchange, message: string): ExchangeStep => {
  const step = exchange.evaluate(Buffer.from(message))
  if (step instanceof Promise) throw new Error('SCRAM waits for nothing')
  return step
}

/** The client's side, written from the RFC alone. */
function proofOf(
  mechanism: ScramMechanismName,
  order: { password: string; clientFirst: string; serverFirst: string; final: string },
): string {
  const hash = hashOf[mechanism]
  const [, salt = '', iterations = ''] = /s=([^,]+),i=(\d+)/.exec(order.serverFirst) ?? []
  const bytes = hash === 'sha256' ? 32 : 64
  const salted = pbkdf2Sync(order.password, Buffer.from(salt, 'base64'), Number(iterations), bytes, hash)
  const clientKey = createHmac(hash, salted).update('Client Key').digest()
  const storedKey = createHash(hash).update(clientKey).digest()
  const message = `${order.clientFirst},${order.serverFirst},${order.final}`
  const signature = createHmac(hash, storedKey).update(message).digest()
  return Buffer.from(clientKey.map((byte, at) => byte ^ signature[at]!)).toString('base64')
}

const rfcSalt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
const rfcCredential = credentialOf({
  mechanism: 'SCRAM-SHA-256',
  iterations: 4096,
  salt: rfcSalt,
  saltedPassword: pbkdf2Sync('pencil', rfcSalt, 4096, 32, 'sha256'),
})

function rfcExchange(credential: ScramCredential = rfcCredential): ScramExchange {
  return new ScramExchange('SCRAM-SHA-256', {
    credentialOf: () => credential,
    isKnown: () => true,
    serverNonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
  })
}

const rfcFirst = 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO'
const rfcFinal = 'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ='

describe('SCRAM', () => {
  it('answers the exchange of RFC 7677 byte for byte', () => {
    const exchange = rfcExchange()
    expect(text(say(exchange, rfcFirst))).toBe(
      'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    )
    const last = say(exchange, rfcFinal)
    expect(last).toMatchObject({ kind: 'done', name: 'user' })
    expect(text(last)).toBe('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
  })

  it.each<[string, string]>([
    ['another proof', rfcFinal.replace('p=dHzb', 'p=dHzc')],
    ['a short proof', rfcFinal.replace(/p=.*/, 'p=AAAA')],
    ['another nonce', rfcFinal.replace('k0,p', 'k1,p')],
    ['the client’s nonce alone', rfcFinal.replace('%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0', '')],
    ['another channel binding', rfcFinal.replace('c=biws', 'c=eSws')],
    ['no proof', rfcFinal.replace(/,p=.*/, '')],
    ['nothing', ''],
    ['garbage', '\u0000\u0001\u0002'],
  ])('refuses %s', (_what, message) => {
    const exchange = rfcExchange()
    say(exchange, rfcFirst)
    expect(say(exchange, message).kind).toBe('failed')
  })

  it.each([
    '',
    'n',
    'p=tls-unique,,n=user,r=abc',
    'n,,n=,r=abc',
    'n,,n=us=er,r=abc',
    'n,,n=user,r=',
    'n,,r=abc',
    'x'.repeat(10_000),
    'n,a=other,n=user,r=abc',
  ])('refuses the first message %j', (message) => {
    expect(say(rfcExchange(), message).kind).toBe('failed')
  })

  it('takes names with commas and equals signs, and clients that could bind channels', async () => {
    const name = 'a,b=c'
    const credential = await credentialFor('SCRAM-SHA-512', 'secret', seededIds(7))
    const users = new Map([[name, credential]])
    const mechanism = new ScramMechanism('SCRAM-SHA-512', { credentialOf: (user) => users.get(user), idSource: seededIds(1) })
    const exchange = mechanism.begin()
    const clientFirst = 'n=a=2Cb=3Dc,r=abcdef'
    const serverFirst = text(say(exchange, `y,,${clientFirst}`))
    const final = `c=${Buffer.from('y,,').toString('base64')},${/^r=[^,]+/.exec(serverFirst)![0]}`
    const proof = proofOf('SCRAM-SHA-512', { password: 'secret', clientFirst, serverFirst, final })
    expect(say(exchange, `${final},p=${proof}`)).toMatchObject({ kind: 'done', name })
  })

  it('takes a nonce whose client half is written twice, as librdkafka did for years, but not without our half', async () => {
    const credential = await credentialFor('SCRAM-SHA-256', 'secret', seededIds(7))
    const mechanism = new ScramMechanism('SCRAM-SHA-256', { credentialOf: () => credential, idSource: seededIds(1) })
    const clientFirst = 'n=alice,r=abc'
    for (const written of ['', 'abc']) {
      const exchange = mechanism.begin()
      const serverFirst = text(say(exchange, `n,,${clientFirst}`))
      const final = `c=biws,r=${written}${/^r=([^,]+)/.exec(serverFirst)![1]}`
      const proof = proofOf('SCRAM-SHA-256', { password: 'secret', clientFirst, serverFirst, final })
      expect(say(exchange, `${final},p=${proof}`).kind).toBe('done')
    }
    const exchange = mechanism.begin()
    const serverFirst = text(say(exchange, `n,,${clientFirst}`))
    const final = 'c=biws,r=abcabc'
    const proof = proofOf('SCRAM-SHA-256', { password: 'secret', clientFirst, serverFirst, final })
    expect(say(exchange, `${final},p=${proof}`).kind).toBe('failed')
  })

  it('cannot be asked which users there are: who is not there has a salt that stays, and no password fits', async () => {
    const credential = await credentialFor('SCRAM-SHA-256', 'secret', seededIds(7))
    const mechanism = new ScramMechanism('SCRAM-SHA-256', {
      credentialOf: (user) => (user === 'alice' ? credential : undefined),
      idSource: seededIds(1),
    })
    const saltOf = (user: string): string => {
      const [, salt = '', iterations = ''] = /s=([^,]+),i=(\d+)/.exec(text(say(mechanism.begin(), `n,,n=${user},r=abc`))) ?? []
      expect(Number(iterations)).toBeGreaterThanOrEqual(4096)
      return salt
    }
    expect(saltOf('bob')).toBe(saltOf('bob'))
    expect(saltOf('bob')).not.toBe(saltOf('carol'))
    expect(saltOf('bob')).toHaveLength(saltOf('alice').length)
    const exchange = mechanism.begin()
    const serverFirst = text(say(exchange, 'n,,n=bob,r=abc'))
    const final = `c=biws,${/^r=[^,]+/.exec(serverFirst)![0]}`
    const proof = proofOf('SCRAM-SHA-256', { password: 'secret', clientFirst: 'n=bob,r=abc', serverFirst, final })
    expect(text(say(exchange, `${final},p=${proof}`))).toBe('failed: wrong user or password, user "bob"')
  })

  it('keeps nothing that logs in: neither password nor salted password is in a credential', async () => {
    const credential = await credentialFor('SCRAM-SHA-256', 'secret', seededIds(7))
    expect(Object.keys(credential).sort()).toEqual(['iterations', 'salt', 'serverKey', 'storedKey'])
    const salted = pbkdf2Sync('secret', Buffer.from(credential.salt, 'base64'), credential.iterations, 32, 'sha256')
    const kept = JSON.stringify(credential)
    expect(kept).not.toContain(salted.toString('base64'))
    expect(kept).not.toContain('secret')
  })

  it('never uses the same nonce twice', () => {
    const mechanism = new ScramMechanism('SCRAM-SHA-256', { credentialOf: () => rfcCredential, idSource: seededIds(1) })
    const nonces = Array.from({ length: 50 }, () => text(say(mechanism.begin(), rfcFirst)).split(',')[0])
    expect(new Set(nonces).size).toBe(50)
  })
})
