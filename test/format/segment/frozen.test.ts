// Owns the frozen bytes of the segment formats. A file here is added with a new version, never edited: what these bytes mean is
// promised for as long as there are buckets that hold them.

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { crc32cReference as crc32c } from '../../../src/base/crc32c.ts'
import { leaderEpoch, offset, partitionIndex, topicId } from '../../../src/model/ids.ts'
import { memoryStore } from '../../../tiers/object-store/memory.ts'
import { decodeSegmentFacts, encodeSegmentFacts, SegmentWriter, verifySegment } from '../../../tiers/segment/index.ts'
import { testBatch } from '../../support/batches.ts'

const frozen = (name: string): Buffer => {
  const text = readFileSync(new URL(name, import.meta.url), 'utf8')
  return Buffer.from(text.replace(/#.*$/gm, '').replace(/\s+/g, ''), 'hex')
}

const batches = [
  testBatch({ baseOffset: 4294967297, records: 3, leaderEpoch: 6, firstTimestampMs: 1700000000000, maxTimestampMs: 1700000000500 }),
  testBatch({ baseOffset: 4294967300, leaderEpoch: 6, maxTimestampMs: -1, body: Uint8Array.of(1, 2, 3, 4) }),
  testBatch({ baseOffset: 4294967301, records: 2, leaderEpoch: 7, maxTimestampMs: 1700000000400, body: new Uint8Array(20).fill(9) }),
]
const plan = {
  topicId: topicId('AAECAwQFBgcICQoLDA0O_w'),
  partition: partitionIndex(12),
  baseOffset: offset(4294967297),
  leaderEpoch: leaderEpoch(7),
  attempt: 2,
}
const facts = {
  ...plan,
  key: 'segments/AAECAwQFBgcICQoLDA0O_w/12/00000000004294967297-0000000007-2',
  endOffset: 4294967303,
  sizeBytes: 379,
  dataBytes: 207,
  recordCount: 6,
  batchCount: 3,
  minTimestampMs: 1700000000000,
  maxTimestampMs: 1700000000500,
  offsetOfMaxTimestamp: 4294967297,
}

describe('segment format version 1', () => {
  test('is written as it was frozen', async () => {
    const store = memoryStore()
    const writer = new SegmentWriter({ store, crc32c, chunkBytes: 1024, indexIntervalBytes: 100 })
    expect(await writer.write(plan, () => batches)).toMatchObject(facts)
    expect(Buffer.from(await store.get(facts.key)).toString('hex')).toBe(frozen('segment-v1.hex').toString('hex'))
  })

  test('is read as it was frozen', async () => {
    const store = memoryStore()
    await store.put(facts.key, [frozen('segment-v1.hex')])
    const verdict = await verifySegment(store, facts.key, crc32c)
    expect(verdict.findings).toEqual([])
    expect(verdict.facts).toMatchObject(facts)
  })
})

describe('segment facts version 1', () => {
  test('are read and written as they were frozen', () => {
    const bytes = frozen('segment-facts-v1.hex')
    const decoded = decodeSegmentFacts(bytes)
    expect(decoded).toMatchObject({ ok: true, value: facts })
    if (decoded.ok) expect(Buffer.from(encodeSegmentFacts(decoded.value)).equals(bytes)).toBe(true)
  })
})
