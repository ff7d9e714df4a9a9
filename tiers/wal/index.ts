// The door of the hot WAL.

export { type Corruption, type DamageReason, walLimits } from './core/index.ts'
export { syncMsBounds, type WalCounters } from './counters.ts'
export { HotWal, type WalDurability } from './hot-wal.ts'
export { nodeWalFiles } from './node-files.ts'
export { type OpenedWal, openWal, type WalOpenReport, type WalOptions } from './open.ts'
export type { ListedFile, OpenMode, Unlock, WalFile, WalFiles } from './ports.ts'
