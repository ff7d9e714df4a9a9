// Owns what a partition remembers of idempotent producers: which sequences it has seen, so that a repeat is answered as such and
// a gap is refused (KIP-98; the last five batches as Kafka keeps them). Not transactions.

import { assert } from '../../base/assert.ts'
import type { ByteReader, ByteWriter } from '../../protocol/index.ts'

/** As many as Kafka remembers: a producer has at most five requests in flight. */
const batchesKept = 5
const sequenceModulus = 2 ** 31

interface SeenBatch {
  readonly firstSequence: number
  readonly lastSequence: number
  readonly baseOffset: number
  readonly timestampMs: number
}

interface Producer {
  epoch: number
  /** Oldest first, at most five, all of this epoch. */
  batches: SeenBatch[]
  /** Wall-clock time of the last append, for expiry. */
  lastSeenMs: number
}

/** What admission and recovery know of a batch with a producer id. */
export interface SequencedBatch {
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  /** Records in the batch minus one. */
  readonly lastOffsetDelta: number
}

export type SequenceVerdict =
  | { readonly kind: 'next' }
  | { readonly kind: 'duplicate'; readonly baseOffset: number; readonly timestampMs: number }
  | { readonly kind: 'out-of-order'; readonly expected: number }
  | { readonly kind: 'stale-epoch'; readonly currentEpoch: number }

const lastSequenceOf = (batch: SequencedBatch): number => (batch.baseSequence + batch.lastOffsetDelta) % sequenceModulus

export class ProducerStates {
  readonly #producers = new Map<number, Producer>()

  get size(): number {
    return this.#producers.size
  }

  check(batch: SequencedBatch): SequenceVerdict {
    const known = this.#producers.get(batch.producerId)
    // Kafka accepts any first sequence of a producer it does not know: its state may have expired.
    if (known === undefined) return { kind: 'next' }
    if (batch.producerEpoch < known.epoch) return { kind: 'stale-epoch', currentEpoch: known.epoch }
    if (batch.producerEpoch > known.epoch)
      return batch.baseSequence === 0 ? { kind: 'next' } : { kind: 'out-of-order', expected: 0 }
    const lastSequence = lastSequenceOf(batch)
    for (const seen of known.batches) {
      if (seen.firstSequence === batch.baseSequence && seen.lastSequence === lastSequence) {
        return { kind: 'duplicate', baseOffset: seen.baseOffset, timestampMs: seen.timestampMs }
      }
    }
    const newest = known.batches.at(-1)
    assert(newest !== undefined, 'a known producer has batches')
    const expected = (newest.lastSequence + 1) % sequenceModulus
    return batch.baseSequence === expected ? { kind: 'next' } : { kind: 'out-of-order', expected }
  }

  /** The only mutation, live and at recovery: the batch now stands in the log at `baseOffset`. */
  replay(
    batch: SequencedBatch,
    place: { readonly baseOffset: number; readonly timestampMs: number; readonly nowMs: number },
  ): void {
    const seen = {
      firstSequence: batch.baseSequence,
      lastSequence: lastSequenceOf(batch),
      baseOffset: place.baseOffset,
      timestampMs: place.timestampMs,
    }
    const known = this.#producers.get(batch.producerId)
    if (known === undefined || known.epoch !== batch.producerEpoch) {
      this.#producers.set(batch.producerId, { epoch: batch.producerEpoch, batches: [seen], lastSeenMs: place.nowMs })
      return
    }
    known.batches.push(seen)
    if (known.batches.length > batchesKept) known.batches.shift()
    known.lastSeenMs = place.nowMs
  }

  *active(): Iterable<{
    readonly producerId: number
    readonly producerEpoch: number
    readonly lastSequence: number
    readonly lastTimestampMs: number
  }> {
    for (const [producerId, { epoch, batches }] of this.#producers) {
      const newest = batches.at(-1)
      assert(newest !== undefined, 'a known producer has batches')
      yield {
        producerId,
        producerEpoch: epoch,
        lastSequence: newest.lastSequence,
        lastTimestampMs: newest.timestampMs,
      }
    }
  }

  /** Forgets producers that appended nothing since `beforeMs`. */
  expire(beforeMs: number): number {
    let expired = 0
    for (const [id, producer] of this.#producers) {
      if (producer.lastSeenMs >= beforeMs) continue
      this.#producers.delete(id)
      expired += 1
    }
    return expired
  }

  encode(w: ByteWriter): void {
    w.uvarint(this.#producers.size)
    for (const [id, producer] of this.#producers) {
      w.int64(BigInt(id))
      w.int16(producer.epoch)
      w.int64(BigInt(producer.lastSeenMs))
      w.uvarint(producer.batches.length)
      for (const batch of producer.batches) {
        w.int32(batch.firstSequence)
        w.int32(batch.lastSequence)
        w.int64(BigInt(batch.baseOffset))
        w.int64(BigInt(batch.timestampMs))
      }
    }
  }

  /** Reads what `encode` wrote; on malformed bytes the reader's failure is set. */
  decode(r: ByteReader): void {
    this.#producers.clear()
    for (let left = r.uvarint(); left > 0 && r.failure === undefined; left -= 1) {
      const id = Number(r.int64())
      const producer: Producer = { epoch: r.int16(), lastSeenMs: Number(r.int64()), batches: [] }
      for (let batches = r.uvarint(); batches > 0 && r.failure === undefined; batches -= 1) {
        producer.batches.push({
          firstSequence: r.int32(),
          lastSequence: r.int32(),
          baseOffset: Number(r.int64()),
          timestampMs: Number(r.int64()),
        })
      }
      if (producer.batches.length === 0) r.fail('a producer without batches')
      if (r.failure === undefined) this.#producers.set(id, producer)
    }
  }
}
