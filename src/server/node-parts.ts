// Owns joining the rooms of a standalone node from what recovery left: logs, broker, groups, upkeep. Not sockets, nor the order of
// life (node.ts). Simulation builds its nodes from here.

import type { Clock } from '../base/clock.ts'
import type { Crc32c } from '../base/crc32c.ts'
import type { Log } from '../base/log.ts'
import { OpError } from '../base/op-error.ts'
import type { IdSource } from '../base/prng.ts'
import type { KeyHash } from '../broker/core/index.ts'
import {
  Archiver,
  type BrokerSettings,
  Compactor,
  InternalTopicLog,
  isInternalTopic,
  offsetsTopic,
  type OpenRecords,
  type Partition,
  StandaloneBroker,
  transactionStateTopic,
} from '../broker/index.ts'
import { GroupCoordinator } from '../groups/index.ts'
import { nodeId, topicId } from '../model/ids.ts'
import type { Compress, Decompress } from '../protocol/index.ts'
import { TransactionCoordinator } from '../transactions/index.ts'
import { Heartbeat, type Recovered, Snapshotter, snapshotStores } from '../../recovery/index.ts'
import { BlockCache } from '../../tiers/cache/index.ts'
import type { ObjectStore } from '../../tiers/ports.ts'
import { SegmentArchive, SegmentWriter } from '../../tiers/segment/index.ts'
import { metadataWalPrefix, walPrefix } from '../../tiers/stream/index.ts'
import { Sweeper } from '../../tiers/upkeep/index.ts'
import { brokerConfigsOf } from './broker-configs.ts'
import { groupSettingsOf } from './group-settings.ts'
import { captureOf } from './group-state.ts'
import { joinLogs, type JoinedLogs } from './joined-logs.ts'
import type { NodeSettings } from './node-settings.ts'
import { PartitionMarkers } from './transaction-markers.ts'

const archiveCheckMs = 1_000
/** Kafka's default of producer.id.expiration.ms. */
const producerExpiryMs = 86_400_000

export interface PartsWorld {
  readonly store: ObjectStore
  readonly recovered: Recovered
  readonly clock: Clock
  readonly crc32c: Crc32c
  readonly idSource: IdSource
  readonly log: Log
  readonly decompress: Decompress
  readonly openRecords: OpenRecords
  readonly compress: Compress
  readonly keyHash: KeyHash
  readonly topicDefaults: ReadonlyMap<string, string>
  /** The node cannot go on: the WAL failed, or another life has begun. */
  readonly onFailed: (error: unknown) => void
}

export interface NodeParts {
  readonly recovered: Recovered
  readonly logs: JoinedLogs
  readonly broker: StandaloneBroker
  readonly groups: GroupCoordinator
  readonly offsets: InternalTopicLog
  readonly transactions: TransactionCoordinator
  readonly transactionLog: InternalTopicLog
  readonly markers: PartitionMarkers
  readonly archiver: Archiver
  readonly compactor: Compactor
  readonly snapshotter: Snapshotter
  readonly heartbeat: Heartbeat
  readonly sweeper: Sweeper
}

