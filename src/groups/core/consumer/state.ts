// Owns the durable state of one group of the consumer protocol (KIP-848): its epochs, who subscribes to what, what each member shall
// have and has. `apply` is the one way it changes, live and at start. Not the records' bytes (../../record-codec-consumer.ts) nor the
// rules (the files beside this one).
//
//   group epoch        rises whenever members, subscriptions or topics change
//   assignment epoch   the group epoch the targets were computed for
//   member epoch       the assignment epoch a member has reached; −2: a static member that will come back
//
//   Stable                has all of its target in the member's epoch, or is behind and does not know it yet
//   UnrevokedPartitions   was told to give partitions up and has not said that it did
//   UnreleasedPartitions  waits for partitions that another member has not given up

import { type HeldPartitions, nothingHeld, type Partitions } from './partitions.ts'

export type ConsumerGroupState = 'Empty' | 'Assigning' | 'Reconciling' | 'Stable'
export type MemberState = 'Stable' | 'UnrevokedPartitions' | 'UnreleasedPartitions'

/** What a member that speaks the classic protocol has said in JoinGroup. */
export interface ClassicSide {
  readonly sessionTimeoutMs: number
  readonly protocols: readonly { readonly name: string; readonly metadata: Uint8Array }[]
}

/** What a member has said of itself. */
export interface Subscriber {
  readonly instanceId: string | undefined
  readonly rackId: string | undefined
  readonly clientId: string
  readonly clientHost: string
  /** Ascending, each once. */
  readonly topics: readonly string[]
  readonly expression: string | undefined
  /** −1: not said. */
  readonly rebalanceTimeoutMs: number
  readonly assignor: string | undefined
  /** Undefined: a member of the consumer protocol. */
  readonly classic: ClassicSide | undefined
}

/** Where a member is on its way to its target. */
export interface CurrentAssignment {
  readonly memberEpoch: number
  readonly previousMemberEpoch: number
  readonly state: MemberState
  readonly assigned: HeldPartitions
  readonly pendingRevocation: HeldPartitions
}

/** The topics an expression matched when it was last looked at. */
export interface ResolvedExpression {
  /** Ascending. */
  readonly topics: readonly string[]
  readonly version: number
  readonly timestampMs: number
}

export type ConsumerRecord =
  | { readonly kind: 'consumer-group'; readonly groupId: string; readonly value: GroupEpoch | undefined }
  /** Kafka 4.0 wrote these; found, they are removed with the next epoch. */
  | { readonly kind: 'consumer-topics'; readonly groupId: string; readonly value: true | undefined }
  | {
      readonly kind: 'consumer-member'
      readonly groupId: string
      readonly memberId: string
      readonly value: Subscriber | undefined
    }
  | { readonly kind: 'consumer-assignment'; readonly groupId: string; readonly value: AssignmentEpoch | undefined }
  | {
      readonly kind: 'consumer-target'
      readonly groupId: string
      readonly memberId: string
      readonly value: Partitions | undefined
    }
  | {
      readonly kind: 'consumer-current'
      readonly groupId: string
      readonly memberId: string
      readonly value: CurrentAssignment | undefined
    }
  | {
      readonly kind: 'consumer-expression'
      readonly groupId: string
      readonly expression: string
      readonly value: ResolvedExpression | undefined
    }

export interface GroupEpoch {
  readonly epoch: number
  /** Of the subscribed topics, their ids and numbers of partitions; 0: of none. */
  readonly metadataHash: bigint
}

export interface AssignmentEpoch {
  readonly epoch: number
  readonly timestampMs: number
}

export const firstAssignment: CurrentAssignment = {
  memberEpoch: 0,
  previousMemberEpoch: -1,
  state: 'Stable',
  assigned: nothingHeld,
  pendingRevocation: nothingHeld,
}

/** Of a group that nobody has joined, its first member gets 2: as in Apache Kafka from 4.3 on (KAFKA-20268), for its tools show it. */
const firstEpoch = 1

/** The epoch of a static member that left and will come back. */
export const awayEpoch = -2

export class ConsumerState {
  epoch = firstEpoch
  metadataHash = 0n
  assignmentEpoch = firstEpoch
  assignedAtMs = 0
  hasTopicsRecord = false
  readonly #subscribers = new Map<string, Subscriber>()
  readonly #targets = new Map<string, Partitions>()
  readonly #currents = new Map<string, CurrentAssignment>()
  readonly #expressions = new Map<string, ResolvedExpression>()
  /** Follows from the above: member ids by instance id, and by topic id and partition. */
  readonly #statics = new Map<string, string>()
  readonly #holders = new Map<string, Map<number, string>>()

  get subscribers(): ReadonlyMap<string, Subscriber> {
    return this.#subscribers
  }

  get targets(): ReadonlyMap<string, Partitions> {
    return this.#targets
  }

  get currents(): ReadonlyMap<string, CurrentAssignment> {
    return this.#currents
  }

  get expressions(): ReadonlyMap<string, ResolvedExpression> {
    return this.#expressions
  }

  /** The member that holds a static name. */
  memberOf(instanceId: string): string | undefined {
    return this.#statics.get(instanceId)
  }

  currentOf(memberId: string): CurrentAssignment {
    return this.#currents.get(memberId) ?? firstAssignment
  }

