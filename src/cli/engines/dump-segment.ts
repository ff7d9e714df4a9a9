// Owns `chronik dump segment`: trailer, index, batches. Not the format (tiers/segment).

import { crc32c } from '../../base/node/native-crc32c.ts'
import { OpError } from '../../base/op-error.ts'
import { leaderEpoch, offset, partitionIndex, topicId } from '../../model/ids.ts'
import { ByteReader } from '../../protocol/index.ts'
import { inspectSegment, parseSegmentKey, segmentKey, type SegmentPart } from '../../../tiers/segment/index.ts'
import type { ObjectReader } from '../../../tiers/ports.ts'
import type { Line } from '../ports.ts'
import { entryLines, type Opener, time, Wrongs } from './dump-entry.ts'

const trailerBytes = 112
const magic = 'CHRSEGMT'

export const endsLikeSegment = (bytes: Uint8Array): boolean =>
  bytes.length >= trailerBytes && Buffer.from(bytes.subarray(bytes.length - magic.length)).toString('latin1') === magic

/** A file has no key: the trailer says what its name would be, but for the attempt. */
function keyFrom(bytes: Uint8Array, name: string): string {
  const found = /segments\/[^/]+\/\d+\/[\d-]+$/.exec(name)?.[0]
  if (found !== undefined && parseSegmentKey(found) !== undefined) return found
  const r = new ByteReader(bytes, bytes.length - trailerBytes)
  const [id, partition, epoch, base] = [topicId(r.uuid()), r.uint32(), r.uint32(), Number(r.int64())]
  const { attempt } = parseSegmentKey(`segments/${id}/${partition}/${name.split('/').at(-1) ?? ''}`) ?? { attempt: 0 }
  return segmentKey({
    topicId: id,
    partition: partitionIndex(partition),
    leaderEpoch: leaderEpoch(epoch),
    baseOffset: offset(base),
    attempt,
  })
}

/** The bytes as the store that holds only them. */
function readerOf(bytes: Uint8Array): ObjectReader {
  return {
    head: (key) => Promise.resolve({ key, sizeBytes: bytes.length, lastModifiedMs: 0, etag: '' }),
    get: () => Promise.resolve(bytes),
    getRange: (_, start, end) => Promise.resolve(bytes.subarray(start, end)),
    getTail: (_, length) =>
      Promise.resolve({ bytes: bytes.subarray(Math.max(0, bytes.length - length)), sizeBytes: bytes.length }),
    list: async function* () {
      yield* []
    },
  }
}

function* linesOf(part: SegmentPart, bytes: Uint8Array, open: Opener, wrongs: Wrongs): Generator<Line> {
  if (part.kind === 'trailer') {
    const { facts } = part
    const text =
      `segment ${facts.key}: offsets ${facts.baseOffset} to ${facts.endOffset}, ${facts.recordCount} records in ${facts.batchCount} ` +
      `batches, ${facts.dataBytes} of ${facts.sizeBytes} bytes are data, times ${time(facts.minTimestampMs)} to ${time(facts.maxTimestampMs)}`
    yield { text, json: { ...part.trailer, ...facts, kind: 'segment' } }
  } else if (part.kind === 'index') {
    const { entry } = part
    const text = `  index: offset ${entry.offset} at byte ${entry.position}, up to ${time(entry.maxTimestampMs)}`
    yield { text, json: { ...entry, kind: 'index' } }
  } else {
    const { header, position } = part.batch
    const payload = bytes.subarray(position, position + header.sizeBytes)
    const text = `  batch at ${position}:`
    yield* entryLines({ kind: 'batch', payload, text, json: { kind: 'batch', at: position } }, open, wrongs)
  }
}

export async function* dumpSegment(bytes: Uint8Array, name: string, open: Opener): AsyncGenerator<Line> {
  if (!endsLikeSegment(bytes))
    throw new OpError('corrupt', { code: 'NO_SEGMENT', detail: `${name} does not end like a segment; it may be cut off` })
  const wrongs = new Wrongs()
  for await (const part of inspectSegment(readerOf(bytes), keyFrom(bytes, name), crc32c))
    yield* linesOf(part, bytes, open, wrongs)
  if (wrongs.count > 0)
    throw new OpError('corrupt', {
      code: 'SEGMENT_DAMAGED',
      detail: `${wrongs.count} places are damaged, the first: ${wrongs.first}`,
    })
}
