import { expect, test } from 'vitest'
import {
  consumerProtocolAssignment,
  readConsumerProtocolAssignment,
  writeConsumerProtocolAssignment,
} from '../../../../../../src/protocol/generated/data/consumer-protocol-assignment.ts'
import {
  consumerProtocolSubscription,
  writeConsumerProtocolSubscription,
} from '../../../../../../src/protocol/generated/data/consumer-protocol-subscription.ts'
import { decodeVersioned, encodeVersioned } from '../../../../../../src/protocol/index.ts'
import type { JoinAsk } from '../../../../../../src/groups/core/messages.ts'
import { idOfT, Play } from '../../play.ts'

function subscribing(owned: readonly number[] = [], topics = ['t']): Uint8Array {
  const ownedPartitions = owned.length === 0 ? [] : [{ topic: 't', partitions: [...owned] }]
  const message = consumerProtocolSubscription({ topics, ownedPartitions })
  return encodeVersioned(writeConsumerProtocolSubscription, message, 1)
}

function assigning(...partitions: number[]): Uint8Array {
  const message = consumerProtocolAssignment({ assignedPartitions: [{ topic: 't', partitions }] })
  return encodeVersioned(writeConsumerProtocolAssignment, message, 1)
}

function assigned(bytes: Uint8Array): readonly number[] {
  const message = decodeVersioned(readConsumerProtocolAssignment, bytes, 1)
  return message?.assignedPartitions.flatMap(({ partitions }) => partitions) ?? []
}

const protocols = (owned: readonly number[] = []) => [{ name: 'range', metadata: subscribing(owned) }]
const joining = (more: Partial<JoinAsk> = {}) => ({ protocols: protocols(), ...more })

/** A classic group of `m1`, stable, with all of `t`. */
function classic(settings: ConstructorParameters<typeof Play>[0] = {}): Play {
  const play = new Play(settings)
  const { memberId, generation } = play.joined(play.join(joining()))
  const ticket = play.ticket
  const assignments = new Map([[memberId, assigning(0, 1, 2, 3)]])
  const claim = { groupId: 'g', memberId, instanceId: undefined, generation, protocolType: undefined, protocolName: undefined }
  play.machine.sync(ticket, { ...claim, assignments }, play.now)
  play.step()
  return play
}

const consumerOf = (play: Play) => play.machine.durable.get('g')?.consumer

test('an empty classic group becomes a consumer group, and back', () => {
  const play = classic()
  play.commit({ memberId: 'm1', generation: 1 }, { offset: 5 })
  play.leave('m1')
  expect(play.told('c1')).toBe('2 t0 t1 t2 t3')
  expect(play.machine.durable.get('g')?.metadata).toBeUndefined()
  expect(play.offset()).toBe(5)
  play.told('c1', { memberEpoch: -1 })
  const back = play.joined(play.join(joining({ memberId: '' })))
  expect(back).toMatchObject({ error: 'NONE', generation: 1 })
  expect(consumerOf(play)).toBeUndefined()
  expect(play.offset()).toBe(5)
})

test('what an emptied classic group has on its way does not outlive it', () => {
  const play = new Play()
  const { memberId } = play.joined(play.join(joining()))
  play.autoCommit = false
  play.leave(memberId)
  // That it is empty is not stored yet, nor that it was ever there.
  const join = play.beat('c1')
  while (play.waiting.length > 0) play.commitNext()
  expect(play.beaten(join).error).toBe('NONE')
  expect(play.machine.durable.get('g')).toMatchObject({ metadata: undefined })
  play.autoCommit = true
  play.told('c1', { memberEpoch: -1 })
  expect(play.replies.get(play.remove())).toEqual({ kind: 'delete', error: 'NONE' })
  expect(play.machine.durable.groups.size).toBe(0)
})

