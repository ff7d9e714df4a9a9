// Owns the proof that producer states follow Kafka's rules, against those rules written out plainly (every batch ever, no modulus), and
// survive their own encoding.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ProducerStates, type SequencedBatch, type SequenceVerdict } from '../../../src/broker/core/producer-state.ts'
import { ByteReader, ByteWriter } from '../../../src/protocol/index.ts'

const wrap = 2 ** 31

interface PlainProducer {
  readonly epoch: number
  /** Of this epoch, oldest first, all of them. */
  readonly batches: Array<{
    readonly first: number
    readonly last: number
    readonly baseOffset: number
    readonly timestampMs: number
  }>
}

class PlainStates {
  readonly producers = new Map<number, PlainProducer>()

  check({ producerId, producerEpoch, baseSequence, lastOffsetDelta }: SequencedBatch): SequenceVerdict {
    const known = this.producers.get(producerId)
    if (known === undefined) return { kind: 'next' }
    if (producerEpoch < known.epoch) return { kind: 'stale-epoch', currentEpoch: known.epoch }
    if (producerEpoch > known.epoch) return baseSequence === 0 ? { kind: 'next' } : { kind: 'out-of-order', expected: 0 }
    let last = baseSequence
    for (let steps = 0; steps < lastOffsetDelta; steps += 1) last = last === wrap - 1 ? 0 : last + 1
    const seen = known.batches.slice(-5).find((one) => one.first === baseSequence && one.last === last)
    if (seen !== undefined) return { kind: 'duplicate', baseOffset: seen.baseOffset, timestampMs: seen.timestampMs }
    const newest = known.batches.at(-1)!.last
    const expected = newest === wrap - 1 ? 0 : newest + 1
    return baseSequence === expected ? { kind: 'next' } : { kind: 'out-of-order', expected }
  }

  replay(batch: SequencedBatch, baseOffset: number, timestampMs: number): void {
    const known = this.producers.get(batch.producerId)
    const batches = known?.epoch === batch.producerEpoch ? known.batches : []
    const last = (batch.baseSequence + batch.lastOffsetDelta) % wrap
    batches.push({ first: batch.baseSequence, last, baseOffset, timestampMs })
    this.producers.set(batch.producerId, { epoch: batch.producerEpoch, batches })
  }
}

const attempt = fc.record({
  producerId: fc.nat(1),
  epochUp: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.integer({ min: -1, max: 1 }) }),
  lastOffsetDelta: fc.nat(4),
  /** Behind the newest sequence: 0 is the next, 1 the newest batch again and so on; negative leaves a gap. */
  back: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 4, arbitrary: fc.integer({ min: -2, max: 8 }) }),
})

test('a producer’s batches are next, repeated, out of order or fenced exactly as Kafka’s rules say, also around 2^31', () => {
  const seen = { next: 0, duplicate: 0, 'out-of-order': 0, 'stale-epoch': 0, wrapped: 0 }
  fc.assert(
    fc.property(fc.array(attempt, { maxLength: 80 }), fc.constantFrom(0, wrap - 12), fc.nat(40), (attempts, start, reloadAt) => {
      let states = new ProducerStates()
      const plain = new PlainStates()
      let offset = 0
      for (const [at, { producerId, epochUp, lastOffsetDelta, back }] of attempts.entries()) {
        if (at === reloadAt) states = reloaded(states)
        const known = plain.producers.get(producerId)
        const again = back > 0 ? known?.batches.at(-back) : undefined
        const next = known === undefined ? start : (known.batches.at(-1)!.last + 1) % wrap
        const batch = {
          producerId,
          producerEpoch: Math.max(0, (known?.epoch ?? 0) + epochUp),
          baseSequence: epochUp > 0 ? Math.max(0, back) : (again?.first ?? (next - Math.min(0, back)) % wrap),
          lastOffsetDelta: again === undefined ? lastOffsetDelta : (again.last - again.first + wrap) % wrap,
        }
        const verdict = states.check(batch)
        expect(verdict).toEqual(plain.check(batch))
        seen[verdict.kind] += 1
        if (verdict.kind !== 'next') continue
        if (batch.baseSequence + batch.lastOffsetDelta >= wrap) seen.wrapped += 1
        states.replay(batch, { baseOffset: offset, timestampMs: offset + 5, nowMs: at })
        plain.replay(batch, offset, offset + 5)
        offset += batch.lastOffsetDelta + 1
      }
    }),
    { numRuns: 1500 },
  )
  for (const [kind, count] of Object.entries(seen)) expect(count, kind).toBeGreaterThan(10)
})

function reloaded(states: ProducerStates): ProducerStates {
  const writer = new ByteWriter()
  states.encode(writer)
  const again = new ProducerStates()
  const reader = new ByteReader(writer.concat())
  again.decode(reader, true)
  expect(reader.failure).toBeUndefined()
  expect(again.size).toBe(states.size)
  return again
}

test('a producer that was silent for long enough is forgotten, and starts anew with any sequence', () => {
  const states = new ProducerStates()
  const batch = { producerId: 1, producerEpoch: 3, baseSequence: 0, lastOffsetDelta: 0 }
  states.replay(batch, { baseOffset: 0, timestampMs: 0, nowMs: 100 })
  states.replay({ ...batch, producerId: 2 }, { baseOffset: 1, timestampMs: 0, nowMs: 200 })
  expect(states.expire(150, () => false)).toBe(1)
  expect(states.check({ ...batch, producerEpoch: 0, baseSequence: 77 })).toEqual({ kind: 'next' })
  expect(states.check({ ...batch, producerId: 2 }).kind).toBe('duplicate')
})
