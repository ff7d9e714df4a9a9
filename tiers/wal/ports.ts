// Owns what the WAL needs of a file system, in the fewest calls: tests put faults behind it. Not what the WAL offers (tiers/ports.ts).

/**
 * A file opened by `WalFiles.open`. Every call rejects with the system's error, its `code` kept (`EIO`, `ENOSPC`, …). Buffers
 * belong to the file until the call settles.
 */
export interface WalFile {
  readonly sizeBytes: number
  /** Fills `into` from position `at`; answers how many bytes there were (fewer only at the file's end). */
  read(into: Uint8Array, at: number): Promise<number>
  /** Writes the parts back to back from `at`. May write less than all: answers how much. */
  writev(parts: readonly Uint8Array[], at: number): Promise<number>
  /** As `writev`, and what it answers as written survives loss of power: `sync` for these bytes alone, without a call of its own. */
  writevSynced(parts: readonly Uint8Array[], at: number): Promise<number>
  /** What was written before the call survives loss of power once it resolved. After a rejection nothing may be concluded. */
  sync(): Promise<void>
  close(): Promise<void>
}

export interface ListedFile {
  readonly name: string
  readonly sizeBytes: number
}

export type OpenMode = 'read' | 'write' | 'create'

/** One directory. Creating, renaming and removing is durable once `syncDirectory` resolved. */
export interface WalFiles {
  /** For messages: the directory. */
  readonly location: string
  list(): Promise<readonly ListedFile[]>
  /** `create` truncates; the others reject when the file is not there. */
  open(name: string, mode: OpenMode): Promise<WalFile>
  rename(from: string, to: string): Promise<void>
  remove(name: string): Promise<void>
  syncDirectory(): Promise<void>
  /** Makes the directory if needed and takes it for this process alone, or rejects with OpError `busy`/`WAL_LOCKED`. */
  lock(): Promise<Unlock>
}

export type Unlock = () => Promise<void>
