// Owns the snapshots under one prefix: writing the next, finding the newest that verifies, dropping those no longer kept. Not
// when to take one.

import type { Crc32c } from '../../src/base/crc32c.ts'
import { isOpError, OpError } from '../../src/base/op-error.ts'
import type { ObjectStore } from '../ports.ts'
import { decodeSnapshot, encodeSnapshot, type Snapshot } from './core/format.ts'

export interface FoundSnapshot {
  readonly key: string
  readonly sizeBytes: number
  readonly snapshot: Snapshot
}

export interface SnapshotSearch {
  readonly found: FoundSnapshot | undefined
  /** Newer snapshots that did not verify, and why. */
  readonly damaged: ReadonlyArray<{ readonly key: string; readonly reason: string }>
}

export class SnapshotStore {
  readonly #store: ObjectStore
  readonly #keyOf: (sequence: number) => string
  readonly #prefix: string
  readonly #crc32c: Crc32c

  constructor(
    store: ObjectStore,
    names: { readonly prefix: string; readonly keyOf: (sequence: number) => string },
    crc32c: Crc32c,
  ) {
    this.#store = store
    this.#prefix = names.prefix
    this.#keyOf = names.keyOf
    this.#crc32c = crc32c
  }

  /** Stores the snapshot under the number; OpError `fenced` when another writer already stored one there. */
  async write(sequence: number, snapshot: Snapshot): Promise<{ readonly key: string; readonly sizeBytes: number }> {
    const bytes = encodeSnapshot(snapshot, this.#crc32c)
    const key = this.#keyOf(sequence)
    const outcome = await this.#store.putIfAbsent(key, [bytes])
    if (outcome.kind === 'exists') {
      const stored = await this.#store.get(key)
      const same = stored.length === bytes.length && stored.every((byte, at) => byte === bytes[at])
      if (!same) throw new OpError('fenced', { code: 'FENCED', detail: `${key} holds a snapshot that another writer put there` })
    }
    return { key, sizeBytes: bytes.length }
  }

  async keys(): Promise<readonly string[]> {
    const keys: string[] = []
    for await (const facts of this.#store.list(this.#prefix)) keys.push(facts.key)
    return keys
  }

  /** From the newest backwards to the first that verifies. */
  async newest(): Promise<SnapshotSearch> {
    const keys = await this.keys()
    const damaged: Array<{ key: string; reason: string }> = []
    for (const key of [...keys].reverse()) {
      try {
        const bytes = await this.#store.get(key)
        const snapshot = decodeSnapshot(bytes, this.#crc32c)
        if (snapshot.ok) return { found: { key, sizeBytes: bytes.length, snapshot: snapshot.value }, damaged }
        damaged.push({ key, reason: snapshot.failure })
      } catch (error) {
        if (!isOpError(error, 'missing')) throw error
        damaged.push({ key, reason: 'listed, but gone when read' })
      }
    }
    return { found: undefined, damaged }
  }
}
