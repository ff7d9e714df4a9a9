// Owns the proof that a node which stops in order leaves a snapshot of everything, consumer groups included.

import { expect, it } from 'vitest'
import { topicId } from '../../../src/model/ids.ts'
import { memoryStore } from '../../../tiers/object-store/memory.ts'
import { drive, ManualClock } from '../../support/manual-clock.ts'
import { startTestNode, type TestNode } from '../../support/test-node.ts'

function commit(node: TestNode, offset: number): Promise<unknown> {
  const partition = {
    partitionIndex: 0,
    committedOffset: BigInt(offset),
    committedLeaderEpoch: -1,
    commitTimestamp: -1n,
    committedMetadata: '',
  }
  const topics = [{ name: 't', topicId: topicId('AAAAAAAAAAAAAAAAAAAAAA'), partitions: [partition] }]
  const request = {
    groupId: 'g',
    generationIdOrMemberEpoch: -1,
    memberId: '',
    groupInstanceId: null,
    retentionTimeMs: -1n,
    topics,
  }
  return Promise.resolve(node.parts.groups.offsetCommit({ clientId: 'c', clientHost: '/127.0.0.1' }, request, 8))
}

const committed = (node: TestNode): number[] => [...node.parts.groups.committedOffsets()].map(({ offset }) => offset)

it('a node that stops in order stores a last snapshot with the offsets of its groups, those on their way included', async () => {
  const clock = new ManualClock()
  const store = memoryStore({ clock })
  const node = await startTestNode({ store, clock })
  await node.createTopic('t')
  await node.produce('t', 10)
  await drive(clock, commit(node, 3))
  expect(committed(node)).toEqual([3])
  node.disk.held = true
  const late = commit(node, 7)
  setImmediate(() => {
    node.disk.release()
  })
  await node.close()
  await drive(clock, late)
  expect(node.parts.snapshotter.counters).toMatchObject({ uploads: 2, failures: 0 })
  const next = await startTestNode({ store, clock, seed: 2 })
  expect(next.recovered.report.damage).toEqual([])
  expect(committed(next)).toEqual([7])
})
