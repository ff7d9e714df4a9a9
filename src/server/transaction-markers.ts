// Owns ending transactions in partitions: the marker in the partition's log and, for the offsets that a transaction commits, the
// coordinator of groups. Not when a transaction ends (src/transactions).

import { OpError } from '../base/op-error.ts'
import { type InternalTopicLog, offsetsTopic, type StandaloneBroker } from '../broker/index.ts'
import type { GroupCoordinator } from '../groups/index.ts'
import { ErrorCode, errorName } from '../protocol/index.ts'
import type { Marker, MarkerSink, TopicPartition } from '../transactions/index.ts'
import type { AppendResult } from './ports.ts'

export interface MarkerParts {
  readonly broker: StandaloneBroker
  readonly offsets: InternalTopicLog
  readonly groups: () => GroupCoordinator
}

export class PartitionMarkers implements MarkerSink {
  readonly #parts: MarkerParts

  constructor(parts: MarkerParts) {
    this.#parts = parts
  }

  async write(at: TopicPartition, marker: Marker): Promise<'written' | 'gone' | 'fenced'> {
    const result = await this.#append(at, marker)
    if (result === undefined) return 'gone'
    if (result.kind === 'appended') return 'written'
    const { errorCode } = result
    if (errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) return 'gone'
    if (errorCode === ErrorCode.INVALID_PRODUCER_EPOCH || errorCode === ErrorCode.TRANSACTION_COORDINATOR_FENCED) return 'fenced'
    throw new OpError('retry', {
      code: 'MARKER_NOT_WRITTEN',
      detail: `the marker for ${at.topic}-${at.partition} was refused: ${result.message ?? errorName(errorCode) ?? String(errorCode)}`,
    })
  }

  #append(at: TopicPartition, marker: Marker): Promise<AppendResult | undefined> {
    const { broker, offsets, groups } = this.#parts
    const { topic, partition } = at
    const view = broker.topicByName(topic)?.partitions[partition]
    if (view === undefined) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      if (topic !== offsetsTopic) {
        view.appendMarker(marker, resolve)
        return
      }
      const onEnded = (): void => {
        groups().onTransactionEnd(partition, marker.producerId, marker.result)
      }
      offsets.appendMarker(partition, marker, { onEnded, done: resolve })
    })
  }
}
