// Owns the frozen bytes of what is streamed to the bucket: WAL objects and fences, version 1.

import { describe, expect, it } from 'vitest'
import { crc32cReference as crc32c } from '../../../src/base/crc32c.ts'
import { groupNumber, leaderEpoch, logIndex, topicId } from '../../../src/model/ids.ts'
import { encodeTransactionMarker } from '../../../src/protocol/index.ts'
import { memoryStore } from '../../../tiers/object-store/memory.ts'
import {
  claimKey,
  decodeFence,
  digestOf,
  encodeFence,
  encodeStreamObject,
  groupSnapshotPrefix,
  heartbeatKey,
  inspectStreamObject,
  metadataSnapshotPrefix,
  metadataWalPrefix,
  noTopic,
  numberedKey,
  openKey,
  readStreamedHead,
  walPrefix,
} from '../../../tiers/stream/index.ts'
import { testBatch } from '../../support/batches.ts'
import { frozenBytes, hexOf } from '../../support/frozen.ts'

/** Big numbers, jumps of index, term and offset, a batch with and one without a producer, all kinds of entries. */
const first = testBatch({ baseOffset: 4294967297, records: 3, leaderEpoch: 6, maxTimestampMs: 1700000000500, body: Uint8Array.of(1, 2) })
const second = testBatch({ baseOffset: 4294967310, leaderEpoch: 7, maxTimestampMs: -1 })
new DataView(second.buffer).setBigInt64(43, 4294967298n)
new DataView(second.buffer).setInt16(51, 5)
new DataView(second.buffer).setInt32(53, 2147483647)

const entry = (index: number, term: number, bytes: Uint8Array) => ({
  index: logIndex(index),
  term: leaderEpoch(term),
  length: bytes.length,
  bytes,
})
const batch = (index: number, term: number, bytes: Uint8Array) => ({
  ...entry(index, term, bytes),
  kind: 'batch' as const,
  digest: digestOf(bytes),
})
const shares = [
  {
    group: groupNumber(0),
    topicId: noTopic,
    partition: 0,
    entries: [{ ...entry(1, 6, Buffer.from('{"v":1}')), kind: 'metadata' as const }],
  },
  {
    group: groupNumber(4294967295),
    topicId: topicId('AAECAwQFBgcICQoLDA0O_w'),
    partition: 12,
    entries: [
      batch(1099511627777, 6, first),
      { ...entry(1099511627778, 6, Uint8Array.of(2, 1, 0, 0, 0, 0, 0, 0, 0, 9)), kind: 'control' as const },
      batch(1099511627779, 7, second),
    ],
  },
]
const origin = { life: 4294967295, node: 7, term: leaderEpoch(7), createdMs: 1700000000999 }
const written = Uint8Array.from(Buffer.concat(encodeStreamObject(shares, origin, crc32c).body))

describe('WAL object version 1', () => {
  const bytes = frozenBytes(import.meta.url, 'wal-object-v1.hex', written)

  it('is written as it was frozen', () => {
    expect(hexOf(written)).toBe(hexOf(bytes))
  })

  it('is read as it was frozen', async () => {
    const store = memoryStore()
    await store.put('wal/x', [bytes])
    const head = await readStreamedHead(store, 'wal/x', crc32c)
    expect(head.kind === 'entries' && head.footer).toMatchObject({
      term: 7,
      groups: [
        { group: 0, topicId: noTopic, partition: 0, position: 24, length: 0, entries: [{ kind: 'metadata', index: 1, term: 6 }] },
        {
          group: 4294967295,
          topicId: 'AAECAwQFBgcICQoLDA0O_w',
          partition: 12,
          position: 24,
          length: 124,
          entries: [
            { kind: 'batch', index: 1099511627777, term: 6, length: 63, digest: { baseOffset: 4294967297, endOffset: 4294967300, maxTimestampMs: 1700000000500, producerId: -1, producerEpoch: -1, baseSequence: -1 } },
            { kind: 'control', index: 1099511627778, term: 6, payload: Uint8Array.of(2, 1, 0, 0, 0, 0, 0, 0, 0, 9) },
            { kind: 'batch', index: 1099511627779, term: 7, length: 61, digest: { baseOffset: 4294967310, endOffset: 4294967311, maxTimestampMs: -1, producerId: 4294967298, producerEpoch: 5, baseSequence: 2147483647 } },
          ],
        },
      ],
    })
    expect([...inspectStreamObject(bytes, crc32c)][0]).toEqual({
      kind: 'header',
      header: { life: 4294967295, node: 7, createdMs: 1700000000000 },
    })
  })

  it('of another version is refused by name', async () => {
    const store = memoryStore()
    const other = bytes.slice()
    other[other.length - 11] = 2
    await store.put('wal/x', [other])
    await expect(readStreamedHead(store, 'wal/x', crc32c)).rejects.toMatchObject({ kind: 'corrupt', detail: expect.stringContaining('version 2') as string })
  })
})

