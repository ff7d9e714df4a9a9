// Owns what a client is told whose changes of topics are more than its controller_mutation_rate allows (KIP-599).

import { ErrorCode } from '../../protocol/index.ts'
import type { KafkaFailure } from '../ports.ts'

export const mutationRefused: KafkaFailure = {
  errorCode: ErrorCode.THROTTLING_QUOTA_EXCEEDED,
  message: 'The throttling quota has been exceeded.',
}
