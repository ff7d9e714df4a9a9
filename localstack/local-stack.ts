/**
 * Owns one running LocalStack (S3 only): start, readiness, buckets, stop. Bound to loopback only. Nothing it stores survives its
 * own restart, so a drill that restarts the *store* uses MinIO instead.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { answers, freePort, type RunningProcess, startProcess, waitUntil } from './child-process.ts'
import { installLocalStack, localStackPython } from './install.ts'
import { cacheFolder } from './tool-cache.ts'

export interface LocalStackOrder {
  /** A free one is chosen when absent. */
  readonly port?: number
  /** Use this one, which runs already; it is never stopped by us. `CHRONIK_LOCALSTACK_ENDPOINT` says the same. */
  readonly endpoint?: string
  readonly buckets?: readonly string[]
  readonly outlivesParent?: boolean
  /** Verifies request signatures only if told so: LocalStack accepts any credentials. */
  readonly env?: Readonly<Record<string, string>>
}

export interface LocalStack {
  readonly endpoint: string
  readonly region: string
  readonly accessKey: string
  readonly secretKey: string
  /** Undefined when the endpoint was given to us. */
  readonly pid: number | undefined
  createBucket(name: string): Promise<void>
  logs(): string
  stop(): Promise<void>
}

/** First start with an empty folder: up to 28 s measured; three times that, for a machine that is busy. */
const readyTimeoutMs = 90_000

export async function startLocalStack(order: LocalStackOrder = {}): Promise<LocalStack> {
  const given = order.endpoint ?? process.env['CHRONIK_LOCALSTACK_ENDPOINT']
  if (given !== undefined && given !== '') {
    const endpoint = given.replace(/\/+$/, '')
    await waitUntil(() => isLocalStackReady(endpoint), { until: `${endpoint} to say that S3 runs`, timeoutMs: 10_000 })
    return withBuckets(handleOf(endpoint, undefined), order.buckets)
  }
  await installLocalStack()
  const port = order.port ?? (await freePort())
  const endpoint = `http://127.0.0.1:${port}`
  if (await isLocalStackReady(endpoint).catch(() => false)) throw new Error(`a LocalStack answers already at ${endpoint}`)
  const home = localStackHome(port)
  await mkdir(home, { recursive: true })
  const child = startProcess({
    command: localStackPython(),
    // -P: the working folder must not get onto Python's path, or this very folder shadows the package of the same name.
    args: ['-P', '-m', 'localstack.runtime.main'],
    cwd: home,
    logFile: localStackLog(port),
    outlivesParent: order.outlivesParent ?? false,
    env: {
      OVERRIDE_IN_DOCKER: '0',
      FILESYSTEM_ROOT: home,
      SKIP_SSL_CERT_DOWNLOAD: '1',
      DISABLE_EVENTS: '1',
      DNS_ADDRESS: '0',
      SERVICES: 's3',
      EAGER_SERVICE_LOADING: '1',
      LS_LOG: 'warn',
      // This spelling binds loopback only; a plain 127.0.0.1:PORT would bind every address.
      GATEWAY_LISTEN: `[::ffff:127.0.0.1]:${port}`,
      ...order.env,
    },
  })
  try {
    await waitUntil(() => isLocalStackReady(endpoint), {
      until: 'LocalStack to say that S3 runs',
      timeoutMs: readyTimeoutMs,
      everyMs: 150,
      process: child,
    })
    return await withBuckets(handleOf(endpoint, child), order.buckets)
  } catch (cause) {
    await child.kill9()
    throw cause
  }
}

/** Kept between starts on the same port: a warm start needs 3–12 s instead of up to 28. */
export const localStackHome = (port: number): string => join(cacheFolder(), 'localstack', 'roots', String(port))
export const localStackLog = (port: number): string => join(localStackHome(port), 'localstack.log')

export const isLocalStackReady = (endpoint: string): Promise<boolean> =>
  answers(`${endpoint}/_localstack/health`, (body) => /"s3":\s*"(running|available)"/.test(body))

export async function createLocalStackBucket(endpoint: string, name: string): Promise<void> {
  const response = await fetch(`${endpoint}/${name}`, { method: 'PUT' })
  const body = await response.text()
  if (!response.ok && !body.includes('BucketAlreadyOwnedByYou')) {
    throw new Error(`${endpoint} refused to make the bucket ${name}: ${response.status} ${body.slice(0, 300)}`)
  }
}

const handleOf = (endpoint: string, child: RunningProcess | undefined): LocalStack => ({
  endpoint,
  region: 'us-east-1',
  accessKey: 'test',
  secretKey: 'test',
  pid: child?.pid,
  createBucket: (name) => createLocalStackBucket(endpoint, name),
  logs: () => child?.logs() ?? '',
  stop: async () => {
    // It takes its time to leave when asked and has nothing worth saving.
    await child?.stop(3_000)
  },
})

async function withBuckets(stack: LocalStack, buckets: readonly string[] = []): Promise<LocalStack> {
  for (const name of buckets) await stack.createBucket(name)
  return stack
}
