// Owns the life of one transactional id as a value: what it may become next, by whom it is asked, and what the asker is told. As Kafka's
// TransactionMetadata and TransactionCoordinator (KIP-98, KIP-360, KIP-890). Not storing it, nor writing markers (../coordinator.ts).
//
//   Empty ──add──▶ Ongoing ──end──▶ PrepareCommit ─markers─▶ CompleteCommit ──add──▶ Ongoing …
//                     │   └──end──▶ PrepareAbort  ─markers─▶ CompleteAbort  ──add──▶ Ongoing …
//                     └─ time-out, or another producer of the same id: PrepareAbort with the epoch raised
//
// A client of transaction version 2 gets a raised epoch at every end, so that what it sent too late is fenced off from its next
// transaction; the marker carries the raised epoch.

import { assert } from '../../base/assert.ts'

export type TransactionStatus = 'Empty' | 'Ongoing' | 'PrepareCommit' | 'PrepareAbort' | 'CompleteCommit' | 'CompleteAbort'

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** Partitions by topic. */
export type PartitionSet = ReadonlyMap<string, ReadonlySet<number>>

export interface Transaction {
  readonly transactionalId: string
  readonly producerId: number
  /** The id it had before its epochs were used up; −1: none. */
  readonly previousProducerId: number
  /** The id it has once the end that goes on is complete; −1: the same. */
  readonly nextProducerId: number
  readonly producerEpoch: number
  /** The epoch before the last raise, by which a repeated request is known; −1: none. Not stored. */
  readonly lastProducerEpoch: number
  readonly timeoutMs: number
  readonly status: TransactionStatus
  readonly partitions: PartitionSet
  /** Wall-clock ms; −1: none has begun. */
  readonly startMs: number
  readonly lastUpdateMs: number
  /** The client's transaction version: 2 raises the epoch at every end. */
  readonly clientVersion: number
}

export interface ProducerIdAndEpoch {
  readonly producerId: number
  readonly producerEpoch: number
}

/** What is answered, by Kafka's names. */
export type TransactionError =
  | 'INVALID_PRODUCER_ID_MAPPING'
  | 'PRODUCER_FENCED'
  | 'CONCURRENT_TRANSACTIONS'
  | 'INVALID_TXN_STATE'
  | 'INVALID_TRANSACTION_TIMEOUT'
  | 'INVALID_REQUEST'
  | 'COORDINATOR_NOT_AVAILABLE'
  | 'COORDINATOR_LOAD_IN_PROGRESS'
  | 'NOT_COORDINATOR'
  | 'UNKNOWN_SERVER_ERROR'

/** `store`: the transaction is this once it is in the log, and only then the asker is told. */
export type Plan =
  | { readonly kind: 'refuse'; readonly error: TransactionError }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'store'; readonly next: Transaction }
  /** A fresh producer id is needed to go on. */
  | { readonly kind: 'needs-id' }
  /** Another producer of this id left a transaction open: it is aborted first, and the asker comes again. */
  | { readonly kind: 'abort-first' }

export const producerEpochMax = 32_767
export const noPartitions: PartitionSet = new Map()

const refuse = (error: TransactionError): Plan => ({ kind: 'refuse', error })
const store = (next: Transaction): Plan => ({ kind: 'store', next })

/** The last epoch is kept for fencing: then a fresh producer id follows. */
export const isEpochExhausted = ({ producerEpoch }: Transaction): boolean => producerEpoch >= producerEpochMax - 1

/** The coordinator has used the last epoch to fence: only InitProducerId, with a fresh id, goes on from here. */
const isFencedForGood = ({ producerEpoch }: Transaction): boolean => producerEpoch >= producerEpochMax

export const isEnding = ({ status }: Transaction): boolean => status === 'PrepareCommit' || status === 'PrepareAbort'

export const hasPartition = ({ partitions }: Transaction, { topic, partition }: TopicPartition): boolean =>
  partitions.get(topic)?.has(partition) === true

export interface InitAsk {
  readonly transactionalId: string
  readonly timeoutMs: number
  /** The producer that asks says what it was (KIP-360). */
  readonly expected: ProducerIdAndEpoch | undefined
  readonly nowMs: number
  readonly freshProducerId: number | undefined
}

