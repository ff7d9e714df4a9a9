// Owns how tests open a WAL and what they append to it: entries that tell by themselves whether they came back unchanged.

import type { Clock } from '../../../../src/base/clock.ts'
import { crc32c } from '../../../../src/base/node/native-crc32c.ts'
import { systemClock } from '../../../../src/base/node/system-clock.ts'
import { type IdSource, seededPrng } from '../../../../src/base/prng.ts'
import type { EntryKind, LogEntry } from '../../../../src/model/entry.ts'
import { groupNumber, leaderEpoch, logIndex } from '../../../../src/model/ids.ts'
import type { WalPosition } from '../../../../tiers/ports.ts'
import { type HotWal, openWal, type WalFiles, type WalOpenReport, type WalOptions } from '../../../../tiers/wal/index.ts'

export function seededIds(seed: number): IdSource {
  const prng = seededPrng(seed)
  return { nextId: () => Uint8Array.from({ length: 16 }, () => prng.below(256)) }
}

/** A Kafka batch v2 in what the WAL looks at: length, magic, and the checksum over everything from the attributes on. */
export function batchPayload(length: number, fill: number): Uint8Array {
  const payload = new Uint8Array(length).fill(fill)
  const view = new DataView(payload.buffer)
  view.setUint32(0, 0)
  view.setUint32(4, fill)
  view.setUint32(8, length - 12)
  view.setUint32(12, 7)
  payload[16] = 2
  view.setUint32(17, crc32c(payload.subarray(21)))
  return payload
}

export function entryOf(index: number, length: number, kind: EntryKind = 'control', group = 1): LogEntry {
  const fill = (index * 31 + length) & 0xff
  const payload = kind === 'batch' ? batchPayload(Math.max(61, length), fill) : new Uint8Array(length).fill(fill)
  return { group: groupNumber(group), term: leaderEpoch(3), index: logIndex(index), kind, payload }
}

/** All of an entry in a line: equal lines, equal entries. Quicker to compare than bytes, and readable when they differ. */
export function lineOf(entry: LogEntry): string {
  const { group, term, index, kind, payload } = entry
  return `group ${group} term ${term} index ${index} ${kind} ${payload.length} bytes ${crc32c(payload)}`
}

export const linesOf = (entries: readonly LogEntry[]): string[] => entries.map(lineOf)

export interface Reopened {
  readonly wal: HotWal
  readonly report: WalOpenReport
  readonly entries: LogEntry[]
  readonly positions: WalPosition[]
  readonly fatal: Error[]
}

export const smallFileBytes = 64 * 1024

export async function openTestWal(files: WalFiles, options: Partial<WalOptions> = {}): Promise<Reopened> {
  const entries: LogEntry[] = []
  const positions: WalPosition[] = []
  const fatal: Error[] = []
  const { wal, report } = await openWal({
    files,
    clock: systemClock,
    crc32c,
    idSource: seededIds(1),
    fileBytes: smallFileBytes,
    budgetBytes: 64 * smallFileBytes,
    onEntry: (entry, position) => {
      entries.push({ ...entry, payload: entry.payload.slice() })
      positions.push(position)
    },
    onFatal: (error) => {
      fatal.push(error)
    },
    ...options,
  })
  return { wal, report, entries, positions, fatal }
}

export interface ManualClock extends Clock {
  /** Moves time on and calls what is due. */
  advance(byMs: number): void
}

/** Time stands still until the test moves it; turns end when the event loop's do. */
export function manualClock(): ManualClock {
  let now = 0
  let timers: Array<{ readonly dueMs: number; readonly callback: () => void }> = []
  return {
    nowMs: () => now,
    monotonicMs: () => now,
    after: (delayMs, callback) => {
      const timer = { dueMs: now + delayMs, callback }
      timers.push(timer)
      return () => {
        timers = timers.filter((other) => other !== timer)
      }
    },
    afterTurn: (callback) => {
      setImmediate(callback)
    },
    advance: (byMs) => {
      now += byMs
      const due = timers.filter((timer) => timer.dueMs <= now)
      timers = timers.filter((timer) => timer.dueMs > now)
      for (const timer of due) timer.callback()
    },
  }
}
