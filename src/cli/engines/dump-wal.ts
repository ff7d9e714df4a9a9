// Owns `chronik dump wal`: one file of the hot WAL in the log's order, with the WAL's own verdict on it. Not the format (tiers/wal).

import { crc32c } from '../../base/node/native-crc32c.ts'
import { OpError } from '../../base/op-error.ts'
import { inspectWal, type WalFile, type WalFiles, type WalFinding } from '../../../tiers/wal/index.ts'
import type { Line } from '../ports.ts'
import { entryLines, type Opener, Wrongs } from './dump-entry.ts'

const headerMagic = 'CHRONWAL'
const commitMagic = 'CHRCOMIT'
const sectorBytes = 512
const frameHeaderBytes = 32

const startsWith = (bytes: Uint8Array, at: number, magic: string): boolean =>
  Buffer.from(bytes.subarray(at, at + magic.length)).toString('latin1') === magic

const u64 = (bytes: Uint8Array, at: number): number =>
  Number(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(at))

/** A file says in its header, and in every commit, which number it has; its name may have been lost. */
function numberOf(bytes: Uint8Array): number | undefined {
  if (bytes.length >= 44 && startsWith(bytes, 0, headerMagic)) return u64(bytes, 36)
  for (let at = 0; at + frameHeaderBytes + 32 <= bytes.length; at += sectorBytes) {
    if (startsWith(bytes, at + frameHeaderBytes, commitMagic)) return u64(bytes, at + frameHeaderBytes + 24)
  }
  return undefined
}

/** A folder that holds the one file. Each read first waits until what came of the last one was taken. */
function folderOf(bytes: Uint8Array, name: string, untilTaken: () => Promise<void>): WalFiles {
  const refuse = (): Promise<never> =>
    Promise.reject(new OpError('internal', { code: 'DUMP_WRITES', detail: 'a dump only reads' }))
  const file: WalFile = {
    sizeBytes: bytes.length,
    read: async (into, at) => {
      await untilTaken()
      const piece = bytes.subarray(at, at + into.length)
      into.set(piece)
      return piece.length
    },
    writev: refuse,
    writevSynced: refuse,
    sync: refuse,
    close: () => Promise.resolve(),
  }
  return {
    location: 'the dump',
    list: () => Promise.resolve([{ name, sizeBytes: bytes.length }]),
    open: () => Promise.resolve(file),
    rename: refuse,
    remove: refuse,
    syncDirectory: refuse,
    lock: refuse,
  }
}

function* linesOf(finding: WalFinding, open: Opener, wrongs: Wrongs): Generator<Line> {
  switch (finding.kind) {
    case 'file': {
      const { file, header } = finding
      const text = header === undefined ? `file ${file}: no header that can be believed` : `file ${file}: ${headerText(header)}`
      const json = header === undefined ? null : { ...header, walId: Buffer.from(header.walId).toString('hex') }
      yield { text, json: { kind: 'file', file, header: json } }
      return
    }
    case 'commit': {
      const { at, bytes, frames, syncedTo } = finding.header
      const text = `  commit at ${at}: ${frames} frames, ${bytes} bytes; all before ${syncedTo} was synced`
      yield { text, json: { kind: 'commit', at, bytes, frames, syncedTo } }
      return
    }
    case 'frame': {
      const { entry, position } = finding
      const { group, term, index, kind, payload } = entry
      const text = `    ${kind} group ${group} term ${term} index ${index} at ${position.at}:`
      yield* entryLines({ kind, payload, text, json: { kind, group, term, index, at: position.at } }, open, wrongs)
      return
    }
    case 'corruption': {
      const { from, to, reason, entry } = finding.corruption
      const what = wrongs.note(`DAMAGE bytes ${from} to ${to}: ${reason}`)
      const whose = entry === undefined ? '' : ` (group ${entry.group} term ${entry.term} index ${entry.index})`
      yield { text: `    ${what}${whose}`, json: { ...finding.corruption, kind: 'damage' } }
      return
    }
    case 'torn':
      yield {
        text: `  torn at ${finding.position.at}: from here on nothing was ever known to be durable`,
        json: { kind: 'torn', at: finding.position.at },
      }
      return
    case 'unused':
      yield { text: `file ${finding.file}: prepared, holds nothing`, json: { kind: 'unused', file: finding.file } }
      return
    case 'end':
      yield { text: `end: ${finding.frames} frames, ${finding.bytes} bytes of payload`, json: finding }
  }
}

function headerText(header: NonNullable<Extract<WalFinding, { kind: 'file' }>['header']>): string {
  const { walId, fileBytes, recycled, previousFile, previousEnd } = header
  const before = previousFile === 0 ? 'the first' : `after file ${previousFile}, which ended at ${previousEnd}`
  return `${fileBytes} bytes, WAL ${Buffer.from(walId).toString('hex')}, ${before}${recycled ? ', recycled' : ''}`
}

export async function* dumpWal(bytes: Uint8Array, open: Opener): AsyncGenerator<Line> {
  const number = numberOf(bytes)
  if (number === undefined && bytes.length > 0 && bytes.every((byte) => byte === 0)) {
    yield {
      text: `prepared for later, ${bytes.length} bytes; holds nothing`,
      json: { kind: 'prepared', sizeBytes: bytes.length },
    }
    return
  }
  if (number === undefined)
    throw new OpError('corrupt', {
      code: 'NO_WAL_FILE',
      detail: 'neither a header nor a commit of a WAL file is in it',
    })
  const wrongs = new Wrongs()
  const lines: Line[] = []
  const wait = { wake: (): void => undefined, taken: (): void => undefined }
  const untilTaken = (): Promise<void> =>
    new Promise((resolve) => {
      wait.taken = resolve
      wait.wake()
    })
  const state: { ended: boolean; failure: Error | undefined } = { ended: false, failure: undefined }
  const onFinding = (finding: WalFinding): void => {
    lines.push(...linesOf(finding, open, wrongs))
  }
  inspectWal(folderOf(bytes, `wal-${String(number).padStart(16, '0')}.log`, untilTaken), crc32c, onFinding)
    .catch((error: unknown) => {
      state.failure = error instanceof Error ? error : new Error(String(error))
    })
    .finally(() => {
      state.ended = true
      wait.wake()
    })
    .catch(() => undefined)
  while (!state.ended) {
    await new Promise<void>((resolve) => {
      wait.wake = resolve
      wait.taken()
    })
    yield* lines.splice(0)
  }
  yield* lines.splice(0)
  if (state.failure !== undefined) throw state.failure
  if (wrongs.count > 0)
    throw new OpError('corrupt', {
      code: 'WAL_DAMAGED',
      detail: `${wrongs.count} places are damaged, the first: ${wrongs.first}`,
    })
}
