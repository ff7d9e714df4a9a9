// Owns comparing the leader epoch a client believes in with the partition's own. Not how epochs come to be.

import { ErrorCode } from '../../protocol/index.ts'
import type { PartitionView } from '../ports.ts'

/** The error for a client that is behind or ahead; NONE when it is right or does not say (−1). */
export function epochFault(partition: PartitionView, currentLeaderEpoch: number): number {
  if (currentLeaderEpoch < 0 || currentLeaderEpoch === partition.leaderEpoch) return ErrorCode.NONE
  return currentLeaderEpoch < partition.leaderEpoch ? ErrorCode.FENCED_LEADER_EPOCH : ErrorCode.UNKNOWN_LEADER_EPOCH
}
