import { expect, test } from 'vitest'
import { bytesOf, Play, textOf } from '../play.ts'

test('a first member leads a generation of its own at once when there is no delay', () => {
  const play = new Play()
  const reply = play.joined(play.join())
  expect(reply).toMatchObject({
    error: 'NONE',
    memberId: 'm1',
    leaderId: 'm1',
    generation: 1,
    protocolName: 'range',
    protocolType: 'consumer',
  })
  expect(reply.members.map((member) => member.memberId)).toEqual(['m1'])
  expect(play.state).toBe('CompletingRebalance')
})

test('the first rebalance waits its delay, and each newcomer prolongs it up to the rebalance time-out', () => {
  const play = new Play({ initialRebalanceDelayMs: 3_000 })
  const first = play.join({ rebalanceTimeoutMs: 7_000 })
  play.pass(2_000)
  const second = play.join({ rebalanceTimeoutMs: 7_000 })
  play.pass(1_500)
  expect(play.replies.size).toBe(0)
  play.pass(2_000)
  const third = play.join({ rebalanceTimeoutMs: 7_000 })
  play.pass(1_400)
  expect(play.replies.size).toBe(0)
  play.pass(200)
  expect([first, second, third].map((ticket) => play.joined(ticket).generation)).toEqual([1, 1, 1])
  expect(play.joined(first).members).toHaveLength(3)
  expect(play.joined(second).members).toHaveLength(0)
})

test('a newcomer of a new client is given an id to come back with', () => {
  const play = new Play()
  const told = play.joined(play.join({ requireKnownMemberId: true }))
  expect(told).toMatchObject({ error: 'MEMBER_ID_REQUIRED', memberId: 'm1', generation: -1 })
  const reply = play.joined(play.join({ requireKnownMemberId: true, memberId: 'm1' }))
  expect(reply).toMatchObject({ error: 'NONE', memberId: 'm1', generation: 1 })
})

test('an id given out and not used is taken back after the session time-out, and the group is forgotten', () => {
  const play = new Play()
  play.join({ requireKnownMemberId: true })
  play.pass(10_001)
  expect(play.machine.groups.size).toBe(0)
  expect(play.joined(play.join({ memberId: 'm1' })).error).toBe('UNKNOWN_MEMBER_ID')
})

test('a rebalance waits for an id given out, until it comes or leaves', () => {
  const play = new Play()
  const generation = play.stable(1)
  play.join({ requireKnownMemberId: true })
  const again = play.join({ memberId: 'm1' })
  expect(play.replies.has(again)).toBe(false)
  expect(play.leave('m2')).toBe('NONE')
  expect(play.joined(again).generation).toBe(generation + 1)
})

test('join is refused for what is wrong with the request', () => {
  const play = new Play()
  const error = (ask: Parameters<Play['join']>[0]): string => play.joined(play.join(ask)).error
  expect(error({ groupId: '' })).toBe('INVALID_GROUP_ID')
  expect(error({ sessionTimeoutMs: 5_999 })).toBe('INVALID_SESSION_TIMEOUT')
  expect(error({ sessionTimeoutMs: 1_800_001 })).toBe('INVALID_SESSION_TIMEOUT')
  expect(error({ memberId: 'who' })).toBe('UNKNOWN_MEMBER_ID')
  expect(error({ protocolType: '' })).toBe('INCONSISTENT_GROUP_PROTOCOL')
  expect(error({ protocols: [] })).toBe('INCONSISTENT_GROUP_PROTOCOL')
  expect(play.machine.groups.size).toBe(0)
  play.stable(1)
  expect(error({ memberId: 'who' })).toBe('UNKNOWN_MEMBER_ID')
  expect(error({ protocolType: 'connect' })).toBe('INCONSISTENT_GROUP_PROTOCOL')
  expect(error({ protocols: [{ name: 'sticky', metadata: bytesOf('') }] })).toBe('INCONSISTENT_GROUP_PROTOCOL')
  expect(error({ memberId: 'm1', instanceId: 'nobody' })).toBe('UNKNOWN_MEMBER_ID')
})

test('a group takes no more members than it may have', () => {
  const play = new Play({ groupSizeMax: 2 })
  play.stable(2)
  expect(play.joined(play.join())).toMatchObject({ error: 'GROUP_MAX_SIZE_REACHED', memberId: '' })
  expect(play.state).toBe('Stable')
})

test('while members gather, those who come first fill the group, and one who comes too late is out', () => {
  const play = new Play({ groupSizeMax: 2 })
  const generation = play.stable(2)
  const again = play.join({ memberId: 'm1' })
  const newcomer = play.join({ freshMemberId: 'new' })
  expect(play.joined(play.join({ memberId: 'm2' })).error).toBe('GROUP_MAX_SIZE_REACHED')
  expect(play.joined(again).generation).toBe(generation + 1)
  expect(play.joined(newcomer).memberId).toBe('new')
})

