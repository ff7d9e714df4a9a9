// Owns the frozen bytes of snapshots: the container, and the states within it: a partition's, the metadata machine's, the wrapper of
// a coordinator's. The coordinator's own state is frozen beside its room.

import { describe, expect, it } from 'vitest'
import { crc32cReference as crc32c } from '../../../src/base/crc32c.ts'
import { ClusterState, PartitionState } from '../../../src/broker/core/index.ts'
import { groupNumber, leaderEpoch, logIndex, offset, partitionIndex, topicId } from '../../../src/model/ids.ts'
import { decodeCoordinatorSection, encodeCoordinatorSection } from '../../../src/server/coordinator-section.ts'
import { type SegmentFacts, segmentKey } from '../../../tiers/segment/index.ts'
import { decodeSnapshot, encodeSnapshot, type Snapshot } from '../../../tiers/snapshot/index.ts'
import type { BatchRole } from '../../../tiers/stream/index.ts'
import { frozenBytes, hexOf } from '../../support/frozen.ts'

const topic = topicId('AAECAwQFBgcICQoLDA0O_w')

describe('snapshot container version 1', () => {
  const snapshot: Snapshot = {
    life: 4294967295,
    node: 7,
    term: leaderEpoch(9),
    replayFrom: 1099511627776,
    createdMs: 1700000000000,
    sections: [
      { group: groupNumber(0), kind: 'log', appliedIndex: logIndex(3), bytes: Buffer.from('{"v":1}') },
      { group: groupNumber(4294967295), kind: 'coordinator', appliedIndex: logIndex(4503599627370497), bytes: new Uint8Array(0) },
    ],
  }
  const bytes = frozenBytes(import.meta.url, 'snapshot-v1.hex', encodeSnapshot(snapshot, crc32c))

  it('is written and read as it was frozen', () => {
    expect(hexOf(encodeSnapshot(snapshot, crc32c))).toBe(hexOf(bytes))
    const decoded = decodeSnapshot(bytes, crc32c)
    expect(decoded.ok && { ...decoded.value, sections: [] }).toEqual({ ...snapshot, sections: [] })
    expect(decoded.ok && decoded.value.sections.map((one) => ({ ...one, bytes: hexOf(one.bytes) }))).toEqual(
      snapshot.sections.map((one) => ({ ...one, bytes: hexOf(one.bytes) })),
    )
  })
})

const name = { topicId: topic, partition: partitionIndex(12), baseOffset: offset(4), leaderEpoch: leaderEpoch(2), attempt: 1 }
const segment: SegmentFacts = {
  key: segmentKey(name),
  ...name,
  endOffset: offset(9),
  sizeBytes: 1000,
  dataBytes: 800,
  recordCount: 5,
  batchCount: 2,
  minTimestampMs: 1699999999000,
  maxTimestampMs: 1700000000000,
  offsetOfMaxTimestamp: 7,
  trailerCrc32c: 4022250974,
}

const plain = { role: 'plain', coordinatorEpoch: -1 } as const

function partition(): PartitionState {
  const state = new PartitionState(topic, 12)
  const digest = { maxTimestampMs: 1700000000000, producerId: 4294967298, producerEpoch: 5, ...plain }
  const batch = (index: number, term: number, range: readonly [number, number], baseSequence: number): void => {
    state.replayBatch({
      index,
      term,
      digest: { ...digest, baseOffset: offset(range[0]), endOffset: offset(range[1]), baseSequence },
      nowMs: 1700000000123,
    })
  }
  batch(1, 1, [0, 4], 2147483646)
  batch(2, 2, [4, 9], 2)
  const place = { objectKey: 'wal/0000000001/0000000001/0000000000000001', objectSizeBytes: 5000, position: 24, length: 900 }
  state.addExtent({ ...place, baseOffset: offset(0), endOffset: offset(9), maxTimestampMs: 1700000000000 })
  state.replayControl(3, Uint8Array.of(2, 1, 0, 0, 0, 0, 0, 0, 0, 4))
  state.applyControl({ kind: 'segment-published', segment })
  state.noteControl(4)
  batch(5, 7, [9, 12], 7)
  state.addExtent({ ...place, objectKey: `${place.objectKey.slice(0, -1)}2`, baseOffset: offset(9), endOffset: offset(12), maxTimestampMs: -1 })
  return state
}

/** With a transaction that was aborted, one that was committed with a raised epoch, and one that is open. */
function partitionWithTransactions(): PartitionState {
  const state = partition()
  let at = state.endOffset
  const replay = (role: BatchRole, producerId: number, producerEpoch: number): void => {
    const isMarker = role === 'commit' || role === 'abort'
    const digest = {
      ...{ baseOffset: offset(at), endOffset: offset(at + 1), maxTimestampMs: 1700000000000 + at, producerId, producerEpoch, role },
      ...{ baseSequence: isMarker ? -1 : 0, coordinatorEpoch: isMarker ? 9 : -1 },
    }
    state.replayBatch({ index: state.lastIndex + 1, term: 7, digest, nowMs: 1700000000200 })
    at += 1
  }
  replay('transactional', 11, 0)
  replay('transactional', 4294967299, 3)
  replay('abort', 4294967299, 4)
  replay('commit', 11, 1)
  replay('transactional', 12, 0)
  return state
}

/** The same once it was compacted up to offset 9. */
function compactedPartition(): PartitionState {
  const state = partitionWithTransactions()
  const next = { ...name, leaderEpoch: leaderEpoch(7), attempt: 0 }
  state.applyControl({
    kind: 'segments-replaced',
    replaced: [segment],
    segment: { ...segment, ...next, key: segmentKey(next), recordCount: 2, dataBytes: 400, sizeBytes: 600 },
    cleanedEndOffset: 9,
  })
  return state
}

