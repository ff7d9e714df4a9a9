// Owns what the pool of record workers does with real threads: the worker is bundled here as the build bundles it.

import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { bundleOptions } from '../../../../infra/house/bundle-options.mjs'
import { type BatchCompression, loadBatchCompression } from '../../../../src/base/node/compression.ts'
import { crc32c } from '../../../../src/base/node/native-crc32c.ts'
import { compressionOf, decodeRecords, encodeBatch, ErrorCode } from '../../../../src/protocol/index.ts'
import { RecordsPool } from '../../../../src/server/records/records-pool.ts'

const root = join(import.meta.dirname, '../../../..')
const folder = join(root, 'node_modules/.cache/chronik-records-worker-test')
let compression: BatchCompression
let pool: RecordsPool | undefined

async function bundled(source: string, name: string): Promise<URL> {
  mkdirSync(folder, { recursive: true })
  const outfile = join(folder, `${name}.mjs`)
  await build({
    ...bundleOptions,
    splitting: false,
    sourcemap: false,
    stdin: { contents: source, resolveDir: root },
    outfile,
    logLevel: 'error',
  })
  return pathToFileURL(outfile)
}

let worker: URL
beforeAll(async () => {
  compression = await loadBatchCompression()
  worker = await bundled("import './src/server/records/records-worker.ts'", 'records-worker')
})
afterEach(() => pool?.close())
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

const batchOf = (value: string): Uint8Array =>
  encodeBatch({ records: [{ offset: 0, timestamp: 1000, key: null, value: Buffer.from(value), headers: [] }] }, { crc32c })

test('batches are packed side by side, each answered with its own, and what was sent is left alone', async () => {
  pool = new RecordsPool({ worker, threadsMax: 2 })
  expect(pool.threads).toBe(0)
  const sent = Array.from({ length: 20 }, (_, at) => batchOf(`value ${at}`))
  const copies = sent.map((batch) => batch.slice())
  const opened = await Promise.all(sent.map((records) => pool!.open({ records, rules: {}, target: { codec: 'zstd' } })))
  for (const [at, one] of opened.entries()) {
    if (one.kind === 'error') throw new Error(one.message)
    expect(compressionOf(one.records)).toBe('zstd')
    const decoded = decodeRecords(one.records, 0, compression.decompress)
    expect(decoded.kind === 'ok' && Buffer.from(decoded.records[0]!.value!).toString()).toBe(`value ${at}`)
  }
  expect(sent).toEqual(copies)
  expect(pool.threads).toBe(2)
})

test('a batch that stays as it is comes back as the very bytes, and one that is wrong with what is wrong', async () => {
  pool = new RecordsPool({ worker, threadsMax: 1 })
  const records = batchOf('same')
  const kept = await pool.open({ records, rules: {} })
  expect(kept).toEqual({ kind: 'opened', maxTimestamp: 1000, records })
  expect((kept as { records: Uint8Array }).records).toBe(records)
  expect(await pool.open({ records, rules: { keysRequired: true } })).toMatchObject({
    kind: 'error',
    errorCode: ErrorCode.INVALID_RECORD,
    recordErrors: [{ batchIndex: 0 }],
  })
})

test('what a closed pool still had to do is refused', async () => {
  pool = new RecordsPool({ worker, threadsMax: 1 })
  const orders = [1, 2, 3].map(() => pool!.open({ records: batchOf('late'), rules: {} }))
  const settled = Promise.allSettled(orders)
  await pool.close()
  for (const one of await settled) expect(one).toMatchObject({ status: 'rejected', reason: { kind: 'closed' } })
  await expect(pool.open({ records: batchOf('later'), rules: {} })).rejects.toMatchObject({ kind: 'closed' })
  expect(pool.threads).toBe(0)
})

test('a worker that dies fails the batch it had, and the next gets another', async () => {
  const source = `import { parentPort } from 'node:worker_threads'
    parentPort.on('message', ({ rules }) => {
      if (rules.keysRequired === true) throw new Error('down')
      parentPort.postMessage({ kind: 'opened', maxTimestamp: 7 })
    })`
  pool = new RecordsPool({ worker: await bundled(source, 'dying-worker'), threadsMax: 1 })
  const records = batchOf('poison')
  const failed = pool.open({ records, rules: { keysRequired: true } })
  const next = pool.open({ records, rules: {} })
  await expect(failed).rejects.toMatchObject({ kind: 'internal', code: 'RECORDS_WORKER_DIED' })
  expect(await next).toMatchObject({ kind: 'opened', maxTimestamp: 7 })
})
