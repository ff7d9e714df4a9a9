// Owns the shape of an API this broker serves, and forgetting the types of its messages so that a table can hold them all. Not
// what any of them does (handlers/).

import { assertDefined } from '../../base/assert.ts'
import type { OpError } from '../../base/op-error.ts'
import type { ByteReader, ByteWriter } from '../../protocol/index.ts'
import { type ApiEntry, apiEntryOf } from '../../protocol/index.ts'
import { ErrorCode } from '../../protocol/index.ts'
import type { RequestOrder } from '../listener/request-line.ts'
import { guards } from '../guard/cluster-guards.ts'
import { type Guard, guarded } from '../guard/guard.ts'
import type { Call } from './call.ts'
import { LastResponse, NoResponse, type Reply } from './reply.ts'

export { LastResponse, NoResponse, noResponse, type Reply } from './reply.ts'

export interface ApiDefinition<Request, Response> {
  readonly key: number
  readonly order: RequestOrder
  read(reader: ByteReader, version: number): Request
  write(writer: ByteWriter, response: Response, version: number): void
  handle(request: Request, call: Call): Reply<Response> | Promise<Reply<Response>>
  /** The answer that carries one error for all the request asked for. */
  failed(request: Request, errorCode: number, call: Call): Response
}

export type WriteBody = (writer: ByteWriter) => void

export interface ServedApi {
  readonly entry: ApiEntry
  readonly versionMin: number
  readonly versionMax: number
  readonly order: RequestOrder
  /** Reads the request and returns how to run it; check the reader's `failure` first. */
  prepare(reader: ByteReader, version: number): PreparedRequest
}

export interface PreparedRequest {
  run(call: Call): Reply<WriteBody> | Promise<Reply<WriteBody>>
  failed(errorCode: number, call: Call): WriteBody
}

/** `versionMax` below what Kafka advertises holds versions back that are not served yet. */
export function serve<Request, Response>(definition: ApiDefinition<Request, Response>, versionMax?: number): ServedApi {
  const entry = assertDefined(apiEntryOf(definition.key), 'every served API is one of Kafka’s')
  const bodyOf =
    (response: Response, call: Call, version: number): WriteBody =>
    (writer) => {
      definition.write(writer, withThrottleTime(response, call.throttleMs), version)
    }
  const replyOf = (reply: Reply<Response>, call: Call, version: number): Reply<WriteBody> => {
    if (reply instanceof NoResponse) return reply
    if (!(reply instanceof LastResponse)) return bodyOf(reply, call, version)
    return new LastResponse(bodyOf(reply.response, call, version), reply.closeReason)
  }
  const handle = (request: Request, call: Call): Reply<Response> | Promise<Reply<Response>> => {
    const { access } = call
    if (access === undefined) return definition.handle(request, call)
    // The table of guards has each under the name of its API, with that API's messages.
    const guard = guards[entry.name] as Guard<Request, Response> | undefined
    const failed = (part: Request, errorCode: number): Response => definition.failed(part, errorCode, call)
    return guarded(guard, { request, call, access, failed }, (allowed) => definition.handle(allowed, call))
  }
  return {
    entry,
    versionMin: entry.versionMin,
    versionMax: Math.min(entry.advertisedMax, versionMax ?? entry.advertisedMax),
    order: definition.order,
    prepare: (reader, version) => {
      const request = definition.read(reader, version)
      return {
        run: (call) => {
          const reply = handle(request, call)
          return reply instanceof Promise ? reply.then((later) => replyOf(later, call, version)) : replyOf(reply, call, version)
        },
        failed: (errorCode, call) => bodyOf(definition.failed(request, errorCode, call), call, version),
      }
    },
  }
}

/** Whatever a response is of: those that can say how long the client is to be silent have this field. */
function withThrottleTime<Response>(response: Response, throttleTimeMs: number): Response {
  if (throttleTimeMs === 0 || typeof response !== 'object' || response === null || !('throttleTimeMs' in response))
    return response
  return { ...response, throttleTimeMs }
}

/** The one place where the world's failures become Kafka's codes. */
export function errorCodeOf(error: OpError): number {
  switch (error.kind) {
    case 'retry':
    case 'busy':
      return ErrorCode.REQUEST_TIMED_OUT
    case 'fenced':
    case 'closed':
      return ErrorCode.NOT_LEADER_OR_FOLLOWER
    case 'invalid':
      return ErrorCode.INVALID_REQUEST
    case 'denied':
      return ErrorCode.CLUSTER_AUTHORIZATION_FAILED
    case 'corrupt':
      return ErrorCode.KAFKA_STORAGE_ERROR
    case 'missing':
    case 'internal':
      return ErrorCode.UNKNOWN_SERVER_ERROR
  }
}
