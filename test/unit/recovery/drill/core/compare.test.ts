// Every kind of planted difference is found, and named as what it is.

import { describe, expect, it } from 'vitest'
import {
  type BatchPrint,
  compareFingerprints,
  type DifferenceKind,
  type Fingerprint,
  type GroupPrint,
  type PartitionPrint,
  sizeOf,
  type TopicPrint,
} from '../../../../../recovery/drill/core/index.ts'

const batch = (baseOffset: number): BatchPrint => ({
  baseOffset,
  lastOffset: baseOffset + 9,
  records: 10,
  sizeBytes: 500,
  baseTimestampMs: 1_000 + baseOffset,
  maxTimestampMs: 1_009 + baseOffset,
  crc: 77 + baseOffset,
  sha256: `sha-${baseOffset}`,
})

const partition: PartitionPrint = {
  partition: 0,
  startOffset: 10,
  endOffset: 50,
  batches: [batch(10), batch(20), batch(30), batch(40)],
  times: [{ askedMs: 1_020, offset: 20, foundMs: 1_020, leaderEpoch: 1 }],
}

const topic: TopicPrint = {
  name: 'orders',
  id: 'id-1',
  isInternal: false,
  configs: [
    { name: 'retention.ms', value: '1000', source: 1 },
    { name: 'segment.ms', value: null, source: 5 },
  ],
  partitions: [partition, { ...partition, partition: 1, batches: [] }],
}

const group: GroupPrint = {
  id: 'readers',
  state: 'Stable',
  protocolType: 'consumer',
  protocol: 'range',
  members: [{ memberId: 'm-1', instanceId: null, clientId: 'c', subscription: 's-1', assignment: 'a-1' }],
  offsets: [{ topic: 'orders', partition: 0, offset: 42, leaderEpoch: 3, metadata: 'note' }],
}

const print: Fingerprint = { clusterId: 'cluster-1', topics: [topic], groups: [group] }

const withTopic = (change: Partial<TopicPrint>): Fingerprint => ({ ...print, topics: [{ ...topic, ...change }] })
const withPartition = (change: Partial<PartitionPrint>): Fingerprint =>
  withTopic({ partitions: [{ ...partition, ...change }, topic.partitions[1]!] })
const withBatch = (change: Partial<BatchPrint>): Fingerprint =>
  withPartition({ batches: partition.batches.map((one) => (one.baseOffset === 20 ? { ...one, ...change } : one)) })
const withGroup = (change: Partial<GroupPrint>): Fingerprint => ({ ...print, groups: [{ ...group, ...change }] })
const withMember = (change: Partial<GroupPrint['members'][number]>): Fingerprint =>
  withGroup({ members: [{ ...group.members[0]!, ...change }] })
const withCommitted = (change: Partial<GroupPrint['offsets'][number]>): Fingerprint =>
  withGroup({ offsets: [{ ...group.offsets[0]!, ...change }] })
const withTime = (change: Partial<PartitionPrint['times'][number]>): Fingerprint =>
  withPartition({ times: [{ ...partition.times[0]!, ...change }] })

