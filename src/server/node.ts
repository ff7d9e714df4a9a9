// Owns the life of a standalone node: start (recover, join the parts, serve), running upkeep, an orderly end, and the end when the
// world fails or another life begins. Not the parts.
//
// Order at start: HTTP -> bucket -> recover -> logs, streams -> prove -> groups -> serve.
// Order at the end: stop admitting -> drain clients -> groups -> archive -> stream the rest -> snapshot -> heartbeat "closed" -> WAL.

import { assertDefined } from '../base/assert.ts'
import { type Clock, sleep } from '../base/clock.ts'
import type { Crc32c } from '../base/crc32c.ts'
import { KeyedHash } from '../base/keyed-hash.ts'
import type { LogLevels } from '../base/log-levels.ts'
import type { Log } from '../base/log.ts'
import type { BatchCompression } from '../base/node/compression.ts'
import { isOpError, OpError } from '../base/op-error.ts'
import type { IdSource, Prng } from '../base/prng.ts'
import { nodeId } from '../model/ids.ts'
import { recover, type Recovered, reportLines } from '../../recovery/index.ts'
import { probeConditionalWrites } from '../../tiers/object-store/index.ts'
import { KafkaFront } from './front/kafka-front.ts'
import { HttpFront } from './http/http-front.ts'
import { limitsFor } from './limits.ts'
import { listenersOf } from './listeners.ts'
import type { BoundAddress } from './listener/kafka-listener.ts'
import { openLocalWal, spaceOf } from './local-wal.ts'
import { restoreGroups } from './group-state.ts'
import { groupSettingsOf } from './group-settings.ts'
import { nodeMetrics } from './node-metrics.ts'
import { joinParts, type NodeParts } from './node-parts.ts'
import type { NodeSettings } from './node-settings.ts'
import type { RecordsPool } from './records/records-pool.ts'
import { NodeSecurity } from './security/node-security.ts'
import type { StoreStack } from './store-stack.ts'
import { restoreTransactions } from './transaction-state.ts'

export interface NodeWorld {
  readonly log: Log
  readonly logLevels: LogLevels
  readonly version: string
  readonly clock: Clock
  readonly crc32c: Crc32c
  readonly idSource: IdSource
  readonly prng: Prng
  readonly nodeName: string
  readonly topicDefaults: ReadonlyMap<string, string>
  readonly openStore: () => Promise<StoreStack>
  readonly loadCompression: () => Promise<BatchCompression>
  readonly recordsPool: (threadsMax: number) => Pick<RecordsPool, 'open' | 'close'>
}

export interface RunningNode {
  readonly kafkaAddress: BoundAddress
  readonly httpAddress: BoundAddress
  readonly storeLocation: string
  readonly ended: Promise<void>
  close(): Promise<void>
}

/** R12: an orderly stop takes less than 10 s. What clients may take of it, and what uploads may. */
const uploadsMsMax = 6_000
/** Garbage is looked for this often; each look lists the bucket. */
const sweepIntervalMs = 600_000

export async function runNode(settings: NodeSettings, world: NodeWorld): Promise<RunningNode> {
  const node = new StandaloneNode(settings, world)
  try {
    await node.start()
  } catch (error) {
    await node.abandon()
    throw error
  }
  return node
}

interface Parts extends NodeParts {
  readonly front: KafkaFront
}

class StandaloneNode implements RunningNode {
  readonly ended: Promise<void>
  kafkaAddress: BoundAddress = { host: '', port: 0 }
  httpAddress: BoundAddress = { host: '', port: 0 }
  storeLocation = ''
  readonly #settings: NodeSettings
  readonly #world: NodeWorld
  readonly #http: HttpFront
  readonly #log: Log
  #phase = 'starting'
  #security: NodeSecurity | undefined
  #stack: StoreStack | undefined
  readonly #records: Pick<RecordsPool, 'open' | 'close'>
  #wal: { close(): Promise<void> } | undefined
  #parts: Parts | undefined
  #failure: unknown
  #end: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined
  #closing: Promise<void> | undefined
  #timers: Array<() => void> = []
  #storeClockOffsetMs = 0

  constructor(settings: NodeSettings, world: NodeWorld) {
    this.#settings = settings
    this.#world = world
    this.#log = world.log
    this.#records = world.recordsPool(settings.kafka.recordsThreads)
    this.ended = new Promise((resolve, reject) => {
      this.#end = { resolve, reject }
    })
    // Whoever starts the node listens to `ended` only once it runs.
    this.ended.catch(() => undefined)
    const { host, port } = settings.http.listen
    this.#http = new HttpFront({ host, port, nodeId: settings.node.id, notReadyReason: () => this.#notReady(), log: world.log })
  }

