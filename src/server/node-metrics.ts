// Owns which plain fields of the node's rooms become metrics, and their names. Not the fields, nor the exposition (http/).

import type { Archiver, Compactor, StandaloneBroker } from '../broker/index.ts'
import type { GroupCoordinator } from '../groups/index.ts'
import type { TransactionCoordinator } from '../transactions/index.ts'
import type { Snapshotter, Recovered } from '../../recovery/index.ts'
import type { Sweeper } from '../../tiers/upkeep/index.ts'
import { type HotWal, syncMsBounds } from '../../tiers/wal/index.ts'
import { type MetricSource, plainMetric } from './http/metric-source.ts'
import type { JoinedLogs } from './joined-logs.ts'
import type { StoreStack } from './store-stack.ts'

interface MeteredParts {
  readonly stack: StoreStack
  readonly recovered: Recovered
  readonly wal: Recovered['wal']
  readonly logs: JoinedLogs
  readonly broker: StandaloneBroker
  readonly groups: GroupCoordinator
  readonly transactions: TransactionCoordinator
  readonly archiver: Archiver
  readonly compactor: Compactor
  readonly snapshotter: Snapshotter
  readonly sweeper: Sweeper
}

const counter = (name: string, help: string, value: () => number): MetricSource => plainMetric('counter', name, help, value)
const gauge = (name: string, help: string, value: () => number): MetricSource => plainMetric('gauge', name, help, value)

export function nodeMetrics(parts: MeteredParts): readonly MetricSource[] {
  return [
    ...compactionMetrics(parts),
    ...walMetrics(parts),
    ...streamMetrics(parts),
    ...tierMetrics(parts),
    ...brokerMetrics(parts),
    ...storeMetrics(parts),
  ]
}

function walMetrics({ wal }: MeteredParts): readonly MetricSource[] {
  const { counters } = wal as HotWal
  return [
    gauge('chronik_wal_used_bytes', 'Bytes of WAL files in use', () => wal.usage().usedBytes),
    gauge('chronik_wal_budget_bytes', 'Bytes the WAL may use', () => wal.usage().budgetBytes),
    counter('chronik_wal_commits_total', 'Group commits: one durable write each', () => counters.commits),
    counter('chronik_wal_frames_total', 'Entries made durable', () => counters.frames),
    counter('chronik_wal_written_bytes_total', 'Bytes written, with headers and padding', () => counters.writtenBytes),
    counter('chronik_wal_refusals_total', 'Appends refused because the budget or the queue was full', () => counters.refusals),
    gauge('chronik_wal_queued_bytes', 'Bytes appended and not durable yet', () => counters.queuedBytes),
    {
      name: 'chronik_wal_fsync_milliseconds',
      help: 'How long a group commit took to be durable',
      type: 'histogram',
      labelNames: [],
      collect: () => {
        let sum = 0
        const cumulative = counters.syncMsBuckets.map((count) => (sum += count))
        return [
          {
            labels: [],
            bounds: syncMsBounds,
            cumulative: cumulative.slice(0, syncMsBounds.length),
            count: sum,
            sum: counters.syncMsSum,
          },
        ]
      },
    },
  ]
}

function streamMetrics({ logs }: MeteredParts): readonly MetricSource[] {
  const { data, metadata, guard } = logs
  return [
    gauge(
      'chronik_stream_behind_seconds',
      'Age of the oldest committed entry that is not in the bucket; alert on it',
      () => data.behindMs() / 1000,
    ),
    gauge('chronik_stream_pending_bytes', 'Committed bytes that are not in the bucket', () => data.pendingBytes),
    counter('chronik_stream_objects_total', 'WAL objects stored', () => data.counters.objects),
    counter('chronik_stream_bytes_total', 'Bytes of WAL objects stored', () => data.counters.bytes),
    counter('chronik_stream_retries_total', 'Uploads tried again after the retrying store gave up', () => data.counters.retries),
    counter('chronik_metadata_objects_total', 'Metadata WAL objects stored', () => metadata.counters.objects),
    counter('chronik_pauses_total', 'Pauses of the process after which acknowledging waited for a proof', () => guard.pauses),
  ]
}

function tierMetrics({ archiver, snapshotter, sweeper, logs, recovered }: MeteredParts): readonly MetricSource[] {
  const { cache } = logs
  return [
    counter('chronik_segments_archived_total', 'Segments stored', () => archiver.counters.segments),
    counter('chronik_segments_archived_bytes_total', 'Bytes of records in segments stored', () => archiver.counters.bytes),
    counter(
      'chronik_segments_failures_total',
      'Segments that could not be stored and are tried again',
      () => archiver.counters.failures,
    ),
    counter('chronik_segments_expired_total', 'Segments past their retention', () => archiver.counters.expiredSegments),
    counter('snapshot_creations_total', 'Snapshots captured', () => snapshotter.counters.creations),
    counter('snapshot_uploads_total', 'Snapshots stored', () => snapshotter.counters.uploads),
    counter('snapshot_failures_total', 'Snapshots that could not be stored', () => snapshotter.counters.failures),
    gauge('snapshot_size_bytes', 'Size of the newest snapshot', () => snapshotter.counters.sizeBytes),
    counter('chronik_swept_objects_total', 'Objects deleted because nobody refers to them', () => sweeper.deletedObjects),
    counter('chronik_swept_bytes_total', 'Bytes of objects deleted', () => sweeper.deletedBytes),
    counter('chronik_cache_hits_total', 'Chunks of archived data found in memory', () => cache.counters.hits),
    counter('chronik_cache_misses_total', 'Chunks of archived data read from the bucket', () => cache.counters.misses),
    gauge('chronik_cache_used_bytes', 'Bytes of archived data in memory', () => cache.usedBytes),
    gauge('chronik_life', 'The life of the cluster this node serves', () => recovered.life),
    gauge('chronik_recovery_seconds', 'How long recovery took at this start', () => recovered.report.durationMs / 1000),
    gauge(
      'chronik_recovery_requests',
      'Requests to the bucket that recovery made at this start',
      () => recovered.report.requests,
    ),
    gauge('chronik_recovery_damage', 'Damaged things recovery named at this start', () => recovered.report.damage.length),
  ]
}

