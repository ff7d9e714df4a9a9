// Owns the contracts of the tiers: the object store and the hot WAL. Durability, idempotence, byte ownership and outcomes are
// stated here once; every implementation passes the same contract suite (test/contract).

import type { TakeMemory } from '../src/base/scratch.ts'
import type { LogEntry, WalPosition } from '../src/model/entry.ts'

export type { WalPosition } from '../src/model/entry.ts'

/** An object's body, in pieces that are stored back to back. The store does not keep or change the pieces after it answered. */
export type ObjectBody = readonly Uint8Array[]

/** What a listing tells of an object. No etag: the local store's is made from the content, which a listing does not read. */
export interface ListedObject {
  readonly key: string
  readonly sizeBytes: number
  /** The store's own clock, milliseconds since the epoch: compare only with times of the same store. */
  readonly lastModifiedMs: number
}

export interface ObjectFacts extends ListedObject {
  readonly etag: string
}

export interface ListOptions {
  /** Only keys after this one, in byte order. */
  readonly startAfter?: string
  /** Stop after this many keys. */
  readonly limit?: number
}

/** Reads never see a part of a write. A missing key is OpError `missing`; an unreachable store `retry`; no right `denied`. */
export interface ObjectReader {
  head(key: string): Promise<ObjectFacts>
  get(key: string): Promise<Uint8Array>
  /** Bytes [start, end). Fewer when the object ends earlier; OpError `invalid` when it ends at or before `start`. */
  getRange(key: string, start: number, end: number): Promise<Uint8Array>
  /** The last `length` bytes (all when the object is shorter), and the object's whole size. One request. */
  getTail(key: string, length: number): Promise<{ readonly bytes: Uint8Array; readonly sizeBytes: number }>
  /** Keys in ascending byte order. Strongly consistent: whatever was written before the call is in it. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ListedObject>
}

/** No etag: a store that makes its own would have to read every large object once more for it. `head` tells it. */
export type PutIfAbsentOutcome = { readonly kind: 'created' } | { readonly kind: 'exists' }
export type PutIfMatchOutcome = { readonly kind: 'replaced'; readonly etag: string } | { readonly kind: 'conflict' }

/**
 * No key may be a folder of another (`a` beside `a/b`): MinIO then hides `a/b` from listings, others refuse. The memory store refuses.
 * A write that returned is durable. A write that threw may or may not have happened, and never in part.
 */
export interface ObjectWriter {
  put(key: string, body: ObjectBody): Promise<{ readonly etag: string }>
  /**
   * Creates the object, or answers `exists`. After an internal retry `exists` may be this very call's earlier attempt: who must
   * know reads the object back (design I3). At most one writer ever gets `created` for a key.
   */
  putIfAbsent(key: string, body: ObjectBody): Promise<PutIfAbsentOutcome>
  /** Replaces the version `etag`, or answers `conflict`; after an internal retry that may again be this call's own earlier attempt. */
  putIfMatch(key: string, body: ObjectBody, etag: string): Promise<PutIfMatchOutcome>
  /**
   * Large bodies in parts, created only if absent; nothing is visible before the end. Aborts what it began when it throws. A part's
   * memory is the caller's again as soon as the next part is asked for.
   */
  putMultipart(key: string, parts: AsyncIterable<Uint8Array>): Promise<PutIfAbsentOutcome>
  /** Idempotent: a missing key is no error. */
  delete(key: string): Promise<void>
  /** Deletes many, in as few requests as the store allows; returns what could not be deleted. */
  deleteMany(keys: readonly string[]): Promise<ReadonlyArray<{ readonly key: string; readonly reason: string }>>
}

export interface ObjectStore extends ObjectReader, ObjectWriter {
  /** For messages: `s3://bucket/prefix`, `local:/path`. Holds no secret. */
  readonly location: string
  close(): Promise<void>
}

export interface WalUsage {
  readonly usedBytes: number
  readonly budgetBytes: number
  readonly oldestFile: number
  readonly newestFile: number
}

/**
 * One append-only log per node for all groups. Frames become durable in append order: when one is, all before it are (I1).
 */
export interface Wal {
  /**
   * Queues the entry for the next group commit and answers where it will stand. Keeps a reference to the payload until it is
   * written. Throws OpError `busy`/`WAL_FULL` (nothing appended; retry when the streamer has moved on) or `closed`.
   */
  append(entry: LogEntry): WalPosition
  /**
   * Resolves when everything appended so far is durable under the policy. Rejects with OpError `closed` when a write or fsync failed: the log is dead
   * from then on, and nothing queued may be acknowledged. All callers of one group commit share one promise.
   */
  durable(): Promise<void>
  /** Payload bytes back from the file, checked. OpError `missing` when the file was released, `corrupt` when the check fails. */
  read(position: WalPosition): Promise<Uint8Array>
  /**
   * As `read` for each, in the order asked; neighbouring frames share one read of the disk. `take` gives the memory that is read
   * into; once the call has settled nothing writes to it any more.
   */
  readMany(positions: readonly WalPosition[], take?: TakeMemory): Promise<Uint8Array[]>
  /** Files below `file` are no longer needed; they are recycled. Never the newest. */
  release(beforeFile: number): void
  usage(): WalUsage
  /** Writes out what is queued, syncs, closes. */
  close(): Promise<void>
}
