// Owns the judgement of the records inside a producer's batch: whole, numbered from 0, with keys where the topic needs them, at times
// the topic allows; and what is wrong with each, as Kafka tells it (KIP-467). Does not own the header (validate.ts) nor unpacking.

import { ErrorCode } from '../generated/errors.ts'
import { baseTimestampOf, maxTimestampOf, recordCountOf, timestampTypeOf } from './batch-header.ts'
import { RecordCursor } from './record-cursor.ts'

export interface TimestampBounds {
  readonly nowMs: number
  readonly beforeMaxMs: number
  readonly afterMaxMs: number
}

export interface RecordRules {
  /** A compacted topic takes no record without a key. */
  readonly keysRequired?: boolean
  /** Left out for topics whose records get the time of their append. */
  readonly timestamps?: TimestampBounds
}

/** One record of the batch, by its place in it, and what is wrong with it. */
export interface RecordError {
  readonly batchIndex: number
  readonly message: string
}

export interface RefusedBatch {
  readonly kind: 'error'
  readonly errorCode: ErrorCode
  readonly message: string
  readonly recordErrors?: readonly RecordError[]
}

export const refuse = (errorCode: ErrorCode, message: string): RefusedBatch => ({ kind: 'error', errorCode, message })

/** More are not told: an answer must not be many times what was asked. Who is not named fails with its batch all the same. */
export const recordErrorsMax = 10_000

/** Unpacked records: `bytes` from `start` to `end`. */
export interface PlainRecords {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

/** The greatest time of the records of `batch`, or what is wrong with them. */
export function judgeRecords(batch: Uint8Array, records: PlainRecords, rules: RecordRules): number | RefusedBatch {
  const cursor = new RecordCursor(records.bytes, records.start, records.end, recordCountOf(batch))
  const baseTimestamp = baseTimestampOf(batch)
  // Where the client claims the time of append, it is that of every record.
  const claimed = timestampTypeOf(batch) === 'LogAppendTime' ? maxTimestampOf(batch) : undefined
  const faults = new Faults(rules, claimed !== undefined)
  const keysRequired = rules.keysRequired === true
  let maxTimestamp = -1
  let index = 0
  for (; cursor.next(); index++) {
    if (cursor.offsetDelta !== index)
      return refuse(ErrorCode.INVALID_RECORD, `Record ${index} has offset delta ${cursor.offsetDelta}.`)
    const timestamp = claimed ?? baseTimestamp + cursor.timestampDelta
    if (keysRequired && cursor.keyLength < 0) faults.keyless(index)
    else if (!faults.allowed(timestamp)) faults.untimely(index, timestamp)
    if (timestamp > maxTimestamp) maxTimestamp = timestamp
  }
  if (cursor.failure !== undefined) return refuse(ErrorCode.INVALID_RECORD, `The record batch is malformed: ${cursor.failure}.`)
  return faults.verdict() ?? maxTimestamp
}

class Faults {
  readonly #errors: RecordError[] = []
  readonly #isClaimed: boolean
  readonly #earliest: number
  readonly #latest: number
  readonly #isTimed: boolean
  #untimely = false

  constructor({ timestamps }: RecordRules, isClaimed: boolean) {
    this.#isClaimed = isClaimed
    this.#isTimed = timestamps !== undefined
    this.#earliest = timestamps === undefined ? -Infinity : timestamps.nowMs - timestamps.beforeMaxMs
    this.#latest = timestamps === undefined ? Infinity : timestamps.nowMs + timestamps.afterMaxMs
  }

  /** -1 stands for no time at all and is always allowed, unless the client calls it the time of append. */
  allowed(timestamp: number): boolean {
    if (this.#isClaimed && (!this.#isTimed || timestamp === -1)) return false
    return timestamp === -1 || (timestamp >= this.#earliest && timestamp <= this.#latest)
  }

  keyless(batchIndex: number): void {
    this.#add(batchIndex, 'Compacted topic cannot accept message without key.')
  }

  untimely(batchIndex: number, timestamp: number): void {
    this.#untimely = true
    const message =
      this.#isClaimed && !(this.#isTimed && timestamp !== -1)
        ? 'The producer should not set the timestamp type to LogAppendTime.'
        : `Timestamp ${timestamp} is out of range; it should be within [${this.#earliest}, ${this.#latest}].`
    this.#add(batchIndex, message)
  }

  verdict(): RefusedBatch | undefined {
    if (this.#errors.length === 0) return undefined
    const [errorCode, cause] = this.#untimely
      ? ([ErrorCode.INVALID_TIMESTAMP, 'their timestamps'] as const)
      : ([ErrorCode.INVALID_RECORD, 'missing keys'] as const)
    const message = `One or more records have been rejected because of ${cause}.`
    return { kind: 'error', errorCode, message, recordErrors: this.#errors }
  }

  #add(batchIndex: number, message: string): void {
    if (this.#errors.length < recordErrorsMax) this.#errors.push({ batchIndex, message })
  }
}
