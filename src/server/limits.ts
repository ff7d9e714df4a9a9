// Owns every maximum of the server: connections, requests in flight, answers not yet read, sessions. Not the broker's own limits.

import { assert } from '../base/assert.ts'
import type { Windows } from './quotas/windowed-rate.ts'

const kib = 1024
const mib = 1024 * kib

export interface ListenerLimits {
  readonly connectionsMax: number
  /** The largest request read at all; Kafka's `socket.request.max.bytes`. */
  readonly requestBytesMax: number
  /** How long a connection may stay silent, and how long one request may take to arrive. */
  readonly idleMs: number
  readonly inFlightRequestsPerConnectionMax: number
  readonly inFlightBytesPerConnectionMax: number
  /** Requests received and not yet answered, over all connections. */
  readonly inFlightBytesMax: number
  /** Buffers of requests that span chunks and are still arriving, over all connections. */
  readonly assemblyBytesMax: number
  /** How long one request may take to arrive while others wait for assembly bytes. */
  readonly contendedArrivalMs: number
  /** Answers not yet taken by the client. Above it nothing more is read from that client. */
  readonly answerBytesPerConnectionMax: number
  readonly answerBytesMax: number
  /** How long a client may take none of the answers waiting for it. */
  readonly stalledWriteMs: number
  /** At most so many bytes are handed to the socket before it reports the previous ones taken; progress is seen at this grain. */
  readonly writeWindowBytes: number
  readonly drainMs: number
  /** How long a TLS handshake may take. */
  readonly handshakeMs: number
  /** How long a client may take to say who it is, and what it may send at once meanwhile. */
  readonly authenticationMs: number
  readonly authenticationBytesMax: number
  /** A client whose authentication failed is told so late: that slows down who guesses (Kafka's connection.failed.authentication.delay.ms). */
  readonly authenticationFailureMs: number
  /** After the last answer of a connection we close: time for the client to read it and close its own end. */
  readonly lingerMs: number
}

export interface FetchLimits {
  /** Kafka's `fetch.max.bytes`: what one answer carries, whatever the client asks for. */
  readonly fetchBytesMax: number
  readonly sessionsMax: number
  /** A session younger than this is not evicted for a newcomer. */
  readonly sessionEvictionMs: number
  readonly partitionsPerSessionMax: number
  /** Partitions remembered over all sessions, about 200 bytes each. */
  readonly sessionPartitionsMax: number
  /** Reads from the WAL file or the bucket carried over from one fetch of a connection to the next. */
  readonly carriedReadsPerConnectionMax: number
}

export interface MetadataLimits {
  /** How long a change may take whose request names no time of its own: it waits for the bucket. Kafka's `request.timeout.ms`. */
  readonly changeMs: number
}

export interface QuotaLimits {
  /** Kafka's `quota.window.num` and `quota.window.size.seconds`. */
  readonly windows: Windows
  /** Kafka's `controller.quota.window.num` and `controller.quota.window.size.seconds`. */
  readonly controllerWindows: Windows
  /** Users, client ids and addresses that are measured at once, for each quota; some 1 kB each. */
  readonly metersMax: number
  /** Who has not been seen for so long is forgotten, as in Kafka. */
  readonly meterIdleMs: number
}

export interface ServerLimits {
  readonly listener: ListenerLimits
  readonly fetch: FetchLimits
  readonly metadata: MetadataLimits
  readonly quotas: QuotaLimits
}

export const defaultLimits: ServerLimits = {
  listener: {
    connectionsMax: 20_000,
    requestBytesMax: 100 * mib,
    idleMs: 600_000,
    inFlightRequestsPerConnectionMax: 64,
    inFlightBytesPerConnectionMax: 32 * mib,
    inFlightBytesMax: 128 * mib,
    assemblyBytesMax: 128 * mib,
    contendedArrivalMs: 30_000,
    answerBytesPerConnectionMax: 16 * mib,
    answerBytesMax: 512 * mib,
    stalledWriteMs: 60_000,
    writeWindowBytes: 4 * mib,
    drainMs: 8_000,
    handshakeMs: 10_000,
    authenticationMs: 30_000,
    // Kafka's sasl.server.max.receive.size.
    authenticationBytesMax: 512 * kib,
    authenticationFailureMs: 100,
    lingerMs: 500,
  },
  fetch: {
    fetchBytesMax: 55 * mib,
    sessionsMax: 1_000,
    sessionEvictionMs: 120_000,
    partitionsPerSessionMax: 20_000,
    sessionPartitionsMax: 500_000,
    carriedReadsPerConnectionMax: 16,
  },
  metadata: { changeMs: 30_000 },
  quotas: {
    windows: { count: 11, ms: 1_000 },
    controllerWindows: { count: 11, ms: 1_000 },
    metersMax: 20_000,
    meterIdleMs: 3_600_000,
  },
}

/** What an operator may set. */
export interface ServerSettings {
  readonly connectionsMax: number
  readonly requestBytesMax: number
  readonly idleMs: number
  readonly answerBytesPerConnectionMax: number
  readonly quotaWindows: Windows
  readonly controllerQuotaWindows: Windows
}

/** The defaults with an operator's settings, other limits raised where a setting needs it. */
export function limitsFor(settings: ServerSettings): ServerLimits {
  const { listener, fetch, metadata, quotas } = defaultLimits
  const { quotaWindows: windows, controllerQuotaWindows: controllerWindows, ...ofListener } = settings
  const limits: ServerLimits = {
    fetch,
    metadata,
    quotas: { ...quotas, windows, controllerWindows },
    listener: {
      ...listener,
      ...ofListener,
      assemblyBytesMax: Math.max(listener.assemblyBytesMax, settings.requestBytesMax),
      answerBytesMax: Math.max(listener.answerBytesMax, settings.answerBytesPerConnectionMax),
    },
  }
  assertLimits(limits)
  return limits
}

/** A limit that contradicts another would show as a connection stuck for ever, so it is found at load. */
export function assertLimits(limits: ServerLimits): void {
  const { listener, fetch, metadata, quotas } = limits
  assert(listener.requestBytesMax <= listener.assemblyBytesMax, 'the largest request can be assembled')
  assert(listener.inFlightRequestsPerConnectionMax >= 1, 'a connection may have a request in flight')
  assert(
    listener.inFlightBytesPerConnectionMax <= listener.inFlightBytesMax,
    'one connection may not have more in flight than all',
  )
  assert(
    listener.answerBytesPerConnectionMax <= listener.answerBytesMax,
    'one connection may not have more answers waiting than all',
  )
  assert(listener.authenticationFailureMs < listener.authenticationMs, 'who fails is told so within its time')
  assert(listener.writeWindowBytes > 0 && listener.idleMs > 0 && metadata.changeMs > 0, 'windows and times are positive')
  assert(fetch.partitionsPerSessionMax <= fetch.sessionPartitionsMax, 'one session may not cover more than all')
  for (const { count, ms } of [quotas.windows, quotas.controllerWindows])
    assert(count >= 1 && ms > 0, 'quotas are measured over windows')
  assert(quotas.metersMax >= 1 && quotas.meterIdleMs > 0, 'who is measured is remembered for a while')
  assert(fetch.sessionsMax >= 0 && fetch.carriedReadsPerConnectionMax >= 0, 'counts are not negative')
}

assertLimits(defaultLimits)
