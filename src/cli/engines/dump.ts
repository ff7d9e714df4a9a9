// Owns telling by its first and last bytes what an object or file is, and handing it to who shows it. Not the showing.

import { loadBatchCompression } from '../../base/node/compression.ts'
import { OpError } from '../../base/op-error.ts'
import type { Dump, DumpForm, Line } from '../ports.ts'
import type { Opener } from './dump-entry.ts'
import { dumpJson, dumpWalObject } from './dump-object.ts'
import { dumpSegment, endsLikeSegment } from './dump-segment.ts'
import { dumpSnapshot } from './dump-snapshot.ts'
import { dumpWal } from './dump-wal.ts'

type Content = 'wal file' | 'segment' | 'WAL object' | 'snapshot' | 'JSON record' | 'nothing known'

const magics: ReadonlyArray<readonly [string, Content]> = [
  ['CHRONWAL', 'wal file'],
  ['CHRKWALO', 'WAL object'],
  ['CHRKFENC', 'WAL object'],
  ['CHRKSNAP', 'snapshot'],
]

function contentOf(bytes: Uint8Array): Content {
  const head = Buffer.from(bytes.subarray(0, 8)).toString('latin1')
  const known = magics.find(([magic]) => head === magic)
  if (known !== undefined) return known[1]
  if (endsLikeSegment(bytes)) return 'segment'
  return head.startsWith('{') ? 'JSON record' : 'nothing known'
}

/** What each form takes; damage to the first bytes must not keep a person from looking at the rest. */
function meant(form: DumpForm, bytes: Uint8Array, name: string): Content {
  const content = contentOf(bytes)
  if (form === 'wal') return content === 'JSON record' ? content : 'wal file'
  if (form === 'segment') return 'segment'
  if (content !== 'nothing known') return content
  if (/(^|\/)segments\//.test(name)) return 'segment'
  if (/(^|\/)wal\//.test(name)) return 'WAL object'
  if (/(^|\/)snapshots\//.test(name)) return 'snapshot'
  return content
}

function show(content: Content, bytes: Uint8Array, name: string, open: Opener): Iterable<Line> | AsyncIterable<Line> {
  switch (content) {
    case 'wal file':
      return dumpWal(bytes, open)
    case 'segment':
      return dumpSegment(bytes, name, open)
    case 'WAL object':
      return dumpWalObject(bytes, open)
    case 'snapshot':
      return dumpSnapshot(bytes)
    case 'JSON record':
      return dumpJson(bytes, name)
    case 'nothing known':
      throw new OpError('corrupt', {
        code: 'UNKNOWN_OBJECT',
        detail: `${name} neither begins nor ends like anything of Chronik's`,
      })
  }
}

export const dump: Dump = async function* (form, bytes, { name, records }) {
  const open = records ? (await loadBatchCompression()).decompress : undefined
  yield* show(meant(form, bytes, name), bytes, name, open)
}
