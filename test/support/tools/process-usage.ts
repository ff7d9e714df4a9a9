/** Owns reading what a process and the whole machine have used, from /proc (Linux). Judges nothing. */
import { readFileSync } from 'node:fs'

/** Fixed by Linux's interface to user space (USER_HZ), whatever the kernel's own tick is. */
const ticksPerSecond = 100

export interface ProcessUsage {
  readonly cpuSeconds: number
  readonly residentBytes: number
  /** The most it ever had (VmHWM). */
  readonly residentBytesMax: number
}

/** utime + stime of the process with all its threads; children are counted only after they were waited for, so not here. */
export function processUsage(pid: number): ProcessUsage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
    residentBytes: kib('VmRSS'),
    residentBytesMax: kib('VmHWM'),
  }
}

export interface MachineUsage {
  readonly busySeconds: number
  /** Taken by the hypervisor for others. */
  readonly stolenSeconds: number
  readonly totalSeconds: number
}

export function machineUsage(): MachineUsage {
  const line = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0] ?? ''
  // user nice system idle iowait irq softirq steal; guest time is inside user already.
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map((ticks) => Number(ticks) / ticksPerSecond)
  const busySeconds = user + nice + system + irq + softirq
  return { busySeconds, stolenSeconds: steal, totalSeconds: busySeconds + idle + iowait + steal }
}
