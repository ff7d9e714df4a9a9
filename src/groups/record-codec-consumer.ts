// Owns the records of consumer groups (KIP-848) in Kafka's own key and value formats. Not what they mean (core/consumer/state.ts) nor the
// other records of `__consumer_offsets` (record-codec.ts).

import { assertNever } from '../base/assert.ts'
import { fail, type Outcome, succeed } from '../base/outcome.ts'
import {
  consumerGroupCurrentMemberAssignmentKey,
  consumerGroupCurrentMemberAssignmentRecordType,
  consumerGroupCurrentMemberAssignmentValue,
  readConsumerGroupCurrentMemberAssignmentKey,
  readConsumerGroupCurrentMemberAssignmentValue,
  type TopicPartitions,
  writeConsumerGroupCurrentMemberAssignmentKey,
  writeConsumerGroupCurrentMemberAssignmentValue,
} from '../protocol/generated/records/consumer-group-current-member-assignment.ts'
import {
  consumerGroupMemberMetadataKey,
  consumerGroupMemberMetadataRecordType,
  consumerGroupMemberMetadataValue,
  readConsumerGroupMemberMetadataKey,
  readConsumerGroupMemberMetadataValue,
  writeConsumerGroupMemberMetadataKey,
  writeConsumerGroupMemberMetadataValue,
} from '../protocol/generated/records/consumer-group-member-metadata.ts'
import {
  consumerGroupMetadataKey,
  consumerGroupMetadataRecordType,
  consumerGroupMetadataValue,
  readConsumerGroupMetadataKey,
  readConsumerGroupMetadataValue,
  writeConsumerGroupMetadataKey,
  writeConsumerGroupMetadataValue,
} from '../protocol/generated/records/consumer-group-metadata.ts'
import {
  consumerGroupPartitionMetadataKey,
  consumerGroupPartitionMetadataRecordType,
  consumerGroupPartitionMetadataValue,
  readConsumerGroupPartitionMetadataKey,
  writeConsumerGroupPartitionMetadataKey,
  writeConsumerGroupPartitionMetadataValue,
} from '../protocol/generated/records/consumer-group-partition-metadata.ts'
import {
  consumerGroupRegularExpressionKey,
  consumerGroupRegularExpressionRecordType,
  consumerGroupRegularExpressionValue,
  readConsumerGroupRegularExpressionKey,
  readConsumerGroupRegularExpressionValue,
  writeConsumerGroupRegularExpressionKey,
  writeConsumerGroupRegularExpressionValue,
} from '../protocol/generated/records/consumer-group-regular-expression.ts'
import {
  consumerGroupTargetAssignmentMemberKey,
  consumerGroupTargetAssignmentMemberRecordType,
  consumerGroupTargetAssignmentMemberValue,
  readConsumerGroupTargetAssignmentMemberKey,
  readConsumerGroupTargetAssignmentMemberValue,
  writeConsumerGroupTargetAssignmentMemberKey,
  writeConsumerGroupTargetAssignmentMemberValue,
} from '../protocol/generated/records/consumer-group-target-assignment-member.ts'
import {
  consumerGroupTargetAssignmentMetadataKey,
  consumerGroupTargetAssignmentMetadataRecordType,
  consumerGroupTargetAssignmentMetadataValue,
  readConsumerGroupTargetAssignmentMetadataKey,
  readConsumerGroupTargetAssignmentMetadataValue,
  writeConsumerGroupTargetAssignmentMetadataKey,
  writeConsumerGroupTargetAssignmentMetadataValue,
} from '../protocol/generated/records/consumer-group-target-assignment-metadata.ts'
import { decodeVersioned, encodeVersioned, versionPrefixOf } from '../protocol/index.ts'
import { type HeldPartitions, listOf, PartitionList, type Partitions } from './core/consumer/partitions.ts'
import type { ConsumerRecord, CurrentAssignment, MemberState, Subscriber } from './core/consumer/state.ts'
import type { KeyedRecord } from './ports.ts'

/** All of these keys and values have one version. */
const version = 0

/** By Kafka's numbers. One it does not have yet is taken for a member that is on its way. */
const memberStates: readonly MemberState[] = ['Stable', 'UnrevokedPartitions', 'UnreleasedPartitions']

