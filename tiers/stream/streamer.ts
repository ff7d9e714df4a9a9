// Owns carrying a writer's committed entries to the bucket: gathers them, seals them into numbered objects, uploads several at
// once, and tells in order what has arrived. Not the bytes of an object (core/format.ts) nor who may write (recovery).
//
// Order of side effects: seal under the next number -> create-if-absent -> (all lower numbers have arrived) -> tell the owner.
// STREAM-1  an object counts only when every object before it has arrived: a cold start cuts at the first gap.
// STREAM-2  a number that turns out taken holds either our own bytes or the end of this writer (I3).

import { assert, assertDefined } from '../../src/base/assert.ts'
import { type Clock, sleep } from '../../src/base/clock.ts'
import type { Crc32c } from '../../src/base/crc32c.ts'
import type { Log } from '../../src/base/log.ts'
import { isOpError, OpError } from '../../src/base/op-error.ts'
import type { ObjectStore } from '../ports.ts'
import { digestOf } from './core/digest.ts'
import { extentOf } from './core/extent.ts'
import { decodeFence, encodeStreamObject, type GroupToStream, type ObjectOrigin } from './core/format.ts'
import { numberedKey } from './core/keys.ts'
import { streamLimits } from './limits.ts'
import type { PendingEntry, StreamedObject, StreamedShare, StreamOwner } from './ports.ts'

export interface StreamerOptions {
  readonly store: ObjectStore
  /** Where the numbered objects go, ending in `/`. */
  readonly prefix: string
  /** The number of the next object. */
  readonly nextSequence: number
  readonly origin: Omit<ObjectOrigin, 'createdMs'>
  readonly owner: StreamOwner
  readonly clock: Clock
  readonly crc32c: Crc32c
  readonly log: Log
  /** How long an entry waits for company. */
  readonly intervalMs: number
  /** The same while an urgent entry waits. */
  readonly urgentIntervalMs: number
  readonly objectBytesMax: number
  readonly uploadsInFlightMax: number
}

interface Sealed {
  readonly sequence: number
  readonly key: string
  readonly entries: readonly PendingEntry[]
  readonly bytes: number
  readonly sealedAtMs: number
  readonly oldestAtMs: number
  streamed: StreamedObject | undefined
}

interface Waiter {
  readonly sequence: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export interface StreamCounters {
  objects: number
  bytes: number
  entries: number
  retries: number
  uploadMs: number
  spilledEntries: number
}

function sameBytes(stored: Uint8Array, body: readonly Uint8Array[]): boolean {
  let at = 0
  for (const piece of body) {
    for (let step = 0; step < piece.length; step += 1) if (stored[at + step] !== piece[step]) return false
    at += piece.length
  }
  return at === stored.length
}

export class Streamer {
  readonly counters: StreamCounters = { objects: 0, bytes: 0, entries: 0, retries: 0, uploadMs: 0, spilledEntries: 0 }
  readonly #options: StreamerOptions
  #nextSequence: number
  #gathering: PendingEntry[] = []
  #gatheringBytes = 0
  #gatheringSinceMs = 0
  #heldBytes = 0
  /** Sealed and not yet told, in sequence order; the first `#inFlight` of them are being uploaded or have arrived. */
  #sealed: Sealed[] = []
  #uploading = 0
  #uploadFrom = 0
  #timer: (() => void) | undefined
  #urgent = false
  #proofWanted = false
  #waiters: Waiter[] = []
  #ended: string | undefined

  constructor(options: StreamerOptions) {
    this.#options = options
    this.#nextSequence = options.nextSequence
  }

  /** The number the next sealed object gets: everything added later lies in it or beyond. */
  get nextSequence(): number {
    return this.#nextSequence
  }

  /** The first object that has not been told as arrived: everything before it is known to its owner. */
  get firstUntold(): number {
    return this.#sealed[0]?.sequence ?? this.#nextSequence
  }

  /** How long the oldest entry that is not in the bucket has been waiting; 0 when all is there. */
  behindMs(): number {
    const oldest = this.#sealed[0]?.oldestAtMs ?? (this.#gathering.length > 0 ? this.#gatheringSinceMs : undefined)
    return oldest === undefined ? 0 : this.#options.clock.monotonicMs() - oldest
  }

