// Owns whether a batch may enter a partition, and stamps it: validity, size, time, producer sequence. Not the append (partition.ts), nor
// the opening of batches whose records have to be looked at or packed anew.

import type { Crc32c } from '../../base/crc32c.ts'
import type { LeaderEpoch } from '../../model/ids.ts'
import {
  batchHeaderBytes,
  ErrorCode,
  inspectProduced,
  judgeRecords,
  type OpenedBatch,
  type OpenOrder,
  type ProducedBatch,
  type RecordError,
  type RecordRules,
  type RefusedBatch,
  stampBaseOffset,
  stampCreateTime,
  stampLeaderEpoch,
  stampLogAppendTime,
  stampMaxTimestamp,
  timestampTypeOf,
} from '../../protocol/index.ts'
import type { PartitionState } from './partition-state.ts'
import type { TopicSettings } from './topic-settings.ts'

export interface Refused {
  readonly kind: 'refused'
  readonly errorCode: number
  readonly message: string | null
  /** Where single records are to blame. */
  readonly recordErrors?: readonly RecordError[] | undefined
}

/** A batch that is good in itself; whether it comes in its turn is not asked yet. */
export interface Sound {
  readonly kind: 'sound'
  readonly batch: ProducedBatch
  /** Of the records where they were looked at, of the header otherwise. */
  readonly maxTimestamp: number
  readonly records: Uint8Array
}

export interface ToOpen {
  readonly kind: 'to-open'
  readonly batch: ProducedBatch
  readonly order: OpenOrder
}

export type Admission =
  | { readonly kind: 'admitted'; readonly baseOffset: number; readonly logAppendTimeMs: number }
  | { readonly kind: 'duplicate'; readonly baseOffset: number; readonly endOffset: number; readonly timestampMs: number }
  | Refused

export interface InspectionRules {
  readonly settings: TopicSettings
  readonly nowMs: number
  readonly crc32c: Crc32c
  readonly byCoordinator?: boolean | undefined
}

export interface AdmissionRules extends InspectionRules {
  readonly state: PartitionState
  readonly term: LeaderEpoch
}

const refused = (errorCode: number, message: string): Refused => ({ kind: 'refused', errorCode, message })
const refusedAs = ({ errorCode, message, recordErrors }: RefusedBatch): Refused => ({
  kind: 'refused',
  errorCode,
  message,
  recordErrors,
})
const noTimestamp = -1

/**
 * Checks the one batch in `bytes`, all that does not depend on what else is in the partition. Compressed records are opened only where
 * the topic's configs need it: another codec, keys, bounds of time that the header does not answer for.
 */
export function inspect(bytes: Uint8Array, rules: InspectionRules): Sound | ToOpen | Refused {
  const { settings, nowMs, crc32c } = rules
  const byCoordinator = rules.byCoordinator === true
  const batch = inspectProduced(bytes, { crc32c, batchBytesMax: settings.maxMessageBytes, byCoordinator })
  if (batch.kind === 'error') return refusedAs(batch)
  const records = batch.batchBytes === bytes.length ? bytes : bytes.subarray(0, batch.batchBytes)
  const recordRules: RecordRules = {
    keysRequired: settings.compacts,
    ...(settings.timestampType === 'CreateTime'
      ? { timestamps: { nowMs, beforeMaxMs: settings.timestampBeforeMaxMs, afterMaxMs: settings.timestampAfterMaxMs } }
      : {}),
  }
  const target = byCoordinator ? undefined : settings.compression
  const isRepacked = target !== undefined && target.codec !== batch.compression
  if (isRepacked || (batch.compression !== 'none' && mustBeOpened(records, batch, rules)))
    return { kind: 'to-open', batch, order: { records, rules: recordRules, target: isRepacked ? target : undefined } }
  if (batch.compression !== 'none') return { kind: 'sound', batch, maxTimestamp: batch.maxTimestamp, records }
  const judged = judgeRecords(records, { bytes: records, start: batchHeaderBytes, end: records.length }, recordRules)
  return typeof judged === 'number' ? { kind: 'sound', batch, maxTimestamp: judged, records } : refusedAs(judged)
}

