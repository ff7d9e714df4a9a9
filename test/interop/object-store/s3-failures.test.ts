// Owns the tests of the S3 store against a real server that fails: wrong keys, missing bucket, no connection, stalls, throttling, lost
// answers; and of the probe on real stores.

import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { freePort, startLocalStack } from '../../../localstack/index.ts'
import { systemClock } from '../../../src/base/node/system-clock.ts'
import { systemIdSource } from '../../../src/base/node/system-id-source.ts'
import { seededPrng } from '../../../src/base/prng.ts'
import { probeConditionalWrites, Retrier, retryingStore } from '../../../tiers/object-store/index.ts'
import { openS3Store, type S3StoreOptions } from '../../../tiers/object-store/s3.ts'
import type { ObjectStore } from '../../../tiers/ports.ts'
import { type Minio, startMinio } from '../../support/tools/minio.ts'
import { describeWithTools } from '../../support/tools/tools.ts'
import { type FaultyProxy, startFaultyProxy } from './faulty-proxy.ts'

const body = [Buffer.from('body')]
const retry = { clock: systemClock, prng: seededPrng(1), policy: { delayMsMin: 5, throttledDelayMsMin: 5 } }
const quick = { connectTimeoutMs: 500, answerTimeoutMs: 700, idleTimeoutMs: 700 }

async function* partsOf(whole: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < whole.length; at += 1024 * 1024) yield await Promise.resolve(whole.subarray(at, at + 1024 * 1024))
}

const ofServer = ({ accessKey, secretKey, endpoint }: Pick<Minio, 'accessKey' | 'secretKey' | 'endpoint'>): S3StoreOptions => ({
  bucket: 'failures',
  endpoint,
  accessKeyId: accessKey,
  secretAccessKey: secretKey,
})

