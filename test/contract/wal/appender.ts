// Owns the process that test/contract/wal kills: appends as fast as the disk takes it and writes down, after each acknowledgement,
// up to which index. Not a test.

import { writeSync } from 'node:fs'
import { crc32c } from '../../../src/base/node/native-crc32c.ts'
import { systemClock } from '../../../src/base/node/system-clock.ts'
import { systemIdSource } from '../../../src/base/node/system-id-source.ts'
import { nodeWalFiles, openWal } from '../../../tiers/wal/index.ts'
import { entryOf } from '../../unit/tiers/wal/wal-fixture.ts'

const sizes = [10, 200, 3000, 70, 16_384, 20_000, 61]

/** Fixed by the index, so that a reader knows what to expect. */
export const appendedEntry = (index: number): ReturnType<typeof entryOf> =>
  entryOf(index, sizes[index % sizes.length]!, index % 2 === 0 ? 'batch' : 'control', 1 + (index % 5))

/** Never ends; somebody ends it. */
export async function appendForever(directory: string): Promise<void> {
  let last = 0
  const { wal } = await openWal({
    files: nodeWalFiles(directory),
    clock: systemClock,
    crc32c,
    idSource: systemIdSource,
    fileBytes: 4 * 1024 * 1024,
    budgetBytes: 256 * 1024 * 1024,
    onEntry: (entry) => {
      last = Math.max(last, entry.index)
    },
    onFatal: (error) => {
      throw error
    },
  })
  writeSync(1, `opened ${last}\n`)
  for (;;) {
    const count = 1 + (last % 40)
    for (let at = 0; at < count; at += 1) wal.append(appendedEntry((last += 1)))
    const covered = last
    const acknowledged = wal.durable().then(() => {
      writeSync(1, `durable ${covered}\n`)
    })
    // Every few rounds several commits are under way at once.
    if (last % 3 === 0) await acknowledged
    else await new Promise((resolve) => setImmediate(resolve))
    if (wal.usage().usedBytes > 128 * 1024 * 1024) wal.release(wal.usage().newestFile - 2)
    if (wal.counters.queuedBytes > 8 * 1024 * 1024) await acknowledged
  }
}
