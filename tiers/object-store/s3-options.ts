// Owns what is to be said about a bucket to open it. Does not check that it is there.

import type { Retrier } from './retrying.ts'

export interface S3StoreOptions {
  readonly bucket: string
  /** Everything is kept below it. */
  readonly prefix?: string
  /** AWS's own when absent. */
  readonly endpoint?: string
  readonly region?: string
  /** The bucket in the path instead of the host name. True for a custom endpoint when absent. */
  readonly pathStyle?: boolean
  /** The ordinary chain (environment, profile, container, instance) when absent. */
  readonly accessKeyId?: string
  readonly secretAccessKey?: string
  readonly sessionToken?: string
  readonly connectTimeoutMs?: number
  /** From the request to the head of the answer. */
  readonly answerTimeoutMs?: number
  /** Without a byte in either direction. */
  readonly idleTimeoutMs?: number
  readonly socketsMax?: number
  /**
   * Sign the body too. Costs 0.6 s of CPU per GB and protects it on the way. When absent: only where TLS does not.
   */
  readonly signBody?: boolean
  /** Retries the requests of a multipart upload. */
  readonly partRetrier?: Retrier
}