const planted: ReadonlyArray<readonly [string, Fingerprint, DifferenceKind, string]> = [
  ['another cluster', { ...print, clusterId: 'cluster-2' }, 'cluster-id', 'cluster'],
  ['a lost topic', { ...print, topics: [] }, 'topic-missing', 'orders'],
  ['a topic from nowhere', { ...print, topics: [topic, { ...topic, name: 'zebra' }] }, 'topic-extra', 'zebra'],
  ['a topic made anew', withTopic({ id: 'id-2' }), 'topic-id', 'orders'],
  ['a topic become internal', withTopic({ isInternal: true }), 'topic-internal', 'orders'],
  [
    'a config of another value',
    withTopic({ configs: [{ name: 'retention.ms', value: '2000', source: 1 }, topic.configs[1]!] }),
    'config',
    'orders retention.ms',
  ],
  [
    'a config of another source',
    withTopic({ configs: [{ name: 'retention.ms', value: '1000', source: 5 }, topic.configs[1]!] }),
    'config',
    'orders retention.ms',
  ],
  ['a lost config', withTopic({ configs: [topic.configs[0]!] }), 'config', 'orders segment.ms'],
  [
    'a config from nowhere',
    withTopic({ configs: [...topic.configs, { name: 'x', value: '', source: 1 }] }),
    'config',
    'orders x',
  ],
  ['a lost partition', withTopic({ partitions: [partition] }), 'partition-missing', 'orders-1'],
  [
    'a partition from nowhere',
    withTopic({ partitions: [...topic.partitions, { ...partition, partition: 2 }] }),
    'partition-extra',
    'orders-2',
  ],
  ['a log start moved', withPartition({ startOffset: 0 }), 'start-offset', 'orders-0'],
  ['a log end moved', withPartition({ endOffset: 51 }), 'end-offset', 'orders-0'],
  ['a lost batch', withPartition({ batches: [batch(10), batch(30), batch(40)] }), 'batches-missing', 'orders-0'],
  ['a batch from nowhere', withPartition({ batches: [...partition.batches, batch(50)] }), 'batches-extra', 'orders-0'],
  ['a batch of other bytes', withBatch({ sha256: 'sha-other' }), 'batch-bytes', 'orders-0@20'],
  ['a batch of another CRC', withBatch({ crc: 1 }), 'batch-bytes', 'orders-0@20'],
  ['a batch that ends elsewhere', withBatch({ lastOffset: 28 }), 'batch-bytes', 'orders-0@20'],
  ['a batch of fewer records', withBatch({ records: 9 }), 'batch-bytes', 'orders-0@20'],
  ['a batch of another size', withBatch({ sizeBytes: 501 }), 'batch-bytes', 'orders-0@20'],
  ['a batch of another first time', withBatch({ baseTimestampMs: 0 }), 'batch-bytes', 'orders-0@20'],
  ['a batch of another last time', withBatch({ maxTimestampMs: 0 }), 'batch-bytes', 'orders-0@20'],
  ['another offset for a time', withTime({ offset: 21 }), 'offset-by-time', 'orders-0 at 1020'],
  ['another time found', withTime({ foundMs: 1_021 }), 'offset-by-time', 'orders-0 at 1020'],
  ['another epoch for a time', withTime({ leaderEpoch: 2 }), 'offset-by-time', 'orders-0 at 1020'],
  ['a lost answer for a time', withPartition({ times: [] }), 'offset-by-time', 'orders-0 at 1020'],
  ['a lost group', { ...print, groups: [] }, 'group-missing', 'group readers'],
  ['a group from nowhere', { ...print, groups: [group, { ...group, id: 'zebra' }] }, 'group-extra', 'group zebra'],
  ['a group in another state', withGroup({ state: 'Empty' }), 'group-state', 'group readers'],
  ['a group of another type', withGroup({ protocolType: 'connect' }), 'group-protocol', 'group readers'],
  ['a group of another protocol', withGroup({ protocol: 'sticky' }), 'group-protocol', 'group readers'],
  ['a lost member', withGroup({ members: [] }), 'group-member', 'group readers, member m-1'],
  ['a member of another instance', withMember({ instanceId: 'i' }), 'group-member', 'group readers, member m-1'],
  ['a member of another client', withMember({ clientId: 'd' }), 'group-member', 'group readers, member m-1'],
  ['a member of another subscription', withMember({ subscription: 's-2' }), 'group-member', 'group readers, member m-1'],
  ['a member of another assignment', withMember({ assignment: 'a-2' }), 'group-member', 'group readers, member m-1'],
  ['a lost committed offset', withGroup({ offsets: [] }), 'committed-offset', 'group readers, orders-0'],
  ['another committed offset', withCommitted({ offset: 41 }), 'committed-offset', 'group readers, orders-0'],
  ['another committed epoch', withCommitted({ leaderEpoch: 4 }), 'committed-offset', 'group readers, orders-0'],
  ['another committed note', withCommitted({ metadata: null }), 'committed-offset', 'group readers, orders-0'],
]

describe('comparing fingerprints', () => {
  it('finds nothing between equals, in whatever order they list things', () => {
    const reversed = withTopic({ configs: [...topic.configs].reverse(), partitions: [...topic.partitions].reverse() })
    expect(compareFingerprints(print, structuredClone(print))).toEqual([])
    expect(compareFingerprints(print, reversed)).toEqual([])
  })

  it.each(planted)('finds %s', (_, after, kind, where) => {
    const found = compareFingerprints(print, after)
    expect(found.map((one) => [one.kind, one.where])).toEqual([[kind, where]])
    expect(found[0]?.before).not.toBe(found[0]?.after)
  })

  it('finds each of them the other way round too', () => {
    for (const [, after] of planted) expect(compareFingerprints(after, print)).toHaveLength(1)
  })

  it('looks at every field of a batch', () => {
    for (const field of Object.keys(batch(20)) as Array<keyof BatchPrint>) {
      const other = typeof batch(20)[field] === 'number' ? 25 : 'other'
      expect(compareFingerprints(print, withBatch({ [field]: other }))).not.toEqual([])
    }
  })

  it('tells a run of lost batches once, with its offsets', () => {
    const [found, ...more] = compareFingerprints(print, withPartition({ batches: [batch(40)] }))
    expect(more).toEqual([])
    expect(found).toEqual({ kind: 'batches-missing', where: 'orders-0', before: '3 batches, offsets 10 to 39', after: 'absent' })
  })

  it('tells a batch that was split as lost and come from nowhere', () => {
    const halves = [
      { ...batch(20), lastOffset: 24 },
      { ...batch(25), lastOffset: 29 },
    ]
    const after = withPartition({ batches: [batch(10), ...halves, batch(30), batch(40)] })
    expect(compareFingerprints(print, after).map(({ kind }) => kind)).toEqual(['batch-bytes', 'batches-extra'])
  })

  it('says how much it looked at', () => {
    expect(sizeOf(print)).toEqual({
      topics: 1,
      partitions: 2,
      batches: 4,
      records: 40,
      sizeBytes: 2_000,
      configs: 2,
      groups: 1,
      committedOffsets: 1,
      timeAnswers: 2,
    })
  })
})
