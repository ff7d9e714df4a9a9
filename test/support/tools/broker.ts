/**
 * Owns our own broker as a child process: the bundled program, started as a user would start it, on a disk folder and a bucket the
 * test chooses. Never looks inside it: what a test knows, it knows from its ports, its logs and its end.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { answers, type Exit, freePort, type RunningProcess, startProcess, waitUntil } from '../../../localstack/index.ts'
import { untilListening } from './kafka.ts'

/** A bucket as a folder, or any S3. */
export type BrokerStore =
  | { readonly kind: 'local'; readonly dir: string }
  | {
      readonly kind: 's3'
      readonly endpoint: string
      readonly bucket: string
      readonly accessKey: string
      readonly secretKey: string
      readonly region?: string
      readonly prefix?: string
    }

export interface BrokerOrder {
  /** The broker's own disk. Kept at `stop`; without one a temporary folder is made and deleted at `stop`. */
  readonly dir?: string
  /** A folder beside the disk when absent (not in it: `wipeDisk` must leave the bucket alone). */
  readonly store?: BrokerStore
  /** More arguments of `chronik start`. */
  readonly extra?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly kafkaPort?: number
  readonly httpPort?: number
  /** Return as soon as the process runs, ready or not. */
  readonly dontWait?: boolean
  /** Options of Node itself, before the program. */
  readonly nodeArgs?: readonly string[]
}

export interface Broker {
  readonly kafkaPort: number
  readonly httpPort: number
  readonly bootstrap: string
  readonly dir: string
  readonly store: BrokerStore
  pid(): number
  /** Of all its lives. */
  logs(): string
  /** Milliseconds from the last spawn to the Kafka port accepting a connection; known after `waitReady`. */
  startMs(): number
  exited(): Promise<Exit>
  waitReady(timeoutMs?: number): Promise<void>
  /** Asks it to end and waits until it has, however long it takes up to `timeoutMs`; then kills it and says so. */
  sigterm(timeoutMs?: number): Promise<Exit>
  kill9(): Promise<Exit>
  sigstop(): void
  sigcont(): void
  /** Its disk is gone, its bucket is not. Refused while it runs. */
  wipeDisk(): void
  /** Ends it by SIGKILL if it runs; same ports, disk and store; ready when it returns, unless told not to wait. */
  restart(change?: Pick<BrokerOrder, 'extra' | 'env' | 'dontWait'>): Promise<void>
  stop(): Promise<void>
}

/** Of this repository, also where this runs out of a bundle. */
export const root = (function findRoot(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : findRoot(dirname(folder))
})(import.meta.dirname)

export const brokerProgram = (): string => process.env['CHRONIK_PROGRAM'] ?? join(root, 'bin', 'chronik.cjs')
export const isBrokerBuilt = (): boolean => existsSync(process.env['CHRONIK_PROGRAM'] ?? join(root, 'dist', 'chronik.js'))
export const brokerRemedy = 'npm run build'

const storeEnv = (store: BrokerStore): Record<string, string> =>
  store.kind === 'local'
    ? { OBJECT_STORE_BACKEND: 'local', LOCAL_STORE_DIR: store.dir }
    : {
        OBJECT_STORE_BACKEND: 's3',
        S3_BUCKET: store.bucket,
        S3_ENDPOINT: store.endpoint,
        S3_REGION: store.region ?? 'us-east-1',
        S3_PATH_STYLE: 'true',
        S3_ACCESS_KEY: store.accessKey,
        S3_SECRET_KEY: store.secretKey,
        ...(store.prefix === undefined ? {} : { S3_PREFIX: store.prefix }),
      }

export async function startBroker(order: BrokerOrder = {}): Promise<Broker> {
  if (!isBrokerBuilt()) throw new Error(`there is no ${brokerProgram()}. Remedy: ${brokerRemedy}`)
  const home = mkdtempSync(join(tmpdir(), 'chronik-broker-'))
  const dir = order.dir ?? join(home, 'disk')
  const store = order.store ?? { kind: 'local', dir: join(home, 'bucket') }
  const kafkaPort = order.kafkaPort ?? (await freePort())
  const httpPort = order.httpPort ?? (await freePort())
  const logFile = join(home, 'broker.log')
  await mkdir(dir, { recursive: true })
  if (store.kind === 'local') await mkdir(store.dir, { recursive: true })
  let startMs = Number.NaN
  let child: RunningProcess = launch(order)

  function launch({ extra = order.extra ?? [], env = order.env ?? {} }: Pick<BrokerOrder, 'extra' | 'env'>): RunningProcess {
    startMs = Number.NaN
    const startedAt = performance.now()
    const listen = ['--kafka-listen', `127.0.0.1:${kafkaPort}`, '--http-listen', `127.0.0.1:${httpPort}`, '--data-dir', dir]
    const started = startProcess({
      command: process.execPath,
      args: [...(order.nodeArgs ?? []), brokerProgram(), 'start', ...listen, ...extra],
      logFile,
      env: { ...storeEnv(store), ...env },
    })
    untilListening(kafkaPort, started, 'the broker').then(
      () => (startMs = performance.now() - startedAt),
      // Told by whoever waits for it; one that is never waited for may well end early on purpose.
      () => undefined,
    )
    return started
  }

  const waitReady = (timeoutMs = 30_000): Promise<void> =>
    waitUntil(async () => !Number.isNaN(startMs) && (await answers(`http://127.0.0.1:${httpPort}/health/ready`)), {
      until: 'the broker to be ready',
      timeoutMs,
      everyMs: 20,
      process: child,
    })

  const readyOrKilled = (): Promise<void> =>
    waitReady().catch(async (cause: unknown) => {
      await child.kill9()
      throw cause
    })

  const kill9 = async (): Promise<Exit> => child.kill9()

  const broker: Broker = {
    kafkaPort,
    httpPort,
    bootstrap: `127.0.0.1:${kafkaPort}`,
    dir,
    store,
    pid: () => child.pid,
    logs: () => child.logs(),
    startMs: () => startMs,
    exited: () => child.exited,
    waitReady,
    sigterm: async (timeoutMs = 30_000) => {
      const exit = await child.stop(timeoutMs)
      if (exit.signal === 'SIGKILL') throw new Error(`the broker had not ended ${timeoutMs} ms after SIGTERM`)
      return exit
    },
    kill9,
    sigstop: () => child.signal('SIGSTOP'),
    sigcont: () => child.signal('SIGCONT'),
    wipeDisk: () => {
      if (child.maybeExit() === undefined) throw new Error('the disk of a running broker is not wiped')
      for (const name of readdirSync(dir)) rmSync(join(dir, name), { recursive: true, force: true })
    },
    restart: async (change = {}) => {
      await kill9()
      child = launch(change)
      if (change.dontWait !== true) await readyOrKilled()
    },
    stop: async () => {
      child.signal('SIGCONT')
      await child.stop(10_000)
      rmSync(home, { recursive: true, force: true })
    },
  }
  if (order.dontWait === true) return broker
  await readyOrKilled().catch((cause: unknown) => {
    // Its words are in the error by now; a folder the caller named stays.
    rmSync(home, { recursive: true, force: true })
    throw cause
  })
  return broker
}
