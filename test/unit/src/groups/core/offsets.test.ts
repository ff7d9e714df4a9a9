import { expect, test } from 'vitest'
import { Play, subscription } from '../play.ts'

const topicA = 'AAAAAAAAAAAAAAAAAAAAAQ'
const topicB = 'AAAAAAAAAAAAAAAAAAAAAg'
const week = 10_080 * 60_000

test('a consumer outside group management commits with generation −1 and makes the group', () => {
  const play = new Play()
  expect(play.errors(play.commit({}, { offset: 5, metadata: 'note' }))).toEqual(['NONE'])
  expect(play.machine.fetch('g', { topic: 't', partition: 0 }, true)).toMatchObject({
    error: 'NONE',
    committed: { offset: 5, leaderEpoch: 3, metadata: 'note' },
  })
  expect(play.state).toBe('Empty')
})

test('what is not committed yet is not seen, and commits on their way apply in order', () => {
  const play = new Play()
  play.commit({}, { offset: 1 })
  play.autoCommit = false
  const second = play.commit({}, { offset: 2 })
  const third = play.commit({}, { offset: 3 })
  expect(play.offset()).toBe(1)
  expect(play.replies.has(second)).toBe(false)
  play.commitNext()
  expect(play.offset()).toBe(2)
  play.failNext()
  expect(play.errors(third)).toEqual(['COORDINATOR_NOT_AVAILABLE'])
  expect(play.offset()).toBe(2)
})

test('commits are refused for what is wrong with the claim', () => {
  const play = new Play()
  const error = (who: Parameters<Play['commit']>[0]) => play.errors(play.commit(who, {}))[0]
  expect(error({ generation: 1, memberId: 'm1' })).toBe('ILLEGAL_GENERATION')
  play.join({ instanceId: 'i' })
  expect(error({ generation: 1, memberId: 'm1' })).toBe('REBALANCE_IN_PROGRESS')
  play.sync('m1', 1)
  expect(error({ generation: 1, memberId: 'm1' })).toBe('NONE')
  expect(error({ generation: 2, memberId: 'm1' })).toBe('ILLEGAL_GENERATION')
  expect(error({ generation: 1, memberId: 'm7' })).toBe('UNKNOWN_MEMBER_ID')
  expect(error({ generation: 1, memberId: 'm7', instanceId: 'i' })).toBe('FENCED_INSTANCE_ID')
  expect(error({})).toBe('UNKNOWN_MEMBER_ID')
  play.join()
  expect(error({ generation: 1, memberId: 'm1' })).toBe('NONE')
})

test('each offset has its own error, and the good ones are committed', () => {
  const play = new Play({ offsetMetadataLengthMax: 4 })
  const ticket = play.commit({}, { offset: 1 }, { partition: 1, metadata: 'large' }, { partition: 2, offset: 2 ** 53 })
  expect(play.errors(ticket)).toEqual(['NONE', 'OFFSET_METADATA_TOO_LARGE', 'OFFSET_OUT_OF_RANGE'])
  expect(play.offset('t', 1)).toBeUndefined()
  play.autoCommit = false
  const failing = play.commit({}, { offset: 9 }, { partition: 1, metadata: 'large' })
  play.failNext('NOT_COORDINATOR')
  expect(play.errors(failing)).toEqual(['NOT_COORDINATOR', 'OFFSET_METADATA_TOO_LARGE'])
})

test('a commit is a sign of life', () => {
  const play = new Play()
  play.stable(1)
  play.pass(9_000)
  play.commit({ memberId: 'm1', generation: 1 }, {})
  play.pass(9_000)
  expect(play.heartbeat('m1', 1)).toBe('NONE')
})

test('a group whose first commit fails leaves nothing behind', () => {
  const play = new Play()
  play.autoCommit = false
  play.commit({}, {})
  play.failNext()
  expect(play.machine.groups.size).toBe(0)
})

