import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32cReference } from '../../../src/base/crc32c.ts'
import { DurableState, type GroupRecord } from '../../../src/groups/core/durable.ts'
import { GroupMachine } from '../../../src/groups/core/machine.ts'
import { standardGroupSettings } from '../../../src/groups/core/settings.ts'
import { decodeSnapshot, encodeSnapshot } from '../../../src/groups/core/snapshot.ts'
import { readSubscribedTopics } from '../../../src/groups/core/subscription.ts'
import { decodeRecord, encodeRecord } from '../../../src/groups/record-codec.ts'

const name = fc.string({ maxLength: 8, unit: 'grapheme' })
const bytes = fc.uint8Array({ maxLength: 20 })
const int32 = fc.integer({ min: -1, max: 2 ** 31 - 1 })
const time = fc.integer({ min: 0, max: 2 ** 50 })
const optional = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined })

const groupValue = fc.record({
  protocolType: name,
  generation: int32,
  protocolName: optional(name),
  leaderId: optional(name),
  stateSinceMs: time,
  members: fc.array(
    fc.record({
      memberId: name,
      instanceId: optional(name),
      clientId: name,
      clientHost: name,
      rebalanceTimeoutMs: int32,
      sessionTimeoutMs: int32,
      subscription: bytes,
      assignment: bytes,
    }),
    { maxLength: 4 },
  ),
})
const plainOffset = fc.record({
  offset: fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER }),
  leaderEpoch: int32,
  metadata: name,
  commitTimestampMs: time,
  expireTimestampMs: fc.constant(-1),
  topicId: optional(fc.constantFrom('AAAAAAAAAAAAAAAAAAAAAQ', 'AAAAAAAAAAAAAAAAAAAAAg')),
})
const expiringOffset = plainOffset.chain((value) =>
  time.map((expireTimestampMs) => ({ ...value, expireTimestampMs, leaderEpoch: -1, topicId: undefined })),
)
const groupId = fc.oneof(fc.constantFrom('a', 'b'), name)
const topicId = fc.constantFrom('AAAAAAAAAAAAAAAAAAAAAQ', 'AAAAAAAAAAAAAAAAAAAAAg')
const partition = fc.integer({ min: 0, max: 5 })
const memberId = fc.constantFrom('m1', 'm2', 'm3')
const names = fc
  .uniqueArray(name, { maxLength: 3 })
  .map((list) => list.sort((left, right) => (left < right ? -1 : left > right ? 1 : 0)))
const ordered = <Key, Value>(map: ReadonlyMap<Key, Value>): ReadonlyMap<Key, Value> =>
  new Map([...map].sort(([left], [right]) => (left < right ? -1 : 1)))
const target = fc
  .dictionary(
    topicId,
    fc.uniqueArray(partition, { minLength: 1, maxLength: 4 }).map((list) => list.sort((a, b) => a - b)),
  )
  .map((found) => ordered(new Map(Object.entries(found))))
const held = fc
  .dictionary(topicId, fc.uniqueArray(fc.tuple(partition, int32), { minLength: 1, maxLength: 4, selector: ([one]) => one }))
  .map((found) => ordered(new Map(Object.entries(found).map(([id, list]) => [id, ordered(new Map(list))]))))
const subscriber = fc.record({
  instanceId: optional(name),
  rackId: optional(name),
  clientId: name,
  clientHost: name,
  topics: names,
  expression: optional(name.filter((text) => text !== '')),
  rebalanceTimeoutMs: int32,
  assignor: optional(fc.constantFrom('uniform', 'range', 'other')),
  classic: optional(
    fc.record({
      sessionTimeoutMs: int32,
      protocols: fc.array(fc.record({ name, metadata: bytes }), { maxLength: 2 }),
    }),
  ),
})
const current = fc.record({
  memberEpoch: fc.integer({ min: -2, max: 2 ** 31 - 1 }),
  previousMemberEpoch: int32,
  state: fc.constantFrom('Stable' as const, 'UnrevokedPartitions' as const, 'UnreleasedPartitions' as const),
  assigned: held,
  pendingRevocation: held,
})
const hash = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const kind = <const Kind extends string>(text: Kind) => fc.constant(text)
const consumerRecord: fc.Arbitrary<GroupRecord> = fc.oneof(
  fc.record({ kind: kind('consumer-group'), groupId, value: optional(fc.record({ epoch: int32, metadataHash: hash })) }),
  fc.record({ kind: kind('consumer-topics'), groupId, value: optional(fc.constant(true as const)) }),
  fc.record({ kind: kind('consumer-assignment'), groupId, value: optional(fc.record({ epoch: int32, timestampMs: time })) }),
  fc.record({ kind: kind('consumer-member'), groupId, memberId, value: optional(subscriber) }),
  fc.record({ kind: kind('consumer-target'), groupId, memberId, value: optional(target) }),
  fc.record({ kind: kind('consumer-current'), groupId, memberId, value: optional(current) }),
  fc.record({
    kind: kind('consumer-expression'),
    groupId,
    expression: name,
    value: optional(fc.record({ topics: names, version: time, timestampMs: time })),
  }),
)
const record: fc.Arbitrary<GroupRecord> = fc.oneof(
  consumerRecord,
  fc.record({ kind: fc.constant('group' as const), groupId, value: optional(groupValue) }),
  fc.record({
    kind: fc.constant('offset' as const),
    groupId,
    topic: fc.constantFrom('t', 'u', 'ü'),
    partition: fc.integer({ min: 0, max: 3 }),
    value: optional(fc.oneof(plainOffset, expiringOffset)),
  }),
)
const event = fc.oneof(
  fc.record({ record, producerId: optional(fc.integer({ min: 0, max: 3 })) }),
  fc.record({ end: fc.integer({ min: 0, max: 3 }), outcome: fc.constantFrom('commit' as const, 'abort' as const) }),
)

