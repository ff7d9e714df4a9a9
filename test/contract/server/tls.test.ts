// Owns the claims about TLS on the Kafka port: who gets in and as whom, that everything wrong closes one connection with a log line, and
// that certificates are renewed without a restart.

import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { X509Certificate } from 'node:crypto'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/base/node/system-clock.ts'
import { systemIdSource } from '../../../src/base/node/system-id-source.ts'
import { metadataRequest } from '../../../src/protocol/generated/metadata.ts'
import type { ListenerPlan, NodeSettings } from '../../../src/server/index.ts'
import { parseMappingRules } from '../../../src/server/security/mapping-rules.ts'
import { NodeSecurity, noSecurity } from '../../../src/server/security/node-security.ts'
import { showPrincipal } from '../../../src/server/security/principal.ts'
import { type ClientAuth, type TlsSettings, WatchedTlsIdentity } from '../../../src/server/security/tls-identity.ts'
import { type Authority, type KeyPair, makeAuthority } from '../../support/certificates.ts'
import { settings } from '../../support/test-node.ts'
import { MemoryBroker } from './support/memory-broker.ts'
import { RawClient } from './support/raw-client.ts'
import { RecordingLog, type RunningFront, startFront } from './support/running-front.ts'

const listen = { host: '127.0.0.1', port: 0 }
const listeners: readonly ListenerPlan[] = [
  { name: 'SSL', protocol: 'SSL', listen },
  { name: 'PLAINTEXT', protocol: 'PLAINTEXT', listen },
]

let folder: string
let authority: Authority
let node: KeyPair
let alice: KeyPair
let stranger: KeyPair

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'chronik-tls-'))
  authority = makeAuthority(folder)
  node = authority.sign('node', '/CN=node')
  alice = authority.sign('alice', '/O=Example, Inc./OU=Sales/CN=Alice')
  stranger = makeAuthority(folder, 'other').sign('stranger', '/CN=stranger')
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

interface Secured {
  readonly running: RunningFront
  readonly identity: WatchedTlsIdentity
  readonly log: RecordingLog
}

const open: Secured[] = []
afterEach(async () => {
  for (const { running, identity } of open.splice(0)) {
    await running.stop()
    identity.close()
  }
})

interface Order extends Partial<TlsSettings> {
  readonly rules?: string
  readonly handshakeMs?: number
}

async function identityFor(order: Order, log = new RecordingLog()): Promise<WatchedTlsIdentity> {
  const rules = parseMappingRules(order.rules ?? 'DEFAULT')
  if (!rules.ok) throw new Error(rules.failure)
  const settings: TlsSettings = {
    certificateFile: node.certificate,
    keyFile: node.key,
    keyPassword: undefined,
    caFile: authority.certificate,
    clientAuth: 'none',
    minVersion: 'TLSv1.2',
    reloadIntervalMs: 20,
    settingOf: (key) => `tls.${key}`,
    ...order,
  }
  return WatchedTlsIdentity.open(settings, rules.value, { clock: systemClock, log })
}

async function start(order: Order = {}): Promise<Secured> {
  const log = new RecordingLog()
  const identity = await identityFor(order, log)
  const listener = order.handshakeMs === undefined ? {} : { handshakeMs: order.handshakeMs }
  const running = await startFront({
    settings: { listeners },
    security: { ...noSecurity, tls: new Map([['SSL', identity]]) },
    listener,
  })
  const secured = { running, identity, log }
  open.push(secured)
  return secured
}

const pem = (pair: KeyPair): ConnectionOptions => ({ cert: readFileSync(pair.certificate), key: readFileSync(pair.key) })

/** A client whose handshake is over; TLS 1.3 tells a refused certificate only afterwards. */
function dial(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const trusted = { host: '127.0.0.1', port, ca: readFileSync(authority.certificate), ...options }
    const socket = connect(trusted, () => {
      socket.off('error', reject)
      resolve(socket)
    })
    socket.once('error', reject)
  })
}

/** Whether a request is answered. */
async function isServed(port: number, options: ConnectionOptions = {}): Promise<boolean> {
  const socket = await dial(port, options).catch(() => undefined)
  if (socket === undefined) return false
  const client = RawClient.over(socket)
  client.send('Metadata', 12, metadataRequest({ topics: [] }))
  const answer = await client.next()
  client.close()
  return answer !== undefined
}

const warned = async (running: RunningFront, pattern: RegExp): Promise<void> => {
  await expect
    .poll(() =>
      running.log
        .warnings()
        .map((line) => JSON.stringify(line))
        .join('\n'),
    )
    .toMatch(pattern)
}

