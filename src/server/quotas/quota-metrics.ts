// Owns the figures of quotas as metrics, by kind of quota; not by client, for there may be any number of clients. Not the counting.

import type { MetricSource } from '../http/metric-source.ts'
import { type ClientThrottles, type ThrottleCounters, throttleKinds } from './client-throttles.ts'
import type { ConnectionRates } from './connection-rates.ts'

export function quotaMetrics(throttles: ClientThrottles, connections: ConnectionRates): readonly MetricSource[] {
  const all = (): ReadonlyArray<readonly [string, ThrottleCounters]> => [
    ...throttleKinds.map((kind) => [kind, throttles.counters[kind]] as const),
    ['connection', connections.counters],
  ]
  const perKind = (name: string, help: string, valueOf: (counters: ThrottleCounters) => number): MetricSource => ({
    name,
    help,
    type: 'counter',
    labelNames: ['quota'],
    collect: () => all().map(([kind, counters]) => ({ labels: [kind], value: valueOf(counters) })),
  })
  return [
    perKind(
      'chronik_kafka_quota_measured_total',
      'Bytes, per cent of a second, partitions and connections of clients that have a quota.',
      ({ measured }) => measured,
    ),
    perKind('chronik_kafka_throttled_total', 'Requests and connections over a quota.', ({ throttled }) => throttled),
    perKind(
      'chronik_kafka_throttle_seconds_total',
      'The time that clients over a quota were told to be silent for.',
      ({ throttleMs }) => throttleMs / 1000,
    ),
    {
      name: 'chronik_kafka_quota_meters',
      help: 'Users, client ids and addresses whose rate is measured.',
      type: 'gauge',
      labelNames: ['quota'],
      collect: () =>
        [...Object.entries(throttles.meterCounts()), ['connection', connections.count] as const].map(([kind, value]) => ({
          labels: [kind],
          value,
        })),
    },
  ]
}
