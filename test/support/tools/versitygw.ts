/** Owns one running VersityGW (S3 over a plain folder): a third store for conformance; survives kill -9. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answers, freePort, startProcess, waitUntil } from '../../../localstack/index.ts'
import { goTool } from './go-tool.ts'
import { createBucket } from './s3-bucket.ts'

const tool = goTool({ name: 'versitygw', module: 'github.com/versity/versitygw/cmd/versitygw', version: 'v1.8.0' })

export const { install: installVersityGw, isInstalled: isVersityGwInstalled, path: versityGwPath, remedy: versityGwRemedy } = tool

export interface VersityGw {
  readonly endpoint: string
  readonly region: string
  readonly accessKey: string
  readonly secretKey: string
  readonly pid: number
  createBucket(name: string): Promise<void>
  stop(): Promise<void>
}

export async function startVersityGw(): Promise<VersityGw> {
  await tool.install()
  const dir = mkdtempSync(join(tmpdir(), 'chronik-versitygw-'))
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const [accessKey, secretKey] = ['chroniktest', 'chroniktest-secret']
  mkdirSync(join(dir, 'store'))
  const child = startProcess({
    command: tool.path(),
    args: ['--port', `127.0.0.1:${port}`, '--health', '/health', 'posix', join(dir, 'store')],
    logFile: join(dir, 'versitygw.log'),
    env: { ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey },
  })
  await waitUntil(() => answers(`${endpoint}/health`), { until: 'VersityGW to be healthy', timeoutMs: 20_000, process: child })
  return {
    endpoint,
    region: 'us-east-1',
    accessKey,
    secretKey,
    pid: child.pid,
    createBucket: (name) => createBucket({ endpoint, accessKey, secretKey }, name),
    stop: async () => {
      await child.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
