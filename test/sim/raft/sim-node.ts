/**
 * Owns one simulated node: the driver, the real WAL over a disk in memory, a clock of its own rate, and state machines that remember all
 * they were given. It can die, lose power, stand still and start again. Not what is asked of it (simulation.ts).
 */
import { inspect, isDeepStrictEqual } from 'node:util'
import type { Cancel, Clock } from '../../../src/base/clock.ts'
import { silentLog } from '../../../src/base/log.ts'
import { crc32c } from '../../../src/base/node/native-crc32c.ts'
import { type Prng, seededPrng } from '../../../src/base/prng.ts'
import type { Configuration, RaftEntry, RaftSnapshot } from '../../../src/raft/core/index.ts'
import { MultiRaft } from '../../../src/raft/driver/multi-raft.ts'
import type { MultiRaftSettings } from '../../../src/raft/driver/settings.ts'
import { StoredGroups, WalStore } from '../../../src/raft/driver/wal-store.ts'
import type { Envelope, GroupMachines, RaftTransport, RoleView } from '../../../src/raft/ports.ts'
import { decodeFrame, encodeMessages } from '../../../src/raft/transport/wire.ts'
import { openWal } from '../../../tiers/wal/index.ts'
import { ObservedWal, type Written } from './observed-wal.ts'
import { MemoryDisk } from '../../unit/tiers/wal/memory-disk.ts'
import type { Network, Timeline } from './world.ts'

const kib = 1024

/** What a state machine is after an entry. */
export interface Applied {
  readonly index: number
  readonly term: number
  /** Over all entries up to here. */
  readonly hash: number
  readonly configuration: Configuration
}

export interface Observer {
  /** An entry was applied. */
  onApplied(node: SimNode, group: number, entry: RaftEntry, now: Applied): void
  onInstalled(node: SimNode, group: number, snapshot: RaftSnapshot, now: Applied): void
  /** Before it is on its way. */
  onSent(node: SimNode, to: number, envelopes: readonly Envelope[]): void
  /** Before the node takes it. */
  onDelivered(node: SimNode, envelopes: readonly Envelope[]): void
  onRole(node: SimNode, group: number, view: RoleView): void
  onFatal(node: SimNode, error: unknown): void
}

/** Where snapshots are: by key, as bytes in a bucket. */
export interface SnapshotBucket {
  readonly objects: Map<string, Applied>
  /** Of 1: an object is not to be had. */
  missing: number
}

export interface SimNodeOptions {
  readonly id: number
  readonly seed: number
  readonly timeline: Timeline
  readonly network: Network
  readonly settings: MultiRaftSettings
  readonly bucket: SnapshotBucket
  readonly observer: Observer
  readonly nodeOf: (id: number) => SimNode | undefined
  /** The members each group begins with. */
  readonly firstMembers: ReadonlyMap<number, Configuration>
}

/** One process: dies with everything it has. */
class Process implements Clock {
  readonly #timeline: Timeline
  readonly #rate: number
  readonly #startedMs: number
  isAlive = true
  /** Held still until then, by true time. */
  heldUntilMs = 0

  constructor(timeline: Timeline, rate: number) {
    this.#timeline = timeline
    this.#rate = rate
    this.#startedMs = timeline.nowMs
  }

  nowMs(): number {
    return this.monotonicMs()
  }

  /** Begins anew with each process. */
  monotonicMs(): number {
    return 1_000 + (this.#timeline.nowMs - this.#startedMs) * this.#rate
  }

  trueMsOf(monotonicMs: number): number {
    return this.#startedMs + (monotonicMs - 1_000) / this.#rate
  }

  after(delayMs: number, callback: () => void): Cancel {
    let isCancelled = false
    this.#timeline.at(this.#timeline.nowMs + delayMs / this.#rate, () => {
      this.do(() => {
        if (!isCancelled) callback()
      })
    })
    return () => {
      isCancelled = true
    }
  }

  afterTurn(callback: () => void): void {
    this.#timeline.at(this.#timeline.nowMs, () => this.do(callback))
  }

  /** Now, or when it moves again; never once it is dead. */
  do(callback: () => void): void {
    if (!this.isAlive) return
    if (this.heldUntilMs > this.#timeline.nowMs) this.#timeline.at(this.heldUntilMs, () => this.do(callback))
    else callback()
  }
}

