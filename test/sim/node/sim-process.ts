// Owns one simulated process of a standalone node: the whole node minus its sockets, on the real WAL over a disk in memory and a bucket
// behind a network. It can be killed, lose power, be held still and go on. Not what is asked of it (simulation.ts).

import { KeyedHash } from '../../../src/base/keyed-hash.ts'
import type { Cancel, Clock } from '../../../src/base/clock.ts'
import { sleep } from '../../../src/base/clock.ts'
import { silentLog } from '../../../src/base/log.ts'
import { crc32c } from '../../../src/base/node/native-crc32c.ts'
import { type Prng, seededPrng } from '../../../src/base/prng.ts'
import { nodeId } from '../../../src/model/ids.ts'
import { batchHeaderBytes } from '../../../src/protocol/index.ts'
import { restoreGroups } from '../../../src/server/group-state.ts'
import { restoreTransactions } from '../../../src/server/transaction-state.ts'
import { joinParts, type NodeParts } from '../../../src/server/node-parts.ts'
import type { NodeSettings } from '../../../src/server/node-settings.ts'
import { type LocalEntry, type LocalWal, recover, type Recovered, type WalIdentity } from '../../../recovery/index.ts'
import { aroundStore } from '../../../tiers/object-store/around.ts'
import { retryingStore } from '../../../tiers/object-store/index.ts'
import type { ListedObject, ListOptions, ObjectStore } from '../../../tiers/ports.ts'
import { openWal } from '../../../tiers/wal/index.ts'
import type { ManualClock } from '../../support/manual-clock.ts'
import { seededIds, settings as usualSettings } from '../../support/test-node.ts'
import { MemoryDisk } from '../../unit/tiers/wal/memory-disk.ts'

const kibibyte = 1024

/** Everything small, so that a short run passes through every tier and every bound. */
export const simSettings: NodeSettings = {
  ...usualSettings,
  wal: { ...usualSettings.wal, fileBytes: 64 * kibibyte, budgetBytes: 512 * kibibyte, retainBytes: 128 * kibibyte },
  stream: { ...usualSettings.stream, objectBytes: 32 * kibibyte },
  segment: { ...usualSettings.segment, bytesMax: 24 * kibibyte, ageMsMax: 4_000, uploadPartBytes: 16 * kibibyte },
  cache: { hotBytes: 24 * kibibyte },
  delete: { graceMs: 1_000 },
}

/** Of a slow disk. */
const syncMsMax = 25

/** What outlives a process. */
export interface SimDisk {
  readonly files: MemoryDisk
  identity: WalIdentity | undefined
}

export const emptyDisk = (): SimDisk => ({ files: new MemoryDisk(), identity: undefined })

export interface Weather {
  /** Of 1: a request fails before it reaches the bucket. */
  lost: number
  /** Of 1: a request reaches the bucket, its answer gets lost. */
  unanswered: number
  /** The most a request or an answer takes. */
  latencyMs: number
}

/** Held still, nothing of it moves: no timer, no answer from disk or bucket. Dead, never again. */
class Pulse implements Clock {
  readonly #clock: ManualClock
  #held: Array<() => void> | undefined
  isDead = false

  constructor(clock: ManualClock) {
    this.#clock = clock
  }

  nowMs(): number {
    return this.#clock.nowMs()
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs()
  }

  after(delayMs: number, callback: () => void): Cancel {
    let isCancelled = false
    const cancel = this.#clock.after(delayMs, () => {
      this.run(() => {
        if (!isCancelled) callback()
      })
    })
    return () => {
      isCancelled = true
      cancel()
    }
  }

  afterTurn(callback: () => void): void {
    this.#clock.afterTurn(() => {
      this.run(callback)
    })
  }

  run(callback: () => void): void {
    if (this.isDead) return
    if (this.#held === undefined) callback()
    else this.#held.push(callback)
  }

  beat(): Promise<void> {
    return new Promise((resolve) => {
      this.run(resolve)
    })
  }

  hold(): void {
    this.#held ??= []
  }

  goOn(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const callback of held) this.run(callback)
  }
}

/** The bucket as a process sees it. A request on its way when the process dies may arrive all the same. */
function overNetwork(
  bucket: ObjectStore,
  world: { readonly pulse: Pulse; readonly clock: ManualClock; readonly prng: Prng; readonly weather: Weather },
): ObjectStore {
  const { pulse, clock, prng, weather } = world
  const around = async <Result>(run: () => Promise<Result>): Promise<Result> => {
    await pulse.beat()
    await sleep(clock, 1 + prng.below(weather.latencyMs))
    if (pulse.isDead) {
      if (prng.below(2) === 0) return new Promise(() => undefined)
      await sleep(clock, prng.below(3) === 0 ? prng.below(1_500) : 0)
    }
    if (prng.next() < weather.lost) return unreachable(pulse)
    const result = await run().then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    )
    await sleep(clock, 1 + prng.below(weather.latencyMs))
    if (prng.next() < weather.unanswered) return unreachable(pulse)
    await pulse.beat()
    if ('error' in result) throw result.error
    return result.value
  }
  const list = async function* (prefix: string, options?: ListOptions): AsyncIterable<ListedObject> {
    const found: ListedObject[] = []
    await around(async () => {
      for await (const one of bucket.list(prefix, options)) found.push(one)
    })
    yield* found
  }
  return aroundStore(bucket, (_call, run) => around(run), list)
}

async function unreachable(pulse: Pulse): Promise<never> {
  const { OpError } = await import('../../../src/base/op-error.ts')
  await pulse.beat()
  throw new OpError('retry', { code: 'STORE_UNREACHABLE', detail: 'no answer (simulated)' })
}

