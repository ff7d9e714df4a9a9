// What a crash may take, and what not.

import { describe, expect, it } from 'vitest'
import { type Acknowledged, type BatchPrint, type Fingerprint, judgeLoss } from '../../../../../recovery/drill/core/index.ts'

const acknowledged = (baseOffset: number, atMs: number, change: Partial<Acknowledged> = {}): Acknowledged => ({
  topic: 'fast',
  partition: 0,
  durability: 'quorum',
  baseOffset,
  records: 10,
  crc: baseOffset,
  atMs,
  ...change,
})
const safe = { topic: 'safe', durability: 'bucket' } as const

const batch = (baseOffset: number, change: Partial<BatchPrint> = {}): BatchPrint => ({
  baseOffset,
  lastOffset: baseOffset + 9,
  records: 10,
  sizeBytes: 100,
  baseTimestampMs: 0,
  maxTimestampMs: 0,
  crc: baseOffset,
  sha256: '',
  ...change,
})

const left = (topics: Readonly<Record<string, readonly BatchPrint[]>>): Fingerprint => ({
  clusterId: 'c',
  groups: [],
  topics: Object.entries(topics).map(([name, batches]) => ({
    name,
    id: name,
    isInternal: false,
    configs: [],
    partitions: [{ partition: 0, startOffset: 0, endOffset: (batches.at(-1)?.lastOffset ?? -1) + 1, batches, times: [] }],
  })),
})

const limits = { killedAtMs: 10_000, quorumWindowMsMax: 1_000 }

describe('judging what a crash took', () => {
  it('finds nothing when everything acknowledged is there', () => {
    const judged = judgeLoss([acknowledged(0, 1), acknowledged(10, 9_999)], left({ fast: [batch(0), batch(10)] }), limits)
    expect(judged.differences).toEqual([])
    expect(judged.quorum).toMatchObject({ acknowledgedBatches: 2, acknowledgedRecords: 20, lostBatches: 0, windowMs: 0 })
  })

  it('lets a quorum topic lose the last moments, and measures them', () => {
    const judged = judgeLoss([acknowledged(0, 1), acknowledged(10, 9_200)], left({ fast: [batch(0)] }), limits)
    expect(judged.differences).toEqual([])
    expect(judged.quorum).toMatchObject({ lostBatches: 1, lostRecords: 10, windowMs: 800 })
  })

  it('does not let it lose more', () => {
    const judged = judgeLoss([acknowledged(0, 1), acknowledged(10, 8_900)], left({ fast: [batch(0)] }), limits)
    expect(judged.differences.map(({ kind, where }) => [kind, where])).toEqual([
      ['acknowledged-lost', 'topics with quorum durability'],
    ])
  })

  it('does not let a bucket topic lose anything', () => {
    const judged = judgeLoss([acknowledged(0, 9_999, safe)], left({ safe: [] }), limits)
    expect(judged.bucket).toMatchObject({ lostBatches: 1, windowMs: 1 })
    expect(judged.differences.map(({ where }) => where)).toEqual(['topics with bucket durability'])
  })

  it('counts a lost topic as lost to the end', () => {
    expect(judgeLoss([acknowledged(0, 9_999, safe)], left({}), limits).bucket.lostBatches).toBe(1)
  })

  it('never allows a hole, however fresh', () => {
    const judged = judgeLoss([acknowledged(0, 9_999), acknowledged(10, 9_999)], left({ fast: [batch(10)] }), limits)
    expect(judged.differences.map(({ kind, after }) => [kind, after])).toEqual([['acknowledged-lost', 'a hole before the end']])
  })

  it('sees that another batch stands where the acknowledged one stood', () => {
    for (const change of [{ crc: 5 }, { records: 9 }]) {
      const judged = judgeLoss([acknowledged(0, 1)], left({ fast: [batch(0, change)] }), limits)
      expect(judged.differences.map(({ kind }) => kind)).toEqual(['acknowledged-altered'])
    }
  })
})