export class SimNode implements GroupMachines, RaftTransport {
  readonly id: number
  disk = new MemoryDisk()
  raft: MultiRaft | undefined
  store: WalStore | undefined
  process: Process | undefined
  /** What the running process has appended to its WAL. */
  written: ObservedWal | undefined
  /** What the machines of the running process have come to. */
  readonly applied = new Map<number, Applied>()
  /** Of all syncs, while the disk is slow. */
  syncMsMax = 4
  starts = 0
  protected readonly options: SimNodeOptions
  readonly #prng: Prng
  readonly #rate: number

  constructor(options: SimNodeOptions, rate: number) {
    this.id = options.id
    this.options = options
    this.#prng = seededPrng(options.seed)
    this.#rate = rate
  }

  get isUp(): boolean {
    return this.raft !== undefined
  }

  // --- life and death

  async start(): Promise<void> {
    const { timeline, settings, id, observer } = this.options
    const process = new Process(timeline, this.#rate)
    this.process = process
    this.starts += 1
    this.disk.fault = (call) => this.#disk(call, process)
    const stored = new StoredGroups()
    const found: Written[] = []
    const opened = await openWal({
      files: this.disk,
      clock: process,
      crc32c: crc32c,
      idSource: { nextId: () => Uint8Array.from({ length: 16 }, () => this.#prng.below(256)) },
      fileBytes: 64 * kib,
      budgetBytes: 1024 * kib,
      onEntry: (entry, position) => {
        found.push({ entry: { ...entry, payload: new Uint8Array(entry.payload) }, position })
        stored.onEntry(entry, position)
      },
      onFatal: (error) => observer.onFatal(this, error),
    })
    if (!process.isAlive) return
    for (const detail of stored.incomplete().values()) throw new Error(`node ${id}: ${detail}`)
    this.written = new ObservedWal(opened.wal, found)
    const store = new WalStore(this.written)
    await store.begin(stored.boot + 1)
    if (!process.isAlive) return
    this.applied.clear()
    const raft = new MultiRaft({
      id,
      boot: stored.boot + 1,
      settings,
      clock: process,
      prng: seededPrng(this.#prng.below(2 ** 31)),
      store,
      transport: this,
      machines: this,
      log: silentLog,
      onFatal: (error) => observer.onFatal(this, error),
    })
    this.store = store
    this.raft = raft
    this.openGroups(raft, stored)
  }

  protected openGroups(raft: MultiRaft, stored: StoredGroups): void {
    for (const [group, configuration] of this.options.firstMembers) {
      const left = stored.groups.get(group)
      const snapshot = left?.snapshot
      const base = snapshot === undefined ? undefined : this.options.bucket.objects.get(keyOf(snapshot))
      this.applied.set(group, base ?? { index: 0, term: 0, hash: 0, configuration })
      raft.open(group, {
        stored: left,
        applied: { index: base?.index ?? 0, configuration: base?.configuration ?? configuration },
      })
    }
  }

  /** `how`: the process alone, or the power, and with it what was not synced. */
  stop(how: 'kill' | 'power', prng: Prng): void {
    if (this.process === undefined) return
    this.process.isAlive = false
    this.raft?.close()
    this.raft = undefined
    this.store = undefined
    this.disk = how === 'kill' ? this.disk.killed() : this.disk.powerCut(prng, prng.next() < 0.5 ? 512 : 4096)
  }

  hold(ms: number): void {
    if (this.process !== undefined) this.process.heldUntilMs = this.options.timeline.nowMs + ms
  }

  async #disk(call: string, process: Process): Promise<undefined> {
    if (call === 'sync') {
      const ms = this.#prng.next() * this.syncMsMax
      await new Promise<void>((resolve) => {
        this.options.timeline.at(this.options.timeline.nowMs + ms, () => process.do(resolve))
      })
    }
    return undefined
  }

  // --- the network

  send(to: number, envelopes: readonly Envelope[]): void {
    this.options.observer.onSent(this, to, envelopes)
    const arriving = this.#overTheWire(to, envelopes)
    this.#carry(to, (raft, node) => {
      this.options.observer.onDelivered(node, arriving)
      raft.receive(this.id, arriving)
    })
  }

  sendSupport(to: number, message: Parameters<RaftTransport['sendSupport']>[1]): void {
    this.#carry(to, (raft) => raft.receiveSupport(this.id, message))
  }

  /** S16: what arrives went through the bytes of the real transport, and is what was sent. */
  #overTheWire(to: number, envelopes: readonly Envelope[]): readonly Envelope[] {
    const bytes = Buffer.concat(encodeMessages(envelopes)).subarray(4)
    const decoded = decodeFrame(new Uint8Array(bytes), { from: this.id, to })
    if (!decoded.ok || decoded.value.kind !== 'messages')
      throw new Error(`S16: a frame cannot be read: ${JSON.stringify(decoded)}`)
    const arriving = decoded.value.envelopes
    if (!isDeepStrictEqual(arriving, envelopes)) throw new Error(`S16: ${inspect(envelopes)} arrives as ${inspect(arriving)}`)
    return arriving
  }

