// Owns how one consumer group stands in the snapshot of its partition. Not the snapshot around it (../snapshot.ts).
//
//   int32 epoch, int64 metadata hash, int32 assignment epoch, int64 assigned at, int8 has a record of topics
//   array members: string id, string? instance, string? rack, string client, string host, array of string topics, string? expression,
//                  int32 rebalance ms, string? assignor, int8 is classic, [int32 session ms, array of (string name, bytes metadata)]
//   array targets: string member, partitions
//   array currents: string member, int32 epoch, int32 previous epoch, int8 state, held assigned, held pending revocation
//   array expressions: string, array of string topics, int64 version, int64 at
//
//   partitions  array of (uuid topic, array of int32 partition)
//   held        array of (uuid topic, array of (int32 partition, int32 epoch))

import type { ByteReader, ByteWriter } from '../../../protocol/index.ts'
import { ascending, readAscending, readNumber } from '../ordered.ts'
import type { HeldPartitions, Partitions } from './partitions.ts'
import type { ClassicSide, ConsumerRecord, ConsumerState, MemberState, Subscriber } from './state.ts'

/** A member's state is stored as its place here. */
const memberStates: readonly MemberState[] = ['Stable', 'UnrevokedPartitions', 'UnreleasedPartitions']

export function writeConsumerGroup(w: ByteWriter, state: ConsumerState): void {
  w.int32(state.epoch)
  w.int64(state.metadataHash)
  w.int32(state.assignmentEpoch)
  w.int64(BigInt(state.assignedAtMs))
  w.bool(state.hasTopicsRecord)
  w.arrayLength(state.subscribers.size, true)
  for (const [memberId, subscriber] of ascending(state.subscribers)) {
    w.string(memberId, true)
    writeSubscriber(w, subscriber)
  }
  w.arrayLength(state.targets.size, true)
  for (const [memberId, target] of ascending(state.targets)) {
    w.string(memberId, true)
    writePartitions(w, target)
  }
  w.arrayLength(state.currents.size, true)
  for (const [memberId, current] of ascending(state.currents)) {
    w.string(memberId, true)
    w.int32(current.memberEpoch)
    w.int32(current.previousMemberEpoch)
    w.int8(memberStates.indexOf(current.state))
    writeHeld(w, current.assigned)
    writeHeld(w, current.pendingRevocation)
  }
  w.arrayLength(state.expressions.size, true)
  for (const [expression, resolved] of ascending(state.expressions)) {
    w.string(expression, true)
    writeStrings(w, resolved.topics)
    w.int64(BigInt(resolved.version))
    w.int64(BigInt(resolved.timestampMs))
  }
}

function writeSubscriber(w: ByteWriter, subscriber: Subscriber): void {
  w.nullableString(subscriber.instanceId ?? null, true)
  w.nullableString(subscriber.rackId ?? null, true)
  w.string(subscriber.clientId, true)
  w.string(subscriber.clientHost, true)
  writeStrings(w, subscriber.topics)
  w.nullableString(subscriber.expression ?? null, true)
  w.int32(subscriber.rebalanceTimeoutMs)
  w.nullableString(subscriber.assignor ?? null, true)
  w.bool(subscriber.classic !== undefined)
  if (subscriber.classic === undefined) return
  w.int32(subscriber.classic.sessionTimeoutMs)
  w.arrayLength(subscriber.classic.protocols.length, true)
  for (const { name, metadata } of subscriber.classic.protocols) {
    w.string(name, true)
    w.bytesField(metadata, true)
  }
}

function writeStrings(w: ByteWriter, strings: readonly string[]): void {
  w.arrayLength(strings.length, true)
  for (const one of strings) w.string(one, true)
}

function writePartitions(w: ByteWriter, list: Partitions): void {
  w.arrayLength(list.size, true)
  for (const [topicId, partitions] of ascending(list)) {
    w.uuid(topicId)
    w.arrayLength(partitions.length, true)
    for (const partition of partitions) w.int32(partition)
  }
}

