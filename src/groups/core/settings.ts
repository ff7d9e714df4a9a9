// Owns the coordinator's settings, under the names and with the defaults of Kafka's broker configs, and the room's own maxima.
// Not where they are read from (cli).

import { assert } from '../../base/assert.ts'
import type { AssignorName } from './consumer/assignor.ts'

/** Which live groups may go from one protocol to the other, member by member. Empty groups always may. */
export type MigrationPolicy = 'disabled' | 'upgrade' | 'downgrade' | 'bidirectional'

export interface GroupSettings {
  /** group.min.session.timeout.ms */
  readonly sessionTimeoutMsMin: number
  /** group.max.session.timeout.ms */
  readonly sessionTimeoutMsMax: number
  /** group.max.size */
  readonly groupSizeMax: number
  /** group.initial.rebalance.delay.ms */
  readonly initialRebalanceDelayMs: number
  /** offset.metadata.max.bytes */
  readonly offsetMetadataLengthMax: number
  /** offsets.retention.minutes, in ms */
  readonly offsetsRetentionMs: number
  /** offsets.retention.check.interval.ms */
  readonly offsetsRetentionCheckIntervalMs: number
  /** group.consumer.session.timeout.ms */
  readonly consumerSessionTimeoutMs: number
  /** group.consumer.heartbeat.interval.ms */
  readonly consumerHeartbeatIntervalMs: number
  /** group.consumer.min.session.timeout.ms: bounds of what a group may have for itself. */
  readonly consumerSessionTimeoutMsMin: number
  /** group.consumer.max.session.timeout.ms */
  readonly consumerSessionTimeoutMsMax: number
  /** group.consumer.min.heartbeat.interval.ms */
  readonly consumerHeartbeatIntervalMsMin: number
  /** group.consumer.max.heartbeat.interval.ms */
  readonly consumerHeartbeatIntervalMsMax: number
  /** group.consumer.max.size */
  readonly consumerGroupSizeMax: number
  /** group.consumer.assignors: the first is taken where no member asks for another. */
  readonly consumerAssignors: readonly AssignorName[]
  /** group.consumer.migration.policy */
  readonly consumerMigrationPolicy: MigrationPolicy
  /** What is set on a group itself, of the moment; every value was checked. */
  readonly configsOf: (groupId: string) => ReadonlyMap<string, string>
}

const noConfigs: ReadonlyMap<string, string> = new Map()

export const standardGroupSettings: GroupSettings = {
  sessionTimeoutMsMin: 6_000,
  sessionTimeoutMsMax: 1_800_000,
  groupSizeMax: 2_147_483_647,
  initialRebalanceDelayMs: 3_000,
  offsetMetadataLengthMax: 4_096,
  offsetsRetentionMs: 10_080 * 60_000,
  offsetsRetentionCheckIntervalMs: 600_000,
  consumerSessionTimeoutMs: 45_000,
  consumerHeartbeatIntervalMs: 5_000,
  consumerSessionTimeoutMsMin: 45_000,
  consumerSessionTimeoutMsMax: 60_000,
  consumerHeartbeatIntervalMsMin: 5_000,
  consumerHeartbeatIntervalMsMax: 15_000,
  consumerGroupSizeMax: 2_147_483_647,
  consumerAssignors: ['uniform', 'range'],
  consumerMigrationPolicy: 'bidirectional',
  configsOf: () => noConfigs,
}

/** A member that never had an answer to its first join is given up after this, however long the rebalance takes. */
export const newMemberJoinTimeoutMs = 300_000

/** How long to wait again for static members none of which has come, even if they name no time: zero would never end. */
export const rejoinWaitMsMin = 1_000

/** Member ids given out and not used yet, per group: beyond it, a flood of first joins is refused. */
export const pendingMembersMax = 10_000

/** Records of one append: about 100 bytes each, so that a batch stays far below the smallest usual max.message.bytes (1 MiB). */
export const recordsPerAppendMax = 2_000

/** Requests waiting for an append of one partition; beyond it, they are told to come again. */
export const appendsQueuedMax = 10_000

/** Requests that wait for a turn to change one consumer group; beyond it, they are told to come again. */
export const turnsWaitingMax = 10_000

/** When a member that could not be taken out, because that was not stored, is looked at again. */
export const dueAgainMs = 1_000

/** The longest expression by which a member may subscribe: its automaton takes memory by its length. */
export const expressionLengthMax = 1_024

assert(recordsPerAppendMax * 400 < 1_048_576, 'GROUP-L1: a full append fits a batch')

export function assertSettings(settings: GroupSettings): void {
  assert(settings.sessionTimeoutMsMin <= settings.sessionTimeoutMsMax, 'group.min.session.timeout.ms is at most the maximum')
  assert(settings.groupSizeMax >= 1, 'group.max.size is at least 1')
  assert(settings.offsetsRetentionCheckIntervalMs > 0, 'offsets.retention.check.interval.ms is positive')
  assert(
    settings.consumerSessionTimeoutMsMin <= settings.consumerSessionTimeoutMsMax &&
      settings.consumerHeartbeatIntervalMsMin <= settings.consumerHeartbeatIntervalMsMax,
    'the bounds of a group’s own times are a range',
  )
  assert(settings.consumerAssignors.length > 0, 'group.consumer.assignors names one at least')
  assert(
    settings.consumerHeartbeatIntervalMs < settings.consumerSessionTimeoutMs,
    'group.consumer.heartbeat.interval.ms is below group.consumer.session.timeout.ms',
  )
}
