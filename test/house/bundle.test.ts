// The bundle itself: what runs at the user is not the source the other tests import, and a bundler may lose exports on the way. `npm test`
// builds dist/ before.

import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleOptions } from '../../infra/house/bundle-options.mjs'
import { freePort, startProcess, waitUntil } from '../../localstack/index.ts'
import { type Minio, startMinio } from '../support/tools/minio.ts'
import { describeWithTools } from '../support/tools/tools.ts'
import { root } from './planted-tree.ts'

const program = join(root, 'bin/chronik.cjs')

describeWithTools(['minio'], 'the bundle on a real S3', () => {
  let minio: Minio
  let dir: string
  const cache = join(root, 'node_modules/.cache/chronik-bundle-test')

  beforeAll(async () => {
    minio = await startMinio()
    await minio.createBucket('bundle')
    dir = mkdtempSync(join(tmpdir(), 'chronik-bundle-'))
  })
  afterAll(async () => {
    await minio.stop()
    rmSync(dir, { recursive: true, force: true })
    rmSync(cache, { recursive: true, force: true })
  })

  const storeEnv = (): Record<string, string> => ({
    OBJECT_STORE_BACKEND: 's3',
    S3_BUCKET: 'bundle',
    S3_ENDPOINT: minio.endpoint,
    S3_ACCESS_KEY: minio.accessKey,
    S3_SECRET_KEY: minio.secretKey,
  })

  test('the built broker starts, serves metrics, stops with 0, and its bucket can be listed', async () => {
    const [kafkaPort, httpPort] = [await freePort(), await freePort()]
    const listen = ['--kafka-listen', `127.0.0.1:${kafkaPort}`, '--http-listen', `127.0.0.1:${httpPort}`]
    const broker = startProcess({
      command: process.execPath,
      args: [program, 'start', '--data-dir', join(dir, 'data'), ...listen],
      logFile: join(dir, 'broker.log'),
      env: storeEnv(),
    })
    try {
      const isReady = async (): Promise<boolean> =>
        (await fetch(`http://127.0.0.1:${httpPort}/health/ready`).catch(() => undefined))?.ok === true
      await waitUntil(isReady, { until: 'the broker to be ready', timeoutMs: 30_000, process: broker })
      const metrics = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text()
      expect(metrics).toMatch(/^# TYPE chronik_/m)
      // bin/thread-pool.cjs came before the pool: its 16 threads, and V8's and Node's own.
      expect(readdirSync(`/proc/${broker.pid}/task`).length).toBeGreaterThan(16)
    } finally {
      const exit = await broker.stop(20_000)
      expect(exit.code, broker.logs()).toBe(0)
    }
    const listed = await new Promise<string>((resolve) => {
      execFile(process.execPath, [program, 'bucket', 'ls'], { env: { ...process.env, ...storeEnv() } }, (_, stdout) => {
        resolve(stdout)
      })
    })
    expect(listed).toMatch(/cluster\/0000000001\/claim\n/)
  })

  test('a multipart upload runs out of a bundle made the same way', async () => {
    const contents = `
      import { Retrier } from './tiers/object-store/index.ts'
      import { systemClock } from './src/base/node/system-clock.ts'
      import { seededPrng } from './src/base/prng.ts'
      const { openS3Store } = await import('./tiers/object-store/s3.ts')
      const store = await openS3Store({
        bucket: 'bundle', prefix: '', endpoint: process.env.S3_ENDPOINT, region: 'us-east-1', pathStyle: true,
        accessKeyId: process.env.S3_ACCESS_KEY, secretAccessKey: process.env.S3_SECRET_KEY,
        partRetrier: new Retrier({ clock: systemClock, prng: seededPrng(1) }),
      })
      async function* parts() { for (let part = 0; part < 5; part += 1) yield new Uint8Array(3 << 20).fill(part) }
      const { kind } = await store.putMultipart('large', parts())
      const { kind: again } = await store.putMultipart('large', parts())
      const { sizeBytes } = await store.head('large')
      await store.close()
      process.stdout.write(JSON.stringify({ kind, again, sizeBytes }))
      process.exit(0)`
    mkdirSync(cache, { recursive: true })
    await build({
      ...bundleOptions,
      stdin: { contents, resolveDir: root, loader: 'ts', sourcefile: 'multipart.ts' },
      entryNames: 'multipart',
      outdir: cache,
      sourcemap: false,
    })
    const ended = await new Promise<{ stdout: string; stderr: string }>((resolve) => {
      const env = { ...process.env, ...storeEnv() }
      execFile(process.execPath, [join(cache, 'multipart.js')], { env, timeout: 60_000 }, (_, stdout, stderr) => {
        resolve({ stdout, stderr })
      })
    })
    expect(ended.stdout, ended.stderr).toBe(JSON.stringify({ kind: 'created', again: 'exists', sizeBytes: 15 << 20 }))
  })
})