function writeHeld(w: ByteWriter, held: HeldPartitions): void {
  w.arrayLength(held.size, true)
  for (const [topicId, partitions] of ascending(held)) {
    w.uuid(topicId)
    w.arrayLength(partitions.size, true)
    for (const [partition, epoch] of ascending(partitions)) {
      w.int32(partition)
      w.int32(epoch)
    }
  }
}

/** The records that make the group; nothing in them is right if the reader has failed. */
export function readConsumerGroup(r: ByteReader, groupId: string): readonly ConsumerRecord[] {
  const records: ConsumerRecord[] = []
  records.push({ kind: 'consumer-group', groupId, value: { epoch: r.int32(), metadataHash: r.int64() } })
  records.push({ kind: 'consumer-assignment', groupId, value: { epoch: r.int32(), timestampMs: readNumber(r) } })
  if (r.bool()) records.push({ kind: 'consumer-topics', groupId, value: true })
  readAscending(r, 12, () => {
    const memberId = r.string(true)
    records.push({ kind: 'consumer-member', groupId, memberId, value: readSubscriber(r) })
    return memberId
  })
  readAscending(r, 2, () => {
    const memberId = r.string(true)
    records.push({ kind: 'consumer-target', groupId, memberId, value: readPartitions(r) })
    return memberId
  })
  readAscending(r, 12, () => {
    const memberId = r.string(true)
    const memberEpoch = r.int32()
    const previousMemberEpoch = r.int32()
    const state = memberStates[r.int8()]
    if (state === undefined) r.fail('an unknown state of a member')
    const assigned = readHeld(r)
    const pendingRevocation = readHeld(r)
    const value = { memberEpoch, previousMemberEpoch, state: state ?? 'Stable', assigned, pendingRevocation }
    records.push({ kind: 'consumer-current', groupId, memberId, value })
    return memberId
  })
  readAscending(r, 18, () => {
    const expression = r.string(true)
    const value = { topics: readStrings(r), version: readNumber(r), timestampMs: readNumber(r) }
    records.push({ kind: 'consumer-expression', groupId, expression, value })
    return expression
  })
  return records
}

function readSubscriber(r: ByteReader): Subscriber {
  return {
    instanceId: r.nullableString(true) ?? undefined,
    rackId: r.nullableString(true) ?? undefined,
    clientId: r.string(true),
    clientHost: r.string(true),
    topics: readStrings(r),
    expression: r.nullableString(true) ?? undefined,
    rebalanceTimeoutMs: r.int32(),
    assignor: r.nullableString(true) ?? undefined,
    classic: r.bool() ? readClassic(r) : undefined,
  }
}

function readClassic(r: ByteReader): ClassicSide {
  const sessionTimeoutMs = r.int32()
  const protocols: { name: string; metadata: Uint8Array }[] = []
  for (let left = r.arrayLength(true, 2); left > 0 && r.failure === undefined; left -= 1) {
    protocols.push({ name: r.string(true), metadata: new Uint8Array(r.bytesField(true)) })
  }
  return { sessionTimeoutMs, protocols }
}

function readStrings(r: ByteReader): readonly string[] {
  const strings: string[] = []
  for (let left = r.arrayLength(true, 1); left > 0 && r.failure === undefined; left -= 1) strings.push(r.string(true))
  return strings
}

function readPartitions(r: ByteReader): Partitions {
  const list = new Map<string, readonly number[]>()
  readAscending(r, 17, () => {
    const topicId = r.uuid()
    const partitions: number[] = []
    readAscending(r, 4, () => {
      const partition = r.int32()
      partitions.push(partition)
      return partition
    })
    list.set(topicId, partitions)
    return topicId
  })
  return list
}

function readHeld(r: ByteReader): HeldPartitions {
  const held = new Map<string, ReadonlyMap<number, number>>()
  readAscending(r, 17, () => {
    const topicId = r.uuid()
    const partitions = new Map<number, number>()
    readAscending(r, 8, () => {
      const partition = r.int32()
      partitions.set(partition, r.int32())
      return partition
    })
    held.set(topicId, partitions)
    return topicId
  })
  return held
}
