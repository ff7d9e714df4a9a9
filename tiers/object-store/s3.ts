// Owns a bucket of S3, or of what speaks its language, as an object store. Loads the SDK when opened, not before. Does not retry
// (retrying.ts), except the parts of a multipart upload, which nobody else can; does not bound concurrency (bounded.ts).
//
// Built only on what every store keeps: PutObject and CompleteMultipartUpload with If-None-Match: * or If-Match. Not on conditional
// copies or deletes, which some ignore.

import type * as Sdk from '@aws-sdk/client-s3'
import { OpError } from '../../src/base/op-error.ts'
import type {
  ListedObject,
  ListOptions,
  ObjectBody,
  ObjectFacts,
  ObjectStore,
  PutIfAbsentOutcome,
  PutIfMatchOutcome,
} from '../ports.ts'
import { assertRange, assertTail, beyondEnd, checkKey } from './key.ts'
import { keysPerRequestMax } from './limits.ts'
import { prefixedStore } from './prefixed.ts'
import type { Retrier } from './retrying.ts'
import { bodyOf, collect } from './s3-body.ts'
import { openClient } from './s3-client.ts'
import { s3Error, statusOf } from './s3-errors.ts'
import { uploadParts } from './s3-multipart.ts'
import type { S3StoreOptions } from './s3-options.ts'

export type { S3StoreOptions }

export async function openS3Store(options: S3StoreOptions): Promise<ObjectStore> {
  const sdk = await import('@aws-sdk/client-s3')
  return prefixedStore(new S3Store(sdk, options), options.prefix ?? '')
}

class S3Store implements ObjectStore {
  readonly location: string
  readonly #sdk: typeof Sdk
  readonly #client: Sdk.S3Client
  readonly #bucket: string
  readonly #endpoint: string
  readonly #partRetrier: Retrier | undefined
  #closed = false

  constructor(sdk: typeof Sdk, options: S3StoreOptions) {
    this.#sdk = sdk
    this.#bucket = options.bucket
    this.#endpoint = options.endpoint ?? `AWS (${options.region ?? 'region of the environment'})`
    this.#partRetrier = options.partRetrier
    this.location = `s3://${options.bucket}`
    this.#client = openClient(sdk, options)
  }

