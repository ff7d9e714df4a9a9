// Owns answering WriteTxnMarkers: transactions ended by whoever may, for instance `kafka-transactions abort` of one that hangs (KIP-664).

import { ApiKey, ErrorCode } from '../../../protocol/index.ts'
import {
  readWriteTxnMarkersRequest,
  type WritableTxnMarker,
  writableTxnMarkerPartitionResult,
  type WritableTxnMarkerResult,
  writableTxnMarkerResult,
  writableTxnMarkerTopicResult,
  writeWriteTxnMarkersResponse,
  type WriteTxnMarkersRequest,
  type WriteTxnMarkersResponse,
  writeTxnMarkersResponse,
} from '../../../protocol/generated/write-txn-markers.ts'
import { isOpError } from '../../../base/op-error.ts'
import { type ServedApi, serve } from '../../front/served-api.ts'
import type { HandlerPorts } from '../../ports.ts'
import { producerOf } from './transaction-errors.ts'

const codes = {
  written: ErrorCode.NONE,
  gone: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  fenced: ErrorCode.INVALID_PRODUCER_EPOCH,
} as const

export function writeTxnMarkersApi(ports: HandlerPorts): ServedApi {
  return serve<WriteTxnMarkersRequest, WriteTxnMarkersResponse>({
    key: ApiKey.WriteTxnMarkers,
    order: 'serial',
    read: readWriteTxnMarkersRequest,
    write: writeWriteTxnMarkersResponse,
    handle: async (request, call) => {
      const markers = await Promise.all(
        request.markers.map((marker) =>
          resultOf(marker, async (topic, partition) => {
            const errorCode = await write(ports, marker, topic, partition)
            call.countError(errorCode)
            return errorCode
          }),
        ),
      )
      return writeTxnMarkersResponse({ markers })
    },
    failed: (request, errorCode) =>
      writeTxnMarkersResponse({
        markers: request.markers.map(({ producerId, topics }) =>
          writableTxnMarkerResult({
            producerId,
            topics: topics.map(({ name, partitionIndexes }) =>
              writableTxnMarkerTopicResult({
                name,
                partitions: partitionIndexes.map((partitionIndex) =>
                  writableTxnMarkerPartitionResult({ partitionIndex, errorCode }),
                ),
              }),
            ),
          }),
        ),
      }),
  })
}

async function resultOf(
  { producerId, topics }: WritableTxnMarker,
  writeOne: (topic: string, partition: number) => Promise<number>,
): Promise<WritableTxnMarkerResult> {
  const results = topics.map(async ({ name, partitionIndexes }) => {
    const partitions = partitionIndexes.map(async (partitionIndex) =>
      writableTxnMarkerPartitionResult({ partitionIndex, errorCode: await writeOne(name, partitionIndex) }),
    )
    return writableTxnMarkerTopicResult({ name, partitions: await Promise.all(partitions) })
  })
  return writableTxnMarkerResult({ producerId, topics: await Promise.all(results) })
}

async function write({ markers }: HandlerPorts, marker: WritableTxnMarker, topic: string, partition: number): Promise<number> {
  const { producerId, producerEpoch, transactionResult, coordinatorEpoch } = marker
  const result = transactionResult ? 'commit' : 'abort'
  try {
    const ended = { ...producerOf(producerId, producerEpoch), result, coordinatorEpoch } as const
    return codes[await markers.write({ topic, partition }, ended)]
  } catch (error) {
    if (!isOpError(error)) throw error
    return ErrorCode.NOT_LEADER_OR_FOLLOWER
  }
}
