import { describe, expect, it } from 'vitest'
import type { LogEntry } from '../../../../src/model/entry.ts'
import { isOpError } from '../../../../src/base/op-error.ts'
import { Scratch } from '../../../../src/base/scratch.ts'
import { MemoryDisk, systemError } from './memory-disk.ts'
import { batchPayload, entryOf, lineOf, linesOf, manualClock, openTestWal, smallFileBytes } from './wal-fixture.ts'

const sizes = [0, 1, 100, 4096, 16_384, 20_000, 61, 512]
const manyEntries = (count: number): LogEntry[] =>
  Array.from({ length: count }, (_, at) => entryOf(at + 1, sizes[at % sizes.length]!, at % 3 === 0 ? 'batch' : 'control'))

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000 && !condition(); turn += 1) await new Promise((resolve) => setImmediate(resolve))
  expect(condition()).toBe(true)
}

describe('the hot WAL', () => {
  it('delivers after reopening what was appended, in order, over several files', async () => {
    const disk = new MemoryDisk()
    const first = await openTestWal(disk)
    const entries = manyEntries(60)
    const positions = []
    for (const entry of entries) {
      positions.push(first.wal.append(entry))
      await first.wal.durable()
    }
    expect(first.wal.usage().newestFile).toBeGreaterThan(3)
    await first.wal.close()
    const second = await openTestWal(disk)
    expect(linesOf(second.entries)).toEqual(linesOf(entries))
    expect(second.positions).toEqual(positions)
    expect(second.report).toMatchObject({ frames: 60, corruptions: [] })
    expect(second.report.tornAt).toBeUndefined()
    await second.wal.close()
  })

  it('writes on in the same file after a clean reopening', async () => {
    const disk = new MemoryDisk()
    for (let life = 0; life < 20; life += 1) {
      const { wal, entries, report } = await openTestWal(disk)
      expect(entries.map((entry) => entry.index)).toEqual(Array.from({ length: life }, (_, at) => at + 1))
      expect(report.corruptions).toEqual([])
      wal.append(entryOf(life + 1, 10))
      await wal.close()
      expect(wal.usage().newestFile).toBe(1)
    }
  })

  it('makes 1,000 appends of one turn durable with one fsync', async () => {
    const disk = new MemoryDisk()
    const { wal } = await openTestWal(disk, { fileBytes: 1024 * 1024, budgetBytes: 4 * 1024 * 1024 })
    await until(() => wal.counters.filesPrepared === 1)
    await until(() => disk.calls.syncDirectory > 0)
    let syncs = 0
    disk.fault = (call, name) => {
      if (call === 'sync' && name === 'wal-0000000000000001.log') syncs += 1
      return undefined
    }
    for (let index = 1; index <= 1000; index += 1) wal.append(entryOf(index, 100))
    await wal.durable()
    expect(wal.counters).toMatchObject({ commits: 1, frames: 1000, queuedFrames: 0, queuedBytes: 0 })
    expect(syncs).toBe(1)
    await wal.close()
  })

  it('answers reads of queued, written and reopened entries', async () => {
    const disk = new MemoryDisk()
    const { wal } = await openTestWal(disk)
    const entries = manyEntries(40)
    const positions = entries.map((entry) => wal.append(entry))
    const readBack = (payloads: readonly Uint8Array[]): string[] =>
      payloads.map((payload, at) => lineOf({ ...entries[at]!, payload }))
    expect(readBack(await wal.readMany(positions))).toEqual(linesOf(entries))
    await wal.durable()
    expect(readBack(await wal.readMany(positions))).toEqual(linesOf(entries))
    expect(readBack(await Promise.all(positions.map((position) => wal.read(position))))).toEqual(linesOf(entries))
    await wal.close()
  })

  it('reads into the memory it is given, and no longer once it has settled, also when a part of it failed', async () => {
    const disk = new MemoryDisk()
    const { wal } = await openTestWal(disk, { fileBytes: 1024 * 1024, budgetBytes: 4 * 1024 * 1024 })
    const entries = [entryOf(1, 100), entryOf(2, 40_000), entryOf(3, 40_000), entryOf(4, 100)]
    const positions = entries.map((entry) => wal.append(entry))
    await wal.durable()
    const scratch = new Scratch(50_000)
    const [first] = await wal.readMany(positions.slice(0, 1), scratch.take)
    expect(lineOf({ ...entries[0]!, payload: first! })).toBe(lineOf(entries[0]!))
    scratch.reset()
    const [again] = await wal.readMany(positions.slice(3), scratch.take)
    expect(again!.buffer).toBe(first!.buffer)
    scratch.reset()
    let slow: (() => void) | undefined
    let reads = 0
    disk.fault = (call) => {
      if (call !== 'read') return undefined
      reads += 1
      if (reads === 1) throw systemError('EIO')
      return new Promise((resolve) => {
        slow = () => {
          resolve(undefined)
        }
      })
    }
    let settled = false
    const far = wal.readMany([positions[0]!, positions[3]!], scratch.take).finally(() => (settled = true))
    far.catch(() => undefined)
    await new Promise((resolve) => setImmediate(resolve))
    expect([reads, settled]).toEqual([2, false])
    slow!()
    await expect(far).rejects.toMatchObject({ code: 'WAL_READ_FAILED' })
    await wal.close()
  })

  it('refuses what does not fit the budget, and takes it after a release', async () => {
    const disk = new MemoryDisk()
    const { wal } = await openTestWal(disk, { budgetBytes: 3 * smallFileBytes })
    let index = 0
    const fill = async (): Promise<unknown> => {
      for (;;) {
        try {
          wal.append(entryOf((index += 1), 15_000))
        } catch (error) {
          return error
        }
        await wal.durable()
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const refusal = await fill()
    expect(isOpError(refusal, 'busy')).toBe(true)
    expect(refusal).toMatchObject({ code: 'WAL_FULL' })
    expect(wal.usage()).toMatchObject({ oldestFile: 1, newestFile: 3 })
    wal.release(99)
    expect(wal.usage()).toMatchObject({ oldestFile: 3, newestFile: 3 })
    await until(() => wal.counters.filesRecycled === 1)
    wal.append(entryOf(index, 15_000))
    await wal.durable()
    expect(wal.usage().newestFile).toBe(4)
    await expect(wal.read({ file: 1, at: 5000, length: 10 })).rejects.toMatchObject({ kind: 'missing' })
    await wal.close()
  })

  it('never acknowledges after a failed fsync', async () => {
    const disk = new MemoryDisk()
    const { wal, fatal } = await openTestWal(disk)
    wal.append(entryOf(1, 10))
    await wal.durable()
    disk.fault = (call, name) => {
      if (call === 'sync' && name.startsWith('wal-')) throw systemError('EIO')
      return undefined
    }
    wal.append(entryOf(2, 10))
    const waiting = wal.durable()
    await expect(waiting).rejects.toMatchObject({ kind: 'closed', code: 'WAL_DEAD' })
    expect(fatal).toHaveLength(1)
    expect(() => wal.append(entryOf(3, 10))).toThrow('WAL_DEAD')
    await expect(wal.durable()).rejects.toMatchObject({ kind: 'closed' })
    disk.fault = () => undefined
    await wal.close()
  })

  it('finishes a write that the file system took in parts', async () => {
    const disk = new MemoryDisk()
    const { wal } = await openTestWal(disk)
    disk.fault = (call, _name, _at, bytes) => (call === 'writev' ? Math.ceil(bytes / 3) : undefined)
    const entries = manyEntries(30)
    for (const entry of entries) wal.append(entry)
    await wal.close()
    disk.fault = () => undefined
    const again = await openTestWal(disk)
    expect(linesOf(again.entries)).toEqual(linesOf(entries))
    await again.wal.close()
  })

  it('refuses appends while a full disk has no room for the next file, and recovers', async () => {
    const disk = new MemoryDisk()
    const clock = manualClock()
    const { wal } = await openTestWal(disk, { clock })
    await until(() => wal.counters.filesPrepared === 1)
    disk.fault = (call, name) => {
      if (call === 'writev' && name !== 'wal-0000000000000001.log') throw systemError('ENOSPC')
      return undefined
    }
    let index = 0
    let refusal: unknown
    while (refusal === undefined) {
      try {
        wal.append(entryOf((index += 1), 15_000))
        await wal.durable()
      } catch (error) {
        refusal = error
      }
    }
    expect(refusal).toMatchObject({ kind: 'busy', code: 'WAL_FULL' })
    clock.advance(1000)
    disk.fault = () => undefined
    await new Promise((resolve) => setImmediate(resolve))
    clock.advance(1000)
    await until(() => wal.counters.filesPrepared === 2)
    await until(() => disk.calls.syncDirectory >= 2)
    wal.append(entryOf(index, 15_000))
    await wal.durable()
    await wal.close()
    const again = await openTestWal(disk)
    expect(again.entries.map((entry) => entry.index)).toEqual(Array.from({ length: index }, (_, at) => at + 1))
    await again.wal.close()
  })

  it('marks an idle log, so that damage to its last commit is told from a torn write', async () => {
    const disk = new MemoryDisk()
    const clock = manualClock()
    const { wal } = await openTestWal(disk, { clock })
    const position = wal.append({ ...entryOf(1, 10), kind: 'batch', payload: batchPayload(200, 9) })
    await wal.durable()
    await new Promise((resolve) => setImmediate(resolve))
    clock.advance(2000)
    await until(() => wal.counters.commits === 2)
    const after = disk.killed()
    const bytes = after.bytes('wal-0000000000000001.log')
    bytes[position.at + 100]! ^= 1
    const { report, wal: again } = await openTestWal(after)
    expect(report.tornAt).toBeUndefined()
    expect(report.corruptions).toMatchObject([{ reason: 'batch checksum', entry: { group: 1, term: 3, index: 1 } }])
    await again.close()
  })

  it('gathers all that arrives during a slow fsync into the next commit', async () => {
    const disk = new MemoryDisk()
    const { wal } = await openTestWal(disk)
    await until(() => wal.counters.filesPrepared === 1)
    let release: (() => void) | undefined
    disk.fault = (call, name) => {
      if (call !== 'sync' || name !== 'wal-0000000000000001.log') return undefined
      return new Promise((resolve) => {
        release = () => {
          resolve(undefined)
        }
      })
    }
    wal.append(entryOf(1, 10))
    const first = wal.durable()
    await until(() => release !== undefined)
    for (let index = 2; index <= 101; index += 1) {
      wal.append(entryOf(index, 10))
      await new Promise((resolve) => setImmediate(resolve))
    }
    const second = wal.durable()
    expect(wal.counters).toMatchObject({ commits: 0, queuedFrames: 101 })
    disk.fault = () => undefined
    release?.()
    await first
    await second
    expect(wal.counters).toMatchObject({ commits: 2, frames: 101 })
    await wal.close()
  })

  it('never brings back frames of a recycled file', async () => {
    const disk = new MemoryDisk()
    const { wal } = await openTestWal(disk, { budgetBytes: 4 * smallFileBytes })
    for (let index = 1; index <= 40; index += 1) {
      wal.append(entryOf(index, 10_000))
      await wal.durable()
      wal.release(wal.usage().newestFile)
      for (let at = 0; at < 20; at += 1) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(wal.counters.filesRecycled).toBeGreaterThan(3)
    const { oldestFile } = wal.usage()
    const after = disk.killed()
    const { entries, report, wal: again } = await openTestWal(after)
    expect(report).toMatchObject({ filesRead: 1, corruptions: [] })
    expect(report.tornAt).toBeUndefined()
    expect(again.usage().oldestFile).toBe(oldestFile)
    const first = Number(entries[0]!.index)
    expect(entries.map((entry) => Number(entry.index))).toEqual(Array.from({ length: 41 - first }, (_, at) => first + at))
    await again.close()
  })

  it('dies when a file cannot be prepared for another reason than space', async () => {
    const disk = new MemoryDisk()
    disk.fault = (call) => {
      if (call === 'writev') throw systemError('EIO')
      return undefined
    }
    const { wal, fatal } = await openTestWal(disk)
    await until(() => fatal.length === 1)
    expect(() => wal.append(entryOf(1, 1))).toThrow('WAL_DEAD')
    await wal.close()
  })

  it('closes while a full disk keeps what was queued waiting, and says that it was not written', async () => {
    const disk = new MemoryDisk()
    const { wal, fatal } = await openTestWal(disk, { clock: manualClock() })
    wal.append(entryOf(1, 1))
    disk.fault = (call) => {
      if (call === 'writev') throw systemError('ENOSPC')
      return undefined
    }
    const waiting = expect(wal.durable()).rejects.toMatchObject({ kind: 'closed', code: 'WAL_CLOSED' })
    await new Promise((resolve) => setImmediate(resolve))
    await wal.close()
    await waiting
    expect(fatal).toEqual([])
  })
})
