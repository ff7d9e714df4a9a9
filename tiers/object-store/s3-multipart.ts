// Owns one multipart upload: parts in parallel, visible at the end and only if the key is free, aborted on failure. lib-storage cuts
// and sends; this adds retries of single requests and the true reason of a failure.
//
// lib-storage 3.1169 hands all parameters to CompleteMultipartUpload, so If-None-Match takes effect there, and on the PutObject that
// it makes of a body below one part. CreateMultipartUpload and UploadPart do not know the parameter and leave it out.

import { Readable } from 'node:stream'
import type { S3Client } from '@aws-sdk/client-s3'
import { OpError } from '../../src/base/op-error.ts'
import type { StoreCall } from './around.ts'
import { partBytes, partsInFlightMax } from './limits.ts'
import type { Retrier } from './retrying.ts'
import { nameOf, statusOf } from './s3-errors.ts'

export interface UploadMeans {
  readonly client: S3Client
  readonly retrier: Retrier | undefined
  /** Error of the SDK to OpError. */
  readonly judge: (error: unknown) => unknown
}

type Send = (command: unknown) => Promise<unknown>

/** Throws what the parts threw, an SDK error with status 412, or what `judge` makes of others. */
export async function uploadParts(
  means: UploadMeans,
  at: { Bucket: string; Key: string },
  parts: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { Upload } = await import('@aws-sdk/lib-storage')
  const source = new WatchedParts(parts)
  const first: { failure?: unknown } = {}
  const upload = new Upload({
    client: retryingClient(means, at.Key, first),
    params: { ...at, Body: Readable.from(source), IfNoneMatch: '*' },
    partSize: partBytes,
    queueSize: partsInFlightMax,
  })
  try {
    await upload.done()
  } catch (error) {
    // A failure to abort, or a second part's, would hide the reason.
    throw source.failure ?? first.failure ?? means.judge(error)
  }
}

/** Remembers what the caller's own iteration threw: that is not the store's failure. */
class WatchedParts implements AsyncIterable<Uint8Array> {
  readonly #parts: AsyncIterable<Uint8Array>
  failure: unknown

  constructor(parts: AsyncIterable<Uint8Array>) {
    this.#parts = parts
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    try {
      // An empty piece would be taken for the end by nobody, but costs a turn. A copy: several are in flight, and sent again.
      for await (const part of this.#parts) if (part.length > 0) yield Buffer.from(part)
    } catch (error) {
      this.failure = error
      throw error
    }
  }
}

/** The same client, whose requests are tried again: each alone can be repeated without harm. */
function retryingClient(means: UploadMeans, key: string, first: { failure?: unknown }): S3Client {
  const { client, retrier, judge } = means
  const send = client.send.bind(client) as Send
  const sendJudged: Send = async (command) => {
    try {
      return await send(command)
    } catch (error) {
      // A condition unmet, or an upload that is over: asking again changes neither.
      throw statusOf(error) === 412 || nameOf(error) === 'NoSuchUpload' ? error : judge(error)
    }
  }
  const call: StoreCall = { operation: 'putMultipart', key, bytes: 0, keys: 1 }
  const again: Send = async (command) => {
    try {
      return await (retrier === undefined ? sendJudged(command) : retrier.run(call, () => sendJudged(command)))
    } catch (error) {
      if (error instanceof OpError || statusOf(error) === 412) first.failure ??= error
      throw error
    }
  }
  return Object.create(client, { send: { value: again } }) as S3Client
}
