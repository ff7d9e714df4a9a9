// Owns what streaming needs from its surroundings and what it tells them. Not the object store's contract (tiers/ports.ts).

import type { EntryKind } from '../../src/model/entry.ts'
import type { GroupNumber, LeaderEpoch, LogIndex, TopicId } from '../../src/model/ids.ts'
import type { Extent } from './core/extent.ts'
import type { WalPosition } from '../../src/model/entry.ts'

/** A committed entry on its way to the bucket. */
export interface PendingEntry {
  readonly group: GroupNumber
  readonly term: LeaderEpoch
  readonly index: LogIndex
  readonly kind: Exclude<EntryKind, 'node'>
  readonly position: WalPosition
  /** By reference; when the streamer holds too much, it lets go and reads `position` again. */
  payload: Uint8Array | undefined
}

export interface StreamedShare {
  readonly group: GroupNumber
  readonly lastIndex: LogIndex
  /** Absent when the group had only control entries in the object. */
  readonly extent: Extent | undefined
}

/** Told in sequence order, once per object. */
export interface StreamedObject {
  readonly sequence: number
  readonly key: string
  readonly shares: readonly StreamedShare[]
}

export interface StreamOwner {
  identityOf(group: GroupNumber): { readonly topicId: TopicId; readonly partition: number }
  readPayload(position: WalPosition): Promise<Uint8Array>
  onStreamed(object: StreamedObject): void
  /**
   * The writer cannot go on: OpError `fenced` when another life has ended it, `corrupt` or `closed` when the WAL could not be read
   * back. Nothing may be acknowledged any more.
   */
  onEnded(error: unknown): void
}