type Write<Message> = Parameters<typeof encodeVersioned<Message>>[0]
type Read<Message> = Parameters<typeof decodeVersioned<Message>>[0]

function keyOf<Key>(write: Write<Key>, key: Key, recordType: number): Uint8Array {
  return encodeVersioned(write, key, version, recordType)
}

function valueOf<Value>(write: Write<Value>, value: Value | undefined): Uint8Array | null {
  return value === undefined ? null : encodeVersioned(write, value, version)
}

export function encodeConsumerRecord(record: ConsumerRecord): KeyedRecord {
  const { groupId } = record
  switch (record.kind) {
    case 'consumer-group':
      return {
        key: keyOf(writeConsumerGroupMetadataKey, consumerGroupMetadataKey({ groupId }), consumerGroupMetadataRecordType),
        value: valueOf(writeConsumerGroupMetadataValue, record.value && consumerGroupMetadataValue(record.value)),
      }
    case 'consumer-topics':
      return {
        key: keyOf(
          writeConsumerGroupPartitionMetadataKey,
          consumerGroupPartitionMetadataKey({ groupId }),
          consumerGroupPartitionMetadataRecordType,
        ),
        value: valueOf(writeConsumerGroupPartitionMetadataValue, record.value && consumerGroupPartitionMetadataValue()),
      }
    case 'consumer-assignment':
      return {
        key: keyOf(
          writeConsumerGroupTargetAssignmentMetadataKey,
          consumerGroupTargetAssignmentMetadataKey({ groupId }),
          consumerGroupTargetAssignmentMetadataRecordType,
        ),
        value: valueOf(
          writeConsumerGroupTargetAssignmentMetadataValue,
          record.value &&
            consumerGroupTargetAssignmentMetadataValue({
              assignmentEpoch: record.value.epoch,
              assignmentTimestamp: BigInt(record.value.timestampMs),
            }),
        ),
      }
    case 'consumer-expression':
      return {
        key: keyOf(
          writeConsumerGroupRegularExpressionKey,
          consumerGroupRegularExpressionKey({ groupId, regularExpression: record.expression }),
          consumerGroupRegularExpressionRecordType,
        ),
        value: valueOf(
          writeConsumerGroupRegularExpressionValue,
          record.value &&
            consumerGroupRegularExpressionValue({
              topics: record.value.topics,
              version: BigInt(record.value.version),
              timestamp: BigInt(record.value.timestampMs),
            }),
        ),
      }
    case 'consumer-member':
    case 'consumer-target':
    case 'consumer-current':
      return encodeOfMember(record)
    default:
      return assertNever(record, 'GROUP-18: every record has a form')
  }
}

function encodeOfMember(
  record: ConsumerRecord & { readonly kind: 'consumer-member' | 'consumer-target' | 'consumer-current' },
): KeyedRecord {
  const { groupId, memberId } = record
  switch (record.kind) {
    case 'consumer-member':
      return {
        key: keyOf(
          writeConsumerGroupMemberMetadataKey,
          consumerGroupMemberMetadataKey({ groupId, memberId }),
          consumerGroupMemberMetadataRecordType,
        ),
        value: valueOf(writeConsumerGroupMemberMetadataValue, record.value && memberValue(record.value)),
      }
    case 'consumer-target':
      return {
        key: keyOf(
          writeConsumerGroupTargetAssignmentMemberKey,
          consumerGroupTargetAssignmentMemberKey({ groupId, memberId }),
          consumerGroupTargetAssignmentMemberRecordType,
        ),
        value: valueOf(
          writeConsumerGroupTargetAssignmentMemberValue,
          record.value &&
            consumerGroupTargetAssignmentMemberValue({
              topicPartitions: [...record.value].map(([topicId, partitions]) => ({ topicId, partitions })),
            }),
        ),
      }
    case 'consumer-current':
      return {
        key: keyOf(
          writeConsumerGroupCurrentMemberAssignmentKey,
          consumerGroupCurrentMemberAssignmentKey({ groupId, memberId }),
          consumerGroupCurrentMemberAssignmentRecordType,
        ),
        value: valueOf(writeConsumerGroupCurrentMemberAssignmentValue, record.value && currentValue(record.value)),
      }
    default:
      return assertNever(record, 'GROUP-18: every record has a form')
  }
}

