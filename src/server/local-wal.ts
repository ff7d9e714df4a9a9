// Owns opening the WAL folder for recovery: whose it is, and what it holds that may not be in the bucket. Not the WAL (tiers/wal).

import { statfs } from 'node:fs/promises'
import type { Clock } from '../base/clock.ts'
import type { Crc32c } from '../base/crc32c.ts'
import { OpError } from '../base/op-error.ts'
import type { IdSource } from '../base/prng.ts'
import { groupNumber } from '../model/ids.ts'
import { batchHeaderBytes, isControlBatch } from '../protocol/index.ts'
import type { LocalEntry, LocalWal, WalDamage } from '../../recovery/index.ts'
import { type Corruption, type HotWal, nodeWalFiles, openWal, readWalOwner, writeWalOwner } from '../../tiers/wal/index.ts'
import type { NodeSettings } from './node-settings.ts'

export interface OpenedLocalWal extends LocalWal {
  readonly wal: HotWal
}

/** Headers and padding hold no entry; the frames beside them carry checksums of their own and were read or reported themselves. */
const withoutEntries: ReadonlySet<Corruption['reason']> = new Set(['file header', 'commit header', 'padding'])

function damageOf({ file, from, to, reason, entry }: Corruption): WalDamage {
  const whose = entry === undefined ? '' : `, entry ${entry.index} of group ${entry.group}`
  const what = `WAL file ${file}, bytes ${from} to ${to}: ${reason}${whose}`
  if (entry !== undefined) return { what, file, at: from, lost: { group: groupNumber(entry.group), index: entry.index } }
  return { what, file, at: from, lost: withoutEntries.has(reason) ? 'none' : 'unknown' }
}

/** Of the file system that the folder is on; OpError `internal` when it does not say. */
export async function spaceOf(folder: string): Promise<{ readonly totalBytes: number; readonly usableBytes: number }> {
  try {
    const { bsize, blocks, bavail } = await statfs(folder)
    return { totalBytes: blocks * bsize, usableBytes: bavail * bsize }
  } catch (cause) {
    throw new OpError('internal', {
      code: 'DISK_SILENT',
      detail: `the disk of ${folder} does not tell its size; check it`,
      cause,
    })
  }
}

export async function openLocalWal(
  settings: NodeSettings['wal'],
  world: {
    readonly clock: Clock
    readonly crc32c: Crc32c
    readonly idSource: IdSource
    readonly onFatal: (error: unknown) => void
  },
): Promise<OpenedLocalWal> {
  const entries: LocalEntry[] = []
  const { wal, report } = await openWal({
    files: nodeWalFiles(settings.dir),
    clock: world.clock,
    crc32c: world.crc32c,
    idSource: world.idSource,
    fileBytes: settings.fileBytes,
    budgetBytes: settings.budgetBytes,
    durability: settings.fsync === 'always' ? 'fdatasync' : 'unsafe-no-fsync',
    onEntry: ({ group, term, index, kind, payload }, position) => {
      // The payload is a view that does not last: of a batch of data the header is enough, the rest is read again when it is streamed.
      const isData = kind === 'batch' && !isControlBatch(payload)
      const bytes = new Uint8Array(isData ? payload.subarray(0, batchHeaderBytes) : payload)
      entries.push({ group, term, index, kind, position, bytes })
    },
    onFatal: world.onFatal,
  })
  const identity = await readWalOwner(settings.dir)
  return {
    wal,
    identity,
    entries,
    damage: report.corruptions.map(damageOf),
    tornAt: report.tornAt,
    writeIdentity: (owner) => writeWalOwner(settings.dir, owner),
  }
}
