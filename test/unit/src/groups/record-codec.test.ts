import { describe, expect, test } from 'vitest'
import type { ConsumerRecord } from '../../../../src/groups/core/consumer/state.ts'
import { decodeRecord, encodeRecord } from '../../../../src/groups/record-codec.ts'

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'))
const hexOf = (found: Uint8Array | null): string | null => (found === null ? null : Buffer.from(found).toString('hex'))

/** Read from the log of `__consumer_offsets` of Apache Kafka 4.3.1, of a group with members of both protocols and an expression. */
const kafkas: ReadonlyArray<readonly [what: string, key: string, value: string | null]> = [
  [
    'member',
    '000500086361707475726564002b7374617469632d33643831363035642d383363632d343032342d623137622d346231386431623864636266',
    '0000077374617469630019636f6e73756d65722d63617074757265642d7374617469630b2f3132372e302e302e3102086361707475726501000493e00001002c0100001770020672616e67651e000300000001000763617074757265ffffffff00000000ffffffffffff0000',
  ],
  ['group epoch', '000300086361707475726564', '000000000001010008e4193403afd51437'],
  [
    'target',
    '000700086361707475726564002b7374617469632d33643831363035642d383363632d343032342d623137622d346231386431623864636266',
    '00000289c199c635be4a1bb3673332c370d8d505000000000000000100000002000000030000',
  ],
  ['assignment epoch', '000600086361707475726564', '00000000000100'],
  [
    'current assignment',
    '000800086361707475726564002b7374617469632d33643831363035642d383363632d343032342d623137622d346231386431623864636266',
    '00000000000100000001000289c199c635be4a1bb3673332c370d8d5050000000000000001000000020000000301001105000000010000000100000001000000010100',
  ],
  [
    'member',
    '0005000863617074757265640016664d5f313872634f52494b515965632d493746595467',
    '0000000014636f6e73756d65722d63617074757265642d310b2f3132372e302e302e3102086361707475726501000493e00001000100',
  ],
  [
    'target',
    '0007000863617074757265640016664d5f313872634f52494b515965632d493746595467',
    '00000289c199c635be4a1bb3673332c370d8d50300000002000000030000',
  ],
  [
    'target',
    '000700086361707475726564002b7374617469632d33643831363035642d383363632d343032342d623137622d346231386431623864636266',
    '00000289c199c635be4a1bb3673332c370d8d50300000000000000010000',
  ],
  [
    'current assignment',
    '0008000863617074757265640016664d5f313872634f52494b515965632d493746595467',
    '0000000000020000000002010100',
  ],
  [
    'current assignment',
    '0008000863617074757265640016664d5f313872634f52494b515965632d493746595467',
    '0000000000020000000202010100',
  ],
  [
    'member',
    '000500086361707475726564002b7374617469632d33643831363035642d383363632d343032342d623137622d346231386431623864636266',
    '0000077374617469630019636f6e73756d65722d63617074757265642d7374617469630b2f3132372e302e302e3102086361707475726501000493e00001002c0100001770020672616e67651e000300000001000763617074757265ffffffff0000000000000001ffff0000',
  ],
  ['expression', '0010000863617074757265640009285e636170742e2a29', '00000208636170747572650000000000000033000001a2159e15eb00'],
  ['current assignment', '0008000863617074757265640016664d5f313872634f52494b515965632d493746595467', null],
  ['target', '0007000863617074757265640016664d5f313872634f52494b515965632d493746595467', null],
  ['member', '0005000863617074757265640016664d5f313872634f52494b515965632d493746595467', null],
  ['assignment epoch', '000600086361707475726564', null],
  ['expression', '0010000863617074757265640009285e636170742e2a29', null],
  ['topics', '000400086361707475726564', null],
  ['group epoch', '000300086361707475726564', null],
]

function decoded(key: string, value: string | null): ConsumerRecord {
  const outcome = decodeRecord({ key: bytes(key), value: value === null ? null : bytes(value) })
  if (!outcome.ok || outcome.value === undefined) throw new Error(outcome.ok ? 'ignored' : outcome.failure)
  if (outcome.value.kind === 'group' || outcome.value.kind === 'offset') throw new Error('not of a consumer group')
  return outcome.value
}

describe('records that Apache Kafka wrote', () => {
  test.each(kafkas)('%s: is read, and written the same', (_, key, value) => {
    const record = decoded(key, value)
    const encoded = encodeRecord(record)
    expect(hexOf(encoded.key)).toBe(key)
    // Kafka stores an empty expression where we store none.
    const expected = record.kind === 'consumer-member' ? value?.replace('01000493e0', '00000493e0') : value
    expect(hexOf(encoded.value)).toBe(expected ?? null)
  })

  test('say what Kafka meant', () => {
    const records = kafkas.map(([, key, value]) => decoded(key, value))
    const current = records.find(({ kind, value }) => kind === 'consumer-current' && value !== undefined)
    expect(current?.value).toMatchObject({ memberEpoch: 1, previousMemberEpoch: 1, state: 'Stable' })
    const member = records.find(({ kind, value }) => kind === 'consumer-member' && value !== undefined)
    expect(member?.value).toMatchObject({ instanceId: 'static', topics: ['capture'], classic: { sessionTimeoutMs: 6_000 } })
    const expression = records.find(({ kind, value }) => kind === 'consumer-expression' && value !== undefined)
    expect(expression).toMatchObject({ groupId: 'captured', expression: '(^capt.*)', value: { topics: ['capture'] } })
  })
})

test('a record from before Kafka kept an epoch for each partition has the member’s', () => {
  const record = decoded(
    '000800016700016d',
    // Epoch 7 after 6, stable, partition 2 of one topic without tags, nothing to give up.
    '0000000000070000000600020000000000000000000000000000000102000000020001' + '00',
  )
  expect(record.value).toMatchObject({ memberEpoch: 7, assigned: new Map([['AAAAAAAAAAAAAAAAAAAAAQ', new Map([[2, 7]])]]) })
})

test('a value of a version nobody knows, or without its end, is named', () => {
  const [, key, value] = kafkas.find(([what, , found]) => what === 'current assignment' && found !== null)!
  expect(decodeRecord({ key: bytes(key), value: bytes('0009') })).toMatchObject({ ok: false })
  expect(decodeRecord({ key: bytes(key), value: bytes(value!).subarray(0, 12) })).toMatchObject({ ok: false })
  expect(decodeRecord({ key: bytes(key).subarray(0, 5), value: null })).toMatchObject({ ok: false })
})
