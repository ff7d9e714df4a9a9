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
const record: fc.Arbitrary<GroupRecord> = fc.oneof(
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

test('hostile bytes under a right checksum are refused or harmless', () => {
  const head = [0x43, 0x47, 0x52, 0x50, 0, 1]
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
  const huge = [0x43, 0x47, 0x52, 0x50, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f]
  expect(decodeSnapshot(sealed(new Uint8Array(huge)), crc32cReference).ok).toBe(false)
})

test('any subscription is read or not, without harm', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (blob) => {
      readSubscribedTopics(blob)
    }),
  )
})

test('version 1 of the snapshot is frozen', () => {
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
  expect(Buffer.from(encodeSnapshot(state, crc32cReference)).toString('hex')).toMatchInlineSnapshot(
    `"4347525000010202670109636f6e73756d6572000000070672616e6765036d31000000000000000902036d3102690263032f68000000050000000602010302030202740200000001000000000000012c00000002026d00000000000003e8ffffffffffffffff000000000000000000000000000000000200000000000000040202680202740200000000000000000000012c00000002026d00000000000003e8ffffffffffffffff0000000000000000000000000000000100b7b411"`,
  )
})
