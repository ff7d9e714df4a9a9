// Owns the bench of the hot WAL beside its floor: the same bytes written with plain writev and fdatasync into a preallocated file.
// Run by test/bench/wal/run.mjs. Prints a table; judges nothing.

import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeSync,
  writev,
} from 'node:fs'
import { join } from 'node:path'
import { crc32c } from '../../../src/base/node/native-crc32c.ts'
import { systemClock } from '../../../src/base/node/system-clock.ts'
import { systemIdSource } from '../../../src/base/node/system-id-source.ts'
import type { LogEntry } from '../../../src/model/entry.ts'
import { groupNumber, leaderEpoch, logIndex } from '../../../src/model/ids.ts'
import { nodeWalFiles, openWal } from '../../../tiers/wal/index.ts'

interface Load {
  readonly name: string
  readonly payloadBytes: number
  /** Callers that append again as soon as their last entry is durable. */
  readonly writers: number
  readonly seconds: number
}

interface Measured {
  readonly megabytesPerSecond: number
  readonly commitsPerSecond: number
  readonly cpuSecondsPerGigabyte: number
  readonly p50Ms: number
  readonly p99Ms: number
}

const fileBytes = 64 * 1024 * 1024
const fileCount = 8
const mb = 1e6

function batch(length: number): Uint8Array {
  const payload = Buffer.alloc(length, 7)
  payload.writeUInt32BE(length - 12, 8)
  payload[16] = 2
  payload.writeUInt32BE(crc32c(payload.subarray(21)), 17)
  return payload
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

function summary(
  latencies: number[],
  bytes: number,
  commits: number,
  used: { readonly ms: number; readonly cpu: NodeJS.CpuUsage },
): Measured {
  latencies.sort((left, right) => left - right)
  const cpuSeconds = (used.cpu.user + used.cpu.system) / 1e6
  return {
    megabytesPerSecond: bytes / mb / (used.ms / 1000),
    commitsPerSecond: commits / (used.ms / 1000),
    cpuSecondsPerGigabyte: cpuSeconds / (bytes / 1e9),
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
  }
}

async function measureWal(directory: string, load: Load): Promise<Measured> {
  const { wal } = await openWal({
    files: nodeWalFiles(directory),
    clock: systemClock,
    crc32c,
    idSource: systemIdSource,
    fileBytes,
    budgetBytes: fileCount * fileBytes,
    onEntry: () => undefined,
    onFatal: (error) => {
      throw error
    },
  })
  const payload = batch(load.payloadBytes)
  const entry: LogEntry = { group: groupNumber(1), term: leaderEpoch(1), index: logIndex(1), kind: 'batch', payload }
  const latencies: number[] = []
  let endMs = Number.POSITIVE_INFINITY
  let measuring = false
  let bytes = 0
  const writer = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const startedMs = performance.now()
      wal.append(entry)
      await wal.durable()
      if (!measuring) continue
      latencies.push(performance.now() - startedMs)
      bytes += load.payloadBytes
    }
  }
  const releasing = setInterval(() => {
    wal.release(wal.usage().newestFile - 1)
  }, 5)
  const running = Promise.all(Array.from({ length: load.writers }, writer))
  // Until files are recycled rather than zeroed: the state a broker lives in.
  while (wal.counters.filesRecycled < 2 && wal.counters.writtenBytes < 4 * fileBytes)
    await new Promise((resolve) => setTimeout(resolve, 20))
  measuring = true
  const commits = wal.counters.commits
  const startedMs = performance.now()
  const cpu = process.cpuUsage()
  endMs = startedMs + load.seconds * 1000
  await running
  clearInterval(releasing)
  const used = { ms: performance.now() - startedMs, cpu: process.cpuUsage(cpu) }
  const measured = summary(latencies, bytes, wal.counters.commits - commits, used)
  await wal.close()
  return measured
}

