// Owns the claims about SASL on the wire: bare and wrapped tokens, what is answered before the connection closes, bounds while nobody
// knows who asks, sessions that end; and the APIs of SCRAM users.

import { afterEach, describe, expect, test } from 'vitest'
import { systemIdSource } from '../../../src/base/node/system-id-source.ts'
import { ErrorCode } from '../../../src/protocol/index.ts'
import { alterUserScramCredentialsRequest } from '../../../src/protocol/generated/alter-user-scram-credentials.ts'
import { apiVersionsRequest } from '../../../src/protocol/generated/api-versions.ts'
import { describeUserScramCredentialsRequest } from '../../../src/protocol/generated/describe-user-scram-credentials.ts'
import { metadataRequest } from '../../../src/protocol/generated/metadata.ts'
import { saslAuthenticateRequest } from '../../../src/protocol/generated/sasl-authenticate.ts'
import { saslHandshakeRequest } from '../../../src/protocol/generated/sasl-handshake.ts'
import type { ListenerPlan } from '../../../src/server/index.ts'
import type { FrontSecurity } from '../../../src/server/security/node-security.ts'
import type { SaslMechanism } from '../../../src/server/security/sasl-mechanism.ts'
import { PlainMechanism } from '../../../src/server/security/plain.ts'
import { credentialOf, ScramMechanism } from '../../../src/server/security/scram.ts'
import type { RawClient } from './support/raw-client.ts'
import { type FrontVariant, type RunningFront, startFront } from './support/running-front.ts'

const listeners: readonly ListenerPlan[] = [
  { name: 'CLIENTS', protocol: 'SASL_PLAINTEXT', listen: { host: '127.0.0.1', port: 0 } },
]
const plain = (user: string, password: string): Buffer => Buffer.from(`\u0000${user}\u0000${password}`)
const aliceBytes = plain('alice', 'secret')

const securityOf = (sessionMsMax = 0): FrontSecurity => ({
  tls: new Map(),
  sessionMsMax,
  mechanisms: new Map<string, SaslMechanism>([
    ['PLAIN', new PlainMechanism((user) => (user === 'alice' ? 'secret' : undefined))],
    ['SCRAM-SHA-256', new ScramMechanism('SCRAM-SHA-256', { credentialOf: () => undefined, idSource: systemIdSource })],
  ]),
})

let running: RunningFront | undefined
afterEach(async () => {
  await running?.stop()
  running = undefined
})

async function start(variant: FrontVariant = {}): Promise<RunningFront> {
  running = await startFront({ settings: { listeners }, security: securityOf(), ...variant })
  return running
}

const handshake = (client: RawClient, mechanism = 'PLAIN', version = 1): ReturnType<typeof client.ask<'SaslHandshake'>> =>
  client.ask('SaslHandshake', version, saslHandshakeRequest({ mechanism }))
const token = (client: RawClient, authBytes: Uint8Array, version = 2): ReturnType<typeof client.ask<'SaslAuthenticate'>> =>
  client.ask('SaslAuthenticate', version, saslAuthenticateRequest({ authBytes }))

async function logIn(client: RawClient): Promise<void> {
  await handshake(client)
  expect((await token(client, aliceBytes)).errorCode).toBe(ErrorCode.NONE)
}

const warnings = (): string => JSON.stringify(running?.log.warnings())

