// Owns taking snapshots while the node runs: captures the state of all groups at one moment, waits until the bucket holds
// everything up to it, stores, drops the oldest. Not what a section holds (broker, groups).
//
// SNAP-1  a snapshot never says more than the bucket holds: it is stored only after all entries it covers have been streamed.

import type { Clock } from '../../src/base/clock.ts'
import type { Log } from '../../src/base/log.ts'
import type { LeaderEpoch } from '../../src/model/ids.ts'
import type { ObjectStore } from '../../tiers/ports.ts'
import type { SnapshotSection, SnapshotStore } from '../../tiers/snapshot/index.ts'

/** The state of the node at one moment. */
export interface Capture {
  readonly metadata: { readonly replayFrom: number; readonly sections: readonly SnapshotSection[] }
  readonly groups: { readonly replayFrom: number; readonly sections: readonly SnapshotSection[] }
}

export interface SnapshotterOptions {
  readonly store: ObjectStore
  readonly stores: { readonly metadata: SnapshotStore; readonly groups: SnapshotStore }
  readonly next: { readonly metadata: number; readonly groups: number }
  readonly head: { readonly life: number; readonly node: number; readonly term: LeaderEpoch }
  readonly clock: Clock
  readonly log: Log
  readonly keep: number
  readonly capture: () => Capture
  /** Resolves when everything proposed so far is committed and in the bucket: a capture holds what is not committed yet, too. */
  readonly settle: () => Promise<void>
}

interface Kept {
  readonly key: string
  readonly replayFrom: number
}

export interface SnapshotCounters {
  creations: number
  uploads: number
  failures: number
  sizeBytes: number
  durationMs: number
}

export class Snapshotter {
  readonly counters: SnapshotCounters = { creations: 0, uploads: 0, failures: 0, sizeBytes: 0, durationMs: 0 }
  readonly #options: SnapshotterOptions
  #next: { metadata: number; groups: number }
  #kept: { metadata: Kept[]; groups: Kept[] } = { metadata: [], groups: [] }
  #last = { metadata: -1, groups: -1 }
  #running: Promise<void> | undefined

  constructor(options: SnapshotterOptions) {
    this.#options = options
    this.#next = { ...options.next }
  }

  /** Takes a snapshot of whatever changed since the last; joins one under way. */
  run(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  /** The first WAL objects that the oldest snapshots kept still need; undefined before enough were taken in this process. */
  get coveredBelow(): { readonly metadata: number; readonly groups: number } {
    const { keep } = this.#options
    const oldest = (kept: readonly Kept[]): number => (kept.length >= keep ? (kept[0]?.replayFrom ?? 0) : 0)
    return { metadata: oldest(this.#kept.metadata), groups: oldest(this.#kept.groups) }
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options
    const started = clock.monotonicMs()
    const capture = this.#options.capture()
    this.counters.creations += 1
    try {
      await this.#options.settle()
      await this.#store('metadata', capture.metadata)
      await this.#store('groups', capture.groups)
      this.counters.durationMs = clock.monotonicMs() - started
    } catch (error) {
      this.counters.failures += 1
      log.warn('a snapshot could not be stored; the next one will be tried', { error })
      throw error
    }
  }

  async #store(what: 'metadata' | 'groups', capture: Capture['groups']): Promise<void> {
    // Nothing was streamed since: the last snapshot still says all.
    if (capture.replayFrom === this.#last[what]) return
    const { head, clock, stores } = this.#options
    const { replayFrom, sections } = capture
    const { key, sizeBytes } = await stores[what].write(this.#next[what], {
      ...head,
      replayFrom,
      createdMs: clock.nowMs(),
      sections,
    })
    this.#next[what] += 1
    this.#last[what] = replayFrom
    this.counters.uploads += 1
    this.counters.sizeBytes = sizeBytes
    const kept = this.#kept[what]
    kept.push({ key, replayFrom })
    if (kept.length > this.#options.keep) kept.shift()
    await this.#dropOlder(what)
  }

  async #dropOlder(what: 'metadata' | 'groups'): Promise<void> {
    const keys = await this.#options.stores[what].keys()
    const surplus = keys.slice(0, Math.max(0, keys.length - this.#options.keep))
    if (surplus.length > 0) await this.#options.store.deleteMany(surplus)
  }
}
