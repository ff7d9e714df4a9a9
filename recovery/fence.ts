// Owns ending a writer of an old life: a fence object, create-if-absent, at the next number of its sequence. After it stands, no
// acknowledgement of that writer can depend on the bucket again (I7). Conditional writes alone; no lock service.

import { default as PQueue } from 'p-queue'
import { assertDefined } from '../src/base/assert.ts'
import { OpError } from '../src/base/op-error.ts'
import type { ObjectStore } from '../tiers/ports.ts'
import { decodeFence, encodeFence, type Fence, numberedKey, sequenceOfKey } from '../tiers/stream/index.ts'

export interface WriterObject {
  readonly sequence: number
  readonly key: string
  readonly sizeBytes: number
}

export interface WriterEnd {
  /** Objects from the given number on and below the first gap, in order. */
  readonly objects: readonly WriterObject[]
  /** The number the next object would have. */
  readonly next: number
  /** Objects beyond the first gap: they never counted (STREAM-1). */
  readonly beyondGap: readonly WriterObject[]
}

/** What a writer left under its prefix, from number `from` on. */
export async function surveyWriter(store: ObjectStore, prefix: string, from: number): Promise<WriterEnd> {
  const listed: WriterObject[] = []
  const options = from === 0 ? {} : { startAfter: numberedKey(prefix, from - 1) }
  for await (const facts of store.list(prefix, options)) {
    const sequence = sequenceOfKey(facts.key)
    if (sequence !== undefined) listed.push({ sequence, key: facts.key, sizeBytes: facts.sizeBytes })
  }
  return writerEnd(listed, from)
}

/** Where the sequence ends that begins at `from`; `listed` ascends. */
export function writerEnd(listed: readonly WriterObject[], from: number): WriterEnd {
  const later = listed.filter((object) => object.sequence >= from)
  const gap = later.findIndex((object, at) => object.sequence !== from + at)
  const objects = gap < 0 ? later : later.slice(0, gap)
  return { objects, next: from + objects.length, beyondGap: later.slice(objects.length) }
}

/** A fence is a small object; anything this small is looked at before it is taken for entries. */
const fenceBytesMax = 4096

/** Metadata objects are all that small: read side by side, a minute of topic creations costs no second. */
const looksAtOnce = 32

/** The fence that already ends the writer, if one stands among its objects: the first, should there be more. */
export async function standingFence(
  store: ObjectStore,
  end: Pick<WriterEnd, 'objects'>,
): Promise<{ readonly at: WriterObject; readonly fence: Fence } | undefined> {
  const queue = new PQueue({ concurrency: looksAtOnce })
  const looks = end.objects
    .filter((object) => object.sizeBytes <= fenceBytesMax)
    .map((object) => queue.add(async () => ({ at: object, fence: decodeFence(await store.get(object.key)) })))
  for (const { at, fence } of await Promise.all(looks)) if (fence !== undefined) return { at, fence }
  return undefined
}

export interface FencedWriter {
  readonly prefix: string
  /** The writer's objects that count. */
  readonly objects: readonly WriterObject[]
  /** The number the fence stands at. */
  readonly cut: number
}

/** How many objects a zombie may still land while it is being fenced, before we give up. */
const attemptsMax = 1000

/** Ends the writer, retrying past what it still lands. What stands below the cut afterwards is final. */
export async function fenceWriter(
  store: ObjectStore,
  writer: { readonly prefix: string; readonly from: number },
  fence: Fence,
): Promise<FencedWriter> {
  let end = await surveyWriter(store, writer.prefix, writer.from)
  let unseen = end.objects
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const standing = await standingFence(store, { objects: unseen })
    if (standing !== undefined) {
      const cut = standing.at.sequence
      return { prefix: writer.prefix, objects: end.objects.filter((object) => object.sequence < cut), cut }
    }
    const outcome = await store.putIfAbsent(numberedKey(writer.prefix, end.next), [encodeFence(fence)])
    if (outcome.kind === 'created') return { prefix: writer.prefix, objects: end.objects, cut: end.next }
    const more = await surveyWriter(store, writer.prefix, end.next)
    assertDefined(more.objects[0], 'the number that was taken is listed')
    unseen = more.objects
    end = { objects: [...end.objects, ...more.objects], next: more.next, beyondGap: more.beyondGap }
  }
  throw new OpError('busy', {
    code: 'FENCE_OVERTAKEN',
    detail: `the old writer under ${writer.prefix} landed ${attemptsMax} objects while it was being fenced; stop the old node and start again`,
  })
}
