import { expect, test } from 'vitest'
import { idOfT, idOfU, Play } from '../../play.ts'

const owned = (topicId: string, ...partitions: number[]) => new Map(partitions.length === 0 ? [] : [[topicId, partitions]])

test('a first member gets everything, and is told again when it says all there is to say', () => {
  const play = new Play()
  expect(play.told('m1')).toBe('2 t0 t1 t2 t3')
  expect(play.told('m1', { memberEpoch: 2 })).toBe('2')
  const full = { memberEpoch: 2, rebalanceTimeoutMs: 60_000, topics: ['t'], owned: owned(idOfT, 0) }
  expect(play.told('m1', full)).toBe('2 t0 t1 t2 t3')
  expect(play.machine.durable.get('g')?.consumer?.state).toBe('Stable')
})

test('a second member waits until the first has given up, and the first is given time for it', () => {
  const play = new Play()
  play.told('m1')
  // The newcomer makes the assignment; its part is still in other hands.
  expect(play.told('m2')).toBe('3')
  expect(play.told('m1', { memberEpoch: 2, owned: owned(idOfT, 0, 1, 2, 3) })).toBe('2 t0 t1')
  const consumer = () => play.machine.durable.get('g')!.consumer!
  expect(consumer().currentOf('m1').state).toBe('UnrevokedPartitions')
  expect(consumer().currentOf('m2').state).toBe('UnreleasedPartitions')
  expect(consumer().state).toBe('Reconciling')
  // It says nothing of what it owns, or that it owns it still.
  expect(play.told('m1', { memberEpoch: 2 })).toBe('2')
  expect(play.told('m2', { memberEpoch: 3 })).toBe('3')
  expect(play.told('m1', { memberEpoch: 2, owned: owned(idOfT, 0, 1) })).toBe('3')
  expect(play.told('m2', { memberEpoch: 3 })).toBe('3 t2 t3')
  expect(consumer().state).toBe('Stable')
})

test('an answer that is missed is given again; any other epoch is fenced', () => {
  const play = new Play()
  play.told('m1')
  play.told('m2')
  play.told('m1', { memberEpoch: 2, owned: owned(idOfT, 0, 1, 2, 3) })
  play.told('m1', { memberEpoch: 2, owned: owned(idOfT, 0, 1) })
  expect(play.told('m1', { memberEpoch: 2, owned: owned(idOfT, 0, 1) })).toBe('3')
  expect(play.told('m1', { memberEpoch: 2, owned: owned(idOfT, 0, 1, 2) })).toBe('FENCED_MEMBER_EPOCH')
  expect(play.told('m1', { memberEpoch: 2 })).toBe('FENCED_MEMBER_EPOCH')
  expect(play.told('m1', { memberEpoch: 4 })).toBe('FENCED_MEMBER_EPOCH')
  // Fenced, it comes again without partitions.
  expect(play.told('m1')).toBe('3 t0 t1')
})

test('only who joins makes a group, and only members speak in it', () => {
  const play = new Play()
  expect(play.told('m1', { memberEpoch: 2 })).toBe('GROUP_ID_NOT_FOUND')
  expect(play.told('m1', { memberEpoch: -1 })).toBe('GROUP_ID_NOT_FOUND')
  expect(play.state).toBeUndefined()
  play.told('m1')
  expect(play.told('m2', { memberEpoch: 2 })).toBe('UNKNOWN_MEMBER_ID')
  expect(play.told('m2', { memberEpoch: -1 })).toBe('UNKNOWN_MEMBER_ID')
})

test('a member that leaves makes room with the next heartbeat of another', () => {
  const play = new Play()
  play.told('m1')
  play.told('m2')
  expect(play.told('m1', { memberEpoch: -1 })).toBe('-1')
  expect(play.machine.durable.get('g')?.consumer?.state).toBe('Assigning')
  expect(play.told('m2', { memberEpoch: 3, owned: owned(idOfT) })).toBe('4 t0 t1 t2 t3')
  expect(play.told('m2', { memberEpoch: -1 })).toBe('-1')
  expect(play.machine.durable.get('g')?.consumer?.state).toBe('Empty')
})

