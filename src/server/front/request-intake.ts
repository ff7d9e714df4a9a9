// Owns the way from a frame to a running request and from its reply to bytes: header, version check, decoding, encoding, counting.
// Does not own sockets (listener/) nor what APIs do (handlers/).

import { AssertionFailed } from '../../base/assert.ts'
import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import { isOpError } from '../../base/op-error.ts'
import { ByteReader, ByteWriter, closeFrame, decodeRequestHeader, openResponseFrame, ScratchPool } from '../../protocol/index.ts'
import { ApiKey } from '../../protocol/index.ts'
import { ErrorCode } from '../../protocol/index.ts'
import type { Access } from '../guard/access.ts'
import type { ConnectionFacts, Refusal, RequestIntake } from '../listener/connection.ts'
import { LogLimiter } from '../listener/log-limiter.ts'
import type { Answer, StartableRequest } from '../listener/request-line.ts'
import type { ClientThrottles } from '../quotas/client-throttles.ts'
import { ApiCounters } from './api-counters.ts'
import { Call } from './call.ts'
import { bareToken } from './bare-token.ts'
import {
  errorCodeOf,
  LastResponse,
  NoResponse,
  type PreparedRequest,
  type Reply,
  type ServedApi,
  type WriteBody,
} from './served-api.ts'

/** Their answers tell that the log has stored something. Changes of metadata are in the bucket before they are answered. */
const acknowledging: ReadonlySet<number> = new Set<number>([
  ApiKey.Produce,
  ApiKey.OffsetCommit,
  ApiKey.InitProducerId,
  ApiKey.AddPartitionsToTxn,
  ApiKey.AddOffsetsToTxn,
  ApiKey.TxnOffsetCommit,
  ApiKey.EndTxn,
  ApiKey.WriteTxnMarkers,
])

/** The version of the answer to an ApiVersions request of a version we do not know. */
const fallbackVersion = 0

export interface IntakeOptions {
  readonly served: ReadonlyMap<number, ServedApi>
  /** The version 0 answer to an ApiVersions request of a version we do not know. */
  readonly versionFallback: WriteBody
  /** What a client may do; absent while ACLs are not asked. */
  readonly accessOf?: (connection: ConnectionFacts) => Access
  readonly throttles: ClientThrottles
  readonly clock: Clock
  readonly log: Log
}

interface ServedEntry {
  readonly api: ServedApi
  readonly counters: ApiCounters
}

export class KafkaIntake implements RequestIntake {
  readonly #options: IntakeOptions
  readonly #served: ReadonlyMap<number, ServedEntry>
  readonly #pool = new ScratchPool()
  readonly #limiter: LogLimiter
  requestsInFlight = 0

  constructor(options: IntakeOptions) {
    this.#options = options
    this.#limiter = new LogLimiter(options.log, options.clock)
    const served = new Map<number, ServedEntry>()
    for (const [key, api] of options.served) served.set(key, { api, counters: new ApiCounters(api.entry.name) })
    this.#served = served
  }

