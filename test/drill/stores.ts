/** Owns starting the object store a drill runs against, with an empty bucket in it. Not what is stored. */
import { join } from 'node:path'
import { startLocalStack } from '../../localstack/index.ts'
import type { BrokerStore } from '../support/tools/broker.ts'
import { startMinio } from '../support/tools/minio.ts'

export type StoreName = 'localstack' | 'minio' | 'local'
export const storeNames: readonly StoreName[] = ['localstack', 'minio', 'local']

export interface RunningStore {
  readonly store: BrokerStore
  /** Where it keeps what it keeps, if that outlives it. */
  readonly dir: string | undefined
  stop(): Promise<void>
}

export async function startStore(name: StoreName, folder: string): Promise<RunningStore> {
  const bucket = `drill-${process.pid}-${Date.now()}`
  switch (name) {
    case 'local':
      return { store: { kind: 'local', dir: join(folder, 'bucket') }, dir: join(folder, 'bucket'), stop: () => Promise.resolve() }
    case 'minio': {
      const minio = await startMinio({ dir: join(folder, 'minio') })
      await minio.createBucket(bucket)
      const { endpoint, accessKey, secretKey, dir } = minio
      return { store: { kind: 's3', endpoint, bucket, accessKey, secretKey }, dir, stop: () => minio.stop() }
    }
    case 'localstack': {
      const stack = await startLocalStack({ buckets: [bucket] })
      const { endpoint, accessKey, secretKey } = stack
      return { store: { kind: 's3', endpoint, bucket, accessKey, secretKey }, dir: undefined, stop: () => stack.stop() }
    }
  }
}
