// Owns deleting what nobody refers to any more: forgotten and orphaned segments, WAL objects whose entries are archived, what old
// lives left. Mark and sweep over the bucket itself, so that crashes cost nothing (I4): what is remembered from sweep to sweep only
// delays.
//
// UPKEEP-1  an object goes only if it was unreferenced at a moment, everything known at that moment is in the bucket, it is still
//           unreferenced, and both it and its being unreferenced are older than the grace by the store's own clock.
// UPKEEP-2  a WAL object goes only if every snapshot that is kept already covers it. The last number of an old writer stays: it is
//           the fence.
// UPKEEP-3  a snapshot of an old life goes only once this life never looks at an older one again. Claims, openings and heartbeats stay.

import type { Log } from '../../src/base/log.ts'
import type { ListedObject, ObjectStore } from '../ports.ts'

export interface SweepPorts {
  /** Keys in use now: segments and WAL objects. */
  readonly references: () => ReadonlySet<string>
  /** Resolves when everything known so far is in the bucket. Rejects when this life is over (I7). */
  readonly settle: () => Promise<void>
  /** Runs `work` while no segment is being written: a writer may adopt an orphan. */
  readonly whileQuiet: <Value>(work: () => Promise<Value>) => Promise<Value>
  /** By prefix of this life's writers: objects below the number are covered by every snapshot kept. */
  readonly coveredBelow: () => ReadonlyMap<string, number>
  /** True once this life keeps enough snapshots of its own that it never looks at an older life's WAL again. */
  readonly oldLivesCovered: () => boolean
}

export interface SweeperOptions {
  readonly store: ObjectStore
  readonly ports: SweepPorts
  readonly log: Log
  /** The life that sweeps. */
  readonly life: number
  readonly graceMs: number
}

export interface SweepReport {
  readonly listed: number
  readonly deleted: number
  readonly bytes: number
  readonly failed: number
}

const writerPrefixes = ['wal/', 'metadata/wal/'] as const
/** A segment, and what a start left that was proving conditional writes: referred to, or garbage. */
const loosePrefixes = ['segments/', 'probe/'] as const
const snapshotPrefixes = ['snapshots/', 'metadata/snapshots/'] as const

interface NumberedObject extends ListedObject {
  readonly prefix: string
  readonly sequence: number
}

function numbered(facts: ListedObject): NumberedObject | undefined {
  const match = /^(.*\/)(\d{16})$/.exec(facts.key)
  return match === null ? undefined : { ...facts, prefix: match[1] ?? '', sequence: Number(match[2]) }
}

export class Sweeper {
  readonly #options: SweeperOptions
  /** When each object that is now unreferenced was first seen so, by the store's clock. */
  #idleSinceMs = new Map<string, number>()
  deletedObjects = 0
  deletedBytes = 0

  constructor(options: SweeperOptions) {
    this.#options = options
  }

  /** One sweep. `storeNowMs` by the store's clock. */
  async sweep(storeNowMs: number): Promise<SweepReport> {
    const { ports, store, graceMs } = this.#options
    const before = ports.references()
    await ports.settle()
    const { listed, idle } = await this.#idleObjects(before)
    const since = new Map(idle.map(({ key }) => [key, this.#idleSinceMs.get(key) ?? storeNowMs] as const))
    this.#idleSinceMs = since
    const olderThanMs = storeNowMs - graceMs
    const candidates = idle.filter((one) => one.lastModifiedMs < olderThanMs && (since.get(one.key) ?? storeNowMs) <= olderThanMs)
    // What was referred to since is counted anew from when it is given up.
    for (const key of ports.references()) since.delete(key)
    if (candidates.length === 0) return { listed, deleted: 0, bytes: 0, failed: 0 }
    return ports.whileQuiet(async () => {
      const now = ports.references()
      for (const key of now) since.delete(key)
      const doomed = candidates.filter((one) => !now.has(one.key))
      await ports.settle()
      const failures = await store.deleteMany(doomed.map((one) => one.key))
      for (const failure of failures)
        this.#options.log.warn('an object could not be deleted; it is tried at the next sweep', failure)
      const failed = new Set(failures.map((failure) => failure.key))
      const bytes = doomed.reduce((sum, one) => sum + (failed.has(one.key) ? 0 : one.sizeBytes), 0)
      this.deletedObjects += doomed.length - failures.length
      this.deletedBytes += bytes
      return { listed, deleted: doomed.length - failures.length, bytes, failed: failures.length }
    })
  }

  async #idleObjects(
    references: ReadonlySet<string>,
  ): Promise<{ readonly listed: number; readonly idle: readonly ListedObject[] }> {
    const { store } = this.#options
    const idle: ListedObject[] = []
    let listed = 0
    const look = (objects: readonly ListedObject[], mayGo: (object: ListedObject) => boolean): void => {
      listed += objects.length
      idle.push(...objects.filter((object) => !references.has(object.key) && mayGo(object)))
    }
    for (const prefix of loosePrefixes) for await (const facts of store.list(prefix)) look([facts], () => true)
    for (const prefix of snapshotPrefixes)
      for await (const facts of store.list(prefix)) look([facts], () => this.#isOldLife(facts))
    for (const prefix of writerPrefixes) {
      for (const [writer, objects] of await this.#writersUnder(prefix)) {
        const below = this.#coveredBelow(writer, objects)
        look(objects, (object) => (numbered(object)?.sequence ?? below) < below)
      }
    }
    return { listed, idle }
  }

  /** UPKEEP-3. */
  #isOldLife({ key }: ListedObject): boolean {
    const { ports, life } = this.#options
    const of = /^(?:metadata\/)?snapshots\/(\d{10})\//.exec(key)?.[1]
    return of !== undefined && Number(of) < life && ports.oldLivesCovered()
  }

  /** UPKEEP-2. */
  #coveredBelow(writer: string, objects: readonly NumberedObject[]): number {
    const { ports } = this.#options
    const covered = ports.coveredBelow().get(writer)
    if (covered !== undefined) return covered
    return ports.oldLivesCovered() ? (objects.at(-1)?.sequence ?? 0) : 0
  }

  async #writersUnder(prefix: string): Promise<ReadonlyMap<string, readonly NumberedObject[]>> {
    const byWriter = new Map<string, NumberedObject[]>()
    for await (const facts of this.#options.store.list(prefix)) {
      const object = numbered(facts)
      if (object === undefined) continue
      const list = byWriter.get(object.prefix)
      if (list === undefined) byWriter.set(object.prefix, [object])
      else list.push(object)
    }
    return byWriter
  }
}
