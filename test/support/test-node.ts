// Owns a standalone node made of its real parts, without sockets and without a real disk: recovery, logs, streams, broker, groups,
// archiver, snapshots, sweeper. Several in one process are several processes that share a bucket.

import { KeyedHash } from '../../src/base/keyed-hash.ts'
import { crc32c } from '../../src/base/node/native-crc32c.ts'
import { silentLog } from '../../src/base/log.ts'
import { type IdSource, seededPrng } from '../../src/base/prng.ts'
import type { AppendResult, TopicView } from '../../src/broker/api.ts'
import type { Partition } from '../../src/broker/partition/partition.ts'
import type { OpenRecords } from '../../src/broker/index.ts'
import { nodeId, offset } from '../../src/model/ids.ts'
import { encodeBatch } from '../../src/protocol/index.ts'
import { restoreGroups } from '../../src/server/group-state.ts'
import { joinParts, type NodeParts } from '../../src/server/node-parts.ts'
import type { NodeSettings } from '../../src/server/node-settings.ts'
import { restoreTransactions } from '../../src/server/transaction-state.ts'
import { recover, type Recovered, type RecoveryWorld } from '../../recovery/index.ts'
import { type FaultyStore, faultyStore } from '../../tiers/object-store/index.ts'
import type { ObjectStore } from '../../tiers/ports.ts'
import { drive, type ManualClock } from './manual-clock.ts'
import { WalDisk } from './wal-disk.ts'

const mebibyte = 1024 * 1024

export const settings: NodeSettings = {
  node: { id: 1, rack: '' },
  cluster: { takeover: false, acceptWalLoss: false },
  kafka: {
    listen: { host: '127.0.0.1', port: 0 },
    advertised: undefined,
    securityProtocol: 'PLAINTEXT',
    listeners: [],
    advertisedListeners: [],
    requestBytesMax: mebibyte,
    connectionsMax: 10,
    connectionsIdleMs: 1000,
    autoCreateTopics: true,
    numPartitions: 1,
    responseQueueBytesMax: mebibyte,
    recordsThreads: 1,
  },
  tls: {
    certificateFile: undefined,
    keyFile: undefined,
    keyPassword: undefined,
    caFile: undefined,
    clientAuth: 'none',
    minVersion: 'TLSv1.2',
    principalMappingRules: 'DEFAULT',
  },
  listenerTls: {},
  sasl: {
    mechanisms: ['SCRAM-SHA-256', 'SCRAM-SHA-512'],
    plainUsersFile: undefined,
    adminUser: undefined,
    adminPassword: undefined,
    oauthJwksFile: undefined,
    oauthJwksUrl: undefined,
    oauthIssuer: undefined,
    oauthAudience: undefined,
    oauthSubjectClaim: 'sub',
    oauthClockSkewMs: 0,
    sessionMsMax: 0,
  },
  security: { reloadIntervalMs: 1000 },
  acl: { enabled: false, superUsers: [], allowIfNone: false },
  quota: { windowNum: 11, windowSizeMs: 1_000, controllerWindowNum: 11, controllerWindowSizeMs: 1_000 },
  http: { listen: { host: '127.0.0.1', port: 0 } },
  objectStore: { backend: 'memory', localDir: '' },
  s3: {
    bucket: undefined,
    endpoint: undefined,
    region: '',
    pathStyle: true,
    accessKey: undefined,
    secretKey: undefined,
    prefix: '',
    requestsInFlightMax: 8,
    timeoutMs: 1000,
  },
  wal: { dir: '', fileBytes: mebibyte, budgetBytes: 64 * mebibyte, retainBytes: mebibyte, fsync: 'always' },
  stream: { intervalMs: 1000, bucketIntervalMs: 100, objectBytes: 8 * mebibyte, uploadsInFlightMax: 4, heartbeatMs: 1000 },
  segment: { bytesMax: 64 * mebibyte, ageMsMax: 3_600_000, cacheBytes: 16 * mebibyte, uploadPartBytes: 8 * mebibyte },
  snapshot: { intervalMs: 60_000, keep: 2 },
  cache: { hotBytes: mebibyte },
  retention: { checkIntervalMs: 300_000 },
  cleaner: { enabled: true, backoffMs: 15_000, dedupeBufferBytes: 1 << 20, ioBytesPerSecondMax: 0 },
  delete: { graceMs: 60_000 },
  groups: {
    offsetsPartitions: 2,
    sessionTimeoutMinMs: 1,
    sessionTimeoutMaxMs: 60_000,
    initialRebalanceDelayMs: 0,
    maxSize: 10,
    consumerSessionTimeoutMs: 45_000,
    consumerHeartbeatIntervalMs: 5_000,
    consumerSessionTimeoutMinMs: 45_000,
    consumerSessionTimeoutMaxMs: 60_000,
    consumerHeartbeatIntervalMinMs: 5_000,
    consumerHeartbeatIntervalMaxMs: 15_000,
    consumerMaxSize: 10,
    consumerAssignors: ['uniform', 'range'],
    consumerMigrationPolicy: 'bidirectional',
  },
  transactions: { statePartitions: 2, timeoutMaxMs: 900_000, idExpirationMs: 604_800_000, abortCheckMs: 10_000 },
  offsets: { retentionMs: 86_400_000 },
  topicDefaults: {},
}