export function joinParts(settings: NodeSettings, world: PartsWorld): NodeParts {
  const { store, recovered, clock, crc32c, log, onFailed } = world
  const logs = joinLogs(settings, { store, recovered, clock, crc32c, log: log.named('streams'), onEnded: onFailed })
  const partitionsOf = (topic: string, usual: number): number => recovered.cluster.topic(topic)?.groups.length ?? usual
  const internalPartitions = {
    [offsetsTopic]: partitionsOf(offsetsTopic, settings.groups.offsetsPartitions),
    [transactionStateTopic]: partitionsOf(transactionStateTopic, settings.transactions.statePartitions),
  }
  const logOf = (topic: keyof typeof internalPartitions): InternalTopicLog =>
    new InternalTopicLog({
      topic,
      broker: () => broker,
      partitionCount: internalPartitions[topic],
      clock,
      crc32c,
      decompress: world.decompress,
    })
  const offsets = logOf(offsetsTopic)
  const broker: StandaloneBroker = brokerOf(settings, world, { logs, internalPartitions, groups: () => groups })
  logs.attach(broker)
  const groups = groupsOf(settings, world, { broker, offsets })
  const markers = new PartitionMarkers({ broker, offsets, groups: () => groups })
  const transactionLog = logOf(transactionStateTopic)
  const transactions = transactionsOf(settings, world, { broker, transactionLog, markers })
  const archiver = new Archiver({
    clock,
    log: log.named('archiver'),
    writer: new SegmentWriter({ store, crc32c, partBytes: settings.segment.uploadPartBytes }),
    partitions: () => broker.partitions(),
    segmentBytesMax: settings.segment.bytesMax,
    unarchivedMsMax: settings.segment.ageMsMax,
    checkIntervalMs: archiveCheckMs,
    retentionIntervalMs: settings.retention.checkIntervalMs,
    get producerExpiryMs() {
      return configured(broker, 'producer.id.expiration.ms', producerExpiryMs)
    },
    onDied: onFailed,
  })
  const compactor = compactorOf(settings, world, { broker, archiver })
  const { life, term } = recovered
  const node = nodeId(settings.node.id)
  const snapshotter = new Snapshotter({
    store,
    stores: snapshotStores(store, life, node, crc32c),
    next: { metadata: recovered.nextSequence.metadataSnapshot, groups: recovered.nextSequence.dataSnapshot },
    head: { life, node, term },
    clock,
    log: log.named('snapshots'),
    keep: settings.snapshot.keep,
    capture: () => captureOf({ broker, groups, offsets, logs }),
    settle: () => logs.flush(),
  })
  const heartbeat = new Heartbeat({
    store,
    life,
    node,
    intervalMs: settings.stream.heartbeatMs,
    clock,
    log: log.named('heartbeat'),
    look: () => logs.data.look(),
  })
  const sweeper = sweeperOf(settings, world, { broker, archiver, compactor, snapshotter, logs })
  const coordinators = { groups, offsets, transactions, transactionLog, markers }
  return { recovered, logs, broker, ...coordinators, archiver, compactor, snapshotter, heartbeat, sweeper }
}

/** What may be changed while the node runs is asked for each time it is needed. */
function configured(broker: StandaloneBroker, name: string, usual: number): number {
  const value = broker.brokerConfig(name)
  return value === undefined ? usual : Number(value)
}

function brokerOf(
  settings: NodeSettings,
  world: PartsWorld,
  parts: {
    readonly logs: JoinedLogs
    readonly internalPartitions: BrokerSettings['internalPartitions']
    readonly groups: () => GroupCoordinator
  },
): StandaloneBroker {
  const { recovered, idSource, decompress, openRecords, log, topicDefaults } = world
  const { logs } = parts
  return new StandaloneBroker(
    {
      nodeId: nodeId(settings.node.id),
      clusterId: recovered.clusterId,
      numPartitions: settings.kafka.numPartitions,
      internalPartitions: parts.internalPartitions,
      hotBytes: settings.cache.hotBytes,
      topicDefaults,
      brokerConfigs: brokerConfigsOf(settings, topicDefaults),
    },
    {
      world: logs.brokerWorld({ idSource, decompress, openRecords }),
      events: {
        onForgotten: ({ segments, extents }) => {
          for (const segment of segments) logs.archive.forget(segment.key)
          for (const extent of extents) logs.archive.forget(extent.objectKey)
        },
        onTopicCreated: () => undefined,
        onTopicDeleted: (topic) => {
          parts
            .groups()
            .onTopicDeleted(topic.name, topic.id)
            .catch((error: unknown) => {
              log.warn('committed offsets of a deleted topic could not be removed; they expire', { topic: topic.name, error })
            })
        },
      },
      start: recovered,
    },
  )
}

function* publicNames(broker: StandaloneBroker): Generator<string> {
  for (const topic of broker.topics()) if (!topic.internal) yield topic.name
}

function groupsOf(
  settings: NodeSettings,
  world: PartsWorld,
  parts: { readonly broker: StandaloneBroker; readonly offsets: InternalTopicLog },
): GroupCoordinator {
  const { clock, idSource, log, crc32c } = world
  const { broker, offsets } = parts
  return new GroupCoordinator({
    clock,
    ids: idSource,
    log: log.named('groups'),
    crc32c,
    offsetsLog: {
      partitionCount: offsets.partitionCount,
      append: async (partition, records, producer) => {
        await offsets.append(partition, records, producer)
      },
    },
    topics: {
      topicIdOf: (name) => broker.topicByName(name)?.id,
      nameOf: (id) => broker.topicById(topicId(id))?.name,
      partitionExists: (name, partition) => broker.topicByName(name)?.partitions[partition] !== undefined,
      partitionCountOf: (name) => broker.topicByName(name)?.partitions.length,
      names: () => publicNames(broker),
      version: () => broker.metadataVersion,
    },
    settings: groupSettingsOf(settings, broker),
  })
}

