// Owns what is in the bucket, by kind, from one listing. Judges names only.

import type { ListedObject, ObjectReader } from '../../tiers/ports.ts'
import { parseSegmentKey } from '../../tiers/segment/index.ts'

export interface NumberedObject extends ListedObject {
  readonly sequence: number
}

/** Numbered objects under one prefix, ascending. */
export type ByPrefix = ReadonlyMap<string, readonly NumberedObject[]>

export interface Inventory {
  readonly all: ReadonlyMap<string, ListedObject>
  readonly bytes: number
  /** `wal/<life>/<node>/` and `metadata/wal/<life>/`. */
  readonly writers: ByPrefix
  /** `snapshots/<life>/<node>/` and `metadata/snapshots/<life>/`. */
  readonly snapshots: ByPrefix
  readonly segments: readonly ListedObject[]
  /** Nothing of ours is called so. */
  readonly strays: readonly ListedObject[]
  /** What a start left that was proving conditional writes. */
  readonly probes: readonly ListedObject[]
}

const writer = /^(wal\/\d{10}\/\d{10}\/|metadata\/wal\/\d{10}\/)(\d{16})$/
const snapshot = /^(snapshots\/\d{10}\/\d{10}\/|metadata\/snapshots\/\d{10}\/)(\d{16})$/
const record = /^(cluster\/\d{10}\/(claim|open)|heartbeat\/\d{10}\/\d{10})$/

export async function takeInventory(store: ObjectReader, onObject: (count: number) => void): Promise<Inventory> {
  const all = new Map<string, ListedObject>()
  const writers = new Map<string, NumberedObject[]>()
  const snapshots = new Map<string, NumberedObject[]>()
  const segments: ListedObject[] = []
  const strays: ListedObject[] = []
  const probes: ListedObject[] = []
  let bytes = 0
  for await (const facts of store.list('')) {
    all.set(facts.key, facts)
    bytes += facts.sizeBytes
    onObject(all.size)
    if (put(writers, writer, facts) || put(snapshots, snapshot, facts) || record.test(facts.key)) continue
    if (parseSegmentKey(facts.key) !== undefined) segments.push(facts)
    else (facts.key.startsWith('probe/') ? probes : strays).push(facts)
  }
  return { all, bytes, writers, snapshots, segments, strays, probes }
}

function put(into: Map<string, NumberedObject[]>, pattern: RegExp, facts: ListedObject): boolean {
  const match = pattern.exec(facts.key)
  if (match === null) return false
  const prefix = match[1] ?? ''
  const list = into.get(prefix) ?? []
  if (list.length === 0) into.set(prefix, list)
  list.push({ ...facts, sequence: Number(match[2]) })
  return true
}
