// Owns the records of `__consumer_offsets` in Kafka's own key and value formats, those of consumer groups beside it
// (record-codec-consumer.ts). Not what they mean (core/durable.ts).

import { fail, type Outcome, succeed } from '../base/outcome.ts'
import {
  groupMetadataKey,
  groupMetadataRecordType,
  groupMetadataValue,
  readGroupMetadataKey,
  readGroupMetadataValue,
  writeGroupMetadataKey,
  writeGroupMetadataValue,
} from '../protocol/generated/records/group-metadata.ts'
import { legacyOffsetCommitRecordType } from '../protocol/generated/records/legacy-offset-commit.ts'
import {
  offsetCommitKey,
  offsetCommitRecordType,
  offsetCommitValue,
  readOffsetCommitKey,
  readOffsetCommitValue,
  writeOffsetCommitKey,
  writeOffsetCommitValue,
} from '../protocol/generated/records/offset-commit.ts'
import { decodeVersioned, encodeVersioned, versionPrefixOf, zeroUuid } from '../protocol/index.ts'
import { isConsumerRecord } from './core/consumer/state.ts'
import type { CommittedOffset, GroupRecord, StoredGroup } from './core/durable.ts'
import type { KeyedRecord } from './ports.ts'
import { decodeConsumerRecord, encodeConsumerRecord } from './record-codec-consumer.ts'

// Version 3 is the newest that every reader in use knows; 4 adds only tagged fields.
const groupValueVersion = 3
const offsetValueVersion = { plain: 3, withExpiry: 1, withTopicId: 4 } as const
const valueVersionMax = 4

export function encodeRecord(record: GroupRecord): KeyedRecord {
  if (isConsumerRecord(record)) return encodeConsumerRecord(record)
  if (record.kind === 'group') {
    const key = encodeVersioned(writeGroupMetadataKey, groupMetadataKey({ group: record.groupId }), 0, groupMetadataRecordType)
    return { key, value: record.value === undefined ? null : encodeGroup(record.value) }
  }
  const { groupId: group, topic, partition } = record
  const key = encodeVersioned(writeOffsetCommitKey, offsetCommitKey({ group, topic, partition }), 0, offsetCommitRecordType)
  return { key, value: record.value === undefined ? null : encodeOffset(record.value) }
}

function encodeGroup(stored: StoredGroup): Uint8Array {
  const value = groupMetadataValue({
    protocolType: stored.protocolType,
    generation: stored.generation,
    protocol: stored.protocolName ?? null,
    leader: stored.leaderId ?? null,
    currentStateTimestamp: BigInt(stored.stateSinceMs),
    members: stored.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.instanceId ?? null,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeout: member.rebalanceTimeoutMs,
      sessionTimeout: member.sessionTimeoutMs,
      subscription: member.subscription,
      assignment: member.assignment,
    })),
  })
  return encodeVersioned(writeGroupMetadataValue, value, groupValueVersion)
}

function encodeOffset(committed: CommittedOffset): Uint8Array {
  const expires = committed.expireTimestampMs >= 0
  const value = offsetCommitValue({
    offset: BigInt(committed.offset),
    leaderEpoch: expires ? -1 : committed.leaderEpoch,
    metadata: committed.metadata,
    commitTimestamp: BigInt(committed.commitTimestampMs),
    expireTimestamp: BigInt(committed.expireTimestampMs),
    topicId: expires ? zeroUuid : (committed.topicId ?? zeroUuid),
  })
  const { plain, withExpiry, withTopicId } = offsetValueVersion
  return encodeVersioned(
    writeOffsetCommitValue,
    value,
    expires ? withExpiry : committed.topicId === undefined ? plain : withTopicId,
  )
}

/** Undefined: a record of a kind this coordinator does not own. A failure says what is wrong with the bytes. */
export function decodeRecord({ key, value }: KeyedRecord): Outcome<GroupRecord | undefined, string> {
  const recordType = versionPrefixOf(key)
  switch (recordType) {
    case undefined:
      return fail('a key without a type')
    case legacyOffsetCommitRecordType:
    case offsetCommitRecordType:
      return decodeOffset(key, value)
    case groupMetadataRecordType:
      return decodeGroup(key, value)
    default:
      return decodeConsumerRecord(recordType, { key, value }) ?? succeed(undefined)
  }
}

/** Reads a value by its own version; undefined when it is malformed or newer than what is known. */
function decodeValue<Value>(read: Parameters<typeof decodeVersioned<Value>>[0], value: Uint8Array): Value | undefined {
  const version = versionPrefixOf(value)
  if (version === undefined || version < 0 || version > valueVersionMax) return undefined
  return decodeVersioned(read, value, version)
}

function decodeOffset(keyBytes: Uint8Array, valueBytes: Uint8Array | null): Outcome<GroupRecord, string> {
  const key = decodeVersioned(readOffsetCommitKey, keyBytes, 0)
  if (key === undefined) return fail('a malformed key of an offset')
  const { group: groupId, topic, partition } = key
  if (valueBytes === null) return succeed({ kind: 'offset', groupId, topic, partition, value: undefined })
  const read = decodeValue(readOffsetCommitValue, valueBytes)
  const at = `${groupId}/${topic}-${partition}`
  if (read === undefined) return fail(`a malformed offset of ${at}`)
  const numbers = { offset: Number(read.offset), commit: Number(read.commitTimestamp), expire: Number(read.expireTimestamp) }
  if (!Object.values(numbers).every(Number.isSafeInteger)) return fail(`an offset or time of ${at} beyond 2^53`)
  const value: CommittedOffset = {
    offset: numbers.offset,
    leaderEpoch: read.leaderEpoch,
    metadata: read.metadata,
    commitTimestampMs: numbers.commit,
    expireTimestampMs: numbers.expire < 0 ? -1 : numbers.expire,
    topicId: read.topicId === zeroUuid ? undefined : read.topicId,
  }
  return succeed({ kind: 'offset', groupId, topic, partition, value })
}

function decodeGroup(keyBytes: Uint8Array, valueBytes: Uint8Array | null): Outcome<GroupRecord, string> {
  const key = decodeVersioned(readGroupMetadataKey, keyBytes, 0)
  if (key === undefined) return fail('a malformed key of a group')
  const groupId = key.group
  if (valueBytes === null) return succeed({ kind: 'group', groupId, value: undefined })
  const read = decodeValue(readGroupMetadataValue, valueBytes)
  if (read === undefined) return fail(`malformed metadata of group ${groupId}`)
  const value: StoredGroup = {
    protocolType: read.protocolType,
    generation: read.generation,
    protocolName: read.protocol ?? undefined,
    leaderId: read.leader ?? undefined,
    stateSinceMs: Number(read.currentStateTimestamp),
    members: read.members.map((member) => ({
      memberId: member.memberId,
      instanceId: member.groupInstanceId ?? undefined,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeoutMs: member.rebalanceTimeout,
      sessionTimeoutMs: member.sessionTimeout,
      subscription: new Uint8Array(member.subscription),
      assignment: new Uint8Array(member.assignment),
    })),
  }
  return Number.isSafeInteger(value.stateSinceMs)
    ? succeed({ kind: 'group', groupId, value })
    : fail(`a time of group ${groupId} beyond 2^53`)
}