test('a join that finds an empty consumer group which cannot make room is told so', () => {
  const play = new Play()
  play.told('c1')
  play.told('c1', { memberEpoch: -1 })
  play.autoCommit = false
  const join = play.join(joining())
  play.failNext('NOT_COORDINATOR')
  expect(play.joined(join).error).toBe('NOT_COORDINATOR')
  expect(consumerOf(play)?.state).toBe('Empty')
})

test('a group of simple consumers, which only commit, becomes a consumer group', () => {
  const play = new Play()
  play.commit({}, { offset: 5 })
  expect(play.told('c1')).toBe('2 t0 t1 t2 t3')
  expect(play.offset()).toBe(5)
})

test('a living classic group is upgraded by its first member of the consumer protocol, and its members go on', () => {
  const play = classic()
  expect(play.told('c1')).toBe('2')
  const state = consumerOf(play)!
  expect(state.currentOf('m1').memberEpoch).toBe(1)
  expect(state.targets.get('m1')?.get(idOfT)?.length).toBe(2)
  // The classic member hears of it with its heartbeat, gives up two partitions, and comes again for its new epoch.
  expect(play.heartbeat('m1', 1)).toBe('REBALANCE_IN_PROGRESS')
  expect(play.errors(play.commit({ memberId: 'm1', generation: 1 }, { offset: 7 }))).toEqual(['NONE'])
  const first = play.joined(play.join(joining({ memberId: 'm1', protocols: protocols([0, 1, 2, 3]) })))
  expect(first).toMatchObject({ error: 'NONE', generation: 1, protocolName: 'range', leaderId: '' })
  const kept = assigned(play.synced(play.sync('m1', 1)).assignment)
  expect(kept.length).toBe(2)
  expect(play.heartbeat('m1', 1)).toBe('REBALANCE_IN_PROGRESS')
  const second = play.joined(play.join(joining({ memberId: 'm1', protocols: protocols(kept) })))
  expect(second.generation).toBe(2)
  expect(assigned(play.synced(play.sync('m1', 2)).assignment)).toEqual(kept)
  expect(play.heartbeat('m1', 2)).toBe('NONE')
  const mine = play.told('c1', { memberEpoch: 2 })
  expect(mine.split(' ').length).toBe(3)
  expect(consumerOf(play)?.state).toBe('Stable')
})

test('a classic member that was told to rejoin and does not is out', () => {
  const play = classic()
  play.told('c1')
  for (let at = 0; at < 13; at += 1) {
    play.heartbeat('m1', 1)
    play.told('c1', { memberEpoch: 2 })
    play.pass(5_000)
  }
  expect([...consumerOf(play)!.subscribers.keys()]).toEqual(['c1'])
  expect(consumerOf(play)!.currentOf('c1').assigned.get(idOfT)?.size).toBe(4)
})

test('a join that arrived in time counts, though it was stored late', () => {
  const play = classic({ consumerSessionTimeoutMs: 100_000, sessionTimeoutMsMax: 100_000 })
  play.told('c1')
  play.pass(9_000)
  play.heartbeat('m1', 1)
  for (let at = 0; at < 7; at += 1) {
    play.pass(8_500)
    play.heartbeat('m1', 1)
  }
  play.autoCommit = false
  const join = play.join(joining({ memberId: 'm1', protocols: protocols([0, 1, 2, 3]) }))
  play.pass(2_000)
  play.commitNext()
  expect(play.joined(join).error).toBe('NONE')
  expect(play.waiting.length).toBe(0)
  expect(consumerOf(play)!.subscribers.has('m1')).toBe(true)
})

test('who waits in a classic group that is upgraded is told to come again', () => {
  const play = new Play()
  const waiting = play.join(joining({ requireKnownMemberId: false }))
  const { memberId } = play.joined(waiting)
  const sync = play.sync(memberId, 1)
  expect(play.replies.has(sync)).toBe(true)
  const other = new Play()
  const first = other.joined(other.join(joining()))
  // A second member joins: the group gathers, and the newcomer waits.
  const second = other.join(joining())
  expect(other.told('c1')).not.toContain('GROUP')
  expect(other.joined(second).error).toBe('REBALANCE_IN_PROGRESS')
  expect(consumerOf(other)?.subscribers.has(first.memberId)).toBe(true)
})