test('the protocol most members prefer among those all share is elected', () => {
  const play = new Play({ initialRebalanceDelayMs: 10 })
  const of = (...names: string[]) => ({ protocols: names.map((name) => ({ name, metadata: bytesOf(name) })) })
  const tickets = [
    play.join(of('only-mine', 'range', 'sticky')),
    play.join(of('sticky', 'range')),
    play.join(of('sticky', 'range')),
  ]
  play.pass(70_000)
  expect(tickets.map((ticket) => play.joined(ticket).protocolName)).toEqual(['sticky', 'sticky', 'sticky'])
  expect(textOf(play.joined(tickets[0]!).members[0]!.metadata)).toBe('sticky')
})

test('the leader assigns, all get their part when it is committed, and not before', () => {
  const play = new Play()
  const first = play.join()
  play.sync('m1', 1)
  play.join()
  play.join({ memberId: 'm1' })
  expect(play.joined(first).leaderId).toBe('m1')
  play.autoCommit = false
  const follower = play.sync('m2', 2)
  const leader = play.sync('m1', 2, { m1: 'one', m2: 'two', stranger: 'none' })
  expect(play.replies.has(leader)).toBe(false)
  play.commitNext()
  expect(textOf(play.synced(leader).assignment)).toBe('one')
  expect(textOf(play.synced(follower).assignment)).toBe('two')
  expect(play.state).toBe('Stable')
  expect(textOf(play.synced(play.sync('m2', 2)).assignment)).toBe('two')
})

test('an assignment that cannot be stored gathers the members anew', () => {
  const play = new Play()
  play.join()
  play.autoCommit = false
  const leader = play.sync('m1', 1, { m1: 'one' })
  play.failNext('NOT_COORDINATOR')
  expect(play.synced(leader).error).toBe('NOT_COORDINATOR')
  expect(play.state).toBe('PreparingRebalance')
  expect(play.heartbeat('m1', 1)).toBe('REBALANCE_IN_PROGRESS')
  expect(play.joined(play.join({ memberId: 'm1' })).generation).toBe(2)
})

test('an assignment overtaken by a rebalance changes nothing when it is committed', () => {
  const play = new Play()
  play.join()
  play.autoCommit = false
  const leader = play.sync('m1', 1, { m1: 'one' })
  play.join()
  expect(play.synced(leader).error).toBe('REBALANCE_IN_PROGRESS')
  play.commitNext()
  expect(play.state).toBe('PreparingRebalance')
})

test('sync is refused for what is wrong with the claim', () => {
  const play = new Play()
  expect(play.synced(play.sync('m', 1, {}, { groupId: '' })).error).toBe('INVALID_GROUP_ID')
  expect(play.synced(play.sync('m', 1)).error).toBe('UNKNOWN_MEMBER_ID')
  play.stable(1, [{ instanceId: 'i' }])
  expect(play.synced(play.sync('m9', 1)).error).toBe('UNKNOWN_MEMBER_ID')
  expect(play.synced(play.sync('m1', 7)).error).toBe('ILLEGAL_GENERATION')
  expect(play.synced(play.sync('old', 1, {}, { instanceId: 'i' })).error).toBe('FENCED_INSTANCE_ID')
  expect(play.synced(play.sync('m1', 1, {}, { instanceId: 'j' })).error).toBe('UNKNOWN_MEMBER_ID')
  expect(play.synced(play.sync('m1', 1, {}, { protocolName: 'other' })).error).toBe('INCONSISTENT_GROUP_PROTOCOL')
  play.join()
  expect(play.synced(play.sync('m1', 1)).error).toBe('REBALANCE_IN_PROGRESS')
})

test('heartbeats tell a member where it stands', () => {
  const play = new Play()
  expect(play.heartbeat('m1', 1, undefined, '')).toBe('INVALID_GROUP_ID')
  expect(play.heartbeat('m1', 1)).toBe('UNKNOWN_MEMBER_ID')
  play.join({ instanceId: 'i' })
  expect(play.heartbeat('m1', 1)).toBe('NONE')
  play.sync('m1', 1)
  expect(play.heartbeat('m1', 1, 'i')).toBe('NONE')
  expect(play.heartbeat('m1', 2)).toBe('ILLEGAL_GENERATION')
  expect(play.heartbeat('m0', 1, 'i')).toBe('FENCED_INSTANCE_ID')
  expect(play.heartbeat('m0', 1)).toBe('UNKNOWN_MEMBER_ID')
  play.join()
  expect(play.heartbeat('m1', 1)).toBe('REBALANCE_IN_PROGRESS')
})

test('a silent member is out after its session, and the rest rebalances', () => {
  const play = new Play()
  const generation = play.stable(2)
  play.pass(6_000)
  expect(play.heartbeat('m1', generation)).toBe('NONE')
  play.pass(6_000)
  expect(play.heartbeat('m1', generation)).toBe('REBALANCE_IN_PROGRESS')
  const again = play.joined(play.join({ memberId: 'm1' }))
  expect(again).toMatchObject({ generation: generation + 1, leaderId: 'm1' })
  expect(again.members).toHaveLength(1)
})