function memberValue(subscriber: Subscriber) {
  const { classic } = subscriber
  return consumerGroupMemberMetadataValue({
    instanceId: subscriber.instanceId ?? null,
    rackId: subscriber.rackId ?? null,
    clientId: subscriber.clientId,
    clientHost: subscriber.clientHost,
    subscribedTopicNames: subscriber.topics,
    subscribedTopicRegex: subscriber.expression ?? null,
    rebalanceTimeoutMs: subscriber.rebalanceTimeoutMs,
    serverAssignor: subscriber.assignor ?? null,
    classicMemberMetadata:
      classic === undefined ? null : { sessionTimeoutMs: classic.sessionTimeoutMs, supportedProtocols: classic.protocols },
  })
}

function currentValue(current: CurrentAssignment) {
  return consumerGroupCurrentMemberAssignmentValue({
    memberEpoch: current.memberEpoch,
    previousMemberEpoch: current.previousMemberEpoch,
    state: memberStates.indexOf(current.state),
    assignedPartitions: heldValue(current.assigned),
    partitionsPendingRevocation: heldValue(current.pendingRevocation),
  })
}

function heldValue(held: HeldPartitions): readonly TopicPartitions[] {
  return [...listOf(held)].map(([topicId, partitions]) => {
    const epochs = held.get(topicId)!
    return { topicId, partitions, assignmentEpochs: partitions.map((partition) => epochs.get(partition)!) }
  })
}

type Decoded = Outcome<ConsumerRecord, string>

function decode<Key extends { readonly groupId: string }, Value>(
  { key, value }: KeyedRecord,
  form: {
    readonly what: string
    readonly readKey: Read<Key>
    readonly readValue: Read<Value>
    readonly make: (key: Key, value: Value | undefined) => ConsumerRecord | undefined
  },
): Decoded {
  const readKey = decodeVersioned(form.readKey, key, version)
  if (readKey === undefined) return fail(`a malformed key of ${form.what}`)
  const at = `${form.what} of group ${readKey.groupId}`
  // The values are flexible: what a newer Kafka adds to them stands in tags that are passed over.
  if (value !== null && versionPrefixOf(value) !== version) return fail(`${at} in an unknown version`)
  const readValue = value === null ? undefined : decodeVersioned(form.readValue, value, version)
  if (value !== null && readValue === undefined) return fail(`malformed ${at}`)
  const record = form.make(readKey, readValue)
  return record === undefined ? fail(`a number beyond 2^53 in ${at}`) : succeed(record)
}

/** Undefined: a record of a kind that is not of consumer groups. */
export function decodeConsumerRecord(recordType: number, record: KeyedRecord): Decoded | undefined {
  switch (recordType) {
    case consumerGroupMetadataRecordType:
      return decode(record, {
        what: 'the epoch',
        readKey: readConsumerGroupMetadataKey,
        readValue: readConsumerGroupMetadataValue,
        make: ({ groupId }, value) => ({
          kind: 'consumer-group',
          groupId,
          value: value && { epoch: value.epoch, metadataHash: value.metadataHash },
        }),
      })
    case consumerGroupPartitionMetadataRecordType:
      return decode(record, {
        what: 'the topics',
        readKey: readConsumerGroupPartitionMetadataKey,
        // Only that it is there counts.
        readValue: () => true as const,
        make: ({ groupId }, value) => ({ kind: 'consumer-topics', groupId, value }),
      })
    case consumerGroupTargetAssignmentMetadataRecordType:
      return decode(record, {
        what: 'the epoch of the assignment',
        readKey: readConsumerGroupTargetAssignmentMetadataKey,
        readValue: readConsumerGroupTargetAssignmentMetadataValue,
        make: ({ groupId }, value) => {
          const timestampMs = Number(value?.assignmentTimestamp ?? 0n)
          if (!Number.isSafeInteger(timestampMs)) return undefined
          return { kind: 'consumer-assignment', groupId, value: value && { epoch: value.assignmentEpoch, timestampMs } }
        },
      })
    case consumerGroupRegularExpressionRecordType:
      return decode(record, {
        what: 'a regular expression',
        readKey: readConsumerGroupRegularExpressionKey,
        readValue: readConsumerGroupRegularExpressionValue,
        make: ({ groupId, regularExpression: expression }, value) => {
          const numbers = { version: Number(value?.version ?? 0n), timestampMs: Number(value?.timestamp ?? 0n) }
          if (!Object.values(numbers).every(Number.isSafeInteger)) return undefined
          return {
            kind: 'consumer-expression',
            groupId,
            expression,
            value: value && { topics: [...value.topics].sort(), ...numbers },
          }
        },
      })
    default:
      return decodeOfMember(recordType, record)
  }
}

