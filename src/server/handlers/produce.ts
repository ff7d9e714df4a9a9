// Owns answering Produce: hands each batch to its partition in the order of arrival and answers when all are done or time is up.
// Does not own what is checked inside a batch (broker) nor transactions (transactions/produce-admission.ts).

import { topicId as asTopicId } from '../../model/ids.ts'
import { ApiKey, batchHeaderBytes, compressionOf, ErrorCode, magicOf } from '../../protocol/index.ts'
import {
  batchIndexAndErrorMessage,
  type PartitionProduceResponse,
  partitionProduceResponse,
  type ProduceRequest,
  type ProduceResponse,
  produceResponse,
  readProduceRequest,
  type TopicProduceData,
  topicProduceResponse,
  writeProduceResponse,
} from '../../protocol/generated/produce.ts'
import type { Call } from '../front/call.ts'
import { NoResponse, noResponse, type Reply, type ServedApi, serve } from '../front/served-api.ts'
import type { AppendResult, HandlerPorts, PartitionView, TopicView } from '../ports.ts'
import { retained } from '../retained-bytes.ts'
import { hasTransactionalBatch, ProduceAdmission, type Refusals } from './transactions/produce-admission.ts'

/** Topic ids instead of names. */
const topicIdsFrom = 13
/** Before it, consumers could not be expected to open zstd. All else in a batch is the broker's to judge. */
const zstdFrom = 7

