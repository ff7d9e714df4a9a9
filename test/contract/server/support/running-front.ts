// Owns starting a Kafka front on a free port over a broker in memory, for one test.

import type { Clock } from '../../../../src/base/clock.ts'
import { systemClock } from '../../../../src/base/node/system-clock.ts'
import { LogLevels } from '../../../../src/base/log-levels.ts'
import type { Log, LogFields } from '../../../../src/base/log.ts'
import { standardGroupSettings } from '../../../../src/groups/index.ts'
import { seededPrng } from '../../../../src/base/prng.ts'
import {
  defaultLimits,
  type FrontSettings,
  type GroupCoordinator,
  KafkaFront,
  type ListenerPlan,
  type ServerLimits,
} from '../../../../src/server/index.ts'
import type { FrontSecurity } from '../../../../src/server/security/node-security.ts'
import { MemoryTransactions } from '../../../support/memory-transactions.ts'
import { MemoryBroker } from './memory-broker.ts'
import { RawClient } from './raw-client.ts'

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly fields: LogFields | undefined
}

export class RecordingLog implements Log {
  readonly lines: LogLine[] = []
  readonly #add =
    (level: string) =>
    (message: string, fields?: LogFields): void => {
      this.lines.push({ level, message, fields })
    }
  readonly debug = this.#add('debug')
  readonly info = this.#add('info')
  readonly warn = this.#add('warn')
  readonly error = this.#add('error')
  with(): Log {
    return this
  }

  named(): Log {
    return this
  }

  warnings(): LogLine[] {
    return this.lines.filter(({ level }) => level === 'warn' || level === 'error')
  }
}

/** Every call fails the test loudly: a front over this one serves no groups. */
const noGroups = new Proxy(
  {},
  {
    get: (_target, method) => () => {
      throw new Error(`no groups here: ${String(method)}`)
    },
  },
) as GroupCoordinator

export const plainListener: ListenerPlan = {
  name: 'PLAINTEXT',
  protocol: 'PLAINTEXT',
  listen: { host: '127.0.0.1', port: 0 },
}

export interface RunningFront {
  readonly front: KafkaFront
  readonly broker: MemoryBroker
  readonly log: RecordingLog
  readonly logLevels: LogLevels
  readonly port: number
  /** Of every listener. */
  readonly ports: readonly number[]
  client(): Promise<RawClient>
  stop(): Promise<void>
}

export interface FrontVariant {
  readonly settings?: Partial<FrontSettings>
  readonly listener?: Partial<ServerLimits['listener']>
  readonly fetch?: Partial<ServerLimits['fetch']>
  readonly metadata?: Partial<ServerLimits['metadata']>
  readonly quotas?: Partial<ServerLimits['quotas']>
  readonly clock?: Clock
  readonly groups?: GroupCoordinator
  readonly security?: FrontSecurity
  readonly broker?: MemoryBroker
}

export async function startFront(variant: FrontVariant = {}): Promise<RunningFront> {
  const broker = variant.broker ?? new MemoryBroker()
  const { clock = systemClock } = variant
  const log = new RecordingLog()
  const logLevels = new LogLevels('INFO')
  logLevels.register('groups')
  const clients: RawClient[] = []
  const transactions = new MemoryTransactions(clock)
  const front = new KafkaFront({
    broker,
    groups: variant.groups ?? noGroups,
    transactions: transactions.coordinator,
    markers: { write: () => Promise.resolve('written') },
    clock,
    prng: seededPrng(1),
    log,
    logLevels,
    logDir: { path: '/somewhere/wal', space: () => Promise.resolve({ totalBytes: 1000, usableBytes: 400 }) },
    settings: {
      listeners: [plainListener],
      rack: null,
      autoCreateTopics: true,
      groups: standardGroupSettings,
      ...variant.settings,
    },
    ...(variant.security === undefined ? {} : { security: variant.security }),
    limits: {
      listener: { ...defaultLimits.listener, drainMs: 2_000, lingerMs: 20, ...variant.listener },
      fetch: { ...defaultLimits.fetch, ...variant.fetch },
      metadata: { ...defaultLimits.metadata, ...variant.metadata },
      quotas: { ...defaultLimits.quotas, ...variant.quotas },
    },
  })
  const ports = (await front.start()).map((bound) => bound.port)
  const port = ports[0]!
  return {
    front,
    broker,
    log,
    logLevels,
    port,
    ports,
    client: async () => {
      const client = await RawClient.connect(port)
      clients.push(client)
      return client
    },
    stop: async () => {
      for (const client of clients) client.close()
      await front.close()
    },
  }
}