describe('TLS', () => {
  test('serves Kafka, and a plain listener beside it', async () => {
    const { running } = await start()
    expect(await isServed(running.ports[0]!)).toBe(true)
    const plain = await RawClient.connect(running.ports[1]!)
    await plain.ask('Metadata', 12, metadataRequest({ topics: [] }))
    plain.close()
  })

  test('answers larger than a record and many requests at once arrive whole', async () => {
    const { running } = await start()
    for (let topic = 0; topic < 3_000; topic += 1) running.broker.add(`a-topic-with-a-rather-long-name-${topic}`)
    const client = RawClient.over(await dial(running.ports[0]!))
    for (let round = 0; round < 5; round += 1) client.send('Metadata', 12, metadataRequest({ topics: null }))
    for (let round = 0; round < 5; round += 1) {
      const answer = (await client.next())?.message as { topics: unknown[] }
      expect(answer.topics).toHaveLength(3_000)
    }
    client.close()
  })

  test.each<[string, Buffer]>([
    ['a Kafka request in plain', Buffer.from('0000001000030000000000010003726177ffffffff', 'hex')],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['garbage', Buffer.from(Array.from({ length: 4_000 }, (_, at) => (at * 7) % 256))],
    ['zeros', Buffer.alloc(100)],
    ['a hello that is cut', Buffer.from('16030100050100000100', 'hex')],
  ])('%s closes that connection alone, with a log line', async (_what, bytes) => {
    const { running } = await start({ handshakeMs: 300 })
    const other = RawClient.over(await dial(running.ports[0]!))
    const socket = createConnection({ host: '127.0.0.1', port: running.ports[0]! })
    socket.on('error', () => undefined)
    socket.resume()
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.write(bytes)
    await closed
    await warned(running, /TLS handshake failed/)
    await other.ask('Metadata', 12, metadataRequest({ topics: [] }))
    other.close()
  })

  test('a client that says nothing is closed when the time for the handshake is over', async () => {
    const { running } = await start({ handshakeMs: 200 })
    const socket = createConnection({ host: '127.0.0.1', port: running.ports[0]! })
    socket.on('error', () => undefined)
    socket.resume()
    await new Promise((resolve) => socket.once('close', resolve))
    await warned(running, /did not finish the handshake in time/)
  })

  test('handshakes under way count among the connections, so that nobody can open any number of them', async () => {
    const { running } = await start({ handshakeMs: 60_000 })
    const front = await startFront({
      settings: { listeners },
      security: { ...noSecurity, tls: new Map([['SSL', open[0]!.identity]]) },
      listener: { connectionsMax: 3 },
    })
    const sockets = Array.from({ length: 5 }, () => createConnection({ host: '127.0.0.1', port: front.ports[0]! }))
    let closed = 0
    for (const socket of sockets)
      socket
        .on('error', () => undefined)
        .on('close', () => (closed += 1))
        .resume()
    await expect.poll(() => closed).toBe(2)
    for (const socket of sockets) socket.destroy()
    await front.stop()
    expect(await isServed(running.ports[0]!)).toBe(true)
  })

  test('TLS on a plain listener is told from other nonsense', async () => {
    const { running } = await start()
    await expect(dial(running.ports[1]!)).rejects.toThrow()
    await warned(running, /begins like a TLS handshake/)
  })

  test('a client with an older TLS than allowed is turned away', async () => {
    const { running } = await start({ minVersion: 'TLSv1.3' })
    expect(await isServed(running.ports[0]!, { maxVersion: 'TLSv1.2' })).toBe(false)
    expect(await isServed(running.ports[0]!)).toBe(true)
  })

  test('a stop ends handshakes under way', async () => {
    const { running } = await start({ handshakeMs: 60_000 })
    const socket = createConnection({ host: '127.0.0.1', port: running.ports[0]! })
    socket.on('error', () => undefined)
    socket.resume()
    await new Promise((resolve) => socket.once('connect', resolve))
    const closed = new Promise((resolve) => socket.once('close', resolve))
    await running.stop()
    await closed
  })
})