test('a full group takes nobody in', () => {
  const play = new Play({ consumerGroupSizeMax: 1 })
  play.told('m1')
  expect(play.told('m2')).toBe('GROUP_MAX_SIZE_REACHED')
  expect(play.told('m1')).toBe('2 t0 t1 t2 t3')
})

test('who is silent for a session is out', () => {
  const play = new Play()
  play.told('m1')
  play.pass(30_000)
  play.told('m2')
  play.pass(30_000)
  expect([...play.machine.durable.get('g')!.consumer!.subscribers.keys()]).toEqual(['m2'])
  expect(play.told('m1', { memberEpoch: 2 })).toBe('UNKNOWN_MEMBER_ID')
  expect(play.told('m2', { memberEpoch: 3 })).toBe('4 t0 t1 t2 t3')
  expect(play.machine.counts.expiredMembers).toBe(1)
})

test('a group’s own session time-out is in force from the next heartbeat of each member on, and again the broker’s without one', () => {
  const own = new Map<string, string>()
  const play = new Play({ configsOf: (groupId) => (groupId === 'g' ? own : new Map()) })
  const members = (): string[] => [...play.machine.durable.get('g')!.consumer!.subscribers.keys()]
  play.told('m1')
  play.told('m2')
  own.set('consumer.session.timeout.ms', '10000')
  play.told('m2', { memberEpoch: 3 })
  play.pass(10_001)
  expect(members()).toEqual(['m1'])
  play.told('m1', { memberEpoch: 2 })
  own.clear()
  play.told('m1', { memberEpoch: 4 })
  play.pass(44_000)
  expect(members()).toEqual(['m1'])
  play.pass(1_001)
  expect(members()).toEqual([])
})

test('who does not give partitions up in its rebalance time-out is out, however alive', () => {
  const play = new Play()
  play.told('m1', { rebalanceTimeoutMs: 20_000 })
  play.told('m2')
  play.told('m1', { memberEpoch: 2, owned: owned(idOfT, 0, 1, 2, 3) })
  for (let at = 0; at < 3; at += 1) {
    play.pass(5_000)
    expect(play.told('m1', { memberEpoch: 2 })).toBe('2')
    play.told('m2', { memberEpoch: 3 })
  }
  play.pass(5_001)
  expect(play.told('m1', { memberEpoch: 2 })).toBe('UNKNOWN_MEMBER_ID')
  expect(play.told('m2', { memberEpoch: 3 })).toBe('4 t0 t1 t2 t3')
})

test('a member that could not be put out is tried again', () => {
  const play = new Play()
  play.told('m1')
  play.autoCommit = false
  play.pass(45_000)
  play.failNext()
  expect(play.machine.durable.get('g')!.consumer!.subscribers.size).toBe(1)
  play.pass(1_000)
  play.commitNext()
  expect(play.machine.durable.get('g')!.consumer!.subscribers.size).toBe(0)
})

test('a heartbeat that waited for its turn keeps its sender in', () => {
  const play = new Play()
  play.told('m1')
  play.autoCommit = false
  const joining = play.beat('m2')
  play.pass(44_000)
  const waiting = play.beat('m1', { memberEpoch: 2 })
  play.pass(2_000)
  play.commitNext()
  expect(play.beaten(joining).error).toBe('NONE')
  expect(play.waiting.length).toBe(1)
  play.commitNext()
  expect(play.beaten(waiting).error).toBe('NONE')
  expect(play.machine.durable.get('g')!.consumer!.subscribers.size).toBe(2)
})

