// Owns reading the figures of this process: CPU, memory, age, and how late its event loop runs. Not their names as metrics (server/http).

import { monitorEventLoopDelay } from 'node:perf_hooks'

/** How often the loop is probed; the probe's own period is not lag. */
const probeEveryMs = 20
const nanosPerSecond = 1e9

export interface ProcessFigures {
  cpuSeconds(): { readonly user: number; readonly system: number }
  residentBytes(): number
  /** JavaScript heap and what buffers hold beside it. */
  heapBytes(): Readonly<Record<string, number>>
  readonly startedAtSeconds: number
  /** Since the call before, by quantile. */
  loopLagSeconds(): Readonly<Record<'0.5' | '0.99' | '1', number>>
  stop(): void
}

export function openProcessFigures(): ProcessFigures {
  const delay = monitorEventLoopDelay({ resolution: probeEveryMs })
  delay.enable()
  const lag = (nanos: number): number => (Number.isFinite(nanos) ? Math.max(0, nanos / nanosPerSecond - probeEveryMs / 1000) : 0)
  return {
    startedAtSeconds: Math.round(Date.now() / 1000 - process.uptime()),
    cpuSeconds: () => {
      const { user, system } = process.cpuUsage()
      return { user: user / 1e6, system: system / 1e6 }
    },
    residentBytes: () => process.memoryUsage.rss(),
    heapBytes: () => {
      const { heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage()
      return { used: heapUsed, total: heapTotal, external, array_buffers: arrayBuffers }
    },
    loopLagSeconds: () => {
      const lags = { '0.5': lag(delay.percentile(50)), '0.99': lag(delay.percentile(99)), '1': lag(delay.max) }
      delay.reset()
      return lags
    },
    stop: () => {
      delay.disable()
    },
  }
}
