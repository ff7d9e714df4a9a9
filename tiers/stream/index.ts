// The door of the streaming room.

export { type Extent, extentOf } from './core/extent.ts'
export { digestOf } from './core/digest.ts'
export { decodeFence, encodeFence, encodeStreamObject, headerBytes as streamDataFrom, noTopic } from './core/format.ts'
export type { BatchDigest, BatchRole, Fence, StreamedEntry, StreamedGroup, StreamFooter, StreamHeader } from './core/format.ts'
export {
  claimKey,
  groupSnapshotPrefix,
  heartbeatKey,
  lifePrefix,
  metadataSnapshotPrefix,
  metadataWalPrefix,
  numberedKey,
  openKey,
  sequenceOfKey,
  walPrefix,
} from './core/keys.ts'
export { inspectStreamObject, type StreamPart } from './inspect.ts'
export { streamLimits } from './limits.ts'
export type { PendingEntry, StreamedObject, StreamedShare, StreamOwner } from './ports.ts'
export { readStreamedHead, readStreamedHeader, type StreamedObjectHead } from './reader.ts'
export { type StreamCounters, Streamer, type StreamerOptions } from './streamer.ts'