describe('SASL', () => {
  test.each([0, 1, 2])('lets a client in whose tokens come in SaslAuthenticate version %i', async (version) => {
    const client = await (await start()).client()
    await client.ask('ApiVersions', 3, apiVersionsRequest({ clientSoftwareName: 'raw', clientSoftwareVersion: '1' }))
    expect(await handshake(client)).toEqual({ errorCode: 0, mechanisms: ['PLAIN', 'SCRAM-SHA-256'] })
    const answer = await token(client, aliceBytes, version)
    expect(answer).toMatchObject({ errorCode: 0, errorMessage: null, sessionLifetimeMs: 0n })
    expect((await client.ask('Metadata', 12, metadataRequest({ topics: [] }))).errorCode).toBe(0)
  })

  test('lets a client in whose tokens are bare, and answers bare', async () => {
    const client = await (await start()).client()
    await handshake(client, 'PLAIN', 0)
    const size = Buffer.alloc(4)
    size.writeInt32BE(aliceBytes.length)
    client.socket.write(Buffer.concat([size, aliceBytes]))
    expect(await client.nextFrame()).toHaveLength(0)
    await client.ask('Metadata', 12, metadataRequest({ topics: [] }))
  })

  test('closes without a word after a bare token that is wrong', async () => {
    const client = await (await start()).client()
    await handshake(client, 'PLAIN', 0)
    client.socket.write(Buffer.from('00000004006100ff', 'hex'))
    await client.whenClosed
    expect(warnings()).toContain('failed to authenticate')
  })

  test('reads what comes right behind one by one: everything at once in one packet works', async () => {
    const client = await (await start()).client()
    client.socket.write(
      Buffer.concat([
        client.frame('SaslHandshake', 1, saslHandshakeRequest({ mechanism: 'PLAIN' })),
        client.frame('SaslAuthenticate', 2, saslAuthenticateRequest({ authBytes: aliceBytes })),
        client.frame('Metadata', 12, metadataRequest({ topics: [] })),
        client.frame('Metadata', 12, metadataRequest({ topics: [] })),
      ]),
    )
    for (let answer = 0; answer < 4; answer += 1) expect((await client.next())?.message).toMatchObject({ errorCode: 0 })
  })

  test('answers a wrong password late and in general words, then closes; neither answer nor log holds it', async () => {
    const client = await (await start()).client()
    await handshake(client)
    const begun = performance.now()
    const answer = await token(client, plain('alice', 'hunter2'))
    expect(performance.now() - begun).toBeGreaterThan(90)
    expect(answer).toMatchObject({
      errorCode: ErrorCode.SASL_AUTHENTICATION_FAILED,
      errorMessage: 'Authentication failed: Invalid username or password',
    })
    await client.whenClosed
    expect(warnings()).toMatch(/failed to authenticate.*PLAIN: wrong user or password, user \\"alice\\"/)
    expect(JSON.stringify(running?.log.lines)).not.toContain('hunter2')
  })

  test('answers a mechanism that is not enabled with those that are, then closes', async () => {
    const client = await (await start()).client()
    const answer = await handshake(client, 'GSSAPI')
    expect(answer).toEqual({ errorCode: ErrorCode.UNSUPPORTED_SASL_MECHANISM, mechanisms: ['PLAIN', 'SCRAM-SHA-256'] })
    await client.whenClosed
  })

  test('closes without an answer when something else is asked first', async () => {
    const client = await (await start()).client()
    client.send('Metadata', 12, metadataRequest({ topics: [] }))
    await client.whenClosed
    expect(await client.nextFrame()).toBeUndefined()
    expect(warnings()).toContain('before its SASL handshake')
  })

  test('answers ILLEGAL_SASL_STATE when something else is asked in the midst of it, then closes', async () => {
    const client = await (await start()).client()
    await handshake(client)
    const answer = await client.ask('FindCoordinator', 2, { key: 'a', keyType: 0, coordinatorKeys: [] })
    expect(answer.errorCode).toBe(ErrorCode.ILLEGAL_SASL_STATE)
    await client.whenClosed
  })

  test('refuses SaslAuthenticate to who is in already, and goes on serving', async () => {
    const client = await (await start()).client()
    await logIn(client)
    expect((await token(client, aliceBytes)).errorCode).toBe(ErrorCode.ILLEGAL_SASL_STATE)
    expect((await handshake(client)).errorCode).toBe(ErrorCode.ILLEGAL_SASL_STATE)
    await client.ask('Metadata', 12, metadataRequest({ topics: [] }))
  })

  test('on a listener without it answers ILLEGAL_SASL_STATE and goes on', async () => {
    running = await startFront()
    const client = await running.client()
    expect(await handshake(client)).toEqual({ errorCode: ErrorCode.ILLEGAL_SASL_STATE, mechanisms: [] })
    expect((await token(client, aliceBytes)).errorCode).toBe(ErrorCode.ILLEGAL_SASL_STATE)
    await client.ask('Metadata', 12, metadataRequest({ topics: [] }))
  })

  test('takes only small frames from who is not in, and any afterwards', async () => {
    const { client: connect } = await start({ listener: { authenticationBytesMax: 1_000 } })
    const client = await connect()
    client.socket.write(Buffer.from('000003e9', 'hex'))
    await client.whenClosed
    expect(warnings()).toContain('a request of 1001 bytes, where 8 to 1000 are allowed')
    const good = await connect()
    await logIn(good)
    const topics = Array.from({ length: 200 }, (_, at) => ({ topicId: 'AAAAAAAAAAAAAAAAAAAAAA', name: `topic-${at}` }))
    await good.ask('Metadata', 12, metadataRequest({ topics, allowAutoTopicCreation: false }))
  })

  test('closes who does not authenticate in time, however busy it looks', async () => {
    const { client: connect } = await start({ listener: { authenticationMs: 300, idleMs: 400 } })
    const client = await connect()
    await client.ask('ApiVersions', 0, apiVersionsRequest())
    await client.whenClosed
    expect(warnings()).toContain('it did not authenticate within 300 ms')
  })

  test.each<[string, Buffer]>([
    ['noise', Buffer.from(Array.from({ length: 64 }, (_, at) => (at * 37) % 256))],
    ['a long name', plain('x'.repeat(5_000), 'y')],
    ['nothing', Buffer.alloc(0)],
  ])('survives %s as a token', async (_what, bytes) => {
    const { client: connect } = await start()
    for (const mechanism of ['PLAIN', 'SCRAM-SHA-256']) {
      const client = await connect()
      await handshake(client, mechanism)
      expect((await token(client, bytes)).errorCode).toBe(ErrorCode.SASL_AUTHENTICATION_FAILED)
      await client.whenClosed
    }
    await logIn(await connect())
  })
})