test('a member that waits for an answer does not expire', () => {
  const play = new Play()
  play.stable(2)
  const waiting = play.join({ memberId: 'm1' })
  play.pass(9_000)
  play.heartbeat('m2', 2)
  play.pass(9_000)
  play.heartbeat('m2', 2)
  expect(play.replies.has(waiting)).toBe(false)
  expect(play.machine.groups.get('g')?.members.has('m1')).toBe(true)
})

test('a rebalance ends at its time-out without the dynamic members that did not come', () => {
  const play = new Play()
  const generation = play.stable(2)
  const waiting = play.join({ memberId: 'm1' })
  for (let at = 0; at < 12; at += 1) {
    play.pass(5_000)
    play.heartbeat('m2', generation)
  }
  expect(play.joined(waiting)).toMatchObject({ generation: generation + 1, leaderId: 'm1' })
  expect(play.heartbeat('m2', generation)).toBe('UNKNOWN_MEMBER_ID')
})

test('a first join that is never answered is given up after five minutes', () => {
  const play = new Play()
  play.stable(1, [{ sessionTimeoutMs: 1_000_000, rebalanceTimeoutMs: 1_000_000 }])
  const waiting = play.join()
  play.pass(299_000)
  expect(play.replies.has(waiting)).toBe(false)
  play.pass(2_000)
  expect(play.joined(waiting).error).toBe('UNKNOWN_MEMBER_ID')
})

test('a leader that does not come loses the lead', () => {
  const play = new Play()
  const generation = play.stable(2)
  const waiting = play.join({ memberId: 'm2', protocols: [{ name: 'range', metadata: bytesOf('changed') }] })
  expect(play.leave('m1')).toBe('NONE')
  expect(play.joined(waiting)).toMatchObject({ generation: generation + 1, leaderId: 'm2' })
})

test('a follower that asks again without change is told the present generation', () => {
  const play = new Play()
  const generation = play.stable(2)
  const leaderId = play.machine.groups.get('g')!.leaderId!
  const follower = leaderId === 'm1' ? 'm2' : 'm1'
  expect(play.joined(play.join({ memberId: follower }))).toMatchObject({ error: 'NONE', generation, members: [] })
  expect(play.state).toBe('Stable')
  play.join({ memberId: leaderId })
  expect(play.state).toBe('PreparingRebalance')
})

test('who missed the answer to its join gets it again while assignments are awaited', () => {
  const play = new Play()
  play.join()
  expect(play.joined(play.join({ memberId: 'm1' }))).toMatchObject({ generation: 1, leaderId: 'm1' })
  expect(play.state).toBe('CompletingRebalance')
})

test('members that joined and never asked for their assignment are out after the rebalance time-out', () => {
  const play = new Play()
  play.stable(1)
  play.join()
  play.join({ memberId: 'm1' })
  play.sync('m1', 2, { m1: 'all' })
  for (let at = 0; at < 11; at += 1) {
    play.pass(5_500)
    play.heartbeat('m1', 2)
    play.heartbeat('m2', 2)
  }
  expect(play.heartbeat('m2', 2)).toBe('UNKNOWN_MEMBER_ID')
  expect(play.heartbeat('m1', 2)).toBe('REBALANCE_IN_PROGRESS')
})

test('leaving is told per member, and the last one leaves an empty group behind', () => {
  const play = new Play()
  expect(play.leave('m1')).toBe('UNKNOWN_MEMBER_ID')
  expect(play.machine.leave('', [], play.now).error).toBe('INVALID_GROUP_ID')
  const generation = play.stable(1)
  expect(play.leave('m9')).toBe('UNKNOWN_MEMBER_ID')
  expect(play.leave('m1')).toBe('NONE')
  expect(play.state).toBe('Empty')
  expect(play.machine.durable.get('g')?.metadata).toMatchObject({
    generation: generation + 1,
    members: [],
    protocolType: 'consumer',
  })
  expect(play.heartbeat('m1', generation)).toBe('UNKNOWN_MEMBER_ID')
})

test('an empty group may begin again under another protocol type', () => {
  const play = new Play()
  const generation = play.stable(1)
  play.leave('m1')
  const reply = play.joined(play.join({ protocolType: 'connect', protocols: [{ name: 'compatible', metadata: bytesOf('') }] }))
  expect(reply).toMatchObject({ error: 'NONE', generation: generation + 2, protocolType: 'connect' })
})

test('an older ask of the same member does not wait beside the newer', () => {
  const play = new Play()
  play.stable(2)
  const older = play.join({ memberId: 'm1' })
  play.join({ memberId: 'm1' })
  expect(play.joined(older).error).toBe('REBALANCE_IN_PROGRESS')
})
