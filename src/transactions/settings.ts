// Owns what the transaction coordinator can be told, with Kafka's defaults, and its named maxima.

export interface TransactionSettings {
  /** Kafka's transaction.max.timeout.ms. */
  readonly timeoutMsMax: number
  /** Kafka's transactional.id.expiration.ms. */
  readonly idExpiryMs: number
  /** Kafka's transaction.abort.timed.out.transaction.cleanup.interval.ms. */
  readonly abortCheckMs: number
}

export const standardTransactionSettings: TransactionSettings = {
  timeoutMsMax: 900_000,
  idExpiryMs: 604_800_000,
  abortCheckMs: 10_000,
}

/** How long an added partition waits for the end of the transaction before, which is about to be complete; then the client comes again. */
export const busyWaitMs = 1_000
/** A marker that could not be written is tried again after this, doubling up to the second. */
export const markerRetryMsMin = 20
export const markerRetryMsMax = 1_000
/** The log of a partition is written anew when it has this many records more than there are ids, and this many times as many. */
export const rewriteRecordsMin = 10_000
export const rewriteFactorMin = 4
/** A batch of the rewritten log is about this large at most. */
export const rewriteBatchBytesMax = 256 * 1024
