/** A bucket in trouble, under a running broker and at its start: MinIO behind a proxy that misbehaves as told. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { setTimeout as pause } from 'node:timers/promises'
import { waitUntil } from '../../localstack/index.ts'
import { ErrorCode, isRetriable } from '../../src/protocol/index.ts'
import { type Broker, type BrokerStore, startBroker } from '../support/tools/broker.ts'
import { type Minio, startMinio } from '../support/tools/minio.ts'
import { describeWithTools } from '../support/tools/tools.ts'
import { createTopics, readPartition } from './support/requests.ts'
import { type S3Proxy, startCarelessS3, startS3Proxy, type Trouble } from './support/s3-proxy.ts'
import { Wire } from './support/wire.ts'
import { metric, quickSettings } from './support/world.ts'
import { Writer } from './support/writer.ts'

const [usage, worldFailed] = [2, 3]

describeWithTools(['minio'], 'a bucket in trouble', () => {
  let minio: Minio
  let buckets = 0
  beforeAll(async () => {
    minio = await startMinio()
  })
  afterAll(() => minio.stop())

  async function inFront(): Promise<{ readonly proxy: S3Proxy; readonly store: BrokerStore & { readonly kind: 's3' } }> {
    const proxy = await startS3Proxy(minio.endpoint)
    buckets += 1
    const bucket = `trouble-${buckets}`
    await minio.createBucket(bucket)
    const { accessKey, secretKey } = minio
    return { proxy, store: { kind: 's3', endpoint: proxy.endpoint, bucket, accessKey, secretKey } }
  }

  const readBack = async (broker: Broker, topic: string): ReturnType<typeof readPartition> => {
    const wire = await Wire.connect(broker.kafkaPort)
    try {
      return await readPartition(wire, topic, 0)
    } finally {
      wire.close()
    }
  }

  const caughtUp = (broker: Broker): Promise<void> =>
    waitUntil(async () => (await metric(broker, 'chronik_stream_pending_bytes')) === 0, {
      until: 'the stream to catch up',
      timeoutMs: 60_000,
    })

  it(
    'an unreachable bucket lets quorum topics go on until the WAL is full, then producers wait, and nothing is dropped',
    {
      timeout: 180_000,
    },
    async () => {
      const { proxy, store } = await inFront()
      const small = ['--wal-file-bytes', '1MiB', '--wal-budget-bytes', '4MiB', '--wal-retain-bytes', '0']
      const stream = ['--stream-object-bytes', '256KiB', '--kafka-request-bytes-max', '900KiB']
      const broker = await startBroker({ store, extra: [...small, ...stream, '--log-format', 'json'] })
      try {
        await createTopics(broker.kafkaPort, [{ name: 'plain', partitions: 1, durability: 'quorum' }])
        const writer = new Writer(broker.kafkaPort, 'plain', 50_000)
        expect((await writer.write()).errorCode).toBe(ErrorCode.NONE)
        await caughtUp(broker)
        proxy.trouble = 'cut'
        let refused = await writer.write()
        while (refused.errorCode === ErrorCode.NONE) refused = await writer.write()
        expect(refused.errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR)
        expect(isRetriable(refused.errorCode)).toBe(true)
        const acknowledged = writer.count
        expect(acknowledged * 50_000).toBeGreaterThan(1.5 * 1024 * 1024)
        const before = (await metric(broker, 'chronik_stream_behind_seconds')) ?? 0
        await waitUntil(async () => ((await metric(broker, 'chronik_stream_behind_seconds')) ?? 0) > before + 1, {
          until: 'chronik_stream_behind_seconds to grow',
          timeoutMs: 20_000,
        })
        expect(await metric(broker, 'chronik_wal_refusals_total')).toBeGreaterThan(0)
        // What was acknowledged is served all the while.
        expect(writer.compare((await readBack(broker, 'plain')).records)).toEqual([])
        proxy.trouble = 'pass'
        await waitUntil(async () => (await writer.write()).errorCode === ErrorCode.NONE, {
          until: 'producers to be served again',
          timeoutMs: 60_000,
        })
        await caughtUp(broker)
        expect(await metric(broker, 'chronik_stream_behind_seconds')).toBe(0)
        // The disk goes: all of it is in the bucket.
        await broker.kill9()
        broker.wipeDisk()
        await broker.restart({ extra: [...small, ...stream, '--takeover', 'true'] })
        expect(writer.compare((await readBack(broker, 'plain')).records)).toEqual([])
      } finally {
        await broker.stop()
        await proxy.stop()
      }
    },
  )

  it.each<Trouble>(['throttled', 'denied', 'full', 'cut', 'answer-lost'])(
    'while the bucket is %s, bucket topics time out and are never falsely acknowledged, quorum topics go on',
    { timeout: 120_000 },
    async (trouble) => {
      const { proxy, store } = await inFront()
      const broker = await startBroker({ store, extra: quickSettings })
      try {
        await createTopics(broker.kafkaPort, [
          { name: 'plain', partitions: 1, durability: 'quorum' },
          { name: 'sure', partitions: 1, durability: 'bucket' },
        ])
        const [plain, sure] = [new Writer(broker.kafkaPort, 'plain'), new Writer(broker.kafkaPort, 'sure')]
        expect((await plain.write()).errorCode).toBe(ErrorCode.NONE)
        expect((await sure.write()).errorCode).toBe(ErrorCode.NONE)
        proxy.trouble = trouble
        expect((await sure.write(1_000)).errorCode).toBe(ErrorCode.REQUEST_TIMED_OUT)
        expect((await plain.write()).errorCode).toBe(ErrorCode.NONE)
        // Not acknowledged, so not shown either.
        expect((await readBack(broker, 'sure')).records.length).toBe(1)
        expect((await sure.write(500)).errorCode).toBe(ErrorCode.REQUEST_TIMED_OUT)
        expect(proxy.struck).toBeGreaterThan(0)
        proxy.trouble = 'pass'
        expect(await sure.write()).toEqual({ errorCode: ErrorCode.NONE, baseOffset: 1 })
        expect((await plain.write()).errorCode).toBe(ErrorCode.NONE)
        await caughtUp(broker)
        await broker.kill9()
        broker.wipeDisk()
        await broker.restart({ extra: [...quickSettings, '--takeover', 'true'] })
        expect(sure.compare((await readBack(broker, 'sure')).records)).toEqual([])
        expect(plain.compare((await readBack(broker, 'plain')).records)).toEqual([])
      } finally {
        await broker.stop()
        await proxy.stop()
      }
    },
  )

  it('a slow bucket slows bucket topics only', { timeout: 120_000 }, async () => {
    const { proxy, store } = await inFront()
    const broker = await startBroker({ store, extra: quickSettings })
    try {
      await createTopics(broker.kafkaPort, [
        { name: 'plain', partitions: 1, durability: 'quorum' },
        { name: 'sure', partitions: 1, durability: 'bucket' },
      ])
      const [plain, sure] = [new Writer(broker.kafkaPort, 'plain'), new Writer(broker.kafkaPort, 'sure')]
      await plain.write()
      await sure.write()
      proxy.trouble = 'slow'
      const startedMs = performance.now()
      expect((await sure.write()).errorCode).toBe(ErrorCode.NONE)
      expect(performance.now() - startedMs).toBeGreaterThan(300)
      // Beside a write that waits for the bucket, others do not.
      let isSure = false
      const waiting = sure.write().then(() => (isSure = true))
      expect((await plain.write()).errorCode).toBe(ErrorCode.NONE)
      expect(isSure).toBe(false)
      await waiting
    } finally {
      await broker.stop()
      await proxy.stop()
    }
  })

  it('a start without its bucket ends with an error that names bucket and remedy', { timeout: 180_000 }, async () => {
    const { proxy, store } = await inFront()
    const careless = await startCarelessS3()
    const cases: ReadonlyArray<readonly [string, BrokerStore, number, RegExp]> = [
      [
        'wrong keys',
        { ...store, secretKey: 'not-this-one' },
        worldFailed,
        /BUCKET_DENIED.*s3:\/\/trouble-\d+ refuses these credentials.*check the keys/,
      ],
      [
        'no bucket',
        { ...store, bucket: 'not-there' },
        usage,
        /BUCKET_MISSING.*s3:\/\/not-there does not exist.*create it or correct its name/,
      ],
      [
        'careless store',
        { ...store, endpoint: careless.endpoint },
        usage,
        /STORE_CANNOT_FENCE.*does not keep If-None-Match.*use a store or version with conditional writes/,
      ],
    ]
    try {
      for (const [what, wrong, code, words] of cases) {
        const broker = await startBroker({ store: wrong, dontWait: true })
        expect([what, (await broker.exited()).code]).toEqual([what, code])
        expect(broker.logs()).toMatch(words)
        await broker.stop()
      }
      proxy.trouble = 'cut'
      const patient = await startBroker({ store, dontWait: true })
      await waitUntil(
        async () => {
          const answer = await fetch(`http://127.0.0.1:${patient.httpPort}/health/ready`)
          return answer.status === 503 && (await answer.text()).includes('prove conditional writes')
        },
        { until: 'a start that says what it waits for', timeoutMs: 20_000 },
      )
      await pause(200)
      proxy.trouble = 'pass'
      await patient.waitReady()
      await patient.kill9()
      proxy.trouble = 'cut'
      await patient.restart({ dontWait: true })
      expect((await patient.exited()).code).toBe(worldFailed)
      expect(patient.logs()).toMatch(/BUCKET_UNREACHABLE.*s3:\/\/trouble-\d+ gives no answer at http.*check endpoint and network/)
      await patient.stop()
    } finally {
      await careless.stop()
      await proxy.stop()
    }
  })
})
