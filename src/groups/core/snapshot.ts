// Owns the snapshot of one partition's durable state: its layout, version 2. Not where snapshots are kept (tiers/snapshot) nor the part
// of consumer groups (consumer/snapshot.ts).
//
//   int32   magic 'CGRP'                    equal states give equal bytes: groups, topics, partitions
//   int16   version                         and producers stand in ascending order
//   array   groups: string id, int8 has metadata, [metadata], int8 has a consumer group, [consumer group], offsets
//   array   producers: int64 id, array of (string group id, offsets)
//   uint32  CRC32C of all before
//
//   metadata  string type, int32 generation, string? protocol, string? leader, int64 since, array of members
//   member    string id, string? instance, string client, string host, int32 rebalance ms, int32 session ms, bytes subscription,
//             bytes assignment
//   offsets   array of (string topic, array of (int32 partition, int64 offset, int32 epoch, string metadata, int64 committed at,
//             int64 expires at, uuid topic id or zero))
// Strings, bytes and arrays are Kafka's compact ones. Version 1, which had no consumer groups, is read.

import type { Crc32c } from '../../base/crc32c.ts'
import { fail, type Outcome, succeed } from '../../base/outcome.ts'
import { ByteReader, ByteWriter, zeroUuid } from '../../protocol/index.ts'
import { ascending, readAscending, readNumber } from './ordered.ts'
import { readConsumerGroup, writeConsumerGroup } from './consumer/snapshot.ts'
import { type ByPartition, type CommittedOffset, DurableState, type StoredGroup, type StoredMember } from './durable.ts'

const magic = 0x43475250
const version = 2
const versionMin = 1
const headBytes = 6
const crcBytes = 4

export function encodeSnapshot(state: DurableState, crc32c: Crc32c): Uint8Array {
  const w = new ByteWriter()
  w.int32(magic)
  w.int16(version)
  w.arrayLength(state.groups.size, true)
  for (const [groupId, group] of ascending(state.groups)) {
    w.string(groupId, true)
    w.bool(group.metadata !== undefined)
    if (group.metadata !== undefined) writeMetadata(w, group.metadata)
    w.bool(group.consumer !== undefined)
    if (group.consumer !== undefined) writeConsumerGroup(w, group.consumer)
    writeOffsets(w, group.offsets)
  }
  w.arrayLength(state.pending.size, true)
  for (const [producerId, groups] of ascending(state.pending)) {
    w.int64(BigInt(producerId))
    w.arrayLength(groups.size, true)
    for (const [groupId, offsets] of ascending(groups)) {
      w.string(groupId, true)
      writeOffsets(w, offsets)
    }
  }
  const body = w.concat()
  const whole = new Uint8Array(body.length + crcBytes)
  whole.set(body)
  new DataView(whole.buffer).setUint32(body.length, crc32c(body))
  return whole
}

function writeMetadata(w: ByteWriter, stored: StoredGroup): void {
  w.string(stored.protocolType, true)
  w.int32(stored.generation)
  w.nullableString(stored.protocolName ?? null, true)
  w.nullableString(stored.leaderId ?? null, true)
  w.int64(BigInt(stored.stateSinceMs))
  w.arrayLength(stored.members.length, true)
  for (const member of stored.members) {
    w.string(member.memberId, true)
    w.nullableString(member.instanceId ?? null, true)
    w.string(member.clientId, true)
    w.string(member.clientHost, true)
    w.int32(member.rebalanceTimeoutMs)
    w.int32(member.sessionTimeoutMs)
    w.bytesField(member.subscription, true)
    w.bytesField(member.assignment, true)
  }
}

function writeOffsets(w: ByteWriter, offsets: ByPartition<CommittedOffset>): void {
  w.arrayLength(offsets.size, true)
  for (const [topic, partitions] of ascending(offsets)) {
    w.string(topic, true)
    w.arrayLength(partitions.size, true)
    for (const [partition, value] of ascending(partitions)) {
      w.int32(partition)
      w.int64(BigInt(value.offset))
      w.int32(value.leaderEpoch)
      w.string(value.metadata, true)
      w.int64(BigInt(value.commitTimestampMs))
      w.int64(BigInt(value.expireTimestampMs))
      w.uuid(value.topicId ?? zeroUuid)
    }
  }
}

