// Owns the identifying nouns of a log, branded so that one cannot be passed for another. Not their wire forms (protocol).

declare const brand: unique symbol
type Brand<Base, Name extends string> = Base & { readonly [brand]: Name }

/** A position in a partition's log, in records. A safe integer ≥ 0. */
export type Offset = Brand<number, 'Offset'>
/** Raft's term of an entry, and Kafka's leader epoch of its batch: the same number. */
export type LeaderEpoch = Brand<number, 'LeaderEpoch'>
/** A topic's 128-bit id in Kafka's 22-character base64url form. */
export type TopicId = Brand<string, 'TopicId'>
/** The index of a partition within its topic. */
export type PartitionIndex = Brand<number, 'PartitionIndex'>
/** The short number under which a replicated log (a partition's, or the metadata's) is known in WAL frames. Unsigned 32 bits. */
export type GroupNumber = Brand<number, 'GroupNumber'>
/** The position of an entry in a group's log, in entries. The first is 1. A safe integer. */
export type LogIndex = Brand<number, 'LogIndex'>
/** Kafka's id of a producer session. A safe integer ≥ 0, or −1 for none. */
export type ProducerId = Brand<number, 'ProducerId'>
/** The number of a life of the cluster: one continuous existence. The first is 1. */
export type LifeNumber = Brand<number, 'LifeNumber'>
export type NodeId = Brand<number, 'NodeId'>

export const offset = (value: number): Offset => value as Offset
export const leaderEpoch = (value: number): LeaderEpoch => value as LeaderEpoch
export const topicId = (value: string): TopicId => value as TopicId
export const partitionIndex = (value: number): PartitionIndex => value as PartitionIndex
export const groupNumber = (value: number): GroupNumber => value as GroupNumber
export const logIndex = (value: number): LogIndex => value as LogIndex
export const producerId = (value: number): ProducerId => value as ProducerId
export const lifeNumber = (value: number): LifeNumber => value as LifeNumber
export const nodeId = (value: number): NodeId => value as NodeId

/** The group of cluster metadata (topics, configs, producer id blocks). Partitions count from 1. */
export const metadataGroup: GroupNumber = groupNumber(0)
