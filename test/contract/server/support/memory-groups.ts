// Owns the real group coordinator over a log that forgets, for tests of the server that need groups to work.

import { crc32c } from '../../../../src/base/node/native-crc32c.ts'
import { systemClock } from '../../../../src/base/node/system-clock.ts'
import { systemIdSource } from '../../../../src/base/node/system-id-source.ts'
import { silentLog } from '../../../../src/base/log.ts'
import { GroupCoordinator, standardGroupSettings } from '../../../../src/groups/index.ts'
import { topicId } from '../../../../src/model/ids.ts'
import type { MemoryBroker } from './memory-broker.ts'

export function memoryGroups(broker: MemoryBroker): GroupCoordinator {
  const coordinator = new GroupCoordinator({
    clock: systemClock,
    ids: systemIdSource,
    log: silentLog,
    crc32c,
    offsetsLog: { partitionCount: 1, append: () => Promise.resolve() },
    topics: {
      topicIdOf: (name) => broker.topicByName(name)?.id,
      nameOf: (id) => broker.topicById(topicId(id))?.name,
      partitionExists: (name, partition) => broker.topicByName(name)?.partitions[partition] !== undefined,
      partitionCountOf: (name) => broker.topicByName(name)?.partitions.length,
      names: () => [...broker.topics()].map(({ name }) => name),
      // The tests make their topics before they join.
      version: () => 0,
    },
    settings: { ...standardGroupSettings, initialRebalanceDelayMs: 0 },
  })
  coordinator.startPartition(0)
  return coordinator
}