function stateOf(events: readonly (typeof event extends fc.Arbitrary<infer Event> ? Event : never)[]): DurableState {
  const state = new DurableState()
  for (const one of events) {
    if ('end' in one) state.endTransaction(one.end, one.outcome)
    else state.replay(one.record, one.producerId)
  }
  return state
}

test('a snapshot gives back the state, and equal states give equal bytes', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), (events) => {
      const state = stateOf(events)
      const encoded = encodeSnapshot(state, crc32cReference)
      const decoded = decodeSnapshot(encoded, crc32cReference)
      expect(decoded.ok).toBe(true)
      if (!decoded.ok) return
      expect(decoded.value.groups).toEqual(state.groups)
      expect(decoded.value.pending).toEqual(state.pending)
      expect(encodeSnapshot(decoded.value, crc32cReference)).toEqual(encoded)
    }),
  )
})

test('a record reads back from its bytes in the log', () => {
  fc.assert(
    fc.property(record, (one) => {
      expect(decodeRecord(encodeRecord(one))).toEqual({ ok: true, value: one })
    }),
  )
})

test('no damaged snapshot is taken, whichever byte', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 10 }), fc.nat(), fc.integer({ min: 1, max: 255 }), (events, where, flip) => {
      const encoded = encodeSnapshot(stateOf(events), crc32cReference)
      encoded[where % encoded.length]! ^= flip
      expect(decodeSnapshot(encoded, crc32cReference).ok).toBe(false)
      expect(decodeSnapshot(encoded.subarray(0, where % encoded.length), crc32cReference).ok).toBe(false)
    }),
  )
})

/** Bytes under a right head and checksum, so that only the checks of the content stand between them and the state. */
function sealed(body: Uint8Array): Uint8Array {
  const whole = new Uint8Array(body.length + 4)
  whole.set(body)
  new DataView(whole.buffer).setUint32(body.length, crc32cReference(body))
  return whole
}

function survives(hostile: Uint8Array): void {
  const decoded = decodeSnapshot(hostile, crc32cReference)
  if (!decoded.ok) return
  // What is taken can be served: nothing in it breaks the coordinator.
  const machine = new GroupMachine(standardGroupSettings)
  machine.load(decoded.value)
  machine.activate({ monotonicMs: 0, wallMs: 0 })
  for (let nowMs = 1_000; nowMs < 5_000; nowMs += 1_000) {
    machine.onTimer({ monotonicMs: nowMs, wallMs: nowMs })
    for (const append of machine.takeReady().appends) machine.onAppended(append, { monotonicMs: nowMs, wallMs: nowMs })
  }
}

test.each([1, 2])('hostile bytes of version %i under a right checksum are refused or harmless', (version) => {
  const head = [0x43, 0x47, 0x52, 0x50, 0, version]
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (rest) => {
      survives(sealed(new Uint8Array([...head, ...rest])))
    }),
    { numRuns: 500 },
  )
  fc.assert(
    fc.property(fc.array(event, { maxLength: 10 }), fc.nat(), fc.nat(255), (events, where, byte) => {
      const body = encodeSnapshot(stateOf(events), crc32cReference).slice(0, -4)
      body[6 + (where % Math.max(1, body.length - 6))] = byte
      survives(sealed(body))
    }),
    { numRuns: 500 },
  )
})

test('a hostile length costs nothing', () => {
  const huge = [0x43, 0x47, 0x52, 0x50, 0, 2, 0xff, 0xff, 0xff, 0xff, 0x0f]
  expect(decodeSnapshot(sealed(new Uint8Array(huge)), crc32cReference).ok).toBe(false)
})

