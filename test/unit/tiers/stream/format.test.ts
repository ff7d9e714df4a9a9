import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crc32cReference as crc32c } from '../../../../src/base/crc32c.ts'
import { isOpError } from '../../../../src/base/op-error.ts'
import { groupNumber, leaderEpoch, logIndex, topicId } from '../../../../src/model/ids.ts'
import {
  decodeFence,
  decodeStreamFooter,
  decodeStreamHeader,
  decodeStreamTrailer,
  encodeFence,
  encodeStreamObject,
  type GroupToStream,
  trailerBytes,
} from '../../../../tiers/stream/core/format.ts'
import {
  inspectStreamObject,
  sequenceOfKey,
  digestOf,
  readStreamedHead,
  readStreamedHeader,
} from '../../../../tiers/stream/index.ts'
import { memoryStore } from '../../../../tiers/object-store/memory.ts'
import { testBatch } from '../../../support/batches.ts'

const join = (pieces: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(pieces))

const entryPlan = fc.record({
  kind: fc.constantFrom('batch' as const, 'control' as const, 'metadata' as const),
  indexStep: fc.integer({ min: 1, max: 1000 }),
  termStep: fc.integer({ min: 0, max: 3 }),
  records: fc.integer({ min: 1, max: 5 }),
  gap: fc.integer({ min: 0, max: 100 }),
  producerId: fc.constantFrom(-1, 0, 7, 2 ** 40),
  bytes: fc.uint8Array({ maxLength: 40 }),
})

type EntryPlan = typeof entryPlan extends fc.Arbitrary<infer Plan> ? Plan : never

function shareOf(
  group: number,
  start: { readonly index: number; readonly offset: number },
  plans: readonly EntryPlan[],
): GroupToStream {
  let { index, offset } = start
  let term = 1
  const entries = plans.map((plan) => {
    index += plan.indexStep
    term += plan.termStep
    const common = { index: logIndex(index), term: leaderEpoch(term), kind: plan.kind }
    if (plan.kind !== 'batch') return { ...common, length: plan.bytes.length, bytes: plan.bytes }
    const bytes = testBatch({
      baseOffset: offset + plan.gap,
      records: plan.records,
      maxTimestampMs: plan.gap - 1,
      body: plan.bytes,
    })
    const view = new DataView(bytes.buffer)
    view.setBigInt64(43, BigInt(plan.producerId))
    if (plan.producerId >= 0) view.setInt32(53, plan.gap)
    if (plan.producerId >= 0) view.setInt16(51, 3)
    offset += plan.gap + plan.records
    return { ...common, length: bytes.length, bytes, digest: digestOf(bytes) }
  })
  return { group: groupNumber(group), topicId: topicId('AAECAwQFBgcICQoLDA0ODw'), partition: group, entries }
}

const origin = { life: 7, node: 3, term: leaderEpoch(9), createdMs: 1_700_000_000_000 }

const objects = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 2 ** 45 }), fc.array(entryPlan, { minLength: 1, maxLength: 6 })), { maxLength: 5 })
  .map((groups) => groups.map(([start, plans], at) => shareOf(at + 1, { index: start, offset: start }, plans)))

describe('a WAL object', () => {
  it('gives back what was put in, whatever it is', () => {
    fc.assert(
      fc.property(objects, (shares) => {
        const bytes = join(encodeStreamObject(shares, origin, crc32c).body)
        const parts = [...inspectStreamObject(bytes, crc32c)]
        expect(parts[0]).toEqual({ kind: 'header', header: { life: 7, node: 3, createdMs: origin.createdMs } })
        const entries = parts.flatMap((part) => (part.kind === 'entry' ? [part] : []))
        const expected = shares.flatMap((share) => share.entries)
        expect(
          entries.map(({ entry, payload }) => ({ ...entry, payload: undefined, bytes: Buffer.from(payload).toString('hex') })),
        ).toEqual(expected.map((entry) => ({ ...entry, payload: undefined, bytes: Buffer.from(entry.bytes).toString('hex') })))
      }),
      { numRuns: 200 },
    )
  })

  it('is refused with a named reason when any byte of footer or trailer is another', () => {
    const shares = [
      shareOf(1, { index: 5, offset: 9 }, [
        { kind: 'batch', indexStep: 1, termStep: 0, records: 2, gap: 0, producerId: 7, bytes: new Uint8Array(9) },
      ]),
    ]
    const bytes = join(encodeStreamObject(shares, origin, crc32c).body)
    const footerAt = new DataView(bytes.buffer).getBigUint64(bytes.length - trailerBytes)
    for (let at = Number(footerAt); at < bytes.length; at += 1) {
      for (const bit of [1, 0x80]) {
        const bent = bytes.slice()
        bent[at] = (bent[at] ?? 0) ^ bit
        const trailer = decodeStreamTrailer(bent, bent.length)
        const footer = trailer.ok
          ? decodeStreamFooter(bent.subarray(Number(footerAt), bent.length - trailerBytes), trailer.value, crc32c)
          : trailer
        expect(footer.ok).toBe(false)
      }
    }
  })

  it('whose footer is longer than the first read is read with a second', async () => {
    const plans = Array.from({ length: 6000 }, () => ({
      kind: 'control' as const,
      indexStep: 1,
      termStep: 0,
      records: 1,
      gap: 0,
      producerId: -1,
      bytes: new Uint8Array(20),
    }))
    const store = memoryStore()
    await store.put('wal/x', encodeStreamObject([shareOf(1, { index: 0, offset: 0 }, plans)], origin, crc32c).body)
    const head = await readStreamedHead(store, 'wal/x', crc32c)
    expect(head.kind === 'entries' && head.footer.groups[0]?.entries.length).toBe(6000)
  })
})

