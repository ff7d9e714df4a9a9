// Owns the one translation of the world failing (OpError) into Kafka's errors.

import { isOpError } from '../base/op-error.ts'
import { briefly, ErrorCode } from '../protocol/index.ts'
import type { KafkaFailure } from './api.ts'

export const kafkaFailure = (errorCode: number, message: string | null = null): KafkaFailure => ({
  errorCode,
  message: briefly(message),
})

/** Anything that is not an OpError is our own bug, and is rethrown. */
export function failureOf(error: unknown): KafkaFailure {
  if (!isOpError(error)) throw error
  switch (error.kind) {
    // Retriable, and nothing was written: the client tries again until the bucket or the disk is back.
    case 'busy':
    case 'retry':
    case 'denied':
      return kafkaFailure(ErrorCode.KAFKA_STORAGE_ERROR, error.message)
    // This process must not answer any more; the client asks for the leader anew and finds the node that took over.
    case 'fenced':
    case 'closed':
      return kafkaFailure(ErrorCode.NOT_LEADER_OR_FOLLOWER, error.message)
    case 'corrupt':
    case 'missing':
      return kafkaFailure(ErrorCode.KAFKA_STORAGE_ERROR, error.message)
    case 'invalid':
      // Larger than any WAL file: no repeat of it will ever fit.
      if (error.code === 'WAL_ENTRY_TOO_LARGE') return kafkaFailure(ErrorCode.MESSAGE_TOO_LARGE, error.message)
      return kafkaFailure(ErrorCode.INVALID_REQUEST, error.message)
    case 'internal':
      return kafkaFailure(ErrorCode.UNKNOWN_SERVER_ERROR, error.message)
  }
}