describe('a client’s certificate', () => {
  test.each<[ClientAuth, { alice: boolean; nobody: boolean; stranger: boolean }]>([
    ['none', { alice: true, nobody: true, stranger: true }],
    ['requested', { alice: true, nobody: true, stranger: false }],
    ['required', { alice: true, nobody: false, stranger: false }],
  ])('with client-auth %s', async (clientAuth, expected) => {
    const { running } = await start({ clientAuth })
    const port = running.ports[0]!
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      expect(await isServed(port, { ...pem(alice), maxVersion })).toBe(expected.alice)
      expect(await isServed(port, { maxVersion })).toBe(expected.nobody)
      expect(await isServed(port, { ...pem(stranger), maxVersion })).toBe(expected.stranger)
    }
  })

  test('names the principal by the mapping rules, and closes the connection when none fits', async () => {
    const rules = String.raw`RULE:^CN=(.*?),OU=(.*?),.*$/$1@$2/L`
    const { running, identity } = await start({ clientAuth: 'required', rules })
    const seen = { ...pem(alice) }
    expect(await isServed(running.ports[0]!, seen)).toBe(true)
    const der = (pair: KeyPair): Buffer =>
      Buffer.from(readFileSync(pair.certificate, 'utf8').replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
    const principal = identity.principalOf(der(alice))
    expect(principal.ok && showPrincipal(principal.value)).toBe('User:alice@sales')
    const nameless = authority.sign('nameless', '/CN=bob')
    expect(await isServed(running.ports[0]!, pem(nameless))).toBe(false)
    await warned(running, /no rule of tls\.principal-mapping-rules fits CN=bob/)
  })
})

describe('the TLS files', () => {
  test('are taken anew when they change, and connections that are open stay', async () => {
    const [certificateFile, keyFile] = [join(folder, 'live.pem'), join(folder, 'live.key')]
    copyFileSync(node.certificate, certificateFile)
    copyFileSync(node.key, keyFile)
    const { running, log } = await start({ certificateFile, keyFile })
    const before = await dial(running.ports[0]!)
    const client = RawClient.over(before)
    expect(before.getPeerCertificate().subject.CN).toBe('node')
    const renewed = authority.sign('renewed', '/CN=renewed')

    copyFileSync(renewed.certificate, certificateFile)
    await expect.poll(() => log.warnings().length).toBe(1)
    expect(log.warnings()[0]!.message).toContain('those before stay in use')
    const between = await dial(running.ports[0]!)
    expect(between.getPeerCertificate().subject.CN).toBe('node')
    between.destroy()

    copyFileSync(renewed.key, keyFile)
    await expect
      .poll(async () => {
        const socket = await dial(running.ports[0]!)
        const name = socket.getPeerCertificate().subject.CN
        socket.destroy()
        return name
      })
      .toBe('renewed')
    await client.ask('Metadata', 12, metadataRequest({ topics: [] }))
    client.close()
    expect(log.warnings()).toHaveLength(1)
  })

  test('that are gone for a while change nothing, and are told once', async () => {
    const certificateFile = join(folder, 'fleeting.pem')
    copyFileSync(node.certificate, certificateFile)
    const { running, log } = await start({ certificateFile })
    rmSync(certificateFile)
    await expect.poll(() => log.warnings().length).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(log.warnings()).toHaveLength(1)
    expect(JSON.stringify(log.warnings())).toContain('ENOENT')
    expect(await isServed(running.ports[0]!)).toBe(true)
  })

  test('may have a key with a password', async () => {
    const locked = authority.sign('locked', '/CN=locked', { password: 'hunter2' })
    const files = { certificateFile: locked.certificate, keyFile: locked.key }
    const { running } = await start({ ...files, keyPassword: 'hunter2' })
    expect(await isServed(running.ports[0]!)).toBe(true)
    await expect(identityFor({ ...files, keyPassword: 'wrong' })).rejects.toThrow(
      /cannot be read as a private key.*tls\.key-password/,
    )
    await expect(identityFor(files)).rejects.toThrow(/cannot be read as a private key/)
  })

  test.each<[string, () => Order, RegExp]>([
    [
      'a missing certificate',
      () => ({ certificateFile: '/nowhere/a.pem' }),
      /tls\.certificate-file names \/nowhere\/a\.pem.*ENOENT/,
    ],
    ['a certificate that is none', () => ({ certificateFile: node.key }), /tls\.certificate-file names .* no certificate in PEM/],
    ['a key that is none', () => ({ keyFile: node.certificate }), /tls\.key-file names .* cannot be read as a private key/],
    ['the key of another', () => ({ keyFile: alice.key }), /do not belong together/],
    ['authorities that are none', () => ({ caFile: node.key }), /tls\.ca-file names .* no certificate in PEM/],
  ])('%s ends the start with its name and a remedy, and shows no key', async (_what, order, expected) => {
    const failure: unknown = await identityFor(order()).then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(String(failure)).toMatch(expected)
    expect(String(failure)).not.toContain('PRIVATE')
  })

  test('an expired certificate is used, and the log says so', async () => {
    const log = new RecordingLog()
    const old = authority.sign('old', '/CN=old', { days: 0 })
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    const identity = await identityFor({ certificateFile: old.certificate, keyFile: old.key }, log)
    identity.close()
    expect(log.warnings().map(({ message }) => message)).toEqual([expect.stringContaining('has expired')])
  })
})

