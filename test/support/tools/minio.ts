/**
 * Owns one running MinIO for tests: the binary, start, kill -9, restart, buckets. What it stores survives all of these, so this is
 * the store for drills. MinIO ignores If-None-Match on copies and If-Match on deletes: never rely on those.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answers, freePort, type RunningProcess, startProcess, waitUntil } from '../../../localstack/index.ts'
import { goTool } from './go-tool.ts'
import { createBucket } from './s3-bucket.ts'

const tool = goTool({
  name: 'minio',
  module: 'github.com/minio/minio',
  version: 'v0.0.0-20260212201848-7aac2a2c5b7c',
})

export const { install: installMinio, isInstalled: isMinioInstalled, path: minioPath, remedy: minioRemedy } = tool

export interface MinioOrder {
  /** Kept at `stop`; without one a temporary folder is made and deleted at `stop`. */
  readonly dir?: string
  readonly port?: number
}

export interface Minio {
  readonly endpoint: string
  readonly region: string
  readonly accessKey: string
  readonly secretKey: string
  readonly dir: string
  pid(): number
  kill9(): Promise<void>
  /** Ends it if it still runs, and starts it again on the same port and folder. */
  restart(): Promise<void>
  stop(): Promise<void>
  createBucket(name: string): Promise<void>
  sigstop(): void
  sigcont(): void
  logs(): string
}

const accessKey = 'chroniktest'
const secretKey = 'chroniktest-secret'

export async function startMinio(order: MinioOrder = {}): Promise<Minio> {
  await installMinio()
  const dir = order.dir ?? mkdtempSync(join(tmpdir(), 'chronik-minio-'))
  const logFolder = mkdtempSync(join(tmpdir(), 'chronik-minio-log-'))
  const port = order.port ?? (await freePort())
  const endpoint = `http://127.0.0.1:${port}`
  let child: RunningProcess = await launch()

  async function launch(): Promise<RunningProcess> {
    const consolePort = await freePort()
    const started = startProcess({
      command: minioPath(),
      args: ['server', dir, '--address', `127.0.0.1:${port}`, '--console-address', `127.0.0.1:${consolePort}`],
      logFile: join(logFolder, 'minio.log'),
      env: {
        MINIO_ROOT_USER: accessKey,
        MINIO_ROOT_PASSWORD: secretKey,
        MINIO_UPDATE: 'off',
        MINIO_CALLHOME_ENABLE: 'off',
        MINIO_BROWSER: 'off',
      },
    })
    const ready = waitUntil(() => answers(`${endpoint}/minio/health/ready`), {
      until: 'MinIO to be ready',
      timeoutMs: 60_000,
      process: started,
    })
    await ready.catch(async (cause: unknown) => {
      await started.kill9()
      throw cause
    })
    return started
  }

  return {
    endpoint,
    region: 'us-east-1',
    accessKey,
    secretKey,
    dir,
    pid: () => child.pid,
    kill9: async () => void (await child.kill9()),
    restart: async () => {
      await child.stop()
      child = await launch()
    },
    stop: async () => {
      child.signal('SIGCONT')
      await child.stop()
      rmSync(logFolder, { recursive: true, force: true })
      if (order.dir === undefined) rmSync(dir, { recursive: true, force: true })
    },
    createBucket: (name) => createBucket({ endpoint, accessKey, secretKey }, name),
    sigstop: () => child.signal('SIGSTOP'),
    sigcont: () => child.signal('SIGCONT'),
    logs: () => child.logs(),
  }
}
