// Owns reading and writing the blobs of the classic protocol's consumers, for members that speak it in a consumer group and for groups
// that go from one protocol to the other. Trusts nothing in them. Not their layouts (protocol).

import {
  consumerProtocolAssignment,
  readConsumerProtocolAssignment,
  writeConsumerProtocolAssignment,
} from '../../../protocol/generated/data/consumer-protocol-assignment.ts'
import { readConsumerProtocolSubscription } from '../../../protocol/generated/data/consumer-protocol-subscription.ts'
import { decodeVersioned, encodeVersioned, versionPrefixOf } from '../../../protocol/index.ts'
import { PartitionList, type Partitions } from './partitions.ts'
import type { ClassicSide } from './state.ts'
import type { TopicView } from './topics.ts'

export const consumerType = 'consumer'
const versionMax = 3

export interface ClassicSubscription {
  readonly topics: readonly string[]
  readonly owned: Partitions
  readonly rackId: string | undefined
}

/** Newer blobs are read as the newest version known, as Kafka does; undefined: malformed. */
function versionOf(bytes: Uint8Array): number | undefined {
  const version = versionPrefixOf(bytes)
  return version === undefined || version < 0 ? undefined : Math.min(version, versionMax)
}

export function readSubscription(bytes: Uint8Array, topics: TopicView): ClassicSubscription | undefined {
  const version = versionOf(bytes)
  const read = version === undefined ? undefined : decodeVersioned(readConsumerProtocolSubscription, bytes, version)
  if (read === undefined) return undefined
  return { topics: read.topics, owned: byId(read.ownedPartitions, topics), rackId: read.rackId ?? undefined }
}

/** Undefined: malformed, or with something in it that only the members' own assignor understands. */
export function readAssigned(bytes: Uint8Array, topics: TopicView): Partitions | undefined {
  if (bytes.length === 0) return new Map()
  const version = versionOf(bytes)
  const read = version === undefined ? undefined : decodeVersioned(readConsumerProtocolAssignment, bytes, version)
  if (read === undefined || (read.userData?.length ?? 0) > 0) return undefined
  return byId(read.assignedPartitions, topics)
}

function byId(
  list: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
  topics: TopicView,
): Partitions {
  const partitions = new PartitionList()
  for (const one of list) {
    const topic = topics.topic(one.topic)
    if (topic === undefined) continue
    for (const partition of one.partitions) {
      if (partition >= 0 && partition < topic.partitionCount) partitions.add(topic.id, partition)
    }
  }
  return partitions.take()
}

/** In the version in which the member has spoken. Topics that are gone are left out. */
export function writeAssigned(classic: ClassicSide, assigned: Partitions, topics: TopicView): Uint8Array {
  const assignedPartitions = [...assigned].flatMap(([topicId, partitions]) => {
    const topic = topics.nameOf(topicId)
    return topic === undefined ? [] : [{ topic, partitions: [...partitions] }]
  })
  const message = consumerProtocolAssignment({ assignedPartitions })
  const spoken = classic.protocols[0]
  return encodeVersioned(
    writeConsumerProtocolAssignment,
    message,
    (spoken === undefined ? undefined : versionOf(spoken.metadata)) ?? 0,
  )
}
