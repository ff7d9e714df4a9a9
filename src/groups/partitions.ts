// Owns which partitions of `__consumer_offsets` are served here: loading, starting, snapshots, stopping, changes that concern all
// of them, and the one timer. Not requests (runtime.ts) nor one partition's life (partition-run.ts).

import { assert } from '../base/assert.ts'
import type { Cancel, Clock } from '../base/clock.ts'
import type { Crc32c } from '../base/crc32c.ts'
import type { Log } from '../base/log.ts'
import { OpError } from '../base/op-error.ts'
import { fail, type Outcome, succeed } from '../base/outcome.ts'
import type { IdSource } from '../base/prng.ts'
import { coordinatorPartitionOf } from '../model/coordinator-partition.ts'
import type { CommittedOffset } from './core/durable.ts'
import type { GroupError, Instant } from './core/messages.ts'
import type { SetBackOffset } from './core/offsets.ts'
import { assertSettings, type GroupSettings } from './core/settings.ts'
import { decodeSnapshot, encodeSnapshot } from './core/snapshot.ts'
import { PartitionRun } from './partition-run.ts'
import type { GroupTopics, LoggedRecord, OffsetsLog } from './ports.ts'
import { decodeRecord } from './record-codec.ts'
import { BrokerTopics } from './topic-view.ts'

export interface GroupCoordinatorOptions {
  readonly clock: Clock
  readonly ids: IdSource
  readonly log: Log
  readonly crc32c: Crc32c
  readonly offsetsLog: OffsetsLog
  readonly topics: GroupTopics
  readonly settings: GroupSettings
}

export interface GroupCommittedOffset extends CommittedOffset {
  readonly groupId: string
  readonly topic: string
  readonly partition: number
}

/** Figures for metrics and the console, over all partitions served here. */
export interface GroupFacts {
  readonly groupsByState: Readonly<Record<string, number>>
  readonly members: number
  readonly waitingRequests: number
  readonly rebalances: number
  readonly commits: number
  readonly expiredOffsets: number
  readonly expiredMembers: number
}

export class GroupPartitions {
  protected readonly options: GroupCoordinatorOptions
  readonly #topics: BrokerTopics
  readonly #runs = new Map<number, PartitionRun>()
  #armedMs = Infinity
  #disarm: Cancel | undefined
  #closed = false

  constructor(options: GroupCoordinatorOptions) {
    assertSettings(options.settings)
    this.options = options
    this.#topics = new BrokerTopics(options.topics)
  }

  partitionFor(groupId: string): number {
    return coordinatorPartitionOf(groupId, this.options.offsetsLog.partitionCount)
  }

  /** Starts loading a partition: until `startPartition`, its clients are told to wait. `replay` and `restore` do it too. */
  loadPartition(partition: number): void {
    this.#loadingRun(partition)
  }

  /** Applies one committed record of the log, in its order. Records of kinds that are not ours count as `ignored`. */
  replay(partition: number, record: LoggedRecord): Outcome<'applied' | 'ignored', string> {
    const run = this.#loadingRun(partition)
    const decoded = decodeRecord(record)
    if (!decoded.ok) return fail(decoded.failure)
    if (decoded.value === undefined) return succeed('ignored')
    run.machine.replay(decoded.value, record.producerId)
    return succeed('applied')
  }

  /** Applies a committed end-transaction marker of the partition: at start, in the log's order, and while it is served. */
  onTransactionEnd(partition: number, producerId: number, outcome: 'commit' | 'abort'): void {
    const run = this.#runs.get(partition) ?? this.#loadingRun(partition)
    if (run.state !== 'stopped') run.machine.endTransaction(producerId, outcome, this.now())
  }

  /** Opens a partition whose state is complete; sessions start afresh. */
  startPartition(partition: number): void {
    this.#loadingRun(partition).start()
  }

  /** The partition is led elsewhere: who waits is sent there. Resolves when nothing of it is on its way. */
  async stopPartition(partition: number): Promise<void> {
    const run = this.#runs.get(partition)
    this.#runs.delete(partition)
    await run?.stop('NOT_COORDINATOR')
  }

  /** The committed state of a partition: what `replay` of every record up to now would give. */
  snapshot(partition: number): Uint8Array {
    const run = this.#runs.get(partition)
    assert(run !== undefined, 'GROUP-12: a snapshot is taken of a partition that is here')
    return encodeSnapshot(run.machine.durable, this.options.crc32c)
  }

  /** Takes a snapshot as the start of a partition's state; the records after it are replayed on top. */
  restore(partition: number, bytes: Uint8Array): Outcome<void, string> {
    const decoded = decodeSnapshot(bytes, this.options.crc32c)
    if (!decoded.ok) return decoded
    this.#loadingRun(partition).machine.load(decoded.value)
    return succeed(undefined)
  }