  async start(): Promise<void> {
    const { clock, idSource, log } = this.#world
    this.#security = await NodeSecurity.open(this.#settings, listenersOf(this.#settings), {
      clock,
      idSource,
      log: log.named('security'),
    })
    this.httpAddress = await this.#http.start()
    this.#stack = await this.#world.openStore()
    this.storeLocation = this.#stack.store.location
    // Beside recovery, which mostly waits for disk and bucket.
    const loading = this.#world.loadCompression()
    loading.catch(() => undefined)
    const recovered = await this.#recover(this.#stack)
    for (const line of reportLines(recovered.report)) this.#log.info(line, { recovery: true })
    const compression = await loading
    const parts = this.#join(this.#stack, recovered, compression)
    this.#parts = parts
    this.#http.addMetrics(...nodeMetrics({ ...parts, stack: this.#stack, wal: recovered.wal }), ...parts.front.metricSources())
    this.#phase = 'proving that this life is ours'
    parts.logs.seed(recovered.toStream)
    await parts.logs.prove()
    this.#phase = 'loading consumer groups'
    recovered.report.setBackOffsets = await restoreGroups(recovered, {
      broker: parts.broker,
      groups: parts.groups,
      offsets: parts.offsets,
    })
    for (const one of recovered.report.setBackOffsets)
      this.#log.warn('a committed offset lay beyond the recovered end and was set back', { ...one })
    this.#phase = 'loading transactions'
    await restoreTransactions(parts)
    await parts.heartbeat.start()
    await this.#security.makeAdministrator(parts.broker.scram)
    this.#phase = 'listening'
    parts.broker.serving = true
    const [kafkaAddress] = await parts.front.start()
    this.kafkaAddress = assertDefined(kafkaAddress, 'a node has a listener')
    parts.archiver.start()
    if (this.#settings.cleaner.enabled) parts.compactor.start()
    this.#every(this.#settings.snapshot.intervalMs, 'snapshot', () => parts.snapshotter.run())
    this.#every(sweepIntervalMs, 'sweep', async () => {
      const { listed, deleted, bytes } = await parts.sweeper.sweep(this.#world.clock.nowMs() + this.#storeClockOffsetMs)
      if (deleted > 0) this.#log.info('swept the bucket', { listed, deleted, bytes })
    })
    this.#phase = ''
    this.#log.info('serving', { life: recovered.life, term: recovered.term, kafka: this.kafkaAddress, http: this.httpAddress })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** The start failed: what was opened is closed, nothing is written. */
  async abandon(): Promise<void> {
    this.#closing ??= Promise.resolve()
    await this.#parts?.front.close().catch(() => undefined)
    this.#parts?.logs.end(new OpError('closed', { code: 'NOT_STARTED', detail: 'the node did not start' }))
    await this.#records.close()
    await this.#wal?.close().catch(() => undefined)
    await this.#stack?.store.close().catch(() => undefined)
    this.#security?.close()
    await this.#http.close()
  }

  #notReady(): string | undefined {
    if (this.#failure !== undefined)
      return `ended: ${this.#failure instanceof Error ? this.#failure.message : 'the log names the reason'}`
    return this.#phase === '' ? undefined : this.#phase
  }

  async #recover(stack: StoreStack): Promise<Recovered> {
    const { clock, crc32c, idSource, log } = this.#world
    const requests = (): number => Object.values(stack.metered.counters()).reduce((sum, operation) => sum + operation.requests, 0)
    const recovered = await recover({
      store: stack.store,
      requests,
      probe: async () => {
        const { storeTimeMs, clockOffsetMs } = await probeConditionalWrites(stack.store, { clock, idSource })
        this.#storeClockOffsetMs = clockOffsetMs
        return { storeNowMs: storeTimeMs }
      },
      openWal: async () => {
        const local = await openLocalWal(this.#settings.wal, {
          clock,
          crc32c,
          idSource,
          onFatal: (error) => {
            this.#fail(error)
          },
        })
        this.#wal = local.wal
        return local
      },
      node: nodeId(this.#settings.node.id),
      nodeName: this.#world.nodeName,
      clock,
      crc32c,
      idSource,
      log: log.named('recovery'),
      progress: (phase, detail) => {
        this.#phase = `recovery: ${phase}: ${detail}`
        log.debug('recovery', { phase, detail })
      },
      takeover: this.#settings.cluster.takeover,
      acceptWalLoss: this.#settings.cluster.acceptWalLoss,
      heartbeatMs: this.#settings.stream.heartbeatMs,
    })
    return recovered
  }

  #join(stack: StoreStack, recovered: Recovered, compression: BatchCompression): Parts {
    const { clock, crc32c, idSource, log, topicDefaults } = this.#world
    const parts = joinParts(this.#settings, {
      store: stack.store,
      recovered,
      clock,
      crc32c,
      idSource,
      log,
      decompress: compression.decompress,
      openRecords: this.#records.open,
      compress: compression.compress,
      keyHash: new KeyedHash(this.#world.idSource.nextId()),
      topicDefaults,
      onFailed: (error) => {
        this.#fail(error)
      },
    })
    const whenAllowed = (flush: () => void): void => {
      // The fenced say nothing more, not even what they had made up their mind to say before they knew. Others tell what failed.
      if (this.#failure !== undefined && !isOpError(this.#failure, 'fenced')) flush()
      else parts.logs.guard.whenAllowed(flush)
    }
    return { ...parts, front: this.#frontOf(parts, whenAllowed) }
  }

  #frontOf({ broker, groups, transactions, markers }: NodeParts, whenAllowed: (flush: () => void) => void): KafkaFront {
    const { kafka, node, acl, quota } = this.#settings
    const { clock, prng, log } = this.#world
    const security = assertDefined(this.#security, 'security is opened first').front(broker.scram)
    return new KafkaFront({
      broker,
      groups,
      transactions,
      markers,
      clock,
      prng,
      log: log.named('server'),
      logLevels: this.#world.logLevels,
      whenAllowed,
      logDir: { path: this.#settings.wal.dir, space: () => spaceOf(this.#settings.wal.dir) },
      settings: {
        listeners: listenersOf(this.#settings),
        rack: node.rack === '' ? null : node.rack,
        autoCreateTopics: kafka.autoCreateTopics,
        groups: groupSettingsOf(this.#settings, broker),
        ...(acl.enabled ? { aclPolicy: { superUsers: new Set(acl.superUsers), allowIfNone: acl.allowIfNone } } : {}),
      },
      security,
      limits: limitsFor({
        connectionsMax: kafka.connectionsMax,
        requestBytesMax: kafka.requestBytesMax,
        idleMs: kafka.connectionsIdleMs,
        answerBytesPerConnectionMax: kafka.responseQueueBytesMax,
        quotaWindows: { count: quota.windowNum, ms: quota.windowSizeMs },
        controllerQuotaWindows: { count: quota.controllerWindowNum, ms: quota.controllerWindowSizeMs },
      }),
    })
  }

  #every(intervalMs: number, what: string, work: () => Promise<unknown>): void {
    const arm = (): void => {
      const cancel = this.#world.clock.after(intervalMs, () => {
        this.#timers = this.#timers.filter((one) => one !== cancel)
        work()
          .catch((error: unknown) => {
            if (!isOpError(error)) this.#fail(error)
            else this.#log.warn(`the ${what} failed; it is tried again`, { code: error.code, detail: error.detail })
          })
          .finally(() => {
            if (this.#closing === undefined) arm()
          })
      })
      this.#timers.push(cancel)
    }
    arm()
  }

  /** The node cannot go on: nothing is acknowledged from here on. */
  #fail(error: unknown): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    const reason = isOpError(error)
      ? error
      : new OpError('internal', { code: 'NODE_FAILED', detail: 'an internal error', cause: error })
    this.#log.error('this node stops acknowledging', { error })
    this.#parts?.logs.end(reason)
    this.#parts?.broker.abandon(reason)
    this.#parts?.transactions.close()
    this.#end?.reject(error)
  }

  async #close(): Promise<void> {
    for (const cancel of this.#timers) cancel()
    this.#phase = 'stopping'
    const parts = assertDefined(this.#parts, 'a node is closed after it was started')
    const failed = this.#failure !== undefined
    parts.broker.stop()
    const fenced = isOpError(this.#failure, 'fenced')
    // Acknowledgements that may never leave must not hold up the end.
    await parts.front.close(fenced ? 'at-once' : 'drained')
    await this.#records.close()
    await parts.groups.close()
    parts.transactions.close()
    await parts.compactor.close()
    await parts.archiver.close()
    const abandon = sleep(this.#world.clock, uploadsMsMax)
    if (!failed) await Promise.race([lastSnapshot(parts.snapshotter), abandon])
    await parts.logs.close(fenced ? Promise.resolve() : abandon)
    if (!fenced && parts.logs.allStreamed) await Promise.race([parts.heartbeat.close(), abandon])
    await this.#wal?.close().catch(() => undefined)
    await this.#stack?.store.close()
    this.#security?.close()
    await this.#http.close()
    if (!failed) this.#end?.resolve()
  }
}

/** Without it the next start replays more; it told why itself. Anything but the world failing is a bug of ours. */
async function lastSnapshot(snapshotter: NodeParts['snapshotter']): Promise<void> {
  try {
    await snapshotter.run()
  } catch (error) {
    if (!isOpError(error)) throw error
  }
}
