import { expect, test } from 'vitest'
import { bytesOf, Play, textOf } from '../play.ts'

test('a static member that comes back takes its place without a rebalance, and its old id is fenced', () => {
  const play = new Play()
  const generation = play.stable(2, [{}, { instanceId: 'i' }])
  const old = play.machine.groups.get('g')!.statics.get('i')!
  const back = play.joined(play.join({ instanceId: 'i', freshMemberId: 'back' }))
  expect(back).toMatchObject({ error: 'NONE', memberId: 'back', generation })
  expect(play.state).toBe('Stable')
  expect(play.heartbeat(old, generation, 'i')).toBe('FENCED_INSTANCE_ID')
  expect(play.heartbeat('back', generation, 'i')).toBe('NONE')
  expect(textOf(play.synced(play.sync('back', generation, {}, { instanceId: 'i' })).assignment)).toBe('a2')
  expect(play.machine.durable.get('g')?.metadata?.members.map((member) => member.memberId)).toContain('back')
})

test('a static leader that comes back is told to skip the assignment, or not to lead if it cannot understand that', () => {
  const play = new Play()
  play.stable(1, [{ instanceId: 'i' }])
  const knowing = play.joined(play.join({ instanceId: 'i', freshMemberId: 'back' }))
  expect(knowing).toMatchObject({ leaderId: 'back', skipAssignment: true })
  expect(knowing.members).toHaveLength(1)
  const older = play.joined(play.join({ instanceId: 'i', freshMemberId: 'later', canSkipAssignment: false }))
  expect(older).toMatchObject({ leaderId: 'back', memberId: 'later', skipAssignment: false, members: [] })
})

test('the answer to a returned static member waits for its record', () => {
  const play = new Play()
  play.stable(1, [{ instanceId: 'i' }])
  play.autoCommit = false
  const ticket = play.join({ instanceId: 'i' })
  expect(play.replies.has(ticket)).toBe(false)
  play.failNext()
  expect(play.joined(ticket)).toMatchObject({ error: 'COORDINATOR_NOT_AVAILABLE', memberId: '' })
  const again = play.join({ instanceId: 'i', freshMemberId: 'again' })
  play.commitNext()
  expect(play.joined(again)).toMatchObject({ error: 'NONE', memberId: 'again' })
})

test('a static member that offers another protocol sets off a rebalance', () => {
  const play = new Play()
  const both = [
    { name: 'range', metadata: bytesOf('') },
    { name: 'sticky', metadata: bytesOf('') },
  ]
  const generation = play.stable(1, [{ instanceId: 'i', protocols: both }])
  const back = play.joined(play.join({ instanceId: 'i', protocols: [both[1]!, both[0]!] }))
  expect(back).toMatchObject({ generation: generation + 1, protocolName: 'sticky' })
})

test('who waits under an old id is told that it is fenced', () => {
  const play = new Play()
  play.stable(2, [{}, { instanceId: 'i' }])
  const old = play.machine.groups.get('g')!.statics.get('i')!
  const changed = [{ name: 'range', metadata: bytesOf('changed') }]
  const waiting = play.join({ memberId: old, instanceId: 'i', protocols: changed })
  const newer = play.join({ instanceId: 'i', freshMemberId: 'newer' })
  expect(play.joined(waiting).error).toBe('FENCED_INSTANCE_ID')
  play.join({ memberId: 'm1' })
  expect(play.joined(newer)).toMatchObject({ error: 'NONE', memberId: 'newer' })
})

test('a static member returning while assignments are awaited starts the rebalance anew', () => {
  const play = new Play()
  play.join({ instanceId: 'i' })
  const back = play.joined(play.join({ instanceId: 'i' }))
  expect(back).toMatchObject({ error: 'NONE', generation: 2 })
})

test('a static member keeps its place through a rebalance it missed, until its session ends', () => {
  const play = new Play()
  const generation = play.stable(2, [{}, { instanceId: 'i', sessionTimeoutMs: 100_000 }])
  const waiting = play.join({ memberId: 'm1', protocols: [{ name: 'range', metadata: bytesOf('changed') }] })
  play.pass(60_001)
  expect(play.joined(waiting)).toMatchObject({ generation: generation + 1 })
  expect(play.joined(waiting).members.map((member) => member.instanceId)).toContain('i')
})

test('when only static members are known and none has come, the rebalance waits on', () => {
  const play = new Play()
  play.stable(2, [{}, { instanceId: 'i', sessionTimeoutMs: 200_000 }])
  play.leave('m1')
  play.pass(60_001)
  expect(play.state).toBe('PreparingRebalance')
  play.pass(150_000)
  expect(play.state).toBe('Empty')
})

test('static members leave by instance id; a wrong member id is fenced', () => {
  const play = new Play()
  play.stable(1, [{ instanceId: 'i' }])
  expect(play.leave('', 'nobody')).toBe('UNKNOWN_MEMBER_ID')
  expect(play.leave('other', 'i')).toBe('FENCED_INSTANCE_ID')
  expect(play.leave('', 'i')).toBe('NONE')
  expect(play.state).toBe('Empty')
})

test('static members that name no rebalance time-out do not keep the coordinator busy', () => {
  const play = new Play()
  play.stable(2, [{}, { instanceId: 'i', rebalanceTimeoutMs: 0 }])
  play.leave('m1')
  play.pass(5_000)
  expect(play.state).toBe('PreparingRebalance')
  play.pass(10_000)
  expect(play.state).toBe('Empty')
})