  head(key: string): Promise<ObjectFacts> {
    return this.#call(key, async () => {
      const answer = await this.#client.send(new this.#sdk.HeadObjectCommand(this.#at(key)))
      return {
        key,
        sizeBytes: answer.ContentLength ?? 0,
        etag: answer.ETag ?? '',
        lastModifiedMs: answer.LastModified?.getTime() ?? 0,
      }
    })
  }

  get(key: string): Promise<Uint8Array> {
    return this.#call(key, async () => {
      const answer = await this.#client.send(new this.#sdk.GetObjectCommand(this.#at(key)))
      return collect(answer.Body, answer.ContentLength)
    })
  }

  getRange(key: string, start: number, end: number): Promise<Uint8Array> {
    assertRange(start, end)
    return this.#call(key, async () => {
      const range = { ...this.#at(key), Range: `bytes=${start}-${end - 1}` }
      try {
        const answer = await this.#client.send(new this.#sdk.GetObjectCommand(range))
        return await collect(answer.Body, answer.ContentLength)
      } catch (error) {
        throw statusOf(error) === 416 ? beyondEnd(this.location, key, start) : error
      }
    })
  }

  getTail(key: string, length: number): Promise<{ bytes: Uint8Array; sizeBytes: number }> {
    assertTail(length)
    return this.#call(key, async () => {
      const range = { ...this.#at(key), Range: `bytes=-${length}` }
      try {
        const answer = await this.#client.send(new this.#sdk.GetObjectCommand(range))
        const bytes = await collect(answer.Body, answer.ContentLength)
        // Without Content-Range the store sent the whole object.
        const sizeBytes = Number(/\/(\d+)$/.exec(answer.ContentRange ?? '')?.[1] ?? bytes.length)
        return { bytes: bytes.subarray(Math.max(0, bytes.length - length)), sizeBytes }
      } catch (error) {
        // Only an empty object has no last byte.
        if (statusOf(error) === 416) return { bytes: new Uint8Array(0), sizeBytes: 0 }
        throw error
      }
    })
  }

  async *list(prefix: string, { startAfter, limit }: ListOptions = {}): AsyncIterable<ListedObject> {
    let left = limit ?? Infinity
    let token: string | undefined
    while (left > 0) {
      const page = await this.#listPage({
        Prefix: prefix,
        MaxKeys: Math.min(left, keysPerRequestMax),
        ...(token === undefined ? {} : { ContinuationToken: token }),
        ...(startAfter === undefined || startAfter === '' ? {} : { StartAfter: startAfter }),
      })
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        yield { key: Key ?? '', sizeBytes: Size ?? 0, lastModifiedMs: LastModified?.getTime() ?? 0 }
        left -= 1
        if (left <= 0) return
      }
      token = page.NextContinuationToken
      if (page.IsTruncated !== true || token === undefined) return
    }
  }

  put(key: string, body: ObjectBody): Promise<{ etag: string }> {
    return this.#call(key, async () => {
      const answer = await this.#client.send(new this.#sdk.PutObjectCommand({ ...this.#at(key), ...bodyOf(body) }))
      return { etag: answer.ETag ?? '' }
    })
  }

  putIfAbsent(key: string, body: ObjectBody): Promise<PutIfAbsentOutcome> {
    return this.#condition<PutIfAbsentOutcome>(key, { kind: 'exists' }, async () => {
      const put = new this.#sdk.PutObjectCommand({ ...this.#at(key), ...bodyOf(body), IfNoneMatch: '*' })
      await this.#client.send(put)
      return { kind: 'created' }
    })
  }

  async putIfMatch(key: string, body: ObjectBody, etag: string): Promise<PutIfMatchOutcome> {
    try {
      return await this.#condition<PutIfMatchOutcome>(key, { kind: 'conflict' }, async () => {
        const put = new this.#sdk.PutObjectCommand({ ...this.#at(key), ...bodyOf(body), IfMatch: etag })
        return { kind: 'replaced', etag: (await this.#client.send(put)).ETag ?? '' }
      })
    } catch (error) {
      // The version it names is gone altogether.
      if (error instanceof OpError && error.kind === 'missing') return { kind: 'conflict' }
      throw error
    }
  }

  putMultipart(key: string, parts: AsyncIterable<Uint8Array>): Promise<PutIfAbsentOutcome> {
    return this.#condition<PutIfAbsentOutcome>(key, { kind: 'exists' }, async () => {
      const judge = (error: unknown): unknown => this.#judge(key, error, true)
      await uploadParts({ client: this.#client, retrier: this.#partRetrier, judge }, this.#at(key), parts)
      return { kind: 'created' }
    })
  }

  delete(key: string): Promise<void> {
    return this.#call(key, async () => {
      await this.#client.send(new this.#sdk.DeleteObjectCommand(this.#at(key)))
    })
  }

  async deleteMany(keys: readonly string[]): Promise<{ key: string; reason: string }[]> {
    const failures: { key: string; reason: string }[] = []
    for (const key of keys) checkKey(key)
    for (let at = 0; at < keys.length; at += keysPerRequestMax) {
      const Objects = keys.slice(at, at + keysPerRequestMax).map((Key) => ({ Key }))
      const order = new this.#sdk.DeleteObjectsCommand({ Bucket: this.#bucket, Delete: { Objects, Quiet: true } })
      const { Errors = [] } = await this.#call(keys[at]!, () => this.#client.send(order))
      for (const { Key, Code, Message } of Errors) {
        if (Code !== 'NoSuchKey') failures.push({ key: Key ?? '', reason: `${Code ?? 'unknown'}: ${Message ?? ''}` })
      }
    }
    return failures
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#client.destroy()
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: key }
  }

  async #listPage(page: Omit<Sdk.ListObjectsV2CommandInput, 'Bucket'>): Promise<Sdk.ListObjectsV2CommandOutput> {
    this.#assertOpen()
    try {
      return await this.#client.send(new this.#sdk.ListObjectsV2Command({ ...page, Bucket: this.#bucket }))
    } catch (error) {
      throw this.#judge(page.Prefix ?? '', error)
    }
  }

  async #call<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
    this.#assertOpen()
    checkKey(key)
    try {
      return await work()
    } catch (error) {
      throw this.#judge(key, error)
    }
  }

  /** 412: the condition did not hold, and nothing was written. */
  async #condition<Outcome>(key: string, unmet: Outcome, work: () => Promise<Outcome>): Promise<Outcome> {
    this.#assertOpen()
    checkKey(key)
    try {
      return await work()
    } catch (error) {
      if (statusOf(error) === 412) return unmet
      throw this.#judge(key, error, true)
    }
  }

  #judge(key: string, error: unknown, conditional = false): unknown {
    return s3Error({ location: this.location, endpoint: this.#endpoint, key, conditional }, error)
  }

  #assertOpen(): void {
    if (this.#closed)
      throw new OpError('closed', { code: 'STORE_CLOSED', detail: `${this.location} has been closed; open it again` })
  }
}
