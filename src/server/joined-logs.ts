// Owns joining the WAL, the local logs, the two streams to the bucket and the reading of archived data into what the broker sees as
// its log. Not what any of them does.

import { assertDefined } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import type { Crc32c } from '../base/crc32c.ts'
import type { Log } from '../base/log.ts'
import type { OpError } from '../base/op-error.ts'
import type { IdSource } from '../base/prng.ts'
import { BucketArchive, type BrokerWorld, type LogNode, type OpenRecords, type StandaloneBroker } from '../broker/index.ts'
import { LifeGuard, LocalLogs } from '../local-log/index.ts'
import { metadataGroup, nodeId } from '../model/ids.ts'
import { batchBytesOf, findOffsetByTimestamp, type Decompress } from '../protocol/index.ts'
import type { LocalEntry, Recovered } from '../../recovery/index.ts'
import { BlockCache, cacheRequestBytesMaxDefault } from '../../tiers/cache/index.ts'
import type { ObjectStore } from '../../tiers/ports.ts'
import { SegmentArchive } from '../../tiers/segment/index.ts'
import { metadataWalPrefix, noTopic, Streamer, type StreamedObject, walPrefix } from '../../tiers/stream/index.ts'
import type { NodeSettings } from './node-settings.ts'

/** Metadata is rare and somebody always waits for it: only what comes in the same moment shares an object. */
const metadataIntervalMs = 1

export interface JoinedLogs {
  readonly logNode: LogNode
  readonly archive: BucketArchive
  readonly cache: BlockCache
  readonly guard: LifeGuard
  readonly data: Streamer
  readonly metadata: Streamer
  readonly allStreamed: boolean
  brokerWorld(parts: BatchParts): BrokerWorld
  attach(broker: StandaloneBroker): void
  /** Entries of the local WAL that are not in the bucket yet. */
  seed(entries: readonly LocalEntry[]): void
  /** Everything proposed so far is committed and in the bucket. */
  flush(): Promise<void>
  /** As `flush`, and another life has not begun. */
  prove(): Promise<void>
  end(reason: OpError): void
  close(abandon: Promise<void>): Promise<void>
}

export interface BatchParts {
  readonly idSource: IdSource
  readonly decompress: Decompress
  readonly openRecords: OpenRecords
}

interface JoinParts {
  readonly store: ObjectStore
  readonly recovered: Recovered
  readonly clock: Clock
  readonly crc32c: Crc32c
  readonly log: Log
  readonly onEnded: (error: unknown) => void
}

export function joinLogs(settings: NodeSettings, parts: JoinParts): JoinedLogs {
  return new Joint(settings, parts)
}

class Joint implements JoinedLogs {
  readonly archive: BucketArchive
  readonly cache: BlockCache
  readonly guard: LifeGuard
  readonly data: Streamer
  readonly metadata: Streamer
  readonly logNode: LogNode
  readonly #settings: NodeSettings
  readonly #parts: JoinParts
  readonly #logs: LocalLogs
  #broker: StandaloneBroker | undefined

