// Owns what a partition remembers of idempotent producers: which sequences it has seen, so that a repeat is answered as such and
// a gap is refused (KIP-98; the last five batches as Kafka keeps them). Not which transactions are open (transaction-index.ts).

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
  /** Oldest first, at most five, all of this epoch; none right after a marker raised the epoch. */
  batches: SeenBatch[]
  /** Of the coordinator that ended its last transaction; −1: none did. */
  coordinatorEpoch: number
  /** Of its last batch or marker. */
  lastTimestampMs: number
  /** Wall-clock time of the last append, for expiry. */
  lastSeenMs: number
}

/** A producer as it was; undefined: it was not known. */
export interface ProducerMemory {
  readonly producerId: number
  readonly producer: Producer | undefined
}

/** What admission and recovery know of a batch with a producer id. */
export interface SequencedBatch {
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  /** Records in the batch minus one. */
  readonly lastOffsetDelta: number
}

/** What ends a producer's transaction on a partition. */
export interface EndMarker {
  readonly producerId: number
  readonly producerEpoch: number
  readonly coordinatorEpoch: number
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

  epochOf(producerId: number): number | undefined {
    return this.#producers.get(producerId)?.epoch
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
    const expected = newest === undefined ? 0 : (newest.lastSequence + 1) % sequenceModulus
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
    const producer = this.#ofEpoch(batch.producerId, batch.producerEpoch)
    producer.batches.push(seen)
    if (producer.batches.length > batchesKept) producer.batches.shift()
    producer.lastSeenMs = place.nowMs
    producer.lastTimestampMs = place.timestampMs
  }

  /** May a coordinator end the producer's transaction? As Kafka's ProducerAppendInfo.checkProducerEpoch and checkCoordinatorEpoch. */
  checkMarker(marker: EndMarker): 'next' | 'stale-epoch' | 'stale-coordinator' {
    const known = this.#producers.get(marker.producerId)
    if (known === undefined) return 'next'
    if (marker.producerEpoch < known.epoch) return 'stale-epoch'
    return marker.coordinatorEpoch < known.coordinatorEpoch ? 'stale-coordinator' : 'next'
  }

  /** A marker now stands in the log. */
  replayMarker(marker: EndMarker, place: { readonly timestampMs: number; readonly nowMs: number }): void {
    const producer = this.#ofEpoch(marker.producerId, marker.producerEpoch)
    producer.coordinatorEpoch = marker.coordinatorEpoch
    producer.lastSeenMs = place.nowMs
    producer.lastTimestampMs = place.timestampMs
  }

  /** A new epoch begins without batches; the order of the map is that of first sight. */
  #ofEpoch(producerId: number, epoch: number): Producer {
    const known = this.#producers.get(producerId)
    if (known === undefined) {
      const made: Producer = { epoch, batches: [], coordinatorEpoch: -1, lastSeenMs: 0, lastTimestampMs: -1 }
      this.#producers.set(producerId, made)
      return made
    }
    if (known.epoch !== epoch) {
      known.epoch = epoch
      known.batches = []
    }
    return known
  }

  /** What is known of a producer, to be put back (`putBack`) should its next batch or marker leave the log again. */
  remember(producerId: number): ProducerMemory {
    const known = this.#producers.get(producerId)
    return { producerId, producer: known === undefined ? undefined : { ...known, batches: [...known.batches] } }
  }

  putBack({ producerId, producer }: ProducerMemory): void {
    if (producer === undefined) this.#producers.delete(producerId)
    else this.#producers.set(producerId, producer)
  }

  *active(): Iterable<{
    readonly producerId: number
    readonly producerEpoch: number
    readonly lastSequence: number
    readonly lastTimestampMs: number
    readonly coordinatorEpoch: number
  }> {
    for (const [producerId, { epoch, batches, lastTimestampMs, coordinatorEpoch }] of this.#producers) {
      yield {
        producerId,
        producerEpoch: epoch,
        lastSequence: batches.at(-1)?.lastSequence ?? -1,
        lastTimestampMs,
        coordinatorEpoch,
      }
    }
  }

  /** Forgets producers that appended nothing since `beforeMs`, but for those that must be `kept`. */
  expire(beforeMs: number, kept: (producerId: number) => boolean): number {
    let expired = 0
    for (const [id, producer] of this.#producers) {
      if (producer.lastSeenMs >= beforeMs || kept(id)) continue
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
      w.int32(producer.coordinatorEpoch)
      w.int64(BigInt(producer.lastTimestampMs))
      w.uvarint(producer.batches.length)
      for (const batch of producer.batches) {
        w.int32(batch.firstSequence)
        w.int32(batch.lastSequence)
        w.int64(BigInt(batch.baseOffset))
        w.int64(BigInt(batch.timestampMs))
      }
    }
  }

  /** Reads what `encode` wrote, or wrote before it knew of markers (`withMarkers` false); sets the reader's failure on malformed bytes. */
  decode(r: ByteReader, withMarkers: boolean): void {
    this.#producers.clear()
    for (let left = r.uvarint(); left > 0 && r.failure === undefined; left -= 1) {
      const id = Number(r.int64())
      const producer: Producer = {
        epoch: r.int16(),
        lastSeenMs: Number(r.int64()),
        coordinatorEpoch: withMarkers ? r.int32() : -1,
        lastTimestampMs: withMarkers ? Number(r.int64()) : -1,
        batches: [],
      }
      for (let batches = r.uvarint(); batches > 0 && r.failure === undefined; batches -= 1) {
        producer.batches.push({
          firstSequence: r.int32(),
          lastSequence: r.int32(),
          baseOffset: Number(r.int64()),
          timestampMs: Number(r.int64()),
        })
      }
      if (!withMarkers) producer.lastTimestampMs = producer.batches.at(-1)?.timestampMs ?? -1
      if (r.failure === undefined) this.#producers.set(id, producer)
    }
  }
}