/** The failure says what is wrong; nothing in the bytes is believed before it is checked. */
export function decodeSnapshot(bytes: Uint8Array, crc32c: Crc32c): Outcome<DurableState, string> {
  if (bytes.length < headBytes + crcBytes) return fail('too short for a snapshot of groups')
  const end = bytes.length - crcBytes
  const stored = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(end)
  const r = new ByteReader(bytes, 0, end)
  if (r.int32() !== magic) return fail('not a snapshot of groups')
  const found = r.int16()
  if (found < versionMin || found > version)
    return fail(`snapshot version ${found} is not known, only ${versionMin} to ${version}`)
  if (crc32c(bytes.subarray(0, end)) !== stored) return fail('the checksum of the snapshot does not match')
  const state = new DurableState()
  readGroups(r, state, found)
  readPending(r, state)
  if (r.failure === undefined && r.remaining > 0) r.fail('bytes beyond the end')
  return r.failure === undefined ? succeed(state) : fail(r.failure)
}

function readGroups(r: ByteReader, state: DurableState, found: number): void {
  readAscending(r, 3, () => {
    const groupId = r.string(true)
    const metadata = r.bool() ? readMetadata(r) : undefined
    if (metadata !== undefined && r.failure === undefined) state.replay({ kind: 'group', groupId, value: metadata })
    const consumer = found >= 2 && r.bool() ? readConsumerGroup(r, groupId) : undefined
    if (consumer !== undefined && r.failure === undefined) for (const record of consumer) state.replay(record)
    const topics = readOffsets(r, (topic, partition, value) => {
      state.replay({ kind: 'offset', groupId, topic, partition, value })
    })
    if (metadata === undefined && consumer === undefined && topics === 0) r.fail('a group without anything')
    return groupId
  })
}

function readPending(r: ByteReader, state: DurableState): void {
  readAscending(r, 9, () => {
    const producerId = readNumber(r)
    if (producerId < 0) r.fail('a negative producer id')
    const groups = readAscending(r, 2, () => {
      const groupId = r.string(true)
      const topics = readOffsets(r, (topic, partition, value) => {
        state.replay({ kind: 'offset', groupId, topic, partition, value }, producerId)
      })
      if (topics === 0) r.fail('a group without anything')
      return groupId
    })
    if (groups === 0) r.fail('a producer without anything')
    return producerId
  })
}

function readMetadata(r: ByteReader): StoredGroup {
  const protocolType = r.string(true)
  const generation = r.int32()
  const protocolName = r.nullableString(true) ?? undefined
  const leaderId = r.nullableString(true) ?? undefined
  const stateSinceMs = readNumber(r)
  const members: StoredMember[] = []
  for (let left = r.arrayLength(true, 14); left > 0 && r.failure === undefined; left -= 1) {
    members.push({
      memberId: r.string(true),
      instanceId: r.nullableString(true) ?? undefined,
      clientId: r.string(true),
      clientHost: r.string(true),
      rebalanceTimeoutMs: r.int32(),
      sessionTimeoutMs: r.int32(),
      subscription: new Uint8Array(r.bytesField(true)),
      assignment: new Uint8Array(r.bytesField(true)),
    })
  }
  return { protocolType, generation, protocolName, leaderId, stateSinceMs, members }
}

function readOffsets(r: ByteReader, take: (topic: string, partition: number, value: CommittedOffset) => void): number {
  return readAscending(r, 2, () => {
    const topic = r.string(true)
    const partitions = readAscending(r, 49, () => {
      const partition = r.int32()
      const offset = readNumber(r)
      const leaderEpoch = r.int32()
      const metadata = r.string(true)
      const commitTimestampMs = readNumber(r)
      const expireTimestampMs = readNumber(r)
      const id = r.uuid()
      const topicId = id === zeroUuid ? undefined : id
      if (r.failure === undefined)
        take(topic, partition, { offset, leaderEpoch, metadata, commitTimestampMs, expireTimestampMs, topicId })
      return partition
    })
    if (partitions === 0) r.fail('a topic without anything')
    return topic
  })
}
