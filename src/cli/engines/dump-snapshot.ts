// Owns `chronik dump object` of a snapshot: every section, decoded by those whose state it is. Not the formats.

import { crc32c } from '../../base/node/native-crc32c.ts'
import { OpError } from '../../base/op-error.ts'
import { ClusterState, PartitionState } from '../../broker/core/index.ts'
import { decodeGroupsSnapshot } from '../../groups/index.ts'
import { metadataGroup } from '../../model/ids.ts'
import { decodeCoordinatorSection } from '../../server/index.ts'
import { inspectSnapshot, type SnapshotSection } from '../../../tiers/snapshot/index.ts'
import type { Line } from '../ports.ts'
import { time, Wrongs } from './dump-entry.ts'

interface Meaning {
  readonly text: string
  readonly json: unknown
  readonly more?: readonly Line[]
}

function metadataOf(bytes: Uint8Array): Meaning | string {
  const cluster = new ClusterState()
  if (!cluster.restore(bytes)) return 'not a snapshot of the metadata machine'
  const topics = [...cluster.topics()].map((topic) => ({ ...topic, configs: Object.fromEntries(topic.configs) }))
  const more = topics.map((topic) => ({
    text: `    topic ${topic.name} ${topic.id}: groups ${topic.groups.join(', ')}, configs ${JSON.stringify(topic.configs)}`,
    json: { ...topic, kind: 'topic' },
  }))
  const users = [...cluster.scram.users()].map((user) => {
    const mechanisms = [...(cluster.scram.of(user)?.keys() ?? [])]
    return { text: `    user ${JSON.stringify(user)}: ${mechanisms.join(', ')}`, json: { kind: 'user', user, mechanisms } }
  })
  const quotas = cluster.quotas.form().map(({ entity, key, value }) => ({
    text: `    quota of ${JSON.stringify(entity)}: ${key} ${value}`,
    json: { kind: 'quota', entity, key, value },
  }))
  const text = `${topics.length} topics${users.length === 0 ? '' : `, ${users.length} SCRAM users`}`
  return { text, json: { topics: topics.length, users: users.length }, more: [...more, ...users, ...quotas] }
}

function partitionOf(section: SnapshotSection): Meaning | string {
  const state = PartitionState.decode(section.bytes, section.appliedIndex)
  if (typeof state === 'string') return state
  const { topicId, index, logStartOffset, endOffset, epochs, segments, extents, producers } = state
  const more = [
    ...epochs.map((one) => ({ text: `    epoch ${one.epoch} from offset ${one.startOffset}`, json: { ...one, kind: 'epoch' } })),
    ...segments.map((one) => ({
      text: `    segment ${one.key}: offsets ${one.baseOffset} to ${one.endOffset}, ${one.sizeBytes} bytes`,
      json: { ...one, kind: 'segment' },
    })),
    ...extents.map((one) => ({
      text: `    extent offsets ${one.baseOffset} to ${one.endOffset} in ${one.objectKey}, ${one.length} bytes at ${one.position}`,
      json: { ...one, kind: 'extent' },
    })),
  ]
  const text = `partition ${topicId}-${index}: offsets ${logStartOffset} to ${endOffset}, ${producers.size} producers`
  return { text, json: { topicId, partition: index, logStartOffset, endOffset, producers: producers.size }, more }
}

function groupText(
  metadata: { readonly generation: number; readonly members: readonly unknown[] } | undefined,
  consumer: { readonly epoch: number; readonly subscribers: ReadonlyMap<string, unknown> } | undefined,
): string {
  if (metadata !== undefined) return `generation ${metadata.generation}, ${metadata.members.length} members`
  return consumer === undefined
    ? 'offsets only'
    : `consumer protocol, epoch ${consumer.epoch}, ${consumer.subscribers.size} members`
}

function coordinatorOf(bytes: Uint8Array): Meaning | string {
  const section = decodeCoordinatorSection(bytes)
  if (section === undefined) return 'too short for the state of a coordinator'
  const state = decodeGroupsSnapshot(section.snapshot, crc32c)
  if (!state.ok) return state.failure
  const more = [...state.value.groups].flatMap(([groupId, { metadata, consumer, offsets }]) => [
    {
      text: `    group ${groupId}: ${groupText(metadata, consumer)}`,
      json: {
        kind: 'group',
        groupId,
        generation: metadata?.generation ?? null,
        epoch: consumer?.epoch ?? null,
        members: metadata?.members.length ?? consumer?.subscribers.size ?? 0,
      },
    },
    ...[...offsets].flatMap(([topic, partitions]) =>
      [...partitions].map(([partition, { offset, commitTimestampMs }]) => ({
        text: `      ${topic}-${partition} offset ${offset}, committed ${time(commitTimestampMs)}`,
        json: { kind: 'offset', groupId, topic, partition, offset, commitTimestampMs },
      })),
    ),
  ])
  const { takenIn } = section
  return { text: `coordinator up to offset ${takenIn}`, json: { takenIn, groups: state.value.groups.size }, more }
}

function* sectionLines(section: SnapshotSection, wrongs: Wrongs): Generator<Line> {
  const { group, kind, appliedIndex, bytes } = section
  const found = kind === 'coordinator' ? coordinatorOf(bytes) : group === metadataGroup ? metadataOf(bytes) : partitionOf(section)
  const facts = { kind: 'section', group, section: kind, appliedIndex, sizeBytes: bytes.length }
  const text = `  group ${group} ${kind} after index ${appliedIndex}, ${bytes.length} bytes:`
  if (typeof found === 'string') {
    yield { text: `${text} ${wrongs.note(`UNREADABLE: ${found}`)}`, json: { ...facts, value: null } }
    return
  }
  yield { text: `${text} ${found.text}`, json: { ...facts, value: found.json } }
  if (found.more !== undefined) yield* found.more
}

export function* dumpSnapshot(bytes: Uint8Array): Generator<Line> {
  const wrongs = new Wrongs()
  for (const part of inspectSnapshot(bytes, crc32c)) {
    if (part.kind === 'section') {
      yield* sectionLines(part.section, wrongs)
      continue
    }
    const { life, node, term, replayFrom, createdMs } = part.head
    yield {
      text: `snapshot of node ${node}, life ${life}, term ${term}, ${time(createdMs)}: ${part.sections} sections; replay from object ${replayFrom}`,
      json: { ...part.head, kind: 'snapshot', sections: part.sections },
    }
  }
  if (wrongs.count > 0)
    throw new OpError('corrupt', {
      code: 'SNAPSHOT_DAMAGED',
      detail: `${wrongs.count} sections are damaged, the first: ${wrongs.first}`,
    })
}
