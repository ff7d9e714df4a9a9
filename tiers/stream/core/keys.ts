// Owns the names of what a life writes in the bucket. Numbers are zero-padded, so that byte order is number order.
//
//   cluster/<life>/claim   cluster/<life>/open      who took the life, and the moment it began to serve
//   wal/<life>/<node>/<seq>                         committed entries of partitions, or the fence that ended the writer
//   metadata/wal/<life>/<seq>                       committed entries of the metadata group, or the fence
//   metadata/snapshots/<life>/<seq>                 the metadata machine
//   snapshots/<life>/<node>/<seq>                   all groups of a node
//   heartbeat/<life>/<node>                         a sign of life, overwritten
//   segments/<topic id>/<partition>/…               tier 2 (tiers/segment)

import type { LifeNumber, NodeId } from '../../../src/model/ids.ts'

const padded = (value: number, digits: number): string => String(value).padStart(digits, '0')

export const lifePrefix = 'cluster/'
export const claimKey = (life: LifeNumber): string => `${lifePrefix}${padded(life, 10)}/claim`
export const openKey = (life: LifeNumber): string => `${lifePrefix}${padded(life, 10)}/open`
export const walPrefix = (life: LifeNumber, node: NodeId): string => `wal/${padded(life, 10)}/${padded(node, 10)}/`
export const metadataWalPrefix = (life: LifeNumber): string => `metadata/wal/${padded(life, 10)}/`
export const metadataSnapshotPrefix = (life: LifeNumber): string => `metadata/snapshots/${padded(life, 10)}/`
export const groupSnapshotPrefix = (life: LifeNumber, node: NodeId): string =>
  `snapshots/${padded(life, 10)}/${padded(node, 10)}/`
export const heartbeatKey = (life: LifeNumber, node: NodeId): string => `heartbeat/${padded(life, 10)}/${padded(node, 10)}`
export const numberedKey = (prefix: string, sequence: number): string => `${prefix}${padded(sequence, 16)}`

/** The number a key ends with; undefined when it is not one of ours. */
export function sequenceOfKey(key: string): number | undefined {
  const match = /(?:^|\/)(\d{16})$/.exec(key)
  return match === null ? undefined : Number(match[1])
}
