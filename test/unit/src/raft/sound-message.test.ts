import { expect, it } from 'vitest'
import { message, type MessageType, type RaftEntry, type RaftMessage } from '../../../../src/raft/core/index.ts'
import { isSound } from '../../../../src/raft/driver/sound-message.ts'

const entry = (term: number, index: number): RaftEntry => ({
  term,
  index,
  kind: 'metadata',
  change: undefined,
  payload: new Uint8Array(1),
})
const said = (type: MessageType, more: Partial<RaftMessage> = {}): RaftMessage => message(type, 1, { from: 2, term: 3, ...more })
const configuration = { voters: [1, 2, 3], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false }
const snapshot = { index: 4, term: 2, configuration, pointer: undefined }

it.each([
  said('append'),
  said('append', { index: 4, logTerm: 2, entries: [entry(2, 5), entry(3, 6)], commit: 900 }),
  said('heartbeat', { commit: 10 }),
  said('snapshot', { snapshot }),
  said('vote'),
  said('timeout-now'),
  said('snapshot-status', { reject: true }),
])('takes $type', (one) => {
  expect(isSound(one, 10)).toBe(true)
})

it.each([
  ['of no term', said('append', { term: 0 })],
  ['behind an entry of a later term', said('append', { index: 4, logTerm: 4 })],
  ['with a gap', said('append', { index: 4, logTerm: 2, entries: [entry(3, 6)] })],
  ['with entries out of order', said('append', { index: 4, logTerm: 2, entries: [entry(3, 5), entry(2, 6)] })],
  ['with entries of a later term', said('append', { index: 4, logTerm: 2, entries: [entry(4, 5)] })],
  ['that commits what is not there', said('heartbeat', { commit: 11 })],
  ['without what it is about', said('snapshot')],
  ['of a later term than its sender’s', said('snapshot', { snapshot: { ...snapshot, term: 4 } })],
  ['of a group without voters', said('snapshot', { snapshot: { ...snapshot, configuration: { ...configuration, voters: [] } } })],
  ['that only the node itself says', said('hup')],
  ['of the storage', said('storage-append-response')],
])('refuses a message %s', (_, one) => {
  expect(isSound(one, 10)).toBe(false)
})
