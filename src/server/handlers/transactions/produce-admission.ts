// Owns whether the transactional batches of a Produce may enter their partitions: the partition must be part of the producer's open
// transaction (KIP-890). Clients up to version 11 added it before; for later ones Produce itself adds it. Not the append (produce.ts).
//
// Adding waits for the log. Requests of a connection keep their order all the same: those behind it wait as well.

import { batchHeaderBytes, ErrorCode, isTransactional, magicOf, producerEpochOf, producerIdOf } from '../../../protocol/index.ts'
import type { PartitionProduceData, ProduceRequest } from '../../../protocol/generated/produce.ts'
import type { TopicPartition } from '../../../transactions/index.ts'
import type { Call } from '../../front/call.ts'
import type { ConnectionFacts } from '../../listener/connection.ts'
import type { HandlerPorts, TopicView } from '../../ports.ts'
import { partitionCodeOf } from './transaction-errors.ts'

/** Here Produce adds partitions to the transaction by itself. */
const addsFrom = 12

/** The batches that are refused, and with what. */
export type Refusals = ReadonlyMap<PartitionProduceData, number>

const none: Refusals = new Map()

interface Asked extends TopicPartition {
  readonly data: PartitionProduceData
  readonly producerId: number
  readonly producerEpoch: number
}

export function hasTransactionalBatch(request: ProduceRequest): boolean {
  return request.topicData.some(({ partitionData }) => partitionData.some((data) => isTransactionalBatch(data)))
}

function isTransactionalBatch({ records }: PartitionProduceData): boolean {
  const batch = records?.[0]
  return batch !== undefined && batch.length >= batchHeaderBytes && magicOf(batch) === 2 && isTransactional(batch)
}

export class ProduceAdmission {
  readonly #ports: HandlerPorts
  /** By connection: done when the appends of its last request that had to wait have begun. */
  readonly #gates = new WeakMap<ConnectionFacts, Promise<void>>()

  constructor(ports: HandlerPorts) {
    this.#ports = ports
  }

  /** Calls `append` with what is refused, in the order of the connection's requests: at once when nothing has to be waited for. */
  admit<Result>(
    request: ProduceRequest,
    call: Call,
    append: (refusals: Refusals) => Result | Promise<Result>,
  ): Result | Promise<Result> {
    const { connection } = call
    const before = this.#gates.get(connection)
    const refusals = before === undefined ? this.#check(request, call) : before.then(() => this.#check(request, call))
    if (!(refusals instanceof Promise)) return append(refusals)
    // What `append` answers may be long in coming; only that it has begun counts for who comes after.
    const begun = refusals.then((known) => ({ result: append(known) }))
    const gate = begun.then(
      () => undefined,
      () => undefined,
    )
    this.#gates.set(connection, gate)
    void gate.then(() => {
      if (this.#gates.get(connection) === gate) this.#gates.delete(connection)
    })
    return begun.then(({ result }) => result)
  }

  #check(request: ProduceRequest, call: Call): Refusals | Promise<Refusals> {
    const { transactionalId } = request
    if (transactionalId === null) return none
    const [first, ...others] = this.#asked(request, call)
    if (first === undefined) return none
    const { transactions } = this.#ports
    if (call.version >= addsFrom) return this.#add(transactionalId, [first, ...others])
    const refusals = new Map<PartitionProduceData, number>()
    for (const { data, topic, partition, ...producer } of [first, ...others]) {
      const errorCode = partitionCodeOf(transactions.verify(transactionalId, producer, { topic, partition }), false)
      if (errorCode !== ErrorCode.NONE) refusals.set(data, errorCode)
    }
    return refusals
  }

  async #add(transactionalId: string, asked: readonly [Asked, ...Asked[]]): Promise<Refusals> {
    const refusals = new Map<PartitionProduceData, number>()
    const partitions = asked.map(({ topic, partition }) => ({ topic, partition }))
    // A producer has one id and epoch; whoever mixes them is refused where they differ from the first.
    const [{ producerId, producerEpoch }] = asked
    const added = await this.#ports.transactions.add(transactionalId, {
      producer: { producerId, producerEpoch },
      partitions,
      clientVersion: 2,
    })
    for (const one of asked) {
      if (one.producerId !== producerId || one.producerEpoch !== producerEpoch)
        refusals.set(one.data, ErrorCode.INVALID_TXN_STATE)
      else if (!added.ok) refusals.set(one.data, partitionCodeOf(added.failure, true))
    }
    return refusals
  }

  /** The transactional batches whose partitions do not know of the producer's transaction yet. */
  #asked(request: ProduceRequest, call: Call): Asked[] {
    const asked: Asked[] = []
    for (const { name, topicId, partitionData } of request.topicData) {
      const topic = this.#topic(call, name, topicId)
      for (const data of partitionData) {
        const view = topic?.partitions[data.index]
        const batch = data.records?.[0]
        if (topic === undefined || view === undefined || batch === undefined || !isTransactionalBatch(data)) continue
        const producer = { producerId: producerIdOf(batch), producerEpoch: producerEpochOf(batch) }
        if (!view.isInTransaction(producer.producerId, producer.producerEpoch))
          asked.push({ ...producer, data, topic: topic.name, partition: data.index })
      }
    }
    return asked
  }

  #topic(call: Call, name: string, topicId: string): TopicView | undefined {
    const { broker } = this.#ports
    return call.version >= 13 ? broker.topicById(topicId as TopicView['id']) : broker.topicByName(name)
  }
}