export interface NodeOrder {
  readonly store: ObjectStore
  readonly clock: ManualClock
  /** A fresh one when absent. */
  readonly disk?: WalDisk
  readonly seed?: number
  readonly name?: string
  readonly takeover?: boolean
  readonly acceptWalLoss?: boolean
  readonly change?: (settings: NodeSettings) => NodeSettings
  readonly openRecords?: OpenRecords
}

export function seededIds(seed: number): IdSource {
  const prng = seededPrng(seed)
  return { nextId: () => Uint8Array.from({ length: 16 }, () => prng.below(256)) }
}

/** What recovery sees of a process. */
export function recoveryWorld(order: NodeOrder, disk: WalDisk, store: ObjectStore = order.store): RecoveryWorld {
  const { clock, seed = 1, name = `node of seed ${seed}`, takeover = false, acceptWalLoss = false } = order
  return {
    store,
    requests: () => 0,
    probe: () => Promise.resolve({ storeNowMs: clock.nowMs() }),
    openWal: () => Promise.resolve(disk.open()),
    node: nodeId(1),
    nodeName: name,
    clock,
    crc32c,
    idSource: seededIds(seed),
    log: silentLog,
    progress: () => undefined,
    takeover,
    acceptWalLoss,
    heartbeatMs: settings.stream.heartbeatMs,
  }
}

export class TestNode {
  readonly clock: ManualClock
  readonly disk: WalDisk
  /** The bucket as this process sees it: faults strike it alone. */
  readonly store: FaultyStore
  readonly recovered: Recovered
  readonly parts: NodeParts
  readonly failures: unknown[]
  #produced = 0

  constructor(from: Pick<TestNode, 'clock' | 'disk' | 'store' | 'recovered' | 'parts' | 'failures'>) {
    this.clock = from.clock
    this.disk = from.disk
    this.store = from.store
    this.recovered = from.recovered
    this.parts = from.parts
    this.failures = from.failures
  }

  async createTopic(name: string, partitionCount = 1, configs: Readonly<Record<string, string>> = {}): Promise<TopicView> {
    const made = await drive(
      this.clock,
      this.parts.broker.createTopic({
        name,
        partitionCount,
        replicationFactor: -1,
        assignments: new Map(),
        configs: new Map(Object.entries(configs)),
        validateOnly: false,
      }),
    )
    if (!made.ok) throw new Error(`the topic was refused: ${JSON.stringify(made.failure)}`)
    return made.value
  }

  partition(topic: string, index = 0): Partition {
    const found = this.parts.broker.topicByName(topic)?.partitions[index]
    if (found === undefined) throw new Error(`${topic}-${index} is not there`)
    return found as Partition
  }