describe('a session that ends', () => {
  test('is told to the client, renewed on the same connection, and closed when it is not renewed', async () => {
    const { client: connect } = await start({ security: securityOf(1_200) })
    const client = await connect()
    await handshake(client)
    expect((await token(client, aliceBytes)).sessionLifetimeMs).toBe(1_200n)
    await new Promise((resolve) => setTimeout(resolve, 1_050))
    await handshake(client)
    expect((await token(client, aliceBytes)).sessionLifetimeMs).toBe(1_200n)
    await new Promise((resolve) => setTimeout(resolve, 400))
    await client.ask('Metadata', 12, metadataRequest({ topics: [] }))
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    client.send('Metadata', 12, metadataRequest({ topics: [] }))
    await client.whenClosed
    expect(warnings()).toContain('its session has ended')
  })
})

describe('the users of SCRAM', () => {
  const upsertion = { mechanism: 1, iterations: 4096, salt: Buffer.from('salt'), saltedPassword: Buffer.alloc(32, 1) }
  const alter = (client: RawClient, request: Parameters<typeof alterUserScramCredentialsRequest>[0]) =>
    client.ask('AlterUserScramCredentials', 0, alterUserScramCredentialsRequest(request))
  const described = (client: RawClient, users: readonly string[] | null) =>
    client.ask(
      'DescribeUserScramCredentials',
      0,
      describeUserScramCredentialsRequest({ users: users?.map((name) => ({ name })) ?? null }),
    )

  test('are made, described without any key, changed and taken away', async () => {
    running = await startFront()
    const client = await running.client()
    const made = await alter(client, {
      deletions: [],
      upsertions: [
        { ...upsertion, name: 'alice' },
        { ...upsertion, name: 'alice', mechanism: 2, iterations: 8192 },
        { ...upsertion, name: 'bob' },
      ],
    })
    expect(made.results.map(({ user, errorCode }) => [user, errorCode])).toEqual([
      ['alice', 0],
      ['bob', 0],
    ])
    const all = await described(client, null)
    expect(all.results.map(({ user, credentialInfos }) => [user, credentialInfos.map(({ mechanism, iterations }) => [mechanism, iterations])])).toEqual([
      ['alice', [[1, 4096], [2, 8192]]],
      ['bob', [[1, 4096]]],
    ]) // prettier-ignore
    await alter(client, { deletions: [{ name: 'bob', mechanism: 1 }], upsertions: [] })
    const gone = await described(client, ['bob', 'alice', 'alice'])
    expect(gone.results.map(({ errorCode }) => errorCode)).toEqual([ErrorCode.RESOURCE_NOT_FOUND, ErrorCode.DUPLICATE_RESOURCE])
    const kept = running.broker.credentials.of('alice')?.get('SCRAM-SHA-256')
    expect(kept).toEqual(credentialOf({ ...upsertion, mechanism: 'SCRAM-SHA-256' }))
  })

  test('are refused one by one, in Kafka’s words', async () => {
    running = await startFront()
    const client = await running.client()
    const { results } = await alter(client, {
      deletions: [{ name: 'nobody', mechanism: 1 }],
      upsertions: [
        { ...upsertion, name: '' },
        { ...upsertion, name: 'few', iterations: 4095 },
        { ...upsertion, name: 'many', iterations: 16_385 },
        { ...upsertion, name: 'odd', mechanism: 3 },
        { ...upsertion, name: 'twice' },
        { ...upsertion, name: 'twice' },
        { ...upsertion, name: 'half', iterations: 1 },
        { ...upsertion, name: 'half', mechanism: 2 },
        { ...upsertion, name: 'empty', salt: Buffer.alloc(0) },
        { ...upsertion, name: 'good' },
      ],
    })
    const told = new Map(results.map(({ user, errorCode, errorMessage }) => [user, [errorCode, errorMessage]]))
    expect(told.get('nobody')).toEqual([ErrorCode.RESOURCE_NOT_FOUND, 'Attempt to delete a user credential that does not exist'])
    expect(told.get('')).toEqual([ErrorCode.UNACCEPTABLE_CREDENTIAL, 'Username must not be empty'])
    expect(told.get('few')).toEqual([ErrorCode.UNACCEPTABLE_CREDENTIAL, 'Too few iterations'])
    expect(told.get('many')).toEqual([ErrorCode.UNACCEPTABLE_CREDENTIAL, 'Too many iterations'])
    expect(told.get('odd')).toEqual([ErrorCode.UNSUPPORTED_SASL_MECHANISM, 'Unknown SCRAM mechanism'])
    expect(told.get('twice')![0]).toBe(ErrorCode.DUPLICATE_RESOURCE)
    expect(told.get('half')![0]).toBe(ErrorCode.UNACCEPTABLE_CREDENTIAL)
    expect(told.get('empty')![0]).toBe(ErrorCode.UNACCEPTABLE_CREDENTIAL)
    expect(told.get('good')).toEqual([0, null])
    expect([...running.broker.credentials.users()]).toEqual(['good'])
  })

  test('are answered late when the bucket is, and the change goes on', async () => {
    running = await startFront({ metadata: { changeMs: 50 } })
    let open: (() => void) | undefined
    running.broker.creationGate = new Promise((resolve) => (open = resolve))
    const client = await running.client()
    const { results } = await alter(client, { deletions: [], upsertions: [{ ...upsertion, name: 'alice' }] })
    expect(results[0]!.errorCode).toBe(ErrorCode.REQUEST_TIMED_OUT)
    open?.()
    await expect.poll(() => [...running!.broker.credentials.users()]).toEqual(['alice'])
  })
})
