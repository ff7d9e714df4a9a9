// The door of the snapshot room.

export { decodeSnapshot, encodeSnapshot } from './core/format.ts'
export type { SectionKind, Snapshot, SnapshotSection } from './core/format.ts'
export { inspectSnapshot, type SnapshotPart } from './inspect.ts'
export { type FoundSnapshot, type SnapshotSearch, SnapshotStore } from './snapshot-store.ts'