export function produceApi(ports: HandlerPorts): ServedApi {
  const admission = new ProduceAdmission(ports)
  return serve<ProduceRequest, ProduceResponse>({
    key: ApiKey.Produce,
    order: 'pipelined',
    read: readProduceRequest,
    write: writeProduceResponse,
    handle: (request, call) => {
      if (request.acks !== 0 && request.acks !== 1 && request.acks !== -1)
        return refuseAll(request, ErrorCode.INVALID_REQUIRED_ACKS)
      if (request.transactionalId === null && hasTransactionalBatch(request))
        return refuseAll(request, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
      return admission.admit(request, call, (refusals) => new Produce({ ports, refusals }, request, call).run())
    },
    failed: refuseAll,
  })
}

function refuseAll(request: ProduceRequest, errorCode: number): ProduceResponse {
  return produceResponse({
    responses: request.topicData.map(({ name, topicId, partitionData }) =>
      topicProduceResponse({
        name,
        topicId,
        partitionResponses: partitionData.map(({ index }) => failure(index, errorCode, null)),
      }),
    ),
  })
}

const failure = (index: number, errorCode: number, errorMessage: string | null): PartitionProduceResponse =>
  partitionProduceResponse({ index, errorCode, baseOffset: -1n, errorMessage })

function isZstd(batch: Uint8Array): boolean {
  return batch.length >= batchHeaderBytes && magicOf(batch) === 2 && compressionOf(batch) === 'zstd'
}

class Produce {
  readonly #ports: HandlerPorts
  readonly #refusals: Refusals
  readonly #request: ProduceRequest
  readonly #call: Call
  readonly #acks: -1 | 0 | 1
  /** By topic and position in the request; a hole while the append is under way. */
  readonly #answers: Array<Array<PartitionProduceResponse | undefined>>
  #pending = 0
  #keptBytes = 0
  #settle: ((reply: Reply<ProduceResponse>) => void) | undefined = undefined
  #settled = false

  constructor(
    { ports, refusals }: { readonly ports: HandlerPorts; readonly refusals: Refusals },
    request: ProduceRequest,
    call: Call,
  ) {
    this.#ports = ports
    this.#refusals = refusals
    this.#request = request
    this.#call = call
    this.#acks = request.acks as -1 | 0 | 1
    this.#answers = request.topicData.map(({ partitionData }) => new Array<undefined>(partitionData.length).fill(undefined))
  }

  /** Appends everything before it returns, so that requests of a connection keep their order. */
  run(): Reply<ProduceResponse> | Promise<Reply<ProduceResponse>> {
    for (const { partitionData } of this.#request.topicData) {
      for (const { records } of partitionData) this.#keptBytes += records?.[0]?.length ?? 0
    }
    for (const [position, data] of this.#request.topicData.entries()) this.#appendTopic(position, data)
    if (this.#pending === 0) return this.#reply()
    return new Promise((resolve) => {
      const cancel = this.#ports.clock.after(Math.max(0, this.#request.timeoutMs), () => {
        this.#finish()
      })
      this.#settle = (reply) => {
        cancel()
        resolve(reply)
      }
    })
  }

  #appendTopic(position: number, data: TopicProduceData): void {
    const byId = this.#call.version >= topicIdsFrom
    const { broker } = this.#ports
    const topic = byId ? broker.topicById(asTopicId(data.topicId)) : broker.topicByName(data.name)
    const unknown = byId ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    for (const [slot, one] of data.partitionData.entries()) {
      const { index, records } = one
      const refusal = this.#refusals.get(one)
      const errorCode = refusal ?? this.#append(topic, { position, slot, index, bytes: records?.[0] }, unknown)
      if (errorCode !== ErrorCode.NONE) this.#answers[position]![slot] = failure(index, errorCode, null)
    }
  }

  #append(topic: TopicView | undefined, place: Place, unknown: number): number {
    if (topic === undefined) return unknown
    const partition: PartitionView | undefined = topic.partitions[place.index]
    if (partition === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    if (place.bytes === undefined) return ErrorCode.INVALID_RECORD
    if (this.#call.version < zstdFrom && isZstd(place.bytes)) return ErrorCode.UNSUPPORTED_COMPRESSION_TYPE
    this.#pending += 1
    const records = retained(place.bytes, this.#keptBytes)
    partition.append({ records, acks: this.#acks }, (result) => {
      this.#done(place, result)
    })
    return ErrorCode.NONE
  }

  #done({ position, slot, index }: Place, result: AppendResult): void {
    this.#pending -= 1
    if (this.#settled) return
    const logStartOffset = BigInt(result.logStartOffset)
    this.#answers[position]![slot] =
      result.kind === 'error'
        ? partitionProduceResponse({
            ...failure(index, result.errorCode, result.message),
            recordErrors: result.recordErrors.map(({ batchIndex, message }) =>
              batchIndexAndErrorMessage({ batchIndex, batchIndexErrorMessage: message }),
            ),
            logStartOffset,
          })
        : partitionProduceResponse({
            index,
            baseOffset: BigInt(result.baseOffset),
            logAppendTimeMs: BigInt(result.logAppendTimeMs),
            logStartOffset,
          })
    if (this.#pending === 0) this.#finish()
  }

  #finish(): void {
    if (this.#settle === undefined || this.#settled) return
    this.#settle(this.#reply())
  }

  /** What is not done by now has timed out; it goes on all the same. */
  #reply(): Reply<ProduceResponse> {
    this.#settled = true
    let firstError: number = ErrorCode.NONE
    const responses = this.#request.topicData.map(({ name, topicId, partitionData }, position) => {
      const partitionResponses = partitionData.map(
        ({ index }, slot) => this.#answers[position]![slot] ?? failure(index, ErrorCode.REQUEST_TIMED_OUT, null),
      )
      for (const { errorCode } of partitionResponses) {
        if (firstError === ErrorCode.NONE) firstError = errorCode
        this.#call.countError(errorCode)
      }
      return topicProduceResponse({ name, topicId, partitionResponses })
    })
    if (this.#acks !== 0) return produceResponse({ responses })
    // With acks=0 a closed connection is the only way to tell the producer.
    return firstError === ErrorCode.NONE ? noResponse : new NoResponse(`a produce with acks=0 failed with error ${firstError}`)
  }
}

interface Place {
  readonly position: number
  readonly slot: number
  readonly index: number
  readonly bytes: Uint8Array | undefined
}