  /** Who has the partition, or was told to give it up and has not said that it did. */
  holderOf(topicId: string, partition: number): string | undefined {
    return this.#holders.get(topicId)?.get(partition)
  }

  get state(): ConsumerGroupState {
    if (this.#subscribers.size === 0) return 'Empty'
    if (this.epoch > this.assignmentEpoch) return 'Assigning'
    for (const memberId of this.#subscribers.keys()) {
      if (!isReconciled(this.currentOf(memberId), this.assignmentEpoch)) return 'Reconciling'
    }
    return 'Stable'
  }

  /** How many members subscribe by this expression. */
  subscribersOf(expression: string): number {
    let count = 0
    for (const subscriber of this.#subscribers.values()) count += subscriber.expression === expression ? 1 : 0
    return count
  }

  apply(record: ConsumerRecord): void {
    switch (record.kind) {
      case 'consumer-group':
        this.epoch = record.value?.epoch ?? firstEpoch
        this.metadataHash = record.value?.metadataHash ?? 0n
        return
      case 'consumer-topics':
        this.hasTopicsRecord = record.value !== undefined
        return
      case 'consumer-assignment':
        this.assignmentEpoch = record.value?.epoch ?? firstEpoch
        this.assignedAtMs = record.value?.timestampMs ?? 0
        return
      case 'consumer-member':
        return this.#applyMember(record.memberId, record.value)
      case 'consumer-target':
        return put(this.#targets, record.memberId, record.value)
      case 'consumer-current':
        return this.#applyCurrent(record.memberId, record.value)
      case 'consumer-expression':
        return put(this.#expressions, record.expression, record.value)
    }
  }

  /** A state of its own, on which a change can be tried. */
  copy(): ConsumerState {
    const copy = new ConsumerState()
    copy.epoch = this.epoch
    copy.metadataHash = this.metadataHash
    copy.assignmentEpoch = this.assignmentEpoch
    copy.assignedAtMs = this.assignedAtMs
    copy.hasTopicsRecord = this.hasTopicsRecord
    copyInto(copy.#subscribers, this.#subscribers)
    copyInto(copy.#targets, this.#targets)
    copyInto(copy.#currents, this.#currents)
    copyInto(copy.#expressions, this.#expressions)
    copyInto(copy.#statics, this.#statics)
    for (const [topicId, holders] of this.#holders) copy.#holders.set(topicId, new Map(holders))
    return copy
  }

  #applyMember(memberId: string, value: Subscriber | undefined): void {
    const before = this.#subscribers.get(memberId)?.instanceId
    // A static name that another member has taken over stays with that one.
    if (before !== undefined && this.#statics.get(before) === memberId) this.#statics.delete(before)
    put(this.#subscribers, memberId, value)
    if (value?.instanceId !== undefined) this.#statics.set(value.instanceId, memberId)
  }

  /** The last word on a partition counts: a log that was compacted may tell of its former holder later than of its present one. */
  #applyCurrent(memberId: string, value: CurrentAssignment | undefined): void {
    const before = this.#currents.get(memberId)
    for (const held of before === undefined ? [] : [before.assigned, before.pendingRevocation]) {
      for (const [topicId, partitions] of held) {
        const holders = this.#holders.get(topicId)
        for (const partition of partitions.keys()) if (holders?.get(partition) === memberId) holders.delete(partition)
        if (holders?.size === 0) this.#holders.delete(topicId)
      }
    }
    put(this.#currents, memberId, value)
    for (const held of value === undefined ? [] : [value.assigned, value.pendingRevocation]) {
      for (const [topicId, partitions] of held) {
        let holders = this.#holders.get(topicId)
        if (holders === undefined) {
          holders = new Map()
          this.#holders.set(topicId, holders)
        }
        for (const partition of partitions.keys()) holders.set(partition, memberId)
      }
    }
  }
}

export function isReconciled(current: CurrentAssignment, assignmentEpoch: number): boolean {
  return current.state === 'Stable' && current.memberEpoch === assignmentEpoch
}

export function isConsumerRecord<Other extends { readonly kind: string }>(
  record: ConsumerRecord | Other,
): record is ConsumerRecord {
  return record.kind.startsWith('consumer-')
}

/** Tombstones for all that is stored, members before the group they are in. */
export function burialOf(groupId: string, state: ConsumerState): ConsumerRecord[] {
  const records: ConsumerRecord[] = []
  const value = undefined
  for (const memberId of state.currents.keys()) records.push({ kind: 'consumer-current', groupId, memberId, value })
  for (const memberId of state.targets.keys()) records.push({ kind: 'consumer-target', groupId, memberId, value })
  records.push({ kind: 'consumer-assignment', groupId, value })
  for (const memberId of state.subscribers.keys()) records.push({ kind: 'consumer-member', groupId, memberId, value })
  for (const expression of state.expressions.keys()) records.push({ kind: 'consumer-expression', groupId, expression, value })
  if (state.hasTopicsRecord) records.push({ kind: 'consumer-topics', groupId, value })
  records.push({ kind: 'consumer-group', groupId, value })
  return records
}

function put<Value>(map: Map<string, Value>, key: string, value: Value | undefined): void {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}

function copyInto<Key, Value>(target: Map<Key, Value>, source: ReadonlyMap<Key, Value>): void {
  for (const [key, value] of source) target.set(key, value)
}
