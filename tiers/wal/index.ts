// The door of the hot WAL.

export { type CommitHeader, type Corruption, type DamageReason, type FileHeader, walLimits } from './core/index.ts'
export { syncMsBounds, type WalCounters } from './counters.ts'
export { HotWal, type WalDurability } from './hot-wal.ts'
export { inspectWal, type WalFinding } from './inspect.ts'
export { readWalOwner, type WalOwner, writeWalOwner } from './identity-file.ts'
export { nodeWalFiles } from './node-files.ts'
export { type OpenedWal, openWal, type WalOpenReport, type WalOptions } from './open.ts'
export type { ListedFile, OpenMode, Unlock, WalFile, WalFiles } from './ports.ts'
