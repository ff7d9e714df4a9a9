// The door of the pure part of the streaming room.

export { digestOf } from './digest.ts'
export { type Extent, extentOf } from './extent.ts'
export type { BatchDigest, BatchRole, Fence, StreamedEntry, StreamedGroup, StreamFooter } from './format.ts'
