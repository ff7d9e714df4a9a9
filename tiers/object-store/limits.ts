// Owns the named maxima of the object-store room and the relations between them. Settings may lower them, nothing exceeds them.

import { assert } from '../../src/base/assert.ts'

/** S3's own limit, in UTF-8 bytes. */
export const keyBytesMax = 1024
/** Linux refuses longer file names. */
export const fileNameBytesMax = 255
/** S3 deletes at most this many keys in one request, and lists as many. */
export const keysPerRequestMax = 1000
/** S3 refuses more parts than this, and parts below 5 MiB except the last: 8 MiB parts allow objects of 78 GiB. */
export const partsMax = 10_000
export const partBytes = 8 * 1024 * 1024
export const partBytesMin = 5 * 1024 * 1024
/** Parts in flight for one upload: four keep a link busy and cost 32 MiB. */
export const partsInFlightMax = 4
/** Up to here a tag is cryptographic: conditional replacement is for small objects. Above, CRC32C and size (0.2 s CPU per GB). */
export const strongTagBytesMax = 64 * 1024
/** Linux's IOV_MAX: more pieces need another writev. */
export const iovecsMax = 1024
/** One write of the local store, and what may be summed for its tag in one turn: 0.3 ms of CPU. */
export const writeBytesMax = 1024 * 1024
/** Files looked at in one go by a listing: enough to keep the thread pool busy, little when the caller stops early. */
export const listStatBatch = 32
/** Folders remembered as durable; beyond it the memory is dropped and each costs one sync again. */
export const knownFoldersMax = 65_536

assert(partBytes >= partBytesMin, 'a part is at least as large as S3 demands')
assert(keyBytesMax > fileNameBytesMax, 'a key may hold several file names')
