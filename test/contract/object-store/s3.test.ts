// Owns running the contract of an object store against real S3 servers, through two clients as by two nodes.

import { type LocalStack, startLocalStack } from '../../../localstack/index.ts'
import { systemClock } from '../../../src/base/node/system-clock.ts'
import { seededPrng } from '../../../src/base/prng.ts'
import { boundedStore, boundsUsual, Retrier, retryingStore } from '../../../tiers/object-store/index.ts'
import { openS3Store } from '../../../tiers/object-store/s3.ts'
import type { ObjectStore } from '../../../tiers/ports.ts'
import { startMinio } from '../../support/tools/minio.ts'
import { describeWithTools } from '../../support/tools/tools.ts'
import { startVersityGw } from '../../support/tools/versitygw.ts'
import { describeObjectStore, type StoreUnderTest } from './suite.ts'

type Server = Pick<LocalStack, 'endpoint' | 'accessKey' | 'secretKey' | 'createBucket' | 'stop'>

async function openStore(server: Server, signBody: boolean): Promise<ObjectStore> {
  const retry = { clock: systemClock, prng: seededPrng(7) }
  const inner = await openS3Store({
    bucket: 'contract',
    prefix: 'chronik/test/',
    endpoint: server.endpoint,
    accessKeyId: server.accessKey,
    secretAccessKey: server.secretKey,
    partRetrier: new Retrier(retry),
    signBody,
  })
  return boundedStore(retryingStore(inner, retry), boundsUsual)
}

async function started(server: Server): Promise<StoreUnderTest> {
  await server.createBucket('contract')
  const store = await openStore(server, true)
  const other = await openStore(server, false)
  const stop = async (): Promise<void> => {
    await store.close()
    await other.close()
    await server.stop()
  }
  return { store, other, stop }
}

describeWithTools(['localstack'], 'S3 at LocalStack', () => {
  describeObjectStore('s3 at LocalStack', { start: async () => started(await startLocalStack()) })
})

describeWithTools(['minio'], 'S3 at MinIO', () => {
  describeObjectStore('s3 at MinIO', { start: async () => started(await startMinio()) })
})

describeWithTools(['versitygw'], 'S3 at VersityGW', () => {
  describeObjectStore('s3 at VersityGW', { start: async () => started(await startVersityGw()) })
})