/** InitProducerId: the caller becomes the one producer of its transactional id. */
export function planInit(current: Transaction | undefined, ask: InitAsk): Plan {
  const { transactionalId, timeoutMs, expected, nowMs, freshProducerId } = ask
  if (current === undefined) {
    if (freshProducerId === undefined) return { kind: 'needs-id' }
    return store({
      transactionalId,
      producerId: freshProducerId,
      previousProducerId: -1,
      nextProducerId: -1,
      producerEpoch: 0,
      lastProducerEpoch: -1,
      timeoutMs,
      status: 'Empty',
      partitions: noPartitions,
      startMs: -1,
      lastUpdateMs: nowMs,
      clientVersion: 0,
    })
  }
  if (expected !== undefined && !isOwnId(current, expected)) return refuse('PRODUCER_FENCED')
  if (isEnding(current)) return refuse('CONCURRENT_TRANSACTIONS')
  if (current.status === 'Ongoing') return { kind: 'abort-first' }
  const empty = { ...current, timeoutMs, status: 'Empty' as const, partitions: noPartitions, startMs: -1, lastUpdateMs: nowMs }
  if (isEpochExhausted(current) && (expected === undefined || expected.producerEpoch === current.producerEpoch)) {
    if (freshProducerId === undefined) return { kind: 'needs-id' }
    const lastProducerEpoch = expected === undefined ? -1 : current.producerEpoch
    const previousProducerId = current.producerId
    return store({ ...empty, producerId: freshProducerId, previousProducerId, producerEpoch: 0, lastProducerEpoch })
  }
  if (expected === undefined) return store({ ...empty, producerEpoch: current.producerEpoch + 1, lastProducerEpoch: -1 })
  if (expected.producerEpoch === current.producerEpoch) {
    return store({ ...empty, producerEpoch: current.producerEpoch + 1, lastProducerEpoch: current.producerEpoch })
  }
  // A repeat of a request that was answered, and the answer lost.
  return expected.producerEpoch === current.lastProducerEpoch ? store(empty) : refuse('PRODUCER_FENCED')
}

function isOwnId(current: Transaction, { producerId, producerEpoch }: ProducerIdAndEpoch): boolean {
  if (producerId === current.producerId) return true
  return producerId === current.previousProducerId && producerEpoch >= producerEpochMax - 1
}

/** Whoever names an id and an epoch must be the producer of now. */
export function refusalOfProducer(current: Transaction | undefined, producer: ProducerIdAndEpoch): TransactionError | undefined {
  if (current === undefined || current.producerId !== producer.producerId) return 'INVALID_PRODUCER_ID_MAPPING'
  return current.producerEpoch === producer.producerEpoch ? undefined : 'PRODUCER_FENCED'
}

/** AddPartitionsToTxn, and what Produce and TxnOffsetCommit of version 2 clients add by themselves. */
export function planAdd(
  current: Transaction | undefined,
  ask: { readonly producer: ProducerIdAndEpoch; readonly partitions: readonly TopicPartition[]; readonly clientVersion: number },
  nowMs: number,
): Plan {
  const refusal = refusalOfProducer(current, ask.producer)
  if (current === undefined || refusal !== undefined) return refuse(refusal ?? 'INVALID_PRODUCER_ID_MAPPING')
  if (isFencedForGood(current)) return refuse('PRODUCER_FENCED')
  if (isEnding(current)) return refuse('CONCURRENT_TRANSACTIONS')
  const isOngoing = current.status === 'Ongoing'
  if (isOngoing && ask.partitions.every((one) => hasPartition(current, one))) return { kind: 'unchanged' }
  const partitions = new Map(isOngoing ? current.partitions : noPartitions)
  for (const { topic, partition } of ask.partitions) {
    partitions.set(topic, new Set([...(partitions.get(topic) ?? []), partition]))
  }
  const startMs = isOngoing ? current.startMs : nowMs
  return store({ ...current, status: 'Ongoing', partitions, startMs, lastUpdateMs: nowMs, clientVersion: ask.clientVersion })
}

export interface EndAsk {
  readonly producer: ProducerIdAndEpoch
  readonly result: 'commit' | 'abort'
  readonly clientVersion: number
  readonly nowMs: number
  readonly freshProducerId: number | undefined
}

