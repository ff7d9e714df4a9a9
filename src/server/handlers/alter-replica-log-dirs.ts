// Owns answering AlterReplicaLogDirs as a Kafka with one log folder does: what is to go there is there already, and there is no other.

import { ApiKey, ErrorCode } from '../../protocol/index.ts'
import {
  alterReplicaLogDirPartitionResult,
  type AlterReplicaLogDirsRequest,
  type AlterReplicaLogDirsResponse,
  alterReplicaLogDirsResponse,
  alterReplicaLogDirTopicResult,
  readAlterReplicaLogDirsRequest,
  writeAlterReplicaLogDirsResponse,
} from '../../protocol/generated/alter-replica-log-dirs.ts'
import { type ServedApi, serve } from '../front/served-api.ts'
import type { HandlerPorts } from '../ports.ts'

type CodeOf = (dir: string, topic: string, partition: number) => number

export function alterReplicaLogDirsApi({ broker, logDir }: HandlerPorts): ServedApi {
  const codeOf: CodeOf = (dir, topic, partition) => {
    if (dir !== logDir.path) return ErrorCode.LOG_DIR_NOT_FOUND
    return broker.topicByName(topic)?.partitions[partition] === undefined ? ErrorCode.REPLICA_NOT_AVAILABLE : ErrorCode.NONE
  }
  return serve<AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse>({
    key: ApiKey.AlterReplicaLogDirs,
    order: 'pipelined',
    read: readAlterReplicaLogDirsRequest,
    write: writeAlterReplicaLogDirsResponse,
    handle: (request) => answered(request, codeOf),
    failed: (request, errorCode) => answered(request, () => errorCode),
  })
}

function answered({ dirs }: AlterReplicaLogDirsRequest, codeOf: CodeOf): AlterReplicaLogDirsResponse {
  const results = dirs.flatMap(({ path, topics }) =>
    topics.map(({ name, partitions }) =>
      alterReplicaLogDirTopicResult({
        topicName: name,
        partitions: partitions.map((partitionIndex) =>
          alterReplicaLogDirPartitionResult({ partitionIndex, errorCode: codeOf(path, name, partitionIndex) }),
        ),
      }),
    ),
  )
  return alterReplicaLogDirsResponse({ results })
}
