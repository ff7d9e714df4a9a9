// Owns the proof that no state machine or record of the bucket is brought down by bytes: what it cannot read it names.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ClusterState, decodeCommand, decodeControl, encodeCommand, PartitionState } from '../../../src/broker/core/index.ts'
import { encodeControl } from '../../../src/broker/core/control.ts'
import { offset, topicId } from '../../../src/model/ids.ts'
import { decodeJson } from '../../../recovery/core/life-records.ts'
import { decodeCoordinatorSection, encodeCoordinatorSection } from '../../../src/server/coordinator-section.ts'

const bytes = fc.uint8Array({ maxLength: 300 })
const json = fc.jsonValue({ maxDepth: 3 }).map((value) => Buffer.from(JSON.stringify(value)))

/** A value whose fields are each now and then another. */
const bentJson = (sound: object): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(fc.constantFrom(...Object.keys(sound)), fc.jsonValue({ maxDepth: 2 }))
    .map(([field, value]) => Buffer.from(JSON.stringify({ ...sound, [field]: value })))

function someState(): PartitionState {
  const state = new PartitionState(topicId('AAECAwQFBgcICQoLDA0ODw'), 3)
  const role = 'transactional' as const
  const digest = { maxTimestampMs: 5, producerId: 7, producerEpoch: 0, baseSequence: 0, role, coordinatorEpoch: -1 }
  state.replayBatch({ index: 1, term: 1, digest: { ...digest, baseOffset: offset(0), endOffset: offset(4) }, nowMs: 9 })
  state.replayBatch({
    index: 2,
    term: 2,
    digest: { ...digest, baseOffset: offset(4), endOffset: offset(6), baseSequence: 4 },
    nowMs: 9,
  })
  const place = { objectKey: 'wal/x', objectSizeBytes: 100, position: 24, length: 60 }
  state.addExtent({ ...place, baseOffset: offset(0), endOffset: offset(6), maxTimestampMs: 5 })
  return state
}

describe('bytes that bend', () => {
  it('the state of a partition', () => {
    const sound = someState().encode()
    const bent = fc
      .tuple(fc.nat(sound.length - 1), fc.nat(255))
      .map(([at, byte]) => sound.map((was, index) => (index === at ? byte : was)))
    fc.assert(
      fc.property(
        fc.oneof(
          bytes,
          bent,
          fc.nat(sound.length).map((end) => sound.subarray(0, end)),
        ),
        (input) => {
          const state = PartitionState.decode(input, 2)
          if (typeof state !== 'string') state.encode()
          else expect(state).not.toBe('')
        },
      ),
      { numRuns: 3000 },
    )
    expect(PartitionState.decode(sound, 2)).toMatchObject({ endOffset: 6, lastIndex: 2 })
  })

  it('control entries', () => {
    const sound = encodeControl({ kind: 'log-start', offset: offset(77) })
    fc.assert(
      fc.property(
        fc.oneof(
          bytes,
          bytes.map((rest) => Uint8Array.of(1, 1, ...rest)),
          bytes.map((rest) => Uint8Array.of(2, 1, ...rest)),
        ),
        (input) => {
          const decoded = decodeControl(input)
          if (!decoded.ok) expect(decoded.failure).not.toBe('')
        },
      ),
    )
    expect(decodeControl(sound)).toEqual({ ok: true, value: { kind: 'log-start', offset: 77 } })
  })

  it('commands of the metadata machine: what decodes can be applied', () => {
    const create = {
      kind: 'create-topic',
      name: 't',
      id: 'AAECAwQFBgcICQoLDA0ODw',
      internal: false,
      partitionCount: 3,
      configs: {},
    } as const
    const commands = fc.oneof(
      bytes,
      json,
      bentJson({ v: 1, ...create }),
      bentJson({ v: 1, kind: 'allocate-producer-ids', count: 5 }),
      bentJson({ v: 1, kind: 'create-partitions', id: create.id, partitionCount: 9 }),
      bentJson({ v: 1, kind: 'delete-topic', id: create.id }),
      bentJson({ v: 1, kind: 'alter-topic-configs', id: create.id, configs: { 'retention.ms': '1' } }),
    )
    fc.assert(
      fc.property(commands, (input) => {
        const cluster = new ClusterState()
        cluster.apply(create)
        const decoded = decodeCommand(input)
        if (!decoded.ok) return
        cluster.apply(decoded.value)
        expect(new ClusterState().restore(cluster.snapshot())).toBe(true)
      }),
      { numRuns: 2000 },
    )
    expect(decodeCommand(encodeCommand(create))).toEqual({ ok: true, value: { v: 1, ...create } })
  })

  it('snapshots of the metadata machine', () => {
    const sound = {
      v: 1,
      nextGroup: 4,
      nextProducerId: 0,
      topics: [{ name: 't', id: 'x', internal: false, groups: [1], configs: {} }],
    }
    const topics = fc
      .array(
        fc.oneof(
          fc.jsonValue({ maxDepth: 2 }),
          bentJson(sound.topics[0] ?? {}).map((one) => JSON.parse(Buffer.from(one).toString()) as unknown),
        ),
      )
      .map((list) => Buffer.from(JSON.stringify({ ...sound, topics: list })))
    fc.assert(
      fc.property(fc.oneof(bytes, json, bentJson(sound), topics), (input) => {
        const cluster = new ClusterState()
        if (cluster.restore(input)) cluster.snapshot()
      }),
      { numRuns: 2000 },
    )
  })

  it('records of lives', () => {
    fc.assert(
      fc.property(fc.oneof(bytes, json), (input) => {
        const record = decodeJson(input)
        expect(record === undefined || (typeof record === 'object' && !Array.isArray(record))).toBe(true)
      }),
    )
  })

  it('the section of a coordinator', () => {
    fc.assert(
      fc.property(bytes, fc.maxSafeNat(), (snapshot, takenIn) => {
        const section = decodeCoordinatorSection(encodeCoordinatorSection({ takenIn, snapshot }))
        expect([section?.takenIn, Buffer.from(section?.snapshot ?? []).toString('hex')]).toEqual([
          takenIn,
          Buffer.from(snapshot).toString('hex'),
        ])
        expect(decodeCoordinatorSection(snapshot.subarray(0, 7))).toBeUndefined()
      }),
    )
  })
})
