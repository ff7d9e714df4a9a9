// Owns the claims about ACLs as metadata: they come back after a crash and on an empty disk, by log and by snapshot; damage is named.

import { expect, it } from 'vitest'
import { type AclRecord, ClusterState, decodeCommand } from '../../../../src/broker/core/index.ts'
import { memoryStore } from '../../../../tiers/object-store/memory.ts'
import { drive, ManualClock } from '../../../support/manual-clock.ts'
import { startTestNode } from '../../../support/test-node.ts'

const acl = (principal: string): AclRecord => ({
  resourceType: 2,
  resourceName: 'orders',
  patternType: 3,
  principal,
  host: '*',
  operation: 3,
  permission: 3,
})

it('ACLs come back from the log and from a snapshot with what followed it', async () => {
  const clock = new ManualClock()
  const store = memoryStore()
  let node = await startTestNode({ store, clock })
  const alter = async (additions: readonly AclRecord[], removals: readonly AclRecord[]): Promise<void> => {
    expect((await drive(clock, node.parts.broker.acls.alter(additions, removals))).ok).toBe(true)
  }
  const principals = (): string[] => [...node.parts.broker.acls.set.all()].map(({ principal }) => principal)
  await alter([acl('User:a'), acl('User:b')], [])
  node.kill()
  node = await startTestNode({ store, clock, disk: node.disk, seed: 2, takeover: true })
  expect(principals()).toEqual(['User:a', 'User:b'])
  await node.snapshot()
  await alter([acl('User:c')], [acl('User:a')])
  node.kill()
  node = await startTestNode({ store, clock, seed: 3, takeover: true })
  expect(principals()).toEqual(['User:b', 'User:c'])
  await node.close()
})

it.each([5, [null], [{ ...acl('User:a'), operation: 'READ' }], [{ ...acl('User:a'), host: null }]])(
  'the damaged ACLs %j are refused in a command and in a snapshot',
  (acls) => {
    const command = { v: 1, kind: 'alter-acls', additions: acls, removals: [] }
    expect(decodeCommand(Buffer.from(JSON.stringify(command))).ok).toBe(false)
    const snapshot = { v: 1, nextGroup: 1, nextProducerId: 0, topics: [], acls }
    expect(new ClusterState().restore(Buffer.from(JSON.stringify(snapshot)))).toBe(false)
  },
)