/** Bounds as Kafka has them without being told are looked up in the header: it would have to lie to bring in a time beyond them. */
function mustBeOpened(records: Uint8Array, batch: ProducedBatch, { settings, nowMs }: InspectionRules): boolean {
  if (settings.compacts || timestampTypeOf(records) === 'LogAppendTime') return true
  if (settings.timestampType === 'LogAppendTime') return false
  return settings.timestampsBounded || batch.maxTimestamp > nowMs + settings.timestampAfterMaxMs
}

/** What the opening of a batch came to. */
export function afterOpening(batch: ProducedBatch, opened: OpenedBatch | RefusedBatch, settings: TopicSettings): Sound | Refused {
  if (opened.kind === 'error') return refusedAs(opened)
  const { records, maxTimestamp } = opened
  // As Kafka: a batch must not be too large as it came, nor as it is stored.
  if (records.length > settings.maxMessageBytes) {
    const why = `The record batch has ${records.length} bytes in the codec of the topic, which allows ${settings.maxMessageBytes}.`
    return refused(ErrorCode.MESSAGE_TOO_LARGE, why)
  }
  return { kind: 'sound', batch, maxTimestamp, records }
}

/** Checks that a sound batch comes in its turn; when it is admitted its bytes carry the partition's offset, epoch and time. */
export function admit(sound: Sound, rules: AdmissionRules): Admission {
  const { settings, state } = rules
  const bytes = sound.records.length
  if (bytes > settings.segmentBytes)
    return refused(ErrorCode.RECORD_LIST_TOO_LARGE, `The record batch has ${bytes} bytes, a segment ${settings.segmentBytes}.`)
  return checkProducer(sound.batch, state, settings.timestampType === 'CreateTime') ?? stamp(sound, rules)
}

function checkProducer(batch: ProducedBatch, state: PartitionState, timed: boolean): Admission | undefined {
  const { producerId, lastOffsetDelta } = batch
  if (producerId < 0) return undefined
  const verdict = state.producers.check(batch)
  if (batch.baseSequence < 0 && verdict.kind !== 'stale-epoch') return undefined
  switch (verdict.kind) {
    case 'next': {
      const isOpen = state.transactions.firstOffsetOf(producerId) !== undefined
      return isOpen && !batch.isTransactional
        ? refused(ErrorCode.INVALID_TXN_STATE, `Producer ${producerId} has a transaction open here; this batch is outside of one`)
        : undefined
    }
    case 'duplicate':
      return {
        kind: 'duplicate',
        baseOffset: verdict.baseOffset,
        endOffset: verdict.baseOffset + lastOffsetDelta + 1,
        timestampMs: timed ? noTimestamp : verdict.timestampMs,
      }
    case 'out-of-order':
      return refused(
        ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
        `Out of order sequence number for producer ${producerId}: ${batch.baseSequence} came, ${verdict.expected} is next`,
      )
    case 'stale-epoch':
      return refused(
        ErrorCode.INVALID_PRODUCER_EPOCH,
        `Producer ${producerId} has epoch ${batch.producerEpoch}, the partition has seen ${verdict.currentEpoch}`,
      )
  }
}

function stamp({ records, batch, maxTimestamp }: Sound, rules: AdmissionRules): Admission {
  const { state, term, settings, nowMs, crc32c } = rules
  const baseOffset = state.endOffset
  stampBaseOffset(records, 0, baseOffset)
  stampLeaderEpoch(records, 0, term)
  if (settings.timestampType === 'LogAppendTime') {
    stampLogAppendTime(records, 0, nowMs, crc32c)
    return { kind: 'admitted', baseOffset, logAppendTimeMs: nowMs }
  }
  if (timestampTypeOf(records) === 'LogAppendTime') stampCreateTime(records, 0, maxTimestamp, crc32c)
  else if (maxTimestamp !== batch.maxTimestamp) stampMaxTimestamp(records, 0, maxTimestamp, crc32c)
  return { kind: 'admitted', baseOffset, logAppendTimeMs: noTimestamp }
}
