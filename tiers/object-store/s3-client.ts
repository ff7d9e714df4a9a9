// Owns how the SDK's client is set up: connections, time-outs, signing, no retries of its own. Does not make requests.

import type * as Sdk from '@aws-sdk/client-s3'
import type { S3StoreOptions } from './s3-options.ts'

/** A bucket that does not accept a connection in 3 s will not; an answer may take long under throttling or for a large part. */
const timeoutsUsual = { connectTimeoutMs: 3_000, answerTimeoutMs: 30_000, idleTimeoutMs: 15_000 }
/** Covers the lanes of bounded.ts (32 + 8) and their parts; more would only wait in the kernel. */
const socketsMaxUsual = 64
/** The SDK demands one also of stores that have none. */
const regionUsual = 'us-east-1'

const silent = (): void => undefined
const silentLogger = { trace: silent, debug: silent, info: silent, warn: silent, error: silent }

export function openClient(sdk: typeof Sdk, options: S3StoreOptions): Sdk.S3Client {
  const { connectTimeoutMs, answerTimeoutMs, idleTimeoutMs } = { ...timeoutsUsual, ...options }
  const agent = { keepAlive: true, maxSockets: options.socketsMax ?? socketsMaxUsual }
  const client = new sdk.S3Client({
    ...addressOf(options),
    ...credentialsOf(options),
    // Retrying is retrying.ts's: two loops multiply, and hide what happens.
    maxAttempts: 1,
    // Stores that do not know AWS's newer checksums refuse them.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Errors are told as OpError, not on the console.
    logger: silentLogger,
    requestHandler: {
      connectionTimeout: connectTimeoutMs,
      requestTimeout: answerTimeoutMs,
      throwOnRequestTimeout: true,
      socketTimeout: idleTimeoutMs,
      httpAgent: agent,
      httpsAgent: agent,
    },
  })
  if (!(options.signBody ?? isPlain(options.endpoint))) leaveBodyUnsigned(client)
  return client
}

function addressOf({ endpoint, region, pathStyle }: S3StoreOptions): Sdk.S3ClientConfig {
  const custom = endpoint !== undefined && endpoint !== ''
  const forcePathStyle = pathStyle ?? custom
  if (custom) return { endpoint, region: region ?? regionUsual, forcePathStyle }
  // The SDK looks in the environment and the profile when none is given.
  return region === undefined ? { forcePathStyle } : { region, forcePathStyle }
}

function credentialsOf({ accessKeyId, secretAccessKey, sessionToken }: S3StoreOptions): Sdk.S3ClientConfig {
  if (accessKeyId === undefined || secretAccessKey === undefined) return {}
  return { credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) } }
}

function isPlain(endpoint: string | undefined): boolean {
  return endpoint?.startsWith('http://') === true
}

/** TLS protects the body: SigV4 then allows to sign the head alone, which spares a SHA-256 over every byte. */
function leaveBodyUnsigned(client: Sdk.S3Client): void {
  client.middlewareStack.add(
    (next) => (args) => {
      const request = args.request as { headers?: Record<string, string>; body?: unknown }
      if (request.headers !== undefined && request.body instanceof Uint8Array) {
        request.headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD'
      }
      return next(args)
    },
    { step: 'build', name: 'leaveBodyUnsigned' },
  )
}
