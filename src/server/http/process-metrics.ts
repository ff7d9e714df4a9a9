// Owns the figures of the process itself as metrics. Not their reading (base/node) nor the broker's own.

import type { ProcessFigures } from '../../base/node/process-figures.ts'
import { type MetricSample, type MetricSource, plainMetric } from './metric-source.ts'

const samplesOf = (figures: Readonly<Record<string, number>>): MetricSample[] =>
  Object.entries(figures).map(([label, value]) => ({ labels: [label], value }))

export function processMetrics(figures: ProcessFigures): readonly MetricSource[] {
  return [
    {
      name: 'chronik_process_cpu_seconds_total',
      help: 'CPU time of the process.',
      type: 'counter',
      labelNames: ['mode'],
      collect: () => samplesOf({ ...figures.cpuSeconds() }),
    },
    plainMetric('gauge', 'chronik_process_resident_memory_bytes', 'Memory in RAM.', () => figures.residentBytes()),
    {
      name: 'chronik_process_heap_bytes',
      help: 'Memory of the JavaScript heap and of buffers beside it.',
      type: 'gauge',
      labelNames: ['kind'],
      collect: () => samplesOf(figures.heapBytes()),
    },
    plainMetric(
      'gauge',
      'chronik_process_start_time_seconds',
      'When the process started, since the epoch.',
      () => figures.startedAtSeconds,
    ),
    {
      name: 'chronik_event_loop_lag_seconds',
      help: 'How late the event loop ran since the last scrape.',
      type: 'gauge',
      labelNames: ['quantile'],
      collect: () => samplesOf(figures.loopLagSeconds()),
    },
  ]
}
