// Owns the changes of metadata on their way: proposed to the metadata group's log, applied in its order once they are in the bucket (design:
// metadata is always bucket-durable), and then answered. Not what a change means for the live topics (standalone-broker.ts), nor the state
// (core/cluster-state.ts).

import { assertDefined } from '../base/assert.ts'
import type { OpError } from '../base/op-error.ts'
import { fail, type Outcome } from '../base/outcome.ts'
import type { LogIndex } from '../model/ids.ts'
import type { ReplicatedLog } from '../model/replicated-log.ts'
import { ErrorCode } from '../protocol/index.ts'
import type { KafkaFailure } from './api.ts'
import {
  type ClusterChange,
  type ClusterCommand,
  type ClusterRefusal,
  type ClusterState,
  encodeCommand,
} from './core/cluster-state.ts'
import { failureOf, kafkaFailure } from './failures.ts'

export interface MetadataLogParts {
  readonly log: ReplicatedLog
  readonly cluster: ClusterState
  /** Which entry the state stands for. */
  readonly appliedIndex: number
  /** The state has changed: whatever follows it does so now, before anybody is answered. */
  readonly onChange: (change: ClusterChange) => void
}

interface PendingCommand {
  readonly index: LogIndex
  readonly command: ClusterCommand
  readonly resolve: (outcome: Outcome<ClusterChange, ClusterRefusal>) => void
  readonly reject: (reason: OpError) => void
}

export class MetadataLog {
  readonly #parts: MetadataLogParts
  #pending: PendingCommand[] = []
  #appliedIndex: number

  constructor(parts: MetadataLogParts) {
    this.#parts = parts
    this.#appliedIndex = parts.appliedIndex
  }

  /** Of the last entry that has taken effect. */
  get appliedIndex(): number {
    return this.#appliedIndex
  }

  async execute(command: ClusterCommand): Promise<Outcome<ClusterChange, KafkaFailure>> {
    const { log, cluster } = this.#parts
    const refusal = cluster.canApply(command)
    if (refusal !== undefined) return fail(refusalOf(refusal))
    try {
      const index = log.propose('metadata', encodeCommand(command))
      const outcome = await new Promise<Outcome<ClusterChange, ClusterRefusal>>((resolve, reject) => {
        this.#pending.push({ index, command, resolve, reject })
      })
      return outcome.ok ? outcome : fail(refusalOf(outcome.failure))
    } catch (error) {
      return fail(failureOf(error))
    }
  }

  /** Entries up to the index are in the bucket. */
  onStreamed(index: LogIndex): void {
    while ((this.#pending[0]?.index ?? Infinity) <= index) {
      const { command, resolve, index: at } = assertDefined(this.#pending.shift(), 'a command waits')
      this.#appliedIndex = at
      const change = this.#parts.cluster.apply(command)
      if (change.ok) this.#parts.onChange(change.value)
      resolve(change)
    }
  }

  /** The log goes on no more: who waits is told. */
  abandon(reason: OpError): void {
    for (const { reject } of this.#pending.splice(0)) reject(reason)
  }
}

function refusalOf(refusal: ClusterRefusal): KafkaFailure {
  switch (refusal) {
    case 'topic-exists':
      return kafkaFailure(ErrorCode.TOPIC_ALREADY_EXISTS, 'Topic already exists.')
    case 'unknown-topic':
      return kafkaFailure(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 'This server does not host this topic-partition.')
    case 'fewer-partitions':
      return kafkaFailure(ErrorCode.INVALID_PARTITIONS, 'The number of partitions can only grow.')
  }
}
