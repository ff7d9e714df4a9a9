// Owns the meaning of what S3 and its network say: an OpError with a kind, a stable code and the remedy. Knows no SDK class; the
// names are the wire's.
//
//   what is seen                                      kind      code
//   NoSuchBucket                                      invalid   BUCKET_MISSING
//   301, AuthorizationHeaderMalformed, wrong region   invalid   BUCKET_ELSEWHERE
//   401, 403, no credentials found                    denied    BUCKET_DENIED, CREDENTIALS_MISSING, CREDENTIALS_EXPIRED, CLOCK_SKEWED
//   404                                               missing   OBJECT_MISSING
//   409 ConditionalRequestConflict, OperationAborted  retry     WRITE_RACED (nothing was written; ask again)
//   412                                               (an outcome of the conditional write, not an error)
//   416                                               invalid   RANGE_BEYOND_END
//   429, 503, SlowDown, Throttling*                   busy      BUCKET_THROTTLED
//   507, storage full                                 busy      STORE_FULL
//   501 NotImplemented                                invalid   STORE_CANNOT_FENCE for conditional writes, else REQUEST_REFUSED
//   other 5xx, RequestTimeout, broken bodies          retry     BUCKET_FAILED
//   refused, reset, timed out, name unknown           retry     BUCKET_UNREACHABLE
//   other 4xx                                         invalid   REQUEST_REFUSED

import { OpError, type OpErrorKind } from '../../src/base/op-error.ts'
import { missing } from './key.ts'

export interface S3Call {
  /** `s3://bucket`. */
  readonly location: string
  /** Where the requests go, for messages. */
  readonly endpoint: string
  readonly key: string
  /** True for requests with If-Match or If-None-Match. */
  readonly conditional?: boolean
}

type Verdict = readonly [kind: OpErrorKind, code: string, detail: string]

const unreachable = new Set([
  ...[
    'ECONNREFUSED',
    'ECONNRESET',
    'ECONNABORTED',
    'ENOTFOUND',
    'EAI_AGAIN',
    'EPIPE',
    'ETIMEDOUT',
    'EHOSTUNREACH',
    'ENETUNREACH',
  ],
  ...['EHOSTDOWN', 'ENETDOWN', 'EADDRNOTAVAIL', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_SOCKET_CONNECTION_TIMEOUT'],
])
const throttled =
  /^(SlowDown|SlowDownRead|SlowDownWrite|ServiceUnavailable|Busy|Throttling.*|TooManyRequests.*|RequestLimitExceeded)$/
const transient = /^(RequestTimeout|InternalError|IncompleteBody|BadDigest|XAmzContentSHA256Mismatch|XMinioServerNotInitialized)$/
const full = /(StorageFull|InsufficientStorage|QuotaExceeded)/
const elsewhere = /^(PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraintException|TemporaryRedirect)$/

export function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  // What the SDK cannot name it calls by its class; the wire's name is then in `Code`.
  const code: unknown = 'Code' in error ? error.Code : undefined
  return typeof code === 'string' ? code : error.name
}

export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined
  const { httpStatusCode } = error.$metadata as { httpStatusCode?: number }
  return httpStatusCode
}

function networkCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const code: unknown = 'code' in error ? error.code : undefined
  if (typeof code === 'string' && unreachable.has(code)) return code
  if (error.name === 'TimeoutError') return 'timed out'
  return error.message === 'aborted' || error.message === 'socket hang up' ? error.message : undefined
}

/** What neither the store nor the network said is passed on as it is: the caller's own error, or our bug. */
export function s3Error(call: S3Call, error: unknown): unknown {
  if (error instanceof OpError) return error
  const status = statusOf(error)
  const name = nameOf(error)
  if (status === 404 && name !== 'NoSuchBucket' && name !== 'NoSuchUpload') return missing(call.location, call.key, error)
  const verdict = networkVerdict(call, error) ?? rightsVerdict(call, name, status) ?? answerVerdict(call, name, status)
  if (verdict === undefined) return error
  const [kind, code, detail] = verdict
  return new OpError(kind, { code, detail, cause: error })
}

function networkVerdict({ location, endpoint }: S3Call, error: unknown): Verdict | undefined {
  const network = networkCodeOf(error)
  if (network === undefined) return undefined
  return ['retry', 'BUCKET_UNREACHABLE', `${location} gives no answer at ${endpoint} (${network}); check endpoint and network`]
}

function rightsVerdict({ location }: S3Call, name: string, status: number | undefined): Verdict | undefined {
  if (name === 'CredentialsProviderError') {
    return ['denied', 'CREDENTIALS_MISSING', `no credentials for ${location} were found; set keys, a profile or a role`]
  }
  if (name === 'RequestTimeTooSkewed') {
    return ['denied', 'CLOCK_SKEWED', `${location} refuses requests as this machine's clock is wrong; synchronise it`]
  }
  if (name === 'ExpiredToken' || name === 'TokenRefreshRequired') {
    return ['denied', 'CREDENTIALS_EXPIRED', `the credentials for ${location} have expired; renew them`]
  }
  if (status !== 401 && status !== 403) return undefined
  return [
    'denied',
    'BUCKET_DENIED',
    `${location} refuses these credentials (${name}); check the keys and their rights to the bucket`,
  ]
}

function answerVerdict(call: S3Call, name: string, status: number | undefined): Verdict | undefined {
  const { location, key } = call
  const verdict = bucketVerdict(call, name, status) ?? passingVerdict(call, name, status)
  if (verdict !== undefined) return verdict
  if (status === undefined) return undefined
  if (status === 501 && call.conditional === true) {
    const remedy = 'use a store or version with If-None-Match and If-Match'
    return [
      'invalid',
      'STORE_CANNOT_FENCE',
      `${location} does not know conditional writes; Chronik cannot fence on it: ${remedy}`,
    ]
  }
  if (status >= 500 && status !== 501) return ['retry', 'BUCKET_FAILED', `${location} failed with ${status} ${name}`]
  return [
    'invalid',
    'REQUEST_REFUSED',
    `${location} refuses the request for ${key} (${status} ${name}); check bucket and endpoint`,
  ]
}

function bucketVerdict({ location, endpoint }: S3Call, name: string, status: number | undefined): Verdict | undefined {
  if (name === 'NoSuchBucket') {
    return ['invalid', 'BUCKET_MISSING', `the bucket of ${location} does not exist at ${endpoint}; create it or correct its name`]
  }
  if (elsewhere.test(name) || status === 301 || status === 307) {
    return ['invalid', 'BUCKET_ELSEWHERE', `${location} is not in the region that was asked; set the bucket's own region`]
  }
  return undefined
}

/** What may be gone at the next attempt. */
function passingVerdict({ location, key }: S3Call, name: string, status: number | undefined): Verdict | undefined {
  if (full.test(name) || status === 507) return ['busy', 'STORE_FULL', `no space is left for ${location}; enlarge the store`]
  if (throttled.test(name) || status === 503 || status === 429) {
    return ['busy', 'BUCKET_THROTTLED', `${location} asks for fewer requests (${name})`]
  }
  if (name === 'ConditionalRequestConflict' || name === 'OperationAborted') {
    return ['retry', 'WRITE_RACED', `another write of ${key} in ${location} was under way`]
  }
  if (name === 'NoSuchUpload') {
    return [
      'retry',
      'UPLOAD_LOST',
      `the upload of ${key} to ${location} is over: finished by an answer that was lost, or aborted`,
    ]
  }
  return transient.test(name) ? ['retry', 'BUCKET_FAILED', `${location} failed with ${name}`] : undefined
}
