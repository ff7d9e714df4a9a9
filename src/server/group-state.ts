// Owns carrying the state of the group coordinator through snapshots: capture, restore, replay, and setting back offsets that
// recovery left beyond the end (I8). Not the coordinator.

import { OpError } from '../base/op-error.ts'
import { fail } from '../base/outcome.ts'
import { type InternalTopicLog, offsetsTopic, type StandaloneBroker } from '../broker/index.ts'
import type { GroupCoordinator } from '../groups/index.ts'
import { logIndex, metadataGroup } from '../model/ids.ts'
import type { Capture, Recovered, SetBackOffset } from '../../recovery/index.ts'
import { decodeCoordinatorSection, encodeCoordinatorSection } from './coordinator-section.ts'
import type { JoinedLogs } from './joined-logs.ts'

interface GroupParts {
  readonly broker: StandaloneBroker
  readonly groups: GroupCoordinator
  readonly offsets: InternalTopicLog
}

/** The state of everything at this moment; synchronous, so that it is one moment. */
export function captureOf({ broker, groups, offsets, logs }: GroupParts & { readonly logs: JoinedLogs }): Capture {
  const { appliedIndex, bytes } = broker.metadataSnapshot()
  const sections: Array<Capture['groups']['sections'][number]> = []
  for (const topic of broker.topics()) {
    topic.partitions.forEach((_, index) => {
      const group = broker.groupOf(topic.name, index)
      const partition = group === undefined ? undefined : broker.partition(group)
      if (group === undefined || partition === undefined) return
      const appliedIndex = logIndex(partition.state.lastIndex)
      sections.push({ group, kind: 'log', appliedIndex, bytes: partition.snapshot() })
      if (topic.name !== offsetsTopic) return
      const section = encodeCoordinatorSection({ takenIn: offsets.takenIn(index), snapshot: groups.snapshot(index) })
      sections.push({ group, kind: 'coordinator', appliedIndex, bytes: section })
    })
  }
  return {
    metadata: {
      replayFrom: logs.metadata.firstUntold,
      sections: [{ group: metadataGroup, kind: 'log', appliedIndex: logIndex(appliedIndex), bytes }],
    },
    groups: { replayFrom: logs.data.firstUntold, sections },
  }
}

/** Loads every partition of the coordinator from snapshot and log, sets back what lies beyond the end, and opens them. */
export async function restoreGroups(
  recovered: Recovered,
  { broker, groups, offsets }: GroupParts,
): Promise<readonly SetBackOffset[]> {
  for (let partition = 0; partition < offsets.partitionCount; partition += 1) {
    const group = broker.groupOf(offsetsTopic, partition)
    const saved = group === undefined ? undefined : recovered.coordinators.get(group)
    let from = 0
    if (saved !== undefined) {
      const section = decodeCoordinatorSection(saved.bytes)
      const restored = section === undefined ? fail('it is too short') : groups.restore(partition, section.snapshot)
      if (section !== undefined && restored.ok) from = section.takenIn
      else if (!restored.ok)
        recovered.report.damage.push(
          `the coordinator's snapshot of ${offsetsTopic}-${partition}: ${restored.failure}; its whole log is replayed`,
        )
    }
    await offsets.replay(partition, from, {
      record: (record) => {
        const applied = groups.replay(partition, record)
        if (!applied.ok)
          throw new OpError('corrupt', { code: 'OFFSETS_UNREADABLE', detail: `${offsetsTopic}-${partition}: ${applied.failure}` })
      },
      marker: (producerId, result) => {
        groups.onTransactionEnd(partition, producerId, result)
      },
    })
    groups.startPartition(partition)
  }
  return setBack(broker, groups)
}

async function setBack(broker: StandaloneBroker, groups: GroupCoordinator): Promise<readonly SetBackOffset[]> {
  const committed = new Map<string, { readonly topic: string; readonly partition: number; readonly end: number }>()
  for (const { topic, partition, offset } of groups.committedOffsets()) {
    const end = broker.topicByName(topic)?.partitions[partition]?.logEndOffset
    if (end !== undefined && offset > end) committed.set(`${topic}-${partition}`, { topic, partition, end })
  }
  const steps: SetBackOffset[] = []
  for (const { topic, partition, end } of committed.values()) {
    for (const one of await groups.setBack(topic, partition, end)) {
      steps.push({ group: one.groupId, topic, partition, from: one.fromOffset, to: one.toOffset })
    }
  }
  return steps
}