  /** I8: sets back every committed offset of the partition beyond its end. Before or after the start of the groups' partitions. */
  async setBack(topic: string, partition: number, endOffset: number): Promise<readonly SetBackOffset[]> {
    const at = { topic, partition, endOffset }
    const changes = [...this.#runs.values()].map((run) => run.change((tickets, now) => run.machine.setBack(at, tickets, now)))
    return (await this.#allChanged(changes, `set back offsets of ${topic}-${partition}`)).flat()
  }

  /** Removes the offsets of a deleted topic; with its id, those of another topic of that name stay. Returns how many. */
  async onTopicDeleted(topic: string, topicId?: string): Promise<number> {
    if (this.#closed) return 0
    const changes = [...this.#runs.values()].map((run) =>
      run.change((tickets, now) => run.machine.topicDeleted(topic, topicId, tickets, now)),
    )
    return (await this.#allChanged(changes, `remove offsets of ${topic}`)).reduce((sum, count) => sum + count, 0)
  }

  /** All who wait are told to find the coordinator again. Resolves when nothing is on its way any more. */
  async close(): Promise<void> {
    this.#closed = true
    this.#disarm?.()
    await Promise.all([...this.#runs.values()].map((run) => run.stop('COORDINATOR_NOT_AVAILABLE')))
  }

  /** Every committed offset of the partitions here, for drills and lag: what is on its way is not among them. */
  *committedOffsets(): Generator<GroupCommittedOffset> {
    for (const run of this.#runs.values()) {
      for (const [groupId, group] of run.machine.durable.groups) {
        for (const [topic, partitions] of group.offsets) {
          for (const [partition, committed] of partitions) yield { groupId, topic, partition, ...committed }
        }
      }
    }
  }

  facts(): GroupFacts {
    const groupsByState = {
      Empty: 0,
      PreparingRebalance: 0,
      CompletingRebalance: 0,
      Assigning: 0,
      Reconciling: 0,
      Stable: 0,
      Dead: 0,
    }
    const sums = { members: 0, waitingRequests: 0, rebalances: 0, commits: 0, expiredOffsets: 0, expiredMembers: 0 }
    for (const run of this.#runs.values()) {
      sums.waitingRequests += run.waitingCount
      sums.rebalances += run.machine.counts.rebalances
      sums.commits += run.machine.counts.commits
      sums.expiredOffsets += run.machine.counts.expiredOffsets
      sums.expiredMembers += run.machine.counts.expiredMembers
      for (const group of run.machine.groups.values()) {
        groupsByState[run.machine.stateOf(group)] += 1
        sums.members += group.members.size + (run.machine.durable.get(group.groupId)?.consumer?.subscribers.size ?? 0)
      }
    }
    return { groupsByState, ...sums }
  }

  protected get runs(): Iterable<PartitionRun> {
    return this.#runs.values()
  }

  /** The run that serves a group, or why there is none. */
  protected runFor(groupId: string): PartitionRun | GroupError {
    if (this.#closed) return 'COORDINATOR_NOT_AVAILABLE'
    const run = this.#runs.get(this.partitionFor(groupId))
    return run === undefined ? 'NOT_COORDINATOR' : (run.refusal ?? run)
  }

  protected now(): Instant {
    return { monotonicMs: this.options.clock.monotonicMs(), wallMs: this.options.clock.nowMs() }
  }

  #loadingRun(partition: number): PartitionRun {
    const { offsetsLog, settings, log } = this.options
    assert(partition >= 0 && partition < offsetsLog.partitionCount, 'GROUP-13: a partition is one of __consumer_offsets')
    assert(!this.#closed, 'GROUP-14: a closed coordinator loads nothing')
    let run = this.#runs.get(partition)
    if (run === undefined) {
      const rearm = (nextDeadlineMs: number): void => {
        this.#arm(nextDeadlineMs)
      }
      run = new PartitionRun(partition, settings, {
        log: offsetsLog,
        topics: this.#topics,
        report: log,
        now: () => this.now(),
        rearm,
      })
      this.#runs.set(partition, run)
    }
    return run
  }

  async #allChanged<Value>(
    changes: readonly Promise<{ value: Value; error: GroupError }>[],
    what: string,
  ): Promise<readonly Value[]> {
    const done = await Promise.all(changes)
    const failed = done.find((one) => one.error !== 'NONE')
    if (failed === undefined) return done.map((one) => one.value)
    throw new OpError('retry', {
      code: 'GROUP_CHANGE_FAILED',
      detail: `Could not ${what} (${failed.error}); doing it again is safe.`,
    })
  }

  #arm(nextMs: number): void {
    if (this.#closed || nextMs >= this.#armedMs) return
    this.#disarm?.()
    this.#armedMs = nextMs
    this.#disarm = this.options.clock.after(Math.max(0, nextMs - this.options.clock.monotonicMs()), () => {
      this.#onTimer()
    })
  }

  #onTimer(): void {
    this.#armedMs = Infinity
    for (const run of [...this.#runs.values()]) {
      const now = this.now()
      if (run.state !== 'active' || run.machine.nextDeadlineMs > now.monotonicMs) continue
      run.machine.onTimer(now)
      run.step()
    }
    let nextMs = Infinity
    for (const run of this.#runs.values()) nextMs = Math.min(nextMs, run.machine.nextDeadlineMs)
    this.#arm(nextMs)
  }
}
