// Owns the figures of the process itself: CPU, memory, the lag of the event loop. Not the broker's.

import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks'
import { type MetricSource, plainMetric } from './metric-source.ts'

const resolutionMs = 20
const nanosPerSecond = 1e9

export interface ProcessMetrics {
  readonly sources: readonly MetricSource[]
  stop(): void
}

export function processMetrics(): ProcessMetrics {
  const delay: IntervalHistogram = monitorEventLoopDelay({ resolution: resolutionMs })
  delay.enable()
  const startedAtSeconds = Math.round(Date.now() / 1000 - process.uptime())
  const lag = (quantile: string, nanos: number): { labels: string[]; value: number } => ({
    labels: [quantile],
    // What the timer itself asks for is not lag.
    value: Math.max(0, (Number.isFinite(nanos) ? nanos : 0) / nanosPerSecond - resolutionMs / 1000),
  })
  const sources: MetricSource[] = [
    {
      name: 'chronik_process_cpu_seconds_total',
      help: 'CPU time of the process.',
      type: 'counter',
      labelNames: ['mode'],
      collect: () => {
        const { user, system } = process.cpuUsage()
        return [
          { labels: ['user'], value: user / 1e6 },
          { labels: ['system'], value: system / 1e6 },
        ]
      },
    },
    plainMetric('gauge', 'chronik_process_resident_memory_bytes', 'Memory in RAM.', () => process.memoryUsage.rss()),
    {
      name: 'chronik_process_heap_bytes',
      help: 'Memory of the JavaScript heap and of buffers beside it.',
      type: 'gauge',
      labelNames: ['kind'],
      collect: () => {
        const { heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage()
        return Object.entries({ heapUsed, heapTotal, external, arrayBuffers }).map(([kind, value]) => ({ labels: [kind], value }))
      },
    },
    plainMetric(
      'gauge',
      'chronik_process_start_time_seconds',
      'When the process started, since the epoch.',
      () => startedAtSeconds,
    ),
    {
      name: 'chronik_event_loop_lag_seconds',
      help: 'How late the event loop was since the last scrape.',
      type: 'gauge',
      labelNames: ['quantile'],
      collect: () => {
        const samples = [lag('0.5', delay.percentile(50)), lag('0.99', delay.percentile(99)), lag('1', delay.max)]
        delay.reset()
        return samples
      },
    },
  ]
  return { sources, stop: () => delay.disable() }
}