test('one change is on its way at a time, and one that fails leaves nothing', () => {
  const play = new Play()
  play.autoCommit = false
  const first = play.beat('m1')
  const second = play.beat('m2')
  expect(play.waiting.length).toBe(1)
  play.failNext()
  expect(play.beaten(first)).toMatchObject({ error: 'COORDINATOR_NOT_AVAILABLE', assigned: undefined })
  expect(play.machine.durable.get('g')).toBeUndefined()
  play.commitNext()
  expect(play.beaten(second)).toMatchObject({ error: 'NONE', memberEpoch: 2 })
  expect([...play.machine.durable.get('g')!.consumer!.subscribers.keys()]).toEqual(['m2'])
})

test('topics that come, grow and go reach the members with their next heartbeat', () => {
  const play = new Play()
  play.told('m1', { topics: ['t', 'later'] })
  play.topics.set('later', { id: 'AAAAAAAAAAAAAAAAAAAAAw', partitionCount: 1 })
  expect(play.told('m1', { memberEpoch: 2, owned: owned(idOfT, 0, 1, 2, 3) })).toBe('3 later0 t0 t1 t2 t3')
  play.topics.set('t', { id: idOfT, partitionCount: 5 })
  expect(play.told('m1', { memberEpoch: 3 })).toBe('4 later0 t0 t1 t2 t3 t4')
  play.topics.set('t', undefined)
  expect(play.told('m1', { memberEpoch: 4, owned: owned(idOfT, 0) })).toBe('4 later0')
  expect(play.told('m1', { memberEpoch: 4, owned: owned('AAAAAAAAAAAAAAAAAAAAAw', 0) })).toBe('5')
  // Something changed that does not concern the group.
  play.topics.set('v', { id: 'AAAAAAAAAAAAAAAAAAAABA', partitionCount: 1 })
  expect(play.told('m1', { memberEpoch: 5 })).toBe('5')
})

test('a member that changes its subscription loses what it no longer reads at once', () => {
  const play = new Play()
  play.told('m1', { topics: ['t', 'u'] })
  const held = new Map([
    [idOfT, [0, 1, 2, 3]],
    [idOfU, [0, 1]],
  ])
  expect(play.told('m1', { memberEpoch: 2, topics: ['u'], owned: held })).toBe('2 u0 u1')
  expect(play.told('m1', { memberEpoch: 2, owned: owned(idOfU, 0, 1) })).toBe('3')
})

test('an expression is matched against the topics there are, and again when they change', () => {
  const play = new Play()
  expect(play.told('m1', { expression: '[' })).toBe('INVALID_REGULAR_EXPRESSION')
  expect(play.machine.durable.get('g')).toBeUndefined()
  expect(play.told('m1', { expression: 'x'.repeat(1_025) })).toBe('INVALID_REGULAR_EXPRESSION')
  expect(play.told('m1', { expression: 't' })).toBe('2 t0 t1 t2 t3')
  expect(play.told('m2', { expression: 't|v' })).toBe('3')
  play.topics.set('v', { id: 'AAAAAAAAAAAAAAAAAAAABA', partitionCount: 2 })
  expect(play.told('m2', { memberEpoch: 3 })).toBe('4 v0 v1')
  expect([...play.machine.durable.get('g')!.consumer!.expressions.keys()]).toEqual(['t', 't|v'])
  // By name instead; nobody else subscribes by the expression.
  expect(play.told('m2', { memberEpoch: 4, topics: ['v'], expression: '', owned: owned('AAAAAAAAAAAAAAAAAAAABA', 0, 1) })).toBe(
    '5',
  )
  play.told('m1', { memberEpoch: -1 })
  expect(play.machine.durable.get('g')!.consumer!.expressions.size).toBe(0)
})

test('the assignor most members ask for is taken, the first configured where none does', () => {
  const play = new Play()
  play.told('m1', { topics: ['t', 'u'], assignor: 'range' })
  play.told('m2', { topics: ['t', 'u'] })
  const { targets } = play.machine.durable.get('g')!.consumer!
  expect(Object.fromEntries(targets.get('m1')!)).toEqual({ [idOfT]: [0, 1], [idOfU]: [0] })
})

