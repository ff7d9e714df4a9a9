// Owns the Kafka front's figures as metrics: requests by API, connections, bytes, sessions. Not the counting (counters).

import { errorName } from '../../protocol/index.ts'
import type { FetchSessions } from '../handlers/fetch/fetch-session.ts'
import { type HistogramSample, type MetricSample, type MetricSource, plainMetric } from '../http/metric-source.ts'
import type { ListenerCounters } from '../listener/counters.ts'
import type { KafkaListener } from '../listener/kafka-listener.ts'
import type { ClientThrottles } from '../quotas/client-throttles.ts'
import type { ConnectionRates } from '../quotas/connection-rates.ts'
import { quotaMetrics } from '../quotas/quota-metrics.ts'
import type { ApiCounters } from './api-counters.ts'
import type { KafkaIntake } from './request-intake.ts'

/** 100 µs to 10 s: three bounds per decade keep a scrape of some twenty APIs small. */
const latencyBoundsSeconds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const latencyBoundsMicros = latencyBoundsSeconds.map((seconds) => seconds * 1e6)

export interface FrontParts {
  readonly listener: KafkaListener
  readonly intake: KafkaIntake
  readonly fetchSessions: FetchSessions
  readonly throttles: ClientThrottles
  readonly connectionRates: ConnectionRates
}

export function frontMetrics(parts: FrontParts): readonly MetricSource[] {
  return [
    ...requestMetrics(parts.intake),
    ...connectionMetrics(parts.listener),
    ...sessionMetrics(parts.fetchSessions),
    ...quotaMetrics(parts.throttles, parts.connectionRates),
  ]
}

function requestMetrics(intake: KafkaIntake): MetricSource[] {
  const perApi = (name: string, help: string, valueOf: (counters: ApiCounters) => number): MetricSource => ({
    name,
    help,
    type: 'counter',
    labelNames: ['api'],
    collect: () => [...intake.counters()].map((counters) => ({ labels: [counters.name], value: valueOf(counters) })),
  })
  return [
    perApi('chronik_kafka_requests_total', 'Kafka requests received.', ({ requests }) => requests),
    perApi('chronik_kafka_request_bytes_total', 'Bytes of Kafka requests.', ({ requestBytes }) => requestBytes),
    perApi('chronik_kafka_response_bytes_total', 'Bytes of answers to Kafka requests.', ({ responseBytes }) => responseBytes),
    perApi('chronik_kafka_request_failures_total', 'Kafka requests that ended their connection.', ({ failures }) => failures),
    {
      name: 'chronik_kafka_errors_total',
      help: 'Errors told to Kafka clients, one per topic, partition or group they are about.',
      type: 'counter',
      labelNames: ['api', 'error'],
      collect: () => [...intake.counters()].flatMap(errorsOf),
    },
    {
      name: 'chronik_kafka_request_duration_seconds',
      help: 'From the start of a Kafka request to its answer; a fetch waits for records in it.',
      type: 'histogram',
      labelNames: ['api'],
      collect: () => [...intake.counters()].filter(({ requests }) => requests > 0).map(latencyOf),
    },
    plainMetric('gauge', 'chronik_kafka_requests_in_flight', 'Kafka requests being served.', () => intake.requestsInFlight),
  ]
}

function errorsOf({ name, errors }: ApiCounters): MetricSample[] {
  return [...errors].map(([code, value]) => ({ labels: [name, errorName(code)], value }))
}

function latencyOf({ name, latencyMicros }: ApiCounters): HistogramSample {
  const { count, sum } = latencyMicros
  const cumulative = latencyMicros.cumulative(latencyBoundsMicros)
  return { labels: [name], bounds: latencyBoundsSeconds, cumulative, count, sum: sum / 1e6 }
}

function connectionMetrics(listener: KafkaListener): MetricSource[] {
  const { counters } = listener
  const of = (type: 'counter' | 'gauge', name: string, help: string, valueOf: (from: ListenerCounters) => number): MetricSource =>
    plainMetric(type, name, help, () => valueOf(counters))
  return [
    of('gauge', 'chronik_kafka_connections', 'Open Kafka connections.', ({ connectionsOpen }) => connectionsOpen),
    of('counter', 'chronik_kafka_connections_accepted_total', 'Kafka connections accepted.', (from) => from.connectionsAccepted),
    {
      name: 'chronik_kafka_connections_closed_total',
      help: 'Kafka connections this node closed, by reason.',
      type: 'counter',
      labelNames: ['reason'],
      collect: () => [
        { labels: ['refused'], value: counters.connectionsRefused },
        { labels: ['idle'], value: counters.connectionsClosedIdle },
        { labels: ['bad'], value: counters.connectionsClosedBad },
        { labels: ['stalled'], value: counters.connectionsClosedStalled },
        { labels: ['handshake'], value: counters.handshakesFailed },
        { labels: ['unauthenticated'], value: counters.connectionsUnauthenticated },
      ],
    },
    of('counter', 'chronik_kafka_bytes_in_total', 'Bytes read from Kafka clients.', ({ bytesIn }) => bytesIn),
    of('counter', 'chronik_kafka_bytes_out_total', 'Bytes written to Kafka clients.', ({ bytesOut }) => bytesOut),
    {
      name: 'chronik_kafka_buffered_bytes',
      help: 'Bytes held for Kafka clients: requests arriving and being served, answers not yet taken.',
      type: 'gauge',
      labelNames: ['kind'],
      collect: () => Object.entries(listener.bytesHeld).map(([kind, value]) => ({ labels: [kind], value })),
    },
  ]
}

function sessionMetrics(sessions: FetchSessions): MetricSource[] {
  return [
    plainMetric('gauge', 'chronik_kafka_fetch_sessions', 'Fetch sessions remembered.', () => sessions.count),
    plainMetric('gauge', 'chronik_kafka_fetch_session_partitions', 'Partitions in them.', () => sessions.partitionCount),
    plainMetric(
      'counter',
      'chronik_kafka_fetch_session_evictions_total',
      'Fetch sessions given up for others.',
      () => sessions.evictions,
    ),
  ]
}
