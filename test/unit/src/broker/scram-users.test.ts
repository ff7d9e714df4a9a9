// Owns the claims about SCRAM users as metadata: they are in the bucket when they are answered, come back after a crash and on an empty
// disk, by log and by snapshot, and what a person is shown of them holds no key.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  ClusterState,
  decodeCommand,
  encodeCommand,
  type ScramChange,
  type ScramCredential,
} from '../../../../src/broker/core/index.ts'
import { entryLines, Wrongs } from '../../../../src/cli/engines/dump-entry.ts'
import { memoryStore } from '../../../../tiers/object-store/memory.ts'
import { drive, ManualClock } from '../../../support/manual-clock.ts'
import { startTestNode, type TestNode } from '../../../support/test-node.ts'

const credential: ScramCredential = { iterations: 4096, salt: 'c2FsdA==', storedKey: 'c3RvcmVk', serverKey: 'c2VydmVy' }
const set = (user: string, change: Partial<ScramCredential> = {}): ScramChange => ({
  user,
  mechanism: 'SCRAM-SHA-256',
  credential: { ...credential, ...change },
})
const unset = (user: string): ScramChange => ({ user, mechanism: 'SCRAM-SHA-256', credential: null })

describe('the users of a cluster', () => {
  let clock: ManualClock
  let node: TestNode
  let store: ReturnType<typeof memoryStore>
  beforeEach(async () => {
    clock = new ManualClock()
    store = memoryStore()
    node = await startTestNode({ store, clock })
  })
  afterEach(async () => {
    await node.close()
  })

  const alter = async (...changes: ScramChange[]): Promise<void> => {
    const outcome = await drive(clock, node.parts.broker.scram.alter(changes))
    expect(outcome.ok).toBe(true)
  }
  const users = (): string[] => [...node.parts.broker.scram.users()]

  it('come back after a crash, from the log alone', async () => {
    await alter(set('alice'), set('bob'), { ...set('alice'), mechanism: 'SCRAM-SHA-512' })
    await alter(unset('bob'), set('alice', { iterations: 8192 }))
    node.kill()
    node = await startTestNode({ store, clock, disk: node.disk, seed: 2, takeover: true })
    expect(users()).toEqual(['alice'])
    expect([...node.parts.broker.scram.of('alice')!.keys()].sort()).toEqual(['SCRAM-SHA-256', 'SCRAM-SHA-512'])
    expect(node.parts.broker.scram.of('alice')!.get('SCRAM-SHA-256')).toEqual({ ...credential, iterations: 8192 })
  })

  it('come back on an empty disk, from a snapshot and what followed it', async () => {
    await alter(set('alice'), set('bob'))
    await node.snapshot()
    await alter(unset('bob'), set('carol'))
    node.kill()
    node = await startTestNode({ store, clock, seed: 2, takeover: true })
    expect(users()).toEqual(['alice', 'carol'])
  })

  it('are not answered before the bucket has them', async () => {
    node.store.inject({ fault: { kind: 'hang' } })
    let isAnswered = false
    void node.parts.broker.scram.alter([set('alice')]).then(
      () => (isAnswered = true),
      () => undefined,
    )
    for (let step = 0; step < 20; step += 1) await drive(clock, Promise.resolve())
    expect(isAnswered).toBe(false)
    expect(users()).toEqual([])
    node.kill()
    node = await startTestNode({ store, clock, seed: 2, takeover: true })
  })
})

describe('the state of users', () => {
  it('goes through a snapshot and back, and a snapshot without any is what it was before there were some', () => {
    const state = new ClusterState()
    const before = Buffer.from(state.snapshot()).toString()
    expect(before).not.toContain('scram')
    state.apply({ kind: 'alter-scram-credentials', changes: [set('__proto__'), set('a"b')] })
    const other = new ClusterState()
    expect(other.restore(state.snapshot())).toBe(true)
    expect([...other.scram.users()]).toEqual(['__proto__', 'a"b'])
    expect(other.restore(Buffer.from(before))).toBe(true)
    expect([...other.scram.users()]).toEqual([])
  })

  it.each([
    { changes: 5 },
    { changes: [null] },
    { changes: [{ user: 5, mechanism: 'SCRAM-SHA-256', credential: null }] },
    { changes: [{ user: 'a', mechanism: 'PLAIN', credential: null }] },
    { changes: [{ user: 'a', mechanism: 'SCRAM-SHA-256' }] },
    { changes: [{ user: 'a', mechanism: 'SCRAM-SHA-256', credential: { ...credential, salt: 5 } }] },
  ])('refuses the damaged command %j, and a snapshot with the same damage', ({ changes }) => {
    const bytes = Buffer.from(JSON.stringify({ v: 1, kind: 'alter-scram-credentials', changes }))
    expect(decodeCommand(bytes).ok).toBe(false)
    const snapshot = { v: 1, nextGroup: 1, nextProducerId: 0, topics: [], scram: changes }
    expect(new ClusterState().restore(Buffer.from(JSON.stringify(snapshot)))).toBe(false)
  })

  it('is dumped without a key', () => {
    const payload = encodeCommand({ kind: 'alter-scram-credentials', changes: [set('alice'), unset('bob')] })
    const lines = [...entryLines({ kind: 'metadata', payload, text: '', json: {} }, undefined, new Wrongs())]
    const shown = JSON.stringify(lines)
    for (const secret of [credential.salt, credential.storedKey, credential.serverKey]) expect(shown).not.toContain(secret)
    expect(lines[0]!.text).toContain('"user":"alice","mechanism":"SCRAM-SHA-256","set":true')
    expect(lines[0]!.text).toContain('"user":"bob","mechanism":"SCRAM-SHA-256","set":false')
  })
})
