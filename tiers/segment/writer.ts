// Owns putting a segment into the bucket: one pass over the batches, bounded memory, a name that nobody else's bytes have. Not
// publishing it (the partition's log), nor when to roll.
//
// Order: upload, created only if absent → the caller proposes the facts → only then may the log's older copy be trimmed. A crash
// between leaves an object nobody knows, never an entry without its object. A later try that builds the same bytes finds and
// adopts it; one that builds others takes the next attempt's name (core/segment-name.ts).

import { assert, assertDefined } from '../../src/base/assert.ts'
import type { Crc32c } from '../../src/base/crc32c.ts'
import { OpError, isOpError } from '../../src/base/op-error.ts'
import type { Offset } from '../../src/model/ids.ts'
import type { ObjectStore } from '../ports.ts'
import { objectBytes, trailerBytes } from './core/format.ts'
import {
  attemptMax,
  attemptsPerWriteMax,
  checksumChunkBytesDefault,
  indexIntervalBytesDefault,
  partBytesDefault,
} from './core/limits.ts'
import { factsOf, type SegmentFacts } from './core/segment-facts.ts'
import { isNameSound, segmentKey, type SegmentName } from './core/segment-name.ts'
import { SegmentTally, type SealedSegment } from './core/segment-tally.ts'
import { joinBytes, sameBytes } from './core/wire.ts'

/**
 * Opens the batches from the start, as runs of whole batches in order; opened again when the first upload lost its name. A run's
 * memory is the source's again when the next is asked for. An array's `() => runs` will do.
 */
export type SegmentSource = () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>

export interface SegmentPlan extends Omit<SegmentName, 'attempt'> {
  /** The first attempt to try, 0 when absent. A compaction starts above the attempt of what it replaces. */
  readonly attempt?: number
  /** Compacted data: offsets ascend with gaps, and `endOffset` may lie beyond the last batch. */
  readonly gaps?: { readonly endOffset: Offset }
}

export interface SegmentWriterOptions {
  readonly store: Pick<ObjectStore, 'getTail' | 'putIfAbsent' | 'putMultipart'>
  readonly crc32c: Crc32c
  readonly partBytes?: number
  readonly chunkBytes?: number
  readonly indexIntervalBytes?: number
}

type Runs = AsyncIterator<Uint8Array>

/** Memory for one part, used again by the next segment: fresh memory is dear. */
interface PartBuffer {
  readonly bytes: Uint8Array
  fill: number
}

export class SegmentWriter {
  readonly #store: SegmentWriterOptions['store']
  readonly #crc32c: Crc32c
  readonly #partBytes: number
  readonly #chunkBytes: number
  readonly #indexIntervalBytes: number
  #spare: Uint8Array | undefined