  *counters(): Iterable<ApiCounters> {
    for (const { counters } of this.#served.values()) yield counters
  }

  accept(frame: Uint8Array, connection: ConnectionFacts): StartableRequest | Refusal {
    const { authentication } = connection
    if (authentication.tokensAreBare) return bareToken(authentication, frame, this.#options.log)
    const apiKey = ((frame[0]! << 8) | frame[1]!) & 0xffff
    const version = ((frame[2]! << 24) >> 16) | frame[3]!
    const served = this.#served.get(apiKey)
    if (served === undefined) return { refused: `unknown API key ${apiKey}` }
    const { api, counters } = served
    const admission = authentication.admit(apiKey)
    if (typeof admission === 'object') return { ...admission, unauthenticated: true }
    const supported = version >= api.versionMin && version <= api.versionMax
    if (!supported && apiKey !== ApiKey.ApiVersions) {
      counters.failures += 1
      return { refused: `version ${version} of ${api.entry.name}, where ${api.versionMin} to ${api.versionMax} are served` }
    }
    const reader = new ByteReader(frame)
    const header = decodeRequestHeader(reader)
    const call = new Call(
      supported ? header : { ...header, apiVersion: fallbackVersion },
      { connection, access: this.#options.accessOf?.(connection) },
      counters,
    )
    counters.requests += 1
    counters.requestBytes += frame.length
    if (!supported) return this.#fallback(call, counters)
    const prepared = api.prepare(reader, version)
    if (reader.failure !== undefined) {
      counters.failures += 1
      return { refused: `malformed ${api.entry.name} v${version}: ${reader.failure}` }
    }
    if (admission === 'illegal') return this.#illegal(prepared, call, counters)
    return new RunningRequest(this, prepared, { call, served, bytes: frame.length })
  }

  #fallback(call: Call, counters: ApiCounters): StartableRequest {
    const body = this.#options.versionFallback
    return {
      order: 'serial',
      start: (answer) => {
        counters.countError(ErrorCode.UNSUPPORTED_VERSION)
        answer(this.#encode(call, body, counters))
      },
      hurry: () => undefined,
    }
  }

  /** In the midst of its authentication the client asked for something else. */
  #illegal(prepared: PreparedRequest, call: Call, counters: ApiCounters): StartableRequest {
    return {
      order: 'serial',
      start: (answer) => {
        counters.countError(ErrorCode.ILLEGAL_SASL_STATE)
        const body = prepared.failed(ErrorCode.ILLEGAL_SASL_STATE, call)
        answer({ ...this.#encode(call, body, counters), thenClose: 'it asked for something else while it authenticated' })
      },
      hurry: () => undefined,
    }
  }

  /** Runs a request and turns whatever comes of it into an answer. An assertion that failed is not caught: the process dies. */
  run(prepared: PreparedRequest, facts: RunFacts, answer: (answer: Answer) => void): void {
    const { clock, throttles } = this.#options
    const { call, served, bytes } = facts
    const startedAtMs = clock.monotonicMs()
    // Who is not known yet has no quota.
    const isTimed = throttles.timesRequests && call.connection.authentication.pendingSinceMs === undefined
    let ranMs: number | undefined
    this.requestsInFlight += 1
    if (call.header.apiKey === ApiKey.Produce) throttles.produced(call, bytes)
    const finish = (reply: Reply<WriteBody>): void => {
      this.requestsInFlight -= 1
      const finishedAtMs = clock.monotonicMs()
      served.counters.latencyMicros.record((finishedAtMs - startedAtMs) * 1000)
      if (isTimed) throttles.ran(call, ranMs ?? finishedAtMs - startedAtMs)
      const answered = this.#answerOf(reply, facts)
      if (isTimed) throttles.answered(call, clock.monotonicMs() - finishedAtMs)
      answer(answered)
    }
    const fail = (error: unknown): void => {
      finish(this.#replyToError(error, prepared, facts))
    }
    let reply: Reply<WriteBody> | Promise<Reply<WriteBody>>
    try {
      reply = prepared.run(call)
    } catch (error) {
      fail(error)
      return
    }
    if (reply instanceof Promise) {
      if (isTimed) ranMs = clock.monotonicMs() - startedAtMs
      void reply.then(finish, fail)
    } else finish(reply)
  }

  #answerOf(reply: Reply<WriteBody>, facts: RunFacts): Answer {
    const { call, served } = facts
    if (reply instanceof NoResponse)
      return reply.closeReason === undefined
        ? { kind: 'none', throttleMs: call.throttleMs }
        : { kind: 'close', reason: reply.closeReason }
    if (!(reply instanceof LastResponse)) return this.#encode(call, reply, served.counters)
    return { ...this.#encode(call, reply.response, served.counters), thenClose: reply.closeReason }
  }

  #encode(call: Call, body: WriteBody, counters: ApiCounters): Extract<Answer, { kind: 'write' }> {
    const writer = new ByteWriter(this.#pool)
    const mark = openResponseFrame(writer, call.header)
    body(writer)
    closeFrame(writer, mark)
    counters.responseBytes += writer.byteLength
    const acknowledges = acknowledging.has(call.header.apiKey)
    return { kind: 'write', chunks: writer.finish(), acknowledges, throttleMs: call.throttleMs }
  }

  #replyToError(error: unknown, prepared: PreparedRequest, facts: RunFacts): Reply<WriteBody> {
    const { call, served } = facts
    const api = served.api.entry.name
    if (error instanceof AssertionFailed) throw error
    if (isOpError(error)) {
      const errorCode = errorCodeOf(error)
      call.countError(errorCode)
      this.#limiter.warn(error.code, 'a request failed', { api, error: error.message, answered: errorCode })
      return prepared.failed(errorCode, call)
    }
    // Not one of the failures we know: our mistake, but one client's request must not take the node down.
    served.counters.failures += 1
    this.#options.log.error('a handler threw', { api, version: call.version, client: call.connection.remoteAddress, error })
    return new NoResponse(`a handler of ${api} threw`)
  }
}

interface RunFacts {
  readonly call: Call
  readonly served: ServedEntry
  /** Of the request. */
  readonly bytes: number
}

class RunningRequest implements StartableRequest {
  readonly #intake: KafkaIntake
  readonly #prepared: PreparedRequest
  readonly #facts: RunFacts

  constructor(intake: KafkaIntake, prepared: PreparedRequest, facts: RunFacts) {
    this.#intake = intake
    this.#prepared = prepared
    this.#facts = facts
  }

  get order(): StartableRequest['order'] {
    return this.#facts.served.api.order
  }

  start(answer: (answer: Answer) => void): void {
    this.#intake.run(this.#prepared, this.#facts, answer)
  }

  hurry(): void {
    this.#facts.call.hurry()
  }
}