test('an upgrade that is not stored leaves the classic group, which gathers its members', () => {
  const play = classic()
  play.autoCommit = false
  const upgrade = play.beat('c1')
  expect(play.heartbeat('m1', 1)).toBe('REBALANCE_IN_PROGRESS')
  play.failNext()
  expect(play.beaten(upgrade).error).toBe('COORDINATOR_NOT_AVAILABLE')
  play.autoCommit = true
  expect(play.state).toBe('PreparingRebalance')
  expect(play.joined(play.join(joining({ memberId: 'm1' }))).generation).toBe(2)
})

test('a classic group stays classic where the policy says so, or where it is not one of consumers', () => {
  for (const consumerMigrationPolicy of ['disabled', 'downgrade'] as const) {
    const play = classic({ consumerMigrationPolicy })
    expect(play.told('c1')).toBe('GROUP_ID_NOT_FOUND')
    expect(play.state).toBe('Stable')
  }
  const connect = new Play()
  connect.join({ protocolType: 'connect' })
  expect(connect.told('c1')).toBe('GROUP_ID_NOT_FOUND')
  const unreadable = new Play()
  unreadable.stable(1)
  expect(unreadable.told('c1')).toBe('GROUP_ID_NOT_FOUND')
})

test('a member of the classic protocol may join a consumer group', () => {
  const play = new Play()
  play.told('c1')
  const required = play.joined(play.join(joining({ requireKnownMemberId: true })))
  expect(required.error).toBe('MEMBER_ID_REQUIRED')
  const joined = play.joined(play.join(joining({ requireKnownMemberId: true, memberId: required.memberId })))
  expect(joined).toMatchObject({ error: 'NONE', generation: 3, memberId: required.memberId })
  expect(assigned(play.synced(play.sync(joined.memberId, 3)).assignment)).toEqual([])
  expect(play.heartbeat(joined.memberId, 3)).toBe('NONE')
  play.told('c1', { memberEpoch: 2, owned: new Map([[idOfT, [0, 1, 2, 3]]]) })
  play.told('c1', { memberEpoch: 2, owned: new Map([[idOfT, [0, 1]]]) })
  // What it waited for is free: it is told to rejoin, and gets it.
  expect(play.heartbeat(joined.memberId, 3)).toBe('REBALANCE_IN_PROGRESS')
  expect(play.joined(play.join(joining({ memberId: joined.memberId }))).generation).toBe(3)
  expect(assigned(play.synced(play.sync(joined.memberId, 3)).assignment)).toEqual([2, 3])
  expect(play.heartbeat(joined.memberId, 3)).toBe('NONE')
  expect(play.joined(play.join({ protocolType: 'connect' })).error).toBe('INCONSISTENT_GROUP_PROTOCOL')
  expect(play.joined(play.join({ protocols: [{ name: 'other', metadata: subscribing() }] })).error).toBe(
    'INCONSISTENT_GROUP_PROTOCOL',
  )
  expect(play.joined(play.join(joining({ sessionTimeoutMs: 1 }))).error).toBe('INVALID_SESSION_TIMEOUT')
  expect(play.heartbeat(joined.memberId, 1)).toBe('ILLEGAL_GENERATION')
  expect(play.heartbeat('c1', 3)).toBe('UNKNOWN_MEMBER_ID')
})

