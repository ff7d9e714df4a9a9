// Owns looking at a WAL directory without opening it: what is in each file, and what is wrong with it. Takes no lock and writes
// nothing; beside a running writer the newest commits may look torn.

import type { Crc32c } from '../../src/base/crc32c.ts'
import type { LogEntry } from '../../src/model/entry.ts'
import type { WalPosition } from '../ports.ts'
import type { CommitHeader, Corruption, FileHeader } from './core/index.ts'
import type { WalFiles } from './ports.ts'
import { WalScan } from './scan-files.ts'

/** What `chronik dump wal` prints, in the log's order. A frame's payload is a view, valid during the call only. */
export type WalFinding =
  | { readonly kind: 'file'; readonly file: number; readonly header: FileHeader | undefined }
  | { readonly kind: 'commit'; readonly header: CommitHeader }
  | { readonly kind: 'frame'; readonly entry: LogEntry; readonly position: WalPosition }
  | { readonly kind: 'corruption'; readonly corruption: Corruption }
  | { readonly kind: 'torn'; readonly position: WalPosition }
  | { readonly kind: 'unused'; readonly file: number }
  | { readonly kind: 'end'; readonly frames: number; readonly bytes: number }

export async function inspectWal(files: WalFiles, crc32c: Crc32c, onFinding: (finding: WalFinding) => void): Promise<void> {
  const scan = await new WalScan(files, crc32c, {
    onFile: (file, header) => {
      onFinding({ kind: 'file', file, header })
    },
    onCommit: (header) => {
      onFinding({ kind: 'commit', header })
    },
    onEntry: (entry, position) => {
      onFinding({ kind: 'frame', entry, position })
    },
    onCorruption: (corruption) => {
      onFinding({ kind: 'corruption', corruption })
    },
  }).run()
  if (scan.tornAt !== undefined) onFinding({ kind: 'torn', position: scan.tornAt })
  for (const { number } of scan.unused) onFinding({ kind: 'unused', file: number })
  onFinding({ kind: 'end', frames: scan.frames, bytes: scan.bytes })
}