  constructor(settings: NodeSettings, parts: JoinParts) {
    this.#settings = settings
    this.#parts = parts
    const { store, recovered, clock, crc32c, log } = parts
    const { cacheBytes: budgetBytes } = settings.segment
    this.cache = new BlockCache({
      reader: store,
      budgetBytes,
      requestBytesMax: Math.min(budgetBytes, cacheRequestBytesMaxDefault),
    })
    const segments = new SegmentArchive({ reader: store, cache: this.cache, crc32c })
    this.archive = new BucketArchive({ segments, cache: this.cache, crc32c })
    const node = nodeId(settings.node.id)
    this.data = this.#streamer(walPrefix(recovered.life, node), recovered.nextSequence.data, {
      intervalMs: settings.stream.intervalMs,
      urgentIntervalMs: settings.stream.bucketIntervalMs,
    })
    this.metadata = this.#streamer(metadataWalPrefix(recovered.life), recovered.nextSequence.metadata, {
      intervalMs: metadataIntervalMs,
      urgentIntervalMs: metadataIntervalMs,
    })
    this.guard = new LifeGuard({ clock, log, prove: () => this.data.prove() })
    this.#logs = new LocalLogs({
      wal: recovered.wal,
      term: recovered.term,
      guard: this.guard,
      listener: {
        onCommitted: (group, index) => {
          this.#broker?.onCommitted(group, index)
        },
        onStreamed: (group, index) => {
          this.#broker?.onStreamed(group, index)
        },
      },
      sinkOf: (group) => (group === metadataGroup ? this.metadata : this.data),
      onFatal: parts.onEnded,
    })
    this.logNode = this.#nodeView(recovered)
  }

  get allStreamed(): boolean {
    return this.data.pendingBytes === 0 && this.metadata.pendingBytes === 0
  }

  brokerWorld({ idSource, decompress, openRecords }: BatchParts): BrokerWorld {
    const { clock, log, crc32c } = this.#parts
    return {
      clock,
      log,
      crc32c,
      idSource,
      openRecords,
      logs: this.logNode,
      archive: this.archive,
      findByTimestamp: (run, timestampMs, startOffset) => {
        for (let at = 0; at < run.length; at += batchBytesOf(run, at)) {
          const found = findOffsetByTimestamp(run, at, { timestamp: timestampMs, startOffset }, decompress)
          if (found?.kind === 'found') return { offset: found.offset, timestampMs: found.timestamp }
        }
        return undefined
      },
    }
  }

  attach(broker: StandaloneBroker): void {
    this.#broker = broker
  }

  seed(entries: readonly LocalEntry[]): void {
    for (const { group, term, index, kind, position } of entries) {
      if (kind === 'node') continue
      const sink = group === metadataGroup ? this.metadata : this.data
      const pending = { group, term, index: index as Parameters<typeof sink.add>[0]['index'], kind, position, payload: undefined }
      sink.add(pending, true)
    }
  }

  async flush(): Promise<void> {
    // What was proposed a moment ago becomes the streams' only when it is durable.
    await this.#logs.settled()
    await this.metadata.flush()
    await this.data.flush()
  }

  async prove(): Promise<void> {
    await this.#logs.settled()
    await this.metadata.flush()
    await this.data.prove()
  }

  end(reason: OpError): void {
    this.#logs.end(reason)
    this.guard.close()
  }

  async close(abandon: Promise<void>): Promise<void> {
    // Entries on their way to the disk go along (an acks=0 batch, a request that timed out).
    await Promise.race([this.#logs.settled().catch(() => undefined), abandon])
    await Promise.all([this.metadata.close(abandon), this.data.close(abandon)])
    this.guard.close()
  }

  #streamer(
    prefix: string,
    nextSequence: number,
    times: { readonly intervalMs: number; readonly urgentIntervalMs: number },
  ): Streamer {
    const { store, recovered, clock, crc32c, log, onEnded } = this.#parts
    const { stream, node } = this.#settings
    return new Streamer({
      store,
      prefix,
      nextSequence,
      origin: { life: recovered.life, node: node.id, term: recovered.term },
      owner: {
        identityOf: (group) => {
          if (group === metadataGroup) return { topicId: noTopic, partition: 0 }
          return assertDefined(this.#broker?.identityOf(group), 'an entry on its way to the bucket belongs to a known group')
        },
        readPayload: (position) => recovered.wal.read(position),
        onStreamed: (object) => {
          this.#onStreamed(object)
        },
        onEnded,
      },
      clock,
      crc32c,
      log,
      ...times,
      objectBytesMax: stream.objectBytes,
      uploadsInFlightMax: stream.uploadsInFlightMax,
    })
  }

  #onStreamed(object: StreamedObject): void {
    for (const share of object.shares) {
      if (share.extent !== undefined) this.#broker?.partition(share.group)?.addExtent(share.extent)
      this.#logs.streamed(share.group, share.lastIndex)
    }
    this.#releaseWal()
  }

  /** WAL files go when all in them is in the bucket and they are beyond what is kept for readers. */
  #releaseWal(): void {
    const { wal } = this.#parts.recovered
    const { fileBytes, retainBytes } = this.#settings.wal
    const { oldestFile, newestFile } = wal.usage()
    const keep = Math.max(1, Math.floor(retainBytes / fileBytes))
    const pending = Math.min(
      this.data.oldestPendingFile ?? newestFile,
      this.metadata.oldestPendingFile ?? newestFile,
      this.#logs.oldestPendingFile ?? newestFile,
    )
    const before = Math.min(pending, newestFile - keep + 1)
    if (before <= oldestFile) return
    wal.release(before)
    for (const partition of this.#broker?.partitions() ?? []) partition.releaseWal(wal.usage().oldestFile)
  }

  #nodeView({ wal }: Recovered): LogNode {
    const logs = this.#logs
    return {
      open: (group, start, urgent) => logs.open(group, start as Parameters<LocalLogs['open']>[1], urgent),
      close: (group) => {
        logs.close(group)
      },
      setUrgent: (group, urgent) => {
        logs.setUrgent(group, urgent)
      },
      get positionOfLast() {
        return logs.positionOfLast
      },
      readMany: (positions, take) => wal.readMany(positions, take),
      get oldestFile() {
        return wal.usage().oldestFile
      },
      whenAllowed: (acknowledge) => {
        this.guard.whenAllowed(acknowledge)
      },
    }
  }
}