describe('each listener', () => {
  /** The settings of a node, as far as its security goes. */
  const nodeSettings = (listenerTls: NodeSettings['listenerTls']): NodeSettings => ({
    ...settings,
    tls: { ...settings.tls, certificateFile: node.certificate, keyFile: node.key, caFile: authority.certificate },
    listenerTls,
    security: { reloadIntervalMs: 20 },
  })
  const plans: readonly ListenerPlan[] = [
    { name: 'INTERNAL', protocol: 'SSL', listen },
    { name: 'EXTERNAL', protocol: 'SSL', listen },
    { name: 'OTHER', protocol: 'SSL', listen },
  ]

  async function startWith(listenerTls: NodeSettings['listenerTls']) {
    const log = new RecordingLog()
    const security = await NodeSecurity.open(nodeSettings(listenerTls), plans, {
      clock: systemClock,
      log,
      idSource: systemIdSource,
    })
    const running = await startFront({ settings: { listeners: plans }, security: security.front(new MemoryBroker().scram) })
    return {
      running,
      log,
      stop: async () => {
        await running.stop()
        security.close()
      },
    }
  }

  const subjectShown = async (port: number, options: ConnectionOptions = {}): Promise<string> => {
    const socket = await dial(port, options)
    const name = String(socket.getPeerCertificate().subject.CN)
    socket.destroy()
    return name
  }

  test('shows its own certificate, asks for its own authority, and takes new files of its own; the others have the common one', async () => {
    const outside = makeAuthority(folder, 'outside')
    const guest = outside.sign('guest', '/CN=guest,O=Outside')
    const [certificateFile, keyFile] = [join(folder, 'own.pem'), join(folder, 'own.key')]
    const first = authority.sign('own-first', '/CN=own-first')
    copyFileSync(first.certificate, certificateFile)
    copyFileSync(first.key, keyFile)
    const own = { certificateFile, keyFile, caFile: outside.certificate, clientAuth: 'required' as const }
    const { running, stop } = await startWith({ EXTERNAL: own })
    try {
      const [internal, external, other] = running.ports
      expect(await subjectShown(internal!)).toBe('node')
      expect(await subjectShown(other!)).toBe('node')
      expect(await subjectShown(external!, pem(guest))).toBe('own-first')
      expect(await isServed(external!, pem(guest))).toBe(true)
      expect(await isServed(external!, pem(alice))).toBe(false)
      expect(await isServed(external!)).toBe(false)
      expect(await isServed(internal!)).toBe(true)
      const second = authority.sign('own-second', '/CN=own-second')
      copyFileSync(second.certificate, certificateFile)
      copyFileSync(second.key, keyFile)
      await expect.poll(() => subjectShown(external!, pem(guest)), { timeout: 10_000 }).toBe('own-second')
      expect(await subjectShown(internal!)).toBe('node')
    } finally {
      await stop()
    }
  })

  test('names its user by its own rules', async () => {
    const rules = { principalMappingRules: 'RULE:^CN=(.*?)$/$1/U' }
    const security = await NodeSecurity.open(nodeSettings({ EXTERNAL: rules }), plans, {
      clock: systemClock,
      log: new RecordingLog(),
      idSource: systemIdSource,
    })
    const bob = authority.sign('bob', '/CN=bob')
    const named = (listener: string) => {
      const raw = new X509Certificate(readFileSync(bob.certificate)).raw
      const principal = security.front(new MemoryBroker().scram).tls.get(listener)!.principalOf(raw)
      return principal.ok ? showPrincipal(principal.value) : principal.failure
    }
    expect([named('INTERNAL'), named('EXTERNAL')]).toEqual(['User:CN=bob', 'User:BOB'])
    security.close()
  })

  test('with files that do not do ends the start, and says which setting of which listener', async () => {
    const wrong = startWith({ EXTERNAL: { certificateFile: join(folder, 'nowhere.pem') } })
    await expect(wrong).rejects.toThrow(/listener-tls\.EXTERNAL\.certificate-file/)
    // The certificate is its own, the key is the common one.
    const apart = startWith({ EXTERNAL: { certificateFile: alice.certificate } })
    await expect(apart).rejects.toThrow(
      /listener-tls\.EXTERNAL\.certificate-file must hold the certificate of the key in tls\.key-file/,
    )
  })
})
