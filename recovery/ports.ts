// Owns what recovery needs from its surroundings and what it hands to the broker. Not how a node runs afterwards.

import type { Clock } from '../src/base/clock.ts'
import type { Crc32c } from '../src/base/crc32c.ts'
import type { Log } from '../src/base/log.ts'
import type { IdSource } from '../src/base/prng.ts'
import type { ClusterState, PartitionState, TailBatch } from '../src/broker/core/index.ts'
import type { EntryKind, WalPosition } from '../src/model/entry.ts'
import type { GroupNumber, LeaderEpoch, LifeNumber, NodeId } from '../src/model/ids.ts'
import type { ObjectStore, Wal } from '../tiers/ports.ts'
import type { RecoveryReport } from './report.ts'

/** What the local WAL holds of one entry. */
export interface LocalEntry {
  readonly group: GroupNumber
  readonly term: LeaderEpoch
  readonly index: number
  readonly kind: EntryKind
  readonly position: WalPosition
  /** Of a control or metadata entry: a copy of its payload. Of a batch: a copy of its header. */
  readonly bytes: Uint8Array
}

/** A place of the local WAL that had been synced and is not what was written. */
export interface WalDamage {
  /** For a person. */
  readonly what: string
  readonly file: number
  readonly at: number
  /** `none`: between entries. `named`: this entry and nothing else. `unknown`: any number of entries of any group. */
  readonly lost: 'none' | 'unknown' | { readonly group: GroupNumber; readonly index: number }
}

/** Who a WAL folder belongs to. */
export interface WalIdentity {
  readonly clusterId: string
  readonly life: number
  readonly node: number
}

export interface LocalWal {
  readonly wal: Wal
  readonly identity: WalIdentity | undefined
  /** In the order they were written. */
  readonly entries: readonly LocalEntry[]
  readonly damage: readonly WalDamage[]
  readonly tornAt: WalPosition | undefined
  /** Makes the folder belong to a life, durably. */
  writeIdentity(identity: WalIdentity): Promise<void>
}

export interface RecoveryWorld {
  readonly store: ObjectStore
  readonly requests: () => number
  /** Proves conditional writes on the bucket and answers the store's own clock. */
  readonly probe: () => Promise<{ readonly storeNowMs: number }>
  readonly openWal: () => Promise<LocalWal>
  readonly node: NodeId
  readonly nodeName: string
  readonly clock: Clock
  readonly crc32c: Crc32c
  readonly idSource: IdSource
  readonly log: Log
  readonly progress: (phase: string, detail: string) => void
  readonly takeover: boolean
  readonly acceptWalLoss: boolean
  readonly heartbeatMs: number
}

/** A partition as recovered. */
export interface RecoveredPartition {
  readonly group: GroupNumber
  readonly state: PartitionState
  /** The last entry that is in the bucket. */
  readonly streamedIndex: number
  /** Batches beyond it, from the local WAL. */
  readonly tail: readonly TailBatch[]
}

/** A coordinator's view of one `__consumer_offsets` partition, as its owner encoded it. */
export interface RecoveredCoordinator {
  readonly group: GroupNumber
  readonly appliedIndex: number
  readonly bytes: Uint8Array
}

export interface Recovered {
  readonly clusterId: string
  readonly life: LifeNumber
  /** Higher than any term before. */
  readonly term: LeaderEpoch
  readonly wal: Wal
  readonly cluster: ClusterState
  readonly metadata: { readonly lastIndex: number; readonly streamedIndex: number }
  readonly partitions: ReadonlyMap<GroupNumber, RecoveredPartition>
  readonly coordinators: ReadonlyMap<GroupNumber, RecoveredCoordinator>
  /** Entries of the local WAL that are not in the bucket yet, in the order they were written. */
  readonly toStream: readonly LocalEntry[]
  readonly nextSequence: {
    readonly data: number
    readonly metadata: number
    readonly dataSnapshot: number
    readonly metadataSnapshot: number
  }
  readonly report: RecoveryReport
}