test('when the last member of the consumer protocol goes, the group is classic again and gathers', () => {
  const play = classic()
  play.told('c1')
  play.told('c1', { memberEpoch: -1 })
  expect(consumerOf(play)).toBeUndefined()
  expect(play.machine.durable.get('g')?.metadata).toMatchObject({ protocolName: 'range', generation: 3 })
  expect(play.state).toBe('PreparingRebalance')
  expect(play.heartbeat('m1', 3)).toBe('REBALANCE_IN_PROGRESS')
  expect(play.joined(play.join(joining({ memberId: 'm1' })))).toMatchObject({ generation: 4, leaderId: 'm1' })
})

test('a group that goes back before a member gave up remembers all the member reads', () => {
  const play = classic()
  play.told('c1')
  play.told('c1', { memberEpoch: -1 })
  // `m1` has not heard of any of it.
  const stored = play.machine.durable.get('g')?.metadata?.members[0]
  expect(assigned(stored!.assignment)).toEqual([0, 1, 2, 3])
  expect(play.told('c2')).toBe('4')
  expect(consumerOf(play)!.currentOf('m1').assigned.get(idOfT)?.size).toBe(4)
})

test('an upgrade amid a rebalance believes what members said they own', () => {
  const play = classic()
  play.join(joining({ memberId: 'm1', protocols: protocols([0, 1, 2, 3]) }))
  // The generation is there, its assignment is not; then a newcomer starts the next rebalance.
  const newcomer = play.join(joining())
  expect(play.state).toBe('PreparingRebalance')
  expect(play.told('c1')).toBe('3')
  expect(play.joined(newcomer).error).toBe('REBALANCE_IN_PROGRESS')
  expect(consumerOf(play)!.currentOf('m1').assigned.get(idOfT)?.size).toBe(4)
})

test('without downgrade the classic members go on in the consumer group', () => {
  const play = classic({ consumerMigrationPolicy: 'upgrade' })
  play.told('c1')
  play.told('c1', { memberEpoch: -1 })
  expect([...consumerOf(play)!.subscribers.keys()]).toEqual(['m1'])
  expect(play.heartbeat('m1', 1)).toBe('REBALANCE_IN_PROGRESS')
  expect(play.joined(play.join(joining({ memberId: 'm1', protocols: protocols([0, 1, 2, 3]) }))).generation).toBe(3)
  expect(play.leave('m1')).toBe('NONE')
  expect(consumerOf(play)?.state).toBe('Empty')
})

test('a classic member leaves, and an administrator takes a static one out', () => {
  const play = new Play()
  play.told('c1', { instanceId: 'i1' })
  const { memberId } = play.joined(play.join(joining({ instanceId: 'i2' })))
  expect(play.leave('c1')).toBe('UNKNOWN_MEMBER_ID')
  expect(play.leave('c1', 'i2')).toBe('FENCED_INSTANCE_ID')
  expect(play.leave(memberId, 'i2')).toBe('NONE')
  expect(play.leave('', 'i1')).toBe('NONE')
  expect(consumerOf(play)?.state).toBe('Empty')
})

test('a static member changes its protocol and keeps its partitions', () => {
  const play = new Play()
  play.told('c1', { instanceId: 'i' })
  play.told('c2')
  const { generation, memberId } = play.joined(play.join(joining({ instanceId: 'i', protocols: protocols([0, 1]) })))
  expect(generation).toBe(3)
  expect(assigned(play.synced(play.sync(memberId, 3, {}, { instanceId: 'i' })).assignment)).toEqual([0, 1])
  expect(play.told('c3', { instanceId: 'i' })).toBe('3 t0 t1')
})

test('live and replayed states are equal through all of it', () => {
  const play = classic()
  play.told('c1')
  play.join(joining({ memberId: 'm1', protocols: protocols([0, 1, 2, 3]) }))
  play.restart()
  expect([...consumerOf(play)!.subscribers.keys()].sort()).toEqual(['c1', 'm1'])
  play.told('c1', { memberEpoch: -1 })
  play.restart()
  expect(consumerOf(play)).toBeUndefined()
  expect(play.state).toBe('Stable')
})
