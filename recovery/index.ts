// The door of recovery.

export { type HeartbeatRecord } from './core/life-records.ts'
export { listLives, writeHeartbeat } from './lives.ts'
export { recover } from './pipeline.ts'
export type {
  LocalEntry,
  LocalWal,
  Recovered,
  RecoveredCoordinator,
  RecoveredPartition,
  RecoveryWorld,
  WalDamage,
  WalIdentity,
} from './ports.ts'
export { type RecoveryReport, reportLines, type SetBackOffset } from './report.ts'
export { snapshotStores } from './stages/load-bucket.ts'
export { Heartbeat } from './running/heartbeat.ts'
export { type Capture, Snapshotter } from './running/snapshotter.ts'
export type { Finding, Severity, VerifyReport, VerifyTotals } from './verify/findings.ts'
export { verifyBucket, type VerifyOptions, type VerifyWorld } from './verify/verify-bucket.ts'
