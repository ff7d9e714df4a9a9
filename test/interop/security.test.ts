/**
 * Real clients over secured listeners: TLS with and without certificates of their own, and every mechanism of SASL. One broker with four
 * listeners serves all; its users are made as people make them, by kafka-configs.
 */
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../localstack/index.ts'
import { type Authority, type KeyPair, makeAuthority } from '../support/certificates.ts'
import { type Broker, startBroker } from '../support/tools/broker.ts'
import { describeWithTools } from '../support/tools/tools.ts'
import { freshName } from './broker-under-test.ts'
import {
  type Access,
  confluentStory,
  javaStory,
  javaTold,
  kafkajsFor,
  kafkajsStory,
  kcatStory,
  type Login,
  protocolOf,
  type Story,
} from './clients/secured.ts'

const slowMs = 180_000
const configs = 'kafka.admin.ConfigCommand'
const topics = 'org.apache.kafka.tools.TopicCommand'
const values = ['one', 'two', 'three']
const passwords = { admin: 'admin-pass-1x', plain: 'plain-pass-2y', scram: 'scram-pass-3z' }
const issuer = 'https://login.example'
const audience = 'chronik'

describeWithTools(['kafka', 'python', 'kcat'], 'Secured listeners', () => {
  let folder: string
  let broker: Broker
  let authority: Authority
  let alice: KeyPair
  let ports: Record<'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL', number>
  let signToken: (subject: string, order?: { expiresIn?: string; audience?: string; forged?: boolean }) => Promise<string>

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'chronik-security-'))
    authority = makeAuthority(folder)
    const node = authority.sign('node', '/CN=node')
    alice = authority.sign('alice', '/O=Example/CN=alice')
    writeFileSync(join(folder, 'users.toml'), `paula = "${passwords.plain}"\n`, { mode: 0o600 })
    const [good, forged] = [
      generateKeyPairSync('rsa', { modulusLength: 2048 }),
      generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ]
    const jwk = { ...(await exportJWK(good.publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }
    writeFileSync(join(folder, 'jwks.json'), JSON.stringify({ keys: [jwk] }))
    signToken = (subject, order = {}) =>
      new SignJWT({ scope: 'kafka' })
        .setProtectedHeader({ alg: 'RS256', kid: 'one', typ: 'JWT' })
        .setSubject(subject)
        .setIssuer(issuer)
        .setAudience(order.audience ?? audience)
        .setIssuedAt()
        .setExpirationTime(order.expiresIn ?? '10m')
        .sign(order.forged === true ? forged.privateKey : good.privateKey)
    const kafkaPort = await freePort()
    ports = { SSL: await freePort(), SASL_PLAINTEXT: await freePort(), SASL_SSL: await freePort() }
    const secured = Object.entries(ports).map(([protocol, port]) => `${protocol}://127.0.0.1:${port}`)
    broker = await startBroker({
      kafkaPort,
      env: { CHRONIK_SASL_ADMIN_PASSWORD: passwords.admin },
      extra: [
        ['--kafka-listeners', [`PLAINTEXT://127.0.0.1:${kafkaPort}`, ...secured].join(',')],
        ['--tls-certificate-file', node.certificate],
        ['--tls-key-file', node.key],
        ['--tls-ca-file', authority.certificate],
        ['--tls-client-auth', 'required'],
        ['--sasl-mechanisms', 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER'],
        ['--sasl-plain-users-file', join(folder, 'users.toml')],
        ['--sasl-admin-user', 'admin'],
        ['--sasl-oauth-jwks-file', join(folder, 'jwks.json')],
        ['--sasl-oauth-issuer', issuer],
        ['--sasl-oauth-audience', audience],
        ['--groups-initial-rebalance-delay-ms', '0'],
      ].flat(),
    })
  }, slowMs)
  afterAll(async () => {
    await broker.stop()
    rmSync(folder, { recursive: true, force: true })
  }, slowMs)

  const access = (protocol: keyof typeof ports, login?: Login): Access => ({
    bootstrap: `127.0.0.1:${ports[protocol]}`,
    folder,
    ...(protocol === 'SASL_PLAINTEXT' ? {} : { tls: { authority, ...(protocol === 'SSL' ? { own: alice } : {}) } }),
    ...(login === undefined ? {} : { login }),
  })
  const admin: Login = { mechanism: 'SCRAM-SHA-256', user: 'admin', password: passwords.admin }
  const plain: Login = { mechanism: 'PLAIN', user: 'paula', password: passwords.plain }
  const scram = (mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-512'): Login => ({ mechanism, user: 'sam', password: passwords.scram })
  const logins: ReadonlyArray<readonly [string, () => Promise<Login>]> = [
    ['PLAIN', () => Promise.resolve(plain)],
    ['SCRAM-SHA-256', () => Promise.resolve(scram('SCRAM-SHA-256'))],
    ['SCRAM-SHA-512', () => Promise.resolve(scram('SCRAM-SHA-512'))],
    ['OAUTHBEARER', async () => ({ mechanism: 'OAUTHBEARER', token: await signToken('olga') })],
  ]

  it(
    'gives users to kafka-configs, which the first administrator may make',
    async () => {
      const by = access('SASL_SSL', admin)
      const entity = ['--entity-type', 'users', '--entity-name', 'sam']
      const both = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].map((name) => `${name}=[iterations=8192,password=${passwords.scram}]`)
      await javaTold(configs, by, { args: ['--alter', ...entity, '--add-config', both.join(',')] })
      await javaTold(configs, by, {
        args: ['--alter', '--entity-type', 'users', '--entity-name', 'gone', '--add-config', 'SCRAM-SHA-256=[password=x]'],
      })
      await javaTold(configs, by, {
        args: ['--alter', '--entity-type', 'users', '--entity-name', 'gone', '--delete-config', 'SCRAM-SHA-256'],
      })
      const described = await javaTold(configs, by, { args: ['--describe', ...entity] })
      for (const name of ['SCRAM-SHA-256', 'SCRAM-SHA-512']) expect(described).toContain(`${name}=iterations=8192`)
      const made = await javaTold(topics, by, { args: ['--create', '--topic', 'made-by-admin'] })
      expect(made).toContain('Created topic')
    },
    slowMs,
  )

  const tell = async (story: Story, way: Access): Promise<void> => {
    expect(await story(way, freshName(`secure-${protocolOf(way)}`.toLowerCase().replaceAll('_', '-')), values)).toEqual(values)
  }

  describe.each<[string, Story]>([
    ['kafkajs', kafkajsStory],
    ['confluent-kafka', confluentStory],
  ])('%s', (_name, story) => {
    it('comes in with a certificate of its own', () => tell(story, access('SSL')), slowMs)
    for (const protocol of ['SASL_PLAINTEXT', 'SASL_SSL'] as const) {
      for (const [mechanism, login] of logins)
        it(`comes in over ${protocol} with ${mechanism}`, async () => tell(story, access(protocol, await login())), slowMs)
    }
  })

  describe('kcat', () => {
    it('comes in with a certificate of its own', () => tell(kcatStory, access('SSL')), slowMs)
    for (const protocol of ['SASL_PLAINTEXT', 'SASL_SSL'] as const) {
      for (const [mechanism, login] of logins.filter(([name]) => name !== 'OAUTHBEARER'))
        it(`comes in over ${protocol} with ${mechanism}`, async () => tell(kcatStory, access(protocol, await login())), slowMs)
    }
  })

  describe('the Java client', () => {
    it('comes in with a certificate of its own', () => tell(javaStory, access('SSL')), slowMs)
    it(
      'comes in over SASL_PLAINTEXT with SCRAM-SHA-256',
      () => tell(javaStory, access('SASL_PLAINTEXT', scram('SCRAM-SHA-256'))),
      slowMs,
    )
    for (const [mechanism, login] of logins)
      it(`comes in over SASL_SSL with ${mechanism}`, async () => tell(javaStory, access('SASL_SSL', await login())), slowMs)
  })

  describe('nobody comes in', () => {
    const refused = async (story: Story, way: Access, words: RegExp): Promise<void> => {
      await expect(story(way, freshName('refused'), values)).rejects.toThrow(words)
    }

    it.each<[string, () => Login]>([
      ['PLAIN', () => ({ ...plain, password: 'hunter2' })],
      ['SCRAM-SHA-256', () => ({ ...scram('SCRAM-SHA-256'), password: 'hunter2' })],
      ['SCRAM-SHA-512', () => ({ mechanism: 'SCRAM-SHA-512', user: 'nobody', password: 'hunter2' })],
      ['SCRAM-SHA-256', () => ({ mechanism: 'SCRAM-SHA-256', user: 'gone', password: 'x' })],
    ])('with a wrong password or an unknown user, %s', async (_mechanism, login) => {
      await refused(kafkajsStory, access('SASL_SSL', login()), /authentication|credentials/i)
    })

    it('with a token that is expired, forged, or for another', async () => {
      for (const order of [{ expiresIn: '-1h' }, { forged: true }, { audience: 'another' }])
        await refused(
          kafkajsStory,
          access('SASL_SSL', { mechanism: 'OAUTHBEARER', token: await signToken('olga', order) }),
          // kafkajs hangs up without a word of its own.
          /closed connection/i,
        )
      expect(broker.logs()).toMatch(/ERR_JWT_EXPIRED.*refused a bearer token/)
    })

    it('without a certificate where one is required, or without trusting ours', async () => {
      const { bootstrap, tls } = access('SSL')
      await refused(kafkajsStory, { bootstrap, folder, tls: { authority: tls!.authority } }, /./)
      const other = makeAuthority(folder, 'untrusted')
      await refused(kafkajsStory, { bootstrap, folder, tls: { authority: other, own: alice } }, /certificate/i)
    })

    it(
      'with Java’s own words for it',
      async () => {
        const way = access('SASL_SSL', { mechanism: 'SCRAM-SHA-256', user: 'sam', password: 'hunter2' })
        const words = 'SaslAuthenticationException: Authentication failed during authentication due to invalid credentials'
        await expect(javaTold(topics, way, { args: ['--list'] })).rejects.toThrow(words)
      },
      slowMs,
    )
  })

  describe('afterwards', () => {
    it(
      'users come back with the broker, after a crash and on an empty disk',
      async () => {
        const login = access('SASL_SSL', scram('SCRAM-SHA-512'))
        const knows = async (): Promise<void> => {
          const client = kafkajsFor(login).admin()
          await client.connect()
          expect(await client.listTopics()).toContain('made-by-admin')
          await client.disconnect()
        }
        await broker.restart()
        await knows()
        await broker.kill9()
        broker.wipeDisk()
        await broker.restart()
        await knows()
      },
      slowMs,
    )

    it('no password is in a log, and no salted one in the bucket', () => {
      const logs = broker.logs()
      const secrets = [...Object.values(passwords), 'hunter2', 'PRIVATE KEY']
      for (const secret of secrets) expect(logs).not.toContain(secret)
      const store = broker.store
      if (store.kind !== 'local') throw new Error('the bucket is a folder here')
      for (const name of readdirSync(store.dir, { recursive: true, encoding: 'utf8' })) {
        const path = join(store.dir, name)
        if (!statSync(path).isFile()) continue
        const content = readFileSync(path).toString('latin1')
        for (const secret of secrets) expect(content.includes(secret), `${name} holds a password`).toBe(false)
      }
    })
  })
})
