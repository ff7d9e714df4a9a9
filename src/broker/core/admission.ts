// Owns whether a batch may enter a partition, and stamps it: validity, size, time, producer sequence. Not the append (partition.ts).

import type { Crc32c } from '../../base/crc32c.ts'
import type { LeaderEpoch } from '../../model/ids.ts'
import { ErrorCode } from '../../protocol/index.ts'
import {
  type ProducedBatch,
  stampBaseOffset,
  stampLeaderEpoch,
  stampLogAppendTime,
  stampMaxTimestamp,
  validateProduceRecords,
} from '../../protocol/index.ts'
import type { PartitionState } from './partition-state.ts'
import type { TopicSettings } from './topic-settings.ts'

export type Admission =
  | { readonly kind: 'admitted'; readonly baseOffset: number; readonly logAppendTimeMs: number }
  | { readonly kind: 'duplicate'; readonly baseOffset: number; readonly endOffset: number; readonly timestampMs: number }
  | { readonly kind: 'refused'; readonly errorCode: number; readonly message: string | null }

export interface AdmissionRules {
  readonly state: PartitionState
  readonly settings: TopicSettings
  readonly term: LeaderEpoch
  readonly nowMs: number
  readonly crc32c: Crc32c
  readonly byCoordinator?: boolean | undefined
}

const refused = (errorCode: number, message: string): Admission => ({ kind: 'refused', errorCode, message })
const noTimestamp = -1

/** Checks the one batch in `records`; when it is admitted its bytes carry the partition's offset, epoch and time. */
export function admit(records: Uint8Array, rules: AdmissionRules): Admission {
  const { settings, state, nowMs, crc32c } = rules
  const timed = settings.timestampType === 'CreateTime'
  const verdict = validateProduceRecords(records, {
    crc32c,
    batchBytesMax: settings.maxMessageBytes,
    keysRequired: settings.compacts,
    ...(rules.byCoordinator === true ? { byCoordinator: true } : {}),
    ...(timed
      ? { timestamps: { nowMs, beforeMaxMs: settings.timestampBeforeMaxMs, afterMaxMs: settings.timestampAfterMaxMs } }
      : {}),
  })
  if (verdict.kind === 'error') return refused(verdict.errorCode, verdict.message)
  return checkProducer(verdict, state, timed) ?? stamp(records, verdict, rules)
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

function stamp(records: Uint8Array, batch: ProducedBatch, rules: AdmissionRules): Admission {
  const baseOffset = rules.state.endOffset
  stampBaseOffset(records, 0, baseOffset)
  stampLeaderEpoch(records, 0, rules.term)
  if (rules.settings.timestampType === 'LogAppendTime') {
    stampLogAppendTime(records, 0, rules.nowMs, rules.crc32c)
    return { kind: 'admitted', baseOffset, logAppendTimeMs: rules.nowMs }
  }
  if (!batch.maxTimestampAsStated) stampMaxTimestamp(records, 0, batch.maxTimestamp, rules.crc32c)
  return { kind: 'admitted', baseOffset, logAppendTimeMs: noTimestamp }
}