function transactionsOf(
  settings: NodeSettings,
  world: PartsWorld,
  parts: { readonly broker: StandaloneBroker; readonly transactionLog: InternalTopicLog; readonly markers: PartitionMarkers },
): TransactionCoordinator {
  const { broker, transactionLog, markers } = parts
  return new TransactionCoordinator({
    clock: world.clock,
    log: world.log.named('transactions'),
    transactionLog: {
      partitionCount: transactionLog.partitionCount,
      append: (partition, records) => transactionLog.append(partition, records),
      trim: (partition, before) => transactionLog.trim(partition, before),
      epochOf: (partition) => broker.topicByName(transactionStateTopic)?.partitions[partition]?.leaderEpoch ?? 0,
    },
    markers,
    producerIds: {
      allocate: async () => {
        const made = await broker.freshProducerId()
        if (made.ok) return made.value
        throw new OpError('retry', { code: 'NO_PRODUCER_ID', detail: made.failure.message ?? 'the metadata log took no change' })
      },
    },
    settings: {
      timeoutMsMax: settings.transactions.timeoutMaxMs,
      idExpiryMs: settings.transactions.idExpirationMs,
      abortCheckMs: settings.transactions.abortCheckMs,
    },
    onDied: world.onFailed,
  })
}

/** What compaction reads passes through once: a cache of its own, of a few chunks, leaves the consumers' alone. */
const compactionCacheBytes = 16 * 1024 * 1024

function compactorOf(
  { cleaner, segment }: NodeSettings,
  { store, clock, log, crc32c, decompress, compress, keyHash, onFailed }: PartsWorld,
  { broker, archiver }: Pick<NodeParts, 'broker' | 'archiver'>,
): Compactor {
  const cache = new BlockCache({ reader: store, budgetBytes: compactionCacheBytes })
  return new Compactor({
    clock,
    log: log.named('compactor'),
    writer: new SegmentWriter({ store, crc32c, partBytes: segment.uploadPartBytes }),
    segments: new SegmentArchive({ reader: store, cache, crc32c, indexBudgetBytes: compactionCacheBytes }),
    partitions: () => compactable(broker),
    whileQuiet: (work) => archiver.whileQuiet(work),
    decompress,
    compress,
    crc32c,
    keyHash,
    get backoffMs() {
      return configured(broker, 'log.cleaner.backoff.ms', cleaner.backoffMs)
    },
    get dedupeBufferBytes() {
      return configured(broker, 'log.cleaner.dedupe.buffer.size', cleaner.dedupeBufferBytes)
    },
    get ioBytesPerSecondMax() {
      return configured(broker, 'log.cleaner.io.max.bytes.per.second', Infinity)
    },
    segmentBytesMax: segment.bytesMax,
    onDied: onFailed,
  })
}

/** Coordinators write anew what they need of their topics, and trim these themselves. */
function* compactable(broker: StandaloneBroker): Generator<Partition> {
  for (const partition of broker.partitions()) if (!isInternalTopic(partition.topicName)) yield partition
}

function sweeperOf(
  settings: NodeSettings,
  world: PartsWorld,
  parts: Pick<NodeParts, 'broker' | 'archiver' | 'compactor' | 'snapshotter' | 'logs'>,
): Sweeper {
  const { store, recovered, log } = world
  const { broker, archiver, compactor, snapshotter, logs } = parts
  const prefixes = {
    data: walPrefix(recovered.life, nodeId(settings.node.id)),
    metadata: metadataWalPrefix(recovered.life),
  }
  return new Sweeper({
    store,
    log: log.named('sweeper'),
    life: recovered.life,
    graceMs: settings.delete.graceMs,
    ports: {
      references: () => {
        const keys = new Set(compactor.claims)
        for (const partition of broker.partitions()) {
          for (const segment of partition.state.segments) keys.add(segment.key)
          for (const extent of partition.state.extents) keys.add(extent.objectKey)
        }
        return keys
      },
      settle: () => logs.prove(),
      whileQuiet: (work) => archiver.whileQuiet(work),
      coveredBelow: () => {
        const { metadata, groups } = snapshotter.coveredBelow
        return new Map([
          [prefixes.data, groups],
          [prefixes.metadata, metadata],
        ])
      },
      oldLivesCovered: () => snapshotter.coveredBelow.groups > 0,
    },
  })
}
