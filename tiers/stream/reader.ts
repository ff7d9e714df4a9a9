// Owns reading streamed objects back: the footer by one request (two when it is long), and whether a number holds a fence. Not
// what the entries mean.

import type { Crc32c } from '../../src/base/crc32c.ts'
import { OpError } from '../../src/base/op-error.ts'
import type { ObjectReader } from '../ports.ts'
import {
  decodeFence,
  decodeStreamFooter,
  decodeStreamHeader,
  decodeStreamTrailer,
  type Fence,
  headerBytes,
  type StreamFooter,
  type StreamHeader,
  trailerBytes,
} from './core/format.ts'
import { streamLimits } from './limits.ts'

export type StreamedObjectHead =
  | { readonly kind: 'entries'; readonly key: string; readonly sizeBytes: number; readonly footer: StreamFooter }
  | { readonly kind: 'fence'; readonly key: string; readonly fence: Fence }

function corrupt(key: string, what: string): OpError {
  return new OpError('corrupt', { code: 'WAL_OBJECT_CORRUPT', detail: `${key}: ${what}` })
}

/** OpError `corrupt` names the object when its footer does not verify. */
export async function readStreamedHead(store: ObjectReader, key: string, crc32c: Crc32c): Promise<StreamedObjectHead> {
  const { bytes: tail, sizeBytes } = await store.getTail(key, streamLimits.tailBytes)
  const fence = tail.length === sizeBytes ? decodeFence(tail) : undefined
  if (fence !== undefined) return { kind: 'fence', key, fence }
  const trailer = decodeStreamTrailer(tail, sizeBytes)
  if (!trailer.ok) throw corrupt(key, trailer.failure)
  const { footerPosition, footerLength } = trailer.value
  const end = sizeBytes - trailerBytes
  const inTail = footerLength + trailerBytes <= tail.length
  const footerBytes = inTail
    ? tail.subarray(tail.length - trailerBytes - footerLength, tail.length - trailerBytes)
    : await store.getRange(key, footerPosition, end)
  const footer = decodeStreamFooter(footerBytes, trailer.value, crc32c)
  if (!footer.ok) throw corrupt(key, footer.failure)
  return { kind: 'entries', key, sizeBytes, footer: footer.value }
}

/** Who wrote the object and when, from its first bytes. OpError `corrupt` names the object. */
export async function readStreamedHeader(store: ObjectReader, key: string): Promise<StreamHeader> {
  const header = decodeStreamHeader(await store.getRange(key, 0, headerBytes))
  if (!header.ok) throw corrupt(key, header.failure)
  return header.value
}
