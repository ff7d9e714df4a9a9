/** Owns starting what is compared: our broker and Apache Kafka, behind one face, on folders the bench chooses and removes. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../../localstack/index.ts'
import { makeAuthority } from '../../support/certificates.ts'
import { startBroker } from '../../support/tools/broker.ts'
import { startApacheKafka } from '../../support/tools/kafka.ts'
import { createTopic } from '../../support/tools/topic.ts'

export type Kind = 'chronik' | 'kafka' | 'kafka-fsync'

export interface Contestant {
  readonly kind: Kind
  readonly bootstrap: string
  /** The listener with TLS, where a load asked for one. */
  readonly tls?: TlsAccess
  readonly startMs: number
  pid(): number
  createTopic(topic: string, partitions: number): Promise<void>
  stop(): Promise<void>
}

export interface TlsAccess {
  readonly bootstrap: string
  /** In PEM. */
  readonly authorityFile: string
}

export interface Ground {
  /** Both brokers' disks are here. */
  readonly diskDir: string
  /** Our bucket as a folder. */
  readonly bucketDir: string
  /** More arguments of `chronik start`. */
  readonly chronikArgs: readonly string[]
}

/** What is configured to wait must not show: rebalances (the peer is started with `group.initial.rebalance.delay.ms=0`), and cleaning. */
const cleanerBackoffMs = '100'
const sameAsPeer = ['--groups-initial-rebalance-delay-ms', '0', '--cleaner-backoff-ms', cleanerBackoffMs]

/**
 * `seat` keeps two contestants of one kind apart; the same seat again finds its data again, unless it was cleared. `withTls` opens a
 * second listener, with a certificate that is made here.
 */
export async function enter(kind: Kind, seat: string, ground: Ground, withTls = false): Promise<Contestant> {
  const dir = join(ground.diskDir, seat)
  const tls = withTls ? await certified(join(ground.diskDir, `${seat}-tls`)) : undefined
  const access = tls === undefined ? {} : { tls }
  if (kind === 'chronik') {
    const store = { kind: 'local' as const, dir: join(ground.bucketDir, seat) }
    const kafkaPort = await freePort()
    const listeners = tls === undefined ? [] : chronikTls(kafkaPort, tls)
    const broker = await startBroker({ dir, store, kafkaPort, extra: [...sameAsPeer, ...listeners, ...ground.chronikArgs] })
    const { bootstrap } = broker
    return {
      kind,
      bootstrap,
      startMs: broker.startMs(),
      pid: () => broker.pid(),
      stop: () => broker.stop(),
      ...admin(bootstrap),
      ...access,
    }
  }
  const port = await freePort()
  const overrides = {
    'log.cleaner.backoff.ms': cleanerBackoffMs,
    ...(kind === 'kafka-fsync' ? { 'log.flush.interval.messages': '1' } : {}),
    ...(tls === undefined ? {} : await kafkaTls(port, tls)),
  }
  const kafka = await startApacheKafka({ dir, port, overrides })
  const { bootstrap, startMs } = kafka
  return { kind, bootstrap, startMs, pid: () => kafka.pid, stop: () => kafka.stop(), ...admin(bootstrap), ...access }
}

interface Certified extends TlsAccess {
  readonly certificate: string
  readonly key: string
}

async function certified(folder: string): Promise<Certified> {
  mkdirSync(folder, { recursive: true })
  const authority = makeAuthority(folder)
  return {
    bootstrap: `127.0.0.1:${await freePort()}`,
    authorityFile: authority.certificate,
    ...authority.sign('node', '/CN=localhost'),
  }
}

const chronikTls = (plainPort: number, { bootstrap, certificate, key }: Certified): string[] => [
  ...['--kafka-listeners', `PLAINTEXT://127.0.0.1:${plainPort},SSL://${bootstrap}`],
  ...['--tls-certificate-file', certificate, '--tls-key-file', key],
]

async function kafkaTls(plainPort: number, { bootstrap, certificate, key }: Certified): Promise<Record<string, string>> {
  const store = `${certificate}.store.pem`
  writeFileSync(store, readFileSync(key, 'utf8') + readFileSync(certificate, 'utf8'))
  const clients = `PLAINTEXT://127.0.0.1:${plainPort},SSL://${bootstrap}`
  return {
    listeners: `${clients},CONTROLLER://127.0.0.1:${await freePort()}`,
    'advertised.listeners': clients,
    // Given by default only where nothing but PLAINTEXT is listened on.
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT',
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': store,
  }
}

export function clear(seat: string, ground: Ground): void {
  for (const folder of [join(ground.diskDir, seat), join(ground.diskDir, `${seat}-tls`), join(ground.bucketDir, seat)])
    rmSync(folder, { recursive: true, force: true })
}

const admin = (bootstrap: string): Pick<Contestant, 'createTopic'> => ({
  createTopic: (topic, partitions) => createTopic(bootstrap, topic, partitions),
})
