// Owns the door of the room: what the composition root and recovery use.

export { faultOfGroupConfigs, groupConfigNames } from './core/group-configs.ts'
export type { CommittedOffset } from './core/durable.ts'
export { decodeSnapshot as decodeGroupsSnapshot } from './core/snapshot.ts'
export type { Producer } from './core/messages.ts'
export type { SetBackOffset } from './core/offsets.ts'
export { compileExpression } from './expression.ts'
export { type GroupSettings, standardGroupSettings } from './core/settings.ts'
export type { GroupCommittedOffset, GroupCoordinatorOptions, GroupFacts } from './partitions.ts'
export type { ClientFacts, GroupTopics, KeyedRecord, LoggedRecord, OffsetsLog } from './ports.ts'
export { decodeRecord } from './record-codec.ts'
export { GroupCoordinator } from './runtime.ts'
