// Owns the settings of the group coordinator, from those of the node and the configs set on single groups. Not what they do.

import type { Broker } from '../broker/index.ts'
import { type GroupSettings, standardGroupSettings } from '../groups/index.ts'
import type { NodeSettings } from './node-settings.ts'

const offsetsExpiryCheckMs = 600_000

export function groupSettingsOf({ groups, offsets }: NodeSettings, { configs }: Pick<Broker, 'configs'>): GroupSettings {
  return {
    ...standardGroupSettings,
    sessionTimeoutMsMin: groups.sessionTimeoutMinMs,
    sessionTimeoutMsMax: groups.sessionTimeoutMaxMs,
    groupSizeMax: groups.maxSize,
    initialRebalanceDelayMs: groups.initialRebalanceDelayMs,
    consumerSessionTimeoutMs: groups.consumerSessionTimeoutMs,
    consumerHeartbeatIntervalMs: groups.consumerHeartbeatIntervalMs,
    consumerSessionTimeoutMsMin: groups.consumerSessionTimeoutMinMs,
    consumerSessionTimeoutMsMax: groups.consumerSessionTimeoutMaxMs,
    consumerHeartbeatIntervalMsMin: groups.consumerHeartbeatIntervalMinMs,
    consumerHeartbeatIntervalMsMax: groups.consumerHeartbeatIntervalMaxMs,
    consumerGroupSizeMax: groups.consumerMaxSize,
    consumerAssignors: groups.consumerAssignors,
    consumerMigrationPolicy: groups.consumerMigrationPolicy,
    offsetsRetentionMs: offsets.retentionMs,
    offsetsRetentionCheckIntervalMs: offsetsExpiryCheckMs,
    configsOf: (groupId) => configs.of('group', groupId),
  }
}