test('deleting a group removes its offsets, those on their way included', () => {
  const play = new Play()
  play.commit({}, { offset: 1 })
  play.autoCommit = false
  const late = play.commit({}, { partition: 1, offset: 1 })
  const removal = play.remove()
  expect(play.errors(play.commit({}, {}))).toEqual(['COORDINATOR_NOT_AVAILABLE'])
  expect(play.joined(play.join()).error).toBe('COORDINATOR_NOT_AVAILABLE')
  play.commitNext()
  play.commitNext()
  expect(play.errors(late)).toEqual(['NONE'])
  expect(play.replies.get(removal)).toEqual({ kind: 'delete', error: 'NONE' })
  expect(play.machine.durable.groups.size).toBe(0)
  expect(play.machine.groups.size).toBe(0)
})

test('deletion is refused for groups that live or are not known, and undone when it cannot be stored', () => {
  const play = new Play()
  expect(play.replies.get(play.remove())).toMatchObject({ error: 'GROUP_ID_NOT_FOUND' })
  play.stable(1)
  expect(play.replies.get(play.remove())).toMatchObject({ error: 'NON_EMPTY_GROUP' })
  play.leave('m1')
  play.autoCommit = false
  const removal = play.remove()
  expect(play.replies.get(play.remove())).toMatchObject({ error: 'GROUP_ID_NOT_FOUND' })
  play.failNext()
  expect(play.replies.get(removal)).toMatchObject({ error: 'COORDINATOR_NOT_AVAILABLE' })
  expect(play.state).toBe('Empty')
})

test('a large group is deleted in several appends', () => {
  const play = new Play()
  play.commit({}, ...Array.from({ length: 4_500 }, (_, partition) => ({ partition })))
  const removal = play.remove()
  expect(play.replies.get(removal)).toMatchObject({ error: 'NONE' })
  expect(play.machine.durable.groups.size).toBe(0)
})

test('offsets of a living group are deleted only where it does not read', () => {
  const play = new Play()
  const remove = (...topics: string[]) => {
    const { ticket } = play
    play.machine.deleteOffsets(ticket, { groupId: 'g', offsets: topics.map((topic) => ({ topic, partition: 0 })) })
    play.step()
    return play.replies.get(ticket)
  }
  expect(remove('t')).toMatchObject({ refusal: 'GROUP_ID_NOT_FOUND' })
  play.stable(1)
  play.commit({ memberId: 'm1', generation: 1 }, { topic: 't' }, { topic: 'other' })
  expect(remove('t', 'other')).toMatchObject({ errors: ['GROUP_SUBSCRIBED_TO_TOPIC', 'NONE'] })
  expect(play.offset('t')).toBe(0)
  expect(play.offset('other')).toBeUndefined()
  play.join()
  play.leave('m1')
  play.leave('m2')
  expect(remove('t')).toMatchObject({ errors: ['NONE'] })
})

test('offsets of simple consumers expire by their commit time, and the group with the last', () => {
  const play = new Play()
  play.commit({}, { offset: 1 })
  play.pass(week / 2)
  play.commit({}, { partition: 1, offset: 1 })
  play.pass(week / 2 + 600_000)
  expect(play.offset('t', 0)).toBeUndefined()
  expect(play.offset('t', 1)).toBe(1)
  play.pass(week)
  expect(play.machine.durable.groups.size).toBe(0)
  expect(play.machine.groups.size).toBe(0)
})

test('offsets of a consumer group age from when it fell empty, not while it lives', () => {
  const play = new Play()
  play.stable(1, [{ sessionTimeoutMs: 1_800_000, protocols: [{ name: 'range', metadata: subscription('t') }] }])
  play.commit({ memberId: 'm1', generation: 1 }, { offset: 1 }, { topic: 'unread', offset: 1 })
  for (let spent = 0; spent < week + 1_200_000; spent += 600_000) {
    play.pass(600_000)
    expect(play.heartbeat('m1', 1)).toBe('NONE')
  }
  expect(play.offset()).toBe(1)
  expect(play.offset('unread')).toBeUndefined()
  play.leave('m1')
  play.pass(week - 600_000)
  expect(play.offset()).toBe(1)
  play.pass(1_200_000)
  expect(play.machine.groups.size).toBe(0)
})

test('an offset with its own retention expires by that', () => {
  const play = new Play()
  play.commit({ retentionMs: 1_000 }, { offset: 1 })
  play.commit({}, { partition: 1, offset: 1 })
  play.pass(600_001)
  expect(play.offset()).toBeUndefined()
  expect(play.offset('t', 1)).toBe(1)
})

