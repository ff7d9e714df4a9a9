// Owns the frozen bytes of the WAL's format version 1: what a release has written, every later one reads, and writes the same.
// Frozen files are added, never edited. To freeze a new version: WAL_FREEZE=1 and a new file name.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { crc32c } from '../../../src/base/node/native-crc32c.ts'
import { MemoryDisk } from '../../unit/tiers/wal/memory-disk.ts'
import { entryOf, linesOf, manualClock, openTestWal } from '../../unit/tiers/wal/wal-fixture.ts'

const path = fileURLToPath(new URL('./wal-v1.hex', import.meta.url))
const firstFile = 'wal-0000000000000001.log'
const secondFile = 'wal-0000000000000002.log'
const bytesPerPiece = 32

/** All kinds, empty and big payloads, batches below and above the size that goes to the disk by reference, big numbers. */
const entries = [
  entryOf(1, 200, 'batch', 7),
  entryOf(2, 0, 'control', 7),
  { ...entryOf(2 ** 40 + 5, 33, 'metadata', 0), term: entryOf(1, 1).term },
  entryOf(3, 16_384, 'batch', 4_294_967_295),
  entryOf(4, 12, 'node', 8),
  entryOf(5, 46_000, 'control', 8),
]

async function written(): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  const { wal } = await openTestWal(disk, { clock: manualClock() })
  for (const [at, entry] of entries.entries()) {
    wal.append(entry)
    // The first two share a commit.
    if (at > 0) await wal.durable()
  }
  await wal.close()
  return disk
}

/** A line "name position repeats hex" per stretch of equal pieces; zeros are left out. */
function dump(disk: MemoryDisk): string {
  const lines: string[] = []
  for (const name of [firstFile, secondFile]) {
    const bytes = disk.bytes(name)
    const pieceAt = (at: number): string => Buffer.from(bytes.subarray(at, at + bytesPerPiece)).toString('hex')
    for (let at = 0; at < bytes.length; ) {
      const piece = pieceAt(at)
      let repeats = 1
      while (at + repeats * bytesPerPiece < bytes.length && pieceAt(at + repeats * bytesPerPiece) === piece) repeats += 1
      if (!/^0+$/.test(piece)) lines.push(`${name} ${at} ${repeats} ${piece}`)
      at += repeats * bytesPerPiece
    }
  }
  return `${lines.join('\n')}\n`
}

function load(text: string): MemoryDisk {
  const disk = new MemoryDisk()
  for (const name of [firstFile, secondFile]) disk.files.set(name, { current: new Uint8Array(65_536), synced: new Uint8Array(0) })
  for (const line of text.trim().split('\n')) {
    const [name, at, repeats, hex] = line.split(' ')
    const piece = Buffer.from(hex!, 'hex')
    for (let turn = 0; turn < Number(repeats); turn += 1) disk.bytes(name!).set(piece, Number(at) + turn * piece.length)
  }
  return disk
}

describe('format version 1 of the WAL', () => {
  it('is written as it was frozen', async () => {
    const text = dump(await written())
    if (process.env['WAL_FREEZE'] === '1' && !existsSync(path)) writeFileSync(path, text)
    expect(text).toBe(readFileSync(path, 'utf8'))
  })

  it('is read as it was frozen', async () => {
    const { wal, entries: read, report } = await openTestWal(load(readFileSync(path, 'utf8')))
    await wal.close()
    expect(linesOf(read)).toEqual(linesOf(entries))
    expect(report).toMatchObject({ filesRead: 2, frames: entries.length, corruptions: [] })
    expect(report.tornAt).toBeUndefined()
  })

  it('of an unknown number is refused, not guessed at', async () => {
    const disk = load(readFileSync(path, 'utf8'))
    const page = disk.bytes(firstFile).subarray(0, 4096)
    page[13] = 2
    new DataView(page.buffer, page.byteOffset).setUint32(8, crc32c(page.subarray(12)))
    await expect(openTestWal(disk)).rejects.toMatchObject({ kind: 'invalid', code: 'WAL_VERSION_UNKNOWN' })
  })
})
