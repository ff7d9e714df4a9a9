// Owns answering DescribeLogDirs: the one folder on this node's disk, and how large each partition is, in whichever tier its records lie.

import { ApiKey } from '../../protocol/index.ts'
import {
  type DescribableLogDirTopic,
  describeLogDirsPartition,
  type DescribeLogDirsRequest,
  type DescribeLogDirsResponse,
  describeLogDirsResponse,
  describeLogDirsResult,
  type DescribeLogDirsTopic,
  describeLogDirsTopic,
  readDescribeLogDirsRequest,
  writeDescribeLogDirsResponse,
} from '../../protocol/generated/describe-log-dirs.ts'
import { type ServedApi, serve } from '../front/served-api.ts'
import type { HandlerPorts, TopicView } from '../ports.ts'

export function describeLogDirsApi(ports: HandlerPorts): ServedApi {
  return serve<DescribeLogDirsRequest, DescribeLogDirsResponse>({
    key: ApiKey.DescribeLogDirs,
    order: 'pipelined',
    read: readDescribeLogDirsRequest,
    write: writeDescribeLogDirsResponse,
    handle: async (request) => {
      const { path, space } = ports.logDir
      const { totalBytes, usableBytes } = await space()
      const topics = wantedOf(ports, request.topics)
      const volume = { totalBytes: BigInt(totalBytes), usableBytes: BigInt(usableBytes) }
      return describeLogDirsResponse({ results: [describeLogDirsResult({ logDir: path, topics, ...volume })] })
    },
    failed: (_request, errorCode, { version }) =>
      version >= 3
        ? describeLogDirsResponse({ errorCode })
        : describeLogDirsResponse({ results: [describeLogDirsResult({ errorCode, logDir: ports.logDir.path })] }),
  })
}

/** As Kafka: what is not here is left out, for another broker may have it. */
function wantedOf({ broker }: HandlerPorts, wanted: readonly DescribableLogDirTopic[] | null): DescribeLogDirsTopic[] {
  if (wanted === null) return [...broker.topics()].map((topic) => sizesOf(topic, undefined))
  return wanted.flatMap(({ topic: name, partitions }) => {
    const topic = broker.topicByName(name)
    return topic === undefined ? [] : [sizesOf(topic, new Set(partitions))]
  })
}

function sizesOf({ name, partitions }: TopicView, wanted: ReadonlySet<number> | undefined): DescribeLogDirsTopic {
  return describeLogDirsTopic({
    name,
    partitions: partitions
      .filter(({ index }) => wanted?.has(index) ?? true)
      .map(({ index, sizeBytes }) => describeLogDirsPartition({ partitionIndex: index, partitionSize: BigInt(sizeBytes) })),
  })
}
