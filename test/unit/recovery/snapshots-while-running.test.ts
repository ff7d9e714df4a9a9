// Owns the proof that a snapshot taken while entries are on their way never says more, and never less, than the bucket will hold
// (SNAP-1).

import { beforeEach, describe, expect, it } from 'vitest'
import type { ObjectStore } from '../../../tiers/ports.ts'
import { memoryStore } from '../../../tiers/object-store/memory.ts'
import { drive, ManualClock, turns } from '../../support/manual-clock.ts'
import { startTestNode, type TestNode } from '../../support/test-node.ts'

describe('a snapshot taken while the node works', () => {
  let clock: ManualClock
  let store: ObjectStore
  let node: TestNode

  beforeEach(async () => {
    clock = new ManualClock()
    store = memoryStore({ clock })
    node = await startTestNode({ store, clock })
    await node.createTopic('t')
    await node.produce('t', 3)
    await node.flush()
  })

  const nextLife = (): Promise<TestNode> => startTestNode({ store, clock, seed: 2, takeover: true })

  it('is not stored before the entries it covers are durable and in the bucket', async () => {
    node.disk.held = true
    const appended = node.append('t', 2)
    const snapshot = node.parts.snapshotter.run()
    snapshot.catch(() => undefined)
    clock.advance(100)
    await turns()
    const stored = node.parts.snapshotter.counters.uploads
    node.kill()
    const next = await nextLife()
    expect(stored).toBe(0)
    expect(await next.readAll('t')).toMatchObject({ endOffset: 3 })
    expect(next.partition('t').state.endOffset).toBe(3)
    void appended
  })

  it('covers entries that were proposed before it, once they are in the bucket', async () => {
    node.disk.held = true
    const appended = node.append('t', 2)
    const snapshot = node.parts.snapshotter.run()
    await turns()
    node.disk.release()
    await drive(clock, snapshot)
    await drive(clock, appended)
    node.kill()
    expect(await (await nextLife()).readAll('t')).toMatchObject({ endOffset: 5 })
  })

  it('keeps a segment whose entry was proposed and not yet committed', async () => {
    node.disk.held = true
    const rolling = node.parts.archiver.roll(node.partition('t'))
    await turns()
    expect(node.partition('t').state.segments).toEqual([])
    const snapshot = node.parts.snapshotter.run()
    await turns()
    node.disk.release()
    await drive(clock, snapshot)
    await drive(clock, rolling)
    expect(node.partition('t').state.segments).toHaveLength(1)
    node.kill()
    const next = await nextLife()
    expect(next.partition('t').state.segments).toHaveLength(1)
    expect(next.partition('t').state.extents).toEqual([])
  })
})