  constructor(options: SegmentWriterOptions) {
    this.#store = options.store
    this.#crc32c = options.crc32c
    this.#partBytes = options.partBytes ?? partBytesDefault
    this.#chunkBytes = options.chunkBytes ?? checksumChunkBytesDefault
    this.#indexIntervalBytes = options.indexIntervalBytes ?? indexIntervalBytesDefault
    assert(this.#partBytes >= 1, 'a part has at least one byte')
  }

  /**
   * Uploads the segment and answers its facts; durable when it returns. Idempotent: writing the same batches again adopts what
   * stands there. OpError `invalid`/`SEGMENT_ORDER` for batches that do not belong together (nothing was created), `busy`/
   * `SEGMENT_NAMES_TAKEN` when too many names are taken, and what the store and the source throw.
   */
  async write(plan: SegmentPlan, source: SegmentSource): Promise<SegmentFacts> {
    const first = plan.attempt ?? 0
    for (let attempt = first; attempt < first + attemptsPerWriteMax && attempt <= attemptMax; attempt += 1) {
      const name: SegmentName = { ...nameOf(plan), attempt }
      assert(isNameSound(name), 'a segment is written under a sound name')
      const facts = await this.#writeAs(name, plan, source)
      if (facts !== undefined) return facts
    }
    const detail = `${attemptsPerWriteMax} names from ${segmentKey({ ...nameOf(plan), attempt: first })} on hold other bytes; sweep orphans`
    throw new OpError('busy', { code: 'SEGMENT_NAMES_TAKEN', detail })
  }

  /** Undefined when other bytes stand under the name. */
  async #writeAs(name: SegmentName, plan: SegmentPlan, source: SegmentSource): Promise<SegmentFacts | undefined> {
    const part: PartBuffer = { bytes: this.#spare ?? Buffer.allocUnsafeSlow(this.#partBytes), fill: 0 }
    this.#spare = undefined
    const pass = new WritePass(plan, source, { tally: this.#tally(plan), part })
    const key = segmentKey(name)
    try {
      const small = await pass.gather()
      const put =
        small === undefined ? await this.#store.putMultipart(key, pass.parts()) : await this.#store.putIfAbsent(key, small)
      // Not after a failure: a request that was given up may still look at it.
      this.#spare = part.bytes
      if (put.kind === 'created') return factsOf(pass.sealed().trailer, name.attempt)
      // A store that saw the name taken before it asked for the parts left the pass unfinished: the trailer is still needed.
      await pass.drain()
      return (await this.#isSame(key, pass.sealed())) ? factsOf(pass.sealed().trailer, name.attempt) : undefined
    } catch (cause) {
      // A store may wrap what its source threw; the source's own error says more.
      throw pass.failure ?? cause
    } finally {
      await pass.close()
    }
  }

  #tally(plan: SegmentPlan): SegmentTally {
    return new SegmentTally(nameOf(plan), {
      crc32c: this.#crc32c,
      chunkBytes: this.#chunkBytes,
      indexIntervalBytes: this.#indexIntervalBytes,
      gapsAllowed: plan.gaps !== undefined,
    })
  }

  /** Trailer and size stand for the whole object, which appeared at once or not at all. */
  async #isSame(key: string, sealed: SealedSegment): Promise<boolean> {
    try {
      const { bytes, sizeBytes } = await this.#store.getTail(key, trailerBytes)
      return sizeBytes === objectBytes(sealed.trailer) && sameBytes(bytes, sealed.tail.at(-1)!)
    } catch (cause) {
      // Deleted since: it was an orphan. The next name is free of such races.
      if (isOpError(cause, 'missing')) return false
      throw cause
    }
  }
}

function nameOf(plan: SegmentPlan): Omit<SegmentName, 'attempt'> {
  const { topicId, partition, baseOffset, leaderEpoch } = plan
  return { topicId, partition, baseOffset, leaderEpoch }
}

/** One reading of the source: the runs seen so far, what they add up to, and the parts they become. */
class WritePass {
  readonly #tally: SegmentTally
  readonly #plan: SegmentPlan
  readonly #runs: Runs
  readonly #part: PartBuffer
  /** What did not fit the first part any more. */
  #rest: Uint8Array | undefined
  #sealed: SealedSegment | undefined
  #isClosed = false
  failure: OpError | undefined

  constructor(plan: SegmentPlan, source: SegmentSource, parts: { readonly tally: SegmentTally; readonly part: PartBuffer }) {
    this.#plan = plan
    this.#tally = parts.tally
    this.#part = parts.part
    this.#runs = runsOf(source)
  }

  sealed(): SealedSegment {
    assert(this.#sealed !== undefined, 'a segment is sealed when its upload is done')
    return this.#sealed
  }

  /** Reads until the source ends or a part is full. The whole object when it ended; undefined when it needs parts. */
  async gather(): Promise<readonly Uint8Array[] | undefined> {
    const { bytes } = this.#part
    for (;;) {
      const run = await this.#next()
      if (run === undefined) return [bytes.subarray(0, this.#part.fill), ...this.sealed().tail]
      const taken = this.#fill(run, 0)
      if (this.#part.fill < bytes.length) continue
      this.#rest = run.subarray(taken)
      return undefined
    }
  }

  /** The whole object as parts of one size, the last one shorter; after `gather`. All are the same memory. */
  async *parts(): AsyncGenerator<Uint8Array, void, undefined> {
    const { bytes } = this.#part
    for await (const run of this.#pieces()) {
      for (let at = 0; at < run.length;) {
        if (this.#part.fill === bytes.length) {
          yield bytes
          this.#part.fill = 0
        }
        at += this.#fill(run, at)
      }
    }
    yield bytes.subarray(0, this.#part.fill)
  }

  /** How much of the run from `at` on the part has taken. */
  #fill(run: Uint8Array, at: number): number {
    const part = this.#part
    const taken = Math.min(run.length - at, part.bytes.length - part.fill)
    part.bytes.set(run.subarray(at, at + taken), part.fill)
    part.fill += taken
    return taken
  }

  async *#pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    yield assertDefined(this.#rest, 'parts are taken when the first is full')
    for (let run = await this.#next(); run !== undefined; run = await this.#next()) yield run
    yield joinBytes(this.sealed().tail)
  }

  async drain(): Promise<void> {
    while (this.#sealed === undefined) await this.#next()
  }

  /** The next run, taken into account; undefined after the last, and then the segment is sealed. */
  async #next(): Promise<Uint8Array | undefined> {
    const step = await this.#runs.next()
    if (step.done === true) {
      const sealed = this.#tally.seal(this.#plan.gaps?.endOffset)
      if (typeof sealed === 'string') throw this.#refuse(sealed)
      this.#sealed = sealed
      return undefined
    }
    const refusal = this.#tally.add(step.value)
    if (refusal !== undefined) throw this.#refuse(refusal)
    return step.value
  }

  #refuse(why: string): OpError {
    const { topicId, partition, baseOffset } = this.#plan
    const detail = `segment ${baseOffset} of partition ${partition} of topic ${topicId} cannot be written: ${why}`
    this.failure = new OpError('invalid', { code: 'SEGMENT_ORDER', detail })
    return this.failure
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#runs.return?.()
  }
}

async function* runsOf(source: SegmentSource): AsyncGenerator<Uint8Array, void, undefined> {
  yield* source()
}