describeWithTools(['minio'], 'S3 at a MinIO that fails', () => {
  let minio: Minio
  let proxy: FaultyProxy
  const open = new Set<ObjectStore>()
  const store = async (change: Partial<S3StoreOptions> = {}): Promise<ObjectStore> => {
    const opened = await openS3Store({ ...ofServer(minio), endpoint: proxy.endpoint, ...change })
    open.add(opened)
    return opened
  }

  beforeAll(async () => {
    minio = await startMinio()
    await minio.createBucket('failures')
    proxy = await startFaultyProxy(minio.endpoint)
  })
  afterAll(async () => {
    for (const one of open) await one.close()
    await proxy?.stop()
    await minio?.stop()
  })
  beforeEach(() => {
    proxy.script.length = 0
    proxy.seen.length = 0
  })

  test('wrong keys are denied, with bucket and remedy', async () => {
    const wrong = await store({ secretAccessKey: 'not the secret' })
    const denied = { kind: 'denied', code: 'BUCKET_DENIED', detail: expect.stringMatching(/s3:\/\/failures.*keys/) as string }
    await expect(wrong.put('a', body)).rejects.toMatchObject(denied)
    await expect(wrong.get('a')).rejects.toMatchObject(denied)
    await expect(wrong.head('a')).rejects.toMatchObject(denied)
    const unknown = await store({ accessKeyId: 'nobody' })
    await expect(unknown.putIfAbsent('a', body)).rejects.toMatchObject(denied)
  })

  test('a missing bucket is named with the remedy', async () => {
    const none = await store({ bucket: 'nowhere' })
    const named = {
      kind: 'invalid',
      code: 'BUCKET_MISSING',
      detail: expect.stringMatching(/s3:\/\/nowhere.*create it/) as string,
    }
    await expect(none.put('a', body)).rejects.toMatchObject(named)
    await expect(none.putIfMatch('a', body, '"etag"')).rejects.toMatchObject(named)
    await expect(none.get('a')).rejects.toMatchObject(named)
    await expect(none.putMultipart('a', partsOf(Buffer.alloc(9 * 1024 * 1024)))).rejects.toMatchObject(named)
    await expect(probeConditionalWrites(none, { clock: systemClock, idSource: systemIdSource })).rejects.toMatchObject(named)
  })

  test('an endpoint where nobody listens is unreachable, to be tried again', async () => {
    const endpoint = `http://127.0.0.1:${await freePort()}`
    const away = await store({ endpoint, ...quick })
    const told = { kind: 'retry', code: 'BUCKET_UNREACHABLE', detail: expect.stringContaining(endpoint) as string }
    await expect(away.get('a')).rejects.toMatchObject(told)
    await expect(away.putIfAbsent('a', body)).rejects.toMatchObject(told)
    await expect(away.putMultipart('a', partsOf(Buffer.alloc(9 * 1024 * 1024)))).rejects.toMatchObject(told)
  })

  test('an endpoint that stalls is given up after its time-out, not sooner and not never', async () => {
    const slow = await store(quick)
    proxy.script.push('stall')
    const startedMs = systemClock.monotonicMs()
    await expect(slow.put('a', body)).rejects.toMatchObject({ kind: 'retry', code: 'BUCKET_UNREACHABLE' })
    const tookMs = systemClock.monotonicMs() - startedMs
    expect(tookMs).toBeGreaterThan(600)
    expect(tookMs).toBeLessThan(5_000)
    expect(proxy.seen.length).toBe(1)
  })

  test.each(['stop-half', 'cut-half'] as const)('a body that ends early is no body (%s)', async (how) => {
    const direct = await store(quick)
    const whole = randomBytes(300_000)
    await direct.put('half', [whole])
    proxy.script.push(how)
    await expect(direct.get('half')).rejects.toMatchObject({ kind: 'retry' })
    proxy.script.push(how, how)
    const stubborn = retryingStore(direct, retry)
    expect(Buffer.compare(await stubborn.get('half'), whole)).toBe(0)
  })

  test('the SDK does not retry by itself; retrying does, through throttling to success', async () => {
    const plain = await store()
    proxy.script.push('throttle')
    await expect(plain.put('throttled', body)).rejects.toMatchObject({ kind: 'busy', code: 'BUCKET_THROTTLED' })
    expect(proxy.seen.length).toBe(1)
    proxy.script.push('throttle', 'throttle', 'throttle')
    expect((await retryingStore(plain, retry).putIfAbsent('throttled', body)).kind).toBe('created')
    expect(proxy.seen.length).toBe(5)
  })

  test('a creation whose answer was lost has happened, and its retry answers exists', async () => {
    const plain = await store()
    proxy.script.push('lose')
    await expect(plain.putIfAbsent('lost/1', body)).rejects.toMatchObject({ kind: 'retry', code: 'BUCKET_UNREACHABLE' })
    expect(Buffer.from(await plain.get('lost/1')).toString()).toBe('body')
    proxy.script.push('lose')
    expect(await retryingStore(plain, retry).putIfAbsent('lost/2', body)).toEqual({ kind: 'exists' })
    expect(Buffer.from(await plain.get('lost/2')).toString()).toBe('body')
  })

  test('a part that is throttled is sent again, the rest is not', async () => {
    const plain = await store({ partRetrier: new Retrier(retry) })
    const whole = randomBytes(20 * 1024 * 1024)
    proxy.script.push('pass', 'pass', 'throttle', 'lose')
    expect((await plain.putMultipart('parts', partsOf(whole))).kind).toBe('created')
    expect(Buffer.compare(await plain.get('parts'), whole)).toBe(0)
    // Create, three parts and two again, complete, and the get.
    expect(proxy.seen.length).toBe(1 + 3 + 2 + 1 + 1)
  })

  test('an upload that fails for good is aborted and leaves no parts', async () => {
    const plain = await store()
    proxy.script.push('pass', 'pass', 'throttle')
    await expect(plain.putMultipart('aborted', partsOf(randomBytes(20 * 1024 * 1024)))).rejects.toMatchObject({ kind: 'busy' })
    expect(proxy.seen.filter((line) => line.startsWith('DELETE') && line.includes('uploadId=')).length).toBe(1)
    await expect(plain.head('aborted')).rejects.toMatchObject({ kind: 'missing' })
  })

  test('a completion whose answer was lost has happened or says so, and never in part', async () => {
    const plain = await store({ partRetrier: new Retrier(retry) })
    const whole = randomBytes(9 * 1024 * 1024)
    proxy.script.push('pass', 'pass', 'pass', 'lose')
    const outcome: unknown = await plain.putMultipart('completed', partsOf(whole)).catch((error: unknown) => error)
    expect([{ kind: 'created' }, { kind: 'exists' }, { kind: 'retry' }]).toContainEqual({
      kind: (outcome as { kind: string }).kind,
    })
    expect(Buffer.compare(await plain.get('completed'), whole)).toBe(0)
  })

  test('MinIO passes the probe', async () => {
    const report = await probeConditionalWrites(await store(), { clock: systemClock, idSource: systemIdSource })
    expect(Math.abs(report.clockOffsetMs)).toBeLessThan(30_000)
    expect(proxy.seen.length).toBe(7)
  })
})

describeWithTools(['localstack'], 'S3 at LocalStack', () => {
  test('LocalStack passes the probe', async () => {
    const stack = await startLocalStack({ buckets: ['failures'] })
    const store = await openS3Store(ofServer(stack))
    const report = await probeConditionalWrites(store, { clock: systemClock, idSource: systemIdSource })
    expect(Math.abs(report.clockOffsetMs)).toBeLessThan(30_000)
    await store.close()
    await stack.stop()
  })
})
