// Owns putting a standalone node together: the one place that names concrete backends and joins rooms that never see each other.
// Not what any of them does, nor their order of life (node.ts).

import { existsSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import type { LogLevels } from '../base/log-levels.ts'
import type { Log } from '../base/log.ts'
import { loadBatchCompression } from '../base/node/compression.ts'
import { collectRarely } from '../base/node/garbage-pacing.ts'
import { crc32c } from '../base/node/native-crc32c.ts'
import { systemClock } from '../base/node/system-clock.ts'
import { systemIdSource, systemPrng } from '../base/node/system-id-source.ts'
import { OpError } from '../base/op-error.ts'
import { checkTopicConfigs } from '../broker/core/index.ts'
import { boundedStore, boundsLocal, boundsUsual, meteredStore, Retrier, retryingStore } from '../../tiers/object-store/index.ts'
import type { ObjectStore } from '../../tiers/ports.ts'
import { listenersOf } from './listeners.ts'
import type { NodeSettings } from './node-settings.ts'
import { runNode, type RunningNode } from './node.ts'
import { RecordsPool } from './records/records-pool.ts'
import type { StoreStack } from './store-stack.ts'

async function openBackend(settings: NodeSettings, partRetrier: Retrier): Promise<ObjectStore> {
  const { s3 } = settings
  switch (settings.objectStore.backend) {
    case 'memory': {
      const { memoryStore } = await import('../../tiers/object-store/memory.ts')
      return memoryStore()
    }
    case 'local': {
      const { openLocalStore } = await import('../../tiers/object-store/local.ts')
      return openLocalStore({ dir: settings.objectStore.localDir })
    }
    case 's3': {
      const { openS3Store } = await import('../../tiers/object-store/s3.ts')
      if (s3.bucket === undefined) {
        throw new OpError('invalid', {
          code: 'S3_BUCKET_MISSING',
          detail: 'the object store is s3, but no bucket is named; set s3.bucket (S3_BUCKET)',
        })
      }
      return openS3Store({
        bucket: s3.bucket,
        prefix: s3.prefix,
        pathStyle: s3.pathStyle,
        region: s3.region,
        answerTimeoutMs: s3.timeoutMs,
        socketsMax: s3.requestsInFlightMax,
        partRetrier,
        ...(s3.endpoint === undefined ? {} : { endpoint: s3.endpoint }),
        ...(s3.accessKey === undefined ? {} : { accessKeyId: s3.accessKey }),
        ...(s3.secretKey === undefined ? {} : { secretAccessKey: s3.secretKey }),
      })
    }
  }
}

/** The bucket of the settings, wrapped for use. */
export async function openStoreStack(settings: NodeSettings, log: Log): Promise<StoreStack> {
  const stack = { retries: 0 }
  const options = {
    clock: systemClock,
    prng: systemPrng(),
    onRetry: ({
      call,
      attempt,
      delayMs,
      error,
    }: Parameters<NonNullable<ConstructorParameters<typeof Retrier>[0]['onRetry']>>[0]): void => {
      stack.retries += 1
      log.debug('a request to the bucket failed and is tried again', {
        operation: call.operation,
        attempt,
        delayMs,
        code: error.code,
      })
    },
  }
  const metered = meteredStore(await openBackend(settings, new Retrier(options)), systemClock)
  const inFlight = settings.s3.requestsInFlightMax
  const bounds =
    settings.objectStore.backend === 's3' ? { ...boundsUsual, readsMax: Math.min(boundsUsual.readsMax, inFlight) } : boundsLocal
  const bounded = boundedStore(retryingStore(metered, options), bounds)
  return Object.assign(stack, { store: bounded, metered, bounded })
}

function nodeName(settings: NodeSettings): string {
  const addresses = Object.values(networkInterfaces())
    .flat()
    .filter((one) => one !== undefined && !one.internal && one.family === 'IPv4')
  const listen = listenersOf(settings)[0]?.listen ?? settings.kafka.listen
  return `node ${settings.node.id} at ${addresses[0]?.address ?? listen.host}:${listen.port}`
}

/** Workers are bundled beside the program; the code of this file may lie there or in a folder of chunks below. */
function recordsWorker(): URL {
  const beside = new URL('./records-worker.js', import.meta.url)
  return existsSync(beside) ? beside : new URL('../records-worker.js', import.meta.url)
}

/** Builds and starts a node. Throws OpError; `ended` of the result tells of a later end. */
export async function startBroker(
  settings: NodeSettings,
  order: { readonly log: Log; readonly logLevels: LogLevels; readonly version: string },
): Promise<RunningNode> {
  collectRarely()
  const topicDefaults = checkTopicConfigs(new Map(Object.entries(settings.topicDefaults)))
  if (!topicDefaults.ok)
    throw new OpError('invalid', { code: 'TOPIC_DEFAULTS_INVALID', detail: `[topic-defaults] ${topicDefaults.failure}` })
  return runNode(settings, {
    log: order.log,
    logLevels: order.logLevels,
    version: order.version,
    clock: systemClock,
    crc32c,
    idSource: systemIdSource,
    prng: systemPrng(),
    nodeName: nodeName(settings),
    topicDefaults: topicDefaults.value,
    openStore: () => openStoreStack(settings, order.log),
    loadCompression: loadBatchCompression,
    recordsPool: (threadsMax) => new RecordsPool({ worker: recordsWorker(), threadsMax }),
  })
}