/** EndTxn. `unchanged`: it was done before, and is answered as then. */
export function planEnd(current: Transaction | undefined, ask: EndAsk): Plan {
  if (current === undefined) return refuse('INVALID_PRODUCER_ID_MAPPING')
  const isRepeat = isRepeatedEnd(current, ask)
  const refusal = isRepeat ? undefined : refusalOfProducer(current, ask.producer)
  if (refusal !== undefined) return refuse(refusal)
  if (!isRepeat && isFencedForGood(current)) return refuse('PRODUCER_FENCED')
  const { result, clientVersion } = ask
  const matches = (commit: TransactionStatus, abort: TransactionStatus): boolean =>
    current.status === (result === 'commit' ? commit : abort)
  if (matches('PrepareCommit', 'PrepareAbort')) return refuse('CONCURRENT_TRANSACTIONS')
  if (isEnding(current)) return refuse('INVALID_TXN_STATE')
  if (current.status === 'Ongoing') return isRepeat ? refuse('PRODUCER_FENCED') : prepare(current, ask)
  if (clientVersion < 2) return matches('CompleteCommit', 'CompleteAbort') ? { kind: 'unchanged' } : refuse('INVALID_TXN_STATE')
  if (isRepeat) return matches('CompleteCommit', 'CompleteAbort') ? { kind: 'unchanged' } : refuse('INVALID_TXN_STATE')
  // An abort of a transaction to which nothing was added yet: it must still fence what may be on its way.
  return result === 'abort'
    ? prepare({ ...current, partitions: noPartitions, startMs: ask.nowMs }, ask)
    : refuse('INVALID_TXN_STATE')
}

/** The answer to the request was lost: the epoch, or the id with it, is already the raised one. */
function isRepeatedEnd(current: Transaction, { producer, clientVersion }: EndAsk): boolean {
  if (clientVersion < 2 || current.clientVersion < 2) return false
  if (producer.producerId === current.producerId) return producer.producerEpoch + 1 === current.producerEpoch
  return (
    producer.producerId === current.previousProducerId &&
    producer.producerEpoch === producerEpochMax - 1 &&
    current.producerEpoch === 0
  )
}

function prepare(current: Transaction, ask: EndAsk): Plan {
  const { result, clientVersion, nowMs, freshProducerId } = ask
  const raises = clientVersion >= 2
  if (raises && isEpochExhausted(current) && freshProducerId === undefined) return { kind: 'needs-id' }
  return store({
    ...current,
    status: result === 'commit' ? 'PrepareCommit' : 'PrepareAbort',
    nextProducerId: raises && isEpochExhausted(current) ? (freshProducerId ?? -1) : -1,
    producerEpoch: raises ? current.producerEpoch + 1 : current.producerEpoch,
    lastProducerEpoch: raises ? current.producerEpoch : current.lastProducerEpoch,
    lastUpdateMs: nowMs,
    clientVersion,
  })
}

/** The coordinator itself aborts: after the time-out, or because another producer takes the id. The old producer is fenced. */
export function planFence(current: Transaction, nowMs: number): Transaction {
  assert(current.status === 'Ongoing', 'TXN-2: only an open transaction is aborted by the coordinator')
  assert(current.producerEpoch < producerEpochMax, 'TXN-3: an epoch is left for fencing')
  return {
    ...current,
    status: 'PrepareAbort',
    nextProducerId: -1,
    producerEpoch: current.producerEpoch + 1,
    lastProducerEpoch: -1,
    lastUpdateMs: nowMs,
  }
}

/** All markers stand in their logs. */
export function completed(current: Transaction, nowMs: number): Transaction {
  assert(isEnding(current), 'TXN-1: a transaction is completed once it was prepared')
  const status = current.status === 'PrepareCommit' ? 'CompleteCommit' : 'CompleteAbort'
  const rest = { ...current, status, partitions: noPartitions, nextProducerId: -1, lastUpdateMs: nowMs } as const
  if (current.nextProducerId < 0) return rest
  const previousProducerId = current.producerId
  return { ...rest, producerId: current.nextProducerId, previousProducerId, producerEpoch: 0 }
}

/** What the producer goes on with after an end, told before the markers are written. */
export function producerAfterEnd(current: Transaction): ProducerIdAndEpoch {
  const { producerId, producerEpoch, nextProducerId } = current
  return nextProducerId >= 0 ? { producerId: nextProducerId, producerEpoch: 0 } : { producerId, producerEpoch }
}

export const isTimedOut = ({ status, startMs, timeoutMs }: Transaction, nowMs: number): boolean =>
  status === 'Ongoing' && startMs + timeoutMs < nowMs

/** Ids that nobody used for long are forgotten; never one with a transaction under way. */
export const isExpired = (current: Transaction, nowMs: number, expiryMs: number): boolean =>
  current.status !== 'Ongoing' && !isEnding(current) && current.lastUpdateMs + expiryMs < nowMs
