import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import type { LogEntry } from '../../../src/model/entry.ts'
import { MemoryDisk } from '../../unit/tiers/wal/memory-disk.ts'
import { entryOf, lineOf, linesOf, openTestWal, type Reopened } from '../../unit/tiers/wal/wal-fixture.ts'

const sizes = [0, 100, 61, 700, 4096, 16_384]
const fileName = (number: number): string => `wal-${String(number).padStart(16, '0')}.log`

/** A closed WAL of `files` files, each used to its end but the last. */
async function writtenWal(bursts: number): Promise<{ disk: MemoryDisk; entries: LogEntry[] }> {
  const disk = new MemoryDisk()
  const { wal } = await openTestWal(disk)
  const entries: LogEntry[] = []
  for (let burst = 0; burst < bursts; burst += 1) {
    for (let at = 0; at < 3; at += 1) {
      const index = entries.length + 1
      const entry = entryOf(index, sizes[index % sizes.length]!, index % 2 === 0 ? 'batch' : 'metadata')
      entries.push(entry)
      wal.append(entry)
    }
    await wal.durable()
  }
  await wal.close()
  return { disk, entries }
}

/** Where a closed WAL's newest file ends: its last commit is the mark, an empty one. */
async function markOf(disk: MemoryDisk): Promise<{ file: number; at: number }> {
  let file = 0
  let at = 0
  for (const [name, { current }] of disk.files) {
    const number = Number(name.slice(4, 20))
    for (let from = 4096; from + 88 <= current.length; from += 512) {
      if (Buffer.from(current.subarray(from + 32, from + 40)).toString('latin1') !== 'CHRCOMIT' || number < file) continue
      if (number > file || from > at) at = from
      file = number
    }
  }
  return { file, at }
}

function expectNothingInvented(opened: Reopened, entries: readonly LogEntry[]): void {
  const known = new Map(entries.map((entry, at) => [lineOf(entry), at]))
  let last = -1
  for (const entry of opened.entries) {
    const at = known.get(lineOf(entry))
    expect(at).toBeDefined()
    expect(at!).toBeGreaterThan(last)
    last = at!
  }
}

describe('damage to what had been synced', () => {
  let disk: MemoryDisk
  let entries: LogEntry[]
  let mark: { file: number; at: number }

  beforeAll(async () => {
    ;({ disk, entries } = await writtenWal(12))
    mark = await markOf(disk)
  })

  it('is reported wherever a bit flips, and costs no more than the commit it hit', async () => {
    const where = fc.record({ file: fc.integer({ min: 1, max: mark.file }), at: fc.nat(65_535), bit: fc.nat(7) })
    await fc.assert(
      fc.asyncProperty(where, async ({ file, at, bit }) => {
        const copy = disk.killed()
        const bytes = copy.bytes(fileName(file))
        fc.pre(at < bytes.length && (file < mark.file || at < mark.at))
        // Between a full file's end and its length nothing was ever written.
        const wasWritten = file === mark.file || at < writtenEnd(bytes)
        bytes[at]! ^= 1 << bit
        const opened = await openTestWal(copy)
        await opened.wal.close()
        expectNothingInvented(opened, entries)
        expect(opened.report.tornAt).toBeUndefined()
        if (wasWritten) expect(opened.report.corruptions).not.toEqual([])
        else expect(opened.entries).toHaveLength(entries.length)
        expect(entries.length - opened.entries.length).toBeLessThanOrEqual(3)
      }),
      { numRuns: Number(process.env['WAL_RUNS'] ?? 120) },
    )
  })

  it('names the entry whose batch was hit, and delivers all others', async () => {
    const copy = disk.killed()
    const hit = entries.find((entry) => entry.kind === 'batch' && entry.payload.length > 500)!
    const at = findBytes(copy.bytes(fileName(1)), hit.payload)
    copy.bytes(fileName(1))[at + 400]! ^= 0x10
    const opened = await openTestWal(copy)
    await opened.wal.close()
    expect(opened.report.corruptions).toMatchObject([
      { file: 1, reason: 'batch checksum', entry: { group: hit.group, term: hit.term, index: hit.index } },
    ])
    expect(linesOf(opened.entries)).toEqual(linesOf(entries.filter((entry) => entry !== hit)))
  })

  it('of any length never invents or reorders entries, and is never taken for a torn tail', async () => {
    const hole = fc.record({
      file: fc.integer({ min: 1, max: mark.file }),
      at: fc.nat(65_535),
      length: fc.integer({ min: 1, max: 40_000 }),
      fill: fc.constantFrom(0, 255, 7),
    })
    await fc.assert(
      fc.asyncProperty(hole, async ({ file, at, length, fill }) => {
        const copy = disk.killed()
        const bytes = copy.bytes(fileName(file))
        const end = Math.min(at + length, file === mark.file ? mark.at : writtenEnd(bytes))
        fc.pre(at < end)
        const before = bytes.slice(at, end)
        bytes.fill(fill, at, end)
        fc.pre(Buffer.compare(before, bytes.subarray(at, end)) !== 0)
        const opened = await openTestWal(copy)
        await opened.wal.close()
        expectNothingInvented(opened, entries)
        expect(opened.report.tornAt).toBeUndefined()
        expect(opened.report.corruptions).not.toEqual([])
      }),
      { numRuns: Number(process.env['WAL_RUNS'] ?? 80) },
    )
  })

  it('by a missing file is reported as that file', async () => {
    const copy = disk.killed()
    copy.files.delete(fileName(2))
    const opened = await openTestWal(copy)
    await opened.wal.close()
    expect(opened.report.corruptions).toMatchObject([{ file: 2, from: 0, reason: 'file missing' }])
    expectNothingInvented(opened, entries)
  })

  it('by a file that ends early is reported', async () => {
    const copy = disk.killed()
    copy.files.get(fileName(1))!.current = copy.bytes(fileName(1)).slice(0, 20_000)
    const opened = await openTestWal(copy)
    await opened.wal.close()
    expect(opened.report.corruptions.length).toBeGreaterThan(0)
    expect(opened.report.corruptions.every((corruption) => corruption.file === 1)).toBe(true)
    expectNothingInvented(opened, entries)
  })
})

/** The end of the last sector of a file that is not zero. */
function writtenEnd(bytes: Uint8Array): number {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end -= 1
  return Math.ceil(end / 512) * 512
}

function findBytes(within: Uint8Array, wanted: Uint8Array): number {
  const at = Buffer.from(within.buffer, within.byteOffset, within.length).indexOf(wanted)
  expect(at).toBeGreaterThan(0)
  return at
}
