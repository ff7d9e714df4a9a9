// Owns the durable state of one partition of `__consumer_offsets`: group metadata and committed offsets, and `replay`, the one way
// it changes, live and at start. Not the records' bytes (../record-codec.ts), the state of a consumer group (consumer/state.ts), nor
// anything that a restart may forget (group.ts).

import { assert } from '../../base/assert.ts'
import { type ConsumerRecord, ConsumerState, isConsumerRecord } from './consumer/state.ts'

export interface StoredMember {
  readonly memberId: string
  readonly instanceId: string | undefined
  readonly clientId: string
  readonly clientHost: string
  readonly rebalanceTimeoutMs: number
  readonly sessionTimeoutMs: number
  readonly subscription: Uint8Array
  readonly assignment: Uint8Array
}

export interface StoredGroup {
  readonly protocolType: string
  readonly generation: number
  readonly protocolName: string | undefined
  readonly leaderId: string | undefined
  /** Wall time since which the group is in its state; −1 where an old record does not tell. */
  readonly stateSinceMs: number
  readonly members: readonly StoredMember[]
}

export interface CommittedOffset {
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
  readonly commitTimestampMs: number
  /** −1: by the broker's retention. */
  readonly expireTimestampMs: number
  /** Undefined where the record does not tell. */
  readonly topicId: string | undefined
}

export interface GroupMetadataRecord {
  readonly kind: 'group'
  readonly groupId: string
  /** Undefined: a tombstone. */
  readonly value: StoredGroup | undefined
}

export interface OffsetRecord {
  readonly kind: 'offset'
  readonly groupId: string
  readonly topic: string
  readonly partition: number
  /** Undefined: a tombstone. */
  readonly value: CommittedOffset | undefined
}

export type GroupRecord = GroupMetadataRecord | OffsetRecord | ConsumerRecord

/** A map by topic, then partition; no topic is kept without a partition. */
export type ByPartition<Value> = Map<string, Map<number, Value>>

export function getAt<Value>(
  map: ReadonlyMap<string, ReadonlyMap<number, Value>>,
  topic: string,
  partition: number,
): Value | undefined {
  return map.get(topic)?.get(partition)
}

export function setAt<Value>(
  map: ByPartition<Value>,
  record: { topic: string; partition: number },
  value: Value | undefined,
): void {
  let partitions = map.get(record.topic)
  if (value === undefined) {
    if (partitions?.delete(record.partition) === true && partitions.size === 0) map.delete(record.topic)
    return
  }
  if (partitions === undefined) {
    partitions = new Map()
    map.set(record.topic, partitions)
  }
  partitions.set(record.partition, value)
}

export interface DurableGroup {
  /** Of the classic protocol. */
  metadata: StoredGroup | undefined
  /** Of the consumer protocol; a group has one or the other, or offsets only. */
  consumer: ConsumerState | undefined
  readonly offsets: ByPartition<CommittedOffset>
}

/** Offsets that wait for a transaction's end, by group. */
type PendingOffsets = Map<string, ByPartition<CommittedOffset>>

export class DurableState {
  readonly #groups = new Map<string, DurableGroup>()
  readonly #pending = new Map<number, PendingOffsets>()

  get groups(): ReadonlyMap<string, DurableGroup> {
    return this.#groups
  }

  get pending(): ReadonlyMap<number, ReadonlyMap<string, ByPartition<CommittedOffset>>> {
    return this.#pending
  }

  get(groupId: string): DurableGroup | undefined {
    return this.#groups.get(groupId)
  }

  /** True while some open transaction has committed an offset for the partition. */
  isUnstable(groupId: string, topic: string, partition: number): boolean {
    for (const groups of this.#pending.values()) {
      const offsets = groups.get(groupId)
      if (offsets !== undefined && getAt(offsets, topic, partition) !== undefined) return true
    }
    return false
  }

  /** True while some open transaction has committed any offset for the group. */
  hasPending(groupId: string): boolean {
    for (const groups of this.#pending.values()) if (groups.has(groupId)) return true
    return false
  }

  /** Applies one committed record; with a producer, an offset stays apart until the transaction ends. */
  replay(record: GroupRecord, producerId?: number): void {
    if (isConsumerRecord(record)) {
      this.#replayConsumer(record)
    } else if (record.kind === 'group') {
      if (record.value === undefined && this.#groups.get(record.groupId) === undefined) return
      this.#groupOf(record.groupId).metadata = record.value
    } else if (producerId !== undefined && record.value !== undefined) {
      this.#replayPending(record, producerId)
      return
    } else {
      if (record.value === undefined) this.#forgetPending(record)
      if (record.value === undefined && this.#groups.get(record.groupId) === undefined) return
      setAt(this.#groupOf(record.groupId).offsets, record, record.value)
    }
    this.#dropIfVoid(record.groupId)
  }

  /** Applies a committed end-transaction marker: the producer's pending offsets take effect, or vanish. Returns the groups concerned. */
  endTransaction(producerId: number, outcome: 'commit' | 'abort'): readonly string[] {
    const groups = this.#pending.get(producerId)
    if (groups === undefined) return []
    this.#pending.delete(producerId)
    if (outcome === 'abort') return [...groups.keys()]
    for (const [groupId, offsets] of groups) {
      const target = this.#groupOf(groupId).offsets
      for (const [topic, partitions] of offsets) {
        for (const [partition, value] of partitions) setAt(target, { topic, partition }, value)
      }
    }
    return [...groups.keys()]
  }

  /** The epoch's tombstone ends the group; tombstones of what is not there mean nothing. */
  #replayConsumer(record: ConsumerRecord): void {
    const present = this.#groups.get(record.groupId)
    if (record.value === undefined && present?.consumer === undefined) return
    const group = this.#groupOf(record.groupId)
    if (record.kind === 'consumer-group' && record.value === undefined) {
      group.consumer = undefined
      return
    }
    group.consumer ??= new ConsumerState()
    group.consumer.apply(record)
  }

  #replayPending(record: OffsetRecord, producerId: number): void {
    assert(producerId >= 0, 'GROUP-5: a transactional offset names its producer')
    let groups = this.#pending.get(producerId)
    if (groups === undefined) {
      groups = new Map()
      this.#pending.set(producerId, groups)
    }
    let offsets = groups.get(record.groupId)
    if (offsets === undefined) {
      offsets = new Map()
      groups.set(record.groupId, offsets)
    }
    setAt(offsets, record, record.value)
  }

  /** A tombstone outlives the transactions before it: what they would commit is gone too. */
  #forgetPending(record: OffsetRecord): void {
    for (const [producerId, groups] of this.#pending) {
      const offsets = groups.get(record.groupId)
      if (offsets === undefined) continue
      setAt(offsets, record, undefined)
      if (offsets.size === 0) groups.delete(record.groupId)
      if (groups.size === 0) this.#pending.delete(producerId)
    }
  }

  #groupOf(groupId: string): DurableGroup {
    let group = this.#groups.get(groupId)
    if (group === undefined) {
      group = { metadata: undefined, consumer: undefined, offsets: new Map() }
      this.#groups.set(groupId, group)
    }
    return group
  }

  #dropIfVoid(groupId: string): void {
    const group = this.#groups.get(groupId)
    if (group?.metadata === undefined && group?.consumer === undefined && group?.offsets.size === 0) this.#groups.delete(groupId)
  }
}
