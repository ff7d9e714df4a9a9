// Owns deleting what nobody refers to any more: forgotten and orphaned segments, WAL objects whose entries are archived, what old
// lives left. Mark and sweep over the bucket itself, so that it needs no memory of its own and crashes cost nothing (I4).
//
// UPKEEP-1  an object goes only if it was unreferenced at a moment, everything known at that moment is in the bucket, it is still
//           unreferenced, and it is older than the grace by the store's own clock.
// UPKEEP-2  a WAL object goes only if every snapshot that is kept already covers it. The last number of an old writer stays: it is
//           the fence.

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
  readonly graceMs: number
}

export interface SweepReport {
  readonly listed: number
  readonly deleted: number
  readonly bytes: number
  readonly failed: number
}

const writerPrefixes = ['wal/', 'metadata/wal/'] as const
const segmentsPrefix = 'segments/'

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
    const { listed, candidates } = await this.#candidates(before, storeNowMs - graceMs)
    if (candidates.length === 0) return { listed, deleted: 0, bytes: 0, failed: 0 }
    return ports.whileQuiet(async () => {
      const now = ports.references()
      const doomed = candidates.filter((one) => !now.has(one.key))
      await ports.settle()
      const failures = await store.deleteMany(doomed.map((one) => one.key))
      for (const failure of failures)
        this.#options.log.warn('an object could not be deleted; it is tried at the next sweep', failure)
      const bytes = doomed.reduce((sum, one) => sum + one.sizeBytes, 0)
      this.deletedObjects += doomed.length - failures.length
      this.deletedBytes += bytes
      return { listed, deleted: doomed.length - failures.length, bytes, failed: failures.length }
    })
  }

  async #candidates(
    references: ReadonlySet<string>,
    olderThanMs: number,
  ): Promise<{ readonly listed: number; readonly candidates: readonly ListedObject[] }> {
    const idle = (facts: ListedObject): boolean => !references.has(facts.key) && facts.lastModifiedMs < olderThanMs
    const candidates: ListedObject[] = []
    let listed = 0
    for await (const facts of this.#options.store.list(segmentsPrefix)) {
      listed += 1
      if (idle(facts)) candidates.push(facts)
    }
    for (const prefix of writerPrefixes) {
      const byWriter = await this.#writersUnder(prefix)
      for (const [writer, objects] of byWriter) {
        listed += objects.length
        const below = this.#coveredBelow(writer, objects)
        candidates.push(...objects.filter((object) => object.sequence < below && idle(object)))
      }
    }
    return { listed, candidates }
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