test('an offset that is being written does not expire', () => {
  const play = new Play()
  play.commit({}, { offset: 1 })
  play.pass(week - 1)
  play.autoCommit = false
  play.commit({}, { offset: 2 })
  play.pass(1_200_000)
  play.autoCommit = true
  play.commitNext()
  expect(play.offset()).toBe(2)
})

test('a deleted topic takes its offsets with it, not those of another of its name', () => {
  const play = new Play()
  play.commit({}, { offset: 1, topicId: topicA }, { partition: 1, topicId: topicB }, { partition: 2 }, { topic: 'other' })
  expect(play.machine.topicDeleted('t', topicA, () => play.ticket, play.now)).toBe(2)
  play.step()
  expect([0, 1, 2].map((partition) => play.offset('t', partition))).toEqual([undefined, 0, undefined])
  expect(play.offset('other')).toBe(0)
})

test('I8: an offset beyond the recovered end is set back to it, others stay', () => {
  const play = new Play()
  play.commit({}, { offset: 100, metadata: 'kept' }, { partition: 1, offset: 100 })
  play.commit({ groupId: 'h' }, { offset: 90 })
  const done = play.machine.setBack({ topic: 't', partition: 0, endOffset: 90 }, () => play.ticket, play.now)
  play.step()
  expect(done).toEqual([{ groupId: 'g', topic: 't', partition: 0, fromOffset: 100, toOffset: 90 }])
  expect(play.machine.fetch('g', { topic: 't', partition: 0 }, false).committed).toMatchObject({
    offset: 90,
    leaderEpoch: -1,
    metadata: 'kept',
  })
  expect(play.offset('t', 1)).toBe(100)
})

test('transactional offsets wait for the end of the transaction', () => {
  const play = new Play()
  const producer = { producerId: 7, producerEpoch: 0 }
  play.commit({}, { offset: 1 })
  play.commit({ producer }, { offset: 5 })
  expect(play.offset()).toBe(1)
  expect(play.machine.fetch('g', { topic: 't', partition: 0 }, true).error).toBe('UNSTABLE_OFFSET_COMMIT')
  play.machine.endTransaction(7, 'commit', play.now)
  expect(play.machine.fetch('g', { topic: 't', partition: 0 }, true)).toMatchObject({ error: 'NONE', committed: { offset: 5 } })
  play.commit({ producer }, { offset: 9 })
  play.machine.endTransaction(7, 'abort', play.now)
  expect(play.offset()).toBe(5)
})

test('a group with only an open transaction stays, and its deletion ends what the transaction would commit', () => {
  const play = new Play()
  play.commit({ producer: { producerId: 7, producerEpoch: 0 } }, { offset: 5 })
  play.pass(2 * week)
  expect(play.machine.groups.size).toBe(1)
  expect(play.replies.get(play.remove())).toMatchObject({ error: 'NONE' })
  play.machine.endTransaction(7, 'commit', play.now)
  expect(play.offset()).toBeUndefined()
})

test('a stable group is stable after a restart, its sessions fresh', () => {
  const play = new Play()
  const generation = play.stable(2, [{}, { instanceId: 'i' }])
  play.commit({ memberId: 'm1', generation }, { offset: 4 })
  play.pass(9_000)
  play.restart()
  expect(play.state).toBe('Stable')
  play.pass(9_000)
  expect(play.heartbeat('m1', generation)).toBe('NONE')
  expect(play.offset()).toBe(4)
  const group = play.machine.groups.get('g')!
  expect(group).toMatchObject({ generation, protocolType: 'consumer', protocolName: 'range' })
  expect(group.statics.get('i')).toBe('m2')
  play.pass(30_000)
  expect(play.state).toBe('Empty')
})

test('a group that fell empty without a record says so at the next sweep', () => {
  const play = new Play()
  play.stable(1)
  play.autoCommit = false
  play.commit({ memberId: 'm1', generation: 1 }, {})
  play.commitNext()
  play.leave('m1')
  play.failNext()
  expect(play.machine.durable.get('g')?.metadata?.members).toHaveLength(1)
  play.autoCommit = true
  play.pass(600_001)
  expect(play.machine.durable.get('g')?.metadata?.members).toHaveLength(0)
})