  /** The oldest WAL file that holds an entry not in the bucket yet; entries come in the order they were written. */
  get oldestPendingFile(): number | undefined {
    const sealed = this.#sealed.find((one) => one.entries.length > 0)
    return (sealed?.entries[0] ?? this.#gathering[0])?.position.file
  }

  get pendingBytes(): number {
    return this.#gatheringBytes + this.#sealed.reduce((sum, sealed) => sum + sealed.bytes, 0)
  }

  /** Takes a committed entry. Entries of one group come in index order. `urgent`: somebody waits for it to be in the bucket. */
  add(entry: PendingEntry, urgent: boolean): void {
    if (this.#ended !== undefined) return
    if (this.#gathering.length === 0) this.#gatheringSinceMs = this.#options.clock.monotonicMs()
    this.#gathering.push(entry)
    const length = entry.position.length
    this.#gatheringBytes += length
    if (entry.payload === undefined) this.counters.spilledEntries += 1
    else if (this.#heldBytes + length <= streamLimits.heldBytesMax) this.#heldBytes += length
    else {
      entry.payload = undefined
      this.counters.spilledEntries += 1
    }
    if (this.#gatheringBytes >= this.#options.objectBytesMax) this.#seal()
    else this.#schedule(urgent)
  }

  /** Resolves when everything added so far is in the bucket. Rejects when the writer ends before. */
  flush(): Promise<void> {
    if (this.#ended === undefined && this.#gathering.length > 0) this.#seal()
    const last = this.#sealed.at(-1)
    if (this.#ended !== undefined) return Promise.reject(ended(this.#ended))
    return last === undefined ? Promise.resolve() : this.#arrival(last.sequence)
  }

  /** Writes the next object, empty if need be: succeeds only while no other life has ended this writer. */
  prove(): Promise<void> {
    if (this.#ended !== undefined) return Promise.reject(ended(this.#ended))
    this.#proofWanted = true
    this.#seal()
    return this.#arrival(this.#nextSequence - 1)
  }

  /**
   * Looks, while nothing is on its way, whether another life has ended this writer: an idle one would learn it only with its next
   * object. One request; told to the owner as an upload would. Rejects when the store does not answer.
   */
  async look(): Promise<void> {
    if (this.#ended !== undefined || this.#gathering.length + this.#sealed.length > 0) return
    const sequence = this.#nextSequence
    const key = numberedKey(this.#options.prefix, sequence)
    try {
      await this.#options.store.head(key)
    } catch (error) {
      if (isOpError(error, 'missing')) return
      throw error
    }
    // Sealed meanwhile: it may be our own, and its upload will tell.
    if (sequence !== this.#nextSequence) return
    await this.#whoseIsIt(key, []).catch((error: unknown) => {
      if (!isOpError(error, 'fenced')) throw error
      if (this.#end(error.message)) this.#options.owner.onEnded(error)
    })
  }

  /** Uploads what is left, then stops. Gives up what cannot be uploaded when `abandon` resolves. */
  async close(abandon: Promise<void>): Promise<void> {
    await Promise.race([this.#drain().catch(() => undefined), abandon])
    this.#end('closed')
  }

  /** What comes while the rest is uploaded goes along. */
  async #drain(): Promise<void> {
    while (this.#gathering.length + this.#sealed.length > 0) await this.flush()
  }

  #arrival(sequence: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ sequence, resolve, reject })
    })
  }

  #schedule(urgent: boolean): void {
    if (this.#timer !== undefined && (!urgent || this.#urgent)) return
    this.#timer?.()
    // While uploads queue up there may be no timer, and yet an urgent entry that waits.
    this.#urgent ||= urgent
    const { clock, intervalMs, urgentIntervalMs } = this.#options
    const age = clock.monotonicMs() - this.#gatheringSinceMs
    this.#timer = clock.after(Math.max(0, (this.#urgent ? urgentIntervalMs : intervalMs) - age), () => {
      this.#timer = undefined
      // While uploads are queueing up, waiting longer makes fewer, fuller objects.
      if (this.#sealed.length < this.#options.uploadsInFlightMax) this.#seal()
    })
  }

  #seal(): void {
    this.#timer?.()
    this.#timer = undefined
    this.#urgent = false
    if (this.#gathering.length === 0 && !this.#proofWanted) return
    this.#proofWanted = false
    const now = this.#options.clock.monotonicMs()
    const sequence = this.#nextSequence
    this.#nextSequence += 1
    this.#sealed.push({
      sequence,
      key: numberedKey(this.#options.prefix, sequence),
      entries: this.#gathering,
      bytes: this.#gatheringBytes,
      sealedAtMs: now,
      oldestAtMs: this.#gathering.length > 0 ? this.#gatheringSinceMs : now,
      streamed: undefined,
    })
    this.#gathering = []
    this.#gatheringBytes = 0
    this.#pump()
  }

  #pump(): void {
    while (
      this.#ended === undefined &&
      this.#uploading < this.#options.uploadsInFlightMax &&
      this.#uploadFrom < this.#sealed.length
    ) {
      const sealed = assertDefined(this.#sealed[this.#uploadFrom], 'an object to upload was sealed')
      this.#uploadFrom += 1
      this.#uploading += 1
      this.#upload(sealed).then(
        () => {
          this.#uploading -= 1
          if (this.#ended === undefined) this.#arrived()
        },
        (error: unknown) => {
          if (this.#end(error instanceof Error ? error.message : String(error))) this.#options.owner.onEnded(error)
        },
      )
    }
  }

  async #upload(sealed: Sealed): Promise<void> {
    const { store, clock, log } = this.#options
    const shares = await this.#shares(sealed)
    const { body, places } = encodeStreamObject(
      shares,
      { ...this.#options.origin, createdMs: clock.nowMs() },
      this.#options.crc32c,
    )
    const size = body.reduce((sum, piece) => sum + piece.length, 0)
    const started = clock.monotonicMs()
    let pauseMs: number = streamLimits.retryPauseMsMin
    for (;;) {
      try {
        const outcome = await store.putIfAbsent(sealed.key, body)
        if (outcome.kind === 'exists') await this.#whoseIsIt(sealed.key, body)
        break
      } catch (error) {
        if (!isOpError(error, 'retry', 'busy', 'denied', 'internal', 'missing') || this.#ended !== undefined) throw error
        this.counters.retries += 1
        log.warn('a WAL object could not be stored; it is tried again', {
          key: sealed.key,
          code: error.code,
          detail: error.detail,
          pauseMs,
        })
        await sleep(clock, pauseMs)
        pauseMs = Math.min(pauseMs * 2, streamLimits.retryPauseMsMax)
      }
    }
    this.counters.objects += 1
    this.counters.bytes += size
    this.counters.entries += sealed.entries.length
    this.counters.uploadMs += clock.monotonicMs() - started
    for (const entry of sealed.entries) {
      if (entry.payload !== undefined) this.#heldBytes -= entry.position.length
      entry.payload = undefined
    }
    sealed.streamed = {
      sequence: sealed.sequence,
      key: sealed.key,
      shares: shares.map((share, at) => shareOf(share, sealed.key, size, assertDefined(places[at], 'each share has a place'))),
    }
  }

  /** The entries of an object by group, ascending, payloads read back where they had been let go. */
  async #shares(sealed: Sealed): Promise<readonly GroupToStream[]> {
    const byGroup = new Map<number, Array<GroupToStream['entries'][number]>>()
    for (const entry of sealed.entries) {
      const bytes = entry.payload ?? (await this.#options.owner.readPayload(entry.position))
      const list = byGroup.get(entry.group) ?? []
      if (list.length === 0) byGroup.set(entry.group, list)
      const common = { index: entry.index, term: entry.term, kind: entry.kind, length: bytes.length, bytes }
      list.push(entry.kind === 'batch' ? { ...common, digest: digestOf(bytes) } : common)
    }
    return [...byGroup.entries()]
      .sort(([left], [right]) => left - right)
      .map(([group, entries]) => ({
        group: group as GroupToStream['group'],
        ...this.#options.owner.identityOf(group as GroupToStream['group']),
        entries,
      }))
  }

  /** I3: the number was taken. Our own bytes: an earlier attempt had got through. Anything else: this writer has been ended. */
  async #whoseIsIt(key: string, body: readonly Uint8Array[]): Promise<void> {
    const stored = await this.#options.store.get(key)
    if (sameBytes(stored, body)) return
    const fence = decodeFence(stored)
    const detail =
      fence === undefined
        ? `${key} holds an object that another writer put there`
        : `${key} holds the fence of life ${fence.byLife}, set by ${fence.by} at wall-clock millisecond ${fence.atMs}`
    throw new OpError('fenced', { code: 'FENCED', detail })
  }

  #arrived(): void {
    let told = 0
    for (const sealed of this.#sealed) {
      if (sealed.streamed === undefined) break
      told += 1
    }
    const done = this.#sealed.splice(0, told)
    this.#uploadFrom -= told
    assert(this.#uploadFrom >= 0, 'STREAM-1: objects are told after they were uploaded')
    for (const sealed of done) this.#options.owner.onStreamed(assertDefined(sealed.streamed, 'a told object has arrived'))
    const upTo = done.at(-1)?.sequence
    if (upTo !== undefined) {
      const reached = this.#waiters.filter((waiter) => waiter.sequence <= upTo)
      this.#waiters = this.#waiters.filter((waiter) => waiter.sequence > upTo)
      for (const waiter of reached) waiter.resolve()
    }
    if (this.#gathering.length > 0 && this.#timer === undefined) this.#schedule(this.#urgent)
    this.#pump()
  }

  /** False when it had ended before: the owner is told once. */
  #end(reason: string): boolean {
    if (this.#ended !== undefined) return false
    this.#ended = reason
    this.#timer?.()
    this.#timer = undefined
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) waiter.reject(ended(reason))
    return true
  }
}

function ended(reason: string): OpError {
  return new OpError('closed', { code: 'STREAM_ENDED', detail: `the stream to the bucket has ended: ${reason}` })
}

function shareOf(
  share: GroupToStream,
  objectKey: string,
  objectSizeBytes: number,
  place: { readonly position: number; readonly length: number },
): StreamedShare {
  const last = assertDefined(share.entries.at(-1), 'a streamed group has entries')
  return { group: share.group, lastIndex: last.index, extent: extentOf(share.entries, { objectKey, objectSizeBytes, ...place }) }
}