function compactionMetrics({ compactor }: MeteredParts): readonly MetricSource[] {
  const { counters } = compactor
  return [
    counter('chronik_compactions_total', 'Passes over a partition that were published', () => counters.passes),
    counter('chronik_compaction_failures_total', 'Passes that failed and are tried again', () => counters.failures),
    counter('chronik_compaction_read_bytes_total', 'Bytes of segments that compaction read', () => counters.readBytes),
    counter('chronik_compaction_written_bytes_total', 'Bytes of segments that compaction wrote', () => counters.writtenBytes),
    counter('chronik_compaction_replaced_segments_total', 'Segments that compaction replaced', () => counters.replacedSegments),
    gauge(
      'chronik_compaction_dirty_ratio_max',
      'Of the partition that needs compaction most, what is new, 0 to 1',
      () => compactor.dirtyRatioMax,
    ),
    gauge(
      'chronik_compaction_map_utilization',
      'How full the key map of the last pass was, 0 to 1',
      () => compactor.mapUtilization,
    ),
  ]
}

function brokerMetrics({ broker, groups, transactions }: MeteredParts): readonly MetricSource[] {
  const sum = (
    of: (partition: {
      counters: { appendedBatches: number; appendedBytes: number; duplicates: number; refused: number }
    }) => number,
  ) => {
    return (): number => {
      let total = 0
      for (const partition of broker.partitions()) total += of(partition)
      return total
    }
  }
  return [
    gauge('chronik_topics', 'Topics', () => [...broker.topics()].length),
    gauge('chronik_partitions', 'Partitions', () => broker.partitionCount),
    gauge('chronik_hot_cache_bytes', 'Bytes of the newest records in memory', () => broker.hotBytes),
    counter(
      'chronik_appended_batches_total',
      'Batches appended by the partitions here',
      sum((one) => one.counters.appendedBatches),
    ),
    counter(
      'chronik_appended_bytes_total',
      'Bytes appended by the partitions here',
      sum((one) => one.counters.appendedBytes),
    ),
    counter(
      'chronik_duplicate_batches_total',
      'Batches answered as already there',
      sum((one) => one.counters.duplicates),
    ),
    counter(
      'chronik_refused_batches_total',
      'Batches refused',
      sum((one) => one.counters.refused),
    ),
    gauge('chronik_group_members', 'Members of consumer groups', () => groups.facts().members),
    counter('chronik_group_rebalances_total', 'Rebalances completed', () => groups.facts().rebalances),
    counter('chronik_group_commits_total', 'Offset commits', () => groups.facts().commits),
    {
      name: 'chronik_groups',
      help: 'Consumer groups by state',
      type: 'gauge',
      labelNames: ['state'],
      collect: () => Object.entries(groups.facts().groupsByState).map(([state, value]) => ({ labels: [state], value })),
    },
    {
      name: 'chronik_transactional_ids',
      help: 'Transactional ids by state',
      type: 'gauge',
      labelNames: ['state'],
      collect: () => Object.entries(transactions.facts.byStatus).map(([state, value]) => ({ labels: [state], value })),
    },
    {
      name: 'chronik_transactions_total',
      help: 'Transactions ended: committed, aborted (those that took too long among them)',
      type: 'counter',
      labelNames: ['outcome'],
      collect: () =>
        (['committed', 'aborted', 'timedOut'] as const).map((outcome) => ({
          labels: [outcome === 'timedOut' ? 'timed_out' : outcome],
          value: transactions.facts[outcome],
        })),
    },
  ]
}

function storeMetrics({ stack }: MeteredParts): readonly MetricSource[] {
  const byOperation = (
    name: string,
    help: string,
    of: (one: ReturnType<StoreStack['metered']['counters']>[keyof ReturnType<StoreStack['metered']['counters']>]) => number,
  ): MetricSource => ({
    name,
    help,
    type: 'counter',
    labelNames: ['operation'],
    collect: () => Object.entries(stack.metered.counters()).map(([operation, one]) => ({ labels: [operation], value: of(one) })),
  })
  return [
    byOperation('chronik_store_requests_total', 'Requests to the bucket', (one) => one.requests),
    byOperation('chronik_store_errors_total', 'Requests to the bucket that failed', (one) => one.errors),
    byOperation('chronik_store_throttled_total', 'Requests the bucket throttled', (one) => one.throttled),
    byOperation('chronik_store_read_bytes_total', 'Bytes read from the bucket', (one) => one.bytesRead),
    byOperation('chronik_store_written_bytes_total', 'Bytes written to the bucket', (one) => one.bytesWritten),
    counter('chronik_store_retries_total', 'Requests tried again', () => stack.retries),
  ]
}
