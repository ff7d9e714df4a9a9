// Owns the worker thread in which batches are opened: one order after another, answered by its number. Not what is done to a batch
// (protocol/records), nor who gets which order (records-pool.ts).

import { parentPort } from 'node:worker_threads'
import { assertDefined } from '../../base/assert.ts'
import { loadBatchCompression } from '../../base/node/compression.ts'
import { crc32c } from '../../base/node/native-crc32c.ts'
import { type OpenOrder, openProduced } from '../../protocol/index.ts'
import type { Opened } from './records-pool.ts'

const port = assertDefined(parentPort, 'a worker has a parent')
const { decompress, compress } = await loadBatchCompression()

port.on('message', (order: OpenOrder) => {
  const opened = openProduced(order, { decompress, compress, crc32c })
  if (opened.kind === 'error') {
    port.postMessage(opened satisfies Opened)
    return
  }
  const { records, maxTimestamp } = opened
  // What stays as it is packed is not sent back: the other side has it.
  if (records === order.records) port.postMessage({ kind: 'opened', maxTimestamp } satisfies Opened)
  else port.postMessage({ kind: 'opened', maxTimestamp, records } satisfies Opened, [records.buffer as ArrayBuffer])
})