test('a static member goes for a while and comes back to its partitions under another id', () => {
  const play = new Play()
  play.told('m1', { instanceId: 'i1' })
  play.told('m2', { instanceId: 'i2' })
  play.told('m1', { instanceId: 'i1', memberEpoch: 2, owned: owned(idOfT, 0, 1, 2, 3) })
  play.told('m1', { instanceId: 'i1', memberEpoch: 2, owned: owned(idOfT, 0, 1) })
  play.told('m2', { instanceId: 'i2', memberEpoch: 3 })
  expect(play.told('m3', { instanceId: 'i1' })).toBe('UNRELEASED_INSTANCE_ID')
  expect(play.told('m1', { instanceId: 'i1', memberEpoch: -2 })).toBe('-2')
  // Nothing is assigned anew meanwhile.
  expect(play.told('m2', { instanceId: 'i2', memberEpoch: 3 })).toBe('3')
  expect(play.told('m3', { instanceId: 'i1' })).toBe('3 t0 t1')
  expect(play.told('m1', { instanceId: 'i1', memberEpoch: 3 })).toBe('FENCED_INSTANCE_ID')
  expect(play.told('m1', { instanceId: 'i9', memberEpoch: 3 })).toBe('UNKNOWN_MEMBER_ID')
  expect(play.told('m3', { instanceId: 'i1', memberEpoch: 3 })).toBe('3')
  expect([...play.machine.durable.get('g')!.consumer!.subscribers.keys()].sort()).toEqual(['m2', 'm3'])
})

test('a static member that does not come back in time is out', () => {
  const play = new Play()
  play.told('m1', { instanceId: 'i1' })
  play.told('m1', { instanceId: 'i1', memberEpoch: -2 })
  play.pass(45_000)
  expect(play.machine.durable.get('g')!.consumer!.state).toBe('Empty')
})

test('a static member that joins again under its id starts anew', () => {
  const play = new Play()
  play.told('m1', { instanceId: 'i1' })
  expect(play.told('m1', { instanceId: 'i1' })).toBe('2 t0 t1 t2 t3')
  play.told('m1', { instanceId: 'i1', memberEpoch: -2 })
  expect(play.told('m1', { instanceId: 'i1' })).toBe('2 t0 t1 t2 t3')
})

test('after a restart members go on where they were, and have a whole session', () => {
  const play = new Play()
  play.told('m1')
  play.told('m2')
  play.told('m1', { memberEpoch: 2, owned: owned(idOfT, 0, 1, 2, 3) })
  play.pass(40_000)
  play.restart()
  play.pass(40_000)
  expect(play.told('m1', { memberEpoch: 2, owned: owned(idOfT, 0, 1) })).toBe('3')
  expect(play.told('m2', { memberEpoch: 3 })).toBe('3 t2 t3')
  play.restart()
  play.pass(46_000)
  expect(play.machine.durable.get('g')!.consumer!.state).toBe('Empty')
})