describe('WAL object version 1 with transactions', () => {
  const data = testBatch({ baseOffset: 100, leaderEpoch: 6, maxTimestampMs: 1700000000500 })
  const view = new DataView(data.buffer)
  view.setInt16(21, 0x10)
  view.setBigInt64(43, 4294967298n)
  view.setInt16(51, 5)
  view.setInt32(53, 0)
  const marker = (result: 'commit' | 'abort', baseOffset: number): Uint8Array =>
    encodeTransactionMarker(
      { result, producerId: 4294967298, producerEpoch: 6, coordinatorEpoch: 258, timestamp: 1700000000600, baseOffset, leaderEpoch: 6 },
      crc32c,
    )
  const entries = [batch(1, 6, data), batch(2, 6, marker('commit', 101)), batch(3, 6, marker('abort', 102))]
  const group = { group: groupNumber(5), topicId: topicId('AAECAwQFBgcICQoLDA0O_w'), partition: 0, entries }
  const now = Uint8Array.from(Buffer.concat(encodeStreamObject([group], origin, crc32c).body))
  const bytes = frozenBytes(import.meta.url, 'wal-object-v1-transactions.hex', now)

  it('is written and read as it was frozen', async () => {
    expect(hexOf(now)).toBe(hexOf(bytes))
    const store = memoryStore()
    await store.put('wal/x', [bytes])
    const head = await readStreamedHead(store, 'wal/x', crc32c)
    const digests = head.kind === 'entries' ? head.footer.groups[0]!.entries.map(({ digest }) => digest) : []
    const producer = { producerId: 4294967298, producerEpoch: 6, baseSequence: -1, coordinatorEpoch: 258 }
    expect(digests).toMatchObject([
      { baseOffset: 100, role: 'transactional', producerEpoch: 5, baseSequence: 0, coordinatorEpoch: -1 },
      { baseOffset: 101, endOffset: 102, role: 'commit', ...producer },
      { baseOffset: 102, endOffset: 103, role: 'abort', ...producer },
    ])
  })
})

describe('fence version 1', () => {
  const fence = { byLife: 4294967296, by: 'node 1 at größe:9092', atMs: 1700000000000 }
  const bytes = frozenBytes(import.meta.url, 'fence-v1.hex', encodeFence(fence))

  it('is written and read as it was frozen', () => {
    expect(hexOf(encodeFence(fence))).toBe(hexOf(bytes))
    expect(decodeFence(bytes)).toEqual(fence)
  })
})

it('keys are spelled as ever', () => {
  const life = 12 as Parameters<typeof claimKey>[0]
  const node = 3 as Parameters<typeof walPrefix>[1]
  const keys = [claimKey(life), openKey(life), walPrefix(life, node), metadataWalPrefix(life), metadataSnapshotPrefix(life)]
  expect([...keys, groupSnapshotPrefix(life, node), heartbeatKey(life, node), numberedKey('wal/', 9007199254740991)]).toEqual([
    'cluster/0000000012/claim',
    'cluster/0000000012/open',
    'wal/0000000012/0000000003/',
    'metadata/wal/0000000012/',
    'metadata/snapshots/0000000012/',
    'snapshots/0000000012/0000000003/',
    'heartbeat/0000000012/0000000003',
    'wal/9007199254740991',
  ])
})
