// Owns what `chronik dump object` shows of a snapshot: its head, then every section. Not what a section means (its owner), nor how it is
// printed (cli).

import type { Crc32c } from '../../src/base/crc32c.ts'
import { OpError } from '../../src/base/op-error.ts'
import { decodeSnapshot, type Snapshot, type SnapshotSection } from './core/format.ts'

export type SnapshotPart =
  | { readonly kind: 'head'; readonly head: Omit<Snapshot, 'sections'>; readonly sections: number }
  | { readonly kind: 'section'; readonly section: SnapshotSection }

/** OpError `corrupt` when it is none, or not whole. */
export function* inspectSnapshot(bytes: Uint8Array, crc32c: Crc32c): Generator<SnapshotPart, void, undefined> {
  const decoded = decodeSnapshot(bytes, crc32c)
  if (!decoded.ok) throw new OpError('corrupt', { code: 'SNAPSHOT_CORRUPT', detail: decoded.failure })
  const { sections, ...head } = decoded.value
  yield { kind: 'head', head, sections: sections.length }
  for (const section of sections) yield { kind: 'section', section }
}