  /** Appends one batch of as many records, without waiting. */
  append(
    topic: string,
    records = 1,
    options: { readonly partition?: number; readonly valueBytes?: number } = {},
  ): Promise<AppendResult> {
    const timestamp = this.clock.nowMs()
    const batch = encodeBatch(
      {
        records: Array.from({ length: records }, (_, at) => ({
          offset: at,
          timestamp,
          key: Buffer.from(`key ${this.#produced}`),
          value: Buffer.from(`value ${(this.#produced += 1)}`.padEnd(options.valueBytes ?? 0, '.')),
          headers: [],
        })),
      },
      { crc32c },
    )
    return new Promise((resolve) => {
      this.partition(topic, options.partition).append({ records: batch, acks: -1 }, resolve)
    })
  }

  /** Appends and waits for the acknowledgement. */
  async produce(topic: string, records = 1, options: Parameters<TestNode['append']>[2] = {}): Promise<void> {
    const result = await drive(this.clock, this.append(topic, records, options))
    if (result.kind !== 'appended') throw new Error(`refused: ${JSON.stringify(result)}`)
  }

  /** All record batches from the log's start to its end, one piece per read. */
  async readAll(topic: string, index = 0): Promise<{ readonly endOffset: number; readonly bytes: number }> {
    const partition = this.partition(topic, index)
    let at: number = partition.logStartOffset
    let bytes = 0
    while (at < partition.highWatermark) {
      const read = await drive(
        this.clock,
        Promise.resolve(partition.read({ offset: offset(at), maxBytes: 1000, minOneBatch: true })),
      )
      if (read.kind === 'error') throw new Error(`offset ${at} cannot be read: ${read.errorCode}`)
      for (const run of read.batches) {
        bytes += run.length
        for (let position = 0; position < run.length;) {
          const view = new DataView(run.buffer, run.byteOffset + position)
          at = Number(view.getBigInt64(0)) + view.getInt32(23) + 1
          position += view.getInt32(8) + 12
        }
      }
    }
    return { endOffset: at, bytes }
  }

  flush(): Promise<void> {
    return drive(this.clock, this.parts.logs.flush())
  }

  snapshot(): Promise<void> {
    return drive(this.clock, this.parts.snapshotter.run())
  }

  /** Everything visible of the partition becomes segments. */
  archive(topic: string, index = 0): Promise<void> {
    return drive(this.clock, this.parts.archiver.roll(this.partition(topic, index)))
  }

  /** An orderly stop. */
  async close(): Promise<void> {
    const { broker, groups, archiver, snapshotter, logs, heartbeat } = this.parts
    broker.stop()
    await drive(
      this.clock,
      (async () => {
        await groups.close()
        await archiver.close()
        await snapshotter.run()
        await logs.close(new Promise(() => undefined))
        await heartbeat.close()
      })(),
    )
    await this.recovered.wal.close()
  }

  /** kill -9: what it has under way in the bucket never arrives, what was not durable is lost. */
  kill(): void {
    this.store.inject({ fault: { kind: 'hang' } })
    this.disk.open().wal.kill()
  }
}

export async function startTestNode(order: NodeOrder): Promise<TestNode> {
  const { clock, disk = new WalDisk(), seed = 1 } = order
  const store = faultyStore(order.store, { clock, prng: seededPrng(seed) })
  const failures: unknown[] = []
  const recovered = await drive(clock, recover(recoveryWorld(order, disk, store)))
  const chosen = order.change?.(settings) ?? settings
  const parts = joinParts(chosen, {
    store,
    recovered,
    clock,
    crc32c,
    idSource: seededIds(seed + 1000),
    log: silentLog,
    decompress: (codec, bytes) => (codec === 'none' ? bytes : { failure: 'tests of nodes compress nothing' }),
    openRecords: order.openRecords ?? (() => Promise.reject(new Error('tests of nodes compress nothing'))),
    compress: (_, bytes) => bytes,
    keyHash: new KeyedHash(new Uint8Array(16)),
    topicDefaults: new Map(),
    onFailed: (error) => {
      failures.push(error)
    },
  })
  parts.logs.seed(recovered.toStream)
  await drive(clock, parts.logs.prove())
  recovered.report.setBackOffsets = await drive(clock, restoreGroups(recovered, parts))
  await drive(clock, restoreTransactions(parts))
  await drive(clock, parts.heartbeat.start())
  parts.broker.serving = true
  return new TestNode({ clock, disk, store, recovered, parts, failures })
}