describe('a fence', () => {
  it('gives back who set it, and is nothing else', async () => {
    const fence = { byLife: 3, by: 'node 1 at größe', atMs: 1_700_000_000_000 }
    expect(decodeFence(encodeFence(fence))).toEqual(fence)
    const store = memoryStore()
    await store.put('wal/x', [encodeFence(fence)])
    expect(await readStreamedHead(store, 'wal/x', crc32c)).toEqual({ kind: 'fence', key: 'wal/x', fence })
  })

  it.each(['', '{', 'null', '7', '[]', '{}', '{"byLife":"1","by":"x","atMs":1}'])('of the words %j is none', (json) => {
    const text = Buffer.from(json)
    const bytes = Buffer.concat([Buffer.from('CHRKFENC'), Buffer.from([text.length >> 8, text.length]), text])
    expect(decodeFence(bytes)).toBeUndefined()
  })
})

describe('hostile bytes', () => {
  /** Arbitrary, or a sound object with a piece replaced, moved or cut. */
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.uint8Array({ maxLength: 60 }).map((rest) => join([Buffer.from('CHRKFENC'), rest])),
    fc.tuple(objects, fc.nat(), fc.uint8Array({ maxLength: 16 }), fc.nat()).map(([shares, at, piece, cut]) => {
      const bytes = join(encodeStreamObject(shares, origin, crc32c).body)
      bytes.set(piece.subarray(0, bytes.length), Math.min(at % bytes.length, Math.max(0, bytes.length - piece.length)))
      return cut % 3 === 0 ? bytes.subarray(0, cut % bytes.length) : bytes
    }),
  )
  /** Makes the checksum right, so that what is behind it is tried. */
  const resealed = (bytes: Uint8Array): Uint8Array => {
    const trailer = decodeStreamTrailer(bytes, bytes.length)
    if (!trailer.ok) return bytes
    const copy = bytes.slice()
    const footer = copy.subarray(trailer.value.footerPosition, copy.length - trailerBytes)
    new DataView(copy.buffer).setUint32(copy.length - 20, crc32c(trailer.value.rest, crc32c(footer)))
    return copy
  }

  it('never make a decoder throw, nor allocate more than they are long', () => {
    fc.assert(
      fc.property(hostile, (bytes) => {
        decodeFence(bytes)
        decodeStreamHeader(bytes)
        for (const tried of [bytes, resealed(bytes)]) {
          const trailer = decodeStreamTrailer(tried, tried.length)
          if (!trailer.ok) continue
          const footer = decodeStreamFooter(
            tried.subarray(trailer.value.footerPosition, tried.length - trailerBytes),
            trailer.value,
            crc32c,
          )
          if (footer.ok)
            expect(footer.value.groups.reduce((sum, group) => sum + group.entries.length, 0)).toBeLessThanOrEqual(tried.length)
        }
      }),
      { numRuns: 3000 },
    )
  })

  it('make readers and the dump say what is corrupt, and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(hostile, async (bytes) => {
        const store = memoryStore()
        await store.put('wal/x', [bytes])
        const say = async (work: () => unknown): Promise<void> => {
          try {
            await work()
          } catch (error) {
            expect(isOpError(error, 'corrupt', 'invalid')).toBe(true)
          }
        }
        await say(() => readStreamedHead(store, 'wal/x', crc32c))
        await say(() => readStreamedHeader(store, 'wal/x'))
        await say(() => [...inspectStreamObject(resealed(bytes), crc32c)])
      }),
      { numRuns: 1000 },
    )
  })
})

it('a key ends with its number, or has none', () => {
  expect(sequenceOfKey('wal/0000000001/0000000001/0000000000000012')).toBe(12)
  for (const key of ['', 'wal/1', 'wal/00000000000000012', 'wal/0000000000000012/x', 'x0000000000000012'])
    expect(sequenceOfKey(key)).toBeUndefined()
})
