// The door of the standalone replicator.

export { LifeGuard, type LifeGuardOptions } from './life-guard.ts'
export { type EntrySink, type GroupStart, LocalLogs, type LocalLogsOptions } from './local-log.ts'
