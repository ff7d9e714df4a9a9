// Owns whether a new topic is possible on this one broker: its name beside those that are there, its number of partitions, and where they
// are to lie. Not its configs (core/topic-settings.ts) nor making it (standalone-broker.ts).

import { fail, type Outcome, succeed } from '../base/outcome.ts'
import type { NodeId } from '../model/ids.ts'
import { topicNameFault } from '../model/topic-name.ts'
import { ErrorCode } from '../protocol/index.ts'
import type { KafkaFailure, NewTopic } from './api.ts'
import { kafkaFailure } from './failures.ts'
import { type InternalTopic, isInternalTopic, partitionSettings } from './internal-topics.ts'

const refused = (errorCode: number, message: string): Outcome<never, KafkaFailure> => fail(kafkaFailure(errorCode, message))

export function faultOfNewName(name: string, present: ReadonlyMap<string, unknown>): KafkaFailure | undefined {
  const badName = topicNameFault(name)
  if (badName !== undefined) return kafkaFailure(ErrorCode.INVALID_TOPIC_EXCEPTION, badName)
  if (present.has(name)) return kafkaFailure(ErrorCode.TOPIC_ALREADY_EXISTS, `Topic '${name}' already exists.`)
  const collision = collisionOf(name, present.keys())
  if (collision === undefined) return undefined
  return kafkaFailure(ErrorCode.INVALID_TOPIC_EXCEPTION, `Topic '${name}' collides with existing topic: ${collision}`)
}

/** Kafka refuses names that differ in '.' and '_' only: their metrics would collide. */
function collisionOf(name: string, present: Iterable<string>): string | undefined {
  if (!/[._]/.test(name)) return undefined
  const plain = name.replaceAll('.', '_')
  for (const other of present) if (other.replaceAll('.', '_') === plain) return other
  return undefined
}

export interface PartitionRules {
  readonly nodeId: NodeId
  /** Where none is asked for. */
  readonly numPartitions: number
  readonly internalPartitions: Readonly<Record<InternalTopic, number>>
  readonly partitionsPerTopicMax: number
}

export function partitionCountOf(topic: NewTopic, rules: PartitionRules): Outcome<number, KafkaFailure> {
  if (topic.assignments.size > 0) return assignedCount(topic, rules)
  if (topic.replicationFactor !== -1 && topic.replicationFactor !== 1) {
    const why =
      topic.replicationFactor < 1
        ? 'Replication factor must be larger than 0, or -1 to use the default value.'
        : `Unable to replicate the partition ${topic.replicationFactor} time(s): The target replication factor of ${topic.replicationFactor} cannot be reached because only 1 broker(s) are registered.`
    return refused(ErrorCode.INVALID_REPLICATION_FACTOR, why)
  }
  const { internalPartitions, numPartitions, partitionsPerTopicMax } = rules
  const usual = isInternalTopic(topic.name) ? internalPartitions[topic.name] : numPartitions
  const count = topic.partitionCount === -1 ? usual : topic.partitionCount
  if (count < 1) return refused(ErrorCode.INVALID_PARTITIONS, 'Number of partitions was set to an invalid non-positive value.')
  if (count > partitionsPerTopicMax) {
    const why = `Number of partitions was set to an invalid value: ${count}; 1 to ${partitionsPerTopicMax} are possible`
    return refused(ErrorCode.INVALID_PARTITIONS, why)
  }
  return asInternal(topic.name, count, rules)
}

function assignedCount(topic: NewTopic, rules: PartitionRules): Outcome<number, KafkaFailure> {
  const { name, assignments, partitionCount, replicationFactor } = topic
  const given = replicationFactor !== -1 ? 'replication factor' : partitionCount !== -1 ? 'numPartitions' : undefined
  if (given !== undefined) {
    return refused(ErrorCode.INVALID_REQUEST, `A manual partition assignment was specified, but ${given} was not set to -1.`)
  }
  for (let index = 0; index < assignments.size; index += 1) {
    const fault = faultOfReplicas(assignments.get(index) ?? [], rules.nodeId)
    if (fault !== undefined)
      return refused(ErrorCode.INVALID_REPLICA_ASSIGNMENT, `The manual partition assignment includes ${fault}`)
  }
  return asInternal(name, assignments.size, rules)
}

/** There is one broker: a partition is on it, and nowhere else. */
function faultOfReplicas(replicas: readonly number[], nodeId: number): string | undefined {
  if (replicas.length === 0) return 'an empty replica list.'
  const elsewhere = replicas.find((id) => id !== nodeId)
  if (elsewhere !== undefined) return `broker ${elsewhere}, but no such broker is registered.`
  return replicas.length > 1 ? `the broker ${nodeId} more than once.` : undefined
}

/** Internal topics have as many as the settings say. */
function asInternal(name: string, count: number, { internalPartitions }: PartitionRules): Outcome<number, KafkaFailure> {
  if (!isInternalTopic(name) || count === internalPartitions[name]) return succeed(count)
  const why = `Topic ${name} has ${internalPartitions[name]} partitions (${partitionSettings[name]})`
  return refused(ErrorCode.INVALID_PARTITIONS, why)
}
