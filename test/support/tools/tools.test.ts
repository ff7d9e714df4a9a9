/** The tools themselves: each really starts, does its one thing, and ends. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { isSameProcessAlive, startLocalStack } from '../../../localstack/index.ts'
import { javaTool, startApacheKafka } from './kafka.ts'
import { kcat } from './kcat.ts'
import { startMinio } from './minio.ts'
import { processUsage } from './process-usage.ts'
import { runPython } from './python.ts'
import { describeWithTools } from './tools.ts'
import { startToxiproxy } from './toxiproxy.ts'

const slowMs = 120_000

async function client(door: { endpoint: string; accessKey: string; secretKey: string }) {
  const { S3Client } = await import('@aws-sdk/client-s3')
  return new S3Client({
    endpoint: door.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: door.accessKey, secretAccessKey: door.secretKey },
    maxAttempts: 1,
  })
}

async function putThenGet(door: { endpoint: string; accessKey: string; secretKey: string }, bucket: string): Promise<string> {
  const { GetObjectCommand, PutObjectCommand } = await import('@aws-sdk/client-s3')
  const s3 = await client(door)
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'a/b', Body: 'hello', IfNoneMatch: '*' }))
  const again = s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'a/b', Body: 'other', IfNoneMatch: '*' }))
  await expect(again).rejects.toMatchObject({ $metadata: { httpStatusCode: 412 } })
  const got = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: 'a/b' }))
  return (await got.Body?.transformToString()) ?? ''
}

describeWithTools(['localstack'], 'LocalStack', () => {
  it('starts, keeps an object, honours a conditional put, and ends with its process group', { timeout: slowMs }, async () => {
    const stack = await startLocalStack({ buckets: ['tools-test'] })
    try {
      expect(await putThenGet(stack, 'tools-test')).toBe('hello')
    } finally {
      await stack.stop()
    }
    if (stack.pid !== undefined) expect(isSameProcessAlive(stack.pid, undefined)).toBe(false)
  })
})

describeWithTools(['minio'], 'MinIO', () => {
  it('keeps what it acknowledged through kill -9', { timeout: slowMs }, async () => {
    const minio = await startMinio()
    try {
      await minio.createBucket('tools-test')
      await minio.createBucket('tools-test')
      expect(await putThenGet(minio, 'tools-test')).toBe('hello')
      const before = minio.pid()
      await minio.kill9()
      await minio.restart()
      expect(minio.pid()).not.toBe(before)
      const { GetObjectCommand } = await import('@aws-sdk/client-s3')
      const got = await (await client(minio)).send(new GetObjectCommand({ Bucket: 'tools-test', Key: 'a/b' }))
      expect(await got.Body?.transformToString()).toBe('hello')
    } finally {
      await minio.stop()
    }
  })
})

describeWithTools(['minio', 'toxiproxy'], 'Toxiproxy', () => {
  it('delays, cuts and restores a connection', { timeout: slowMs }, async () => {
    const [minio, toxiproxy] = await Promise.all([startMinio(), startToxiproxy()])
    try {
      const proxy = await toxiproxy.createProxy(new URL(minio.endpoint).host)
      const url = `http://${proxy.host}:${proxy.port}/minio/health/ready`
      const once = () => fetch(url, { headers: { connection: 'close' } })
      expect((await once()).status).toBe(200)
      const remove = await proxy.addToxic({ type: 'latency', attributes: { latency: 300 } })
      const startedAt = performance.now()
      await once()
      expect(performance.now() - startedAt).toBeGreaterThan(290)
      await remove()
      await proxy.setEnabled(false)
      await expect(once()).rejects.toThrow()
      await proxy.setEnabled(true)
      expect((await once()).status).toBe(200)
    } finally {
      await Promise.all([minio.stop(), toxiproxy.stop()])
    }
  })
})

describeWithTools(['kafka', 'kcat'], 'Apache Kafka', () => {
  it('starts as one node, and its own tool and kcat agree on a topic', { timeout: slowMs }, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'chronik-kafka-'))
    const kafka = await startApacheKafka({ dir })
    try {
      const args = ['--bootstrap-server', kafka.bootstrap, '--create', '--topic', 'seen', '--partitions', '3']
      const created = await javaTool('org.apache.kafka.tools.TopicCommand', args)
      expect(created.stdout.trim()).toBe('Created topic seen.')
      expect((await kcat(['-b', kafka.bootstrap, '-L', '-t', 'seen'])).stdout).toContain('topic "seen" with 3 partitions')
      expect(processUsage(kafka.pid).residentBytes).toBeGreaterThan(50e6)
    } finally {
      await kafka.stop()
      rmSync(dir, { recursive: true, force: true })
    }
  })
})

describeWithTools(['python'], 'the Python clients', () => {
  it('can be imported, with the codecs they borrow', { timeout: slowMs }, async () => {
    const script = join(import.meta.dirname, 'versions.py')
    const { code, stdout, stderr } = await runPython(script, [])
    expect(stderr).toBe('')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({ 'confluent-kafka': '2.16.1', 'kafka-python': '3.0.12', aiokafka: '0.14.0' })
  })
})