test('offsets are committed and read in the epoch of the member', () => {
  const play = new Play()
  const speaks = { understandsEpochs: true } as const
  const error = (memberId: string, generation: number, more: object = {}, topicId = idOfT) =>
    play.errors(play.commit({ memberId, generation, ...speaks, ...more }, { offset: 1, topicId, partition: 0 }))[0]
  expect(error('m1', 4)).toBe('GROUP_ID_NOT_FOUND')
  play.told('m1')
  expect(error('m1', 2)).toBe('NONE')
  expect(error('m1', 3)).toBe('STALE_MEMBER_EPOCH')
  expect(error('m2', 2)).toBe('UNKNOWN_MEMBER_ID')
  expect(error('', -1)).toBe('UNKNOWN_MEMBER_ID')
  expect(error('m1', 2, { understandsEpochs: false })).toBe('UNSUPPORTED_VERSION')
  const producer = { producerId: 7, producerEpoch: 0 }
  expect(error('m1', 10, { producer })).toBe('ILLEGAL_GENERATION')
  expect(error('', -1, { producer })).toBe('NONE')
  // A later epoch that took nothing of it away: what it says of a partition it has had all along is right.
  play.told('m2')
  play.told('m1', { memberEpoch: 2, owned: owned(idOfT, 0, 1, 2, 3) })
  play.told('m1', { memberEpoch: 2, owned: owned(idOfT, 0, 1) })
  expect(error('m1', 2)).toBe('NONE')
  expect(play.errors(play.commit({ memberId: 'm1', generation: 2, ...speaks }, { topicId: idOfT, partition: 3 }))).toEqual([
    'STALE_MEMBER_EPOCH',
  ])
  const refusal = (memberId: string | undefined, epoch: number) => play.machine.refusalOfFetch('g', memberId, epoch)
  expect([refusal(undefined, -1), refusal('m1', 3), refusal('m1', 2), refusal('m9', 1)]).toEqual([
    undefined,
    undefined,
    'STALE_MEMBER_EPOCH',
    'UNKNOWN_MEMBER_ID',
  ])
  play.told('m1', { memberEpoch: -1 })
  play.told('m2', { memberEpoch: -1 })
  expect(error('', -1)).toBe('NONE')
})

test('a group is deleted when nobody is in it, and a topic that is read keeps its offsets', () => {
  const play = new Play()
  play.told('m1')
  play.commit({ memberId: 'm1', generation: 1, understandsEpochs: true }, { offset: 4 }, { topic: 'u', offset: 5 })
  const drop = play.ticket
  play.machine.deleteOffsets(drop, {
    groupId: 'g',
    offsets: [
      { topic: 't', partition: 0 },
      { topic: 'u', partition: 0 },
    ],
  })
  play.step()
  expect(play.errors(drop)).toEqual(['GROUP_SUBSCRIBED_TO_TOPIC', 'NONE'])
  expect(play.replies.get(play.remove())).toEqual({ kind: 'delete', error: 'NON_EMPTY_GROUP' })
  play.told('m1', { memberEpoch: -1 })
  expect(play.replies.get(play.remove())).toEqual({ kind: 'delete', error: 'NONE' })
  expect(play.machine.durable.get('g')).toBeUndefined()
  expect(play.state).toBeUndefined()
  play.restart()
  expect(play.machine.durable.groups.size).toBe(0)
  expect(play.told('m1')).toBe('2 t0 t1 t2 t3')
})

test('a deletion on its way makes others come again; one that fails leaves the group', () => {
  const play = new Play()
  play.told('m1')
  play.told('m1', { memberEpoch: -1 })
  play.autoCommit = false
  const removal = play.remove()
  expect(play.told('m1')).toBe('COORDINATOR_NOT_AVAILABLE')
  play.failNext()
  expect(play.replies.get(removal)).toEqual({ kind: 'delete', error: 'COORDINATOR_NOT_AVAILABLE' })
  play.autoCommit = true
  expect(play.told('m1')).toBe('4 t0 t1 t2 t3')
})

test('offsets of a topic nobody reads any more expire, and an empty group goes with its last', () => {
  const week = 10_080 * 60_000
  const play = new Play({ consumerSessionTimeoutMs: 2 * week })
  play.told('m1')
  play.commit({ memberId: 'm1', generation: 2, understandsEpochs: true }, { offset: 4 }, { topic: 'u', offset: 5 })
  play.pass(week + 600_000)
  expect([play.offset('t'), play.offset('u')]).toEqual([4, undefined])
  play.told('m1', { memberEpoch: -1 })
  play.pass(600_000)
  expect(play.machine.durable.get('g')).toBeUndefined()
})