export interface ProcessOrder {
  readonly clock: ManualClock
  readonly bucket: ObjectStore
  readonly disk: SimDisk
  readonly seed: number
  readonly weather: Weather
  readonly takeover: boolean
}

export class SimProcess {
  readonly order: ProcessOrder
  readonly #pulse: Pulse
  recovered: Recovered | undefined
  maybeParts: NodeParts | undefined
  failure: unknown
  isPaused = false

  constructor(order: ProcessOrder) {
    this.order = order
    this.#pulse = new Pulse(order.clock)
    const prng = seededPrng(order.seed + 3)
    order.disk.files.fault = async (call) => {
      // Between a write and its sync there is time for anything.
      if (call === 'sync') await sleep(this.#pulse, prng.below(2) * prng.below(syncMsMax))
      await this.#pulse.beat()
      return undefined
    }
  }

  get parts(): NodeParts {
    if (this.maybeParts === undefined) throw new Error('the node runs')
    return this.maybeParts
  }

  get isDead(): boolean {
    return this.#pulse.isDead
  }

  get serves(): boolean {
    return !this.isDead && !this.isPaused && this.failure === undefined && this.maybeParts?.broker.serving === true
  }

  /** As the node itself starts. Rejects as that would. */
  async start(): Promise<void> {
    const { seed } = this.order
    const clock = this.#pulse
    const prng = seededPrng(seed)
    const network = overNetwork(this.order.bucket, {
      pulse: this.#pulse,
      clock: this.order.clock,
      prng: seededPrng(seed + 7),
      weather: this.order.weather,
    })
    const store = retryingStore(network, { clock, prng, policy: { attemptsMax: 4, deadlineMs: 2_000 } })
    const idSource = seededIds(seed + 13)
    const recovered = await recover({
      store,
      requests: () => 0,
      probe: () => Promise.resolve({ storeNowMs: clock.nowMs() }),
      openWal: () => this.#openWal(),
      node: nodeId(1),
      nodeName: `process ${seed}`,
      clock,
      crc32c,
      idSource,
      log: silentLog,
      progress: () => undefined,
      takeover: this.order.takeover,
      acceptWalLoss: false,
      heartbeatMs: simSettings.stream.heartbeatMs,
    })
    this.recovered = recovered
    const parts = joinParts(simSettings, {
      store,
      recovered,
      clock,
      crc32c,
      idSource,
      log: silentLog,
      decompress: (codec, bytes) => (codec === 'none' ? bytes : { failure: 'nothing is compressed here' }),
      openRecords: () => Promise.reject(new Error('nothing is compressed here')),
      compress: (_, bytes) => bytes,
      keyHash: new KeyedHash(idSource.nextId()),
      topicDefaults: new Map([['segment.bytes', String(1024 * kibibyte)]]),
      onFailed: (error) => {
        this.#fail(error)
      },
    })
    this.maybeParts = parts
    parts.logs.seed(recovered.toStream)
    await parts.logs.prove()
    recovered.report.setBackOffsets = await restoreGroups(recovered, parts)
    await restoreTransactions(parts)
    await parts.heartbeat.start()
    parts.broker.serving = true
    parts.archiver.start()
  }

  /** SIGKILL: what it wrote stays, synced or not. */
  kill(): SimDisk {
    this.#pulse.isDead = true
    return { files: this.order.disk.files.killed(), identity: this.order.disk.identity }
  }

  /** The power goes: each sector written since the last sync is there or not. */
  powerCut(prng: Prng): SimDisk {
    this.#pulse.isDead = true
    return { files: this.order.disk.files.powerCut(prng, 512), identity: this.order.disk.identity }
  }

  pause(): void {
    this.isPaused = true
    this.#pulse.hold()
  }

  resume(): void {
    this.isPaused = false
    this.#pulse.goOn()
  }

  /** An orderly end. */
  async close(): Promise<SimDisk> {
    const { broker, groups, archiver, snapshotter, logs, heartbeat, recovered } = this.parts
    broker.stop()
    await groups.close()
    await archiver.close()
    await snapshotter.run().catch(() => undefined)
    await logs.close(sleep(this.#pulse, 6_000))
    if (logs.allStreamed) await heartbeat.close()
    await recovered.wal.close()
    return this.kill()
  }

  #fail(error: unknown): void {
    if (this.failure !== undefined) return
    this.failure = error
    this.maybeParts?.logs.end(error as Parameters<NodeParts['logs']['end']>[0])
    this.maybeParts?.broker.abandon(error as Parameters<NodeParts['logs']['end']>[0])
  }

  async #openWal(): Promise<LocalWal> {
    const { disk, seed } = this.order
    const entries: LocalEntry[] = []
    const { fileBytes, budgetBytes } = simSettings.wal
    const { wal, report } = await openWal({
      files: disk.files,
      clock: this.#pulse,
      crc32c,
      idSource: seededIds(seed + 29),
      fileBytes,
      budgetBytes,
      durability: 'fdatasync',
      onEntry: ({ group, term, index, kind, payload }, position) => {
        const bytes = (kind === 'batch' ? payload.subarray(0, batchHeaderBytes) : payload).slice()
        entries.push({ group, term, index, kind, position, bytes })
      },
      onFatal: (error) => {
        this.#fail(error)
      },
    })
    return {
      wal,
      identity: disk.identity,
      entries,
      damage: report.corruptions.map((one) => ({ what: JSON.stringify(one) }) as never),
      tornAt: report.tornAt,
      writeIdentity: async (identity) => {
        await this.#pulse.beat()
        disk.identity = identity
      },
    }
  }
}
