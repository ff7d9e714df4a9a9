// Owns what `chronik dump object` shows of a WAL object or a fence: who wrote it, its trailer, each group's entries, with the bytes of
// their payloads. Not how it is printed (cli), nor judging the batches (recovery/verify).

import type { Crc32c } from '../../src/base/crc32c.ts'
import { OpError } from '../../src/base/op-error.ts'
import {
  decodeFence,
  decodeStreamFooter,
  decodeStreamHeader,
  decodeStreamTrailer,
  type Fence,
  type StreamedEntry,
  type StreamedGroup,
  type StreamHeader,
  type StreamTrailer,
  trailerBytes,
} from './core/format.ts'

export type StreamPart =
  | { readonly kind: 'fence'; readonly fence: Fence }
  | { readonly kind: 'header'; readonly header: StreamHeader }
  | { readonly kind: 'trailer'; readonly trailer: StreamTrailer }
  | { readonly kind: 'group'; readonly group: StreamedGroup }
  /** `payload` is a view. Of a batch it begins at `position` in the object. */
  | { readonly kind: 'entry'; readonly entry: StreamedEntry; readonly position: number; readonly payload: Uint8Array }

function corrupt(what: string): OpError {
  return new OpError('corrupt', { code: 'WAL_OBJECT_CORRUPT', detail: what })
}

/** OpError `corrupt` where the object can no longer be followed. */
export function* inspectStreamObject(bytes: Uint8Array, crc32c: Crc32c): Generator<StreamPart, void, undefined> {
  const fence = decodeFence(bytes)
  if (fence !== undefined) {
    yield { kind: 'fence', fence }
    return
  }
  const header = decodeStreamHeader(bytes)
  if (!header.ok) throw corrupt(header.failure)
  yield { kind: 'header', header: header.value }
  const trailer = decodeStreamTrailer(bytes, bytes.length)
  if (!trailer.ok) throw corrupt(trailer.failure)
  yield { kind: 'trailer', trailer: trailer.value }
  const end = bytes.length - trailerBytes
  const footer = decodeStreamFooter(bytes.subarray(trailer.value.footerPosition, end), trailer.value, crc32c)
  if (!footer.ok) throw corrupt(footer.failure)
  for (const group of footer.value.groups) {
    yield { kind: 'group', group }
    let position = group.position
    for (const entry of group.entries) {
      const payload = entry.payload ?? bytes.subarray(position, position + entry.length)
      if (payload.length < entry.length)
        throw corrupt(`entry ${entry.index} of group ${group.group} lies beyond the object's end`)
      yield { kind: 'entry', entry, position, payload }
      if (entry.kind === 'batch') position += entry.length
    }
  }
}