  #carry(to: number, deliver: (raft: MultiRaft, node: SimNode) => void): void {
    this.options.network.send(this.id, to, () => {
      const node = this.options.nodeOf(to)
      const { raft, process } = node ?? {}
      process?.do(() => {
        if (raft !== undefined && node?.raft === raft) deliver(raft, node)
      })
    })
  }

  // --- the state machines

  apply(group: number, entries: readonly RaftEntry[]): void {
    for (const entry of entries) {
      const before = this.applied.get(group)!
      const now: Applied = {
        index: entry.index,
        term: entry.term,
        hash: hashOf(before.hash, entry),
        configuration: before.configuration,
      }
      this.applied.set(group, now)
      this.options.observer.onApplied(this, group, entry, now)
    }
  }

  prepare(group: number, snapshot: RaftSnapshot): Promise<unknown> {
    const { bucket, timeline } = this.options
    const { process } = this
    return new Promise((resolve, reject) => {
      timeline.at(timeline.nowMs + this.#prng.next() * 20, () =>
        process?.do(() => {
          const found = bucket.objects.get(keyOf(snapshot))
          if (found === undefined || this.#prng.next() < bucket.missing)
            reject(new Error(`group ${group} has no ${keyOf(snapshot)}`))
          else resolve(found)
        }),
      )
    })
  }

  install(group: number, snapshot: RaftSnapshot, prepared: unknown): void {
    const now = prepared as Applied
    this.applied.set(group, now)
    this.options.observer.onInstalled(this, group, snapshot, now)
  }

  wantSnapshot(group: number): void {
    const { process } = this
    process?.after(this.#prng.next() * 50, () => this.snapshot(group))
  }

  /** Machines here remember no places. */
  moved(_group: number): void {}

  onRole(group: number, view: RoleView): void {
    this.options.observer.onRole(this, group, view)
  }

  /** Takes a snapshot of what is applied, and lets the log before it go. */
  snapshot(group: number): void {
    const now = this.applied.get(group)
    const member = this.raft?.group(group)
    if (now === undefined || member === undefined || now.index === 0) return
    const { configuration } = member.node.raft
    const key = `${group}/${now.index}/${now.hash}`
    const snapshot: RaftSnapshot = { index: now.index, term: now.term, configuration, pointer: new Uint8Array(Buffer.from(key)) }
    this.options.bucket.objects.set(key, { ...now, configuration })
    this.raft?.compact(group, snapshot)
  }
}

const keyOf = ({ pointer }: RaftSnapshot): string => Buffer.from(pointer as Uint8Array).toString()

/** FNV-1a over what the state was and what came to it. */
function hashOf(before: number, { term, index, payload }: RaftEntry): number {
  let hash = before ^ 0x811c9dc5
  const mix = (byte: number): void => {
    hash = Math.imul(hash ^ byte, 0x01000193)
  }
  mix(term & 0xff)
  mix(index & 0xff)
  mix(index >>> 8)
  for (const byte of payload) mix(byte)
  return hash >>> 0
}