describe("a partition's state version 3", () => {
  const bytes = frozenBytes(import.meta.url, 'partition-state-v3.hex', compactedPartition().encode())

  it('is written and read as it was frozen', () => {
    expect(hexOf(compactedPartition().encode())).toBe(hexOf(bytes))
    const state = PartitionState.decode(bytes, 10)
    if (typeof state === 'string') throw new Error(state)
    expect(state).toMatchObject({ cleanedEndOffset: 9, segments: [{ baseOffset: 4, endOffset: 9, leaderEpoch: 7, recordCount: 2 }] })
    expect(hexOf(state.encode())).toBe(hexOf(bytes))
  })
})

describe("a partition's state version 2", () => {
  const bytes = frozenBytes(import.meta.url, 'partition-state-v2.hex', new Uint8Array(0))

  it('is read as it was frozen, and written as version 3 from then on', () => {
    const state = PartitionState.decode(bytes, 10)
    if (typeof state === 'string') throw new Error(state)
    expect(state.transactions.abortedWithin(0, 100)).toEqual([
      { producerId: 4294967299, firstOffset: 13, lastOffset: 14, lastStableOffset: 12 },
    ])
    expect(state.transactions.lastStableOffset(state.endOffset)).toBe(16)
    expect([...state.producers.active()]).toMatchObject([
      { producerId: 4294967298, producerEpoch: 5, lastTimestampMs: 1700000000000 },
      { producerId: 11, producerEpoch: 1, lastSequence: -1, coordinatorEpoch: 9 },
      { producerId: 4294967299, producerEpoch: 4, lastSequence: -1, coordinatorEpoch: 9 },
      { producerId: 12, producerEpoch: 0, lastSequence: 0, coordinatorEpoch: -1 },
    ])
    expect(state.cleanedEndOffset).toBe(0)
    expect(hexOf(state.encode())).toBe(hexOf(partitionWithTransactions().encode()))
  })
})

describe("a partition's state version 1", () => {
  const bytes = frozenBytes(import.meta.url, 'partition-state-v1.hex', new Uint8Array(0))

  it('is read as it was frozen, and written as version 3 from then on', () => {
    const state = PartitionState.decode(bytes, 5)
    expect(state).toMatchObject({
      topicId: topic,
      index: 12,
      lastIndex: 5,
      logStartOffset: 4,
      endOffset: 12,
      epochs: [
        { epoch: 2, startOffset: 4 },
        { epoch: 7, startOffset: 9 },
      ],
      segments: [segment],
      extents: [{ objectKey: 'wal/0000000001/0000000001/0000000000000002', objectSizeBytes: 5000, position: 24, length: 900, baseOffset: 9, endOffset: 12 }],
    })
    if (typeof state === 'string') throw new Error(state)
    const sequenced = { producerId: 4294967298, producerEpoch: 5, lastOffsetDelta: 2 }
    expect(state.producers.check({ ...sequenced, baseSequence: 7 })).toEqual({ kind: 'duplicate', baseOffset: 9, timestampMs: 1700000000000 })
    expect(state.producers.check({ ...sequenced, baseSequence: 10 })).toEqual({ kind: 'next' })
    expect(hexOf(state.encode())).toBe(hexOf(partition().encode()))
  })
})

describe('a snapshot of the metadata machine version 1', () => {
  function cluster(): ClusterState {
    const state = new ClusterState()
    const create = { kind: 'create-topic', internal: false, configs: { 'retention.ms': '1000', 'chronik.durability': 'bucket' } } as const
    state.apply({ ...create, name: 'größe', id: topic, partitionCount: 2 })
    state.apply({ ...create, name: 'gone', id: 'AAECAwQFBgcICQoLDA0ODw', partitionCount: 1 })
    state.apply({ kind: 'delete-topic', id: 'AAECAwQFBgcICQoLDA0ODw' })
    state.apply({ kind: 'create-partitions', id: topic, partitionCount: 3 })
    state.apply({ kind: 'allocate-producer-ids', count: 1000 })
    return state
  }
  const bytes = frozenBytes(import.meta.url, 'metadata-snapshot-v1.hex', cluster().snapshot())

  it('is written and read as it was frozen', () => {
    expect(hexOf(cluster().snapshot())).toBe(hexOf(bytes))
    const state = new ClusterState()
    expect(state.restore(bytes)).toBe(true)
    expect([...state.topics()]).toEqual([
      {
        name: 'größe',
        id: topic,
        internal: false,
        groups: [1, 2, 4],
        configs: new Map([
          ['retention.ms', '1000'],
          ['chronik.durability', 'bucket'],
        ]),
      },
    ])
    expect(state.apply({ kind: 'allocate-producer-ids', count: 1 })).toMatchObject({ ok: true, value: { first: 1000 } })
    expect(state.apply({ kind: 'create-partitions', id: topic, partitionCount: 4 })).toMatchObject({ ok: true, value: { topic: { groups: [1, 2, 4, 5] } } })
  })
})

describe('the wrapper of a coordinator', () => {
  const section = { takenIn: 4294967297, snapshot: Uint8Array.of(1, 2, 3) }
  const bytes = frozenBytes(import.meta.url, 'coordinator-section-v1.hex', encodeCoordinatorSection(section))

  it('is written and read as it was frozen', () => {
    expect(hexOf(encodeCoordinatorSection(section))).toBe(hexOf(bytes))
    expect(decodeCoordinatorSection(bytes)).toEqual(section)
  })
})