/** The floor: as many payloads at once as the load has writers (up to a MiB), in one writev and one fdatasync, nothing else. */
async function measurePlain(directory: string, load: Load): Promise<Measured> {
  mkdirSync(directory, { recursive: true })
  const descriptor = openSync(join(directory, 'plain'), 'w+')
  const zeros = Buffer.alloc(1024 * 1024)
  ftruncateSync(descriptor, 0)
  for (let at = 0; at < fileBytes; at += zeros.length) writeSync(descriptor, zeros, 0, zeros.length, at)
  fdatasyncSync(descriptor)
  const payload = batch(load.payloadBytes)
  const perCommit = Math.max(1, Math.min(load.writers, Math.floor((1024 * 1024) / load.payloadBytes)))
  const small = load.payloadBytes < 16 * 1024
  const gathered = Buffer.alloc(perCommit * load.payloadBytes)
  const latencies: number[] = []
  let at = 0
  let bytes = 0
  let commits = 0
  const cpu = process.cpuUsage()
  const beganMs = performance.now()
  while (performance.now() - beganMs < load.seconds * 1000) {
    const startedMs = performance.now()
    const size = perCommit * load.payloadBytes
    if (at + size > fileBytes) at = 0
    if (small) for (let copy = 0; copy < perCommit; copy += 1) gathered.set(payload, copy * load.payloadBytes)
    const parts = small ? [gathered] : Array.from({ length: perCommit }, () => payload)
    await new Promise((resolve, reject) => {
      writev(descriptor, parts, at, (error) => {
        if (error !== null) reject(error)
        else
          fdatasync(descriptor, (failed) => {
            if (failed === null) resolve(undefined)
            else reject(failed)
          })
      })
    })
    latencies.push(performance.now() - startedMs)
    at += size
    bytes += size
    commits += 1
  }
  const measured = summary(latencies, bytes, commits, { ms: performance.now() - beganMs, cpu: process.cpuUsage(cpu) })
  closeSync(descriptor)
  return measured
}

async function measureOpen(directory: string): Promise<string> {
  const options = {
    files: nodeWalFiles(directory),
    clock: systemClock,
    crc32c,
    idSource: systemIdSource,
    fileBytes,
    budgetBytes: fileCount * fileBytes,
  }
  const onFatal = (): void => undefined
  const { wal } = await openWal({ ...options, onEntry: () => undefined, onFatal })
  const entry: LogEntry = {
    group: groupNumber(1),
    term: leaderEpoch(1),
    index: logIndex(1),
    kind: 'batch',
    payload: batch(16_000),
  }
  for (let written = 0; written < 5 * fileBytes; written += 16_000) {
    wal.append(entry)
    if (written % 1_600_000 === 0) await wal.durable()
  }
  await wal.close()
  const { wal: again, report } = await openWal({ ...options, onEntry: () => undefined, onFatal })
  await again.close()
  const rate = report.bytes / mb / (report.durationMs / 1000)
  return `opening: ${(report.bytes / mb).toFixed(0)} MB, ${report.frames} frames in ${report.durationMs.toFixed(0)} ms, ${rate.toFixed(0)} MB/s`
}

function row(name: string, measured: Measured): string {
  const { megabytesPerSecond, commitsPerSecond, cpuSecondsPerGigabyte, p50Ms, p99Ms } = measured
  const cells = [
    megabytesPerSecond.toFixed(1),
    commitsPerSecond.toFixed(0),
    cpuSecondsPerGigabyte.toFixed(2),
    p50Ms.toFixed(2),
    p99Ms.toFixed(2),
  ]
  return `${name.padEnd(34)}${cells.map((cell) => cell.padStart(11)).join('')}`
}

export async function main(args: readonly string[]): Promise<void> {
  const seconds = Number(args[0] ?? 4)
  const parent = args[1] ?? '.'
  const root = mkdtempSync(join(parent, 'wal-bench-'))
  const loads: Load[] = [
    { name: '4 KiB, 1 writer', payloadBytes: 4096, writers: 1, seconds },
    { name: '4 KiB, 16 writers', payloadBytes: 4096, writers: 16, seconds },
    { name: '4 KiB, 256 writers', payloadBytes: 4096, writers: 256, seconds },
    { name: '64 KiB, 1 writer', payloadBytes: 65_536, writers: 1, seconds },
    { name: '64 KiB, 16 writers', payloadBytes: 65_536, writers: 16, seconds },
    { name: '64 KiB, 64 writers', payloadBytes: 65_536, writers: 64, seconds },
  ]
  const print = (line: string): void => {
    process.stdout.write(`${line}\n`)
  }
  print(`${''.padEnd(34)}${['MB/s', 'commits/s', 'CPU s/GB', 'p50 ms', 'p99 ms'].map((title) => title.padStart(11)).join('')}`)
  try {
    for (const [at, load] of loads.entries()) {
      const plain = await measurePlain(join(root, `plain-${at}`), load)
      const wal = await measureWal(join(root, `wal-${at}`), load)
      print(row(`${load.name}: plain`, plain))
      print(
        row(`${''.padEnd(load.name.length)}  WAL`, wal) +
          `   ${((100 * wal.megabytesPerSecond) / plain.megabytesPerSecond).toFixed(0)} %`,
      )
      rmSync(join(root, `wal-${at}`), { recursive: true })
    }
    print(await measureOpen(join(root, 'open')))
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}
