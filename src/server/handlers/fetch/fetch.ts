// Owns answering Fetch: sessions in, results out. Does not own reading and waiting (fetch-wait.ts).

import { ApiKey } from '../../../protocol/index.ts'
import { ErrorCode } from '../../../protocol/index.ts'
import { IsolationLevel } from '../../../protocol/generated/enums.ts'
import {
  type AbortedTransaction,
  abortedTransaction,
  type FetchableTopicResponse,
  fetchableTopicResponse,
  type FetchRequest,
  type FetchResponse,
  fetchResponse,
  type PartitionData,
  partitionData,
  readFetchRequest,
  writeFetchResponse,
} from '../../../protocol/generated/fetch.ts'
import type { Call } from '../../front/call.ts'
import { type ServedApi, serve } from '../../front/served-api.ts'
import type { ConnectionFacts } from '../../listener/connection.ts'
import type { AbortedRange, HandlerPorts } from '../../ports.ts'
import { CarriedReads } from './carried-reads.ts'
import { type FetchScope, FetchSessions } from './fetch-session.ts'
import type { FetchTarget } from './fetch-target.ts'
import { type FetchedPartition, FetchWait } from './fetch-wait.ts'

export interface FetchApi {
  readonly api: ServedApi
  readonly sessions: FetchSessions
}

export function fetchApi(ports: HandlerPorts): FetchApi {
  const sessions = new FetchSessions(ports.limits.fetch, ports.clock, ports.prng)
  const carriedByConnection = new WeakMap<ConnectionFacts, CarriedReads>()
  const carriedOf = (connection: ConnectionFacts): CarriedReads => {
    const present = carriedByConnection.get(connection)
    if (present !== undefined) return present
    const carried = new CarriedReads(ports.limits.fetch.carriedReadsPerConnectionMax)
    carriedByConnection.set(connection, carried)
    return carried
  }
  const api = serve<FetchRequest, FetchResponse>({
    key: ApiKey.Fetch,
    order: 'pipelined',
    read: readFetchRequest,
    write: writeFetchResponse,
    handle: (request, call) => {
      const scope = sessions.scopeOf(request, call.version)
      if (scope.kind === 'refused') {
        call.countError(scope.errorCode)
        return fetchResponse({ errorCode: scope.errorCode })
      }
      const { throttles, limits } = ports
      const maxBytes = Math.min(request.maxBytes, limits.fetch.fetchBytesMax, throttles.fetchBytesMax(call))
      const wants = {
        targets: scope.targets,
        minBytes: Math.min(request.minBytes, Math.max(0, maxBytes)),
        maxBytes: Math.max(0, maxBytes),
        maxWaitMs: request.maxWaitMs,
        committedOnly: request.isolationLevel === IsolationLevel.READ_COMMITTED,
      }
      const fetched = new FetchWait(ports, call, wants, carriedOf(call.connection)).run()
      const answered = (results: readonly FetchedPartition[]): FetchResponse =>
        throttles.fetched(call, bytesOf(results)) ? answer(request, scope, results, call) : emptyAnswer(sessions, scope)
      return fetched instanceof Promise ? fetched.then(answered) : answered(fetched)
    },
    // Before version 7 there is no error for the whole; each partition carries it.
    failed: (request, errorCode, call) =>
      call.version >= 7 ? fetchResponse({ errorCode }) : fetchResponse({ responses: allFailed(request, errorCode) }),
  })
  return { api, sessions }
}

const allFailed = (request: FetchRequest, errorCode: number): FetchableTopicResponse[] =>
  request.topics.map(({ topic, topicId, partitions }) =>
    fetchableTopicResponse({
      topic,
      topicId,
      partitions: partitions.map(({ partition }) =>
        partitionData({ partitionIndex: partition, errorCode, highWatermark: -1n, records: [] }),
      ),
    }),
  )

function bytesOf(fetched: readonly FetchedPartition[]): number {
  let bytes = 0
  for (const one of fetched) bytes += one.bytes
  return bytes
}

type OpenScope = Exclude<FetchScope, { kind: 'refused' }>

/** What was read is for another time (KIP-219): an incremental client has its session on, another has learned nothing and opens it anew. */
function emptyAnswer(sessions: FetchSessions, { kind, session, epoch }: OpenScope): FetchResponse {
  if (session !== undefined && session.epoch !== epoch) return fetchResponse({ errorCode: ErrorCode.INVALID_FETCH_SESSION_EPOCH })
  if (kind === 'incremental') return fetchResponse({ sessionId: session?.id ?? 0 })
  if (session !== undefined) sessions.abandon(session)
  return fetchResponse({ sessionId: 0 })
}

function answer(request: FetchRequest, scope: OpenScope, fetched: readonly FetchedPartition[], call: Call): FetchResponse {
  const { session, kind, epoch } = scope
  // A later request of this session has been served meanwhile: the client and we no longer mean the same by it.
  if (session !== undefined && session.epoch !== epoch) return fetchResponse({ errorCode: ErrorCode.INVALID_FETCH_SESSION_EPOCH })
  const responses: FetchableTopicResponse[] = []
  let last: { readonly target: FetchTarget; readonly partitions: PartitionData[] } | undefined
  for (const [index, target] of scope.targets.entries()) {
    const result = fetched[index]!
    call.countError(result.errorCode)
    const isNews = told(target, result)
    if (kind === 'incremental' && !isNews) continue
    if (session !== undefined && result.bytes > 0) session.served(target)
    if (last === undefined || last.target.topicName !== target.topicName || last.target.topicId !== target.topicId) {
      last = { target, partitions: [] }
      responses.push(fetchableTopicResponse({ topic: target.topicName, topicId: target.topicId, partitions: last.partitions }))
    }
    last.partitions.push(partitionOf(target, result, request.isolationLevel === IsolationLevel.READ_COMMITTED))
  }
  return fetchResponse({ sessionId: session?.id ?? 0, responses })
}

/** True when the client does not know this yet; notes that now it does. */
function told(target: FetchTarget, { errorCode, bytes, highWatermark, logStartOffset }: FetchedPartition): boolean {
  const isNews =
    errorCode !== ErrorCode.NONE ||
    bytes > 0 ||
    highWatermark !== target.toldHighWatermark ||
    logStartOffset !== target.toldLogStartOffset
  // After an error the partition is in every answer until it is well again, and once then.
  target.toldHighWatermark = errorCode === ErrorCode.NONE ? highWatermark : -1
  target.toldLogStartOffset = logStartOffset
  return isNews
}

const abortedOf = ({ producerId, firstOffset }: AbortedRange): AbortedTransaction =>
  abortedTransaction({ producerId: BigInt(producerId), firstOffset: BigInt(firstOffset) })

function partitionOf(target: FetchTarget, result: FetchedPartition, committedOnly: boolean): PartitionData {
  return partitionData({
    partitionIndex: target.index,
    errorCode: result.errorCode,
    highWatermark: BigInt(result.highWatermark),
    lastStableOffset: BigInt(result.lastStableOffset),
    logStartOffset: BigInt(result.logStartOffset),
    abortedTransactions: committedOnly ? result.aborted.map(abortedOf) : null,
    records: result.batches,
  })
}
