/** Owns measuring one run: the broker's CPU and memory, and how much of the machine something else took meanwhile. */
import { closeSync, openSync, readFileSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { machineUsage, processUsage } from '../../support/tools/process-usage.ts'
import type { Contestant } from './contestant.ts'
import type { Figures, Outcome } from './loads.ts'

export interface Measured {
  readonly figures: Figures
  /** Share of all cores that neither the broker nor the client used while the run lasted. */
  readonly otherCpuShare: number
  readonly seconds: number
}

export const tmpfsMagic = 0x01021994

/**
 * A virtual machine gets each page of its memory from the host when it is first touched, at several times the cost of a page used before
 * (here 2.7 against 0.4 CPU seconds per GB). Whoever writes into fresh memory, our bucket in it or the peer's page cache, would pay for the
 * host. So half of what is free is touched before, where the folder that will be written to is in memory.
 */
export function touchMemory(folder: string): void {
  const free = Number(/MemAvailable:\s+(\d+) kB/.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1] ?? 0) * 1024
  const { type, bsize, bavail } = statfsSync(folder)
  if (type !== tmpfsMagic) return
  const bytes = Math.min(free, bavail * bsize) / 2
  const path = join(folder, 'touched')
  const piece = Buffer.alloc(8 * 1024 * 1024)
  const file = openSync(path, 'w')
  try {
    for (let written = 0; written < bytes; written += piece.length) writeSync(file, piece)
  } finally {
    closeSync(file)
    rmSync(path)
  }
}

export async function measure(contestant: Contestant, work: () => Promise<Outcome>): Promise<Measured> {
  const before = readings(contestant)
  const outcome = await work()
  const after = readings(contestant)
  const seconds = (after.atMs - before.atMs) / 1000
  const brokerCpu = after.broker.cpuSeconds - before.broker.cpuSeconds
  const clientCpu = after.ownSeconds - before.ownSeconds
  const busy = after.machine.busySeconds - before.machine.busySeconds
  const stolen = after.machine.stolenSeconds - before.machine.stolenSeconds
  const other = Math.max(0, busy + stolen - brokerCpu - clientCpu)
  const gigabytes = outcome.payloadBytes / 1e9
  return {
    seconds,
    otherCpuShare: other / (seconds * availableParallelism()),
    figures: {
      ...outcome.figures,
      ...(gigabytes > 0 ? { brokerCpuSecondsPerGb: brokerCpu / gigabytes } : { brokerCpuSeconds: brokerCpu }),
      rssMaxMb: after.broker.residentBytesMax / 1e6,
    },
  }
}

/** The same for starting: all CPU the process has used by then is the start's. */
export async function measureStart(start: () => Promise<Contestant>): Promise<{ contestant: Contestant; measured: Measured }> {
  const before = { atMs: performance.now(), machine: machineUsage(), ownSeconds: ownSecondsWithChildren() }
  const contestant = await start()
  const after = readings(contestant)
  const seconds = (after.atMs - before.atMs) / 1000
  const known = after.broker.cpuSeconds + after.ownSeconds - before.ownSeconds
  const busy = after.machine.busySeconds - before.machine.busySeconds
  const stolen = after.machine.stolenSeconds - before.machine.stolenSeconds
  const otherCpuShare = Math.max(0, busy + stolen - known) / (seconds * availableParallelism())
  const figures = { startMs: contestant.startMs, cpuSeconds: after.broker.cpuSeconds, rssMb: after.broker.residentBytes / 1e6 }
  return { contestant, measured: { seconds, otherCpuShare, figures } }
}

const readings = (contestant: Contestant) => ({
  atMs: performance.now(),
  broker: processUsage(contestant.pid()),
  machine: machineUsage(),
  ownSeconds: ownSecondsWithChildren(),
})

/** This process and every child that has ended and been waited for: the client's. The brokers still run and are not in it. */
function ownSecondsWithChildren(): number {
  const stat = readFileSync('/proc/self/stat', 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0) / 100
}