test('any subscription is read or not, without harm', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (blob) => {
      readSubscribedTopics(blob)
    }),
  )
})

/** What the first version could hold. */
function firstState(): DurableState {
  const state = new DurableState()
  const value = {
    offset: 300,
    leaderEpoch: 2,
    metadata: 'm',
    commitTimestampMs: 1_000,
    expireTimestampMs: -1,
    topicId: undefined,
  }
  const member = { memberId: 'm1', instanceId: 'i', clientId: 'c', clientHost: '/h', rebalanceTimeoutMs: 5, sessionTimeoutMs: 6 }
  const members = [{ ...member, subscription: new Uint8Array([1]), assignment: new Uint8Array([2, 3]) }]
  const stored = { protocolType: 'consumer', generation: 7, protocolName: 'range', leaderId: 'm1', stateSinceMs: 9, members }
  state.replay({ kind: 'group', groupId: 'g', value: stored })
  state.replay({ kind: 'offset', groupId: 'g', topic: 't', partition: 1, value })
  state.replay(
    { kind: 'offset', groupId: 'h', topic: 't', partition: 0, value: { ...value, topicId: 'AAAAAAAAAAAAAAAAAAAAAQ' } },
    4,
  )
  return state
}

test('version 1 of the snapshot, frozen, is read', () => {
  const hex =
    '4347525000010202670109636f6e73756d6572000000070672616e6765036d31000000000000000902036d3102690263032f68000000050000000602010302030202740200000001000000000000012c00000002026d00000000000003e8ffffffffffffffff000000000000000000000000000000000200000000000000040202680202740200000000000000000000012c00000002026d00000000000003e8ffffffffffffffff0000000000000000000000000000000100b7b411'
  const decoded = decodeSnapshot(Uint8Array.from(Buffer.from(hex, 'hex')), crc32cReference)
  expect(decoded.ok && encodeSnapshot(decoded.value, crc32cReference)).toEqual(encodeSnapshot(firstState(), crc32cReference))
})

test('version 2 of the snapshot is frozen', () => {
  const state = firstState()
  const groupId = 'k'
  const topic = 'AAAAAAAAAAAAAAAAAAAAAQ'
  const classic = { sessionTimeoutMs: 6, protocols: [{ name: 'range', metadata: new Uint8Array([1]) }] }
  const common = { rackId: undefined, clientId: 'c', clientHost: '/h', topics: ['t'], rebalanceTimeoutMs: 5 }
  const held = (partition: number) => new Map([[topic, new Map([[partition, 3]])]])
  const records: GroupRecord[] = [
    { kind: 'consumer-group', groupId, value: { epoch: 4, metadataHash: -5n } },
    { kind: 'consumer-topics', groupId, value: true },
    { kind: 'consumer-assignment', groupId, value: { epoch: 3, timestampMs: 10 } },
    {
      kind: 'consumer-member',
      groupId,
      memberId: 'm1',
      value: { ...common, instanceId: 'i', expression: 't.*', assignor: 'range', classic: undefined },
    },
    {
      kind: 'consumer-member',
      groupId,
      memberId: 'm2',
      value: { ...common, instanceId: undefined, expression: undefined, assignor: undefined, classic },
    },
    { kind: 'consumer-target', groupId, memberId: 'm1', value: new Map([[topic, [0, 1]]]) },
    {
      kind: 'consumer-current',
      groupId,
      memberId: 'm1',
      value: {
        memberEpoch: 3,
        previousMemberEpoch: 2,
        state: 'UnrevokedPartitions',
        assigned: held(0),
        pendingRevocation: held(2),
      },
    },
    { kind: 'consumer-expression', groupId, expression: 't.*', value: { topics: ['t'], version: 8, timestampMs: 11 } },
  ]
  for (const one of records) state.replay(one)
  expect(Buffer.from(encodeSnapshot(state, crc32cReference)).toString('hex')).toMatchInlineSnapshot(
    `"4347525000020302670109636f6e73756d6572000000070672616e6765036d31000000000000000902036d3102690263032f6800000005000000060201030203000202740200000001000000000000012c00000002026d00000000000003e8ffffffffffffffff00000000000000000000000000000000026b000100000004fffffffffffffffb00000003000000000000000a0103036d310269000263032f6802027404742e2a000000050672616e676500036d3200000263032f680202740000000005000100000006020672616e6765020102036d31020000000000000000000000000000000103000000000000000102036d31000000030000000201020000000000000000000000000000000102000000000000000302000000000000000000000000000000010200000002000000030204742e2a0202740000000000000008000000000000000b010200000000000000040202680202740200000000000000000000012c00000002026d00000000000003e8ffffffffffffffff00000000000000000000000000000001787f90b5"`,
  )
})