function decodeOfMember(recordType: number, record: KeyedRecord): Decoded | undefined {
  switch (recordType) {
    case consumerGroupMemberMetadataRecordType:
      return decode(record, {
        what: 'a member',
        readKey: readConsumerGroupMemberMetadataKey,
        readValue: readConsumerGroupMemberMetadataValue,
        make: ({ groupId, memberId }, value) => ({
          kind: 'consumer-member',
          groupId,
          memberId,
          value: value && subscriberOf(value),
        }),
      })
    case consumerGroupTargetAssignmentMemberRecordType:
      return decode(record, {
        what: 'the target of a member',
        readKey: readConsumerGroupTargetAssignmentMemberKey,
        readValue: readConsumerGroupTargetAssignmentMemberValue,
        make: ({ groupId, memberId }, value) => ({
          kind: 'consumer-target',
          groupId,
          memberId,
          value: value && targetOf(value.topicPartitions),
        }),
      })
    case consumerGroupCurrentMemberAssignmentRecordType:
      return decode(record, {
        what: 'the assignment of a member',
        readKey: readConsumerGroupCurrentMemberAssignmentKey,
        readValue: readConsumerGroupCurrentMemberAssignmentValue,
        make: ({ groupId, memberId }, value) => ({
          kind: 'consumer-current',
          groupId,
          memberId,
          value: value && {
            memberEpoch: value.memberEpoch,
            previousMemberEpoch: value.previousMemberEpoch,
            state: memberStates[value.state] ?? 'UnreleasedPartitions',
            assigned: heldOf(value.assignedPartitions, value.memberEpoch),
            pendingRevocation: heldOf(value.partitionsPendingRevocation, value.memberEpoch),
          },
        }),
      })
    default:
      return undefined
  }
}

function subscriberOf(value: ReturnType<typeof consumerGroupMemberMetadataValue>): Subscriber {
  const { classicMemberMetadata: classic } = value
  return {
    instanceId: value.instanceId ?? undefined,
    rackId: value.rackId ?? undefined,
    clientId: value.clientId,
    clientHost: value.clientHost,
    topics: [...new Set(value.subscribedTopicNames)].sort(),
    // Kafka stores an empty one where a member gave its expression up.
    expression: value.subscribedTopicRegex === '' ? undefined : (value.subscribedTopicRegex ?? undefined),
    rebalanceTimeoutMs: value.rebalanceTimeoutMs,
    assignor: value.serverAssignor ?? undefined,
    classic:
      classic === null
        ? undefined
        : {
            sessionTimeoutMs: classic.sessionTimeoutMs,
            protocols: classic.supportedProtocols.map(({ name, metadata }) => ({ name, metadata: new Uint8Array(metadata) })),
          },
  }
}

export function targetOf(topics: readonly { readonly topicId: string; readonly partitions: readonly number[] }[]): Partitions {
  const list = new PartitionList()
  for (const { topicId, partitions } of topics) for (const partition of partitions) list.add(topicId, partition)
  return list.take()
}

/** Records from before Kafka kept an epoch for each partition have none: the member's own then stands for it. */
function heldOf(topics: readonly TopicPartitions[], memberEpoch: number): HeldPartitions {
  const held = new Map<string, Map<number, number>>()
  for (const { topicId, partitions, assignmentEpochs } of topics) {
    if (partitions.length === 0) continue
    const epochs = assignmentEpochs?.length === partitions.length ? assignmentEpochs : undefined
    const own = held.get(topicId) ?? new Map<number, number>()
    partitions.forEach((partition, at) => own.set(partition, epochs?.[at] ?? memberEpoch))
    held.set(topicId, own)
  }
  return held
}
