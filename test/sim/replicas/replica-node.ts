/**
 * Owns one simulated broker of a cluster: the real partitions over the real Raft logs, WAL and core of a simulated node. Not who asks it for what
 * (replicas.ts).
 */
import { silentLog } from '../../../src/base/log.ts'
import { crc32c } from '../../../src/base/node/native-crc32c.ts'
import { OpError } from '../../../src/base/op-error.ts'
import { PartitionState, resolveTopicSettings } from '../../../src/broker/core/index.ts'
import { HotCache } from '../../../src/broker/hot-cache.ts'
import { type BrokerWorld, Partition } from '../../../src/broker/index.ts'
import { groupNumber, leaderEpoch, logIndex, topicId, type GroupNumber, type LogIndex } from '../../../src/model/ids.ts'
import type { WalPosition } from '../../../src/model/entry.ts'
import type { PlacedEntry, ReplicaListener } from '../../../src/model/replicated-log.ts'
import type { RaftEntry } from '../../../src/raft/core/index.ts'
import type { MultiRaft } from '../../../src/raft/driver/multi-raft.ts'
import type { StoredGroups } from '../../../src/raft/driver/wal-store.ts'
import { RaftLogs } from '../../../src/raft/log/raft-logs.ts'
import type { RoleView } from '../../../src/raft/ports.ts'
import { SimNode } from '../raft/sim-node.ts'

/** So small that most is read from the WAL. */
const hotBytes = 2_000
/** All nodes are given the same time: what they come to can be compared byte by byte. */
const nowMs = 1_700_000_000_000

export interface ReplicaObserver {
  onLeading(node: ReplicaNode, group: number, term: number): void
  onCounted(what: string): void
}

const withoutBucket = (): OpError => new OpError('missing', { code: 'NO_BUCKET', detail: 'this simulation has no bucket' })
const noBucket = (): never => {
  throw withoutBucket()
}

export class ReplicaNode extends SimNode implements ReplicaListener {
  replicas = new Map<number, Partition>()
  observed: ReplicaObserver | undefined
  #logs: RaftLogs | undefined

  protected override openGroups(raft: MultiRaft, stored: StoredGroups): void {
    const logs = new RaftLogs({ listener: this, snapshots: this.#snapshots, onLeader: () => undefined })
    this.#logs = logs
    this.replicas = new Map()
    logs.attach(raft)
    const world = this.#world(logs)
    const hot = new HotCache(hotBytes)
    for (const [number, configuration] of this.options.firstMembers) {
      const group = groupNumber(number)
      // All there is stands in the WAL: it comes once more.
      const log = logs.open(group, { stored: stored.groups.get(number), applied: { index: 0, configuration } }, 0)
      const state = new PartitionState(topicId('AAAAAAAAQACAAAAAAAAAAQ'), number)
      const settings = resolveTopicSettings(new Map(), new Map())
      const parts = { topicName: 't', state, log, settings, world, hot, onForgotten: () => undefined }
      this.replicas.set(number, new Partition(parts))
    }
  }

  get #snapshots() {
    return { prepare: () => Promise.reject(withoutBucket()), install: noBucket, wantSnapshot: noBucket }
  }

  #world(logs: RaftLogs): BrokerWorld {
    const { process, written } = this
    return {
      clock: {
        nowMs: () => nowMs,
        monotonicMs: () => process!.monotonicMs(),
        after: (ms, callback) => process!.after(ms, callback),
        afterTurn: (callback) => process!.afterTurn(callback),
      },
      log: silentLog,
      idSource: { nextId: () => new Uint8Array(16) },
      crc32c,
      logs: {
        open: noBucket,
        close: noBucket,
        setUrgent: noBucket,
        get positionOfLast() {
          return logs.positionOfLast
        },
        readMany: (positions) => written!.readMany(positions),
        oldestFile: 0,
        whenAllowed: (acknowledge) => acknowledge(),
      },
      archive: { readSegment: noBucket, readExtent: noBucket, segmentBatchAt: noBucket, forget: noBucket },
      findByTimestamp: () => undefined,
      openRecords: noBucket,
    }
  }

  // --- told by the driver, and by the logs

  override apply(group: number, entries: readonly RaftEntry[]): void {
    this.#logs?.apply(group, entries)
  }

  override moved(group: number): void {
    this.observed?.onCounted('moved')
    this.#logs?.moved(group)
  }

  override onRole(group: number, view: RoleView): void {
    this.#logs?.onRole(group, view)
  }

  onCommitted(group: GroupNumber, index: LogIndex): void {
    this.replicas.get(group)?.onCommitted(index)
  }

  onStreamed(): void {}

  onReplicated(group: GroupNumber, entries: readonly PlacedEntry[]): void {
    this.replicas.get(group)?.onReplicated(entries)
  }

  onPlaced(group: GroupNumber, index: LogIndex, position: WalPosition): void {
    this.replicas.get(group)?.onPlaced(logIndex(index), position)
  }

  onLeading(group: GroupNumber, term: number): void {
    this.observed?.onLeading(this, group, leaderEpoch(term))
  }

  onDeposed(group: GroupNumber): void {
    const replica = this.replicas.get(group)!
    const before = replica.logEndOffset
    replica.onDeposed()
    this.observed?.onCounted('deposed')
    if (replica.logEndOffset < before) this.observed?.onCounted('taken back')
  }
}
