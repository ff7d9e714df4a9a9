import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { MembershipChange } from '../../../../src/raft/core/index.ts'
import {
  decodeNodeFrame,
  encodeBoot,
  encodeHard,
  encodeOwnEntry,
  encodeSnapshot,
} from '../../../../src/raft/driver/node-frames.ts'

const nodes = fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { maxLength: 9 })
const index = fc.maxSafeNat()
const term = fc.integer({ min: 0, max: 2 ** 31 })

const frameOf = (payload: Uint8Array, ofTerm = 2 ** 31): unknown => {
  const decoded = decodeNodeFrame(payload, ofTerm)
  return decoded.ok ? decoded.value : decoded.failure
}

it('what is written is read again', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), index, (vote, commit) => {
      expect(frameOf(encodeHard(vote, commit))).toEqual({ kind: 'hard', vote, commit })
    }),
  )
  const configuration = fc.record({
    voters: nodes,
    votersOutgoing: nodes,
    learners: nodes,
    learnersNext: nodes,
    autoLeave: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.record({ index, term, configuration, pointer: fc.uint8Array({ maxLength: 99 }) }), (snapshot) => {
      expect(frameOf(encodeSnapshot(snapshot))).toEqual({ kind: 'snapshot', snapshot })
    }),
  )
  const kind = fc.constantFrom('voter' as const, 'learner' as const, 'remove' as const, 'update' as const)
  const change: fc.Arbitrary<MembershipChange> = fc.record({
    transition: fc.constantFrom('auto' as const, 'implicit' as const, 'explicit' as const),
    changes: fc.array(fc.record({ kind, node: fc.integer({ min: 0, max: 2 ** 32 - 1 }) }), { maxLength: 9 }),
  })
  fc.assert(
    fc.property(change, (one) => {
      expect(frameOf(encodeOwnEntry(one))).toEqual({ kind: 'change', change: one })
    }),
  )
  expect(frameOf(encodeOwnEntry(undefined))).toEqual({ kind: 'first' })
  expect(frameOf(encodeBoot(7))).toEqual({ kind: 'boot', boot: 7 })
})

it('bytes that say nothing are told, not believed', () => {
  expect(frameOf(Uint8Array.of())).toBe('truncated int8 at byte 0')
  expect(frameOf(Uint8Array.of(9))).toContain('kind 9 is unknown')
  expect(frameOf(Uint8Array.of(3, 0, 0, 0, 1, 5))).toBe('1 bytes are left over')
  const pointer = new Uint8Array(0)
  const configuration = { voters: [1, 2, 3], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false }
  expect(frameOf(encodeSnapshot({ index: 5, term: 9, configuration, pointer }), 8)).toContain('a snapshot of a later term')
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const decoded = decodeNodeFrame(bytes, 5)
      expect(typeof decoded.ok).toBe('boolean')
    }),
  )
})
